//! Journal entries of which one sentence is enough, in words; the timeline and `explain` say the same.

use crate::domain::engine_io::{JournalEntry, RolloutAsk};

/// The sentence, without its full stop; none for entries that are told otherwise, or are not worth a line.
pub fn told(entry: &JournalEntry) -> Option<String> {
    match entry {
        JournalEntry::RolloutIntent { ask, .. } => Some(match ask {
            RolloutAsk::Pause => "asks the rollout to pause".to_owned(),
            RolloutAsk::Resume => "asks the rollout to go on".to_owned(),
            RolloutAsk::Abort => "asks the rollout to end".to_owned(),
        }),
        JournalEntry::Waiting { wait, .. } => Some(format!("waits for {wait}")),
        JournalEntry::Asked { role, .. } => Some(format!("asks {role} for approval")),
        JournalEntry::Approved { by, .. } => Some(format!("{by} approved it")),
        JournalEntry::Void { by, why, .. } => Some(format!("the answer of {by} does not count: {why}")),
        JournalEntry::Alerts { quiet_until: Some(_), .. } => Some("alerts are kept quiet".to_owned()),
        JournalEntry::Alerts { quiet_until: None, .. } => Some("alerts may sound again".to_owned()),
        JournalEntry::Page { message, .. } => Some(format!("calls a person: {message}")),
        JournalEntry::Resumed { down, goes_on: true, .. } => {
            Some(format!("the engine is back after {down}; the rollback goes on"))
        }
        JournalEntry::Resumed { down, goes_on: false, .. } => {
            Some(format!("the engine is back after {down}; too long to go on"))
        }
        JournalEntry::Judged { .. }
        | JournalEntry::Decided { .. }
        | JournalEntry::Planned { .. }
        | JournalEntry::Intent { .. }
        | JournalEntry::Outcome { .. }
        | JournalEntry::Validated { .. }
        | JournalEntry::Status { .. } => None,
    }
}
