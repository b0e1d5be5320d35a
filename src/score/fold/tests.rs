use std::sync::Arc;

use super::*;
use backspin_domain::event::Severity;
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::expectation::Never;
use backspin_domain::id::VersionId;
use backspin_domain::service::Deploy;
use backspin_domain::signal::SignalSample;
use backspin_domain::truth::Cause;
use backspin_record::sample::Sample;
use backspin_record::{RecordReader, write_lines};

fn score(sample: &Sample) -> RunOutcome {
    score_entries(&sample.entries()).expect("a whole record")
}

#[test]
fn a_caught_canary_has_every_figure() {
    let outcome = score(&Sample::default());
    assert_eq!((outcome.class, outcome.caught), (Class::TruePositive, true));
    assert_eq!(outcome.ttd, Elapsed::After(Millis::from_secs(45)));
    assert_eq!(outcome.ttm, Elapsed::After(Millis::from_secs(120)));
    assert_eq!(outcome.ttr, Elapsed::After(Millis::from_secs(300)));
    // I = 6, I0 = 5 a scrape, H = 240: h = 11.69, so 10.69 nats in 2 scrapes; the floor of 4.50 in 1.
    let bound = outcome.truth.bound;
    assert_eq!((bound.scrapes, bound.floor_scrapes), (Some(2), Some(1)));
    assert_eq!((bound.time, bound.feasible), (Some(Millis::from_secs(30)), Feasible::Yes));
    assert_eq!(outcome.delay_scrapes, Some(3));
    assert_eq!(outcome.delay_ratio().map(|r| (r.at, r.reached)), Some((1.5, true)));
    let rollback = outcome.rollback.as_ref().expect("rolled back");
    assert_eq!(rollback.severity, Severity::High);
    assert_eq!(rollback.target.as_str(), "v41");
    assert_eq!((rollback.planned, rollback.executed), (Some(Strategy::CanaryRollback), rollback.planned));
    assert_eq!(rollback.status, Some(ExecutionStatus::CompletedWithWarnings));
    assert_eq!((rollback.plans, outcome.resumed), (1, false));
    assert_eq!(outcome.never_broken, [Never::RollBack]);
    assert!(outcome.met.expect("expected").is_met());
}

#[test]
fn the_budget_is_a_month_at_the_runs_traffic() {
    // 0.2 % failing for one of 1.5 hours' ticks, else nothing: 0.002 / 0.001 · 1 h / 720 h.
    let quiet = Sample { cause: Cause::None, onset: None, decided: None, ..Sample::default() };
    let share = score(&quiet).harm.budget_share.expect("there was traffic");
    assert!((share - 2.0 / 720.0).abs() < 1e-12, "{share}");
}

#[test]
fn a_miss_is_cut_off_at_the_end_of_the_watch() {
    let outcome = score(&Sample { decided: None, ..Sample::default() });
    assert_eq!((outcome.class, outcome.caught), (Class::FalseNegative, false));
    assert_eq!(outcome.ttd, Elapsed::NotReached(Millis::from_mins(48)));
    assert_eq!(outcome.delay_ratio().map(|r| (r.at, r.reached)), Some((96.0, false)));
    assert!(outcome.harm.users > 0.0);
}

#[test]
fn a_rollback_before_the_onset_detects_nothing() {
    let early = Some((Millis::from_mins(5), DecisionKind::RollBack));
    let outcome = score(&Sample { decided: early, ..Sample::default() });
    assert_eq!((outcome.class, outcome.caught), (Class::FalsePositive, false));
    assert_eq!(outcome.ttd, Elapsed::NotReached(Millis::from_mins(48)));
}

#[test]
fn an_escalation_counts_as_caught_only_where_it_is_expected() {
    let called =
        Sample { decided: Some((Millis::from_mins(13), DecisionKind::Escalate)), ..Sample::default() };
    let outcome = score(&called);
    assert_eq!((outcome.class, outcome.caught), (Class::Escalated, false));
    assert_eq!(outcome.ttd, Elapsed::After(Millis::from_mins(1)));
    let mut expect = called.expect.clone().expect("set");
    expect.decision.push(DecisionKind::Escalate);
    let outcome = score(&Sample { expect: Some(expect), ..called });
    assert_eq!((outcome.class, outcome.caught), (Class::Escalated, true));
}

#[test]
fn recordings_leave_recovery_unknown() {
    let outcome = score(&Sample { plane: PlaneKind::Recorded, ..Sample::default() });
    assert_eq!((outcome.ttm, outcome.ttr), (Elapsed::Unknown, Elapsed::Unknown));
    assert_eq!(outcome.ttd, Elapsed::After(Millis::from_secs(45)));
}

#[test]
fn an_onset_near_the_end_cannot_be_caught_in_time() {
    // One scrape is left and two are needed.
    let late = Sample { onset: Some(Millis::from_secs(3585)), decided: None, ..Sample::default() };
    let outcome = score(&late);
    assert_eq!((outcome.truth.bound.feasible, outcome.truth.bound.scrapes), (Feasible::No, None));
}

#[test]
fn an_external_cause_has_no_bound_on_its_rollback() {
    let outcome = score(&Sample { cause: Cause::External, ..Sample::default() });
    assert_eq!(outcome.class, Class::FalsePositive);
    assert_eq!(outcome.truth.bound.feasible, Feasible::Unknown);
    assert!(outcome.harm.users_external > 0.0 && outcome.harm.users == 0.0);
}

#[test]
fn a_stream_scores_like_memory_and_a_torn_one_is_an_error() {
    let entries = Sample::default().entries();
    let mut bytes = Vec::new();
    write_lines(&entries, &mut bytes).expect("written");
    let streamed = score_record(RecordReader::new(&bytes[..])).expect("scored");
    assert_eq!(streamed, score(&Sample::default()));
    bytes.truncate(bytes.len() / 2);
    assert!(matches!(score_record(RecordReader::new(&bytes[..])), Err(ScoreError::Record(_))));
}

#[test]
fn records_that_are_not_whole_are_refused() {
    let entries = Sample::default().entries();
    assert!(matches!(score_entries(&entries[..5]), Err(ScoreError::NoEnd { .. })));
    assert!(matches!(score_entries(&entries[1..]), Err(ScoreError::NoHeader)));
    let no_truth: Vec<_> = entries.into_iter().filter(|e| !matches!(e, Entry::Truth(..))).collect();
    assert!(matches!(score_entries(&no_truth), Err(ScoreError::NoTruth { .. })));
}

#[test]
fn the_rate_is_that_of_the_scenario_else_what_was_there_before_the_deploy() {
    let sample = Sample::default();
    // 3000 requests in 15 s.
    assert_eq!(score(&sample).rate_rps, Some(200.0));
    let mut entries = sample.entries();
    let Some(Entry::Header(header)) = entries.first_mut() else { panic!("no header") };
    header.rate_rps = Some(180.0);
    assert_eq!(score_entries(&entries).expect("whole").rate_rps, Some(180.0));
}

#[test]
fn arms_are_told_by_the_truth_from_the_onset_and_else_by_the_rollout() {
    assert_eq!(score(&Sample::default()).truth.arms, Arms::Concurrent);
    let healthy = Sample { cause: Cause::None, onset: None, decided: None, ..Sample::default() };
    // The sample tells of no deploy.
    assert_eq!(score(&healthy).truth.arms, Arms::Past);
    let mut entries = healthy.entries();
    let Some(Entry::Input(_, Input::Collected { service, .. })) =
        entries.iter().find(|entry| matches!(entry, Entry::Input(_, Input::Collected { .. })))
    else {
        panic!("no frame")
    };
    let deploy = Deploy {
        service: service.clone(),
        candidate: VersionId::new("v42").expect("valid"),
        from: VersionId::new("v41").expect("valid"),
        kind: RolloutKind::Canary,
        at: MonoTime(1_800_000),
        watch: Millis::from_mins(60),
    };
    entries.insert(2, Entry::Input(MonoTime(1_800_000), Input::Deployed(deploy)));
    assert_eq!(score_entries(&entries).expect("whole").truth.arms, Arms::Concurrent);
}

#[test]
fn whom_a_version_with_findings_serves_is_harmed() {
    let quiet = Sample { extra_error_ratio: -0.2, decided: None, ..Sample::default() };
    let mut entries = quiet.entries();
    let cost = |entries: &[Entry]| score_entries(entries).expect("whole").cost.expect("known");
    assert_eq!(cost(&entries).harmed, [0.0; 4]);
    for entry in &mut entries {
        if let Entry::Input(_, Input::Collected { frame, .. }) = entry {
            Arc::make_mut(frame).signals.set(SignalKind::SecurityFindings, SignalSample::fresh(1.0, 1));
        }
    }
    // From 12 minutes on 25 % for 8 minutes, then half for 40: all critical.
    let harmed = cost(&entries).harmed;
    assert!((harmed[3] - 1000.0 * (0.25 * 8.0 + 0.5 * 40.0)).abs() < 300.0, "{harmed:?}");
}
