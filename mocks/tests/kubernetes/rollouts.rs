//! The controllers over the API, against the recorded afternoon of rollouts: checklist 34 to 45.
//!
//! `tests/controllers` compares the step function alone; here the same scenarios go through requests, objects and watches.

use backspin_mocks::kubernetes::{Body, Cluster, Controllers, Fate, Key, PodSettings, Request, WatchId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::lab::{START_MS, ask, open_cluster};

const RECORDED: &str = include_str!("../fixtures/rollout_progress.json");
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";
const SETS: &str = "/apis/apps/v1/namespaces/shop/replicasets";
const DEMO: &str = "/apis/apps/v1/namespaces/shop/deployments/demo";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

#[derive(Deserialize)]
struct Scenario {
    id: String,
    rows: Vec<Value>,
}

struct Lab {
    cluster: Cluster,
    controllers: Controllers,
    now_ms: i64,
    deployments: WatchId,
    sets: WatchId,
    scenarios: Vec<Scenario>,
}

fn image(version: &str) -> String {
    format!("registry.example/shop/checkout:{version}")
}

fn watch(cluster: &mut Cluster, path: &str) -> WatchId {
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: "watch=1&timeoutSeconds=100000".to_owned(),
        ..Request::default()
    };
    match cluster.handle(&request).body {
        Body::Watch(id) => id,
        Body::Full(_) => panic!("a watch streams"),
    }
}

fn events(cluster: &mut Cluster, id: WatchId) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    loop {
        let said = cluster.poll_watch(id);
        if said.lines.is_empty() {
            return events;
        }
        for line in said.lines {
            let mut event: Value = serde_json::from_slice(&line).expect("a line is JSON");
            events.push((event["type"].as_str().expect("a type").to_owned(), event["object"].take()));
        }
    }
}

/// The version of the image, and of a restarted one a mark.
fn version(set: &Value) -> String {
    let template = &set["spec"]["template"];
    let image = template["spec"]["containers"][0]["image"].as_str().unwrap_or("");
    let restarted = template["metadata"]["annotations"].get("kubectl.kubernetes.io/restartedAt").is_some();
    format!("{}{}", image.rsplit(':').next().unwrap_or(""), if restarted { " again" } else { "" })
}

impl Lab {
    fn start(pods: PodSettings) -> Self {
        let mut cluster = open_cluster();
        let (deployments, sets) = (watch(&mut cluster, DEPLOYMENTS), watch(&mut cluster, SETS));
        Self {
            cluster,
            controllers: Controllers::new(pods),
            now_ms: START_MS,
            deployments,
            sets,
            scenarios: serde_json::from_str(RECORDED).expect("the fixture is JSON"),
        }
    }

    fn create(&mut self, strategy: &Value) {
        let labels = json!({ "app": "demo" });
        let body = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "demo", "annotations": { "kubernetes.io/change-cause": "release v1" } },
            "spec": { "replicas": 3, "progressDeadlineSeconds": 8, "minReadySeconds": 1, "revisionHistoryLimit": 5,
                "strategy": strategy, "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels },
                    "spec": { "containers": [{ "name": "demo", "image": image("v1") }] } } },
        });
        assert_eq!(ask(&mut self.cluster, "POST", DEPLOYMENTS, "application/json", &body).0, 201);
    }

    #[track_caller]
    fn patch(&mut self, content: &str, body: &Value) -> Value {
        let (status, object) = ask(&mut self.cluster, "PATCH", DEMO, content, body);
        assert_eq!(status, 200, "{object}");
        object
    }

    fn release(&mut self, version: &str) -> Value {
        let container = json!({ "name": "demo", "image": image(version) });
        self.patch(STRATEGIC, &json!({ "spec": { "template": { "spec": { "containers": [container] } } } }))
    }

    fn run(&mut self, for_ms: i64) {
        self.now_ms += for_ms;
        self.controllers.run(&mut self.cluster, self.now_ms);
    }

    fn deployment(&self) -> Value {
        (**self.cluster.get(&Key::new("deployments", "shop", "demo")).expect("it is there")).clone()
    }

    /// Sizes of ReplicaSets in order, and checks of every state on the way.
    fn sizes(&mut self, known: &mut Vec<(String, u64)>) -> Vec<(String, u64)> {
        let mut sizes = Vec::new();
        for (event, set) in events(&mut self.cluster, self.sets) {
            let change = (version(&set), set["spec"]["replicas"].as_u64().expect("a size"));
            let last = known.iter().rev().find(|(version, _)| *version == change.0).map(|(_, size)| *size);
            if event != "DELETED" && last != Some(change.1) {
                sizes.push(change.clone());
            }
            known.push(change);
        }
        sizes
    }

    /// Reasons of the condition Progressing in order.
    fn reasons(&mut self) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        for (_, object) in events(&mut self.cluster, self.deployments) {
            let pods = object["status"]["replicas"].as_u64().unwrap_or(0);
            assert!(pods <= object["spec"]["replicas"].as_u64().unwrap_or(0).max(3) + 3, "{object}");
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let progressing = conditions.iter().find(|condition| condition["type"] == "Progressing");
            let reason = progressing.map(|condition| condition["reason"].as_str().unwrap_or("").to_owned());
            reasons.extend(reason.filter(|reason| reasons.last() != Some(reason)));
        }
        reasons
    }

    /// Compares what the watches said with a recorded scenario.
    #[track_caller]
    fn check(&mut self, id: &str, known: &mut Vec<(String, u64)>) {
        let rows =
            self.scenarios.iter().find(|scenario| scenario.id == id).expect("it is recorded").rows.clone();
        let before = known.clone();
        let sizes = self.sizes(known);
        let mut recorded: Vec<(String, u64)> = Vec::new();
        let mut first_v6: Option<String> = None;
        let mut seen = before.clone();
        for row in rows.iter().filter(|row| row["kind"] == "ReplicaSet" && row["deleted"] == false) {
            let mut version = row["image"].as_str().expect("an image").to_owned();
            if version == "v6" && before.iter().any(|(known, _)| known == "v6") {
                let name = row["name"].as_str().unwrap_or("").to_owned();
                // The first that shows is the new one.
                if first_v6.get_or_insert_with(|| name.clone()) == &name && id == "restart" {
                    version.push_str(" again");
                }
            }
            let size = row["size"].as_u64().expect("a size");
            let last = seen.iter().rev().find(|(known, _)| *known == version).map(|(_, size)| *size);
            if last != Some(size) {
                recorded.push((version.clone(), size));
            }
            seen.push((version, size));
        }
        assert_eq!(sizes, recorded, "{id}: sizes in order");

        let reasons = self.reasons();
        let mut ahead = reasons.iter();
        let deployments = rows.iter().filter(|row| row["kind"] == "Deployment");
        let mut recorded_reasons: Vec<&str> =
            deployments.filter_map(|row| row["progressing"].as_str()).collect();
        recorded_reasons.dedup();
        for reason in recorded_reasons {
            assert!(ahead.any(|known| known == reason), "{id}: {reason} in order, of {reasons:?}");
        }
        if let Some(end) = rows.iter().rev().find(|row| row["kind"] == "Deployment") {
            let (object, status) = (self.deployment(), &end["status"]);
            assert_eq!(
                object["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
                end["revision"].to_string(),
                "{id}"
            );
            for (field, name) in [
                ("replicas", "replicas"),
                ("updated", "updatedReplicas"),
                ("ready", "readyReplicas"),
                ("available", "availableReplicas"),
                ("unavailable", "unavailableReplicas"),
                ("terminating", "terminatingReplicas"),
            ] {
                assert_eq!(
                    object["status"][name].as_u64().unwrap_or(0),
                    status[field].as_u64().unwrap_or(0),
                    "{id}: {name}"
                );
            }
            assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"], "{id}");
        }
    }
}

fn recorded_pods() -> PodSettings {
    let slow = Fate::Ready { after_ms: 5_000 };
    let by_image = [(image("v3"), Fate::NotReady), (image("v4"), slow), (image("v5"), Fate::CrashLoop)];
    PodSettings { by_image: by_image.into(), ..PodSettings::default() }
}

fn rolling() -> Value {
    json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } })
}

#[test]
fn the_recorded_rollouts_come_out_the_same_through_the_api() {
    let (mut lab, mut known) = releases_and_a_rollback();
    lab.release("v4");
    // Not ready when the order changes, as in the recording.
    lab.run(1_200);
    lab.release("v1");
    lab.run(30_000);
    lab.check("rollback-in-flight", &mut known);

    lab.release("v5");
    lab.run(12_000);
    lab.check("crash-loop", &mut known);
    lab.release("v1");
    lab.run(10_000);
    lab.check("redirect-back-from-crash", &mut known);

    lab.patch(MERGE, &json!({ "spec": { "paused": true } }));
    lab.run(600);
    lab.release("v6");
    lab.run(20_000);
    lab.check("pause-and-change", &mut known);
    lab.patch(MERGE, &json!({ "spec": { "paused": null } }));
    lab.run(30_000);
    lab.check("resume", &mut known);

    lab.patch(MERGE, &json!({ "spec": { "replicas": 5 } }));
    lab.run(1_310);
    lab.patch(MERGE, &json!({ "spec": { "replicas": 2 } }));
    lab.run(10_000);
    lab.check("scale-up-and-down", &mut known);
    let annotations = json!({ "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z" });
    lab.patch(STRATEGIC, &json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }));
    lab.run(30_000);
    lab.check("restart", &mut known);
    lab.patch(MERGE, &json!({ "spec": { "revisionHistoryLimit": 1 } }));
    lab.run(1_000);
    lab.check("history-limit", &mut known);
    assert_eq!(lab.cluster.list("replicasets", None).count(), 2);
}

/// The first half of the recorded afternoon.
fn releases_and_a_rollback() -> (Lab, Vec<(String, u64)>) {
    let mut lab = Lab::start(recorded_pods());
    let mut known = Vec::new();
    lab.create(&rolling());
    lab.run(5_000);
    lab.check("create", &mut known);

    let answer = lab.release("v2");
    assert_eq!(answer["status"]["observedGeneration"], 1, "checklist 37: the status is the old one's");
    assert_eq!(answer["metadata"]["generation"], 2);
    lab.run(30_000);
    lab.check("rolling-update", &mut known);

    lab.release("v3");
    lab.run(7_000);
    assert_eq!(lab.deployment()["status"]["conditions"][1]["status"], "True", "before the deadline");
    lab.run(5_000);
    lab.check("progress-deadline-exceeded", &mut known);
    assert_eq!(lab.deployment()["status"]["conditions"][1]["reason"], "ProgressDeadlineExceeded");

    lab.release("v2");
    lab.run(10_000);
    lab.check("rollback", &mut known);
    let version = lab.cluster.version();
    lab.release("v2");
    lab.run(1_000);
    assert_eq!(lab.cluster.version(), version, "checklist 36: the same template is no event");

    let sets: Vec<Value> = lab.cluster.list("replicasets", Some("shop")).map(|set| (**set).clone()).collect();
    let reused = sets.iter().find(|set| version_is(set, "v2")).expect("the old ReplicaSet");
    assert_eq!(reused["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"], "2");
    assert_eq!(reused["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "4");
    assert_eq!(reused["metadata"]["ownerReferences"][0]["name"], "demo");
    assert_eq!(
        reused["metadata"]["labels"]["pod-template-hash"],
        reused["spec"]["selector"]["matchLabels"]["pod-template-hash"]
    );
    (lab, known)
}

fn version_is(set: &Value, wanted: &str) -> bool {
    version(set) == wanted
}

#[test]
fn pausing_holds_a_release_and_resuming_lets_it_go() {
    let mut lab = Lab::start(recorded_pods());
    lab.create(&rolling());
    lab.run(5_000);
    lab.patch(MERGE, &json!({ "spec": { "paused": true } }));
    lab.release("v6");
    lab.run(20_000);
    assert!(lab.reasons().contains(&"DeploymentPaused".to_owned()));
    assert_eq!(lab.cluster.list("replicasets", None).count(), 1, "no ReplicaSet while paused");
    lab.patch(MERGE, &json!({ "spec": { "paused": null } }));
    lab.run(30_000);
    assert!(lab.reasons().contains(&"DeploymentResumed".to_owned()));
    assert_eq!(lab.deployment()["status"]["updatedReplicas"], 3);
}

#[test]
fn scaling_makes_no_revision_and_a_restart_does() {
    let mut lab = Lab::start(recorded_pods());
    lab.create(&rolling());
    lab.run(5_000);
    let scale = json!({ "spec": { "replicas": 5 } });
    assert_eq!(ask(&mut lab.cluster, "PATCH", &format!("{DEMO}/scale"), MERGE, &scale).0, 200);
    lab.run(5_000);
    let revision =
        |lab: &Lab| lab.deployment()["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone();
    assert_eq!(
        (lab.deployment()["status"]["availableReplicas"].clone(), revision(&lab)),
        (json!(5), json!("1"))
    );
    let annotations = json!({ "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z" });
    lab.patch(STRATEGIC, &json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }));
    lab.run(60_000);
    assert_eq!(revision(&lab), "2");
    lab.patch(MERGE, &json!({ "spec": { "revisionHistoryLimit": 0 } }));
    lab.run(1_000);
    assert_eq!(lab.cluster.list("replicasets", None).count(), 1, "the empty old one is deleted");
}

#[test]
fn recreate_starts_nothing_before_the_old_pods_are_gone() {
    let mut lab = Lab::start(recorded_pods());
    lab.create(&json!({ "type": "Recreate" }));
    lab.run(5_000);
    lab.release("v2");
    let end_ms = lab.now_ms + 30_000;
    while lab.now_ms < end_ms {
        lab.run(50);
        let images: Vec<String> = lab
            .cluster
            .list("pods", None)
            .map(|pod| pod["spec"]["containers"][0]["image"].as_str().unwrap_or("").to_owned())
            .collect();
        assert!(images.iter().all(|image| *image == images[0]), "{images:?}");
    }
    assert_eq!(lab.deployment()["status"]["updatedReplicas"], 3);
    assert_eq!(lab.deployment()["status"]["availableReplicas"], 3);
}

#[test]
fn a_slice_follows_the_selector_of_its_service_later() {
    let mut lab = Lab::start(recorded_pods());
    lab.create(&rolling());
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "demo" }, "ports": [{ "port": 80, "targetPort": 8080 }] } });
    assert_eq!(
        ask(&mut lab.cluster, "POST", "/api/v1/namespaces/shop/services", "application/json", &service).0,
        201
    );
    lab.run(5_000);
    let slice = |lab: &Lab| (**lab.cluster.list("endpointslices", None).next().expect("a slice")).clone();
    assert_eq!(slice(&lab)["endpoints"].as_array().map(Vec::len), Some(3));
    assert_eq!(slice(&lab)["endpoints"][0]["conditions"]["ready"], true);
    let other = json!({ "spec": { "selector": { "app": "other" } } });
    ask(&mut lab.cluster, "PATCH", "/api/v1/namespaces/shop/services/web", MERGE, &other);
    assert_eq!(slice(&lab)["endpoints"].as_array().map(Vec::len), Some(3), "not in the same answer");
    lab.run(100);
    assert_eq!(slice(&lab)["endpoints"], Value::Null, "Go's empty list");
}

#[test]
fn a_deleted_pod_is_replaced_and_a_scaled_replica_set_put_back() {
    let mut lab = Lab::start(recorded_pods());
    lab.create(&rolling());
    lab.run(5_000);
    let pods = |lab: &Lab| -> Vec<String> {
        lab.cluster
            .list("pods", None)
            .map(|pod| pod["metadata"]["name"].as_str().unwrap_or("").to_owned())
            .collect()
    };
    let victim = pods(&lab)[0].clone();
    let path = format!("/api/v1/namespaces/shop/pods/{victim}");
    let (status, marked) = ask(&mut lab.cluster, "DELETE", &path, "application/json", &Value::Null);
    assert!(status == 200 && marked["metadata"]["deletionTimestamp"].is_string());
    lab.run(100);
    assert_eq!(pods(&lab).len(), 4, "the replacement comes before the end");
    lab.run(5_000);
    assert!(pods(&lab).len() == 3 && !pods(&lab).contains(&victim));

    let set = lab.cluster.list("replicasets", None).next().expect("a set")["metadata"]["name"].clone();
    let path = format!("{SETS}/{}/scale", set.as_str().unwrap_or(""));
    assert_eq!(ask(&mut lab.cluster, "PATCH", &path, MERGE, &json!({ "spec": { "replicas": 9 } })).0, 200);
    lab.run(100);
    assert_eq!(lab.cluster.list("replicasets", None).next().expect("a set")["spec"]["replicas"], 3);
}

#[test]
fn what_is_deleted_takes_along_what_it_owns() {
    for policy in ["Background", "Foreground", "Orphan"] {
        let mut lab = Lab::start(recorded_pods());
        lab.create(&rolling());
        lab.run(5_000);
        let options = json!({ "propagationPolicy": policy });
        assert_eq!(ask(&mut lab.cluster, "DELETE", DEMO, "application/json", &options).0, 200);
        lab.run(5_000);
        assert_eq!(lab.cluster.list("deployments", None).count(), 0, "{policy}");
        let left = if policy == "Orphan" { 3 } else { 0 };
        assert_eq!(lab.cluster.list("pods", None).count(), left, "{policy}");
    }
    let mut lab = Lab::start(recorded_pods());
    lab.create(&rolling());
    lab.run(5_000);
    ask(&mut lab.cluster, "DELETE", "/api/v1/namespaces/shop", "application/json", &Value::Null);
    lab.run(5_000);
    assert_eq!(lab.cluster.list("pods", None).count() + lab.cluster.list("replicasets", None).count(), 0);
}

#[test]
fn an_autoscaler_pulls_replicas_within_its_bounds() {
    let mut lab = Lab::start(recorded_pods());
    lab.create(&rolling());
    let body = json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "demo" },
        "spec": { "minReplicas": 4, "maxReplicas": 6,
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "demo" } } });
    let path = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers";
    assert_eq!(ask(&mut lab.cluster, "POST", path, "application/json", &body).0, 201);
    lab.run(14_000);
    assert_eq!(lab.deployment()["spec"]["replicas"], 3);
    lab.run(2_000);
    assert_eq!(lab.deployment()["spec"]["replicas"], 4);
}
