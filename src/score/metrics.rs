//! The engine's own metrics (SPEC 6.5): counters and histograms, folded from records, written as OpenMetrics text.
//!
//! Names are `rollback_<noun>_<unit>[_total]`. Everything is counted from what was written down, so that a recorded
//! run, a campaign and a live engine are measured in the same way.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::execution::{ExecutionFacts, Executions};
use crate::domain::engine_io::{JournalEntry, VoidAnswer, Wait};
use crate::domain::entry::Entry;
use crate::domain::execution::{EffectState, ExecutionStatus, StepOutcome};
use crate::domain::plan::{RollbackPlan, StepAction};
use crate::domain::time::{Millis, MonoTime};

/// Upper bounds of the histograms' buckets, seconds: from a flag to an hour.
const BOUNDS_S: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// One histogram.
#[derive(Clone, Debug, Default)]
struct Histogram {
    /// Observations by bucket, not cumulative; the last has no bound.
    buckets: [u64; BOUNDS_S.len() + 1],
    sum: Millis,
}

impl Histogram {
    fn observe(&mut self, time: Millis) {
        let seconds = time.as_secs_f64();
        let place = BOUNDS_S.iter().position(|&bound| seconds <= bound).unwrap_or(BOUNDS_S.len());
        self.buckets[place] += 1;
        self.sum = self.sum + time;
    }
}

/// Labels of a series, as they are written between the braces.
type Labels = String;

/// All of them. Folds any number of records.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    decisions: BTreeMap<Labels, u64>,
    executions: BTreeMap<Labels, u64>,
    attempts: BTreeMap<Labels, u64>,
    retries: BTreeMap<Labels, u64>,
    reads: BTreeMap<Labels, u64>,
    waits: BTreeMap<Labels, u64>,
    approvals: BTreeMap<Labels, u64>,
    pages: BTreeMap<Labels, u64>,
    restarts: BTreeMap<Labels, u64>,
    quiet_s: BTreeMap<Labels, f64>,
    execution_s: BTreeMap<Labels, Histogram>,
    step_s: BTreeMap<Labels, Histogram>,
    open: u64,
}

impl Metrics {
    /// Counts one record.
    pub fn record(&mut self, entries: &[Entry]) {
        let mut executions = Executions::default();
        let mut quiet_since: Option<MonoTime> = None;
        for entry in entries {
            executions.push(entry);
            let Entry::Journal(at, entry) = entry else { continue };
            match entry {
                JournalEntry::Decided { decision, .. } => {
                    count(&mut self.decisions, label("decision", &decision.kind().to_string()));
                }
                JournalEntry::Page { .. } => count(&mut self.pages, Labels::new()),
                JournalEntry::Alerts { quiet_until: Some(_), .. } => {
                    quiet_since.get_or_insert(*at);
                }
                JournalEntry::Alerts { quiet_until: None, .. } => {
                    let quiet = quiet_since.take().map_or(0.0, |since| at.since(since).as_secs_f64());
                    *self.quiet_s.entry(Labels::new()).or_default() += quiet;
                }
                JournalEntry::Judged { .. }
                | JournalEntry::Planned { .. }
                | JournalEntry::Intent { .. }
                | JournalEntry::Outcome { .. }
                | JournalEntry::Validated { .. }
                | JournalEntry::Status { .. }
                | JournalEntry::RolloutIntent { .. }
                | JournalEntry::Waiting { .. }
                | JournalEntry::Asked { .. }
                | JournalEntry::Approved { .. }
                | JournalEntry::Void { .. }
                | JournalEntry::Resumed { .. } => {}
            }
        }
        for facts in executions.finish() {
            self.execution(&facts);
        }
    }

    fn execution(&mut self, facts: &ExecutionFacts) {
        let strategy = label("strategy", &facts.plan.strategy.to_string());
        if facts.ended.is_some() {
            let status = label("status", &status(facts.status));
            count(&mut self.executions, format!("{strategy},{status}"));
            self.execution_s.entry(strategy).or_default().observe(facts.took());
        } else {
            self.open += 1;
        }
        for attempt in &facts.attempts {
            let action = label("action", action(&facts.plan, attempt.step));
            let outcome = label("outcome", outcome(&attempt.outcome));
            count(&mut self.attempts, format!("{action},{outcome}"));
            if attempt.attempt > 1 {
                count(&mut self.retries, action.clone());
            }
            self.step_s.entry(action).or_default().observe(attempt.ended.since(attempt.started));
        }
        for (_, state) in &facts.reads {
            let seen = match state {
                EffectState::Applied => "applied",
                EffectState::Underway => "underway",
                EffectState::NotApplied => "not_applied",
                EffectState::Unreadable(_) => "unreadable",
            };
            count(&mut self.reads, label("state", seen));
        }
        for (_, wait, _) in &facts.waits {
            let reason = match wait {
                Wait::Breaker(_) => "breaker",
                Wait::RateLimit => "rate_limit",
                Wait::Calendar(_) => "calendar",
                Wait::Approval => "approval",
            };
            count(&mut self.waits, label("reason", reason));
        }
        *self.approvals.entry(label("answer", "asked")).or_default() += facts.asked.len() as u64;
        *self.approvals.entry(label("answer", "approved")).or_default() += facts.approved.len() as u64;
        for (_, _, why) in &facts.void {
            let why = match why {
                VoidAnswer::NoSuchExecution => "no_such_execution",
                VoidAnswer::NotAwaited => "not_awaited",
                VoidAnswer::OtherPlan => "other_plan",
                VoidAnswer::Expired => "expired",
                VoidAnswer::OwnPlan => "own_plan",
                VoidAnswer::WrongRole => "wrong_role",
            };
            count(&mut self.approvals, format!("{},{}", label("answer", "void"), label("reason", why)));
        }
        *self.restarts.entry(Labels::new()).or_default() += facts.restarts.len() as u64;
    }

    /// OpenMetrics text, its `# EOF` included.
    pub fn open_metrics(&self) -> String {
        let mut out = String::new();
        for (name, help, series) in [
            ("rollback_decisions", "Decisions that were written down, by kind.", &self.decisions),
            ("rollback_executions", "Executions that ended, by strategy and status.", &self.executions),
            ("rollback_step_attempts", "Attempts of steps, by action and outcome.", &self.attempts),
            ("rollback_step_retries", "Attempts beyond the first of their step, by action.", &self.retries),
            ("rollback_effect_reads", "Effects read back, by what was to be seen.", &self.reads),
            ("rollback_effect_waits", "Effects that were held up, by reason.", &self.waits),
            ("rollback_approvals", "Requests for approval and answers.", &self.approvals),
            ("rollback_pages", "Calls for a person.", &self.pages),
            ("rollback_engine_resumes", "Executions that were resumed after a restart.", &self.restarts),
        ] {
            let _ = writeln!(out, "# TYPE {name} counter\n# HELP {name} {help}");
            for (labels, value) in series {
                let _ = writeln!(out, "{name}_total{} {value}", braces(labels));
            }
        }
        let name = "rollback_alerts_quiet_seconds";
        let _ = writeln!(out, "# TYPE {name} counter\n# UNIT {name} seconds");
        let _ = writeln!(out, "# HELP {name} How long alerts were kept quiet.");
        for (labels, value) in &self.quiet_s {
            let _ = writeln!(out, "{name}_total{} {value}", braces(labels));
        }
        for (name, help, series) in [
            ("rollback_execution_duration_seconds", "From plan to end, by strategy.", &self.execution_s),
            ("rollback_step_duration_seconds", "Attempts of steps, by action.", &self.step_s),
        ] {
            let _ = writeln!(out, "# TYPE {name} histogram\n# UNIT {name} seconds\n# HELP {name} {help}");
            for (labels, histogram) in series {
                write_histogram(&mut out, name, labels, histogram);
            }
        }
        let name = "rollback_executions_open";
        let _ = writeln!(out, "# TYPE {name} gauge\n# HELP {name} Executions that have not ended.");
        let _ = writeln!(out, "{name} {}\n# EOF", self.open);
        out
    }
}

fn write_histogram(out: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let mut below = 0;
    for (place, observed) in histogram.buckets.iter().enumerate() {
        below += observed;
        let bound = BOUNDS_S.get(place).map_or_else(|| "+Inf".to_owned(), |bound| format!("{bound:.1}"));
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}");
    }
    let _ = writeln!(out, "{name}_count{} {below}", braces(labels));
    let _ = writeln!(out, "{name}_sum{} {}", braces(labels), histogram.sum.as_secs_f64());
}

fn braces(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

/// Values are our own words, in which spaces and dashes become underscores; nothing is left to escape.
fn label(name: &str, value: &str) -> Labels {
    format!("{name}=\"{}\"", value.replace([' ', '-'], "_"))
}

fn count(series: &mut BTreeMap<Labels, u64>, labels: Labels) {
    *series.entry(labels).or_default() += 1;
}

fn status(status: ExecutionStatus) -> String {
    status.to_string()
}

const fn outcome(outcome: &StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Succeeded => "succeeded",
        StepOutcome::Failed(_) => "failed",
        StepOutcome::TimedOut => "timed_out",
        StepOutcome::Unknown => "unknown",
    }
}

/// The kind of the action of a step; actions of one kind differ in whom they act on.
fn action(plan: &RollbackPlan, step: u16) -> &'static str {
    match plan.steps.get(usize::from(step)).map(|step| &step.action) {
        Some(StepAction::ScaleVersion { .. }) => "scale_version",
        Some(StepAction::ShiftTraffic { .. }) => "shift_traffic",
        Some(StepAction::ValidateStandby { .. }) => "validate_standby",
        Some(StepAction::SwitchTraffic { .. }) => "switch_traffic",
        Some(StepAction::VerifyTraffic { .. }) => "verify_traffic",
        Some(StepAction::WatchHealth { .. }) => "watch_health",
        Some(StepAction::DisableFlags { .. }) => "disable_flags",
        Some(StepAction::VerifyFlags { .. }) => "verify_flags",
        Some(StepAction::RevertSchema { .. }) => "revert_schema",
        Some(StepAction::VerifySchema { .. }) => "verify_schema",
        Some(StepAction::RevertInfrastructure { .. }) => "revert_infrastructure",
        Some(StepAction::VerifyInfrastructure { .. }) => "verify_infrastructure",
        Some(StepAction::UpdateServiceDiscovery { .. }) => "update_service_discovery",
        Some(StepAction::Notify { .. }) => "notify",
        None => "none",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::record::sample::Sample;

    #[test]
    fn the_text_is_open_metrics() {
        let mut metrics = Metrics::default();
        metrics.record(&Sample::default().entries());
        let text = metrics.open_metrics();
        assert!(text.ends_with("# EOF\n"));
        let mut families = BTreeSet::new();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().expect("a name").to_owned();
                assert!(families.insert(family.clone()), "{family} comes twice");
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let (name, unit) = rest.split_once(' ').expect("a name and a unit");
                assert!(name == family && name.ends_with(unit), "{line}");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                let name = series.split('{').next().expect("a name");
                let suffix = name.strip_prefix(&family).expect("in its family");
                assert!(["", "_total", "_bucket", "_count", "_sum"].contains(&suffix), "{line}");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                assert!(name.starts_with("rollback_"), "{line}");
            }
        }
        assert!(text.contains(
            "rollback_executions_total{strategy=\"canary_rollback\",status=\"completed_with_warnings\"} 1"
        ));
        assert!(text.contains("rollback_step_attempts_total{action=\"notify\",outcome=\"timed_out\"} 1"));
    }

    #[test]
    fn records_add_up_and_a_histogram_counts_every_observation_once() {
        let mut metrics = Metrics::default();
        for _ in 0..3 {
            metrics.record(&Sample::default().entries());
        }
        let text = metrics.open_metrics();
        assert!(text.contains("rollback_execution_duration_seconds_count{strategy=\"canary_rollback\"} 3"));
        assert!(text.contains(
            "rollback_execution_duration_seconds_bucket{strategy=\"canary_rollback\",le=\"+Inf\"} 3"
        ));
        let mut histogram = Histogram::default();
        for ms in [1000, 1001, 3_600_000, 3_600_001] {
            histogram.observe(Millis(ms));
        }
        assert_eq!(
            (histogram.buckets[0], histogram.buckets[1], histogram.buckets[11], histogram.buckets[12]),
            (1, 1, 1, 1)
        );
    }
}
