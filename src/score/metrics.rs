//! The engine's own metrics (SPEC 6.5): counters and histograms, summed over records, written as OpenMetrics text.
//!
//! Names are `rollback_<noun>_<unit>[_total]`. Everything is counted from what was written down, so that a recorded
//! run, a campaign and a live engine are measured in the same way; only the end of the harm is of the truth, and missing
//! where there is none. All series of a family have the same labels.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::execution::{AttemptFacts, ExecutionFacts};
use super::facts::RecordFacts;
use backspin_domain::engine_io::{VoidAnswer, Wait};
use backspin_domain::execution::{EffectState, StepOutcome};
use backspin_domain::plan::{Actuator, Purpose, StepAction};
use backspin_domain::time::Millis;

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

/// All of them. Sums any number of records.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    decisions: BTreeMap<Labels, u64>,
    executions: BTreeMap<Labels, u64>,
    attempts: BTreeMap<Labels, u64>,
    retries: BTreeMap<Labels, u64>,
    undos: BTreeMap<Labels, u64>,
    reads: BTreeMap<Labels, u64>,
    waits: BTreeMap<Labels, u64>,
    breaker_waits: BTreeMap<Labels, u64>,
    approvals: BTreeMap<Labels, u64>,
    void: BTreeMap<Labels, u64>,
    quiet: BTreeMap<Labels, Millis>,
    execution_s: BTreeMap<Labels, Histogram>,
    step_s: BTreeMap<Labels, Histogram>,
    mitigation_s: BTreeMap<Labels, Histogram>,
    pages: u64,
    restarts: u64,
    down: Millis,
    resumes: u64,
    unmitigated: u64,
    open: u64,
}

impl Metrics {
    /// Counts one record.
    pub fn record(&mut self, facts: &RecordFacts) {
        for (_, kind) in &facts.decisions {
            count(&mut self.decisions, label("decision", &kind.to_string()));
        }
        for quiet in &facts.quiet {
            // A service's name has no character that would have to be escaped.
            let total = self.quiet.entry(format!("service=\"{}\"", quiet.service)).or_default();
            *total = *total + quiet.lasted();
        }
        if let Some(time) = facts.decision_to_mitigation() {
            let planned = facts.executions.first().map(|first| first.plan.strategy.to_string());
            let strategy = label("strategy", planned.as_deref().unwrap_or("none"));
            self.mitigation_s.entry(strategy).or_default().observe(time);
        }
        self.unmitigated += u64::from(facts.never_mitigated());
        self.pages += facts.pages;
        self.restarts += facts.restarts.len() as u64;
        self.down = facts.restarts.iter().fold(self.down, |sum, &down| sum + down);
        for execution in &facts.executions {
            self.execution(execution);
        }
    }

    fn execution(&mut self, facts: &ExecutionFacts) {
        let strategy = label("strategy", &facts.plan.strategy.to_string());
        if facts.ended.is_some() {
            let status = label("status", &facts.status.to_string());
            count(&mut self.executions, format!("{strategy},{status}"));
            self.execution_s.entry(strategy).or_default().observe(facts.took());
        } else {
            self.open += 1;
        }
        for attempt in &facts.attempts {
            self.attempt(attempt);
        }
        for (_, state) in &facts.reads {
            count(&mut self.reads, label("state", seen(state)));
        }
        for (_, wait, _) in &facts.waits {
            count(&mut self.waits, label("reason", reason(wait)));
            if let Wait::Breaker(actuator) = wait {
                count(&mut self.breaker_waits, label("actuator", other_side(*actuator)));
            }
        }
        for (answer, n) in [
            ("asked", facts.asked.len()),
            ("approved", facts.approved.len()),
            ("refused", usize::from(facts.refused.is_some())),
            ("void", facts.void.len()),
        ] {
            *self.approvals.entry(label("answer", answer)).or_default() += n as u64;
        }
        for (_, _, why) in &facts.void {
            count(&mut self.void, label("reason", no_use(*why)));
        }
        self.resumes += facts.restarts.len() as u64;
    }

    fn attempt(&mut self, attempt: &AttemptFacts) {
        let action = label("action", attempt.action.as_ref().map_or("none", action));
        let outcome = label("outcome", outcome(&attempt.result.outcome));
        match attempt.purpose {
            Purpose::Do => {
                count(&mut self.attempts, format!("{action},{outcome}"));
                if attempt.is_retry() {
                    count(&mut self.retries, action.clone());
                }
                self.step_s.entry(action).or_default().observe(attempt.took());
            }
            Purpose::Undo => count(&mut self.undos, format!("{action},{outcome}")),
        }
    }

    /// OpenMetrics text, its `# EOF` included.
    pub fn open_metrics(&self) -> String {
        let mut out = String::new();
        for (name, help, series) in [
            ("rollback_decisions", "Decisions that were written down, by kind.", &self.decisions),
            ("rollback_executions", "Executions that ended, by strategy and status.", &self.executions),
            (
                "rollback_step_attempts",
                "Attempts to carry a step out, by action and outcome.",
                &self.attempts,
            ),
            ("rollback_step_retries", "Attempts beyond the first of their step, by action.", &self.retries),
            ("rollback_step_undos", "Attempts to take a step back, by action and outcome.", &self.undos),
            ("rollback_effect_reads", "Effects read back, by what was to be seen.", &self.reads),
            ("rollback_effect_waits", "Effects that were held up, by reason.", &self.waits),
            (
                "rollback_breaker_waits",
                "Effects that an open breaker held up, by actuator.",
                &self.breaker_waits,
            ),
            ("rollback_approvals", "Requests for approval and answers.", &self.approvals),
            ("rollback_approvals_void", "Answers that did not count, by reason.", &self.void),
        ] {
            counters(&mut out, name, help, series.iter().map(|(labels, n)| (labels.as_str(), n)));
        }
        for (name, help, value) in [
            ("rollback_pages", "Calls for a person.", self.pages),
            ("rollback_engine_restarts", "Times that the engine was started again.", self.restarts),
            ("rollback_engine_resumes", "Open executions that a restarted engine found.", self.resumes),
            (
                "rollback_unmitigated",
                "Records with a decision to roll back in which the harm did not end; by the truth.",
                self.unmitigated,
            ),
        ] {
            counters(&mut out, name, help, [("", value)]);
        }
        let quiet = self.quiet.iter().map(|(labels, time)| (labels.as_str(), time.as_secs_f64()));
        counters(
            &mut out,
            "rollback_alerts_quiet_seconds",
            "How long alerts were kept quiet, by service.",
            quiet,
        );
        let down = [("", self.down.as_secs_f64())];
        counters(
            &mut out,
            "rollback_engine_down_seconds",
            "How long no engine watched, up to its restarts.",
            down,
        );
        for (name, help, series) in [
            ("rollback_execution_duration_seconds", "From plan to end, by strategy.", &self.execution_s),
            ("rollback_step_duration_seconds", "Attempts to carry a step out, by action.", &self.step_s),
            (
                "rollback_mitigation_duration_seconds",
                "From the first decision to roll back to the end of the harm, by strategy; by the truth.",
                &self.mitigation_s,
            ),
        ] {
            describe(&mut out, name, "histogram", help);
            for (labels, histogram) in series {
                write_histogram(&mut out, name, labels, histogram);
            }
        }
        let name = "rollback_executions_open";
        describe(&mut out, name, "gauge", "Executions that have not ended.");
        let _ = writeln!(out, "{name} {}\n# EOF", self.open);
        out
    }
}

/// What stands before the samples of a family; a unit where its name ends with one.
fn describe(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# TYPE {name} {kind}");
    if name.ends_with("_seconds") {
        let _ = writeln!(out, "# UNIT {name} seconds");
    }
    let _ = writeln!(out, "# HELP {name} {help}");
}

fn counters<'a>(
    out: &mut String,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = (&'a str, impl std::fmt::Display)>,
) {
    describe(out, name, "counter", help);
    for (labels, value) in series {
        let _ = writeln!(out, "{name}_total{} {value}", braces(labels));
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

const fn seen(state: &EffectState) -> &'static str {
    match state {
        EffectState::Applied => "applied",
        EffectState::Underway => "underway",
        EffectState::NotApplied => "not_applied",
        EffectState::Unreadable(_) => "unreadable",
    }
}

const fn reason(wait: &Wait) -> &'static str {
    match wait {
        Wait::Breaker(_) => "breaker",
        Wait::RateLimit => "rate_limit",
        Wait::Calendar(_) => "calendar",
        Wait::Approval => "approval",
    }
}

const fn other_side(actuator: Actuator) -> &'static str {
    match actuator {
        Actuator::Cluster => "cluster",
        Actuator::Traffic => "traffic",
        Actuator::Flags => "flags",
        Actuator::Discovery => "discovery",
        Actuator::Notification => "notification",
        Actuator::Database => "database",
        Actuator::Infrastructure => "infrastructure",
    }
}

const fn no_use(why: VoidAnswer) -> &'static str {
    match why {
        VoidAnswer::NoSuchExecution => "no_such_execution",
        VoidAnswer::NotAwaited => "not_awaited",
        VoidAnswer::OtherPlan => "other_plan",
        VoidAnswer::Expired => "expired",
        VoidAnswer::OwnPlan => "own_plan",
        VoidAnswer::WrongRole => "wrong_role",
    }
}

const fn outcome(outcome: &StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Succeeded => "succeeded",
        StepOutcome::Failed(_) => "failed",
        StepOutcome::TimedOut => "timed_out",
        StepOutcome::Unknown => "unknown",
    }
}

/// The kind of an action; actions of one kind differ in whom they act on.
const fn action(action: &StepAction) -> &'static str {
    match action {
        StepAction::ScaleVersion { .. } => "scale_version",
        StepAction::ShiftTraffic { .. } => "shift_traffic",
        StepAction::ValidateStandby { .. } => "validate_standby",
        StepAction::SwitchTraffic { .. } => "switch_traffic",
        StepAction::VerifyTraffic { .. } => "verify_traffic",
        StepAction::WatchHealth { .. } => "watch_health",
        StepAction::DisableFlags { .. } => "disable_flags",
        StepAction::VerifyFlags { .. } => "verify_flags",
        StepAction::RevertSchema { .. } => "revert_schema",
        StepAction::VerifySchema { .. } => "verify_schema",
        StepAction::RevertInfrastructure { .. } => "revert_infrastructure",
        StepAction::VerifyInfrastructure { .. } => "verify_infrastructure",
        StepAction::UpdateServiceDiscovery { .. } => "update_service_discovery",
        StepAction::Notify { .. } => "notify",
    }
}

#[cfg(test)]
mod tests;
