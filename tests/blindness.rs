//! Judges and engine see neither truth nor names: exchange both, and the decisions are the same bytes.

use backspin::domain::entry::Entry;
use backspin::domain::time::Millis;
use backspin::domain::truth::Cause;
use backspin::plane::{RunId, direct, recorded};
use backspin::policy::default_policy;
use backspin::scenario::model::StatedTruth;
use backspin::scenario::{recorded as recordings, shipped};

const ID: RunId = RunId { campaign_seed: 11, seed_index: 3 };

/// What the engine was told and what it wrote down, as text.
fn told_and_written(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .filter(|e| matches!(e, Entry::Input(..) | Entry::Woken(_) | Entry::Journal(..)))
        .map(|e| serde_json::to_string(e).expect("an entry is JSON"))
        .collect()
}

#[test]
fn names_and_truth_of_scenarios_do_not_matter() {
    let policy = default_policy().expect("the shipped policy is good");
    for scenario in shipped().expect("shipped scenarios are good") {
        let plain = direct::run(&scenario, &policy, ID).expect("plays");
        let mut disguised = scenario.clone();
        disguised.name = "something-else".to_owned();
        disguised.family = "another".to_owned();
        disguised.shows = "nothing of the sort".to_owned();
        disguised.expect = None;
        disguised.stated_truth =
            Some(StatedTruth { cause: Cause::External, onset: None, rollback_helps: false });
        let played = direct::run(&disguised, &policy, ID).expect("plays");
        assert_eq!(told_and_written(&plain), told_and_written(&played), "{}", scenario.name);
    }
}

#[test]
fn ids_notes_and_labels_of_recordings_do_not_matter() {
    let policy = default_policy().expect("the shipped policy is good");
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/incidents");
    let cases = recordings::read(&dir).expect("own incidents are good").cases;
    assert!(cases.iter().any(|c| c.bad) && cases.iter().any(|c| !c.bad), "both kinds are needed");
    for case in cases {
        let plain = recorded::run(&case, &policy, ID).expect("plays");
        let mut disguised = case.clone();
        disguised.id = "something-else".to_owned();
        disguised.source = "another".to_owned();
        disguised.family = "none".to_owned();
        disguised.bad = !case.bad;
        disguised.onset = if case.bad { None } else { Some(case.change + Millis(1)) };
        let played = recorded::run(&disguised, &policy, ID).expect("plays");
        assert_eq!(told_and_written(&plain), told_and_written(&played), "{}", case.id);
    }
}
