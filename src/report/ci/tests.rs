//! The forms that other programs read, held against their rules.

use super::*;
use crate::compare::{PartingTold, SideTold};
use backspin_score::{Class, Flip};

fn check(kind: CheckKind, name: &str, status: CheckStatus, why: &str) -> Check {
    let place = PlaceTold { file: "ci/suite.yaml".to_owned(), line: 7, column: 5 };
    Check { kind, name: name.to_owned(), status, why: why.to_owned(), place, first_seed: None }
}

fn report(checks: Vec<Check>) -> CiReport {
    CiReport {
        version: CI_VERSION,
        suite: "checkout".to_owned(),
        file: "ci/suite.yaml".to_owned(),
        today: "2027-01-31".to_owned(),
        policy: Party {
            name: "policy.yaml".into(),
            judge: "e_detector".into(),
            policy_hash: "ab".repeat(32),
        },
        played: "2 scenarios × 60 seeds".to_owned(),
        seed: 1,
        checks,
        accepted_policy_hash: None,
        policy_changes: Vec::new(),
        comparison: None,
        changes: Vec::new(),
        notes: Vec::new(),
    }
}

fn mixed() -> CiReport {
    report(vec![
        check(CheckKind::Expectation, "loud/half", CheckStatus::Passed, "60 of 60"),
        check(
            CheckKind::Expectation,
            "subtle/<slow> & \"odd\"",
            CheckStatus::Failed,
            "41 of 60\u{7}, 95 % expected",
        ),
        check(CheckKind::Expectation, "subtle/flaky", CheckStatus::Skipped, "in quarantine"),
        check(CheckKind::Limit, "recall >= 0.95", CheckStatus::Unknown, "too few\nruns: 9 of 10, say"),
    ])
}

/// An element with its attributes and what is in it.
#[derive(Debug)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
}

/// Reads what an XML reader has to accept: tags that close, quoted attributes, no bare `<` or `&`.
fn parsed(text: &str) -> Element {
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration");
    assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "a letter that XML does not know");
    let mut open: Vec<Element> = Vec::new();
    loop {
        let (before, tag) = rest.split_once('<').expect("something is open");
        for entity in before.split('&').skip(1) {
            assert!(entity.split_once(';').is_some_and(|(name, _)| name.len() < 6), "a bare & in {before}");
        }
        let (tag, after) = tag.split_once('>').expect("the tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let done = open.pop().expect("it was opened");
            assert_eq!(done.name, name);
            if let Some(parent) = open.last_mut() {
                parent.children.push(done);
            } else {
                assert_eq!(rest.trim(), "");
                return done;
            }
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes_text) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((name, value)) = attributes_text.split_once("=\"") {
            let (value, after) = value.split_once('"').expect("the quote ends");
            attributes.push((name.trim().to_owned(), value.to_owned()));
            attributes_text = after;
        }
        let element = Element { name: name.to_owned(), attributes, children: Vec::new() };
        match (empty, open.last_mut()) {
            (true, Some(parent)) => parent.children.push(element),
            _ => open.push(element),
        }
    }
}

/// Name, required attributes, allowed ones, children.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// The rules of Jenkins' `junit-10.xsd` for the elements that we write.
const RULES: [Rule; 6] = [
    ("testsuites", &[], &["name", "tests", "failures", "errors", "time"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["name", "tests", "failures", "errors", "skipped", "time"],
        &["testcase"],
    ),
    ("testcase", &["name"], &["name", "classname", "time"], &["skipped", "error", "failure"]),
    ("skipped", &[], &["type", "message"], &[]),
    ("error", &[], &["type", "message"], &[]),
    ("failure", &[], &["type", "message"], &[]),
];

fn keeps_the_rules(element: &Element) {
    let (_, required, allowed, children) =
        RULES.iter().find(|(name, ..)| *name == element.name).expect("an element that the schema knows");
    for (name, _) in &element.attributes {
        assert!(allowed.contains(&name.as_str()), "`{name}` of `{}`", element.name);
    }
    for name in *required {
        assert!(element.attributes.iter().any(|(given, _)| given == name), "{element:?} lacks `{name}`");
    }
    for child in &element.children {
        assert!(children.contains(&child.name.as_str()), "`{}` in `{}`", child.name, element.name);
        keeps_the_rules(child);
    }
}

#[test]
fn junit_keeps_the_rules_of_its_schema() {
    let root = parsed(&mixed().junit());
    keeps_the_rules(&root);
    let of = |element: &Element, name: &str| {
        element.attributes.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone())
    };
    assert_eq!(of(&root, "tests").as_deref(), Some("4"));
    let [expectations, limits] = root.children.as_slice() else { panic!("{root:?}") };
    assert_eq!(of(expectations, "failures").as_deref(), Some("1"));
    assert_eq!(of(expectations, "skipped").as_deref(), Some("1"));
    assert_eq!(of(limits, "errors").as_deref(), Some("1"));
    let failed = &expectations.children[1];
    assert_eq!(of(failed, "classname").as_deref(), Some("checkout.expectations.subtle"));
    assert_eq!(of(failed, "name").as_deref(), Some("&lt;slow&gt; &amp; &quot;odd&quot;"));
    assert_eq!(of(&failed.children[0], "message").as_deref(), Some("41 of 60?, 95 % expected"));
}

#[test]
fn annotations_are_one_line_each_and_escape_what_ends_them() {
    let mut report = mixed();
    report.checks[3].place.file = "a,b:c.yaml".to_owned();
    let text = report.annotations();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines[0].starts_with("::error file=ci/suite.yaml,line=7,col=5,title=expectation failed::subtle/")
    );
    assert!(lines[0].ends_with("95 %25 expected"), "{}", lines[0]);
    assert!(lines[1].starts_with("::notice "));
    assert_eq!(
        lines[2],
        "::warning file=a%2Cb%3Ac.yaml,line=7,col=5,title=limit unknown::recall >= 0.95: too few%0Aruns: 9 of 10, say"
    );
}

#[test]
fn failed_comes_before_unknown_and_unknown_before_passed() {
    use CheckStatus::{Failed, Passed, Skipped, Unknown};
    let of = |statuses: &[CheckStatus]| {
        report(statuses.iter().map(|status| check(CheckKind::Limit, "x", *status, "")).collect()).status()
    };
    assert_eq!(of(&[Passed, Unknown, Failed]), Failed);
    assert_eq!(of(&[Passed, Unknown, Skipped]), Unknown);
    assert_eq!(of(&[Passed, Skipped]), Passed);
}

#[test]
fn the_comment_tells_what_failed_and_which_scenario_flipped_when() {
    let mut report = mixed();
    report.policy_changes.push(PolicyChange {
        field: "judge.e_detector.alpha".to_owned(),
        before: "0.01".to_owned(),
        after: "0.001".to_owned(),
    });
    report.changes.push(ChangeTold {
        flip: Flip {
            family: "subtle".to_owned(),
            scenario: "slow-burn".to_owned(),
            from: Class::TruePositive,
            to: Class::FalseNegative,
            seeds: vec![3, 9],
            of: 60,
        },
        parting: Some(PartingTold {
            seed_index: 3,
            at_ms: 2_535_000,
            deployed_ms: 1_800_000,
            parted_in: "verdict".to_owned(),
            before: SideTold {
                verdict: Some("fail".to_owned()),
                score: Some(11.2),
                threshold: Some(10.5),
                decided: Some("roll back to v41".to_owned()),
                ..SideTold::default()
            },
            after: SideTold { verdict: Some("marginal".to_owned()), ..SideTold::default() },
        }),
        unknown: None,
    });
    let text = report.markdown();
    for words in [
        "<!-- backspin ci -->",
        "checkout: ❌ failed",
        "| expectation: subtle/&lt;slow> & \"odd\" |",
        "| `judge.e_detector.alpha` | 0.01 | 0.001 |",
        "| subtle/slow-burn | caught → missed | worse | 2 of 60: 3, 9 | seed 3, 12m 15s after the deploy, by the verdict |",
        "fail, 11.2 of 10.5; roll back to v41",
        "marginal; decides nothing more",
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    assert!(report.text(100).contains("subtle/slow-burn  caught → missed"));
    let again: CiReport = serde_json::from_str(&report.json().expect("plain data")).expect("it reads back");
    assert_eq!(again, report);
}
