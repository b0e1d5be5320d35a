//! What a record tells apart from figures (SPEC 6.5, 6.6): its executions, decisions, calls for people, quiet alerts and
//! restarts. The one fold that reports and the engine's own metrics read.

use std::collections::BTreeMap;

use super::execution::{ExecutionFacts, Executions};
use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::{self, Entry};
use backspin_domain::event::DecisionKind;
use backspin_domain::id::ServiceId;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Milestone, TruthEntry};

/// A time in which the alerts of a service were kept quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// The service.
    pub service: ServiceId,
    /// From here.
    pub from: MonoTime,
    /// To here: when they were let sound again, or sounded again by themselves, or the record ended.
    pub until: MonoTime,
}

impl Quiet {
    /// How long.
    pub fn lasted(&self) -> Millis {
        self.until.since(self.from)
    }
}

/// When the harm ended, by the truth; no live record has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mitigation {
    /// The record does not know, or there was no harm that a rollback could end.
    #[default]
    Unknown,
    /// It went on to the end of the record.
    NotReached,
    /// It ended here.
    At(MonoTime),
}

/// All that a record tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordFacts {
    /// When the deploy began; none if it tells of none.
    pub deployed: Option<MonoTime>,
    /// Every decision that was written down, in order.
    pub decisions: Vec<(MonoTime, DecisionKind)>,
    /// Executions, oldest first.
    pub executions: Vec<ExecutionFacts>,
    /// Calls for a person.
    pub pages: u64,
    /// Quiet alerts, in the order in which each time of quiet ended.
    pub quiet: Vec<Quiet>,
    /// How long nobody watched, restart by restart of the engine.
    pub restarts: Vec<Millis>,
    /// When the harm ended.
    pub mitigation: Mitigation,
}

impl RecordFacts {
    /// Of a record in memory.
    pub fn of(entries: &[Entry]) -> Self {
        let mut fold = Fold::default();
        for entry in entries {
            fold.push(entry);
        }
        fold.finish(entry::deployed(entries))
    }

    /// From the first decision to roll back to the end of the harm; none where either is not known, or the harm ended
    /// without it.
    pub fn decision_to_mitigation(&self) -> Option<Millis> {
        match (self.rolled_back(), self.mitigation) {
            (Some(decided), Mitigation::At(at)) if at >= decided => Some(at.since(decided)),
            (_, Mitigation::At(_) | Mitigation::NotReached | Mitigation::Unknown) => None,
        }
    }

    /// Whether it decided to roll back and the harm went on to the end of the record all the same.
    pub fn never_mitigated(&self) -> bool {
        self.rolled_back().is_some() && self.mitigation == Mitigation::NotReached
    }

    fn rolled_back(&self) -> Option<MonoTime> {
        self.decisions.iter().find(|(_, kind)| *kind == DecisionKind::RollBack).map(|(at, _)| *at)
    }
}

#[derive(Debug, Default)]
struct Fold {
    facts: RecordFacts,
    executions: Executions,
    /// Services whose alerts are quiet: since when, and when they sound again by themselves.
    quiet: BTreeMap<ServiceId, (MonoTime, MonoTime)>,
    last: MonoTime,
}

impl Fold {
    fn push(&mut self, entry: &Entry) {
        self.executions.push(entry);
        match entry {
            Entry::Journal(at, entry) => {
                self.last = self.last.max(*at);
                self.journal(*at, entry);
            }
            Entry::Input(at, input) => {
                self.last = self.last.max(*at);
                if let Input::Restarted { down } = input {
                    self.facts.restarts.push(*down);
                }
            }
            Entry::Woken(at) | Entry::End(at) => self.last = self.last.max(*at),
            Entry::Truth(_, TruthEntry::Known(truth)) => {
                let ends = truth.is_bad() && truth.onset.is_some() && truth.recovery_known;
                if ends && self.facts.mitigation == Mitigation::Unknown {
                    self.facts.mitigation = Mitigation::NotReached;
                }
            }
            Entry::Truth(at, TruthEntry::Reached(Milestone::Mitigated)) => {
                self.facts.mitigation = Mitigation::At(*at);
            }
            Entry::Header(_)
            | Entry::Truth(
                _,
                TruthEntry::Reached(Milestone::Recovered)
                | TruthEntry::Tick(_)
                | TruthEntry::Effect(_)
                | TruthEntry::EngineLost
                | TruthEntry::Sensitivity(_)
                | TruthEntry::Extrapolated(_)
                | TruthEntry::Left(_),
            ) => {}
        }
    }

    fn journal(&mut self, at: MonoTime, entry: &JournalEntry) {
        match entry {
            JournalEntry::Decided { decision, .. } => self.facts.decisions.push((at, decision.kind())),
            JournalEntry::Page { .. } => self.facts.pages += 1,
            JournalEntry::Alerts { service, quiet_until: Some(until) } => self.hushed(at, service, *until),
            JournalEntry::Alerts { service, quiet_until: None } => self.sounds(at, service),
            // What belongs to an execution is folded with it; verdicts and orders to the rollout are nobody's figure.
            JournalEntry::Judged { .. }
            | JournalEntry::RolloutIntent { .. }
            | JournalEntry::Planned { .. }
            | JournalEntry::Intent { .. }
            | JournalEntry::Outcome { .. }
            | JournalEntry::Validated { .. }
            | JournalEntry::Status { .. }
            | JournalEntry::Waiting { .. }
            | JournalEntry::Asked { .. }
            | JournalEntry::Approved { .. }
            | JournalEntry::Void { .. }
            | JournalEntry::Resumed { .. } => {}
        }
    }

    fn hushed(&mut self, at: MonoTime, service: &ServiceId, until: MonoTime) {
        if self.quiet.get(service).is_some_and(|(_, until)| *until < at) {
            self.sounds(at, service);
        }
        self.quiet.entry(service.clone()).or_insert((at, until)).1 = until;
    }

    fn sounds(&mut self, at: MonoTime, service: &ServiceId) {
        if let Some((service, (from, until))) = self.quiet.remove_entry(service) {
            self.facts.quiet.push(Quiet { service, from, until: until.min(at) });
        }
    }

    fn finish(mut self, deployed: Option<MonoTime>) -> RecordFacts {
        while let Some(service) = self.quiet.keys().next().cloned() {
            self.sounds(self.last, &service);
        }
        self.facts.deployed = deployed;
        self.facts.executions = self.executions.finish();
        self.facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_record::sample::Sample;

    fn at(seconds: u64) -> MonoTime {
        MonoTime(seconds * 1000)
    }

    /// A record of so many seconds in which the alerts of these services are hushed until a second, or let sound again.
    fn quiet(alerts: &[(u64, &str, Option<u64>)], end: u64) -> Vec<(String, u64, u64)> {
        let mut entries: Vec<Entry> = Vec::new();
        for (when, service, until) in alerts {
            let service = ServiceId::new(service).expect("valid");
            let quiet_until = until.map(at);
            entries.push(Entry::Journal(at(*when), JournalEntry::Alerts { service, quiet_until }));
        }
        entries.push(Entry::End(at(end)));
        let quiet = RecordFacts::of(&entries).quiet;
        quiet.iter().map(|q| (q.service.to_string(), q.from.0 / 1000, q.until.0 / 1000)).collect()
    }

    #[track_caller]
    fn check(alerts: &[(u64, &str, Option<u64>)], end: u64, expected: &[(&str, u64, u64)]) {
        let expected: Vec<_> =
            expected.iter().map(|(s, from, until)| ((*s).to_owned(), *from, *until)).collect();
        assert_eq!(quiet(alerts, end), expected);
    }

    #[test]
    fn each_service_is_quiet_by_itself() {
        let both = [(10, "a", Some(900)), (20, "b", Some(900)), (50, "a", None), (80, "b", None)];
        check(&both, 100, &[("a", 10, 50), ("b", 20, 80)]);
    }

    #[test]
    fn alerts_that_nobody_lets_sound_again_are_quiet_to_the_end_of_the_record() {
        check(&[(10, "a", Some(900))], 100, &[("a", 10, 100)]);
    }

    #[test]
    fn or_until_they_sound_again_by_themselves() {
        check(&[(10, "a", Some(60))], 100, &[("a", 10, 60)]);
        check(&[(10, "a", Some(60)), (80, "a", None)], 100, &[("a", 10, 60)]);
        check(&[(10, "a", Some(60)), (80, "a", Some(200))], 100, &[("a", 10, 60), ("a", 80, 100)]);
    }

    #[test]
    fn hushing_again_makes_it_longer_and_letting_sound_twice_changes_nothing() {
        check(
            &[(10, "a", Some(60)), (50, "a", Some(90)), (70, "a", None), (75, "a", None)],
            100,
            &[("a", 10, 70)],
        );
    }

    #[test]
    fn the_end_of_the_harm_is_told_from_the_decision() {
        let facts = RecordFacts::of(&Sample::default().entries());
        assert_eq!(facts.decision_to_mitigation(), Some(Millis::from_secs(75)));
        assert!(!facts.never_mitigated());
        let facts = RecordFacts::of(&Sample { mitigated_after: None, ..Sample::default() }.entries());
        assert_eq!(facts.decision_to_mitigation(), None);
        assert!(facts.never_mitigated());
    }

    #[test]
    fn a_rollback_of_what_does_no_harm_mitigates_nothing_and_a_recording_does_not_know() {
        let harmless = Sample {
            cause: backspin_domain::truth::Cause::None,
            onset: None,
            mitigated_after: None,
            ..Sample::default()
        };
        let recorded = Sample { plane: backspin_domain::entry::PlaneKind::Recorded, ..Sample::default() };
        for sample in [harmless, recorded] {
            let facts = RecordFacts::of(&sample.entries());
            assert_eq!((facts.decision_to_mitigation(), facts.never_mitigated()), (None, false));
        }
    }

    #[test]
    fn the_deploy_is_known_from_the_truth_where_the_engine_was_not_told() {
        let facts = RecordFacts::of(&Sample::default().entries());
        assert_eq!(facts.deployed, Some(MonoTime(backspin_record::sample::HISTORY.0)));
    }
}
