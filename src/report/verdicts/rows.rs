//! Rows of the tables, and how the first judge stands.

use std::collections::BTreeSet;
use std::fmt;

use super::{CaseRow, VerdictsReport};
use crate::words;
use backspin_score::{SIGNIFICANT, VerdictFigures, mcnemar};

/// What the columns are called.
pub(super) const HEAD: [&str; 8] =
    ["source", "fault", "judge", "detected", "false alarms", "MCC", "per hour", "McNemar"];

/// Cases on which both judges were heard, and on how many only one was right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discord {
    /// Cases.
    pub n: u64,
    /// Right under the first only.
    pub only_first: u64,
    /// Right under the other only.
    pub only_other: u64,
}

impl Discord {
    /// McNemar's exact test, two-sided.
    pub fn p(&self) -> f64 {
        mcnemar(self.only_first, self.only_other)
    }

    /// Whether the first is worse by more than chance makes it.
    fn is_worse(&self) -> bool {
        self.only_other > self.only_first && self.p() < SIGNIFICANT
    }
}

impl fmt::Display for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} : {} of {}, p = {:.3}", self.only_first, self.only_other, self.n, self.p())
    }
}

/// The first judge against the best of the others, over what is pooled.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its name.
    pub first: String,
    /// The other with the greatest MCC, with its figures; none if there is no other, or nothing is pooled.
    pub best: Option<Best>,
    /// Its own figures.
    pub own: VerdictFigures,
}

/// The best of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Its name.
    pub judge: String,
    /// Its figures.
    pub figures: VerdictFigures,
    /// Right and wrong over all cases.
    pub right: Discord,
    /// Detected and not, over those in which something was wrong.
    pub detected: Discord,
}

impl Standing {
    /// Whether the first is not worse, in both tests, and has no more false alarms per hour; none where nobody can tell.
    pub fn holds(&self) -> Option<bool> {
        let best = self.best.as_ref()?;
        let (own, other) = (self.own.false_alarms_per_hour()?, best.figures.false_alarms_per_hour()?);
        Some(!best.right.is_worse() && !best.detected.is_worse() && own <= other)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(best) = &self.best else {
            return write!(f, "{} has no other judge or no pooled case to be held against", self.first);
        };
        let standing = match self.holds() {
            Some(true) => "is not worse than",
            Some(false) => "falls short of",
            None => "cannot be held against",
        };
        write!(
            f,
            "{} {standing} {}, the best of the others: right under the first only against right under the other only {}; \
             detected {}; false alarms per hour {} against {}",
            self.first,
            best.judge,
            best.right,
            best.detected,
            rate(&self.own),
            rate(&best.figures),
        )
    }
}

impl VerdictsReport {
    /// How the first judge stands, over what is pooled.
    pub fn standing(&self) -> Standing {
        let pooled = self.pooled();
        let own = figures(&pooled, &pooled, 0);
        let mut best: Option<Best> = None;
        for (judge, name) in self.judges.iter().enumerate().skip(1).filter(|_| !pooled.is_empty()) {
            let figures = figures(&pooled, &pooled, judge);
            let mcc = |figures: &VerdictFigures| figures.mcc.unwrap_or(-1.0);
            if best.as_ref().is_none_or(|best| mcc(&figures) > mcc(&best.figures)) {
                let bad: Vec<&CaseRow> = pooled.iter().copied().filter(|case| case.bad).collect();
                best = Some(Best {
                    judge: name.clone(),
                    figures,
                    right: discord(&pooled, judge),
                    detected: discord(&bad, judge),
                });
            }
        }
        Standing { first: self.judges.first().cloned().unwrap_or_default(), best, own }
    }

    fn pooled(&self) -> Vec<&CaseRow> {
        self.cases.iter().filter(|case| !self.is_apart(case)).collect()
    }

    /// The pooled rows under their head.
    pub(super) fn pooled_rows(&self) -> Vec<Vec<String>> {
        let pooled = self.pooled();
        let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
        rows.extend(self.judge_rows(["pooled", "all"], &pooled, &pooled, &pooled));
        rows
    }

    /// Every source, and every kind of fault in it, under their head.
    pub(super) fn source_rows(&self) -> Vec<Vec<String>> {
        let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
        let sources: BTreeSet<&str> = self.cases.iter().map(|case| case.source.as_str()).collect();
        for source in sources {
            let all: Vec<&CaseRow> = self.cases.iter().filter(|case| case.source == source).collect();
            rows.extend(self.judge_rows([source, "all"], &all, &all, &all));
            let faults: BTreeSet<&str> =
                all.iter().filter(|case| case.bad).map(|case| case.fault.as_str()).collect();
            for fault in faults.iter().filter(|_| faults.len() > 1) {
                let own: Vec<&CaseRow> =
                    all.iter().copied().filter(|case| case.bad && case.fault == *fault).collect();
                let beside = all.iter().copied().filter(|case| !case.bad);
                let cases: Vec<&CaseRow> = own.iter().copied().chain(beside).collect();
                rows.extend(self.judge_rows([source, fault], &cases, &own, &own));
            }
        }
        rows
    }

    /// A row per judge: of these cases, with the quiet time before these, tested over these.
    fn judge_rows<'a>(
        &'a self,
        [source, fault]: [&'a str; 2],
        cases: &'a [&'a CaseRow],
        before: &'a [&'a CaseRow],
        tested: &'a [&'a CaseRow],
    ) -> impl Iterator<Item = Vec<String>> + 'a {
        self.judges.iter().enumerate().map(move |(judge, name)| {
            let figures = figures(cases, before, judge);
            let silent = match figures.inconclusive {
                0 => String::new(),
                n => format!(", told nothing of {n}"),
            };
            let detected = figures.detected;
            vec![
                source.to_owned(),
                fault.to_owned(),
                name.clone(),
                format!("{} of {} ({}){silent}", detected.k, detected.n, words::interval(&detected)),
                format!("{} of {}", figures.alarmed.k, figures.alarmed.n),
                figures.mcc.map_or_else(|| words::NOTHING.to_owned(), |mcc| format!("{mcc:.2}")),
                rate(&figures),
                if judge == 0 { words::NOTHING.to_owned() } else { discord(tested, judge).to_string() },
            ]
        })
    }
}

/// `0.31 (4 in 12.9 h)`.
fn rate(figures: &VerdictFigures) -> String {
    figures.false_alarms_per_hour().map_or_else(
        || words::NOTHING.to_owned(),
        |rate| format!("{rate:.2} ({} in {:.1} h)", figures.false_alarms, figures.quiet_hours),
    )
}

fn figures(cases: &[&CaseRow], before: &[&CaseRow], judge: usize) -> VerdictFigures {
    VerdictFigures::of(
        cases.iter().filter_map(|case| case.case.get(judge)),
        before.iter().filter_map(|case| case.before.get(judge)),
    )
}

/// The first judge against this one.
fn discord(cases: &[&CaseRow], judge: usize) -> Discord {
    let mut discord = Discord { n: 0, only_first: 0, only_other: 0 };
    for case in cases {
        let (Some(first), Some(other)) = (case.case.first(), case.case.get(judge)) else { continue };
        discord.n += 1;
        discord.only_first += u64::from(first.is_right() && !other.is_right());
        discord.only_other += u64::from(other.is_right() && !first.is_right());
    }
    discord
}
