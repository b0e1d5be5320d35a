//! The sentences of `replay --policy`, the same in text and JSON.

use super::explain_text::since;
use crate::campaign::what_if::{Basis, Course, NoWorld, WhatIf};
use crate::domain::engine_io::Input;
use crate::domain::event::Decision;
use crate::domain::execution::ExecutionStatus;
use crate::domain::time::MonoTime;
use crate::score::RunOutcome;

/// A decision with its reason.
pub(super) fn decision(decision: &Decision) -> String {
    let kind = decision.kind();
    match decision {
        Decision::Hold(reason) | Decision::Pause(reason) | Decision::Escalate(reason) => {
            format!("{kind}: {reason}")
        }
        Decision::RollBack(event) => {
            format!("{kind} to {}, severity {}: {}", event.target, event.severity, event.reason)
        }
    }
}

/// Why there is no world to go on in.
pub(super) fn no_world(reason: &NoWorld, deployed: MonoTime) -> String {
    match reason {
        NoWorld::Recording => {
            "this is a recorded incident, and nobody can tell how its world would have reacted".to_owned()
        }
        NoWorld::NoScenario => "the record does not carry its scenario, as those of this build do; play it \
            again with `backspin run`"
            .to_owned(),
        NoWorld::BadScenario(problems) => {
            let first = problems.list.first().map_or("", |problem| &problem.message);
            format!("this build does not accept the scenario in the record ({first})")
        }
        NoWorld::AnotherWorld(difference) => {
            let input = |input: &Option<Input>| input.as_ref().map_or("nothing", input_kind);
            format!(
                "this build's world is another one than the record's: {} the record has {}, the world {}",
                around(difference.at, deployed),
                input(&difference.record),
                match (&difference.record, &difference.world) {
                    (Some(left), Some(right)) if input_kind(left) == input_kind(right) => "a different one",
                    (_, world) => input(world),
                }
            )
        }
    }
}

/// `45s after the deploy`.
fn around(at: MonoTime, deployed: MonoTime) -> String {
    if at < deployed {
        format!("{} before the deploy", deployed.since(at))
    } else {
        format!("{} after the deploy", at.since(deployed))
    }
}

const fn input_kind(input: &Input) -> &'static str {
    match input {
        Input::Inventory(_) => "an inventory",
        Input::Deployed(_) => "a deploy",
        Input::RolloutChanged { .. } => "a move of the rollout",
        Input::Collected { .. } => "a frame",
        Input::StepReported { .. } => "the end of a step",
        Input::StepRead { .. } => "what became of a step",
        Input::Listed { .. } => "a list of the service",
        Input::ApprovalAnswered(_) => "an answer to a request for approval",
        Input::Paged { .. } => "a call that was handed over",
        Input::Restarted { .. } => "a restart of the engine",
        Input::ClockSet { .. } => "a calendar clock that was set",
        Input::Commanded { .. } => "a command",
    }
}

/// What it comes to, in a sentence or two.
pub(super) fn closing(told: &WhatIf, label: &str) -> String {
    let Some(parting) = &told.parting else {
        let far = if told.whole { "from first to last" } else { "as far as the record goes" };
        let kinds = |course: &Course| -> Vec<_> {
            course.decisions.iter().map(|(at, decision)| (*at, decision.kind())).collect()
        };
        let decided = if kinds(&told.record) == kinds(&told.other) {
            ""
        } else {
            ", though they do not always decide the same"
        };
        return format!("The recorded policy and `{label}` act the same on these inputs, {far}{decided}.");
    };
    let at = since(parting.at, told.deployed);
    match (&told.basis, &told.record.outcome, &told.other.outcome) {
        (Basis::World { .. }, Some(record), Some(other)) => would_have(record, other, told, label),
        (Basis::World { .. }, ..) => format!(
            "Under `{label}` the run would have gone another way from deploy + {at} on; the record breaks off, so \
             that the two outcomes cannot be compared."
        ),
        (Basis::Inputs(_), ..) => format!(
            "Under `{label}` the run would have gone another way from deploy + {at} on; what would have come of it \
             is unknown."
        ),
    }
}

fn would_have(record: &RunOutcome, other: &RunOutcome, told: &WhatIf, label: &str) -> String {
    let mut clauses = vec![rollback(record, other, told.deployed)];
    let status = |outcome: &RunOutcome| outcome.rollback.as_ref().and_then(|rollback| rollback.status);
    clauses.extend(ended(status(record), status(other)));
    if record.class != other.class {
        clauses.push(format!("the run would have counted as {} instead of {}", other.class, record.class));
    }
    if record.truth.bad {
        clauses.push(harm(record.harm.users, other.harm.users));
    }
    let last = clauses.pop().unwrap_or_default();
    let joined = if clauses.is_empty() { last } else { format!("{} and {last}", clauses.join(", ")) };
    format!("Under `{label}` {joined}.")
}

/// When the rollback would have been decided.
fn rollback(record: &RunOutcome, other: &RunOutcome, deployed: MonoTime) -> String {
    let called = |outcome: &RunOutcome| outcome.decisions.escalate.is_some();
    match (record.decisions.roll_back, other.decisions.roll_back) {
        (Some(then), Some(now)) if then == now => {
            "the rollback would have been decided at the same moment".to_owned()
        }
        (Some(then), Some(now)) if then < now => {
            format!("the rollback would have come {} later", now.since(then))
        }
        (Some(then), Some(now)) => format!("the rollback would have come {} earlier", then.since(now)),
        (None, Some(now)) => {
            format!("there would have been a rollback, at deploy + {}", since(now, deployed))
        }
        (Some(_), None) if called(other) => {
            "a person would have been called instead of a rollback".to_owned()
        }
        (Some(_), None) => "there would have been no rollback".to_owned(),
        (None, None) if called(other) && !called(record) => {
            "there would have been no rollback either, but a person would have been called".to_owned()
        }
        (None, None) => "there would have been no rollback either".to_owned(),
    }
}

/// How the rollback would have ended, where that is otherwise.
fn ended(record: Option<ExecutionStatus>, other: Option<ExecutionStatus>) -> Option<String> {
    let other = other.filter(|other| record != Some(*other))?;
    Some(match record {
        Some(record) => format!("its execution would have ended as `{other}` instead of `{record}`"),
        None => format!("its execution would have ended as `{other}`"),
    })
}

fn harm(record: f64, other: f64) -> String {
    let more = other.round() - record.round();
    match more.total_cmp(&0.0) {
        std::cmp::Ordering::Greater => format!("{} would have been harmed", users(more, "more")),
        std::cmp::Ordering::Less => format!("{} would have been harmed", users(-more, "fewer")),
        std::cmp::Ordering::Equal => "as many users would have been harmed".to_owned(),
    }
}

fn users(n: f64, than: &str) -> String {
    if (n - 1.0).abs() < 0.5 { format!("1 {than} user") } else { format!("{n:.0} {than} users") }
}

/// `45s later`, from one moment to another.
pub(super) fn later(from: MonoTime, to: MonoTime) -> String {
    format!("{} later", to.since(from))
}
