//! The schema: which version's the database has, who works with it, and scripts that take it back.
//!
//! A change that only adds is applied when the deploy begins, any other once the candidate serves all. A version fails
//! where a newer change broke it, or where one is missing that it needs; requests that do not touch what was changed
//! go on. A revert runs for its time and holds its locks at the end of it: meanwhile those requests hang.
//!
//! Left out: how long a change takes to be applied, and what it locks. Reads from replicas are in `replicas`.

use backspin_domain::service::{KnownSchema, RevertScript, SchemaChange};
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{SchemaModel, VersionModel};

/// The schema of one service's database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// What came with each version.
    changes: Vec<Option<SchemaModel>>,
    /// The version whose schema is there.
    at: usize,
    /// The candidate, until its change is applied.
    to_come: Option<usize>,
    reverting: Option<Reverting>,
}

#[derive(Clone, Copy, Debug)]
struct Reverting {
    to: usize,
    locks_from: MonoTime,
    due: MonoTime,
    locked: bool,
    /// Whether it fails at its end, so that its transaction leaves nothing.
    fails: bool,
}

/// How a script goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// It fails at its end.
    pub(crate) fails: bool,
    /// It waits for a lock so much longer, and holds its own meanwhile.
    pub(crate) waits: Millis,
}

/// Why a revert is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRevert {
    /// The database has another schema than was said.
    Elsewhere,
    /// One runs.
    Busy,
    /// There is nothing to take back.
    NotNewer,
    /// A change has no script.
    NoScript,
}

impl Database {
    /// Before the deploy.
    pub(crate) fn new(versions: &[VersionModel], from: usize, candidate: usize) -> Self {
        let changes: Vec<_> = versions.iter().map(|version| version.schema).collect();
        Self {
            at: from,
            to_come: changes[candidate].is_some().then_some(candidate),
            changes,
            reverting: None,
        }
    }

    /// Whether any version changes it.
    pub(crate) fn is_there(&self) -> bool {
        self.changes.iter().any(Option::is_some)
    }

    /// The version whose schema is there.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What an inventory tells of a version's change.
    pub(crate) fn known(&self, version: usize) -> Option<KnownSchema> {
        self.changes[version].map(|model| KnownSchema {
            change: model.change,
            applied: version <= self.at,
            revert: model.revert,
        })
    }

    /// Applies the candidate's change when its time has come; whether it did.
    pub(crate) fn migrate(&mut self, begun: bool, complete: bool) -> bool {
        let due = self.to_come.filter(|&candidate| match self.changes[candidate].map(|m| m.change) {
            Some(SchemaChange::Expand) => begun,
            Some(SchemaChange::Contract | SchemaChange::Breaking) => complete,
            None => false,
        });
        let Some(candidate) = due else { return false };
        (self.at, self.to_come) = (candidate, None);
        true
    }

    /// Takes locks and ends a revert that are due; whether anything changed.
    pub(crate) fn advance(&mut self, now: MonoTime) -> bool {
        let Some(reverting) = &mut self.reverting else { return false };
        if reverting.due <= now {
            if !reverting.fails {
                self.at = reverting.to;
            }
            self.reverting = None;
            return true;
        }
        let locks = !reverting.locked && reverting.locks_from <= now;
        reverting.locked |= locks;
        locks
    }

    /// Begins to take the schema back from one version's to another's.
    pub(crate) fn revert(
        &mut self,
        from: usize,
        to: usize,
        now: MonoTime,
        trouble: Trouble,
    ) -> Result<(), NoRevert> {
        if self.reverting.is_some() {
            return Err(NoRevert::Busy);
        }
        if self.at != from {
            return Err(NoRevert::Elsewhere);
        }
        if to >= from {
            return Err(NoRevert::NotNewer);
        }
        let changes = self.changes[to + 1..=from].iter().flatten();
        let scripts: Option<Vec<RevertScript>> = changes.map(|change| change.revert).collect();
        let scripts = scripts.ok_or(NoRevert::NoScript)?;
        let sum =
            |of: fn(&RevertScript) -> Millis| scripts.iter().map(of).fold(Millis::ZERO, std::ops::Add::add);
        let (takes, lock) = (sum(|script| script.takes), sum(|script| script.lock));
        let locks_from = now + takes.saturating_sub(lock);
        let (due, fails) = (now + takes + trouble.waits, trouble.fails);
        self.reverting = Some(Reverting { to, locks_from, due, locked: false, fails });
        self.to_come = None;
        Ok(())
    }

    /// The version to whose schema a revert runs, if one does.
    pub(crate) fn reverting_to(&self) -> Option<usize> {
        self.reverting.map(|reverting| reverting.to)
    }

    /// Share of a version's requests that fail with the schema as it is.
    pub(crate) fn failing(&self, version: usize) -> f64 {
        let (older, newer) = (version.min(self.at), version.max(self.at));
        let between = self.changes[older + 1..=newer].iter().flatten();
        let fails = |change: SchemaChange| {
            if version < self.at { change.breaks_older() } else { change.is_needed() }
        };
        between.filter(|model| fails(model.change)).map(|model| model.touches).fold(0.0, f64::max)
    }

    /// Share of all requests that wait for a lock.
    pub(crate) fn waiting(&self) -> f64 {
        let Some(reverting) = self.reverting.filter(|reverting| reverting.locked) else { return 0.0 };
        let locked = self.changes[reverting.to + 1..=self.at].iter().flatten();
        locked.map(|model| model.touches).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn database(change: SchemaChange, revert: Option<RevertScript>) -> Database {
        let mut versions = testing::healthy().service.versions;
        versions[2].schema = Some(SchemaModel { change, touches: 0.8, revert });
        Database::new(&versions, 1, 2)
    }

    const SCRIPT: RevertScript =
        RevertScript { takes: Millis::from_secs(20), lock: Millis::from_secs(5), rows_at_risk: 0 };

    #[test]
    fn each_change_breaks_whom_it_breaks_and_comes_when_it_is_due() {
        for (change, applied_at_once, old_before, new_before, old_after) in [
            (SchemaChange::Expand, true, 0.0, 0.8, 0.0),
            (SchemaChange::Contract, false, 0.0, 0.0, 0.8),
            (SchemaChange::Breaking, false, 0.0, 0.8, 0.8),
        ] {
            let mut database = database(change, Some(SCRIPT));
            assert_eq!((database.failing(1), database.failing(2)), (old_before, new_before), "{change:?}");
            assert_eq!(database.migrate(true, false), applied_at_once, "{change:?}");
            assert_eq!(database.migrate(true, true), !applied_at_once, "{change:?}");
            assert_eq!((database.failing(1), database.failing(2)), (old_after, 0.0), "{change:?}");
            assert!(!database.migrate(true, true), "once");
        }
    }

    #[test]
    fn a_revert_runs_locks_at_its_end_and_is_not_begun_twice() {
        let mut database = database(SchemaChange::Contract, Some(SCRIPT));
        assert_eq!(
            database.revert(2, 1, MonoTime(0), Trouble::default()),
            Err(NoRevert::Elsewhere),
            "nothing is applied yet"
        );
        database.migrate(true, true);
        assert_eq!(database.revert(2, 2, MonoTime(0), Trouble::default()), Err(NoRevert::NotNewer));
        assert_eq!(database.revert(2, 1, MonoTime(0), Trouble::default()), Ok(()));
        assert_eq!(database.revert(2, 1, MonoTime(0), Trouble::default()), Err(NoRevert::Busy));
        assert!(!database.advance(MonoTime(14_999)) && database.waiting() == 0.0);
        assert!(database.advance(MonoTime(15_000)) && database.waiting() == 0.8);
        assert!(database.reverting_to() == Some(1) && database.failing(1) == 0.8);
        assert!(database.advance(MonoTime(20_000)) && database.waiting() == 0.0);
        assert_eq!((database.at(), database.failing(1), database.failing(2)), (1, 0.0, 0.0));
        assert!(!database.migrate(true, true), "what was taken back does not come again");
    }

    #[test]
    fn what_has_no_script_is_not_taken_back() {
        let mut database = database(SchemaChange::Contract, None);
        database.migrate(true, true);
        assert_eq!(database.revert(2, 1, MonoTime(0), Trouble::default()), Err(NoRevert::NoScript));
    }
}
