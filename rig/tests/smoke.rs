//! The real service and the real Prometheus, once: what a pod counted is what Prometheus holds, and nothing stays behind.
//! Waits for what it asks for, with a bound, and never for a fixed time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rig::client::Client;
use rig::prometheus::{Prometheus, Target, unix_now};
use rig::supervise::Server;

/// A machine that is busy with builds may take long.
const BOUND: Duration = Duration::from_mins(2);

#[tokio::test]
async fn what_a_pod_counts_is_what_prometheus_holds() {
    let rig = Path::new(env!("CARGO_BIN_EXE_rig"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let dependency = Server::start(rig, &words(&["dependency", "--seed", "1"])).await.expect("starts");
    let address = dependency.address.to_string();
    let pod =
        Server::start(rig, &words(&["pod", "--seed", "2", "--error-ratio", "1", "--dependency", &address]))
            .await
            .expect("starts");
    let client = Client::default();
    for _ in 0..5 {
        let (status, _) = client.get(pod.address, "/checkout").await.expect("answers");
        assert_eq!(status, 500);
    }
    let prometheus = Prometheus::start(rig, "prometheus", folder.path(), Duration::from_millis(200))
        .await
        .expect("Prometheus starts; it is in the system's package `prometheus`");
    let labels = BTreeMap::from([("version".to_owned(), "candidate".to_owned())]);
    prometheus.scrape(&[Target { targets: [pod.address.to_string()], labels }]).expect("written");
    let held = async {
        loop {
            let found =
                prometheus.samples("http_(requests|errors)_total", 60, unix_now()).await.expect("answers");
            if found.len() == 2 {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(BOUND, held).await.expect("it scrapes in time");
    for series in found {
        assert_eq!(series.label("version"), "candidate");
        assert_eq!(series.samples[0].1, 5.0, "{}", series.name());
    }
    let (at, pod_at) = (prometheus.address, pod.address);
    prometheus.end().await.expect("ends");
    pod.end().await.expect("ends");
    dependency.end().await.expect("ends");
    assert!(client.get(at, "/-/ready").await.is_err(), "Prometheus is still there");
    assert!(client.get(pod_at, "/ready").await.is_err(), "the pod is still there");
}
