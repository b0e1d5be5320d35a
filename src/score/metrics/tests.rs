//! Tests of the metrics, and of their text against the rules of OpenMetrics 1.0.

use super::*;
use crate::{Mitigation, Quiet, Refusal};
use backspin_domain::execution::StepResult;
use backspin_domain::id::{ActorId, ServiceId};
use backspin_domain::time::MonoTime;
use backspin_record::sample::Sample;

mod open_metrics;

/// The sample's facts with one of everything that is counted.
fn everything() -> RecordFacts {
    let mut facts = RecordFacts::of(&Sample::default().entries());
    let at = MonoTime::ZERO;
    let who = ActorId::new("platform-lead").expect("valid");
    let execution = &mut facts.executions[0];
    execution.waits = vec![
        (at, Wait::Breaker(Actuator::Traffic), at),
        (at, Wait::Breaker(Actuator::Cluster), at),
        (at, Wait::Breaker(Actuator::Traffic), at),
        (at, Wait::RateLimit, at),
    ];
    execution.asked = vec![(at, who.clone())];
    execution.refused = Some(Refusal { at, by: who.clone(), role: who.clone() });
    execution.void = vec![(at, who, VoidAnswer::WrongRole)];
    execution.reads = vec![(at, EffectState::Unreadable("away".to_owned()))];
    execution.restarts = vec![Millis::from_secs(20)];
    let result = StepResult { attempt: 2, ..execution.attempts[0].result.clone() };
    let first = execution.attempts[0].clone();
    execution.attempts.push(AttemptFacts { nth: 2, result: result.clone(), ..first.clone() });
    execution.attempts.push(AttemptFacts { purpose: Purpose::Undo, result, ..first });
    facts.restarts = vec![Millis::from_secs(20), Millis(500)];
    facts.quiet = ["check-out.eu", "search"]
        .into_iter()
        .map(|name| Quiet {
            service: ServiceId::new(name).expect("valid"),
            from: at,
            until: at + Millis::from_secs(90),
        })
        .collect();
    facts
}

fn text(facts: &[RecordFacts]) -> String {
    let mut metrics = Metrics::default();
    for facts in facts {
        metrics.record(facts);
    }
    metrics.open_metrics()
}

#[test]
fn the_text_is_open_metrics_with_one_record_with_many_and_with_none() {
    for facts in [vec![], vec![everything()], vec![everything(), everything(), RecordFacts::default()]] {
        let text = text(&facts);
        if let Err(wrong) = open_metrics::check(&text) {
            panic!("{wrong}\n{text}");
        }
        assert!(text.lines().all(|line| line.starts_with('#') || line.starts_with("rollback_")));
    }
}

#[track_caller]
fn says(facts: &[RecordFacts], lines: &[&str]) {
    let text = text(facts);
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "no `{line}` in\n{text}");
    }
}

#[test]
fn executions_and_attempts_are_counted() {
    let facts = RecordFacts::of(&Sample::default().entries());
    says(
        &[facts],
        &[
            "rollback_executions_total{strategy=\"canary_rollback\",status=\"completed_with_warnings\"} 1",
            "rollback_step_attempts_total{action=\"notify\",outcome=\"timed_out\"} 1",
        ],
    );
}

#[test]
fn an_undo_is_neither_an_attempt_nor_a_retry_of_its_step() {
    says(
        &[everything()],
        &[
            "rollback_step_attempts_total{action=\"shift_traffic\",outcome=\"succeeded\"} 3",
            "rollback_step_retries_total{action=\"shift_traffic\"} 1",
            "rollback_step_undos_total{action=\"shift_traffic\",outcome=\"succeeded\"} 1",
        ],
    );
}

#[test]
fn waits_restarts_answers_and_quiet_are_counted_for_themselves() {
    says(
        &[everything(), everything()],
        &[
            "rollback_effect_waits_total{reason=\"breaker\"} 6",
            "rollback_breaker_waits_total{actuator=\"traffic\"} 4",
            "rollback_breaker_waits_total{actuator=\"cluster\"} 2",
            "rollback_engine_restarts_total 4",
            "rollback_engine_down_seconds_total 41",
            "rollback_engine_resumes_total 2",
            "rollback_approvals_total{answer=\"refused\"} 2",
            "rollback_approvals_total{answer=\"void\"} 2",
            "rollback_approvals_void_total{reason=\"wrong_role\"} 2",
            "rollback_alerts_quiet_seconds_total{service=\"check-out.eu\"} 180",
            "rollback_alerts_quiet_seconds_total{service=\"search\"} 180",
        ],
    );
}

#[test]
fn the_time_from_decision_to_mitigation_is_a_histogram_and_what_never_ends_is_counted_beside_it() {
    let never = RecordFacts { mitigation: Mitigation::NotReached, ..everything() };
    says(
        &[everything(), never],
        &[
            "rollback_mitigation_duration_seconds_bucket{strategy=\"canary_rollback\",le=\"60.0\"} 0",
            "rollback_mitigation_duration_seconds_bucket{strategy=\"canary_rollback\",le=\"120.0\"} 1",
            "rollback_mitigation_duration_seconds_count{strategy=\"canary_rollback\"} 1",
            "rollback_mitigation_duration_seconds_sum{strategy=\"canary_rollback\"} 75",
            "rollback_unmitigated_total 1",
        ],
    );
}

#[test]
fn records_add_up_and_a_histogram_counts_every_observation_once() {
    let facts = RecordFacts::of(&Sample::default().entries());
    says(
        &[facts.clone(), facts.clone(), facts],
        &[
            "rollback_execution_duration_seconds_count{strategy=\"canary_rollback\"} 3",
            "rollback_execution_duration_seconds_bucket{strategy=\"canary_rollback\",le=\"+Inf\"} 3",
        ],
    );
    let mut histogram = Histogram::default();
    for ms in [1000, 1001, 3_600_000, 3_600_001] {
        histogram.observe(Millis(ms));
    }
    assert_eq!(
        (histogram.buckets[0], histogram.buckets[1], histogram.buckets[11], histogram.buckets[12]),
        (1, 1, 1, 1)
    );
}
