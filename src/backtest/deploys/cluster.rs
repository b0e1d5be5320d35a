//! Deploys out of a cluster's objects: ReplicaSets, Argo's Rollouts, Flagger's Canaries; one, or a list of them.
//!
//! A ReplicaSet is made by the first deploy of its template: going back to one that is there makes none, so such a deploy is
//! not in this history. The oldest of each owner is what later ones replaced, and no deploy that can be watched.

use std::collections::BTreeMap;

use super::tree::{get, items, place, text, wrong};
use super::{BAD_MOMENT, Deploys, INCOMPLETE, Outcome, PastDeploy, UNKNOWN_FORM, moment};
use backspin_domain::id::ServiceId;
use backspin_domain::time::WallTime;
use backspin_policy::document::node::Node;
use backspin_policy::document::shape::BAD_NAME;
use backspin_policy::document::{Problem, Source};

pub(super) fn read(source: &Source, root: &Node) -> Result<Deploys, Vec<Problem>> {
    let kind = text(root, &["kind"]).unwrap_or_default();
    let of_list = kind.strip_suffix("List");
    let objects: Vec<&Node> =
        if of_list.is_some() { items(root, &["items"]).iter().collect() } else { vec![root] };
    let mut found = Deploys::default();
    let mut problems = Vec::new();
    let mut sets: BTreeMap<ServiceId, Vec<PastDeploy>> = BTreeMap::new();
    for object in objects {
        // Lists of one kind, as the API gives them, do not repeat it.
        let kind = text(object, &["kind"]).or(of_list).unwrap_or_default();
        let read = match kind {
            "ReplicaSet" => replica_set(source, object).map(|set| {
                sets.entry(set.service.clone()).or_default().push(set);
                None
            }),
            "Rollout" => rollout(source, object).map(Some),
            "Canary" => canary(source, object).map(Some),
            other => Err(wrong(
                source,
                object,
                UNKNOWN_FORM,
                format!("a `{other}` tells of no deploy; `ReplicaSet`, `Rollout` and `Canary` do"),
            )),
        };
        match read {
            Ok(deploy) => found.list.extend(deploy),
            Err(problem) => problems.push(problem),
        }
    }
    for (service, mut sets) in sets {
        sets.sort();
        found.notes.push(format!(
            "`{service}`: the oldest ReplicaSet is what later ones replaced, and is not judged"
        ));
        found.list.extend(sets.into_iter().skip(1));
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn replica_set(source: &Source, object: &Node) -> Result<PastDeploy, Problem> {
    let owner = items(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| matches!(text(owner, &["kind"]), Some("Deployment" | "Rollout")))
        .and_then(|owner| text(owner, &["name"]));
    let owner = owner.ok_or_else(|| {
        wrong(
            source,
            object,
            INCOMPLETE,
            "this ReplicaSet has no Deployment or Rollout in `metadata.ownerReferences`".to_owned(),
        )
    })?;
    let created = &["metadata", "creationTimestamp"];
    let at = time(source, object, created)?.ok_or_else(|| missing(source, object, created))?;
    let labels = |name| text(object, &["metadata", "labels", name]);
    let hash = labels("pod-template-hash").or_else(|| labels("rollouts-pod-template-hash"));
    let image = items(object, &["spec", "template", "spec", "containers"])
        .first()
        .and_then(|container| text(container, &["image"]));
    let version = image.and_then(tag).or(hash).ok_or_else(|| {
        wrong(
            source,
            object,
            INCOMPLETE,
            "neither an image's tag nor `pod-template-hash` tells the version".to_owned(),
        )
    })?;
    Ok(PastDeploy {
        at,
        service: service(source, object, owner)?,
        version: version.to_owned(),
        pod_hash: hash.map(str::to_owned),
        ended: None,
        onset: None,
        outcome: Outcome::Unknown,
        note: String::new(),
        place: place(source, object),
    })
}

/// An Argo Rollout tells of the deploy that it is in, or was aborted in.
fn rollout(source: &Source, object: &Node) -> Result<PastDeploy, Problem> {
    let name =
        text(object, &["metadata", "name"]).ok_or_else(|| missing(source, object, &["metadata", "name"]))?;
    let hash = text(object, &["status", "currentPodHash"])
        .ok_or_else(|| missing(source, object, &["status", "currentPodHash"]))?;
    // `Completed` turns false when a rollout begins.
    let at = condition(source, object, "Completed", "False")?.ok_or_else(|| {
        wrong(
            source,
            object,
            INCOMPLETE,
            format!("the status of Rollout `{name}` does not tell when its deploy began"),
        )
        .with_hint("give the ReplicaSets that it owns: `kubectl get replicasets -o json`")
    })?;
    let ended = time(source, object, &["status", "abortedAt"])?;
    Ok(PastDeploy {
        at,
        service: service(source, object, name)?,
        version: hash.to_owned(),
        pod_hash: Some(hash.to_owned()),
        ended,
        onset: None,
        outcome: Outcome::Unknown,
        note: if ended.is_some() { "aborted by its controller".to_owned() } else { String::new() },
        place: place(source, object),
    })
}

/// A Flagger Canary tells of the analysis that is under way.
fn canary(source: &Source, object: &Node) -> Result<PastDeploy, Problem> {
    let name = text(object, &["spec", "targetRef", "name"])
        .or_else(|| text(object, &["metadata", "name"]))
        .ok_or_else(|| missing(source, object, &["spec", "targetRef", "name"]))?;
    let phase =
        text(object, &["status", "phase"]).ok_or_else(|| missing(source, object, &["status", "phase"]))?;
    let began = condition(source, object, "Promoted", "Unknown")?;
    let at = began.ok_or_else(|| {
        wrong(
            source,
            object,
            INCOMPLETE,
            format!(
                "Canary `{name}` is `{phase}`: its status tells when that was, and not when the deploy began"
            ),
        )
        .with_hint("write the deploy as a row of CSV: service,time,version,outcome,ended")
    })?;
    let version = text(object, &["status", "lastAppliedSpec"])
        .ok_or_else(|| missing(source, object, &["status", "lastAppliedSpec"]))?;
    Ok(PastDeploy {
        at,
        service: service(source, object, name)?,
        version: version.to_owned(),
        pod_hash: Some(version.to_owned()),
        ended: None,
        onset: None,
        outcome: Outcome::Unknown,
        note: String::new(),
        place: place(source, object),
    })
}

/// When a condition took this status; none where it has another, or there is no such condition.
fn condition(source: &Source, object: &Node, kind: &str, status: &str) -> Result<Option<WallTime>, Problem> {
    let found = items(object, &["status", "conditions"])
        .iter()
        .find(|it| text(it, &["type"]) == Some(kind) && text(it, &["status"]) == Some(status));
    found.map_or(Ok(None), |condition| time(source, condition, &["lastTransitionTime"]))
}

fn service(source: &Source, object: &Node, name: &str) -> Result<ServiceId, Problem> {
    ServiceId::new(name).map_err(|error| wrong(source, object, BAD_NAME, error.to_string()))
}

fn missing(source: &Source, object: &Node, path: &[&str]) -> Problem {
    wrong(source, object, INCOMPLETE, format!("there is no `{}`", path.join(".")))
}

fn time(source: &Source, object: &Node, path: &[&str]) -> Result<Option<WallTime>, Problem> {
    let Some(node) = get(object, path) else { return Ok(None) };
    let at = text(object, path).and_then(moment);
    at.map(Some).ok_or_else(|| {
        wrong(source, node, BAD_MOMENT, format!("`{}` is no moment: {}", path.join("."), node.describe()))
    })
}

/// The tag of an image, without its registry, whose port has a colon too, and without its digest.
fn tag(image: &str) -> Option<&str> {
    let image = image.split('@').next().unwrap_or(image);
    let (_, tag) = image.rsplit_once(':')?;
    (!tag.contains('/') && !tag.is_empty()).then_some(tag)
}
