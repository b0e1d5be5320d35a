//! The story of one run, for people (SPEC 6.6): what was decided and why, what was done about it, what came of it.

use serde::Serialize;

use super::recommend::recommend;
use super::told::{Told, told};
use super::words::{self, NOTHING};
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::Entry;
use backspin_domain::event::{Decision, RollbackEvent};
use backspin_domain::execution::StepOutcome;
use backspin_domain::forecast::Forecast;
use backspin_domain::plan::{Approval, Check, CheckResult, Purpose, RiskKind, RiskLevel, RollbackPlan};
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{Milestone, TruthEntry};
use backspin_score::{AttemptFacts, ExecutionFacts, RecordFacts};

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
    /// What to change, by the rules of [`recommend`]; the report of an execution tells it beside the plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
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
    /// What was asked for.
    pub(super) action: String,
    /// Whether it was to take the step back.
    pub(super) undo: bool,
    /// The try of that, from 1.
    pub(super) nth: u16,
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
                if let (JournalEntry::Decided { decision: Decision::RollBack(event), .. }, None) =
                    (entry, &story.event)
                {
                    story.event = Some(event_words(event));
                }
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
    for facts in RecordFacts::of(entries).executions {
        let mut plan = plan_words(&facts, deployed);
        plan.facts.extend(facts.left.map(|left| ("left so", left.to_string())));
        plan.recommendations = recommend(&facts, deployed);
        story.plans.push(plan);
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
    match told(entry) {
        Told::Sentence(words) => Some(sentence(&words)),
        Told::Decided(decision) => Some(match decision {
            Decision::Hold(reason) => format!("Hold: {reason}."),
            Decision::Pause(reason) => format!("Pause the rollout: {reason}."),
            Decision::Escalate(reason) => format!("Escalate to a person: {reason}."),
            Decision::RollBack(event) => format!("Roll back to {}: {}.", event.target, event.reason),
        }),
        Told::Planned(plan) => Some(format!("Planned: {}.", plan.strategy)),
        Told::Attempted(..) | Told::Checked(_) | Told::Nothing => None,
    }
}

/// With a capital and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
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

const fn trigger(trigger: backspin_domain::event::Trigger) -> &'static str {
    use backspin_domain::event::Trigger;
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

/// When a plan may run, who agrees, and how long it takes.
pub(super) fn plan_facts(plan: &RollbackPlan) -> Vec<(&'static str, String)> {
    let approval = match &plan.approval {
        Approval::NotRequired => "not required".to_owned(),
        Approval::Standing { approver, .. } => format!("standing, given by {approver}"),
        Approval::Required { role, reason } => format!("{role}, because {reason}"),
    };
    let names = |items: &[backspin_domain::id::ServiceId]| {
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
    facts.extend(forecast_facts(&plan.forecast));
    facts
}

/// What models say of a plan; of what they do not know nothing.
pub fn forecast_facts(forecast: &Forecast) -> impl Iterator<Item = (&'static str, String)> {
    let success = forecast.success.map(|chance| {
        let [likely, lower, upper] = [chance.likely, chance.lower, chance.upper].map(|share| share * 100.0);
        ("plans like it", format!("{likely:.0} % reach their end ({lower:.0}–{upper:.0} %)"))
    });
    let harm = forecast.harmed_per_min.map(|harm| {
        let [likely, lower, upper] = [harm.likely, harm.lower, harm.upper].map(words::users);
        ("if nobody acts", format!("{likely} users harmed a minute ({lower}–{upper})"))
    });
    success.into_iter().chain(harm)
}

/// Strategies that a plan passed over, and why.
pub(super) fn rejected(plan: &RollbackPlan) -> Vec<(String, String)> {
    plan.rejected.iter().map(|r| (r.strategy.to_string(), r.reason.clone())).collect()
}

/// A plan's risks: kind, level and reason.
pub(super) fn risks(plan: &RollbackPlan) -> Vec<[String; 3]> {
    plan.risks.iter().map(|r| [kind(r.kind).into(), level(r.level).into(), r.reason.clone()]).collect()
}

/// A plan and what became of it; without advice, and without how it left the service.
pub(super) fn plan_words(execution: &ExecutionFacts, deployed: MonoTime) -> PlanWords {
    let plan = &execution.plan;
    let steps = plan.steps.iter().enumerate().map(|(place, step)| {
        let own = execution.attempts.iter().filter(|attempt| usize::from(attempt.result.step) == place);
        StepWords {
            number: place + 1,
            action: step.action.to_string(),
            critical: step.critical,
            attempts: own.map(|attempt| attempt_words(attempt, deployed)).collect(),
        }
    });
    PlanWords {
        id: execution.id.0,
        strategy: plan.strategy.to_string(),
        facts: plan_facts(plan),
        rejected: rejected(plan),
        risks: risks(plan),
        steps: steps.collect(),
        checks: execution.checks.iter().map(check_words).collect(),
        status: match &execution.error {
            Some(error) => format!("{}: {error}", execution.status),
            None => execution.status.to_string(),
        },
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

fn attempt_words(attempt: &AttemptFacts, deployed: MonoTime) -> AttemptWords {
    let result = &attempt.result;
    AttemptWords {
        action: attempt.action.as_ref().map(ToString::to_string).unwrap_or_default(),
        undo: attempt.purpose == Purpose::Undo,
        nth: attempt.nth,
        started: words::since(result.started, deployed),
        took: words::whole(attempt.took()),
        outcome: outcome_words(&result.outcome),
        good: attempt.is_good(),
        checks: result.checks.iter().map(check_words).collect(),
    }
}

impl AttemptWords {
    /// What was done: `undo: scale v41 to 3 replicas, try 2`.
    pub(super) fn name(&self, critical: &str) -> String {
        let again = if self.nth > 1 { format!(", try {}", self.nth) } else { String::new() };
        if self.undo {
            format!("undo: {}{again}", self.action)
        } else {
            format!("{}{critical}{again}", self.action)
        }
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
