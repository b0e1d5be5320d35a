//! What is written, and where.

use super::*;
use crate::model::{Fold, FrontPoint, PartTold, TUNE_VERSION};
use crate::worth::Figures;
use backspin_score::Share;

fn told(objective: f64, gain: f64) -> Told {
    Told {
        words: "judge.e_detector.alpha: 0.02".to_owned(),
        figures: Figures {
            runs: 480,
            cost: objective,
            cost_error: 3.0,
            false_rollbacks: Share::new(2, 480),
            escalations: Share::new(0, 240),
            missed: Share::new(12, 240),
            median_delay_s: Some(150.0),
            mean_delay_s: 400.0,
            users: 12.0,
        },
        objective,
        gain: Difference { mean: gain, error: 1.5 },
        broken: Vec::new(),
    }
}

fn tuned() -> Tuned {
    let point = |what: &str, cost| FrontPoint {
        what: what.to_owned(),
        words: "x: 1".to_owned(),
        false_rollbacks: 0.004,
        delay_s: 150.0,
        cost,
        on_front: true,
    };
    Tuned {
        version: TUNE_VERSION,
        build: "0.1.0".to_owned(),
        command: "backspin tune FILE".to_owned(),
        task: "t".repeat(64),
        before: "b".repeat(64),
        after: "a".repeat(64),
        objective: "mean cost".to_owned(),
        constraints: vec!["false_rollbacks <= 0.01".to_owned()],
        trained: vec!["errors".to_owned(), "healthy".to_owned()],
        runs: 480,
        tried: 200,
        parts: vec![PartTold {
            path: "judge.e_detector.alpha".to_owned(),
            range: "0.001 to 0.1, by doubling".to_owned(),
            before: Some("0.01".to_owned()),
            after: Some("0.1".to_owned()),
            end: Some("upper".to_owned()),
            effect: None,
            indices: None,
        }],
        threshold: None,
        start: told(120.0, 0.0),
        best: told(99.0, 21.0),
        baseline: told(105.0, 15.0),
        chosen: told(100.0, 20.0),
        over_baseline: Difference { mean: 6.0, error: 1.0 },
        folds: vec![Fold { family: "errors".to_owned(), runs: 8, start: 3.0, without: 2.0, with: 1.0 }],
        held_out: None,
        front: vec![point("start", 120.0), point("chosen", 100.0)],
        hypervolume: 0.5,
        hypervolume_baseline: 0.4,
        warnings: vec!["`x` stands at <the end> of its range".to_owned()],
    }
}

#[test]
fn the_headline_has_its_interval() {
    assert_eq!(headline(&tuned()), "The mean cost goes from 120 to 100: 20.00 [17.06, 22.94] less (16.7 %)");
    let same = Tuned { after: tuned().before, ..tuned() };
    assert!(headline(&same).starts_with("Nothing was found"));
}

#[test]
fn pages_hold_everything_and_nothing_that_is_run_or_fetched() {
    let page = page(&tuned());
    for expected in ["judge.e_detector.alpha", "&lt;the end&gt;", "<svg", "Families left out", "Not opened."]
    {
        assert!(page.contains(expected), "{expected}");
    }
    for unwanted in ["<script", "http://", "https://", "<the end>"] {
        assert!(!page.contains(unwanted), "{unwanted}");
    }
    assert_eq!(page.matches("<section").count(), page.matches("</section>").count());
    let text = markdown(&tuned());
    assert!(text.contains("| judge.e_detector.alpha | 0.01 | 0.1 |"), "{text}");
}

#[test]
fn a_second_opening_is_told() {
    let opening = |date: &str| Opening { date: date.to_owned(), policy: "p".into(), scenarios: "s".into() };
    let held = |openings| HeldOut {
        names: vec!["nuisance".to_owned()],
        start: told(10.0, 0.0).figures,
        chosen: told(9.0, 1.0).figures,
        gain: Difference { mean: 1.0, error: 0.2 },
        openings,
    };
    let words = |openings| held_words(&held(openings), Difference { mean: 3.0, error: 0.5 }).join(" ");
    assert!(words(vec![opening("2026-01-05")]).contains("Opened once, on 2026-01-05"));
    assert!(
        words(vec![opening("2026-01-05"), opening("2026-02-01")])
            .contains("Opened 2 times, last on 2026-02-01")
    );
}

#[test]
fn folders_of_others_are_left_alone_and_openings_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("tuned");
    let ours = Folder::open(&dir).expect("new");
    assert_eq!(ours.openings().expect("none"), []);
    let opening = Opening { date: "2026-01-05".into(), policy: "p".into(), scenarios: "s".into() };
    ours.keep_openings(std::slice::from_ref(&opening)).expect("kept");
    let policy = backspin_policy::default_policy().expect("good");
    ours.write(&tuned(), &policy).expect("written");
    let again = Folder::open(&dir).expect("ours");
    assert_eq!(again.openings().expect("kept"), [opening]);
    let read = backspin_policy::load(&again.file("policy.yaml")).expect("a policy");
    assert_eq!(read.hash, policy.hash);
    let json: Tuned = serde_json::from_str(&std::fs::read_to_string(again.file("tune.json")).expect("there"))
        .expect("JSON");
    assert_eq!(json, tuned());
    let other = folder.path().join("thesis");
    std::fs::create_dir(&other).expect("made");
    std::fs::write(other.join("thesis.txt"), "x").expect("written");
    assert!(matches!(Folder::open(&other), Err(FolderError::NotOurs { .. })));
}
