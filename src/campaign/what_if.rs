//! What another policy would have done with a record's inputs, and what would have come of it.
//!
//! Up to the first effect that differs, the recorded inputs are true for both policies. From there on only a world
//! that reacts can tell: if the record carries its scenario, the other policy plays it on the same seed, and
//! the inputs of that run are held against the record's up to the difference ([`super::paired`]). Without such a
//! world the record's inputs are fed to the other policy, and the answer ends where the two part.

use serde::Serialize;

use super::act::{Act, Acted};
use super::paired::{InputDifference, Stretch, agreeing_inputs};
use super::replay::{ReplayError, Replayed, replay};
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::{Entry, PlaneKind, RunHeader, deployed};
use backspin_domain::event::Decision;
use backspin_domain::plan::RollbackPlan;
use backspin_domain::time::{Millis, MonoTime};
use backspin_plane::{PlaneError, RunId, direct, recorded, refed};
use backspin_policy::Policy;
use backspin_policy::document::{FileKind, Problems, Source};
use backspin_scenario::model::Scenario;
use backspin_score::{RunOutcome, score_entries};

/// What could be told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Both courses, and where they part.
    Answer(Box<WhatIf>),
    /// The record does not even replay under its own policy, so nothing follows from it.
    Contradicted(Box<Replayed>),
}

/// A record beside another policy.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// The record's header.
    pub header: RunHeader,
    /// Whether the record goes on to the run's end.
    pub whole: bool,
    /// The last moment of which the record tells all.
    pub last: MonoTime,
    /// When the deploy began; the run's beginning if neither course gets that far.
    pub deployed: MonoTime,
    /// Signals whose queries are others in the other policy, by name.
    pub asked_otherwise: Vec<String>,
    /// What the recorded policy did.
    pub record: Course,
    /// What the other does. Without a world it ends with the moment of the difference.
    pub other: Course,
    /// Where they part; none if they act the same as far as the record goes.
    pub parting: Option<Parting>,
    /// What the answer stands on.
    pub basis: Basis,
}

/// What one policy did.
#[derive(Clone, Debug)]
pub struct Course {
    /// The judge.
    pub judge: String,
    /// SHA-256 of the policy, hexadecimal.
    pub policy_hash: String,
    /// How often it asks for signals.
    pub collect_every: Millis,
    /// Every change of the decision, in order.
    pub decisions: Vec<(MonoTime, Decision)>,
    /// Every effect, in order.
    pub acts: Vec<Acted>,
    /// How the run counts; none where the world's answer is not known.
    pub outcome: Option<RunOutcome>,
}

/// The first effect that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Parting {
    /// When the first of the two acted otherwise.
    pub at: MonoTime,
    /// The recorded policy's side.
    pub record: Side,
    /// The other's.
    pub other: Side,
}

/// One policy at the parting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// What it does at that moment and the other does not; nothing if it acts later or never.
    pub acts: Vec<Act>,
    /// How many inputs it had been told before it acted at that moment; none if it does nothing then.
    #[serde(skip)]
    pub told: Option<usize>,
    /// What it does next, where it does nothing at that moment and the future is known.
    pub next: Option<Acted>,
    /// The decision that stands; none before the first frame after a deploy.
    pub decision: Option<Decision>,
    /// The last plan that was made.
    #[serde(skip)]
    pub plan: Option<Box<RollbackPlan>>,
}

/// What the answer stands on.
#[derive(Clone, Debug)]
pub enum Basis {
    /// The other policy played the scenario anew. The inputs before the difference were held against the record's.
    World {
        /// Inputs that were compared and are equal.
        inputs: usize,
        /// Frames that the record does not hold, because its policy did not ask at that moment.
        unrecorded: usize,
    },
    /// The record's inputs were fed to the other policy: what would have come after the difference is unknown.
    Inputs(NoWorld),
}

/// Why there is no world to go on in.
#[derive(Clone, Debug)]
pub enum NoWorld {
    /// It is a recorded incident: nobody can tell how its world would have reacted.
    Recording,
    /// The record does not carry its scenario: it was made by an older build, or its scenario is in no file.
    NoScenario,
    /// This build does not accept the scenario in the record.
    BadScenario(Problems),
    /// The world that this build makes of the scenario gives other inputs.
    AnotherWorld(Box<InputDifference>),
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    /// The record cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The other policy does not fit the scenario.
    #[error("the other policy cannot be played on the record's scenario")]
    Plane(#[source] PlaneError),
}

/// Tells what `other` would have done; it is given the record's own policy. `record` is read to its end first.
pub fn what_if<P: FnOnce(&Policy) -> Policy>(
    record: impl Iterator<Item = Result<Entry, backspin_record::RecordError>>,
    other: P,
) -> Result<Told, WhatIfError> {
    let record: Vec<Entry> = record.collect::<Result<_, _>>().map_err(ReplayError::Record)?;
    let replayed = replay(record.iter().cloned().map(Ok))?;
    if replayed.difference.is_some() {
        return Ok(Told::Contradicted(Box::new(replayed)));
    }
    let own = backspin_policy::from_json(&replayed.header.policy).map_err(ReplayError::Policy)?;
    let mut other = other(&own);
    let asked_otherwise = match replayed.header.plane {
        PlaneKind::Direct | PlaneKind::Http => asked_otherwise(&own, &other),
        PlaneKind::Recorded => {
            other = recorded::stated(&other, own.settings.collect_every);
            // A recording answers no queries: it has columns.
            Vec::new()
        }
    };
    let pair = Pair { record, replayed, own_collects: own.settings.collect_every, other, asked_otherwise };
    Ok(Told::Answer(Box::new(match pair.scenario() {
        Ok(scenario) => pair.in_world(&scenario)?,
        Err(reason) => pair.on_inputs(reason)?,
    })))
}

/// The names of the signals that are asked for in other words.
fn asked_otherwise(own: &Policy, other: &Policy) -> Vec<String> {
    let asks = |policy: &Policy| -> Vec<(String, String)> {
        policy.queries.iter().map(|q| (q.name(&policy.custom).to_owned(), q.text.clone())).collect()
    };
    let (left, right) = (asks(own), asks(other));
    let mut names: Vec<String> = left
        .iter()
        .filter(|ask| !right.contains(ask))
        .chain(right.iter().filter(|ask| !left.contains(ask)))
        .map(|(name, _)| name.clone())
        .collect();
    if names.is_empty() && left != right {
        // A frame holds answers by their place, so another order is another question.
        names = right.into_iter().map(|(name, _)| name).collect();
    }
    names.sort();
    names.dedup();
    names
}

/// A record that replays, and the policy to hold beside it.
struct Pair {
    record: Vec<Entry>,
    replayed: Replayed,
    /// How often the recorded policy asks for signals.
    own_collects: Millis,
    other: Policy,
    asked_otherwise: Vec<String>,
}

impl Pair {
    /// The scenario that the record carries.
    fn scenario(&self) -> Result<Scenario, NoWorld> {
        let header = &self.replayed.header;
        match header.plane {
            PlaneKind::Recorded => Err(NoWorld::Recording),
            PlaneKind::Direct | PlaneKind::Http => {
                let text = header.scenario_text.as_deref().ok_or(NoWorld::NoScenario)?;
                let source = Source::new(FileKind::Scenario, "the scenario in the record", text);
                backspin_scenario::parse(&source, &header.scenario, &header.family)
                    .map_err(NoWorld::BadScenario)
            }
        }
    }

    /// The other policy plays the scenario on the record's seed.
    fn in_world(self, scenario: &Scenario) -> Result<WhatIf, WhatIfError> {
        let header = &self.replayed.header;
        let id = RunId { campaign_seed: header.campaign_seed, seed_index: header.seed_index };
        let played = direct::run(scenario, &self.other, id).map_err(WhatIfError::Plane)?;
        let again = replay(played.iter().cloned().map(Ok))?;
        let parting = self.parting(&played, &again);
        let known = self.last_moment();
        let until = parting.as_ref().map_or(known, |parting| parting.at.min(known));
        let told = |side: fn(&Parting) -> &Side| parting.as_ref().and_then(|parting| side(parting).told);
        let record = Stretch { entries: &self.record, told: told(|parting| &parting.record) };
        let world = Stretch { entries: &played, told: told(|parting| &parting.other) };
        match agreeing_inputs(record, world, until, self.asked_otherwise.is_empty()) {
            Err(difference) => self.on_inputs(NoWorld::AnotherWorld(difference)),
            Ok(compared) => {
                let basis = Basis::World { inputs: compared.equal, unrecorded: compared.unrecorded };
                Ok(self.told(&played, again, parting, basis))
            }
        }
    }

    /// The other policy is fed what was recorded.
    fn on_inputs(self, reason: NoWorld) -> Result<WhatIf, WhatIfError> {
        let header = &self.replayed.header;
        // What a recording has are its own columns, and a record holds no answers but those to its own queries.
        let own_signals = header.plane != PlaneKind::Recorded && self.asked_otherwise.is_empty();
        let signals = if own_signals { &self.other.custom } else { &header.signals };
        let fed = refed::run(header, &self.record, &self.other, signals);
        let mut again = replay(fed.iter().cloned().map(Ok))?;
        let mut parting = self.parting(&fed, &again);
        if let Some(parting) = &mut parting {
            again.decisions.retain(|(at, _)| *at <= parting.at);
            again.acts.retain(|acted| acted.at <= parting.at);
            parting.other.next = None;
        }
        Ok(self.told(&fed, again, parting, Basis::Inputs(reason)))
    }

    /// The last moment of which the record tells all: its last one, or where it was cut, the one before.
    fn last_moment(&self) -> MonoTime {
        let last = self.record.iter().filter_map(backspin_plane::refed::moment).max().unwrap_or_default();
        if self.replayed.whole { last } else { last - Millis(1) }
    }

    fn parting(&self, entries: &[Entry], other: &Replayed) -> Option<Parting> {
        let (index, at) = first_otherwise(&self.replayed.acts, &other.acts)?;
        (self.replayed.whole || at <= self.last_moment()).then(|| Parting {
            at,
            record: side(&self.record, &self.replayed, index, at),
            other: side(entries, other, index, at),
        })
    }

    fn told(self, entries: &[Entry], mut again: Replayed, parting: Option<Parting>, basis: Basis) -> WhatIf {
        let last = self.last_moment();
        if !self.replayed.whole && parting.is_none() {
            // They act the same as far as the record goes; beyond that there is nothing to compare.
            again.decisions.retain(|(at, _)| *at <= last);
            again.acts.retain(|acted| acted.at <= last);
        }
        let (record, other) = match basis {
            Basis::World { .. } => (score_entries(&self.record).ok(), score_entries(entries).ok()),
            Basis::Inputs(_) => (None, None),
        };
        WhatIf {
            whole: self.replayed.whole,
            last,
            deployed: deployed(&self.record).or_else(|| deployed(entries)).unwrap_or_default(),
            asked_otherwise: self.asked_otherwise,
            header: self.replayed.header.clone(),
            record: course(self.replayed, self.own_collects, record),
            other: course(again, self.other.settings.collect_every, other),
            parting,
            basis,
        }
    }
}

fn course(replayed: Replayed, collect_every: Millis, outcome: Option<RunOutcome>) -> Course {
    Course {
        judge: replayed.header.judge,
        policy_hash: replayed.header.policy_hash,
        collect_every,
        decisions: replayed.decisions,
        acts: replayed.acts,
        outcome,
    }
}

/// The number of the first effect that differs in time or kind, and its moment.
fn first_otherwise(left: &[Acted], right: &[Acted]) -> Option<(usize, MonoTime)> {
    let same = |(l, r): &(&Acted, &Acted)| l.at == r.at && l.act.does_as(&r.act);
    let index = left.iter().zip(right).take_while(same).count();
    let at = left.get(index).into_iter().chain(right.get(index)).map(|acted| acted.at).min()?;
    Some((index, at))
}

/// A policy at the parting: what it does from this effect on.
fn side(entries: &[Entry], replayed: &Replayed, index: usize, at: MonoTime) -> Side {
    let rest = &replayed.acts[index..];
    let told = rest.first().filter(|acted| acted.at == at).map(|acted| acted.told);
    let acts: Vec<Act> = rest.iter().take_while(|acted| acted.at == at).map(|a| a.act.clone()).collect();
    let plan = entries.iter().rev().find_map(|entry| match entry {
        Entry::Journal(made, JournalEntry::Planned { plan, .. }) if *made <= at => Some(plan.clone()),
        _ => None,
    });
    Side {
        next: rest.first().filter(|_| acts.is_empty()).cloned(),
        decision: replayed.decisions.iter().rfind(|(made, _)| *made <= at).map(|(_, d)| d.clone()),
        acts,
        told,
        plan,
    }
}

#[cfg(test)]
mod tests;
