//! The real engine in the real world, over random scenarios, faults and seeds: what must never happen does not,
//! and a loud fault with a healthy target ends mitigated.

use std::collections::BTreeMap;
use std::sync::Arc;

use backspin::domain::engine_io::{Input, JournalEntry};
use backspin::domain::entry::Entry;
use backspin::domain::event::DecisionKind;
use backspin::domain::execution::ExecutionStatus;
use backspin::domain::frame::ArmIncrements;
use backspin::domain::id::ExecutionId;
use backspin::domain::signal::Quality;
use backspin::domain::time::{Millis, MonoTime};
use backspin::domain::truth::{Milestone, TruthEntry};
use backspin::judge::{JudgeParams, e_detector};
use backspin::plane::{RunId, direct};
use backspin::policy::{JudgeName, Policy, default_policy};
use backspin::scenario::model::{Arms, BadVersion, Fault, Scenario, WorldEvent};
use backspin::scenario::shipped;
use proptest::prelude::*;

/// What is drawn for one run. Minutes count from the deploy.
#[derive(Clone, Debug)]
struct Draw {
    base: usize,
    judge: usize,
    rate_rps: f64,
    onset_min: u64,
    error_ratio: f64,
    hang_ratio: f64,
    latency_factor: f64,
    outage: Option<(u64, u64)>,
    gap: Option<(u64, u64)>,
    stuck: Option<(u64, u64)>,
    starts: bool,
    seed: u64,
}

const JUDGES: [JudgeName; 3] = [JudgeName::EDetector, JudgeName::Flagger, JudgeName::Weighted];

/// Shipped scenarios that lend their service, way of shipping and versions; their incidents are replaced.
const BASES: [&str; 4] =
    ["half-of-requests-fail", "rolling-without-baseline", "old-version-cannot-start", "no-healthy-target"];

fn span(most: u64) -> impl Strategy<Value = Option<(u64, u64)>> {
    proptest::option::weighted(0.3, (0..40_u64, 1..most))
}

/// Requests per second, even on a logarithmic scale.
fn rate_from(least: f64) -> impl Strategy<Value = f64> {
    (0.0..1.0).prop_map(move |place| least * libm::pow(5000.0 / least, place))
}

fn rate() -> impl Strategy<Value = f64> {
    rate_from(0.2)
}

fn any_draw() -> impl Strategy<Value = Draw> {
    let harm = (0.0..1.0, prop_oneof![3 => Just(0.0), 1 => 0.0..0.6], prop_oneof![Just(1.0), 1.0..4.0]);
    let faults = (span(20), span(15), span(15));
    let run = (0..BASES.len(), 0..JUDGES.len(), proptest::bool::weighted(0.8), any::<u64>());
    (run, rate(), 0..30_u64, harm, faults).prop_map(
        |((base, judge, starts, seed), rate_rps, onset_min, harm, (outage, gap, stuck))| Draw {
            base,
            judge,
            rate_rps,
            onset_min,
            error_ratio: harm.0,
            hang_ratio: harm.1,
            latency_factor: harm.2,
            outage,
            gap,
            stuck,
            starts,
            seed,
        },
    )
}

/// Half or more of a candidate's requests fail where a target can be had, and nothing else is wrong.
fn loud_draw() -> impl Strategy<Value = Draw> {
    ((0..2_usize), rate_from(20.0), 2..20_u64, 0.5..1.0, any::<u64>()).prop_map(
        |(base, rate_rps, onset_min, error_ratio, seed)| Draw {
            base,
            judge: 0,
            rate_rps,
            onset_min,
            error_ratio,
            hang_ratio: 0.0,
            latency_factor: 1.0,
            outage: None,
            gap: None,
            stuck: None,
            starts: true,
            seed,
        },
    )
}

fn scenario(draw: &Draw) -> Scenario {
    let all = shipped().expect("the shipped scenarios load");
    let mut scenario = all.into_iter().find(|s| s.name == BASES[draw.base]).expect("it is shipped");
    let deployed = scenario.deploy.at;
    let at = |minute: u64| deployed + Millis::from_mins(minute);
    let per_pod = scenario.service.pod_capacity_rps / scenario.traffic.rate_rps;
    scenario.traffic.rate_rps = draw.rate_rps;
    scenario.service.pod_capacity_rps = per_pod * draw.rate_rps;
    scenario.incident = vec![WorldEvent::BadVersion(BadVersion {
        onset: at(draw.onset_min),
        error_ratio: draw.error_ratio,
        hang_ratio: draw.hang_ratio,
        latency_factor: draw.latency_factor,
        ..BadVersion::default()
    })];
    if let Some((from, lasts)) = draw.outage {
        let (at, lasts) = (at(from), Millis::from_mins(lasts));
        scenario.incident.push(WorldEvent::NoisyNeighbour { at, lasts, latency_factor: 3.0 });
    }
    scenario.faults.clear();
    if let Some((from, lasts)) = draw.gap {
        let (at, lasts) = (at(from), Millis::from_mins(lasts));
        scenario.faults.push(Fault::MetricsGap { at, lasts, arms: Arms::Candidate });
    }
    if let Some((from, lasts)) = draw.stuck {
        scenario.faults.push(Fault::RouterStuck { at: at(from), lasts: Millis::from_mins(lasts) });
    }
    let candidate = scenario.deploy.version.clone();
    for version in scenario.service.versions.iter_mut().filter(|v| v.id == candidate) {
        version.starts = draw.starts;
    }
    scenario.stated_truth = None;
    scenario.expect = None;
    scenario
}

fn play(draw: &Draw) -> Vec<Entry> {
    let policy: Policy = default_policy().expect("the default policy loads").with_judge(JUDGES[draw.judge]);
    let id = RunId { campaign_seed: draw.seed, seed_index: 0 };
    direct::run(&scenario(draw), &policy, id).expect("it can be played")
}

/// What must hold on any record.
fn check_safety(entries: &[Entry]) {
    let mut open: BTreeMap<ExecutionId, MonoTime> = BTreeMap::new();
    let mut share = 0.0;
    let mut ceiling: Option<f64> = None;
    let mut weighted = false;
    for entry in entries {
        match entry {
            // Without weights traffic follows ready pods, and those that start while a rollback begins count.
            Entry::Input(_, Input::Inventory(inventory)) => weighted = inventory.capabilities.traffic_split,
            Entry::Journal(at, JournalEntry::Planned { execution, .. }) => {
                assert!(open.is_empty(), "two executions of one service at {at}");
                open.insert(*execution, *at);
            }
            Entry::Journal(_, JournalEntry::Status { execution, status, .. }) if status.is_final() => {
                open.remove(execution);
                // What is undone gives the candidate back what a failed step took.
                ceiling = ceiling.filter(|_| *status != ExecutionStatus::Failed);
            }
            Entry::Journal(_, JournalEntry::Decided { decision, .. })
                if decision.kind() == DecisionKind::RollBack =>
            {
                ceiling = Some(1.0);
            }
            Entry::Journal(_, JournalEntry::Intent { .. }) => {
                // A ramp may move until its abort is carried out, which is before the first intent.
                ceiling = ceiling.map(|ceiling: f64| ceiling.min(share));
            }
            Entry::Input(at, Input::Collected { frame, .. }) => {
                share = frame.rollout.candidate_share;
                let risen = weighted && ceiling.is_some_and(|most| share > most + 1e-9);
                assert!(!risen, "the candidate's share rose to {share} at {at}");
                ceiling = ceiling.map(|most| most.min(share));
                let ready = |arm: Option<ArmIncrements>, none| {
                    arm.filter(|arm| arm.quality == Quality::Fresh).map_or(none, |arm| arm.pods_ready > 0)
                };
                let (stable, candidate) = (frame.stable, frame.candidate);
                let to_nobody = (share > 0.0 && !ready(candidate, true) && ready(stable, false))
                    || (share < 1.0 && !ready(stable, true) && ready(candidate, false));
                assert!(!to_nobody || ceiling.is_none(), "traffic to a version without pods at {at}");
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "an execution never ended: {open:?}");
}

/// A record in which the candidate gets its traffic back after the rollback has begun.
#[test]
#[should_panic(expected = "the candidate's share rose")]
fn a_share_that_rises_is_found() {
    let draw = Draw {
        base: 0,
        judge: 0,
        rate_rps: 100.0,
        onset_min: 5,
        error_ratio: 0.6,
        hang_ratio: 0.0,
        latency_factor: 1.0,
        outage: None,
        gap: None,
        stuck: None,
        starts: true,
        seed: 1,
    };
    let mut entries = play(&draw);
    let last = entries.iter_mut().rev().find_map(|entry| match entry {
        Entry::Input(_, Input::Collected { frame, .. }) => Some(frame),
        _ => None,
    });
    let last = last.expect("frames were collected");
    Arc::make_mut(last).rollout.candidate_share = 0.5;
    check_safety(&entries);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_must_not_happen_does(draw in any_draw()) {
        check_safety(&play(&draw));
    }

    #[test]
    fn a_loud_fault_with_a_healthy_target_ends_mitigated(draw in loud_draw()) {
        let entries = play(&draw);
        check_safety(&entries);
        let reached = |milestone| {
            entries.iter().any(|e| matches!(e, Entry::Truth(_, TruthEntry::Reached(m)) if *m == milestone))
        };
        prop_assert!(reached(Milestone::Mitigated) && reached(Milestone::Recovered));
        let ended = entries.iter().any(|e| {
            matches!(e, Entry::Journal(_, JournalEntry::Status { status, .. }) if matches!(status,
                ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings))
        });
        prop_assert!(ended, "the rollback came to its end");
    }
}

/// What the mutation "no pod is left out" does to the shipped scenarios of single pods: the test that these scenarios
/// fail without the rule that they are there for.
#[test]
fn without_leaving_one_out_a_noisy_pod_costs_a_release() {
    let policy = default_policy().expect("the shipped policy is good");
    let mut mutant = policy.clone();
    mutant.judge = JudgeParams::EDetector(e_detector::Params { leave_one_out: false, ..Default::default() });
    let rolled_back = |name: &str, policy: &Policy| {
        let all = shipped().expect("shipped scenarios are good");
        let scenario = all.iter().find(|s| s.name == name).expect("it is shipped");
        let entries =
            direct::run(scenario, policy, RunId { campaign_seed: 5, seed_index: 0 }).expect("plays");
        entries.iter().any(|entry| {
            let Entry::Journal(_, JournalEntry::Decided { decision, .. }) = entry else { return false };
            decision.kind() == DecisionKind::RollBack
        })
    };
    for name in ["noisy-candidate-pod", "candidate-pod-out", "two-pods-one-noisy"] {
        assert!(!rolled_back(name, &policy), "{name}");
        assert!(rolled_back(name, &mutant), "{name}, leaving none out");
    }
    assert!(rolled_back("bad-version-and-noisy-pod", &policy));
}
