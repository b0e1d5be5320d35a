//! People who are asked for approval: they answer in their own time, or never.

use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;

use backspin_domain::engine_io::ApprovalAnswer;
use backspin_domain::id::{ActorId, ExecutionId, PlanHash};
use backspin_domain::time::{MonoTime, Now, WallTime};
use backspin_scenario::model::{Answer, PersonModel};

/// The people of a scenario, and what they are thinking about.
#[derive(Clone, Debug)]
pub(super) struct People {
    models: Vec<PersonModel>,
    wall_start: WallTime,
    /// By when they come and in which order they were asked for.
    answers: BTreeMap<(MonoTime, u64), ApprovalAnswer>,
    asked: u64,
}

impl People {
    /// Nobody is asked yet.
    pub(super) fn new(models: &[PersonModel], wall_start: WallTime) -> Self {
        Self { models: models.to_vec(), wall_start, answers: BTreeMap::new(), asked: 0 }
    }

    /// Somebody is asked.
    pub(super) fn ask(&mut self, now: MonoTime, execution: ExecutionId, plan: PlanHash, role: &ActorId) {
        let Some(person) = self.models.iter().find(|person| person.role == *role) else { return };
        let at = now + person.answers_after;
        let given = Now::in_run(self.wall_start, at).wall;
        let approved = match person.answer {
            Answer::Approve => true,
            Answer::Refuse => false,
        };
        let answer =
            ApprovalAnswer { execution, plan, approved, by: role.clone(), role: role.clone(), given };
        self.answers.insert((at, self.asked), answer);
        self.asked += 1;
    }

    /// When somebody answers next.
    pub(super) fn next(&self) -> Option<MonoTime> {
        self.answers.keys().next().map(|(at, _)| *at)
    }

    /// The next answer that was given by now.
    pub(super) fn poll(&mut self, now: MonoTime) -> Option<ApprovalAnswer> {
        self.answers.first_entry().filter(|entry| entry.key().0 <= now).map(OccupiedEntry::remove)
    }
}
