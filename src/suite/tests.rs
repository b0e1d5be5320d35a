//! Suites: what a file may say, and what follows from runs.

use std::collections::BTreeMap;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use backspin_domain::event::DecisionKind;
use backspin_domain::expectation::Expectation;
use backspin_domain::time::Millis;
use backspin_domain::truth::Cause;
use backspin_policy::document::{FileKind, Source};
use backspin_record::sample::Sample;
use backspin_report::ci::{CheckKind, CheckStatus};
use backspin_score::{CostWeights, RunOutcome, score_entries};

fn suite(text: &str) -> Suite {
    let text = format!("version: 1\nname: checkout\n{text}");
    parse(Source::new(FileKind::Suite, "suite.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The problems of a file, each on its place, begin with this.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let text = format!("version: 1\nname: checkout\n{text}");
    let problems = parse(Source::new(FileKind::Suite, "suite.yaml", text)).expect_err("refused");
    let all = problems.to_string();
    for words in expected {
        assert!(all.contains(words), "no `{words}` in\n{all}");
    }
}

/// Bad or good deploys of one scenario; `decided` is minutes after the deploy, by seed.
fn runs(family: &'static str, cause: Cause, decided: &[Option<u64>]) -> Vec<RunOutcome> {
    let run = |(seed, decided): (usize, &Option<u64>)| {
        let sample = Sample {
            scenario: "slow",
            family,
            seed_index: seed as u64,
            cause,
            onset: (cause != Cause::None).then(|| Millis::from_mins(12)),
            decided: decided.map(|minute| (Millis::from_mins(minute), DecisionKind::RollBack)),
            expect: Some(Expectation {
                decision: vec![if cause == Cause::None {
                    DecisionKind::Hold
                } else {
                    DecisionKind::RollBack
                }],
                target: None,
                strategy: None,
                time_to_detect_max: None,
                time_to_mitigate_max: None,
                never: Vec::new(),
                share_min: 0.95,
                lower_min: 0.9,
            }),
            ..Sample::default()
        };
        score_entries(&sample.entries()).expect("whole")
    };
    decided.iter().enumerate().map(run).collect()
}

#[track_caller]
fn limit(text: &str, outcomes: &[RunOutcome], status: CheckStatus, says: &str) {
    let limit: Limit = text.parse().expect("a limit");
    let measured = measure(&limit, &outcomes.iter().collect::<Vec<_>>(), &CostWeights::default());
    assert_eq!(measured.status, status, "{text}: {}", measured.why);
    assert!(measured.why.contains(says), "{text}: {}", measured.why);
}

#[test]
fn a_limit_is_kept_broken_or_unknown_by_its_interval() {
    let mut outcomes = runs("subtle", Cause::Candidate, &[Some(13); 58]);
    outcomes.extend(runs("subtle", Cause::Candidate, &[None; 2]));
    // 58 of 60: 88.6 to 99.1 %.
    limit("recall >= 0.88", &outcomes, CheckStatus::Passed, "58 of 60: 96.7 % (88.6–99.1 %)");
    limit("recall >= 0.95", &outcomes, CheckStatus::Unknown, "too few runs to tell: about");
    limit("recall >= 0.995", &outcomes, CheckStatus::Failed, "58 of 60");
    limit("recall <= 0.88", &outcomes, CheckStatus::Failed, "58 of 60");
    limit("missed.count <= 2", &outcomes, CheckStatus::Passed, "2 of 60 runs");
    limit("missed.count <= 1", &outcomes, CheckStatus::Failed, "2 of 60 runs");
    // Detected after a minute, or never: the misses count.
    limit("ttd.p80 <= 2m", &outcomes, CheckStatus::Passed, "1m; 58 of 60 within 2m");
    limit("ttd.p95 <= 2m", &outcomes, CheckStatus::Unknown, "58 of 60 within 2m");
    limit("ttd.p50 <= 30s", &outcomes, CheckStatus::Failed, "0 of 60 within 30s");
    limit("ttd.median >= 30s", &outcomes, CheckStatus::Passed, "0 of 60 below 30s");
    limit("ttd.p99 <= 2m", &outcomes, CheckStatus::Unknown, "more than 48m");
    limit("false_rollbacks <= 0.01", &outcomes, CheckStatus::Unknown, "no run that it can be told of");
    limit("cost.mean <= 0", &outcomes, CheckStatus::Failed, "over 60 runs");
    limit("cost.mean <= 1000000", &outcomes[..9], CheckStatus::Unknown, "too few for an interval");
    limit("recall >= 0.5", &[], CheckStatus::Unknown, "no run that it can be told of");
}

#[test]
fn limits_are_refused_with_their_place_and_a_remedy() {
    refused(
        "limits: [\"recal >= 0.95\"]",
        &["error[C030]: there is no metric `recal`", "suite.yaml:3:11", "did you mean `recall`?"],
    );
    refused(
        "limits:\n  - recall >= 95",
        &["`recall` must be between 0 and 1, got `95`", "suite.yaml:4:15", "write `0.95`"],
    );
    refused("limits:\n  - recall >= 95 %", &["write `0.95`; a ratio is not a percentage"]);
    refused("limits:\n  - recall > 0.95", &["got `>`", "suite.yaml:4:12", "write `>=`"]);
    refused("limits:\n  - recall", &["a limit is `METRIC <= VALUE` or `METRIC >= VALUE`, got `recall`"]);
    refused("limits:\n  - ttr <= 6m", &["there is no metric `ttr`", "did you mean `ttr.p95`?"]);
    refused("limits:\n  - ttr.p100 <= 6m", &["there is no metric `ttr.p100`"]);
    refused("limits:\n  - ttr.p95 <= 6", &["`ttr.p95` is a length of time", "write `6s` or `6m`"]);
    refused(
        "families: { loud: [\"missed.count <= 1.5\"] }",
        &["`missed.count` must be a whole number, got `1.5`"],
    );
    refused("cost: dear=1", &["error[C036]", "there is no price `dear`"]);
}

#[test]
fn limits_that_nothing_can_keep_are_refused() {
    refused(
        "limits: [\"recall >= 0.95\", \"recall <= 0.9\"]",
        &["error[C031]: no run can keep `recall <= 0.9` and `recall >= 0.95` of line 3"],
    );
    refused("limits: [\"ttd.p50 >= 6m\", \"ttd.p95 <= 5m\"]", &["no run can keep"]);
    refused("limits: [\"recall >= 1\"]", &["no number of runs can show", "missed.count <= 0"]);
    refused("limits: [\"false_rollbacks <= 0\"]", &["no number of runs can show"]);
    suite(
        "limits: [\"ttd.p50 <= 5m\", \"ttd.p95 >= 6m\", \"recall >= 0.9\"]\nfamilies: { loud: [\"recall <= 0.8\"] }",
    );
}

#[test]
fn other_mistakes_are_told_too() {
    refused("limit: []", &["error[C010]: unknown field `limit`", "did you mean `limits`?"]);
    refused(
        "quarantine: [{ scenario: a/b, reason: x, expires: tomorrow }]",
        &["error[C034]: `expires` must be a day, got `tomorrow`", "write it as `2027-01-31`"],
    );
    refused(
        "quarantine: [{ scenario: a/b, reason: \"\", expires: 2027-01-31 }]",
        &["`reason` must not be empty"],
    );
    refused("expectations: false", &["error[C037]: nothing is checked"]);
    refused("seeds: 0", &["`seeds` must be"]);
    let names = ["subtle/slow".to_owned(), "loud/half".to_owned()];
    let wrong = suite(
        "families: { lout: [\"recall >= 0.9\"] }\nquarantine: [{ scenario: subtle/slo, reason: x, expires: 2027-01-31 }]",
    );
    let problems = wrong.check_names(&names).expect_err("refused").to_string();
    for words in
        ["C033", "`lout`", "did you mean `loud`?", "C032", "`subtle/slo`", "did you mean `subtle/slow`?"]
    {
        assert!(problems.contains(words), "{problems}");
    }
}

fn evaluated(suite: &Suite, outcomes: &[RunOutcome], baseline: Option<&Baseline>) -> Evaluated {
    let places = BTreeMap::new();
    checks(suite, &Played { outcomes, places: &places, baseline, today: date(2027, 1, 31) })
}

#[track_caller]
fn status(evaluated: &Evaluated, kind: CheckKind, name: &str, expected: CheckStatus) {
    let found = evaluated.checks.iter().find(|check| check.kind == kind && check.name == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {:#?}", evaluated.checks));
    assert_eq!(found.status, expected, "{name}: {}", found.why);
}

#[test]
fn quarantine_takes_a_scenario_out_until_its_day_is_over() {
    let mut outcomes = runs("loud", Cause::Candidate, &[Some(13); 60]);
    outcomes.extend(runs("subtle", Cause::Candidate, &[None; 60]));
    let entry = |day: u32| {
        suite(&format!(
            "limits: [\"recall >= 0.9\"]\nquarantine: [{{ scenario: subtle/slow, reason: cold cache, expires: 2027-01-{day} }}]"
        ))
    };
    let on_its_last_day = evaluated(&entry(31), &outcomes, None);
    status(&on_its_last_day, CheckKind::Expectation, "subtle/slow", CheckStatus::Skipped);
    status(&on_its_last_day, CheckKind::Limit, "recall >= 0.9", CheckStatus::Passed);
    status(&on_its_last_day, CheckKind::Quarantine, "subtle/slow", CheckStatus::Passed);
    let expired = evaluated(&entry(30), &outcomes, None);
    status(&expired, CheckKind::Expectation, "subtle/slow", CheckStatus::Failed);
    status(&expired, CheckKind::Limit, "recall >= 0.9", CheckStatus::Failed);
    status(&expired, CheckKind::Quarantine, "subtle/slow", CheckStatus::Failed);
    status(&expired, CheckKind::Expectation, "loud/slow", CheckStatus::Passed);
}

fn policy() -> backspin_policy::Policy {
    backspin_policy::default_policy().expect("shipped")
}

#[test]
fn worse_than_the_baseline_fails_and_noise_does_not() {
    let suite = suite("baseline: baseline.json");
    let before = runs("subtle", Cause::Candidate, &[Some(13); 60]);
    let baseline = Baseline::accept(&suite, &policy(), &before);
    let with_misses = |n: usize| {
        let mut decided = vec![Some(13); 60];
        decided[..n].fill(None);
        runs("subtle", Cause::Candidate, &decided)
    };
    let same = evaluated(&suite, &before, Some(&baseline));
    status(&same, CheckKind::Baseline, "not worse", CheckStatus::Passed);
    assert_eq!(same.flips, []);
    let noise = evaluated(&suite, &with_misses(2), Some(&baseline));
    status(&noise, CheckKind::Baseline, "not worse in subtle", CheckStatus::Passed);
    assert_eq!(noise.flips[0].seeds, [0, 1]);
    let worse = evaluated(&suite, &with_misses(8), Some(&baseline));
    status(&worse, CheckKind::Baseline, "not worse", CheckStatus::Failed);
    status(&worse, CheckKind::Baseline, "not worse in subtle", CheckStatus::Failed);
    // A scenario that is new cannot be worse, and is said to be so.
    let other = evaluated(&suite, &runs("loud", Cause::Candidate, &[None; 60]), Some(&baseline));
    status(&other, CheckKind::Baseline, "not worse", CheckStatus::Unknown);
    assert_eq!(other.notes.len(), 2, "{:?}", other.notes);
}

#[test]
fn a_baseline_comes_back_as_it_was_written_and_only_for_its_suite() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/baseline.json");
    let ours = suite("baseline: deep/baseline.json");
    let mut outcomes = runs("subtle", Cause::Candidate, &[Some(13), None]);
    outcomes.extend(runs("healthy", Cause::None, &[None, Some(20)]));
    let baseline = Baseline::accept(&ours, &policy(), &outcomes);
    write_baseline(&path, &baseline).expect("written");
    assert_eq!(Baseline::read(&path, &ours).expect("read"), baseline);
    assert_eq!(
        std::fs::read_dir(folder.path().join("deep")).expect("listed").count(),
        1,
        "nothing is left over"
    );
    // A scenario stands on one line.
    let text = std::fs::read_to_string(&path).expect("there");
    assert_eq!(text.lines().filter(|line| line.starts_with("{\"family\"")).count(), 2, "{text}");
    let instance: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let schema = jsonschema::validator_for(&baseline_schema()).expect("a schema");
    assert!(
        schema.is_valid(&instance),
        "{:?}",
        schema.iter_errors(&instance).map(|e| e.to_string()).collect::<Vec<_>>()
    );

    let says = |suite: &Suite| Baseline::read(&path, suite).expect_err("refused").to_string();
    assert!(says(&suite("seed: 8")).contains("was accepted for the seed `20260105`, this suite has `8`"));
    assert!(says(&suite("cost: needless=1")).contains("was accepted for the prices"));
    let other = parse(Source::new(FileKind::Suite, "s.yaml", "version: 1\nname: search\n")).expect("good");
    assert!(says(&other).contains("was accepted for the suite `checkout`, this suite has `search`"));
    std::fs::write(&path, "{\"version\": 9}").expect("written");
    assert!(says(&ours).contains("is of version 9, this build reads 1"));
    std::fs::write(&path, "[]").expect("written");
    assert!(says(&ours).contains("is not a baseline that this build reads"));
    std::fs::remove_file(&path).expect("there");
    assert!(says(&ours).contains("cannot read the baseline"));
}

#[test]
fn the_schema_accepts_what_the_reader_accepts() {
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    let good = serde_json::json!({
        "version": 1, "name": "checkout", "limits": ["recall >= 0.95"], "families": { "loud": ["ttr.p95 <= 6m"] },
        "quarantine": [{ "scenario": "a/b", "reason": "x", "expires": "2027-01-31" }]
    });
    assert!(schema.is_valid(&good));
    assert!(!schema.is_valid(&serde_json::json!({ "version": 1, "name": "checkout", "limit": [] })));
}

fn any_metric() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![
        ("recall", true),
        ("precision", true),
        ("false_rollbacks", true),
        ("escalations", true),
        ("missed.count", false),
        ("cost.mean", false),
        ("users_harmed.mean", false),
    ]);
    let time = (prop::sample::select(vec!["ttd", "ttm", "ttr"]), 1_u8..100, 1_u64..10_000);
    prop_oneof![
        (plain, 1_u32..1000).prop_map(|((name, ratio), n)| {
            if ratio { format!("{name} >= 0.{n:03}") } else { format!("{name} <= {n}") }
        }),
        time.prop_map(|(name, percent, s)| format!("{name}.p{percent} <= {}", Millis::from_secs(s))),
    ]
}

proptest! {
    #[test]
    fn a_limit_reads_back_as_it_is_written(text in any_metric()) {
        let limit: Limit = text.parse().expect("a limit");
        prop_assert_eq!(limit.to_string().parse::<Limit>().expect("the same"), limit);
    }

    #[test]
    fn no_text_is_too_odd_for_an_answer_with_a_place(text in ".{0,40}") {
        if let Err(error) = text.parse::<Limit>() {
            prop_assert!(text.get(error.at..error.at + error.len).is_some(), "{:?} in {:?}", error, text);
        }
    }

    #[test]
    fn no_suite_is_too_odd_for_an_answer(text in "(version: 1\nname: a\n)?[a-z:\\-\\[\\]{} \n\"0-9<>=.%]{0,120}") {
        let _ = parse(Source::new(FileKind::Suite, "suite.yaml", text));
    }
}
