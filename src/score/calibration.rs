//! Whether what is stated holds (decision science, section 4): two statements of a record can be held against the truth.
//!
//! **False alarms.** An e-detector states that in a watch of a deploy that is not bad its evidence reaches ln(H/α) with
//! probability at most α, for every α at once (Ville, Doob). So for each good deploy the least α that its evidence reached is
//! kept, and it should be below a given α in at most that share of them.
//!
//! **Attribution.** With each rollback the engine states how sure it is that the candidate is worse than its control. A
//! reliability table holds those numbers against how often the deploy was bad; the Brier score (Brier 1950) is the mean square
//! of the difference, 0 at best, 0.25 for always saying one half.
//!
//! Scores of the other judges state nothing that could be held against anything.

use serde::{Deserialize, Serialize};

use super::interval::Share;
use super::outcome::{Arms, RunOutcome};

/// Levels that are looked at.
const ALPHAS: [f64; 6] = [0.5, 0.2, 0.1, 0.05, 0.01, 0.001];

/// Lower ends of the classes of stated confidence.
const CONFIDENCES: [f64; 5] = [0.0, 0.5, 0.9, 0.99, 0.999];

/// What a judge's runs say about its statements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Calibration {
    /// Level by level, the greatest first; empty where nothing is stated.
    pub alarms: Vec<AlarmRow>,
    /// Class by class, those without a rollback left out.
    pub attribution: Vec<ReliabilityRow>,
    /// Of attribution; none without any.
    pub brier: Option<f64>,
}

/// How often good deploys reached a level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlarmRow {
    /// Share of watches that may.
    pub alpha: f64,
    /// Those beside a concurrent baseline that did.
    pub concurrent: Share,
    /// Those with nothing but the past to be compared with.
    pub past: Share,
}

impl AlarmRow {
    /// Whether the statement can be so: a share is not above its level by more than chance.
    pub fn holds(&self) -> bool {
        self.concurrent.lower <= self.alpha && self.past.lower <= self.alpha
    }
}

/// How often rollbacks of a stated confidence were right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReliabilityRow {
    /// Stated confidence from here on ...
    pub from: f64,
    /// ... to below here, or to 1.
    pub to: f64,
    /// Its mean.
    pub stated: f64,
    /// Those of bad deploys.
    pub bad: Share,
}

impl Calibration {
    /// Of these runs, all under one judge.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a RunOutcome>) -> Self {
        let mut reached: [Vec<f64>; 2] = Default::default();
        let mut stated: Vec<(f64, bool)> = Vec::new();
        for outcome in outcomes {
            if let Some(level) = outcome.alarm_level.filter(|_| !outcome.truth.bad) {
                reached[usize::from(outcome.truth.arms == Arms::Past)].push(level);
            }
            let rollback = outcome.rollback.as_ref();
            stated.extend(rollback.and_then(|r| r.attribution).map(|sure| (sure, outcome.truth.bad)));
        }
        let below = |levels: &[f64], alpha: f64| {
            Share::new(levels.iter().filter(|&&level| level <= alpha).count() as u64, levels.len() as u64)
        };
        let alarms = if reached.iter().all(Vec::is_empty) { &[][..] } else { &ALPHAS };
        Self {
            alarms: alarms
                .iter()
                .map(|&alpha| AlarmRow {
                    alpha,
                    concurrent: below(&reached[0], alpha),
                    past: below(&reached[1], alpha),
                })
                .collect(),
            attribution: reliability(&CONFIDENCES, &stated),
            brier: (!stated.is_empty()).then(|| {
                let missed = |(sure, bad): &(f64, bool)| sure - f64::from(u8::from(*bad));
                stated.iter().map(|s| missed(s) * missed(s)).sum::<f64>() / stated.len() as f64
            }),
        }
    }
}

/// What was stated in classes with these lower ends, and how often it was so.
pub(super) fn reliability(classes: &[f64], stated: &[(f64, bool)]) -> Vec<ReliabilityRow> {
    let ends = classes.iter().skip(1).copied().chain([f64::INFINITY]);
    let row = |(from, to): (f64, f64)| {
        let mine: Vec<_> = stated.iter().filter(|(sure, _)| (from..to).contains(sure)).collect();
        let n = mine.len();
        (n > 0).then(|| ReliabilityRow {
            from,
            to: to.min(1.0),
            stated: mine.iter().map(|(sure, _)| sure).sum::<f64>() / n as f64,
            bad: Share::new(mine.iter().filter(|(_, bad)| *bad).count() as u64, n as u64),
        })
    };
    classes.iter().copied().zip(ends).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::score_entries;
    use super::*;
    use backspin_domain::truth::Cause;
    use backspin_record::sample::Sample;

    fn run(cause: Cause, alarm_level: Option<f64>, attribution: Option<f64>) -> RunOutcome {
        let onset = (cause != Cause::None).then(|| backspin_domain::time::Millis::from_mins(12));
        let sample = Sample { cause, onset, ..Sample::default() };
        let mut outcome = score_entries(&sample.entries()).expect("whole");
        outcome.alarm_level = alarm_level;
        if let Some(rollback) = &mut outcome.rollback {
            rollback.attribution = attribution;
        }
        outcome
    }

    #[test]
    fn levels_are_counted_over_good_deploys_only() {
        let mut runs: Vec<_> =
            (1..=100).map(|k| run(Cause::None, Some(f64::from(k) / 100.0), None)).collect();
        runs.push(run(Cause::Candidate, Some(1e-9), None));
        let calibration = Calibration::of(&runs);
        let counts: Vec<_> = calibration.alarms.iter().map(|row| (row.past.k, row.past.n)).collect();
        assert_eq!(counts, [(50, 100), (20, 100), (10, 100), (5, 100), (1, 100), (0, 100)]);
        assert!(calibration.alarms.iter().all(AlarmRow::holds));
        // Twice as many as stated is more than chance.
        let often: Vec<_> =
            runs.iter().map(|r| run(r.truth.cause, r.alarm_level.map(|a| a / 3.0), None)).collect();
        assert!(!Calibration::of(&often).alarms[2].holds());
    }

    #[test]
    fn confidence_is_held_against_what_was_so() {
        let runs = [
            run(Cause::Candidate, None, Some(0.95)),
            run(Cause::Candidate, None, Some(0.97)),
            run(Cause::None, None, Some(0.93)),
            run(Cause::Candidate, None, Some(1.0)),
        ];
        let calibration = Calibration::of(&runs);
        assert!(calibration.alarms.is_empty());
        let rows: Vec<_> = calibration.attribution.iter().map(|r| (r.from, r.to, r.bad.k, r.bad.n)).collect();
        assert_eq!(rows, [(0.9, 0.99, 2, 3), (0.999, 1.0, 1, 1)]);
        assert!((calibration.attribution[0].stated - 0.95).abs() < 1e-12);
        // (0.05² + 0.03² + 0.93² + 0) / 4
        assert!(calibration.brier.is_some_and(|b| (b - 0.217_075).abs() < 1e-9));
    }

    #[test]
    fn nothing_stated_is_nothing_held() {
        assert_eq!(Calibration::of(&[run(Cause::None, None, None)]), Calibration::default());
    }
}
