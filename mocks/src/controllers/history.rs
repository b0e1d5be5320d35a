//! Revisions: going back to one, and forgetting the oldest.

use thiserror::Error;

use super::deployment::Deployment;

/// What an undo did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// The template of `revision` is asked for again; the next reconcile gives its ReplicaSet a new number.
    Patched {
        /// Number that the ReplicaSet had.
        revision: u64,
    },
    /// The template of `revision` is the asked-for one already; nothing was changed.
    Skipped {
        /// Number of the ReplicaSet.
        revision: u64,
    },
}

/// Why `kubectl rollout undo` refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UndoError {
    /// Paused Deployments are not rolled back by kubectl; [`Deployment::set_template`] is allowed as the API allows it.
    #[error("cannot roll back a paused deployment")]
    Paused,
    /// There is no ReplicaSet besides the newest.
    #[error("no revision before {newest} in the history")]
    NoPrevious {
        /// The newest revision.
        newest: u64,
    },
    /// No ReplicaSet has this number: it never existed, was renumbered, or was cleaned up.
    #[error("no revision {revision} in the history")]
    Unknown {
        /// The number asked for.
        revision: u64,
    },
}

impl Deployment {
    /// Goes back to the template of revision `to`, or of the one before the newest, as `kubectl rollout undo` does.
    ///
    /// # Errors
    /// When paused, or when the history has no such revision.
    pub fn undo(&mut self, to: Option<u64>) -> Result<Undo, UndoError> {
        if self.spec.paused {
            return Err(UndoError::Paused);
        }
        let found = if let Some(revision) = to {
            let set = self.replica_sets.iter().find(|set| set.revision == revision);
            set.ok_or(UndoError::Unknown { revision })
        } else {
            let newest = self.replica_sets.iter().map(|set| set.revision).max().unwrap_or(0);
            let older = self.replica_sets.iter().filter(|set| set.revision < newest);
            older.max_by_key(|set| set.revision).ok_or(UndoError::NoPrevious { newest })
        };
        let (template, revision) = found.map(|set| (set.template, set.revision))?;
        Ok(if self.set_template(template) { Undo::Patched { revision } } else { Undo::Skipped { revision } })
    }

    /// Deletes the oldest empty ReplicaSets above the limit (`cleanupDeployment`); whether any.
    pub(super) fn clean_history(&mut self) -> bool {
        let (template, limit) = (self.spec.template, self.spec.revision_history_limit as usize);
        let old = self.replica_sets.iter().filter(|set| set.template != template).count();
        let Some(surplus) = old.checked_sub(limit).filter(|&surplus| surplus > 0) else { return false };
        let mut revisions: Vec<u64> =
            self.replica_sets.iter().filter(|set| set.template != template).map(|set| set.revision).collect();
        revisions.sort_unstable();
        revisions.truncate(surplus);
        let before = self.replica_sets.len();
        self.replica_sets.retain(|set| {
            let is_empty = set.replicas == 0 && set.status.replicas == 0;
            set.template == template || !is_empty || !revisions.contains(&set.revision)
        });
        self.replica_sets.len() != before
    }
}
