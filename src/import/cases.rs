//! Small files of each tool, with what their queries answer and the verdicts that follow from the original's rules. See
//! `cases/README.md`.

use std::collections::BTreeMap;

use backspin_domain::frame::{ArmIncrements, Frame, RolloutView};
use backspin_domain::signal::{Quality, QueryValue, SignalKind, SignalSample, SignalTable};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::VerdictClass;
use backspin_mocks::promql::eval::{self, Plan};
use backspin_mocks::store::{Labels, Store};
use backspin_policy::Policy;
use backspin_policy::document::{FileKind, Source};

use super::{Fate, Options, building, import, promql};

/// A section of a text.
struct Case<'a> {
    name: &'a str,
    every_ms: u64,
    signals: BTreeMap<&'a str, Vec<QueryValue>>,
    series: Vec<(&'a str, Vec<QueryValue>)>,
    candidate: Vec<ArmIncrements>,
    expect: &'a str,
    says: Vec<&'a str>,
    file: String,
}

fn case(section: &str) -> Case<'_> {
    let (name, rest) = section.split_once('\n').expect("a name and a body");
    let (head, file) = rest.split_once("---\n").expect("a head and a file");
    let mut case = Case {
        name,
        every_ms: 60_000,
        signals: BTreeMap::new(),
        series: Vec::new(),
        candidate: Vec::new(),
        expect: "",
        says: Vec::new(),
        file: format!("---\n{file}"),
    };
    let mut has_reason = false;
    for line in head.lines() {
        // The names of series hold colons in their labels only in quotes, never followed by a space.
        let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{name}: `{line}`"));
        match key.split_once(' ') {
            Some(("signal", signal)) => drop(case.signals.insert(signal, values(value))),
            Some(("series", series)) => case.series.push((series, values(value))),
            None if key == "every" => case.every_ms = building::length_ms(value).expect("a length of time"),
            None if key == "candidate" => case.candidate = value.split(' ').map(arm).collect(),
            None if key == "expect" => case.expect = value,
            None if key == "why" => has_reason = true,
            None if key == "says" => case.says.push(value),
            _ => panic!("{name}: `{key}` is not known"),
        }
    }
    assert!(has_reason && !case.expect.is_empty(), "{name}: it lacks `why` or `expect`");
    case
}

/// `0.9x3` three times, `0+5x3` four values that rise, `none`, `NaN`, `error`.
fn values(text: &str) -> Vec<QueryValue> {
    let mut found = Vec::new();
    for word in text.split(' ') {
        let (value, times) =
            word.rsplit_once('x').map_or((word, 1), |(value, n)| (value, n.parse().expect("a count")));
        if let Some((start, step)) = value.split_once('+') {
            let (start, step): (f64, f64) =
                (start.parse().expect("a number"), step.parse().expect("a number"));
            found.extend((0..=times).map(|n| QueryValue::Number(start + step * f64::from(n))));
            continue;
        }
        let value = match value {
            "none" => QueryValue::Empty,
            "NaN" => QueryValue::Nan,
            "error" => QueryValue::Failed,
            number => QueryValue::Number(number.parse().expect("a number")),
        };
        found.extend((0..times).map(|_| value));
    }
    found
}

/// `1000/10` or `1000/0@slow`.
fn arm(text: &str) -> ArmIncrements {
    let (counts, bucket) = text.strip_suffix("@slow").map_or((text, 6), |counts| (counts, 14));
    let (requests, errors) = counts.split_once('/').expect("requests and errors");
    let mut arm = ArmIncrements {
        quality: Quality::Fresh,
        requests: requests.parse().expect("a count"),
        errors: errors.parse().expect("a count"),
        ..ArmIncrements::default()
    };
    arm.latency_buckets[bucket] = arm.requests;
    arm
}

/// The labels of a series as a query names it.
fn labels(series: &str) -> Labels {
    let name = series.split('{').next().unwrap_or_default();
    let given = promql::matchers(series).into_iter().map(|m| (m.label, m.value));
    Labels::new(given.chain([("__name__".to_owned(), name.to_owned())]))
}

/// What the policy's queries answer to these series at a scrape.
fn evaluated(policy: &Policy, store: &Store, at_ms: i64) -> Vec<QueryValue> {
    let own = policy.queries.iter().filter(|query| matches!(query.asks, backspin_policy::Asks::Custom(_)));
    own.map(|query| {
        let plan = Plan::new(&query.text).expect("the loader took it");
        let answer = plan.instant(store, at_ms, &eval::Options::default()).expect("it can be evaluated");
        let one = |x: f64| if x.is_nan() { QueryValue::Nan } else { QueryValue::Number(x) };
        match answer.value {
            eval::Value::Scalar(x) => one(x),
            eval::Value::Vector(elements) => match elements[..] {
                [] => QueryValue::Empty,
                [(_, x)] => one(x),
                _ => QueryValue::Failed,
            },
            _ => panic!("a query gives numbers"),
        }
    })
    .collect()
}

fn frames(case: &Case<'_>, policy: &Policy) -> Vec<Frame> {
    let mut store = Store::default();
    let begin_ms = 1_767_607_200_000_i64;
    let frame = |n: usize| {
        let after_ms = n as u64 * case.every_ms;
        let at_ms = begin_ms + after_ms.cast_signed();
        for (series, values) in &case.series {
            if let Some(QueryValue::Number(value)) = values.get(n) {
                store.append(&labels(series), at_ms, *value).expect("time goes on");
            }
        }
        let queries = if case.series.is_empty() {
            let answer = |signal: &backspin_domain::signal::CustomSignal| {
                let values = case.signals.get(signal.name.as_str());
                let values =
                    values.unwrap_or_else(|| panic!("{}: no values of `{}`", case.name, signal.name));
                values.get(n).copied().unwrap_or(QueryValue::Empty)
            };
            policy.custom.iter().map(answer).collect()
        } else {
            evaluated(policy, &store, at_ms)
        };
        let quiet = ArmIncrements { quality: Quality::Fresh, ..arm("100/0") };
        let mut signals = SignalTable::default();
        for kind in SignalKind::ALL {
            if let Some(QueryValue::Number(value)) = case.signals.get(kind.name()).and_then(|v| v.get(n)) {
                signals.set(kind, SignalSample::fresh(*value, 1000));
            }
        }
        Frame {
            signals,
            at: MonoTime(3_600_000 + after_ms),
            interval: Millis(case.every_ms),
            rollout: RolloutView { since_deploy: Some(Millis(after_ms)), candidate_share: 0.1 },
            candidate: Some(case.candidate.get(n).copied().unwrap_or(quiet)),
            stable: Some(ArmIncrements { quality: Quality::Fresh, ..arm("900/0") }),
            queries,
            ..Frame::default()
        }
    };
    (0..case.expect.len()).map(frame).collect()
}

#[track_caller]
fn check(text: &str, least: usize) {
    let sections: Vec<&str> = text.split("=== ").skip(1).collect();
    assert!(sections.len() >= least, "{} cases, at least {least} are wanted", sections.len());
    let mut wrong = Vec::new();
    for section in sections {
        let case = case(section);
        let found =
            import(&[Source::new(FileKind::Policy, "case.yaml", case.file.as_str())], &Options::default());
        let lost: Vec<_> = found.findings.iter().filter(|finding| finding.fate == Fate::Lost).collect();
        let Some(text) = &found.policy else {
            wrong.push(format!("{}: no policy: {lost:?}", case.name));
            continue;
        };
        if !lost.is_empty() {
            wrong.push(format!("{}: {lost:?}", case.name));
        }
        let policy = backspin_policy::parse(&Source::new(FileKind::Policy, "imported", text.as_str()));
        let policy = policy.unwrap_or_else(|problems| panic!("{}: {problems}", case.name));
        for says in &case.says {
            if !found.findings.iter().any(|finding| finding.why.contains(says)) {
                wrong.push(format!("{}: nothing says `{says}`", case.name));
            }
        }
        let mut judge = policy.judge.build(&policy.custom);
        let letters: String = frames(&case, &policy)
            .iter()
            .map(|frame| if judge.observe(frame).class == VerdictClass::Fail { 'F' } else { '.' })
            .collect();
        if letters != case.expect {
            wrong.push(format!("{}: expected {}, got {letters}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn argo_rollouts() {
    check(include_str!("cases/argo.txt"), 10);
}

#[test]
fn flagger() {
    check(include_str!("cases/flagger.txt"), 10);
}

#[test]
fn kayenta() {
    check(include_str!("cases/kayenta.txt"), 10);
}

#[test]
fn prometheus() {
    check(include_str!("cases/prometheus.txt"), 10);
}

#[test]
fn sloth() {
    check(include_str!("cases/sloth.txt"), 10);
}

#[test]
fn pyrra() {
    check(include_str!("cases/pyrra.txt"), 10);
}

#[test]
fn the_reference_design() {
    check(include_str!("cases/reference.txt"), 10);
}

#[test]
fn keptn() {
    check(include_str!("cases/keptn.txt"), 10);
}
