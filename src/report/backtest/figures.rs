//! Figures of one judge over a history, and the words for them.

use super::{Answer, BacktestReport, Cell, DeployRow, KnownOutcome};
use crate::words;
use backspin_domain::time::Millis;
use backspin_score::{Observation, Quantile, Share, quantile};

/// What a judge's answer to a deploy was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A bad deploy, rolled back.
    Caught,
    /// A bad deploy, and a person called.
    Called,
    /// A bad deploy, and nothing.
    Missed,
    /// A good deploy, rolled back.
    Needless,
    /// A good deploy, and a person called.
    NeedlessCall,
    /// A good deploy, let be.
    LetBe,
    /// Nobody knows.
    Unknown,
}

impl Way {
    /// What an answer was worth.
    pub const fn of(outcome: KnownOutcome, answer: Answer) -> Self {
        match (outcome, answer) {
            (KnownOutcome::Bad, Answer::RollBack) => Self::Caught,
            (KnownOutcome::Bad, Answer::Call) => Self::Called,
            (KnownOutcome::Bad, Answer::Nothing) => Self::Missed,
            (KnownOutcome::Good, Answer::RollBack) => Self::Needless,
            (KnownOutcome::Good, Answer::Call) => Self::NeedlessCall,
            (KnownOutcome::Good, Answer::Nothing) => Self::LetBe,
            (KnownOutcome::Unknown, _) => Self::Unknown,
        }
    }

    /// Good, in part, bad, or neither: the page's tones.
    pub(super) const fn tone(self) -> &'static str {
        match self {
            Self::Caught | Self::LetBe => "good",
            Self::Called | Self::NeedlessCall => "part",
            Self::Missed | Self::Needless => "bad",
            Self::Unknown => "none",
        }
    }

    /// In a word; empty where nobody knows.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Called => "person called",
            Self::Missed => "missed",
            Self::Needless => "needless",
            Self::NeedlessCall => "needless call",
            Self::LetBe => "let be",
            Self::Unknown => "",
        }
    }
}

/// Figures of one judge.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeFigures {
    /// Its name.
    pub judge: String,
    /// Bad deploys that would have been rolled back.
    pub caught: Share,
    /// Bad deploys for which only a person would have been called.
    pub called: u64,
    /// Bad deploys with no answer at all.
    pub missed: Share,
    /// Good deploys that would have been rolled back.
    pub needless: Share,
    /// Good deploys for which a person would have been called.
    pub needless_calls: u64,
    /// Deploys of unknown outcome that would have been rolled back.
    pub unknown_rolled_back: Share,
    /// Deploys of which the judge could tell nothing.
    pub could_not_judge: u64,
    /// Median time from a bad deploy's onset, else its beginning, to the answer; those that got none are censored.
    pub delay: Quantile,
    /// Minutes of harm until the answer, over all bad deploys.
    pub harm_minutes: f64,
    /// Requests that failed until then beyond what the old version would have let fail, over all bad deploys.
    pub failed_beyond: f64,
}

impl JudgeFigures {
    /// Of the judge of this place.
    pub(super) fn of(report: &BacktestReport, judge: usize) -> Self {
        let cells: Vec<(&DeployRow, &Cell)> =
            report.deploys.iter().filter_map(|row| Some((row, row.cells.get(judge)?))).collect();
        let count = |outcome, answer| {
            cells.iter().filter(|(row, cell)| row.outcome == outcome && cell.answer == answer).count() as u64
        };
        let all = |outcome| cells.iter().filter(|(row, _)| row.outcome == outcome).count() as u64;
        let bad = || cells.iter().filter(|(row, _)| row.outcome == KnownOutcome::Bad).map(|(_, cell)| *cell);
        let delays: Vec<Observation> = bad()
            .filter_map(|cell| {
                let reached = cell.answer != Answer::Nothing;
                cell.harm_ms.map(|harm| Observation { at: harm as f64 / 1000.0, reached })
            })
            .collect();
        Self {
            judge: report.judges.get(judge).cloned().unwrap_or_default(),
            caught: Share::new(count(KnownOutcome::Bad, Answer::RollBack), all(KnownOutcome::Bad)),
            called: count(KnownOutcome::Bad, Answer::Call),
            missed: Share::new(count(KnownOutcome::Bad, Answer::Nothing), all(KnownOutcome::Bad)),
            needless: Share::new(count(KnownOutcome::Good, Answer::RollBack), all(KnownOutcome::Good)),
            needless_calls: count(KnownOutcome::Good, Answer::Call),
            unknown_rolled_back: Share::new(
                count(KnownOutcome::Unknown, Answer::RollBack),
                all(KnownOutcome::Unknown),
            ),
            could_not_judge: cells.iter().filter(|(_, cell)| !cell.could_judge).count() as u64,
            delay: quantile(&delays, 0.5),
            harm_minutes: bad().filter_map(|cell| cell.harm_ms).map(|ms| ms as f64 / 60_000.0).sum(),
            failed_beyond: bad().filter_map(|cell| cell.failed_beyond).sum(),
        }
    }
}

/// Figures side by side: the first row is the head, a row per judge.
pub(super) fn rows(report: &BacktestReport) -> Vec<Vec<String>> {
    let head = [
        "judge",
        "caught",
        "person called",
        "missed",
        "needless",
        "needless calls",
        "unknown, rolled back",
        "could not tell",
        "median delay",
        "harm, minutes",
        "failed beyond",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for figures in report.figures() {
        let bad = figures.caught.n > 0;
        let of_bad = |text: String| if bad { text } else { words::NOTHING.to_owned() };
        rows.push(vec![
            figures.judge.clone(),
            share(&figures.caught),
            of_bad(figures.called.to_string()),
            share(&figures.missed),
            share(&figures.needless),
            if figures.needless.n > 0 {
                figures.needless_calls.to_string()
            } else {
                words::NOTHING.to_owned()
            },
            share(&figures.unknown_rolled_back),
            figures.could_not_judge.to_string(),
            words::quantile(figures.delay, words::seconds),
            of_bad(format!("{:.0}", figures.harm_minutes)),
            of_bad(words::users(figures.failed_beyond)),
        ]);
    }
    rows
}

/// `3 of 64 (1.6–12.9 %)`: of how many, with its interval.
fn share(share: &Share) -> String {
    if share.n == 0 {
        return words::NOTHING.to_owned();
    }
    format!("{} of {} ({})", share.k, share.n, words::interval(share))
}

/// What a judge would have made of a deploy, in a few words.
pub(super) fn cell(cell: &Cell) -> String {
    let after = cell.after_ms.map_or_else(String::new, |ms| format!(" after {}", Millis(ms)));
    match cell.answer {
        Answer::RollBack => format!("roll back{after}"),
        Answer::Call => format!("call a person{after}"),
        Answer::Nothing if !cell.could_judge => "cannot tell".to_owned(),
        Answer::Nothing => "let be".to_owned(),
    }
}

/// The outcome in a word.
pub(super) const fn outcome(outcome: KnownOutcome) -> &'static str {
    match outcome {
        KnownOutcome::Good => "good",
        KnownOutcome::Bad => "bad",
        KnownOutcome::Unknown => "unknown",
    }
}
