//! A plan that is not carried out (yet), told in full: what is taken and what is not, steps with time-outs, undo and
//! checks, approval, window, risks.

use std::fmt::Write as _;

use super::story::{event_words, plan_facts, rejected, risks};
use super::{words, wrapped};
use backspin_domain::plan::{Check, OnFailure, RollbackPlan, Step};
use backspin_domain::time::MonoTime;

/// The version of the JSON that `backspin plan` prints.
pub const PLAN_VERSION: u32 = 1;

/// For a terminal of this width.
pub fn plan_text(plan: &RollbackPlan, at: MonoTime, deployed: MonoTime, width: usize) -> String {
    let event = &plan.event;
    let mut out =
        format!("Plan for {}: {} → {}, {}\n", event.service, event.current, event.target, plan.strategy);
    let mut fact = |name: &str, value: &str| {
        out.push_str(&wrapped(value, width, &format!("  {name:<24}"), &" ".repeat(26)));
        out.push('\n');
    };
    fact("made", &format!("{} from the deploy", words::since(at, deployed)));
    fact("why", &event.reason);
    for (name, value) in event_words(event).facts.iter().chain(&plan_facts(plan)) {
        fact(name, value);
    }
    fact("plan's hash", &plan.hash().to_string());
    let checks = |checks: &[Check]| checks.iter().map(ToString::to_string).collect::<Vec<_>>();
    let rejected: Vec<String> =
        rejected(plan).iter().map(|(strategy, why)| format!("{strategy}: {why}")).collect();
    let risks: Vec<String> =
        risks(plan).iter().map(|[kind, level, why]| format!("{kind}, {level}: {why}")).collect();
    list(&mut out, "What speaks against it", width, &plan.objections);
    list(&mut out, "Before the first step", width, &checks(&plan.pre_checks));
    let _ = writeln!(out, "\nSteps");
    for (step, number) in plan.steps.iter().zip(1..) {
        steps(&mut out, number, step, width);
    }
    list(&mut out, "After the last step", width, &checks(&plan.post_checks));
    list(&mut out, "Risks", width, &risks);
    list(&mut out, "Strategies not taken", width, &rejected);
    out.truncate(out.trim_end().len());
    out
}

fn steps(out: &mut String, number: u32, step: &Step, width: usize) {
    let critical = if step.critical { "critical" } else { "not critical" };
    let mut line = |first: &str, words: &str| {
        out.push_str(&wrapped(words, width, first, "       "));
        out.push('\n');
    };
    line(&format!("  {number:>2}. "), &format!("{}; at most {}, {critical}", step.action, step.timeout));
    for check in &step.checks {
        line("      ", &format!("then: {check}"));
    }
    let fails = match (step.on_failure, &step.undo) {
        (OnFailure::Continue, _) => return,
        (OnFailure::UndoAndEscalate, Some(undo)) => format!("if it fails: {undo}, and a person is called"),
        (OnFailure::UndoAndEscalate, None) | (OnFailure::HoldAndEscalate, _) => {
            "if it fails: everything stays where it is, and a person is called".to_owned()
        }
    };
    line("      ", &fails);
}

fn list(out: &mut String, title: &str, width: usize, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for line in lines {
        out.push_str(&wrapped(line, width, "  · ", "    "));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::engine_io::JournalEntry;
    use backspin_domain::entry::Entry;
    use backspin_domain::plan::StepAction;
    use backspin_record::sample::Sample;

    #[test]
    fn a_plan_is_told_in_full() {
        let plan = Sample::default().entries().into_iter().find_map(|entry| match entry {
            Entry::Journal(at, JournalEntry::Planned { plan, .. }) => Some((at, plan)),
            _ => None,
        });
        let (at, mut plan) = plan.expect("the sample rolls back");
        plan.objections = vec!["at critical severity the rules choose blue-green switch".to_owned()];
        plan.steps[0].on_failure = OnFailure::UndoAndEscalate;
        let (version, replicas) = (plan.event.target.clone(), 3);
        plan.steps[0].undo = Some(StepAction::ScaleVersion { version, replicas });
        let text = plan_text(&plan, at, MonoTime::ZERO, 100);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        insta::assert_snapshot!(text);
    }
}
