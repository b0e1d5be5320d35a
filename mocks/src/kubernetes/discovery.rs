//! Which groups, versions and resources there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::respond::full;
use super::route::Discovery;
use super::store::Shelf;
use super::{Cluster, Reply};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Answers a question about what there is.
pub(super) fn answer(cluster: &Cluster, what: &Discovery) -> Reply {
    let value = match what {
        Discovery::Version => version(&cluster.settings.git_version),
        Discovery::CoreVersions => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443" }],
        }),
        Discovery::Groups => {
            let groups: Vec<Value> =
                groups(cluster).iter().map(|(name, versions)| group(name, versions)).collect();
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
        }
        Discovery::Group(name) => {
            let groups = groups(cluster);
            let mut shown = group(name, groups.get(name.as_str()).map_or(&[][..], Vec::as_slice));
            shown["kind"] = Value::from("APIGroup");
            shown["apiVersion"] = Value::from("v1");
            shown
        }
        Discovery::Resources { group, version } => resources(cluster, group, version),
        Discovery::OpenApi(path) => return open_api(cluster, path),
    };
    full(200, "application/json", value.to_string().into())
}

fn version(git: &str) -> Value {
    let mut parts = git.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("0"));
    json!({
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": minor.parse::<u32>().map_or(0, |minor| minor.saturating_sub(1)).to_string(),
        "gitVersion": git,
        // What a build outside of a release says.
        "gitCommit": "$Format:%H$",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.26.10",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// Groups besides the core with their versions, the preferred one first.
fn groups(cluster: &Cluster) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let shelves = cluster.store.shelves();
    let stored =
        shelves.iter().map(|shelf| (shelf.served.kind.group.as_str(), shelf.served.kind.version.as_str()));
    let others = shelves.iter().flat_map(|shelf| shelf.served.aliases.iter().copied());
    let reviews = [("authorization.k8s.io", "v1"), ("authentication.k8s.io", "v1")];
    for (group, version) in stored.chain(others).chain(reviews).filter(|(group, _)| !group.is_empty()) {
        let versions = groups.entry(group).or_default();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    groups
}

fn group(name: &str, versions: &[&str]) -> Value {
    let one = |version: &&str| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    let versions: Vec<Value> = versions.iter().map(one).collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({ "name": name, "versions": versions, "preferredVersion": preferred })
}

fn resources(cluster: &Cluster, group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for Shelf { served, .. } in
        cluster.store.shelves().iter().filter(|shelf| shelf.served.is_at(group, version))
    {
        let kind = &served.kind;
        let mut shown = json!({
            "name": kind.plural,
            "singularName": served.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": VERBS,
        });
        if !served.short.is_empty() {
            shown["shortNames"] = json!(served.short);
        }
        if ["pods", "services", "deployments", "replicasets", "horizontalpodautoscalers", "jobs"]
            .contains(&kind.plural.as_str())
        {
            shown["categories"] = json!(["all"]);
        }
        resources.push(shown);
        let verbs = ["get", "patch", "update"];
        if served.has_scale {
            resources.push(json!({
                "name": format!("{}/scale", kind.plural),
                "singularName": "",
                "namespaced": true,
                "group": "autoscaling",
                "version": "v1",
                "kind": "Scale",
                "verbs": verbs,
            }));
        }
        if kind.has_status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": verbs,
            }));
        }
    }
    let reviews: &[(&str, &str)] = match group {
        "authorization.k8s.io" => &[
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ],
        "authentication.k8s.io" => &[("selfsubjectreviews", "SelfSubjectReview")],
        _ => &[],
    };
    for (plural, kind) in reviews {
        resources.push(json!({
            "name": plural,
            "singularName": kind.to_lowercase(),
            "namespaced": false,
            "kind": kind,
            "verbs": ["create"],
        }));
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut list = json!({ "kind": "APIResourceList", "groupVersion": name, "resources": resources });
    if !group.is_empty() {
        list["apiVersion"] = Value::from("v1");
    }
    list
}

/// OpenAPI without schemas: enough for kubectl to see that patches take `fieldValidation`.
fn open_api(cluster: &Cluster, path: &str) -> Reply {
    let mut versions = BTreeSet::new();
    for Shelf { served, .. } in cluster.store.shelves() {
        versions.insert((served.kind.group.clone(), served.kind.version.clone()));
        versions
            .extend(served.aliases.iter().map(|&(group, version)| (group.to_owned(), version.to_owned())));
    }
    let place = |(group, version): &(String, String)| {
        if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
    };
    if path == "v3" {
        let url = |version| json!({ "serverRelativeURL": format!("/openapi/v3/{}", place(version)) });
        let paths: BTreeMap<String, Value> =
            versions.iter().map(|version| (place(version), url(version))).collect();
        return full(200, "application/json", json!({ "paths": paths }).to_string().into());
    }
    let found = versions.iter().find(|version| path.strip_prefix("v3/") == Some(place(version).as_str()));
    let Some((group, version)) = found else {
        return full(404, "text/plain; charset=utf-8", "404 page not found\n".into());
    };
    let mut paths = BTreeMap::new();
    let shelves = cluster.store.shelves().iter().filter(|shelf| shelf.served.is_at(group, version));
    for Shelf { served, .. } in shelves {
        let parameter = |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
        let patch = json!({
            "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation"), parameter("force")],
            "x-kubernetes-group-version-kind": { "group": group, "kind": served.kind.kind, "version": version },
        });
        let namespaces = if served.kind.namespaced { "namespaces/{namespace}/" } else { "" };
        let base = place(&(group.clone(), version.clone()));
        paths.insert(
            format!("/{base}/{namespaces}{}/{{name}}", served.kind.plural),
            json!({ "patch": patch }),
        );
    }
    let document = json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": cluster.settings.git_version },
        "paths": paths,
    });
    full(200, "application/json", document.to_string().into())
}
