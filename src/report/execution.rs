//! The report of one execution (SPEC 6.6): timeline, factors, steps with durations, validations, risks,
//! recommendations. One model for text, Markdown and JSON; the page of a campaign shows the same parts.

use std::fmt::Write as _;

use serde::Serialize;

use super::recommend::recommend;
use super::story::{
    EventWords, Moment, PlanWords, StepWords, check_words, event_words, moment, outcome_words, plan_words,
    sentence,
};
use super::told::seen;
use super::{words, wrapped};
use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::Entry;
use backspin_domain::execution::StepResult;
use backspin_domain::id::ExecutionId;
use backspin_domain::plan::Purpose;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{Milestone, TruthEntry};
use backspin_score::{ExecutionFacts, RecordFacts};

/// The version of the JSON.
pub const EXECUTION_REPORT_VERSION: u32 = 1;

/// What is told of one execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExecutionReport {
    /// Its number.
    pub execution: u32,
    /// The service, and between which versions.
    pub title: String,
    status: String,
    /// Share of its steps that are done, `0..=1`.
    progress: f64,
    took_ms: u64,
    plan_hash: String,
    event: EventWords,
    plan: PlanWords,
    timeline: Vec<Moment>,
    recommendations: Vec<String>,
}

/// Reports of all executions of a record, oldest first, by the record and what it tells.
pub fn executions(entries: &[Entry], facts: &RecordFacts) -> Vec<ExecutionReport> {
    let deployed = facts.deployed.unwrap_or_default();
    facts.executions.iter().map(|facts| report(facts, entries, deployed)).collect()
}

fn report(facts: &ExecutionFacts, entries: &[Entry], deployed: MonoTime) -> ExecutionReport {
    let event = &facts.plan.event;
    let plan = plan_words(facts, deployed);
    let after = facts.ended.map(|_| format!(" after {}", words::whole(facts.took()))).unwrap_or_default();
    let error = facts.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let left = facts.left.map(|left| format!("; {left}")).unwrap_or_default();
    let status = sentence(&format!("{}{after}{error}{left}", facts.status));
    ExecutionReport {
        execution: facts.id.0,
        title: format!("{}: {} → {}", event.service, event.current, event.target),
        status,
        progress: facts.progress(),
        took_ms: facts.took().0,
        plan_hash: facts.plan.hash().to_string(),
        event: event_words(event),
        plan,
        timeline: timeline(facts, entries, deployed),
        recommendations: recommend(facts, deployed),
    }
}

/// What happened from its plan to its end, and when its users were well again.
fn timeline(facts: &ExecutionFacts, entries: &[Entry], deployed: MonoTime) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut opened = false;
    let mut closed = false;
    for entry in entries {
        let told = match entry {
            Entry::Journal(at, JournalEntry::Planned { execution, .. }) if *execution == facts.id => {
                opened = true;
                Some((*at, format!("Planned: {}.", facts.plan.strategy)))
            }
            Entry::Truth(at, TruthEntry::Reached(Milestone::Mitigated)) if opened => {
                Some((*at, "The harm fell below 1 % of users (mitigated).".to_owned()))
            }
            Entry::Truth(at, TruthEntry::EngineLost) if opened && !closed => {
                Some((*at, "The engine's process died.".to_owned()))
            }
            Entry::Input(at, Input::StepRead { attempt, state }) if attempt.execution == facts.id => {
                Some((*at, format!("Looked what became of step {}: {}.", attempt.step + 1, seen(state))))
            }
            Entry::Input(at, Input::ApprovalAnswered(answer))
                if answer.execution == facts.id && !answer.approved =>
            {
                Some((*at, format!("{} refuses it as {}.", answer.by, answer.role)))
            }
            Entry::Journal(at, JournalEntry::Outcome { execution, result }) if *execution == facts.id => {
                Some((*at, attempted(facts, result)))
            }
            Entry::Journal(at, JournalEntry::Validated { execution, checks }) if *execution == facts.id => {
                let all =
                    checks.iter().map(|result| (*at, sentence(&format!("check {}", check_words(result)))));
                moments.extend(all);
                None
            }
            Entry::Journal(at, entry) if opened && !closed => {
                closed = ends(entry, facts.id);
                moment(entry).map(|what| (*at, what))
            }
            Entry::Header(_)
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Journal(..)
            | Entry::Truth(..)
            | Entry::End(_) => None,
        };
        moments.extend(told);
    }
    moments.sort_by_key(|(at, _)| *at);
    moments.into_iter().map(|(at, what)| Moment { when: words::since(at, deployed), what }).collect()
}

fn ends(entry: &JournalEntry, id: ExecutionId) -> bool {
    matches!(entry, JournalEntry::Status { execution, status, .. } if *execution == id && status.is_final())
}

/// `Undo of step 1 (scale v41 to 3 replicas): succeeded.`
fn attempted(facts: &ExecutionFacts, result: &StepResult) -> String {
    let known = facts.attempt(result);
    let action = known.and_then(|attempt| attempt.action.as_ref()).map(ToString::to_string);
    let which = match known.map(|attempt| attempt.purpose) {
        Some(Purpose::Undo) => "Undo of step",
        Some(Purpose::Do) | None => "Step",
    };
    let outcome = outcome_words(&result.outcome);
    format!("{which} {} ({}): {outcome}.", result.step + 1, action.unwrap_or_default())
}

impl ExecutionReport {
    /// For a terminal of this width.
    pub fn text(&self, width: usize) -> String {
        let mut out = format!("Execution {}: {}\n", self.execution, self.title);
        let mut say = |first: &str, rest: &str, words: &str| {
            out.push_str(&wrapped(words, width, first, rest));
            out.push('\n');
        };
        say("  ", "  ", &self.status);
        say("  ", "  ", &format!("Because {}.", self.event.reason));
        for (name, value) in self.event.facts.iter().chain(&self.plan.facts) {
            say(&format!("  {name:<24}"), &" ".repeat(26), value);
        }
        say(&format!("  {:<24}", "plan's hash"), &" ".repeat(26), &self.plan_hash);
        for f in &self.event.factors {
            let [signal, value, threshold, impact, adds] = f;
            let words = format!("{signal} {value}, held against {threshold}; impact {impact}, adds {adds}");
            say(&format!("  {:<24}", "factor"), &" ".repeat(26), &words);
        }
        let heading = |out: &mut String, words: &str| {
            let _ = writeln!(out, "\n{words}");
        };
        heading(&mut out, &format!("Steps ({}, {:.0} % done)", self.plan.strategy, self.progress * 100.0));
        for line in self.plan.steps.iter().flat_map(step_lines) {
            out.push_str(&wrapped(&line, width, "  ", "       "));
            out.push('\n');
        }
        for (title, lines) in self.lists() {
            heading(&mut out, title);
            for line in lines {
                out.push_str(&wrapped(&line, width, "  · ", "    "));
                out.push('\n');
            }
        }
        heading(&mut out, "Timeline (from the deploy)");
        for Moment { when, what } in &self.timeline {
            out.push_str(&wrapped(what, width, &format!("  {when:>9}  "), &" ".repeat(13)));
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        out
    }

    /// For a ticket or a wiki.
    pub fn markdown(&self) -> String {
        let mut out = format!("## Execution {}: {}\n\n", self.execution, self.title);
        let _ = writeln!(out, "**{}** Because {}.\n", self.status, self.event.reason);
        let _ = writeln!(out, "| | |\n| --- | --- |");
        for (name, value) in self.event.facts.iter().chain(&self.plan.facts) {
            let _ = writeln!(out, "| {name} | {} |", cell(value));
        }
        let _ = writeln!(out, "| plan's hash | `{}` |", self.plan_hash);
        let _ = writeln!(
            out,
            "\n### Factors\n\n| signal | value | held against | impact | adds |\n| --- | --- | --- | --- | --- |"
        );
        for factor in &self.event.factors {
            let _ = writeln!(out, "| {} |", factor.each_ref().map(|part| cell(part)).join(" | "));
        }
        let _ = writeln!(
            out,
            "\n### Steps\n\n| step | began | took | outcome | checks |\n| --- | --- | --- | --- | --- |"
        );
        for step in &self.plan.steps {
            for attempt in &step.attempts {
                let name = format!("{}. {}", step.number, cell(&attempt.name("")));
                let checks = cell(&attempt.checks.join("; "));
                let (began, took, outcome) = (&attempt.started, &attempt.took, cell(&attempt.outcome));
                let _ = writeln!(out, "| {name} | {began} | {took} | {outcome} | {checks} |");
            }
            if step.attempts.is_empty() {
                let _ = writeln!(out, "| {}. {} | – | – | not reached | |", step.number, cell(&step.action));
            }
        }
        for (title, lines) in self.lists() {
            let _ = writeln!(out, "\n### {title}\n");
            for line in lines {
                let _ = writeln!(out, "- {line}");
            }
        }
        let _ = writeln!(out, "\n### Timeline\n\n| from the deploy | what |\n| --- | --- |");
        for Moment { when, what } in &self.timeline {
            let _ = writeln!(out, "| {when} | {} |", cell(what));
        }
        out
    }

    fn lists(&self) -> Vec<(&'static str, Vec<String>)> {
        let risks =
            self.plan.risks.iter().map(|[kind, level, why]| format!("{kind}, {level}: {why}")).collect();
        let rejected =
            self.plan.rejected.iter().map(|(strategy, why)| format!("{strategy}: {why}")).collect();
        let all: Vec<(&'static str, Vec<String>)> = vec![
            ("Recommendations", self.recommendations.clone()),
            ("Validations", self.plan.checks.clone()),
            ("Risks that the plan named", risks),
            ("Strategies not taken", rejected),
        ];
        all.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
    }
}

fn step_lines(step: &StepWords) -> Vec<String> {
    let critical = if step.critical { ", critical" } else { "" };
    if step.attempts.is_empty() {
        return vec![format!("{}. {}{critical}: not reached", step.number, step.action)];
    }
    let attempts = step.attempts.iter().map(|attempt| {
        let checks = if attempt.checks.is_empty() {
            String::new()
        } else {
            format!(" ({})", attempt.checks.join("; "))
        };
        let (name, outcome) = (attempt.name(critical), &attempt.outcome);
        let (started, took) = (&attempt.started, &attempt.took);
        format!("{}. {name}: {outcome} at {started}, took {took}{checks}", step.number)
    });
    attempts.collect()
}

/// A table's cell may hold neither a bar nor a line break.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
