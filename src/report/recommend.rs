//! What to change after an execution (SPEC 6.6), by rules that can be checked by eye: each names the figure behind it.
//!
//! | what happened | recommended |
//! | --- | --- |
//! | people were waited for longer than the rest took | a standing approval for such rollbacks |
//! | somebody refused | ask for the reason before the same is planned again |
//! | nobody answered | look at who is on call |
//! | a step was tried more than once, or timed out | look at its actuator |
//! | a step was undone | find out why it could not be kept |
//! | a breaker opened | the actuator was away: is it on the same platform as what it should save? |
//! | the rate limit held it up | a greater `effects_per_minute` |
//! | the calendar held it up | an earlier rollback, or `when_closing: finish` |
//! | outcomes had to be read back | replies get lost on the way |
//! | the engine was restarted | why did it die then? |
//! | pods of the target had to be started first | keep the old version's pods for longer |
//! | the checks of the whole took longer than all steps | a shorter `settle`, or faster signals |
//! | it ended in a split or an unknown state | a person has to finish it |

use backspin_domain::engine_io::Wait;
use backspin_domain::execution::{EffectState, SafeState, StepOutcome};
use backspin_domain::plan::StepAction;
use backspin_domain::time::{Millis, MonoTime};
use backspin_score::ExecutionFacts;

use super::words;

/// Waits for people below this are not worth a word.
const PEOPLE_WAIT_MIN: Millis = Millis::from_secs(60);

/// What to change, the weightiest first; moments are told from the deploy.
pub(super) fn recommend(facts: &ExecutionFacts, deployed: MonoTime) -> Vec<String> {
    let mut all = Vec::new();
    match facts.left {
        Some(SafeState::Split { candidate_share }) => all.push(format!(
            "Finish it by hand: the candidate still has {:.0} % of the traffic.",
            candidate_share * 100.0
        )),
        Some(SafeState::Unknown) => all.push(
            "Look before anything else is done: nobody knows whether its last effect was carried out."
                .to_owned(),
        ),
        Some(SafeState::SchemaReverted) => all.push(
            "Finish it by hand: the schema is the target's again, and the candidate still serves.".to_owned(),
        ),
        Some(
            SafeState::OnTarget
            | SafeState::Untouched
            | SafeState::FlagsOff
            | SafeState::InfrastructureReverted,
        )
        | None => {}
    }
    people(facts, deployed, &mut all);
    steps(facts, &mut all);
    waits(facts, &mut all);
    if let Some(longest) = facts.restarts.iter().max() {
        let times = times(facts.restarts.len());
        all.push(format!(
            "The engine was started again {times} while it ran and was away for up to {longest}: find out why it died."
        ));
    }
    let working = facts.attempts.iter().fold(Millis::ZERO, |sum, attempt| sum + attempt.took());
    if let Some(validation) = facts.validation().filter(|&validation| validation > working) {
        all.push(format!(
            "The checks of the whole took {validation}, all steps together {working}: a shorter `planning.settle` or faster \
             signals would end it sooner."
        ));
    }
    all
}

fn people(facts: &ExecutionFacts, deployed: MonoTime, all: &mut Vec<String>) {
    let waited = facts.waited_for_people();
    let rest = facts.took().saturating_sub(waited);
    if facts.asked.is_empty() {
        return;
    }
    if let Some(refusal) = &facts.refused {
        let when = words::since(refusal.at, deployed);
        all.push(format!(
            "{} refused it as {} at {when}: ask for the reason before the same is planned again.",
            refusal.by, refusal.role
        ));
    } else if facts.approved.is_empty() && facts.ended.is_some() {
        let asked = words::plural(facts.asked.len() as u64, "role was", "roles were");
        all.push(format!(
            "Nobody approved it within {waited}, though {asked} asked: look at who is on call."
        ));
    } else if waited >= PEOPLE_WAIT_MIN && waited > rest {
        all.push(format!(
            "Of {}, {waited} went by until somebody agreed: a standing approval for rollbacks like this one would save it.",
            facts.took()
        ));
    }
    for (_, by, why) in &facts.void {
        all.push(format!("An answer of {by} did not count: {why}."));
    }
}

fn steps(facts: &ExecutionFacts, all: &mut Vec<String>) {
    for (n, step) in facts.plan.steps.iter().enumerate() {
        let tries = facts.tries(n).count();
        let late = facts.tries(n).filter(|t| t.result.outcome == StepOutcome::TimedOut).count();
        let name = format!("Step {} ({})", n + 1, step.action);
        if late > 0 {
            let (timeout, late) = (step.timeout, times(late));
            all.push(format!(
                "{name} ran into its time-out of {timeout} {late}: raise it, or look at why it takes so long."
            ));
        } else if tries > 1 {
            all.push(format!("{name} needed {tries} tries."));
        }
        if let Some(undo) = facts.undos(n).last() {
            let came_to = match undo.result.outcome {
                StepOutcome::Succeeded => "was undone",
                StepOutcome::Failed(_) | StepOutcome::TimedOut | StepOutcome::Unknown => {
                    "was to be undone, and it is not known to be"
                }
            };
            all.push(format!(
                "{name} {came_to}: find out why it could not be kept, or it will happen again."
            ));
        }
    }
    let started = facts.plan.steps.first().filter(|step| {
        matches!(&step.action, StepAction::ScaleVersion { version, replicas: 1.. } if *version == facts.plan.event.target)
    });
    if let (Some(_), Some(first)) = (started, facts.attempts.first().filter(|first| first.is_good())) {
        let took = first.took();
        all.push(format!(
            "The target's pods had to be started first, which took {took}: keep the old version's pods for longer after a deploy."
        ));
    }
    let read = facts.reads.iter().filter(|(_, state)| *state == EffectState::Applied).count();
    // After a restart that is to be expected.
    if read > 0 && facts.restarts.is_empty() {
        let effects = words::plural(read as u64, "effect", "effects");
        all.push(format!(
            "{effects} had been carried out although no reply said so: replies get lost between engine and platform."
        ));
    }
}

fn waits(facts: &ExecutionFacts, all: &mut Vec<String>) {
    let count = |of: fn(&Wait) -> bool| facts.waits.iter().filter(|(_, wait, _)| of(wait)).count();
    let breakers = count(|wait| matches!(wait, Wait::Breaker(_)));
    if breakers > 0 {
        let breakers = times(breakers);
        all.push(format!(
            "A circuit breaker held it up {breakers}: an actuator did not answer. Is it on the platform that it should save?"
        ));
    }
    let limited = count(|wait| matches!(wait, Wait::RateLimit));
    if limited > 0 {
        let limited = times(limited);
        all.push(format!("The rate limit held it up {limited}: raise `execution.effects_per_minute`."));
    }
    if count(|wait| matches!(wait, Wait::Calendar(_))) > 0 {
        all.push(
            "The calendar closed in the middle of it: `calendar.when_closing: finish` would have gone on."
                .to_owned(),
        );
    }
}

/// `once`, `3 times`.
fn times(n: usize) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::execution::StepResult;
    use backspin_domain::id::ActorId;
    use backspin_domain::plan::Purpose;
    use backspin_record::sample::Sample;
    use backspin_score::{AttemptFacts, RecordFacts, Refusal};

    /// The execution of the sample: five steps, forty-three seconds, nothing to complain of but its last step.
    fn facts() -> ExecutionFacts {
        let mut facts = RecordFacts::of(&Sample::default().entries()).executions.remove(0);
        facts.attempts.iter_mut().for_each(|attempt| attempt.result.outcome = StepOutcome::Succeeded);
        facts
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut ExecutionFacts), words: Option<&str>) {
        let mut facts = facts();
        change(&mut facts);
        let said = recommend(&facts, MonoTime(1_800_000));
        match words {
            None => assert!(said.is_empty(), "{said:?}"),
            Some(words) => assert!(said.iter().any(|line| line.contains(words)), "{words}: {said:?}"),
        }
    }

    fn asked(facts: &mut ExecutionFacts, wait_s: u64, approved: bool) {
        let who = ActorId::new("platform-lead").expect("valid");
        let until = facts.opened + Millis::from_secs(wait_s);
        facts.asked.push((facts.opened, who.clone()));
        facts.ended = facts.ended.map(|ended| ended + Millis::from_secs(wait_s));
        for attempt in &mut facts.attempts {
            let result = &mut attempt.result;
            result.started = result.started + Millis::from_secs(wait_s);
            result.ended = result.ended + Millis::from_secs(wait_s);
        }
        facts.began = approved.then_some(until);
        if approved {
            facts.approved.push((until, who));
        }
    }

    #[test]
    fn a_plain_execution_needs_no_advice() {
        check(|_| (), None);
    }

    #[test]
    fn people_who_take_longer_than_the_rest_are_told_of() {
        check(|f| asked(f, 59, true), None);
        check(|f| asked(f, 60, true), Some("standing approval"));
        check(|f| asked(f, 60, false), Some("though 1 role was asked: look at who is on call"));
    }

    #[test]
    fn who_refused_is_named_and_nobody_is_said_to_have_been_silent() {
        let refused = |f: &mut ExecutionFacts| {
            asked(f, 60, false);
            let by = ActorId::new("anna").expect("valid");
            let role = ActorId::new("platform-lead").expect("valid");
            f.refused = Some(Refusal { at: f.opened + Millis::from_secs(60), by, role });
        };
        check(refused, Some("anna refused it as platform-lead at +13m 45s: ask for the reason"));
        let mut facts = facts();
        refused(&mut facts);
        let said = recommend(&facts, MonoTime::ZERO);
        assert!(!said.iter().any(|line| line.contains("Nobody")), "{said:?}");
    }

    #[test]
    fn nobody_is_blamed_while_an_answer_is_still_awaited() {
        let open = |f: &mut ExecutionFacts| {
            asked(f, 60, false);
            f.ended = None;
        };
        check(open, None);
    }

    #[test]
    fn a_step_that_was_undone_is_no_step_that_needed_two_tries() {
        let undone = |outcome: StepOutcome| {
            move |f: &mut ExecutionFacts| {
                let result = StepResult { outcome, attempt: 2, ..f.attempts[0].result.clone() };
                let purpose = Purpose::Undo;
                f.attempts.insert(1, AttemptFacts { purpose, result, ..f.attempts[0].clone() });
            }
        };
        check(undone(StepOutcome::Succeeded), Some("(move traffic from v42: 90 % to v41) was undone"));
        check(undone(StepOutcome::TimedOut), Some("was to be undone, and it is not known to be"));
        let mut facts = facts();
        undone(StepOutcome::TimedOut)(&mut facts);
        let said = recommend(&facts, MonoTime::ZERO);
        assert!(!said.iter().any(|line| line.contains("tries") || line.contains("time-out")), "{said:?}");
    }

    #[test]
    fn steps_that_were_tried_again_or_ran_late_are_named() {
        let again = |f: &mut ExecutionFacts, outcome: StepOutcome| {
            let mut first = f.attempts[0].clone();
            first.result.outcome = outcome;
            f.attempts.insert(0, first);
        };
        check(
            |f| again(f, StepOutcome::Unknown),
            Some("Step 1 (move traffic from v42: 90 % to v41) needed 2 tries"),
        );
        check(|f| again(f, StepOutcome::TimedOut), Some("ran into its time-out of 30s once"));
    }

    #[test]
    fn what_held_it_up_is_named() {
        let at = MonoTime::ZERO;
        let wait = |wait: Wait| move |f: &mut ExecutionFacts| f.waits.push((at, wait, at));
        check(wait(Wait::RateLimit), Some("held it up once: raise `execution.effects_per_minute`"));
        check(wait(Wait::Breaker(backspin_domain::plan::Actuator::Traffic)), Some("held it up once"));
        check(wait(Wait::Calendar("freeze `eve` is in force".to_owned())), Some("when_closing"));
        check(|f| f.restarts.push(Millis::from_secs(20)), Some("away for up to 20s"));
    }

    #[test]
    fn replies_that_were_lost_are_told_unless_the_engine_was_away() {
        let read = |f: &mut ExecutionFacts| f.reads.push((MonoTime::ZERO, EffectState::Applied));
        check(read, Some("1 effect had been carried out"));
        let mut facts = facts();
        read(&mut facts);
        facts.restarts.push(Millis::from_secs(1));
        assert_eq!(recommend(&facts, MonoTime::ZERO).len(), 1, "only the restart is told of");
    }

    #[test]
    fn an_end_that_is_no_end_comes_first() {
        check(|f| f.left = Some(SafeState::Unknown), Some("Look before anything else"));
        check(|f| f.left = Some(SafeState::Split { candidate_share: 0.25 }), Some("still has 25 %"));
    }
}
