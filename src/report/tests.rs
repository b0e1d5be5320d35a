use super::{CampaignReport, REFERENCE_JUDGE, Shown, table, write};
use crate::domain::entry::PlaneKind;
use crate::domain::event::DecisionKind;
use crate::domain::expectation::Expectation;
use crate::domain::time::Millis;
use crate::domain::truth::Cause;
use crate::record::sample::{Sample, expect_hold, expect_rollback};
use crate::score::score_entries;

/// A campaign of four scenarios, forty seeds and two judges.
fn campaign() -> CampaignReport {
    let mut report = CampaignReport {
        title: "All shipped scenarios".into(),
        seed: 7,
        policy_hash: "3f9a".repeat(16),
        policy_judge: "esr".into(),
        judges: vec![REFERENCE_JUDGE.into(), "esr".into()],
        warnings: vec!["scenario <b>odd</b> was skipped: its file does not load".into()],
        ..CampaignReport::default()
    };
    for judge in ["esr", REFERENCE_JUDGE] {
        for seed_index in 0..40 {
            for sample in samples(judge, seed_index) {
                report.outcomes.push(score_entries(&sample.entries()).expect("whole"));
            }
        }
    }
    for sample in samples("esr", 0).into_iter().chain(samples(REFERENCE_JUDGE, 0).into_iter().take(1)) {
        report.shown.push(Shown { entries: sample.entries(), users_harmed_untouched: Some(412_345.0) });
    }
    report
}

fn samples(judge: &'static str, seed_index: u64) -> Vec<Sample> {
    let own = judge != REFERENCE_JUDGE;
    let base = Sample { judge, seed_index, ..Sample::default() };
    let later = Millis::from_secs(12 * 60 + 30 + 15 * (seed_index % 7));
    let loud = Sample { decided: own.then_some((later, DecisionKind::RollBack)), ..base.clone() };
    let quiet = Sample {
        scenario: "slow_leak",
        family: "quiet",
        decided: (own && seed_index % 8 != 3).then_some((Millis::from_mins(25), DecisionKind::RollBack)),
        extra_error_ratio: 0.004,
        latency_factor: 1.05,
        gap: 60..76,
        expect: Some(Expectation {
            time_to_detect_max: Some(Millis::from_mins(15)),
            time_to_mitigate_max: Some(Millis::from_mins(20)),
            ..expect_rollback()
        }),
        ..base.clone()
    };
    let healthy = Sample {
        scenario: "nothing_wrong",
        family: "healthy",
        cause: Cause::None,
        onset: None,
        decided: (own && seed_index == 17).then_some((Millis::from_mins(8), DecisionKind::RollBack)),
        expect: Some(expect_hold()),
        ..base.clone()
    };
    let recorded = Sample {
        scenario: "checkout_2026_03",
        family: "recorded",
        plane: PlaneKind::Recorded,
        latency_recorded: false,
        ..base
    };
    vec![loud, quiet, healthy, recorded]
}

fn page(report: &CampaignReport) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let written = write(&folder.path().join("latest"), report).expect("written");
    let page = std::fs::read_to_string(written.html).expect("there");
    // To look at the page in a browser: set this to a file's name and run these tests.
    if let Ok(keep) = std::env::var("BACKSPIN_KEEP_REPORT") {
        std::fs::write(keep, &page).expect("kept");
    }
    page
}

#[test]
fn the_page_stands_alone_and_says_what_matters_first() {
    let page = page(&campaign());
    for outside in ["<script", "<link", "http://", "https://", "url(", "@import", "<img"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("`{text}` is not there"));
    let order = [
        at("320 runs of 4 scenarios: esr caught 115 of 120 incidents"),
        at("What to know first"),
        at("Judges and families"),
        at("reach 0.55"),
        at("Scenarios under esr"),
        at("Why it was rolled back"),
        at("How to read this"),
    ];
    assert!(order.is_sorted(), "{order:?}");
    assert!(page.find("rolled back 1 of 40 deploys without need").is_some());
}

#[test]
fn what_others_wrote_is_escaped() {
    let page = page(&campaign());
    assert!(
        page.contains("scenario &lt;b&gt;odd&lt;&#x2f;b&gt;")
            || page.contains("scenario &lt;b&gt;odd&lt;/b&gt;")
    );
    assert!(!page.contains("<b>odd"));
    assert!(page.contains("&lt;by far&gt;"));
}

#[test]
fn the_story_has_its_parts() {
    let page = page(&campaign());
    for part in [
        "had nobody acted",
        "considered and not taken",
        "feature-flag disable: v42 came without flags",
        "candidate answers at most 2.0 % of requests, measured 0.4 %",
        "standing, given by platform-lead",
        "capacity, low: v41 still runs 6 of 8 pods",
        "timed out",
        "no data in this record",
        "from a recording",
        "+12m 30s",
    ] {
        assert!(page.to_lowercase().contains(part), "`{part}` is not there");
    }
}

#[test]
fn tables_of_the_terminal_are_plain() {
    let report = campaign();
    let judges = table::judges(&report, 170);
    assert!(!judges.contains('\u{1b}'));
    let reference = judges.lines().position(|line| line.contains("weighted (reference)"));
    let own = judges.lines().position(|line| line.contains("esr"));
    assert!(own < reference, "{judges}");
    assert!(table::scenarios(&report, 80).contains("half_of_requests_slow"), "names are not broken");
    let scenarios = table::scenarios(&report, 200);
    assert!(scenarios.contains("slow_leak") && scenarios.contains("missed 35/40"), "{scenarios}");
    assert!(table::headlines(&report)[0].starts_with("320 runs of 4 scenarios"));
}

#[test]
fn the_same_campaign_gives_the_same_bytes() {
    let report = campaign();
    assert_eq!(page(&report), page(&report));
}

#[test]
fn figures_for_programs_are_versioned() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = write(&folder.path().join("latest"), &campaign()).expect("written");
    let text = std::fs::read_to_string(written.json).expect("there");
    let json: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert_eq!(json["version"], 1);
    assert_eq!(json["judges"][1]["judge"], "weighted");
    assert_eq!(json["judges"][0]["families"]["loud"]["caught"]["k"], 40);
    assert_eq!(json["outcomes"].as_array().map(Vec::len), Some(320));
}
