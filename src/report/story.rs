//! The story of one run, for people (SPEC 6.6): what was decided and why, what was done about it, what came of it.

use serde::Serialize;

use super::recommend::recommend;
use super::told::told;
use super::words::{self, NOTHING};
use crate::domain::engine_io::JournalEntry;
use crate::domain::entry::Entry;
use crate::domain::event::{Decision, RollbackEvent};
use crate::domain::execution::{StepOutcome, StepResult};
use crate::domain::id::ExecutionId;
use crate::domain::plan::{Approval, Check, CheckResult, RiskKind, RiskLevel, RollbackPlan};
use crate::domain::time::MonoTime;
use crate::domain::truth::{Milestone, TruthEntry};
use crate::score::{ExecutionFacts, Executions};

/// The story, in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Story {
    pub(super) timeline: Vec<Moment>,
    pub(super) event: Option<EventWords>,
    pub(super) plans: Vec<PlanWords>,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Moment {
    pub(super) when: String,
    pub(super) what: String,
}

/// Why it rolled back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct EventWords {
    pub(super) reason: String,
    pub(super) evidence: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) factors: Vec<[String; 5]>,
}

/// A plan and its execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PlanWords {
    id: u32,
    pub(super) strategy: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) rejected: Vec<(String, String)>,
    pub(super) risks: Vec<[String; 3]>,
    pub(super) steps: Vec<StepWords>,
    /// Checks before the first and after the last step that were made.
    pub(super) checks: Vec<String>,
    pub(super) status: String,
    /// What to change, by the rules of [`recommend`].
    pub(super) recommendations: Vec<String>,
}

/// A step and its attempts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct StepWords {
    pub(super) number: usize,
    pub(super) action: String,
    pub(super) critical: bool,
    pub(super) attempts: Vec<AttemptWords>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct AttemptWords {
    pub(super) started: String,
    pub(super) took: String,
    pub(super) outcome: String,
    pub(super) good: bool,
    pub(super) checks: Vec<String>,
}

/// Tells the story of a record.
pub(super) fn story(entries: &[Entry], deployed: MonoTime) -> Story {
    let mut story = Story::default();
    let mut moments: Vec<(MonoTime, String)> = vec![(deployed, "The deploy began.".into())];
    for entry in entries {
        match entry {
            Entry::Journal(at, entry) => {
                moments.extend(moment(entry).map(|what| (*at, what)));
                story.take(*at, entry, deployed);
            }
            Entry::Truth(_, TruthEntry::Known(truth)) => {
                moments.extend(truth.onset.map(|at| (at, "Users began to feel it (onset).".into())));
            }
            Entry::Truth(at, TruthEntry::Reached(milestone)) => {
                let what = match milestone {
                    Milestone::Mitigated => "The harm fell below 1 % of users (mitigated).",
                    Milestone::Recovered => "The target serves all, signals within margins (recovered).",
                };
                moments.push((*at, what.into()));
            }
            Entry::End(at) => moments.push((*at, "The record ends.".into())),
            Entry::Truth(at, TruthEntry::EngineLost) => {
                moments.push((*at, "The engine's process died.".into()));
            }
            Entry::Header(_)
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Truth(
                _,
                TruthEntry::Tick(_)
                | TruthEntry::Effect(_)
                | TruthEntry::Left(_)
                | TruthEntry::Sensitivity(_)
                | TruthEntry::Extrapolated(_),
            ) => {}
        }
    }
    for facts in Executions::of(entries) {
        if let Some(plan) = story.plan(facts.id) {
            plan.recommendations = recommend(&facts);
        }
    }
    moments.sort_by_key(|(at, _)| *at);
    let all = moments.len();
    moments.truncate(MOMENTS_MAX);
    story.timeline =
        moments.into_iter().map(|(at, what)| Moment { when: words::since(at, deployed), what }).collect();
    if all > MOMENTS_MAX {
        let what = format!("… and {} more; the record has them all.", all - MOMENTS_MAX);
        story.timeline.push(Moment { when: String::new(), what });
    }
    story
}

/// Longest timeline that is still read; an engine that changes its mind at every scrape would fill pages.
const MOMENTS_MAX: usize = 60;

pub(super) fn moment(entry: &JournalEntry) -> Option<String> {
    match entry {
        JournalEntry::Decided { decision, .. } => Some(match decision {
            Decision::Hold(reason) => format!("Hold: {reason}."),
            Decision::Pause(reason) => format!("Pause the rollout: {reason}."),
            Decision::Escalate(reason) => format!("Escalate to a person: {reason}."),
            Decision::RollBack(event) => format!("Roll back to {}: {}.", event.target, event.reason),
        }),
        JournalEntry::Planned { plan, .. } => Some(format!("Planned: {}.", plan.strategy)),
        JournalEntry::Status { status, error, left, .. } => {
            let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            let left = left.map(|left| format!(" Left so: {left}.")).unwrap_or_default();
            Some(format!("Execution {status}{error}.{left}"))
        }
        JournalEntry::RolloutIntent { .. }
        | JournalEntry::Waiting { .. }
        | JournalEntry::Asked { .. }
        | JournalEntry::Approved { .. }
        | JournalEntry::Void { .. }
        | JournalEntry::Alerts { .. }
        | JournalEntry::Page { .. }
        | JournalEntry::Resumed { .. } => told(entry).map(|words| sentence(&words)),
        JournalEntry::Judged { .. }
        | JournalEntry::Intent { .. }
        | JournalEntry::Outcome { .. }
        | JournalEntry::Validated { .. } => None,
    }
}

/// With a capital and a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

impl PlanWords {
    /// What became of it.
    pub(super) fn take(&mut self, facts: &ExecutionFacts, deployed: MonoTime) {
        for result in &facts.attempts {
            if let Some(step) = self.steps.get_mut(usize::from(result.step)) {
                step.attempts.push(attempt_words(result, deployed));
            }
        }
        self.checks = facts.checks.iter().map(check_words).collect();
    }
}

impl Story {
    fn take(&mut self, at: MonoTime, entry: &JournalEntry, deployed: MonoTime) {
        match entry {
            JournalEntry::Decided { decision: Decision::RollBack(event), .. } => {
                self.event.get_or_insert_with(|| event_words(event));
            }
            JournalEntry::Planned { execution, plan } => self.plans.push(plan_words(*execution, plan)),
            JournalEntry::Outcome { execution, result } => {
                let attempt = attempt_words(result, deployed);
                if let Some(step) =
                    self.plan(*execution).and_then(|p| p.steps.get_mut(usize::from(result.step)))
                {
                    step.attempts.push(attempt);
                }
            }
            JournalEntry::Validated { execution, checks } => {
                let when = words::since(at, deployed);
                if let Some(plan) = self.plan(*execution) {
                    plan.checks
                        .extend(checks.iter().map(|result| format!("{when}: {}", check_words(result))));
                }
            }
            JournalEntry::Status { execution, status, error, left } => {
                if let Some(plan) = self.plan(*execution) {
                    plan.status = match error {
                        Some(error) => format!("{status}: {error}"),
                        None => status.to_string(),
                    };
                    plan.facts.extend(left.map(|left| ("left so", left.to_string())));
                }
            }
            JournalEntry::Decided { .. }
            | JournalEntry::Judged { .. }
            | JournalEntry::Intent { .. }
            | JournalEntry::RolloutIntent { .. }
            | JournalEntry::Waiting { .. }
            | JournalEntry::Asked { .. }
            | JournalEntry::Approved { .. }
            | JournalEntry::Void { .. }
            | JournalEntry::Alerts { .. }
            | JournalEntry::Page { .. }
            | JournalEntry::Resumed { .. } => {}
        }
    }

    fn plan(&mut self, execution: ExecutionId) -> Option<&mut PlanWords> {
        self.plans.iter_mut().find(|plan| plan.id == execution.0)
    }
}

pub(super) fn event_words(event: &RollbackEvent) -> EventWords {
    let effect = &event.effect;
    let percent = words::percent;
    let mut facts = vec![
        ("trigger", trigger(event.trigger).to_owned()),
        ("severity", event.severity.to_string()),
        ("versions", format!("{} → {}", event.current, event.target)),
        (
            "effect",
            format!(
                "{} more requests harmed (at least {}), {} of users exposed",
                percent(effect.harm),
                percent(effect.harm_lower),
                percent(effect.exposure)
            ),
        ),
        (
            "begun by",
            format!("{}{}", event.initiated_by, if event.automated { ", without a person" } else { "" }),
        ),
    ];
    if let Some(sure) = event.attribution {
        facts.push(("the deploy is the cause", format!("{} sure", percent(sure.get()))));
    }
    if let Some(verdict) = &event.verdict {
        let (score, threshold) = (words::number(verdict.score), words::number(verdict.threshold));
        facts.push(("verdict", format!("{}: score {score}, threshold {threshold}", verdict.class)));
    }
    let factors = event.evidence.factors.iter().map(|f| {
        [
            f.signal.clone(),
            words::signal(&f.signal, f.value),
            words::signal(&f.signal, f.threshold),
            words::number(f.impact),
            words::number(f.contribution),
        ]
    });
    EventWords {
        reason: event.reason.clone(),
        evidence: event.evidence.words.clone(),
        facts,
        factors: factors.collect(),
    }
}

const fn trigger(trigger: crate::domain::event::Trigger) -> &'static str {
    use crate::domain::event::Trigger;
    match trigger {
        Trigger::Manual => "manual",
        Trigger::Automated => "automated",
        Trigger::HealthCheckFailure => "health-check failure",
        Trigger::ErrorRateThreshold => "error rate",
        Trigger::LatencyThreshold => "latency",
        Trigger::BusinessMetricFailure => "business metric",
        Trigger::SecurityIncident => "security incident",
        Trigger::ComplianceViolation => "compliance violation",
    }
}

pub(super) fn plan_words(execution: ExecutionId, plan: &RollbackPlan) -> PlanWords {
    let approval = match &plan.approval {
        Approval::NotRequired => "not required".to_owned(),
        Approval::Standing { approver, .. } => format!("standing, given by {approver}"),
        Approval::Required { role, reason } => format!("{role}, because {reason}"),
    };
    let names = |items: &[crate::domain::id::ServiceId]| {
        items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut facts = vec![
        ("estimated", plan.estimated.to_string()),
        ("approval", approval),
        ("window", plan.window.clone().unwrap_or_else(|| "any time".into())),
    ];
    if !plan.dependencies.is_empty() {
        facts.push(("depends on", names(&plan.dependencies)));
    }
    let steps = plan.steps.iter().zip(1..).map(|(step, number)| StepWords {
        number,
        action: step.action.to_string(),
        critical: step.critical,
        attempts: Vec::new(),
    });
    PlanWords {
        id: execution.0,
        strategy: plan.strategy.to_string(),
        facts,
        rejected: plan.rejected.iter().map(|r| (r.strategy.to_string(), r.reason.clone())).collect(),
        risks: plan
            .risks
            .iter()
            .map(|r| [kind(r.kind).into(), level(r.level).into(), r.reason.clone()])
            .collect(),
        steps: steps.collect(),
        checks: Vec::new(),
        status: "planned".into(),
        recommendations: Vec::new(),
    }
}

const fn kind(kind: RiskKind) -> &'static str {
    match kind {
        RiskKind::DataLoss => "data loss",
        RiskKind::Capacity => "capacity",
        RiskKind::Dependency => "dependency",
        RiskKind::BlastRadius => "blast radius",
        RiskKind::StaleTarget => "stale target",
    }
}

const fn level(level: RiskLevel) -> &'static str {
    match level {
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
    }
}

fn attempt_words(result: &StepResult, deployed: MonoTime) -> AttemptWords {
    AttemptWords {
        started: words::since(result.started, deployed),
        took: words::whole(result.ended.since(result.started)),
        outcome: outcome_words(&result.outcome),
        good: result.outcome == StepOutcome::Succeeded && result.checks.iter().all(|check| check.passed),
        checks: result.checks.iter().map(check_words).collect(),
    }
}

/// What came of an attempt.
pub(super) fn outcome_words(outcome: &StepOutcome) -> String {
    match outcome {
        StepOutcome::Succeeded => "succeeded".to_owned(),
        StepOutcome::Failed(reason) => format!("failed: {reason}"),
        StepOutcome::TimedOut => "timed out".to_owned(),
        StepOutcome::Unknown => "unknown whether it took effect".to_owned(),
    }
}

/// `passed: error ratio at most 1.00 %, measured 0.2 %`.
pub(super) fn check_words(result: &CheckResult) -> String {
    let measured = result.measured.map_or_else(
        || NOTHING.to_owned(),
        |value| match result.check {
            Check::TargetReady { .. } => words::number(value),
            Check::CandidateShareAtMost { .. }
            | Check::ErrorRatioAtMost { .. }
            | Check::SlowRatioAtMost { .. } => words::percent(value),
        },
    );
    let passed = if result.passed { "passed" } else { "not passed" };
    format!("{passed}: {}, measured {measured}", result.check)
}
