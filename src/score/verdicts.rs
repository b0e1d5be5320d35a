//! Verdicts alone: whether a judge spoke against a change, and when, whatever the engine made of it.
//!
//! A decision answers "should this deploy be undone", a verdict only "is it harmful now". Labelled recordings of chaos experiments can say
//! whether the second was right, and not the first: a fault in one pod is no deploy. So they are scored by verdicts.
//!
//! The first `fail` of a watch counts, since fails stand. What lies before the onset, and the whole watch where there is none, is quiet time: a
//! `fail` in it is a false alarm, and hours of it are counted until that alarm, and only while the judge could tell (a judge that lacks its inputs
//! is silent, and that is no merit).

use serde::{Deserialize, Serialize};

use super::figures::mcc;
use super::fold::ScoreError;
use super::interval::Share;
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::Entry;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Truth, TruthEntry};
use backspin_domain::verdict::VerdictClass;

/// What a judge's verdicts on one watch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// Whether there was something to find.
    pub bad: bool,
    /// The answer.
    pub told: Told,
    /// Deploy to the first `fail`, milliseconds; none without one.
    pub alarm_ms: Option<u64>,
    /// Whether any verdict was more than inconclusive.
    pub conclusive: bool,
    /// Quiet time that was judged, milliseconds.
    pub quiet_ms: u64,
}

/// How the first `fail`, or the lack of one, counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Something was wrong, and it was said after the onset and within the watch.
    Detected,
    /// Something was wrong, and nothing was said.
    Missed,
    /// It was said where nothing was wrong, or before it was.
    FalseAlarm,
    /// Nothing was wrong, and nothing was said.
    Quiet,
}

impl Watched {
    /// Reads it off a record.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, ScoreError> {
        let (mut named, mut fold) = (None, None);
        for entry in entries {
            match entry {
                Entry::Header(header) => named = Some((header.scenario.clone(), header.seed_index)),
                Entry::Truth(_, TruthEntry::Known(truth)) => fold = Some(Fold::new(truth.clone())),
                Entry::Journal(at, JournalEntry::Judged { verdict, .. }) => {
                    if let Some(fold) = &mut fold {
                        fold.judged(*at, verdict.class);
                    }
                }
                Entry::Input(..)
                | Entry::Woken(_)
                | Entry::Journal(..)
                | Entry::Truth(..)
                | Entry::End(_) => {}
            }
        }
        let (scenario, seed_index) = named.ok_or(ScoreError::NoHeader)?;
        fold.map(Fold::finish).ok_or(ScoreError::NoTruth { scenario, seed_index })
    }

    /// Whether the answer is right.
    pub const fn is_right(&self) -> bool {
        matches!(self.told, Told::Detected | Told::Quiet)
    }
}

struct Fold {
    truth: Truth,
    before: MonoTime,
    alarm: Option<MonoTime>,
    conclusive: bool,
    quiet: Millis,
}

impl Fold {
    fn new(truth: Truth) -> Self {
        Self { before: truth.deployed, truth, alarm: None, conclusive: false, quiet: Millis::ZERO }
    }

    /// Whether what ended at this moment was all quiet.
    fn is_quiet(&self, at: MonoTime) -> bool {
        !self.truth.is_bad() || self.truth.onset.is_some_and(|onset| at <= onset)
    }

    fn judged(&mut self, at: MonoTime, class: VerdictClass) {
        let deployed = self.truth.deployed;
        if at <= deployed || at > deployed + self.truth.watch || self.alarm.is_some() {
            return;
        }
        let lasted = at.since(self.before);
        self.before = at;
        if class == VerdictClass::Inconclusive {
            return;
        }
        self.conclusive = true;
        if self.is_quiet(at) {
            self.quiet = self.quiet + lasted;
        }
        if class == VerdictClass::Fail {
            self.alarm = Some(at);
        }
    }

    fn finish(self) -> Watched {
        let bad = self.truth.is_bad();
        let told = match self.alarm {
            Some(at) if self.is_quiet(at) => Told::FalseAlarm,
            Some(_) => Told::Detected,
            None if bad => Told::Missed,
            None => Told::Quiet,
        };
        Watched {
            bad,
            told,
            alarm_ms: self.alarm.map(|at| at.since(self.truth.deployed).0),
            conclusive: self.conclusive,
            quiet_ms: self.quiet.0,
        }
    }
}

/// What a set of watches comes to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictFigures {
    /// Detected, of those in which something was wrong.
    pub detected: Share,
    /// Of those in which nothing was wrong, how many had a false alarm.
    pub alarmed: Share,
    /// Watches of both kinds of which the judge could tell nothing; they count as answered with silence.
    pub inconclusive: u64,
    /// Matthews correlation coefficient of both kinds of watches (Matthews 1975), `-1..=1`; none where a row or column is empty.
    pub mcc: Option<f64>,
    /// False alarms, of extra quiet time as well.
    pub false_alarms: u64,
    /// Quiet time that was judged until the first alarm of each watch, hours; of extra quiet time as well.
    pub quiet_hours: f64,
}

impl VerdictFigures {
    /// Sums up watches. `extra` are stretches of quiet time that are no labelled watch of their own: they count towards false alarms per hour, and
    /// nothing else.
    pub fn of<'a>(
        watches: impl IntoIterator<Item = &'a Watched>,
        extra: impl IntoIterator<Item = &'a Watched>,
    ) -> Self {
        let (mut bad, mut detected, mut good, mut quiet, mut inconclusive) = (0, 0, 0, 0, 0);
        let (mut false_alarms, mut quiet_ms) = (0, 0);
        let mut count = |watch: &Watched| {
            false_alarms += u64::from(watch.told == Told::FalseAlarm);
            quiet_ms += watch.quiet_ms;
        };
        for watch in watches {
            bad += u64::from(watch.bad);
            good += u64::from(!watch.bad);
            detected += u64::from(watch.told == Told::Detected);
            quiet += u64::from(watch.told == Told::Quiet);
            inconclusive += u64::from(!watch.conclusive);
            count(watch);
        }
        extra.into_iter().for_each(&mut count);
        Self {
            detected: Share::new(detected, bad),
            alarmed: Share::new(good - quiet, good),
            inconclusive,
            mcc: mcc(detected, good - quiet, quiet, bad - detected),
            false_alarms,
            quiet_hours: Millis(quiet_ms).as_secs_f64() / 3600.0,
        }
    }

    /// False alarms per hour of quiet time, the estimate of a constant rate; none where no time was judged.
    pub fn false_alarms_per_hour(&self) -> Option<f64> {
        (self.quiet_hours > 0.0).then(|| self.false_alarms as f64 / self.quiet_hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::id::VersionId;
    use backspin_domain::truth::Cause;

    const MINUTE: u64 = 60_000;

    /// Deployed at ten minutes, watched for ten, harm from `onset` on; a verdict each minute, one letter each.
    #[track_caller]
    fn check(onset: Option<u64>, verdicts: &str, told: Told, alarm: Option<u64>, quiet: u64) {
        let truth = Truth {
            cause: if onset.is_some() { Cause::Candidate } else { Cause::None },
            bad_version: onset.and_then(|_| VersionId::new("changed").ok()),
            onset: onset.map(|at| MonoTime(at * MINUTE)),
            rollback_helps: onset.is_some(),
            concurrent_baseline: false,
            deployed: MonoTime(10 * MINUTE),
            watch: Millis(10 * MINUTE),
            scrape: Millis(MINUTE),
            recovery_known: false,
        };
        let mut fold = Fold::new(truth);
        for (n, letter) in (9..).zip(verdicts.chars()) {
            let class = match letter {
                'F' => VerdictClass::Fail,
                'p' => VerdictClass::Pass,
                'm' => VerdictClass::Marginal,
                _ => VerdictClass::Inconclusive,
            };
            fold.judged(MonoTime(n * MINUTE), class);
        }
        let found = fold.finish();
        assert_eq!((found.told, found.alarm_ms), (told, alarm.map(|at| at * MINUTE)), "{verdicts}");
        assert_eq!(found.quiet_ms, quiet * MINUTE, "{verdicts}");
        assert_eq!(found.conclusive, verdicts.get(2..).is_some_and(|after| after.contains(['F', 'p', 'm'])));
    }

    #[test]
    fn the_first_fail_after_the_deploy_counts() {
        // What is said at or before the deploy is about nothing; what is said after the watch is too late.
        check(None, "FFppppppppppFF", Told::Quiet, None, 10);
        check(None, "--pppFppF", Told::FalseAlarm, Some(4), 4);
        check(Some(13), "--ppppppFF", Told::Detected, Some(7), 3);
        check(Some(13), "--pppmmmmmmm", Told::Missed, None, 3);
        // A frame that ended at the onset holds no harm yet.
        check(Some(13), "--ppFF", Told::FalseAlarm, Some(3), 3);
        check(Some(13), "--pppF", Told::Detected, Some(4), 3);
    }

    #[test]
    fn silence_for_want_of_inputs_is_no_quiet_time() {
        check(None, "--?????pp", Told::Quiet, None, 2);
        check(None, "--??????????", Told::Quiet, None, 0);
        check(Some(10), "--??????????", Told::Missed, None, 0);
    }

    #[test]
    fn figures_count_extra_quiet_time_for_false_alarms_only() {
        let watch =
            |bad, told| Watched { bad, told, alarm_ms: None, conclusive: true, quiet_ms: 30 * MINUTE };
        let watches = [
            watch(true, Told::Detected),
            watch(true, Told::Detected),
            watch(true, Told::Missed),
            watch(true, Told::FalseAlarm),
            watch(false, Told::Quiet),
            watch(false, Told::FalseAlarm),
        ];
        let figures = VerdictFigures::of(&watches, &[watch(false, Told::FalseAlarm)]);
        assert_eq!((figures.detected.k, figures.detected.n), (2, 4));
        assert_eq!((figures.alarmed.k, figures.alarmed.n), (1, 2));
        assert_eq!((figures.false_alarms, figures.quiet_hours), (3, 3.5));
        assert_eq!(figures.false_alarms_per_hour(), Some(3.0 / 3.5));
        // (2·1 − 1·2) = 0.
        assert_eq!(figures.mcc, Some(0.0));
        assert_eq!(VerdictFigures::of(&[], &[]).false_alarms_per_hour(), None);
    }
}
