//! Time of one request to the mock Kubernetes, besides the socket: `kubernetes/get`, `/list_3`, `/patch`, `/apply`, `/watch`.
//!
//! Each bench checks its answers. The cluster holds three Deployments of usual size, and 300 ConfigMaps beside them.

use axum::body::Bytes;
use backspin_mocks::kubernetes::{Body, Cluster, Reply, Request};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";
const ONE: &str = "/apis/apps/v1/namespaces/shop/deployments/checkout-0";

fn deployment(name: &str, image: &str) -> Value {
    let labels = json!({ "app": name });
    let env: Vec<Value> = (0..10).map(|n| json!({ "name": format!("KEY_{n}"), "value": "value" })).collect();
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "namespace": "shop", "labels": labels },
        "spec": { "replicas": 3, "selector": { "matchLabels": labels }, "template": {
            "metadata": { "labels": labels },
            "spec": { "containers": [{ "name": "app", "image": image, "env": env, "ports": [{ "containerPort": 8080 }],
                "readinessProbe": { "httpGet": { "path": "/healthz", "port": 8080 } } }] } } },
    })
}

fn request(method: &str, path: &str, query: &str, content: &str, body: &str) -> Request {
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: vec![
            ("content-type".to_owned(), content.to_owned()),
            ("accept".to_owned(), "application/json".to_owned()),
            ("user-agent".to_owned(), "bench/1".to_owned()),
        ],
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for n in 0..300 {
        let meta = json!({ "name": format!("flags-{n}"), "namespace": "shop" });
        cluster.apply(
            json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": { "a": "b" } }),
        );
    }
    for n in 0..3 {
        let body = deployment(&format!("checkout-{n}"), "registry.example/shop/checkout:v1").to_string();
        let reply = cluster.handle(&request("POST", DEPLOYMENTS, "", "application/json", &body));
        assert_eq!(reply.status, 201);
    }
    assert_eq!(cluster.take_writes().len(), 3);
    cluster
}

#[track_caller]
fn good(reply: &Reply) {
    assert_eq!(reply.status, 200);
    assert!(matches!(&reply.body, Body::Full(bytes) if bytes.len() > 500), "a whole answer");
}

fn reads(criterion: &mut Criterion) {
    let mut cluster = cluster();
    let get = request("GET", ONE, "", "", "");
    criterion.bench_function("kubernetes/get", |bencher| bencher.iter(|| good(&cluster.handle(&get))));
    let list = request("GET", DEPLOYMENTS, "labelSelector=app", "", "");
    criterion.bench_function("kubernetes/list_3", |bencher| bencher.iter(|| good(&cluster.handle(&list))));
}

fn writes(criterion: &mut Criterion) {
    let patch = |version: &str| {
        let container =
            json!({ "name": "app", "image": format!("registry.example/shop/checkout:{version}") });
        let body = json!({ "spec": { "template": { "spec": { "containers": [container] } } } }).to_string();
        request("PATCH", ONE, "", "application/strategic-merge-patch+json", &body)
    };
    let (there, back) = (patch("v2"), patch("v1"));
    let mut patched = cluster();
    criterion.bench_function("kubernetes/patch_twice", |bencher| {
        bencher.iter(|| {
            good(&patched.handle(&there));
            good(&patched.handle(&back));
            assert_eq!(patched.take_writes().len(), 2);
        });
    });
    let apply = |image: &str| {
        let body = deployment("checkout-0", image).to_string();
        request("PATCH", ONE, "fieldManager=bench&force=true", "application/apply-patch+yaml", &body)
    };
    let (there, back) = (apply("x:v2"), apply("x:v1"));
    let mut applied = cluster();
    criterion.bench_function("kubernetes/apply_twice", |bencher| {
        bencher.iter(|| {
            good(&applied.handle(&there));
            good(&applied.handle(&back));
        });
    });
    let mut watched = cluster();
    let open = request("GET", DEPLOYMENTS, "watch=1&timeoutSeconds=1000000", "", "");
    let Body::Watch(id) = watched.handle(&open).body else { panic!("a watch streams") };
    watched.poll_watch(id);
    let mut object = deployment("checkout-0", "registry.example/shop/checkout:v1");
    let mut count = 0_u64;
    criterion.bench_function("kubernetes/write_and_watch", |bencher| {
        bencher.iter(|| {
            count += 1;
            object["status"] = json!({ "observedGeneration": count });
            watched.apply(object.clone());
            assert_eq!(watched.poll_watch(id).lines.len(), 1);
        });
    });
}

criterion_group!(benches, reads, writes);
criterion_main!(benches);
