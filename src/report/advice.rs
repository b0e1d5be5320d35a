//! What to look at after a run (SPEC 6.6, recommendations). Each rule is simple enough to be checked by eye.

use super::story::Story;
use super::words;
use backspin_score::{Class, Elapsed, Feasible, RunOutcome};

/// A decision later than this many times D* leaves most of the possible speed unused (target: median 2.2).
const SLOW_TIMES_BOUND: f64 = 4.0;

/// Recommendations for one run, the weightiest first.
pub(super) fn advice(outcome: &RunOutcome, story: &Story) -> Vec<String> {
    let mut advice = Vec::new();
    let bound = outcome.truth.bound;
    match outcome.class {
        Class::FalseNegative if bound.feasible == Feasible::Yes => {
            let time = bound.time.map_or_else(|| words::NOTHING.into(), |time| time.to_string());
            advice.push(format!(
                "The signals held enough to tell after {time} (D*), and nothing was decided: the judge or its \
                 threshold does not see this kind of fault."
            ));
        }
        Class::FalseNegative => {
            advice.push(
                "The signals did not hold enough within the watch for any judge: watch longer, give the candidate \
                 more traffic, or add a signal that shows this fault."
                    .into(),
            );
        }
        Class::FalsePositive => {
            advice.push(
                "This rollback was not needed. Compare the candidate with the control in the picture: where both \
                 move together the cause is shared, and a judge that compares the two would have held."
                    .into(),
            );
        }
        Class::Inconclusive => {
            advice.push(
                "The judge lacked an input it needs from first to last, so nothing speaks for or against it here: \
                 record that input, or take another judge."
                    .into(),
            );
        }
        Class::TruePositive | Class::TrueNegative | Class::Escalated => {}
    }
    if let Some(ratio) = outcome.delay_ratio().filter(|r| r.reached && r.at > SLOW_TIMES_BOUND) {
        advice.push(format!(
            "The decision took {} what the signals allow: a smaller window or a sequential judge would be faster.",
            words::times(ratio.at)
        ));
    }
    if let (Elapsed::After(ttd), Elapsed::After(ttm)) = (outcome.ttd, outcome.ttm)
        && ttm.saturating_sub(ttd) > ttd
    {
        advice.push(format!(
            "Of {ttm} to mitigation, {} came after the decision: the plan, not the judge, is the longer part.",
            ttm.saturating_sub(ttd)
        ));
    }
    for step in story.plans.iter().flat_map(|plan| &plan.steps) {
        if let Some(last) = step.attempts.iter().rfind(|attempt| !attempt.undo).filter(|last| !last.good) {
            advice.push(format!("Step {} ({}) {}.", step.number, step.action, last.outcome));
        }
    }
    for never in &outcome.never_broken {
        let expected = outcome.expect.as_ref().is_some_and(|expect| expect.never.contains(never));
        if expected {
            advice.push(format!("Never again: {}.", backspin_score::Unmet::Never(*never)));
        }
    }
    advice
}
