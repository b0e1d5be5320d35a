use super::{By, CampaignReport, REFERENCE_JUDGE, Shown, table, write};
use backspin_domain::entry::PlaneKind;
use backspin_domain::event::DecisionKind;
use backspin_domain::expectation::Expectation;
use backspin_domain::time::Millis;
use backspin_domain::truth::Cause;
use backspin_record::sample::{Sample, expect_hold, expect_rollback};
use backspin_score::score_entries;

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
        at("esr caught 115 of 120 incidents"),
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
fn the_terminal_gets_whole_lines_at_every_width() {
    let report = campaign();
    for width in [80, 100, 140] {
        let text = table::text(&report, None, width);
        assert!(!text.contains('\u{1b}'));
        let longest =
            text.lines().filter(|line| !line.starts_with("  →")).map(|line| line.chars().count()).max();
        assert!(longest <= Some(usize::from(width)), "{text}");
        let line = |start: &str| text.lines().position(|line| line.starts_with(start));
        let (own, reference) = (line("esr  "), line("weighted *"));
        assert!(own.is_some() && own < reference && reference < line("* reference"), "{text}");
        assert!(text.starts_with("esr caught 115 of 120 incidents"));
        let slow = text.lines().find(|line| line.starts_with("quiet/slow_leak")).expect("a row");
        assert!(slow.contains("MISSED 35/40"), "{slow}");
    }
}

#[test]
fn groups_stand_in_the_terminal_at_every_width() {
    let report = campaign();
    for (by, name) in [(By::Family, "quiet"), (By::Rate, "100–1k/s"), (By::Arms, "concurrent")] {
        for width in [80, 100, 140] {
            let text = table::text(&report, Some(by), width);
            let rows: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
            assert_eq!(rows.len(), 1, "a group is named once:\n{text}");
            assert!(
                text.lines()
                    .filter(|l| !l.starts_with("  →"))
                    .all(|l| l.chars().count() <= usize::from(width))
            );
        }
    }
}

#[test]
fn every_file_has_the_same_figures() {
    let mut report = campaign();
    let oracle = report.outcomes.iter().find(|o| !o.truth.bad).and_then(|o| o.cost);
    for outcome in &mut report.outcomes {
        outcome.oracle = outcome.cost.and(oracle);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let written = write(&folder.path().join("latest"), &report).expect("written");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("there");
    let (page, markdown, csv) = (read(&written.html), read(&written.markdown), read(&written.csv));
    let json: serde_json::Value = serde_json::from_str(&read(&written.json)).expect("json");
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let (page, markdown) = (words(&page), words(&markdown));
    for cell in ["95.8 (90.6–98.2)", "0.97"] {
        assert!(page.contains(cell) && markdown.contains(cell), "{cell}");
    }
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head = reader.headers().expect("a head").clone();
    let place = |name: &str| head.iter().position(|h| h == name).expect("a column");
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows");
    // All, four families, one rate and one kind of arms per judge; the healthy ones tell of no rollout.
    assert_eq!(rows.len(), 2 * (1 + 4 + 1 + 2));
    let own = &rows[0];
    assert_eq!((&own[0], &own[1], &own[2]), ("all", "all", "esr"));
    let figures = &json["judges"][0]["figures"];
    assert_eq!(own[place("regret_bad_mean")].parse().ok(), figures["regret_bad"]["mean"].as_f64());
    assert_eq!(own[place("mcc")].parse().ok(), figures["mcc"].as_f64());
    assert_eq!(json["judges"][0]["rates"]["100–1k/s"]["runs"], 160);
    assert_eq!(json["assumptions"]["cost"]["needless"], 500.0);
    assert!(json["judges"][0]["calibration"]["brier"].is_number());
}

#[test]
fn the_same_reason_is_told_once_and_commands_follow() {
    let mut report = campaign();
    report.outcomes.retain(|outcome| outcome.seed_index < 5);
    report.commands.subjects.insert("quiet/slow_leak".into(), "quiet/slow_leak".into());
    report.commands.options = " --seed 7".into();
    let text = table::text(&report, None, 100);
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(joined.matches("are too few").count(), 1, "{text}");
    assert!(text.contains("→ play more seeds: `--seeds 60`"), "{text}");
    report.outcomes = campaign().outcomes;
    let text = table::text(&report, None, 100);
    assert!(text.contains("→ backspin explain quiet/slow_leak --seed-index 3 --seed 7"), "{text}");
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
