//! Whether a scenario's expectation is met: in one run, and over its seeds.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::elapsed::Elapsed;
use super::interval::Share;
use super::outcome::{Feasible, RunOutcome};
use backspin_domain::event::DecisionKind;
use backspin_domain::expectation::{Expectation, Never};
use backspin_domain::plan::Strategy;
use backspin_domain::time::Millis;

/// A part of an expectation that a run did not meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unmet {
    /// None of the expected decisions was made; what was made instead.
    Decision(DecisionKind),
    /// It rolled back, but before any harm was done.
    BeforeOnset,
    /// It rolled back to another version.
    Target(String),
    /// It rolled back another way; none if no plan was made.
    Strategy(Option<Strategy>),
    /// Detection took too long.
    TimeToDetect {
        /// What it took.
        took: Elapsed,
        /// What is allowed.
        max: Millis,
    },
    /// Mitigation took too long.
    TimeToMitigate {
        /// What it took.
        took: Elapsed,
        /// What is allowed.
        max: Millis,
    },
    /// What must never happen did.
    Never(Never),
}

impl Unmet {
    /// The part's name, by which runs are counted.
    pub const fn part(&self) -> &'static str {
        match self {
            Self::Decision(_) => "decision",
            Self::BeforeOnset => "before onset",
            Self::Target(_) => "target",
            Self::Strategy(_) => "strategy",
            Self::TimeToDetect { .. } => "time to detect",
            Self::TimeToMitigate { .. } => "time to mitigate",
            Self::Never(_) => "never",
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decision(got) => write!(f, "decided to {got}"),
            Self::BeforeOnset => f.write_str("rolled back before any harm was done"),
            Self::Target(got) => write!(f, "went to {got}"),
            Self::Strategy(Some(got)) => write!(f, "went by {got}"),
            Self::Strategy(None) => f.write_str("made no plan"),
            Self::TimeToDetect { took, max } => write!(f, "time to detect {took}, at most {max} allowed"),
            Self::TimeToMitigate { took, max } => write!(f, "time to mitigate {took}, at most {max} allowed"),
            Self::Never(never) => f.write_str(match never {
                Never::CandidateTrafficRises => "the candidate's share rose during the rollback",
                Never::RollBack => "rolled back, which must never happen here",
                Never::Escalate => "called a person, which must never happen here",
                Never::TrafficToNothing => "moved traffic to a version without a ready pod",
            }),
        }
    }
}

/// Whether one run meets its expectation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunExpectation {
    /// What it did not meet.
    pub unmet: Vec<Unmet>,
    /// Parts that cannot be told, by name.
    pub unknown: Vec<String>,
}

impl RunExpectation {
    /// Everything known and met.
    pub fn is_met(&self) -> bool {
        self.unmet.is_empty() && self.unknown.is_empty()
    }
}

/// Compares a run with its scenario's expectation. `outcome.met` itself is not read.
pub(super) fn in_run(expect: &Expectation, outcome: &RunOutcome) -> RunExpectation {
    let mut result = RunExpectation::default();
    let (decisions, truth) = (&outcome.decisions, &outcome.truth);
    let early = truth.bad && decisions.roll_back.zip(truth.onset).is_some_and(|(at, onset)| at < onset);
    let made = |kind: &DecisionKind| match kind {
        DecisionKind::Hold => decisions.roll_back.is_none() && decisions.escalate.is_none(),
        DecisionKind::Pause => {
            decisions.pause.is_some() && decisions.roll_back.is_none() && decisions.escalate.is_none()
        }
        DecisionKind::RollBack => decisions.roll_back.is_some(),
        DecisionKind::Escalate => decisions.escalate.is_some(),
    };
    if !expect.decision.iter().any(made) {
        result.unmet.push(Unmet::Decision(final_decision(outcome)));
    } else if early && expect.decision.contains(&DecisionKind::RollBack) {
        result.unmet.push(Unmet::BeforeOnset);
    }
    if let Some(rollback) = &outcome.rollback {
        if expect.target.as_ref().is_some_and(|target| *target != rollback.target) {
            result.unmet.push(Unmet::Target(rollback.target.to_string()));
        }
        if expect.strategy.is_some() && expect.strategy != rollback.planned {
            result.unmet.push(Unmet::Strategy(rollback.planned));
        }
    }
    if let Some(max) = expect.time_to_detect_max {
        within(outcome.ttd, max, "time to detect", |took| Unmet::TimeToDetect { took, max }, &mut result);
    }
    if let Some(max) = expect.time_to_mitigate_max {
        within(outcome.ttm, max, "time to mitigate", |took| Unmet::TimeToMitigate { took, max }, &mut result);
    }
    let broken = expect.never.iter().filter(|never| outcome.never_broken.contains(never));
    result.unmet.extend(broken.copied().map(Unmet::Never));
    result
}

/// What a run came to, the strongest first.
pub(super) fn final_decision(outcome: &RunOutcome) -> DecisionKind {
    let decisions = &outcome.decisions;
    if decisions.roll_back.is_some() {
        DecisionKind::RollBack
    } else if decisions.escalate.is_some() {
        DecisionKind::Escalate
    } else if decisions.pause.is_some() {
        DecisionKind::Pause
    } else {
        DecisionKind::Hold
    }
}

impl RunOutcome {
    /// What the run came to: rolled back, else escalated, else paused, else held.
    pub fn final_decision(&self) -> DecisionKind {
        final_decision(self)
    }

    /// What the run came to, in order: where both a rollback was decided and a person called, both.
    pub fn course(&self) -> Vec<DecisionKind> {
        match (self.decisions.roll_back, self.decisions.escalate) {
            (Some(back), Some(call)) if back <= call => vec![DecisionKind::RollBack, DecisionKind::Escalate],
            (Some(_), Some(_)) => vec![DecisionKind::Escalate, DecisionKind::RollBack],
            (Some(_), None) | (None, _) => vec![final_decision(self)],
        }
    }
}

fn within(
    took: Elapsed,
    max: Millis,
    part: &str,
    unmet: impl FnOnce(Elapsed) -> Unmet,
    result: &mut RunExpectation,
) {
    match took {
        Elapsed::After(time) if time <= max => {}
        Elapsed::After(_) | Elapsed::NotReached(_) => result.unmet.push(unmet(took)),
        Elapsed::Unknown | Elapsed::NotApplicable => result.unknown.push(part.to_owned()),
    }
}

/// Whether a scenario's expectation is met over its seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectationStatus {
    /// Share and lower bound are reached.
    Met,
    /// The share is not reached, or something happened that never may.
    Missed,
    /// Cannot be told yet.
    Unknown,
}

impl fmt::Display for ExpectationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
        })
    }
}

/// A scenario's expectation over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SeedsExpectation {
    /// Whether it is met.
    pub status: ExpectationStatus,
    /// Why, in words.
    pub why: String,
    /// Runs that met everything, of all runs.
    pub met: Share,
    /// Runs of which a part cannot be told.
    pub unknown: u64,
    /// Runs that do not count: a rollback is expected, but no detector could have told the harm within the watch.
    #[serde(default)]
    pub infeasible: u64,
    /// How many runs failed which part.
    pub unmet: BTreeMap<String, u64>,
    /// The first run that did not meet it, by seed index.
    pub first_unmet: Option<u64>,
}

/// Whether a rollback is expected that nothing could have led to: the harm is too small to be told within the watch.
fn asks_the_impossible(expect: &Expectation, outcome: &RunOutcome) -> bool {
    outcome.truth.bound.feasible == Feasible::No
        && expect.decision.contains(&DecisionKind::RollBack)
        && !expect.decision.contains(&DecisionKind::Hold)
}

/// Sums up runs of one scenario and judge; none when no run carries an expectation.
///
/// Missed: something of `never` happened in any seed; or the share is below `share_min` and the seeds are enough
/// to tell. Runs whose harm nobody could have told do not count, except for `never`. Unknown: parts cannot be told; or even if all these seeds had succeeded, the lower bound could not
/// have reached `lower_min` (unless the upper bound already excludes `share_min`); or the share is good, but its
/// lower bound is not there yet.
pub fn over_seeds<'a>(outcomes: impl IntoIterator<Item = &'a RunOutcome>) -> Option<SeedsExpectation> {
    let (mut n, mut k, mut unknown, mut infeasible) = (0, 0, 0, 0);
    let mut unmet = BTreeMap::new();
    let (mut first_unmet, mut never, mut limits) = (None::<u64>, None::<u64>, None);
    for outcome in outcomes {
        let (Some(expect), Some(run)) = (&outcome.expect, &outcome.met) else { continue };
        limits.get_or_insert((expect.share_min, expect.lower_min));
        let never_happened = !run.unmet.iter().any(|part| matches!(part, Unmet::Never(_)));
        if never_happened && asks_the_impossible(expect, outcome) {
            infeasible += 1;
            continue;
        }
        n += 1;
        k += u64::from(run.is_met());
        unknown += u64::from(run.unmet.is_empty() && !run.unknown.is_empty());
        if !run.unmet.is_empty() {
            first_unmet = Some(first_unmet.map_or(outcome.seed_index, |first| first.min(outcome.seed_index)));
        }
        for part in &run.unmet {
            *unmet.entry(part.part().to_owned()).or_insert(0) += 1;
            if matches!(part, Unmet::Never(_)) {
                never = Some(never.map_or(outcome.seed_index, |first| first.min(outcome.seed_index)));
            }
        }
    }
    let (share_min, lower_min) = limits?;
    let met = Share::new(k, n);
    let (status, mut why) = judge(met, unknown, never, share_min, lower_min);
    if infeasible > 0 {
        use std::fmt::Write as _;
        write!(why, " ({infeasible} more could not be told by anyone)").expect("a text takes all");
    }
    Some(SeedsExpectation { status, why, met, unknown, infeasible, unmet, first_unmet })
}

fn judge(
    met: Share,
    unknown: u64,
    never: Option<u64>,
    share_min: f64,
    lower_min: f64,
) -> (ExpectationStatus, String) {
    use ExpectationStatus::{Met, Missed, Unknown};
    let percent = |x: f64| {
        let text = format!("{:.1}", x * 100.0);
        format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
    };
    if let Some(seed) = never {
        return (Missed, format!("what must never happen did, first in seed {seed}"));
    }
    // The best that the unknown runs could still turn out to be.
    let best = Share::new(met.k + unknown, met.n);
    let value = |share: Share| share.value().unwrap_or(0.0);
    let most = Share::new(met.n, met.n).lower;
    if value(best) < share_min && (most >= lower_min || best.upper < share_min) {
        (Missed, format!("{} of {} runs, {} expected", met.k, met.n, percent(share_min)))
    } else if unknown > 0 {
        (Unknown, format!("{unknown} of {} runs cannot be told", met.n))
    } else if most < lower_min {
        let why = format!(
            "{} runs are too few: even if all succeed, the lower bound is {}; {} needed",
            met.n,
            percent(most),
            percent(lower_min)
        );
        (Unknown, why)
    } else if met.lower < lower_min {
        let why = format!(
            "the share is reached, its lower bound {} not yet {}",
            percent(met.lower),
            percent(lower_min)
        );
        (Unknown, why)
    } else {
        (Met, format!("{} of {} runs, at least {} of all", met.k, met.n, percent(met.lower)))
    }
}

#[cfg(test)]
mod tests;
