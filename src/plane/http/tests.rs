//! The same run in process and over HTTP.

use super::*;
use crate::direct::Prepared;
use backspin_domain::engine_io::JournalEntry;
use backspin_policy::default_policy;
use backspin_scenario::shipped;

/// What was decided and done, and when: the journal.
fn journal(entries: &[Entry]) -> Vec<(MonoTime, JournalEntry)> {
    let own = |entry: &Entry| match entry {
        Entry::Journal(at, entry) => Some((*at, entry.clone())),
        _ => None,
    };
    entries.iter().filter_map(own).collect()
}

#[track_caller]
fn check(name: &str, seed_index: u64) {
    let all = shipped().expect("they load");
    let scenario = all.iter().find(|scenario| scenario.name == name).expect("it is shipped");
    let policy = default_policy().expect("it loads");
    let id = RunId { campaign_seed: 1, seed_index };
    let direct = Prepared::new(scenario, &policy).expect("it can be played").run(id);
    let http = run(scenario, &policy, id).expect("it can be played");
    assert!(http.kubernetes_requests > 9, "it goes through the sockets");
    let (direct, http) = (journal(&direct), journal(&http.entries));
    for (place, (d, h)) in direct.iter().zip(&http).enumerate() {
        assert_eq!(h, d, "entry {place} of {name}");
    }
    assert_eq!(http.len(), direct.len(), "{name}");
}

#[test]
fn a_canary_is_taken_back_the_same_way() {
    check("half-of-requests-fail", 0);
}
