//! A real kubectl against the mock: checklist 50. It must be installed; `./test` sees to that.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use backspin_mocks::kubernetes::{Fate, PodSettings};
use serde_json::{Value, json};

use super::http::{Standalone, locked};
use super::lab::open_cluster;

struct Lab {
    mock: Standalone,
    home: tempfile::TempDir,
}

impl Lab {
    fn start() -> Self {
        let broken = [("registry.example/shop/checkout:v3".to_owned(), Fate::ImagePullBackOff)];
        let pods = PodSettings { by_image: broken.into(), ..PodSettings::default() };
        let home = tempfile::tempdir().expect("a folder");
        Self { mock: Standalone::start(open_cluster(), pods), home }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", "/dev/null")
            .arg(format!("--server=http://{}", self.mock.server.addr()))
            .arg("--namespace=shop")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut child = self.command(arguments).spawn().expect("kubectl is installed; `./test` does it");
        child.stdin.take().expect("a pipe").write_all(stdin.as_bytes()).expect("kubectl reads");
        child.wait_with_output().expect("kubectl ends")
    }

    /// What kubectl prints; it must succeed.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        self.says_to(arguments, "")
    }

    #[track_caller]
    fn says_to(&self, arguments: &[&str], stdin: &str) -> String {
        let output = self.run(arguments, stdin);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "kubectl {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What kubectl complains of; it must fail.
    #[track_caller]
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "");
        assert!(!output.status.success(), "kubectl {arguments:?} fails");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn deployment(version: &str) -> String {
    let labels = json!({ "app": "checkout" });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "checkout", "annotations": { "kubernetes.io/change-cause": format!("release {version}") } },
        "spec": {
            "replicas": 3,
            "progressDeadlineSeconds": 60,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [
                { "name": "checkout", "image": format!("registry.example/shop/checkout:{version}") },
            ] } },
        },
    })
    .to_string()
}

fn release(lab: &Lab, version: &str) {
    let said = lab.says_to(&["apply", "--validate=false", "-f", "-"], &deployment(version));
    assert!(said.starts_with("deployment.apps/checkout "), "{said}");
}

fn status(lab: &Lab) -> String {
    lab.says(&["rollout", "status", "deployment/checkout", "--timeout=60s"])
}

#[test]
fn a_release_is_rolled_out_and_rolled_back() {
    let lab = Lab::start();
    release(&lab, "v1");
    assert!(status(&lab).contains("deployment \"checkout\" successfully rolled out"));
    release(&lab, "v2");
    status(&lab);
    let history = lab.says(&["rollout", "history", "deployment/checkout"]);
    let rows: Vec<Vec<&str>> = history.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(
        rows.contains(&vec!["1", "release", "v1"]) && rows.contains(&vec!["2", "release", "v2"]),
        "{history}"
    );

    release(&lab, "v3");
    let stuck = lab.fails(&["rollout", "status", "deployment/checkout", "--timeout=60s"]);
    assert!(stuck.contains("exceeded its progress deadline"), "{stuck}");
    let pods = lab.says(&["get", "pods"]);
    assert!(pods.contains("ImagePullBackOff"), "{pods}");

    assert_eq!(
        lab.says(&["rollout", "undo", "deployment/checkout"]),
        "deployment.apps/checkout rolled back\n"
    );
    status(&lab);
    let image =
        lab.says(&["get", "deployment", "checkout", "-o", "jsonpath={..image} {.metadata.annotations}"]);
    assert!(
        image.starts_with("registry.example/shop/checkout:v2") && image.contains("release v2"),
        "{image}"
    );
    let history = lab.says(&["rollout", "history", "deployment/checkout"]);
    let revisions: Vec<&str> = history.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(
        revisions[revisions.len() - 3..],
        ["1", "3", "4"],
        "the old ReplicaSet is renumbered: {history}"
    );
    let again = lab.run(&["rollout", "undo", "deployment/checkout", "--to-revision=4"], "");
    assert!(String::from_utf8_lossy(&again.stdout).contains("skipped rollback"), "{again:?}");
    assert!(
        lab.fails(&["rollout", "undo", "deployment/checkout", "--to-revision=2"]).contains("unable to find")
    );
    assert!(lab.mock.server.requests() > 20);
}

#[test]
fn pausing_scaling_restarting_and_patching() {
    let lab = Lab::start();
    release(&lab, "v2");
    status(&lab);
    release(&lab, "v1");
    status(&lab);
    assert_eq!(lab.says(&["rollout", "pause", "deployment/checkout"]), "deployment.apps/checkout paused\n");
    let refused = lab.fails(&["rollout", "undo", "deployment/checkout"]);
    assert!(refused.contains("paused"), "{refused}");
    assert_eq!(lab.says(&["rollout", "resume", "deployment/checkout"]), "deployment.apps/checkout resumed\n");
    assert_eq!(
        lab.says(&["scale", "--replicas=5", "deployment/checkout"]),
        "deployment.apps/checkout scaled\n"
    );
    status(&lab);
    let row = lab.says(&["get", "deployment", "checkout"]);
    let cells: Vec<Vec<&str>> = row.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]);
    assert_eq!(cells[1][..4], ["checkout", "5/5", "5", "5"]);
    assert_eq!(
        lab.says(&["rollout", "restart", "deployment/checkout"]),
        "deployment.apps/checkout restarted\n"
    );
    status(&lab);
    let patch = r#"{"spec":{"template":{"spec":{"containers":[{"name":"checkout","image":"registry.example/shop/checkout:v2"}]}}}}"#;
    assert_eq!(
        lab.says(&["patch", "deployment", "checkout", "-p", patch]),
        "deployment.apps/checkout patched\n"
    );
    status(&lab);
    let sets = lab.says(&["get", "replicasets"]);
    assert_eq!(
        sets.lines().count(),
        5,
        "v2, v1, the restarted v1, and v2 with the mark of the restart: {sets}"
    );
    let told = lab.says(&["describe", "deployment", "checkout"]);
    assert!(told.contains("Scaled up replica set") && told.contains("NewReplicaSetAvailable"), "{told}");
}

#[test]
fn server_side_apply_meets_its_owners() {
    let lab = Lab::start();
    let apply = ["apply", "--validate=false", "--server-side", "-f", "-"];
    let with = |manager: &'static str| [&apply[..], &[manager]].concat();
    let said = lab.says_to(&with("--field-manager=deployer"), &deployment("v1"));
    assert_eq!(said, "deployment.apps/checkout serverside-applied\n");
    let other = lab.run(&with("--field-manager=engine"), &deployment("v2"));
    let complaint = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(complaint.contains("with \"deployer\""), "{complaint}");
    let forced = [&with("--field-manager=engine")[..], &["--force-conflicts"]].concat();
    lab.says_to(&forced, &deployment("v2"));
    status(&lab);
}

#[test]
fn a_watch_shows_what_happens() {
    let lab = Lab::start();
    release(&lab, "v1");
    status(&lab);
    // The time-out bounds the stream, should nothing come.
    let mut child = lab
        .command(&["get", "deployment", "checkout", "--watch", "-o", "json", "--request-timeout=60s"])
        .spawn()
        .expect("kubectl is installed");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut sees = |wanted: &str| lines.by_ref().map_while(Result::ok).any(|line| line.contains(wanted));
    assert!(sees("checkout:v1"), "the state at the beginning");
    release(&lab, "v2");
    assert!(sees("checkout:v2"), "the change");
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
    let cluster = locked(&lab.mock.cluster);
    let images: Vec<&Value> = cluster
        .list("deployments", Some("shop"))
        .map(|object| &object["spec"]["template"]["spec"]["containers"][0]["image"])
        .collect();
    assert_eq!(images, ["registry.example/shop/checkout:v2"]);
}
