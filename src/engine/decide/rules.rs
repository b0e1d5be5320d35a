//! Rules that a policy adds to its judge: limits on signals, together, for a time, one after the other (SPEC 2.10).
//!
//! A step holds while all its conditions have held for as long as it asks. A pattern is a row of steps: each must come true
//! after the one before was last true, and within its time. A sample that is missing neither keeps a condition nor breaks
//! it: a rule never takes it for good, and never fires on it.

use crate::settings::{Limit, Reads, RuleAction, SignalRule};
use backspin_domain::frame::Frame;
use backspin_domain::signal::QueryValue;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Evidence, Factor};

/// What is remembered of every step of every rule, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleStates(Vec<StepState>);

#[derive(Clone, Copy, Debug, Default)]
struct StepState {
    /// Since when its conditions hold.
    since: Option<MonoTime>,
    /// When the row up to it was complete last.
    done: Option<MonoTime>,
}

/// Which rules fired on a frame, by their place in the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fired {
    /// The first that rolls back.
    pub(crate) roll_back: Option<usize>,
    /// Whether one holds the ramp.
    pub(crate) hold: bool,
}

impl RuleStates {
    /// Takes a frame after the deploy.
    pub(crate) fn observe(&mut self, rules: &[SignalRule], frame: &Frame) -> Fired {
        let mut fired = Fired::default();
        self.0.resize(rules.iter().map(|rule| rule.steps.len()).sum(), StepState::default());
        let mut from = 0;
        for (index, rule) in rules.iter().enumerate() {
            let states = &mut self.0[from..from + rule.steps.len()];
            from += rule.steps.len();
            if !fires(rule, states, frame) {
                continue;
            }
            match rule.then {
                RuleAction::RollBack => fired.roll_back = fired.roll_back.or(Some(index)),
                RuleAction::Hold => fired.hold = true,
            }
        }
        fired
    }
}

/// Moves a rule's steps by a frame; tells whether the last of them is complete on it.
fn fires(rule: &SignalRule, states: &mut [StepState], frame: &Frame) -> bool {
    let at = frame.at;
    // From the last to the first: a step counts from when the one before it was complete, which this frame must not be.
    for n in (0..rule.steps.len()).rev() {
        let step = &rule.steps[n];
        let before = n.checked_sub(1).and_then(|before| states[before].done);
        let state = &mut states[n];
        let holds =
            match held(step.all.iter().map(|condition| (condition.reads.value(frame), condition.limit))) {
                Some(true) => at.since(*state.since.get_or_insert(at)) >= step.lasts,
                Some(false) => {
                    state.since = None;
                    false
                }
                None => false,
            };
        let follows = n == 0
            || before.is_some_and(|before| {
                before < at && step.within.is_none_or(|within| at.since(before) <= within)
            });
        if holds && follows {
            state.done = Some(at);
        }
    }
    states.last().is_some_and(|state| state.done == Some(at))
}

/// Whether all conditions hold; none where that hangs on a value that is missing.
fn held(conditions: impl Iterator<Item = (Option<f64>, Limit)>) -> Option<bool> {
    let mut all = Some(true);
    for (value, limit) in conditions {
        match value.map(|value| limit.holds(value)) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

impl Reads {
    /// The value in a frame, where it was measured.
    fn value(&self, frame: &Frame) -> Option<f64> {
        match self {
            Self::Signal(kind) => frame.signals.get(*kind).usable(),
            Self::Custom { query, .. } => match frame.queries.get(*query) {
                Some(QueryValue::Number(value)) => Some(*value),
                Some(QueryValue::Nan | QueryValue::Empty | QueryValue::Failed) | None => None,
            },
        }
    }

    fn show(&self, value: f64) -> String {
        match self {
            Self::Signal(kind) => kind.show(value),
            Self::Custom { .. } => format!("{value}"),
        }
    }
}

impl Limit {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Above(limit) => value > limit,
            Self::Below(limit) => value < limit,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Above(_) => "above",
            Self::Below(_) => "below",
        }
    }

    const fn number(self) -> f64 {
        match self {
            Self::Above(limit) | Self::Below(limit) => limit,
        }
    }
}

/// Why a rule fired: the values of its last step, and what went before in words.
pub(crate) fn evidence(rule: &SignalRule, frame: &Frame) -> Evidence {
    let Some((last, before)) = rule.steps.split_last() else { return Evidence::default() };
    let share = 1.0 / last.all.len().max(1) as f64;
    let mut factors = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for condition in &last.all {
        let Some(value) = condition.reads.value(frame) else { continue };
        let (reads, limit) = (&condition.reads, condition.limit);
        let lasts = if last.lasts > Millis(0) { format!(" for {}", last.lasts) } else { String::new() };
        let (value_words, limit_words) = (reads.show(value), reads.show(limit.number()));
        words.push(format!("{} is {value_words}, {} {limit_words}{lasts}", reads.name(), limit.word()));
        factors.push(Factor {
            signal: reads.name().to_owned(),
            value,
            threshold: limit.number(),
            impact: 1.0,
            contribution: share,
        });
    }
    if !before.is_empty() {
        let steps: Vec<String> = before
            .iter()
            .map(|step| {
                let names: Vec<String> = step.all.iter().map(|c| c.reads.name().to_owned()).collect();
                names.join(" and ")
            })
            .collect();
        words.push(format!("after {}", steps.join(", then ")));
    }
    Evidence { words: words.join("; "), factors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Condition, RuleStep};
    use backspin_domain::signal::{SignalKind, SignalSample};

    fn when(kind: SignalKind, limit: Limit) -> Condition {
        Condition { reads: Reads::Signal(kind), limit }
    }

    fn step(kind: SignalKind, above: f64, lasts_s: u64, within_s: Option<u64>) -> RuleStep {
        RuleStep {
            all: vec![when(kind, Limit::Above(above))],
            lasts: Millis(lasts_s * 1000),
            within: within_s.map(|s| Millis(s * 1000)),
        }
    }

    fn rule(steps: Vec<RuleStep>) -> SignalRule {
        SignalRule { name: "a".to_owned(), steps, then: RuleAction::RollBack, severity: None }
    }

    /// Frames 15 s apart with errors and complaints; a letter per frame: `R` where the rule fires.
    fn played(rule: &SignalRule, frames: &[(Option<f64>, Option<f64>)]) -> String {
        let mut states = RuleStates::default();
        let mut letter = |(n, (errors, complaints)): (usize, &(Option<f64>, Option<f64>))| {
            let mut frame = Frame { at: MonoTime(15_000 * (n as u64 + 1)), ..Frame::default() };
            for (kind, value) in
                [(SignalKind::ErrorRatio, errors), (SignalKind::ComplaintsPerHour, complaints)]
            {
                if let Some(value) = value {
                    frame.signals.set(kind, SignalSample::fresh(*value, 100));
                }
            }
            let fired = states.observe(std::slice::from_ref(rule), &frame);
            if fired.roll_back == Some(0) { 'R' } else { '.' }
        };
        frames.iter().enumerate().map(&mut letter).collect()
    }

    const BAD: (Option<f64>, Option<f64>) = (Some(0.1), Some(0.0));
    const GOOD: (Option<f64>, Option<f64>) = (Some(0.0), Some(0.0));
    const GAP: (Option<f64>, Option<f64>) = (None, None);
    const CALLS: (Option<f64>, Option<f64>) = (Some(0.0), Some(60.0));

    #[test]
    fn a_threshold_must_last() {
        let at_once = rule(vec![step(SignalKind::ErrorRatio, 0.05, 0, None)]);
        assert_eq!(played(&at_once, &[GOOD, BAD, GOOD, BAD]), ".R.R");
        let lasting = rule(vec![step(SignalKind::ErrorRatio, 0.05, 30, None)]);
        assert_eq!(played(&lasting, &[BAD, BAD, BAD, BAD, GOOD, BAD, BAD]), "..RR...");
    }

    #[test]
    fn what_is_missing_neither_fires_nor_breaks() {
        let lasting = rule(vec![step(SignalKind::ErrorRatio, 0.05, 30, None)]);
        assert_eq!(played(&lasting, &[BAD, GAP, BAD, GAP, BAD]), "..R.R");
        let below = rule(vec![RuleStep {
            all: vec![when(SignalKind::ErrorRatio, Limit::Below(0.5))],
            lasts: Millis(0),
            within: None,
        }]);
        assert_eq!(played(&below, &[GAP, GOOD]), ".R", "no value is not a small one");
    }

    #[test]
    fn a_pattern_comes_in_its_order_and_in_time() {
        let pattern = rule(vec![
            step(SignalKind::ErrorRatio, 0.05, 0, None),
            step(SignalKind::ComplaintsPerHour, 30.0, 0, Some(45)),
        ]);
        assert_eq!(
            played(&pattern, &[CALLS, BAD, CALLS]),
            "..R",
            "complaints alone, or before, do not count"
        );
        assert_eq!(played(&pattern, &[BAD, GOOD, GOOD, GOOD, CALLS]), ".....", "a minute after is too late");
        assert_eq!(played(&pattern, &[BAD, GOOD, BAD, GOOD, GOOD, CALLS]), ".....R", "the last time counts");
        let both = (Some(0.1), Some(60.0));
        assert_eq!(played(&pattern, &[both, both]), ".R", "one frame is not two steps");
    }

    #[test]
    fn all_conditions_of_a_step_hold_together() {
        let conditions = vec![
            when(SignalKind::ErrorRatio, Limit::Above(0.05)),
            when(SignalKind::ComplaintsPerHour, Limit::Above(30.0)),
        ];
        let both = rule(vec![RuleStep { all: conditions, lasts: Millis(0), within: None }]);
        let frames = [BAD, CALLS, (Some(0.1), Some(60.0)), (Some(0.1), None)];
        assert_eq!(played(&both, &frames), "..R.");
        let frame = Frame { at: MonoTime(0), ..Frame::default() };
        assert_eq!(evidence(&both, &frame).factors.len(), 0);
    }
}
