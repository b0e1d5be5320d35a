//! Several services at once: limits hold over all of them, and one that fails keeps no other from its rollback.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::driver::{Bench, Say, inventory, version};
use crate::Engine;
use crate::settings::Settings;
use backspin_domain::engine_io::{Input, JournalEntry, Output};
use backspin_domain::execution::{EffectState, ExecutionStatus, FailureReason, StepOutcome};
use backspin_domain::id::ServiceId;
use backspin_domain::plan::StepAction;
use backspin_domain::service::{Deploy, RolloutKind};
use backspin_domain::time::{Millis, MonoTime, Now, WallTime};

use super::driver::Scripted;

fn name(n: usize) -> ServiceId {
    ServiceId::new(&format!("s{n}")).expect("valid")
}

/// How an effect of the `n`th service ends.
type Outcome = fn(usize, &StepAction) -> StepOutcome;

/// Ten minutes of services whose candidates all fail from the first minute after their deploy on. Gives all outputs
/// with their moments.
fn play(settings: Settings, services: usize, outcome: Outcome) -> (Engine, Vec<(MonoTime, Output)>) {
    let mut engine = Engine::new(settings, Box::new(|| Box::new(Scripted)), Vec::new());
    // Lends its frames: before the deploy, then healthy, then failing, then as after a rollback.
    let mut lender = Bench::deployed(Settings::default(), |_| ());
    lender.world.share = 0.5;
    let mut shares: BTreeMap<ServiceId, f64> = (0..services).map(|n| (name(n), 0.5)).collect();
    let mut log = Vec::new();
    let began = lender.now;
    for second in 0..600 {
        let mono = began + Millis::from_secs(second);
        let now = Now { mono, wall: WallTime(0) };
        let mut inputs: Vec<Input> = Vec::new();
        if second == 0 {
            for n in 0..services {
                let mut known = inventory();
                known.service = name(n);
                inputs.push(Input::Inventory(Box::new(known)));
                inputs.push(Input::Deployed(Deploy {
                    service: name(n),
                    candidate: version("v3"),
                    from: version("v2"),
                    kind: RolloutKind::Canary,
                    at: mono,
                    watch: Millis::from_mins(60),
                }));
            }
        }
        if second == 60 {
            (lender.world.say, lender.world.bad) = (Say::FailConcurrent, 0.9);
        }
        lender.now = mono;
        engine.handle_timeout(now);
        loop {
            while let Some(output) = engine.poll_output() {
                match &output {
                    Output::Collect { service } => {
                        lender.world.share = shares[service];
                        let frame = Arc::new(lender.frame());
                        inputs.push(Input::Collected { service: service.clone(), frame });
                    }
                    Output::StartStep { attempt, service, action } => {
                        let n = service.as_str()[1..].parse().expect("a number");
                        let outcome = outcome(n, action);
                        if let (StepOutcome::Succeeded, StepAction::ShiftTraffic { to_share, .. }) =
                            (&outcome, action)
                        {
                            shares.insert(service.clone(), 1.0 - to_share.get());
                        }
                        inputs.push(Input::StepReported { attempt: *attempt, outcome });
                    }
                    Output::ReadStep { attempt, .. } => {
                        inputs.push(Input::StepRead { attempt: *attempt, state: EffectState::NotApplied });
                    }
                    _ => {}
                }
                log.push((mono, output));
            }
            if inputs.is_empty() {
                break;
            }
            engine.handle_input(now, inputs.remove(0));
        }
    }
    (engine, log)
}

/// The most executions that were open at once, and the services whose rollback completed.
fn figures(engine: &Engine, log: &[(MonoTime, Output)]) -> (usize, Vec<ServiceId>) {
    let (mut open, mut most) = (0_usize, 0);
    for (_, output) in log {
        match output {
            Output::Journal(JournalEntry::Planned { .. }) => open += 1,
            Output::Journal(JournalEntry::Status { status, .. }) if status.is_final() => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    let done = engine.executions().filter(|e| e.status == ExecutionStatus::Completed);
    (most, done.map(|e| e.plan.event.service.clone()).collect())
}

#[test]
fn five_run_at_once_and_the_others_follow() {
    let (engine, log) = play(Settings::default(), 8, |_, _| StepOutcome::Succeeded);
    let (most, mut done) = figures(&engine, &log);
    done.sort();
    assert_eq!((most, done), (5, (0..8).map(name).collect::<Vec<_>>()));
}

#[test]
fn services_that_fail_over_and_over_keep_no_other_from_its_rollback() {
    let mut settings = Settings::default();
    // Hardly more than the good ones need.
    settings.execution.effects_per_minute = 12;
    let (engine, log) = play(settings, 5, |n, _| {
        let refused = FailureReason::Refused("by the platform".to_owned());
        if n < 3 { StepOutcome::Failed(refused) } else { StepOutcome::Succeeded }
    });
    let (_, done) = figures(&engine, &log);
    assert!(done.contains(&name(3)) && done.contains(&name(4)), "{done:?}");
    let mut lately: Vec<MonoTime> = Vec::new();
    for (at, output) in &log {
        if matches!(output, Output::StartStep { .. }) {
            lately.retain(|then| at.since(*then) < Millis::from_mins(1));
            lately.push(*at);
            // A full bucket and what flows into it within the minute.
            assert!(lately.len() <= 24, "{} effects within a minute at {at}", lately.len());
        }
    }
}

#[test]
fn what_one_service_goes_through_changes_nothing_for_another() {
    let of = |log: &[(MonoTime, Output)]| -> Vec<(MonoTime, JournalEntry)> {
        let mine = |entry: &JournalEntry| match entry {
            JournalEntry::Judged { service, .. } | JournalEntry::Decided { service, .. } => {
                *service == name(1)
            }
            _ => false,
        };
        let journal = log.iter().filter_map(|(at, output)| match output {
            Output::Journal(entry) if mine(entry) => Some((*at, entry.clone())),
            _ => None,
        });
        journal.collect()
    };
    let (_, good) = play(Settings::default(), 2, |_, _| StepOutcome::Succeeded);
    let (_, bad) =
        play(
            Settings::default(),
            2,
            |n, _| {
                if n == 0 { StepOutcome::TimedOut } else { StepOutcome::Succeeded }
            },
        );
    assert!(!of(&good).is_empty());
    assert!(of(&good) == of(&bad), "service 1 was decided otherwise because service 0 failed");
}
