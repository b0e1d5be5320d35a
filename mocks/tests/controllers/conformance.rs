//! The controllers do what the recorded Kubernetes 1.36 Deployment controller did (`fixtures/rollout_progress.json`):
//! the same sizes in the same order, within the same limits, to the same end, with the same reasons on the way.

use backspin_mocks::controllers::{DeploymentSpec, IntOrPercent, TemplateId, Undo};
use serde::Deserialize;

use super::world::World;

const RECORDED: &str = include_str!("../fixtures/rollout_progress.json");
const REPLICAS: u32 = 3;

#[derive(Deserialize)]
struct Scenario {
    id: String,
    rows: Vec<Row>,
}

#[derive(Clone, Deserialize)]
#[serde(tag = "kind")]
enum Row {
    ReplicaSet {
        deleted: bool,
        name: String,
        image: String,
        size: u32,
        revision: u64,
        history: Vec<u64>,
    },
    Deployment {
        generation: u64,
        revision: u64,
        status: Counts,
        progressing: Option<String>,
        available: Option<String>,
    },
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Counts {
    observed_generation: u64,
    replicas: u32,
    updated: u32,
    ready: u32,
    available: u32,
    unavailable: u32,
    terminating: u32,
}

/// Templates in the words of the recording; `restarted` is v6 with another annotation.
fn template(image: &str, is_restarted: bool) -> TemplateId {
    let number: u64 = image.trim_start_matches('v').parse().expect("images are v1 to v7");
    if is_restarted { 100 + number } else { number }
}

struct Lab {
    world: World,
    scenarios: Vec<Scenario>,
    /// Name of the ReplicaSet with the first v6, to tell it from the restarted one.
    first_v6: Option<String>,
}

impl Lab {
    fn template(&mut self, name: &str, image: &str) -> TemplateId {
        if image != "v6" {
            return template(image, false);
        }
        let first = self.first_v6.get_or_insert_with(|| name.to_owned());
        template(image, first != name)
    }

    /// Runs on for `for_ms` and compares with the recording of `id`.
    fn check(&mut self, id: &str, for_ms: u64) {
        self.world.run_until(self.world.now_ms + for_ms);
        self.compare(id);
    }

    fn compare(&mut self, id: &str) {
        let rows = self
            .scenarios
            .iter()
            .find(|scenario| scenario.id == id)
            .expect("the scenario is recorded")
            .rows
            .clone();
        let (sizes, reasons) = self.world.take_notes();

        let mut recorded_sizes: Vec<(TemplateId, u32)> = Vec::new();
        let mut known: Vec<(TemplateId, u32)> = Vec::new();
        for row in &rows {
            let Row::ReplicaSet { name, image, size, deleted: false, .. } = row else { continue };
            let template = self.template(name, image);
            let is_news = !known.iter().rev().any(|&(other, _)| other == template);
            let last = known.iter().rev().find(|(other, _)| *other == template).map(|&(_, size)| size);
            // A ReplicaSet that first shows with the size it had before has not been sized.
            if last != Some(*size) && (!is_news || sizes.contains(&(template, *size))) {
                recorded_sizes.push((template, *size));
            }
            known.push((template, *size));
        }
        assert_eq!(sizes, recorded_sizes, "{id}: sizes in order");

        let mut ahead = reasons.iter();
        let last_seen = |row: &Row| match row {
            Row::Deployment { progressing, .. } => progressing.clone(),
            Row::ReplicaSet { .. } => None,
        };
        let mut recorded_reasons: Vec<String> = rows.iter().filter_map(last_seen).collect();
        recorded_reasons.dedup();
        for reason in &recorded_reasons {
            assert!(ahead.any(|other| other == reason), "{id}: {reason} in order, of {reasons:?}");
        }
        self.compare_end(id, &rows);
    }

    fn compare_end(&mut self, id: &str, rows: &[Row]) {
        let deployment = &self.world.deployment;
        let status = deployment.status();
        let end = rows.iter().rev().find_map(|row| match row {
            Row::Deployment { generation, revision, status, progressing, available } => {
                Some((*generation, *revision, status.clone(), progressing.clone(), available.clone()))
            }
            Row::ReplicaSet { .. } => None,
        });
        if let Some((generation, revision, counts, progressing, available)) = end {
            let got = Counts {
                observed_generation: status.observed_generation,
                replicas: status.replicas,
                updated: status.updated,
                ready: status.ready,
                available: status.available,
                unavailable: status.unavailable,
                terminating: status.terminating,
            };
            assert_eq!((deployment.generation(), deployment.revision()), (generation, revision), "{id}");
            assert_eq!(got, counts, "{id}: status at the end");
            let reason = |condition: Option<backspin_mocks::controllers::Condition>| {
                condition.map(|condition| condition.reason.as_str().to_owned())
            };
            assert_eq!(reason(status.progressing), progressing, "{id}");
            assert_eq!(reason(status.available_condition), available, "{id}");
        }
        for row in rows {
            let Row::ReplicaSet { name, image, deleted, .. } = row else { continue };
            let template = self.template(name, image);
            let set = self.world.deployment.replica_sets().iter().find(|set| set.template == template);
            assert_eq!(set.is_none(), *deleted, "{id}: {image} exists");
            let last = rows.iter().rev().find_map(|row| match row {
                Row::ReplicaSet { name: other, size, revision, history, .. } if other == name => {
                    Some((*size, *revision, history.clone()))
                }
                _ => None,
            });
            if let Some(set) = set {
                assert_eq!(
                    Some((set.replicas, set.revision, set.revision_history.clone())),
                    last,
                    "{id}: {image}"
                );
            }
        }
    }
}

fn spec() -> DeploymentSpec {
    DeploymentSpec {
        replicas: REPLICAS,
        max_surge: IntOrPercent::Int(1),
        max_unavailable: IntOrPercent::Int(0),
        // Asked for was 1 s, of which whole-second times left 0.1 to 0.5 s in the recording.
        min_ready_ms: 200,
        progress_deadline_ms: 8_000,
        paused: false,
        template: 1,
        revision_history_limit: 5,
    }
}

#[test]
fn the_recorded_afternoon_comes_out_the_same() {
    let scenarios: Vec<Scenario> = serde_json::from_str(RECORDED).expect("the fixture is JSON");
    assert_eq!(scenarios.len(), 13, "the fixture is complete");
    let mut world = World::created(spec());
    world.broken.extend([3, 5]);
    world.sizes.push((1, REPLICAS));
    world.reasons.push("NewReplicaSetCreated");
    let mut lab = Lab { world, scenarios, first_v6: None };

    lab.check("create", 2_000);

    assert!(lab.world.deployment.set_template(2));
    assert_eq!(lab.world.deployment.status().observed_generation, 1, "the status lags");
    assert!(!lab.world.deployment.is_complete(), "item 27: the old status is not this rollout's");
    lab.check("rolling-update", 10_000);
    assert!(lab.world.deployment.is_complete());

    assert!(lab.world.deployment.set_template(3));
    lab.check("progress-deadline-exceeded", 10_000);
    assert!(!lab.world.deployment.is_complete());

    assert_eq!(lab.world.deployment.undo(Some(2)), Ok(Undo::Patched { revision: 2 }));
    lab.check("rollback", 5_000);
    assert!(lab.world.deployment.is_complete());

    let generation = lab.world.deployment.generation();
    assert!(!lab.world.deployment.set_template(2));
    lab.check("undo-to-current", 1_000);
    assert_eq!(lab.world.deployment.generation(), generation);

    assert!(lab.world.deployment.set_template(4));
    // Not ready when the order changes, as in the recording.
    lab.world.ready_after_ms = 5_000;
    lab.world.run_until(lab.world.now_ms + 1_200);
    lab.world.ready_after_ms = 800;
    assert!(lab.world.deployment.set_template(1));
    lab.check("rollback-in-flight", 10_000);

    assert!(lab.world.deployment.set_template(5));
    lab.check("crash-loop", 10_000);
    assert!(lab.world.deployment.set_template(1));
    lab.check("redirect-back-from-crash", 5_000);

    assert!(lab.world.deployment.pause());
    lab.world.run_until(lab.world.now_ms + 600);
    assert!(lab.world.deployment.set_template(6));
    lab.check("pause-and-change", 20_000);
    assert!(lab.world.deployment.resume());
    lab.check("resume", 10_000);

    assert!(lab.world.deployment.scale(5));
    lab.world.run_until(lab.world.now_ms + 1_310);
    assert!(lab.world.deployment.scale(2));
    lab.check("scale-up-and-down", 5_000);

    assert!(lab.world.deployment.set_template(template("v6", true)));
    lab.check("restart", 10_000);

    let spec = *lab.world.deployment.spec();
    assert!(lab.world.deployment.set_spec(DeploymentSpec { revision_history_limit: 1, ..spec }));
    lab.check("history-limit", 1_000);
}
