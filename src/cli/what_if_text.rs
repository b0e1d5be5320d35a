//! The words of `replay --policy`: two courses side by side, where they part, and what came of each.

use std::collections::BTreeSet;

use super::explain_text::{planned, since};
use super::what_if_words::{closing, decision, later, no_world};
use crate::campaign::what_if::{Basis, Course, Parting, Side, WhatIf};
use crate::domain::time::MonoTime;
use crate::report::wrapped;
use crate::score::RunOutcome;

use super::diagnose::counted;

/// Width of the first column: the longest of its words.
const FIRST: usize = 15;

/// Between columns.
const GAP: &str = "  ";

/// Digits of a policy's hash that are shown.
const HASH_DIGITS: usize = 12;

/// The whole answer.
pub(super) fn text(path: &str, label: &str, told: &WhatIf, width: usize) -> String {
    let cell = (width.saturating_sub(FIRST + 2 * GAP.len()) / 2).max(12);
    let mut teller = Teller { told, label, width, cell, lines: Vec::new() };
    teller.head(path);
    teller.decisions();
    if let Some(parting) = &told.parting {
        teller.parting(parting);
    }
    teller.outcomes();
    teller.end();
    teller.lines.join("\n")
}

struct Teller<'a> {
    told: &'a WhatIf,
    label: &'a str,
    /// Of a line, in characters.
    width: usize,
    /// Of one of the two columns, in characters.
    cell: usize,
    lines: Vec<String>,
}

impl Teller<'_> {
    fn head(&mut self, path: &str) {
        let header = &self.told.header;
        self.say(&format!(
            "{path}: scenario `{}`, seed {} (index {})",
            header.scenario, header.campaign_seed, header.seed_index
        ));
        self.lines.push(String::new());
        let label = self.label.to_owned();
        self.row("", "the record", &label);
        let hash = |course: &Course| course.policy_hash.chars().take(HASH_DIGITS).collect::<String>();
        self.row("policy", &hash(&self.told.record), &hash(&self.told.other));
        self.row("judge", &self.told.record.judge, &self.told.other.judge);
    }

    fn decisions(&mut self) {
        let told = self.told;
        self.lines.push(String::new());
        self.row("deploy +", "decided", "would have decided");
        let times: BTreeSet<MonoTime> =
            told.record.decisions.iter().chain(&told.other.decisions).map(|(at, _)| *at).collect();
        if times.is_empty() {
            self.row("", "nothing", "nothing");
        }
        let cell = |course: &Course, at: MonoTime| {
            let made = course.decisions.iter().filter(|(made, _)| *made == at);
            made.map(|(_, made)| decision(made)).collect::<Vec<_>>().join("; ")
        };
        for at in times {
            let (record, other) = (cell(&told.record, at), cell(&told.other, at));
            let known = told.whole || at <= told.last || !record.is_empty();
            let other = match self.is_known(at) {
                false => "unknown",
                true if other == record => "the same",
                true => &other,
            };
            self.row(&since(at, told.deployed), if known { &record } else { "unknown" }, other);
        }
    }

    /// Whether the other policy's course can be told at this moment.
    fn is_known(&self, at: MonoTime) -> bool {
        match self.told.basis {
            Basis::World { .. } => true,
            Basis::Inputs(_) => self.told.parting.as_ref().is_none_or(|parting| at <= parting.at),
        }
    }

    fn parting(&mut self, parting: &Parting) {
        self.lines.push(String::new());
        self.say(&format!("First difference: at deploy + {}", since(parting.at, self.told.deployed)));
        let does = |side: &Side| match (side.acts.as_slice(), &side.next) {
            ([], None) => "nothing".to_owned(),
            ([], Some(next)) => format!("nothing; {}: {}", later(parting.at, next.at), next.act),
            (acts, _) => acts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        self.row("does", &does(&parting.record), &does(&parting.other));
        let [record, other] = because(parting);
        self.row("because", &record, &other);
    }

    fn outcomes(&mut self) {
        let (record, other) = (&self.told.record.outcome, &self.told.other.outcome);
        if self.told.parting.is_none() || (record.is_none() && other.is_none()) {
            return;
        }
        self.lines.push(String::new());
        self.row("", "what came of it", "what would have come of it");
        let mut row = |name: &str, of: &dyn Fn(&RunOutcome) -> String| {
            let cell = |outcome: &Option<RunOutcome>| outcome.as_ref().map_or("unknown".to_owned(), of);
            self.row(name, &cell(record), &cell(other));
        };
        row("counts as", &|outcome| outcome.class.to_string());
        row("detected after", &|outcome| outcome.ttd.to_string());
        row("mitigated after", &|outcome| outcome.ttm.to_string());
        row("recovered after", &|outcome| outcome.ttr.to_string());
        row("users harmed", &|outcome| format!("{:.0}", outcome.harm.users));
        row("rollback", &ended);
    }

    fn end(&mut self) {
        let told = self.told;
        self.lines.push(String::new());
        self.basis();
        self.say(&closing(told, self.label));
        if !told.whole {
            self.say("hint: the record breaks off before the run's end; what came after is unknown");
        }
    }

    /// What the answer stands on.
    fn basis(&mut self) {
        let told = self.told;
        let asked: Vec<_> = told.asked_otherwise.iter().map(|name| format!("`{name}`")).collect();
        let asked = Some(asked.join(", ")).filter(|names| !names.is_empty());
        match &told.basis {
            Basis::World { inputs, unrecorded } => {
                let inputs = counted(*inputs, "input");
                let upto = if told.parting.is_some() { "up to the difference" } else { "in the record" };
                let unrecorded = (*unrecorded > 0).then(|| {
                    let frames = counted(*unrecorded, "frame");
                    format!("; beside them the other policy saw {frames} that the record does not hold")
                });
                let asked = asked.map(|names| {
                    format!("; values of {names} aside, which the policies ask by other queries")
                });
                self.say(&format!(
                    "Checked: the world was played again, and all {inputs} {upto} are the same{}{}.",
                    unrecorded.unwrap_or_default(),
                    asked.unwrap_or_default()
                ));
            }
            Basis::Inputs(reason) => {
                let why = no_world(reason, told.deployed);
                self.say(&format!("Told from the record's inputs alone: {why}."));
                if let Some(names) = asked {
                    self.say(&format!(
                        "note: the policies ask {names} by other queries, the record holds answers to its own"
                    ));
                }
                let (own, other) = (told.record.collect_every, told.other.collect_every);
                if other < own {
                    self.say(&format!(
                        "note: `{}` asks for signals every {other}, the record holds those of every {own}",
                        self.label
                    ));
                }
            }
        }
    }

    fn say(&mut self, words: &str) {
        self.lines.push(wrapped(words, self.width, "", "  "));
    }

    /// A word and two cells, each broken between words.
    fn row(&mut self, first: &str, left: &str, right: &str) {
        let (left, right) = (wrapped(left, self.cell, "", ""), wrapped(right, self.cell, "", ""));
        let (mut left, mut right) = (left.lines(), right.lines());
        let mut first = first;
        loop {
            let (l, r) = (left.next(), right.next());
            if l.is_none() && r.is_none() && first.is_empty() {
                return;
            }
            let cell = self.cell;
            let line = format!("{first:<FIRST$}{GAP}{:<cell$}{GAP}{}", l.unwrap_or(""), r.unwrap_or(""));
            self.lines.push(line.trim_end().to_owned());
            first = "";
        }
    }
}

/// Why both sides do what they do: the decision that stands, and for what is done, the plan.
fn because(parting: &Parting) -> [String; 2] {
    let same = parting.record.decision.is_some() && parting.record.decision == parting.other.decision;
    [&parting.record, &parting.other].map(|side| {
        let decided = match &side.decision {
            Some(_) if same => "the same decision".to_owned(),
            Some(made) => decision(made),
            None => "nothing is decided yet".to_owned(),
        };
        match side.plan.as_ref().filter(|_| !side.acts.is_empty()) {
            Some(plan) => format!("{decided}; plan: {}", planned(plan)),
            None => decided,
        }
    })
}

fn ended(outcome: &RunOutcome) -> String {
    let Some(rollback) = &outcome.rollback else { return "none".to_owned() };
    match (rollback.status, &rollback.error) {
        (None, _) => "not begun".to_owned(),
        (Some(status), None) => status.to_string(),
        (Some(status), Some(error)) => format!("{status}: {error}"),
    }
}
