//! The small world: ten minutes, a tick of five seconds, one service with three pods.

use std::sync::LazyLock;

use crate::chaos::case::{CASE_VERSION, Case, CasePolicy};
use crate::chaos::plan::FaultPlan;
use crate::domain::entry::PlaneKind;
use crate::domain::seed::Seed;
use crate::policy::document::{Length, OneOrMany};
use crate::scenario::file::{Event, Harm, ScenarioFile};

/// The small world's file.
static FILE: LazyLock<ScenarioFile> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("small.yaml")).expect("the small world's file is good")
});

/// The small world with a release of which half of the requests fail, and nothing else amiss.
pub fn small(seed: Seed) -> Case {
    let mut scenario = Box::new(FILE.clone());
    scenario.incident = OneOrMany(vec![Event::BadVersion(Harm { error_ratio: 0.5, ..Harm::default() })]);
    Case {
        version: CASE_VERSION,
        shows: None,
        plane: PlaneKind::Direct,
        policy: CasePolicy::Swift,
        seed,
        heals: Length::mins(6),
        bound: Length::mins(4),
        scenario,
        faults: FaultPlan::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::Runner;
    use crate::domain::engine_io::JournalEntry;
    use crate::domain::entry::Entry;

    #[test]
    fn the_small_world_is_rolled_back_within_its_time() {
        let case = small(Seed(1));
        case.check().expect("it makes sense");
        let trace = Runner::new().run(&case).expect("it can be played");
        assert_eq!(trace.ended.broke_off, None);
        assert_eq!(trace.world.len(), 121);
        let statuses: Vec<_> = trace
            .record
            .iter()
            .filter_map(|entry| match entry {
                Entry::Journal(at, JournalEntry::Status { status, .. }) => Some((*at, *status)),
                _ => None,
            })
            .collect();
        let last = trace.world.last().expect("it was seen");
        assert!(last.in_force[trace.facts.from] >= 1.0, "{last:?} {statuses:?}");
        assert!(!trace.calls.is_empty());
        assert!(statuses.last().is_some_and(|(_, status)| status.is_final()), "{statuses:?}");
    }

    #[test]
    fn a_case_file_is_the_case() {
        let case = small(Seed(7));
        let text = case.to_yaml();
        let read = Case::from_yaml(&text).expect("it can be read");
        assert_eq!(read.to_yaml(), text);
        let (first, second) = (Runner::new().run(&case), Runner::new().run(&read));
        assert_eq!(first.expect("it plays").hash(), second.expect("it plays").hash());
    }
}
