//! A comparison in every form.

use super::*;
use backspin_domain::event::DecisionKind;
use backspin_domain::time::Millis;
use backspin_score::{Brief, Class, Elapsed, Pair, flips};

fn brief(class: Class, ttd: Elapsed, cost: f64) -> Brief {
    Brief {
        class,
        decision: DecisionKind::Hold,
        bad: true,
        catchable: true,
        caught: class == Class::TruePositive,
        ttd,
        ttm: ttd,
        ttr: ttd,
        users: cost,
        cost: Some(cost),
    }
}

fn report(lost: u64, kept: u64) -> CompareReport {
    let caught = brief(Class::TruePositive, Elapsed::After(Millis::from_secs(60)), 10.0);
    let missed = brief(Class::FalseNegative, Elapsed::NotReached(Millis::from_secs(3600)), 900.0);
    let pair = |seed_index: u64, after| Pair {
        family: "subtle",
        scenario: "slow",
        seed_index,
        before: caught,
        after,
    };
    let pairs: Vec<Pair<'_>> =
        (0..lost).map(|n| pair(n, missed)).chain((lost..lost + kept).map(|n| pair(n, caught))).collect();
    let party =
        |name: &str| Party { name: name.into(), judge: "e_detector".into(), policy_hash: "0f".repeat(32) };
    let change = |flip| ChangeTold { flip, parting: None, unknown: Some("not looked for".to_owned()) };
    CompareReport {
        version: COMPARE_VERSION,
        before: party("old.yaml"),
        after: party("new|<b>.yaml"),
        played: "1 scenario × 20 seeds".to_owned(),
        seed: 7,
        weights: CostWeights::default(),
        policy_changes: Vec::new(),
        comparison: Comparison::of(&pairs),
        changes: flips(&pairs).into_iter().map(change).collect(),
        notes: vec!["2 runs are left out".to_owned()],
    }
}

#[test]
fn the_verdict_says_worse_only_beyond_chance() {
    assert_eq!(report(0, 20).verdict(), Verdict::NotWorse);
    assert_eq!(report(8, 12).verdict(), Verdict::Worse);
    assert_eq!(report(1, 5).verdict(), Verdict::TooFew);
    assert_eq!(report(0, 5).verdict(), Verdict::NotWorse);
}

#[test]
fn every_form_tells_the_change_and_its_size() {
    let report = report(8, 12);
    let text = report.text(120);
    assert!(text.contains("is worse: caught over all, caught in subtle, cost over all."), "{text}");
    assert!(
        text.contains("20 → 12 of 20") && text.contains("subtle/slow  caught → missed  8 of 20: 0, 1"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    let markdown = report.markdown();
    assert!(markdown.contains("| subtle | 20 | 8 | 20 → 12 of 20 | 0.008 |"), "{markdown}");
    assert!(markdown.contains("new\\|&lt;b>.yaml"), "what others wrote stays in its cell: {markdown}");
    let page = page::render(&report).expect("the template fits");
    assert!(page.contains("new|&lt;b&gt;.yaml is worse") && page.contains("tone-bad"), "{page}");
    assert!(!page.contains("http") && !page.contains("<script"), "nothing is fetched");
    let again: CompareReport =
        serde_json::from_str(&report.json().expect("plain data")).expect("it reads back");
    assert_eq!(again, report);
}

#[test]
fn a_difference_has_its_sign_and_interval() {
    let shift_of = |mean, interval| {
        let difference = backspin_score::Estimate { mean, interval, n: 20 };
        shift(Some(&Shift { before: 0.0, after: mean, difference }), words::seconds)
    };
    assert_eq!(shift_of(34.0, Some((12.0, 57.0))), "+34s (+12s to +57s)");
    assert_eq!(shift_of(-90.0, None), "−1m 30s");
    assert_eq!(shift_of(0.0, Some((0.0, 0.0))), "0s");
    assert_eq!(shift(None, words::seconds), "–");
    for (p, expected) in [(1.0, "1"), (0.05, "0.05"), (0.0312, "0.031"), (0.000_2, "below 0.001")] {
        assert_eq!(probability(p), expected);
    }
}

#[test]
fn a_folder_is_written_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = write_compare(&folder.path().join("out"), &report(8, 12)).expect("written");
    assert!(written.html.is_file() && written.json.is_file() && written.markdown.is_file());
}
