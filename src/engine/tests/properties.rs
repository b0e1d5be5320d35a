//! What holds for any sequence of inputs: safety while anything goes wrong, an end once nothing does any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::driver::{Bench, Say, actor, inventory, service, version};
use crate::settings::{MissingAction, Settings};
use backspin_domain::engine_io::{Command, Input, JournalEntry, Output};
use backspin_domain::event::{Decision, Trigger};
use backspin_domain::execution::{EffectState, FailureReason, StepOutcome};
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::{Attempt, ExecutionId, ServiceId};
use backspin_domain::plan::{RollbackPlan, StepAction};
use backspin_domain::service::{Environment, RolloutState};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::units::TrafficShare;

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Judge(Say),
    Candidate { bad: f64, quality: Quality },
    Old { bad: f64 },
    Dependency(f64),
    Silent(bool),
    Outcomes(usize),
    Reads(usize),
    Restart(u64),
    Effective(bool),
    Share(f64),
    Deploy(u64),
    Command(Command),
    Answer { execution: u32, approved: bool, by: &'static str },
    Report { execution: u32, step: u16, attempt: u16, outcome: StepOutcome },
    Odd(Arc<Frame>),
    Inventory { bad_versions: bool, ready: u32, known: bool },
    Rollout(RolloutState),
}

/// How effects end.
const OUTCOMES: [fn(&StepAction) -> Option<StepOutcome>; 5] = [
    |_| Some(StepOutcome::Succeeded),
    |_| Some(StepOutcome::Failed(FailureReason::Unreachable("no route".to_owned()))),
    |_| Some(StepOutcome::Unknown),
    |_| None,
    |action| (!matches!(action, StepAction::ScaleVersion { .. })).then_some(StepOutcome::Succeeded),
];

/// What is to be seen of effects. A message is never seen not to have been sent: then it would be sent again.
const READS: [fn(&StepAction) -> Option<EffectState>; 5] = [
    |_| Some(EffectState::Applied),
    |_| Some(EffectState::Underway),
    |_| Some(EffectState::Unreadable("no route".to_owned())),
    |_| None,
    |action| Some(if action.idempotent() { EffectState::NotApplied } else { EffectState::Applied }),
];

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![
        4 => Just(Say::Pass),
        2 => Just(Say::Marginal),
        1 => Just(Say::Inconclusive),
        3 => Just(Say::FailConcurrent),
        3 => Just(Say::FailLimit),
    ]
}

fn ratio() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(0.001), Just(0.3), Just(0.95), Just(1.0), 0.0..1.0]
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![3 => Just(Quality::Fresh), 1 => Just(Quality::Missing), 1 => Just(Quality::Stale)]
}

fn command() -> impl Strategy<Value = Command> {
    let roll_back = |target: Option<&str>| Command::RollBack {
        service: service(),
        target: target.map(version),
        reason: "asked".to_owned(),
    };
    prop_oneof![
        2 => Just(Command::Stop),
        3 => Just(Command::Resume),
        2 => Just(roll_back(None)),
        1 => Just(roll_back(Some("v1"))),
        1 => Just(roll_back(Some("v3"))),
    ]
}

fn odd_frame() -> impl Strategy<Value = Frame> {
    (prop_oneof![Just(0), Just(u64::MAX), 0_u64..10_000_000], any::<f64>(), any::<u32>(), any::<u16>())
        .prop_map(|(at, share, requests, pods)| {
            let arm = ArmIncrements {
                quality: Quality::Fresh,
                requests,
                errors: u32::MAX,
                conversions: u32::MAX,
                pods_desired: pods,
                restarts: pods,
                latency_buckets: [u32::MAX; backspin_domain::frame::LATENCY_BUCKETS],
                ..ArmIncrements::default()
            };
            let mut frame = Frame { at: MonoTime(at), interval: Millis(u64::MAX), ..Frame::default() };
            frame.candidate = Some(arm);
            frame.rollout.candidate_share = share;
            frame
        })
}

fn event() -> impl Strategy<Value = Event> {
    let share = || (0.0..=1.0).prop_map(TrafficShare::clamped);
    prop_oneof![
        8 => (1_u64..200).prop_map(Event::Wait),
        3 => say().prop_map(Event::Judge),
        2 => (ratio(), quality()).prop_map(|(bad, quality)| Event::Candidate { bad, quality }),
        1 => ratio().prop_map(|bad| Event::Old { bad }),
        1 => ratio().prop_map(Event::Dependency),
        1 => any::<bool>().prop_map(Event::Silent),
        2 => (0..OUTCOMES.len()).prop_map(Event::Outcomes),
        2 => (0..READS.len()).prop_map(Event::Reads),
        1 => (0_u64..2000).prop_map(Event::Restart),
        1 => any::<bool>().prop_map(Event::Effective),
        1 => (0.0..=1.0).prop_map(Event::Share),
        1 => prop_oneof![Just(0), Just(u64::MAX / 2000), 60_u64..4000].prop_map(Event::Deploy),
        2 => command().prop_map(Event::Command),
        1 => (0_u32..4, any::<bool>(), prop_oneof![Just("bob"), Just("backspin")])
            .prop_map(|(execution, approved, by)| Event::Answer { execution, approved, by }),
        1 => (0_u32..4, 0_u16..8, 0_u16..4, prop_oneof![Just(StepOutcome::Succeeded), Just(StepOutcome::Unknown)])
            .prop_map(|(execution, step, attempt, outcome)| Event::Report { execution, step, attempt, outcome }),
        1 => odd_frame().prop_map(|frame| Event::Odd(Arc::new(frame))),
        1 => (any::<bool>(), 0_u32..12, any::<bool>())
            .prop_map(|(bad_versions, ready, known)| Event::Inventory { bad_versions, ready, known }),
        1 => prop_oneof![
            share().prop_map(RolloutState::Progressing),
            share().prop_map(RolloutState::Paused),
            Just(RolloutState::Complete),
            Just(RolloutState::Aborted),
        ]
        .prop_map(Event::Rollout),
    ]
}

fn happen(bench: &mut Bench, event: &Event) {
    match event.clone() {
        Event::Wait(secs) => bench.run_for(secs),
        Event::Judge(say) => bench.world.say = say,
        Event::Candidate { bad, quality } => {
            bench.world.bad = bad;
            bench.world.candidate_quality = quality;
        }
        Event::Old { bad } => bench.world.old_bad = bad,
        Event::Dependency(health) => bench.world.dependency = health,
        Event::Silent(silent) => bench.world.silent = silent,
        Event::Outcomes(which) => bench.world.outcome = OUTCOMES[which],
        Event::Reads(which) => bench.world.read = READS[which],
        Event::Restart(secs) => bench.input(Input::Restarted { down: Millis::from_secs(secs) }),
        Event::Effective(effective) => bench.world.effective = effective,
        Event::Share(share) => bench.world.share = share,
        Event::Deploy(watch_secs) => bench.deploy(watch_secs),
        Event::Command(command) => bench.input(Input::Commanded { command, by: actor("ada") }),
        Event::Answer { execution, approved, by } => {
            let answer = bench.answer(execution, approved, by, "on-call-engineer");
            bench.input(Input::ApprovalAnswered(answer));
        }
        Event::Report { execution, step, attempt, outcome } => {
            let attempt = Attempt { execution: ExecutionId(execution), step, attempt };
            bench.input(Input::StepReported { attempt, outcome });
        }
        Event::Odd(frame) => {
            bench.input(Input::Collected { service: service(), frame });
        }
        Event::Inventory { bad_versions, ready, known } => {
            let mut inventory = inventory();
            inventory.capabilities.feature_flags = ready % 2 == 0;
            inventory.versions[1].replicas_ready = ready;
            inventory.versions[1].marked_bad = bad_versions;
            if !known {
                inventory.versions.clear();
            }
            bench.input(Input::Inventory(Box::new(inventory)));
        }
        Event::Rollout(state) => bench.input(Input::RolloutChanged { service: service(), state }),
    }
    let mut open: Vec<&ServiceId> = Vec::new();
    for execution in bench.engine.executions().filter(|e| !e.status.is_final()) {
        assert!(!open.contains(&&execution.plan.event.service), "two open executions of one service");
        open.push(&execution.plan.event.service);
    }
}

fn settings(then: MissingAction) -> Settings {
    let mut settings = Settings::default();
    settings.missing_data.then = then;
    settings.execution.cool_down = Millis::from_secs(120);
    settings
}

fn play(events: &[Event], then: MissingAction, environment: Environment) -> Bench {
    let mut bench = Bench::deployed(settings(then), |inventory| inventory.environment = environment);
    bench.world.read = READS[4];
    bench.run_for(60);
    for event in events {
        happen(&mut bench, event);
    }
    bench
}

#[track_caller]
fn never_rises(plan: &RollbackPlan) {
    let mut last = 1.0;
    for step in &plan.steps {
        if let StepAction::ShiftTraffic { to_share, .. } = &step.action {
            let left = 1.0 - to_share.get();
            assert!(left <= last, "the candidate's share rises to {left}");
            last = left;
        }
    }
}

/// Walks over all that came out.
fn is_safe(bench: &Bench, events: &[Event], then: MissingAction) {
    let mut keys: BTreeSet<Attempt> = BTreeSet::new();
    let mut notified: BTreeMap<ExecutionId, usize> = BTreeMap::new();
    let mut before: Option<&Output> = None;
    for (_, output) in &bench.log {
        match output {
            Output::StartStep { attempt, action, .. } => {
                let intent = JournalEntry::Intent { attempt: *attempt, action: action.clone() };
                assert_eq!(before, Some(&Output::Journal(intent)), "an effect without its intent");
                assert!(keys.insert(*attempt), "an effect under an old key");
                if let StepAction::Notify { .. } = action {
                    *notified.entry(attempt.execution).or_default() += 1;
                }
            }
            Output::Journal(JournalEntry::Planned { plan, .. }) => never_rises(plan),
            Output::Journal(JournalEntry::Decided { decision: Decision::RollBack(event), .. }) => {
                assert_ne!(event.target, event.current);
                let odd = events.iter().any(|e| matches!(e, Event::Odd(_)));
                let silent = event.trigger == Trigger::HealthCheckFailure && !odd;
                assert!(!silent || then == MissingAction::RollBack, "rolled back from missing data");
            }
            Output::PauseRollout { .. } | Output::ResumeRollout { .. } | Output::AbortRollout { .. } => {
                let intent = matches!(before, Some(Output::Journal(JournalEntry::RolloutIntent { .. })));
                assert!(intent, "the rollout was asked without an intent");
            }
            Output::SuppressAlerts { .. } | Output::LiftSuppression { .. } => {
                let intent = matches!(before, Some(Output::Journal(JournalEntry::Alerts { .. })));
                assert!(intent, "alerts were touched without an intent");
            }
            Output::Journal(_)
            | Output::Collect { .. }
            | Output::ReadStep { .. }
            | Output::List { .. }
            | Output::CancelStep { .. }
            | Output::AskApproval { .. }
            | Output::Annotate { .. }
            | Output::Page { .. } => {}
        }
        before = Some(output);
    }
    assert!(notified.values().all(|&n| n == 1), "a notification was repeated");
}

fn environment() -> impl Strategy<Value = Environment> {
    prop_oneof![3 => Just(Environment::Simulated), 1 => Just(Environment::Production)]
}

fn missing() -> impl Strategy<Value = MissingAction> {
    prop_oneof![
        Just(MissingAction::Ignore),
        Just(MissingAction::Hold),
        Just(MissingAction::Escalate),
        Just(MissingAction::RollBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_inputs_are_safe_and_end(
        events in prop::collection::vec(event(), 1..80),
        then in missing(),
        environment in environment(),
    ) {
        let mut bench = play(&events, then, environment);
        is_safe(&bench, &events, then);
        // Nothing is asserted of how long a person takes; everything else has its time-out.
        bench.world.silent = true;
        bench.world.outcome = |_| None;
        bench.run_for(2 * 3600);
        is_safe(&bench, &events, then);
        prop_assert!(!bench.engine.is_executing(), "an execution without an end");
    }

    #[test]
    fn same_inputs_give_same_outputs(
        events in prop::collection::vec(event(), 1..60),
        then in missing(),
    ) {
        let first = play(&events, then, Environment::Simulated).log;
        prop_assert!(first == play(&events, then, Environment::Simulated).log);
    }

    #[test]
    fn nothing_new_starts_after_a_stop(
        before in prop::collection::vec(event(), 1..40),
        after in prop::collection::vec(event(), 1..40),
    ) {
        let mut bench = play(&before, MissingAction::RollBack, Environment::Simulated);
        bench.input(Input::Commanded { command: Command::Stop, by: actor("ada") });
        let started = bench.effects().len();
        for event in after.iter().filter(|e| !matches!(e, Event::Command(Command::Resume))) {
            happen(&mut bench, event);
        }
        bench.run_for(3600);
        prop_assert_eq!(bench.effects().len(), started);
        prop_assert!(!bench.engine.is_executing());
    }
}
