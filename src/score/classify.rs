//! The confusion matrix's row for one deploy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::outcome::{Decisions, TruthSummary};

/// How a run counts (SPEC 8.5; a deploy is one trial).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Bad deploy, first rollback decided from the onset to the end of the watch.
    TruePositive,
    /// Bad deploy, nothing decided in that time.
    FalseNegative,
    /// Rollback of a deploy that is not bad, or of a bad one before it did any harm.
    FalsePositive,
    /// Deploy that is not bad, neither rolled back nor escalated.
    TrueNegative,
    /// A person was called, and nothing rolled back: a column of its own.
    Escalated,
    /// Nothing was decided because the judge lacked an input it needs from first to last: neither right nor wrong.
    Inconclusive,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TruePositive => "caught",
            Self::FalseNegative => "missed",
            Self::FalsePositive => "false rollback",
            Self::TrueNegative => "left alone",
            Self::Escalated => "escalated",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// Classifies a run. `conclusive`: whether any verdict was. A bad deploy that never hurts users (a security finding) has no onset: for it, any moment
/// from the deploy on is in time.
pub(super) fn classify(truth: &TruthSummary, decisions: &Decisions, conclusive: bool) -> Class {
    match decided(truth, decisions) {
        Class::FalseNegative | Class::TrueNegative if !conclusive => Class::Inconclusive,
        class => class,
    }
}

fn decided(truth: &TruthSummary, decisions: &Decisions) -> Class {
    let end = truth.deployed + truth.watch;
    if !truth.bad {
        return match (decisions.roll_back, decisions.escalate) {
            (Some(_), _) => Class::FalsePositive,
            (None, Some(_)) => Class::Escalated,
            (None, None) => Class::TrueNegative,
        };
    }
    let from = truth.onset.unwrap_or(truth.deployed);
    match decisions.roll_back {
        Some(at) if at < from => Class::FalsePositive,
        Some(at) if at <= end => Class::TruePositive,
        _ if decisions.escalate_from(from).is_some_and(|at| at <= end) => Class::Escalated,
        _ => Class::FalseNegative,
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Arms, Bound, Feasible};
    use super::*;
    use backspin_domain::engine_io::JournalEntry;
    use backspin_domain::entry::Entry;
    use backspin_domain::time::{Millis, MonoTime};
    use backspin_domain::truth::Cause;
    use backspin_domain::verdict::{Verdict, VerdictClass};

    /// Deployed at 10, hurting from 20, watched until 100.
    #[track_caller]
    fn check(cause: Cause, roll_back: Option<u64>, escalate: &[u64], expected: Class) {
        let truth = TruthSummary {
            cause,
            bad: matches!(cause, Cause::Candidate | Cause::Flag | Cause::Infrastructure),
            rollback_helps: true,
            concurrent_baseline: true,
            arms: Arms::Concurrent,
            recovery_known: true,
            deployed: MonoTime(10),
            onset: Some(MonoTime(20)),
            watch: Millis(90),
            scrape: Millis(1),
            bound: Bound { feasible: Feasible::Yes, scrapes: Some(1), time: None, floor_scrapes: None },
        };
        let decisions = Decisions {
            pause: None,
            roll_back: roll_back.map(MonoTime),
            escalations: escalate.iter().copied().map(MonoTime).collect(),
            escalate: escalate.first().copied().map(MonoTime),
        };
        assert_eq!(classify(&truth, &decisions, true), expected, "{cause:?} {roll_back:?} {escalate:?}");
    }

    #[test]
    fn bad_deploys_before_on_and_after_each_limit() {
        use Class::{Escalated, FalseNegative, FalsePositive, TruePositive};
        check(Cause::Candidate, Some(19), &[], FalsePositive);
        check(Cause::Candidate, Some(20), &[], TruePositive);
        check(Cause::Flag, Some(100), &[], TruePositive);
        check(Cause::Candidate, Some(101), &[], FalseNegative);
        check(Cause::Candidate, None, &[], FalseNegative);
        check(Cause::Candidate, None, &[19], FalseNegative);
        check(Cause::Candidate, None, &[19, 30], Escalated);
        check(Cause::Candidate, Some(50), &[30], TruePositive);
        check(Cause::Candidate, Some(19), &[30], FalsePositive);
    }

    #[test]
    fn deploys_that_are_not_bad() {
        use Class::{Escalated, FalsePositive, TrueNegative};
        for cause in [Cause::None, Cause::External] {
            check(cause, None, &[], TrueNegative);
            check(cause, Some(50), &[40], FalsePositive);
            check(cause, None, &[40], Escalated);
        }
    }

    #[test]
    fn a_judge_that_never_could_tell_is_neither_right_nor_wrong() {
        let sample = backspin_record::sample::Sample::default().entries();
        let told = super::super::score_entries(&sample).expect("whole");
        assert_ne!(told.class, Class::Inconclusive);
        let silent: Vec<_> = sample
            .into_iter()
            .map(|entry| match entry {
                Entry::Journal(at, JournalEntry::Judged { service, verdict }) => {
                    let verdict = Verdict { class: VerdictClass::Inconclusive, ..verdict };
                    Entry::Journal(at, JournalEntry::Judged { service, verdict })
                }
                other => other,
            })
            .filter(|entry| !matches!(entry, Entry::Journal(_, JournalEntry::Decided { .. })))
            .collect();
        let untold = super::super::score_entries(&silent).expect("whole");
        assert_eq!(untold.class, Class::Inconclusive);
        let figures = super::super::Figures::of([&untold], &super::super::CostWeights::default());
        assert_eq!((figures.caught.n, figures.false_rollbacks.n), (0, 0));
        assert_eq!(figures.confusion.inconclusive_bad + figures.confusion.inconclusive_good, 1);
    }
}
