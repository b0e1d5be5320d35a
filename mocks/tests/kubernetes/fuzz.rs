//! Nothing that a client sends makes the API panic, and the store stays whole.

use std::collections::BTreeMap;

use backspin_mocks::kubernetes::{Body, Cluster, Key, Request, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::lab::open_cluster;

/// A small generator, so that a failing seed says it all.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

const PLURALS: &[&str] = &[
    "deployments",
    "configmaps",
    "leases",
    "events",
    "pods",
    "services",
    "namespaces",
    "replicasets",
    "jobs",
    "httproutes",
    "horizontalpodautoscalers",
    "endpointslices",
    "nosuch",
];

const GROUPS: &[&str] = &[
    "api/v1",
    "apis/apps/v1",
    "apis/coordination.k8s.io/v1",
    "apis/batch/v1",
    "apis/gateway.networking.k8s.io/v1",
    "apis/events.k8s.io/v1",
    "apis/autoscaling/v2",
    "apis/nosuch/v1",
    "apis/discovery.k8s.io/v1",
];

const PLACES: &[(&str, &str)] = &[
    ("apis/apps/v1", "deployments"),
    ("api/v1", "configmaps"),
    ("apis/coordination.k8s.io/v1", "leases"),
    ("api/v1", "events"),
    ("api/v1", "pods"),
    ("api/v1", "services"),
    ("apis/batch/v1", "jobs"),
    ("apis/gateway.networking.k8s.io/v1", "httproutes"),
    ("apis/events.k8s.io/v1", "events"),
    ("apis/autoscaling/v2", "horizontalpodautoscalers"),
];

const KINDS: &[(&str, &str)] = &[
    ("Deployment", "apps/v1"),
    ("ConfigMap", "v1"),
    ("Lease", "coordination.k8s.io/v1"),
    ("Event", "v1"),
    ("Pod", "v1"),
    ("Service", "v1"),
    ("Namespace", "v1"),
    ("Job", "batch/v1"),
    ("HTTPRoute", "gateway.networking.k8s.io/v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2"),
    ("Event", "events.k8s.io/v1"),
];

/// A value of any shape, with words that mean something here and there.
fn value(draws: &mut Draws, depth: usize) -> Value {
    const WORDS: &[&str] = &[
        "metadata",
        "name",
        "labels",
        "spec",
        "replicas",
        "template",
        "containers",
        "image",
        "status",
        "$patch",
        "delete",
        "$retainKeys",
        "finalizers",
        "managedFields",
        "resourceVersion",
        "1",
        "a",
        "b",
        "",
        "matchLabels",
        "selector",
        "annotations",
        "replace",
        "generation",
        "ownerReferences",
        "data",
        "namespace",
        "shop",
        "env",
    ];
    match draws.below(if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => json!(draws.below(2) == 0),
        2 => json!(i32::try_from(draws.below(1_000)).unwrap_or(0) - 500),
        3 => json!(draws.of(WORDS)),
        4 => json!(0.5),
        5 => (0..draws.below(3)).map(|_| value(draws, depth - 1)).collect(),
        _ => (0..draws.below(4)).map(|_| (draws.of(WORDS).to_owned(), value(draws, depth - 1))).collect(),
    }
}

fn body(draws: &mut Draws, path: &str) -> Vec<u8> {
    match draws.below(12) {
        0 => Vec::new(),
        1 => vec![0xff, 0xfe, b'{'],
        2 => b"{\"apiVersion\":".to_vec(),
        3 | 4 => {
            const OPERATIONS: &[&str] = &["add", "remove", "replace", "move", "copy", "test", "none"];
            const PATHS: &[&str] = &[
                "/metadata/labels/a",
                "/metadata",
                "",
                "/spec/replicas",
                "/spec/template",
                "/data/-",
                "/kind",
                "x",
                "/a~1b",
            ];
            let operation = |draws: &mut Draws| {
                json!({ "op": draws.of(OPERATIONS), "path": draws.of(PATHS), "from": draws.of(PATHS),
                    "value": value(draws, 2) })
            };
            (0..draws.below(4)).map(|_| operation(draws)).collect::<Value>().to_string().into_bytes()
        }
        5..8 => {
            let fitting = PLACES.iter().position(|(_, plural)| path.contains(plural)).and_then(|at| {
                let (group, plural) = PLACES[at];
                KINDS.iter().find(|(kind, version)| {
                    plural.starts_with(&kind.to_lowercase()) && group.ends_with(version)
                })
            });
            let (kind, version) = match fitting {
                Some(fitting) if draws.below(5) > 0 => *fitting,
                _ => KINDS[draws.below(KINDS.len())],
            };
            let labels = json!({ "app": draws.of(&["a", "b"]) });
            let container = json!({ "name": draws.of(&["c", "d"]), "image": draws.of(&["i:1", "i:2"]) });
            let mut object = json!({
                "apiVersion": version, "kind": kind,
                "metadata": { "name": draws.of(&["a", "b"]), "namespace": "shop", "labels": labels },
                "spec": { "replicas": draws.below(4), "selector": { "matchLabels": labels },
                    "template": { "metadata": { "labels": labels }, "spec": { "containers": [container] } } },
            });
            if draws.below(3) == 0 {
                object["metadata"]["finalizers"] = json!(["example.com/hold"]);
            }
            object.to_string().into_bytes()
        }
        _ => value(draws, 4).to_string().into_bytes(),
    }
}

fn request(draws: &mut Draws) -> Request {
    let method = draws.of(&["GET", "GET", "POST", "PUT", "PATCH", "PATCH", "DELETE", "HEAD", "BREW"]);
    let content = draws.of(&[
        "application/json",
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "text/plain",
        "",
    ]);
    let name =
        draws.of(&["", "/a", "/b", "/a/status", "/a/scale", "/b/status", "/a/eviction", "/%zz", "/a/b/c"]);
    let path = match draws.below(8) {
        0 => draws
            .of(&["/", "/api", "/apis", "/version", "/openapi/v3", "//", "/apis/apps", "/%2F%00"])
            .to_owned(),
        1 => format!("/{}/{}{name}", draws.of(GROUPS), draws.of(PLURALS)),
        2 => {
            let group = draws.of(GROUPS);
            format!("/{group}/namespaces/{}/{}{name}", draws.of(&["shop", "nosuch"]), draws.of(PLURALS))
        }
        _ => {
            let (group, plural) = PLACES[draws.below(PLACES.len())];
            format!("/{group}/namespaces/shop/{plural}{name}")
        }
    };
    let mut query = Vec::new();
    for parameter in [
        "watch=1",
        "limit=1",
        "continue=e30",
        "continue=!",
        "resourceVersion=1",
        "resourceVersion=999999",
        "resourceVersion=x",
        "resourceVersionMatch=Exact",
        "labelSelector=a%3Db",
        "labelSelector=(((",
        "dryRun=All",
        "fieldManager=m",
        "force=true",
        "fieldValidation=Strict",
        "fieldSelector=metadata.name%3Da",
        "timeoutSeconds=1",
        "sendInitialEvents=true",
        "propagationPolicy=Foreground",
        "gracePeriodSeconds=0",
        "allowWatchBookmarks=1",
    ] {
        if draws.below(12) == 0 {
            query.push(parameter);
        }
    }
    let accept = draws.of(&[
        "",
        "application/json",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        "text/html",
        "*/*;;=",
    ]);
    let body = body(draws, &path);
    Request {
        method: method.to_owned(),
        path,
        query: query.join("&"),
        headers: vec![
            ("content-type".to_owned(), content.to_owned()),
            ("accept".to_owned(), accept.to_owned()),
        ],
        body: body.into(),
    }
}

/// Every object says where it is stored, has a uid, and a version that is nobody else's and not above the store's.
#[track_caller]
fn check_whole(cluster: &Cluster) {
    let mut versions = BTreeMap::new();
    for plural in PLURALS {
        for object in cluster.list(plural, None) {
            let meta = &object["metadata"];
            let text = |key: &str| meta[key].as_str().unwrap_or("").to_owned();
            let key = Key::new(plural, &text("namespace"), &text("name"));
            assert_eq!(cluster.get(&key), Some(object), "{key} is stored under its own name");
            assert!(!text("uid").is_empty() && !text("creationTimestamp").is_empty(), "{key}");
            let version: u64 = text("resourceVersion").parse().expect("a version is a number");
            assert!(version <= cluster.version(), "{key}");
            assert_eq!(versions.insert(version, key), None, "versions are unique");
            assert!(object["kind"].is_string() && object["apiVersion"].is_string());
        }
    }
}

fn run(seed: u64, requests: usize) -> BTreeMap<u16, usize> {
    let mut cluster = open_cluster();
    let mut draws = Draws(seed);
    let mut statuses = BTreeMap::new();
    for index in 0..requests {
        let request = request(&mut draws);
        let before = cluster.version();
        let reply = cluster.handle(&request);
        *statuses.entry(reply.status).or_insert(0) += 1;
        if reply.status >= 400 || request.query.contains("dryRun=All") || request.method == "GET" {
            assert_eq!(
                cluster.version(),
                before,
                "seed {seed}, request {index}: {request:?} wrote, and got {}",
                reply.status
            );
        }
        match reply.body {
            Body::Watch(id) if index % 3 == 0 => cluster.close_watch(id),
            Body::Watch(id) => drop(cluster.poll_watch(id)),
            Body::Full(_) => {}
        }
        if index % 500 == 0 {
            cluster.set_now(cluster.now_ms() + 700);
            for watch in cluster.watch_versions() {
                cluster.poll_watch(watch.id);
            }
            check_whole(&cluster);
        }
    }
    check_whole(&cluster);
    statuses
}

#[test]
fn ten_thousand_requests_leave_the_store_whole() {
    let statuses = run(1, 10_000);
    for status in [200, 201, 400, 404, 405, 409, 415, 422] {
        assert!(statuses.contains_key(&status), "the requests reach {status}: {statuses:?}");
    }
}

#[test]
fn the_same_requests_get_the_same_answers() {
    assert_eq!(run(5, 1_000), run(5, 1_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_seed_leaves_the_store_whole(seed in any::<u64>()) {
        run(seed, 100);
    }

    #[test]
    fn any_bytes_get_an_answer(
        method in "[A-Z]{1,6}", path in "/[ -~]{0,40}", query in "[ -~]{0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut cluster = Cluster::new(Settings::default());
        let reply = cluster.handle(&Request { method, path, query, headers: Vec::new(), body: body.into() });
        prop_assert!((200..600).contains(&reply.status));
    }
}
