//! The plan that the engine makes in a run: the one that it made by itself, or the one that it would have made for a
//! person who asked at another moment.

use super::replay::ReplayError;
use backspin_domain::engine_io::{Input, JournalEntry, RunClock};
use backspin_domain::entry::{Entry, RunHeader};
use backspin_domain::event::Decision;
use backspin_domain::id::{ActorId, ServiceId};
use backspin_domain::plan::RollbackPlan;
use backspin_domain::time::MonoTime;

/// A plan, and when it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The run.
    pub header: RunHeader,
    /// When the deploy began.
    pub deployed: MonoTime,
    /// When it was made.
    pub at: MonoTime,
    /// What was planned.
    pub plan: RollbackPlan,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoPlan {
    /// The engine never wanted to roll back.
    #[error("nothing is rolled back in this run; the last decision is: {last}")]
    NotRolledBack {
        /// The last decision, in words.
        last: String,
    },
    /// It wants to, and there is no way.
    #[error("the engine would roll back, but {why}")]
    NoWay {
        /// Why not.
        why: String,
    },
    /// Nobody would get a plan at that moment.
    #[error("no plan can be made at {at}: {why}")]
    NotThen {
        /// When.
        at: MonoTime,
        /// Why not.
        why: String,
    },
}

/// The plan of a whole run: its first one, or what a person would have got who asked at this moment.
pub fn planned(entries: &[Entry], at: Option<MonoTime>) -> Result<Result<Planned, NoPlan>, ReplayError> {
    let Some(Entry::Header(header)) = entries.first() else { return Err(ReplayError::NoHeader) };
    let deploy = entries.iter().find_map(|entry| match entry {
        Entry::Input(_, Input::Deployed(deploy)) => Some(deploy),
        _ => None,
    });
    let deployed = deploy.map(|deploy| deploy.at).unwrap_or_default();
    let made = match at {
        None => first(entries),
        Some(at) => asked(entries, header, at)?,
    };
    Ok(made.map(|(at, plan)| Planned { header: (**header).clone(), deployed, at, plan }))
}

fn first(entries: &[Entry]) -> Result<(MonoTime, RollbackPlan), NoPlan> {
    let mut last = None;
    for entry in entries {
        match entry {
            Entry::Journal(at, JournalEntry::Planned { plan, .. }) => return Ok((*at, (**plan).clone())),
            Entry::Journal(_, JournalEntry::Decided { decision, .. }) => last = Some(decision),
            _ => {}
        }
    }
    Err(match last {
        Some(Decision::Escalate(reason)) => NoPlan::NoWay { why: reason.to_string() },
        Some(decision) => NoPlan::NotRolledBack { last: decision.kind().to_string() },
        None => NoPlan::NotRolledBack { last: "nothing".to_owned() },
    })
}

/// Feeds a fresh engine all that it was told up to that moment, and asks it.
fn asked(
    entries: &[Entry],
    header: &RunHeader,
    at: MonoTime,
) -> Result<Result<(MonoTime, RollbackPlan), NoPlan>, ReplayError> {
    let policy = backspin_policy::from_json(&header.policy).map_err(ReplayError::Policy)?;
    let mut engine = backspin_plane::engine(&policy, &header.signals);
    let mut clock = RunClock::from(header.wall_start);
    let mut service: Option<ServiceId> = None;
    for entry in entries {
        let (mono, input) = match entry {
            Entry::Input(mono, input) => (*mono, Some(input.clone())),
            Entry::Woken(mono) => (*mono, None),
            Entry::Header(_) | Entry::Journal(..) | Entry::Truth(..) | Entry::End(_) => continue,
        };
        if mono > at {
            break;
        }
        if let Some(input) = &input {
            clock.hear(input);
        }
        let now = clock.at(mono);
        match input {
            Some(input) => {
                if let Input::Deployed(deploy) = &input {
                    service = Some(deploy.service.clone());
                }
                engine.handle_input(now, input);
            }
            None => engine.handle_timeout(now),
        }
        while engine.poll_output().is_some() {}
    }
    let Some(service) = service else {
        let why = "the deploy has not begun".to_owned();
        return Ok(Err(NoPlan::NotThen { at, why }));
    };
    let by = ActorId::new("whoever-asks").expect("letters and dashes are a valid name");
    let made = engine.propose(&service, &by, clock.at(at));
    Ok(made.map(|plan| (at, plan)).map_err(|why| NoPlan::NotThen { at, why }))
}
