use super::*;
use backspin_score::Told;

fn watched(told: Told) -> Watched {
    let bad = matches!(told, Told::Detected | Told::Missed);
    let alarm_ms = matches!(told, Told::Detected | Told::FalseAlarm).then_some(60_000);
    Watched { bad, told, alarm_ms, conclusive: true, quiet_ms: if bad { 0 } else { 1_800_000 } }
}

fn case(source: &str, fault: &str, n: usize, told: &[Told]) -> CaseRow {
    let case: Vec<Watched> = told.iter().copied().map(watched).collect();
    let before = if case[0].bad { vec![watched(Told::Quiet); told.len()] } else { Vec::new() };
    CaseRow {
        source: source.to_owned(),
        fault: fault.to_owned(),
        id: format!("{source}-{fault}-{n}"),
        bad: case[0].bad,
        case,
        before,
    }
}

/// Ten faults and ten controls of a shop, and a fault of which neither judge finds anything.
fn report() -> VerdictsReport {
    let mut cases = Vec::new();
    for n in 0..10 {
        let own = if n < 9 { Told::Detected } else { Told::Missed };
        let other = if n < 2 { Told::Detected } else { Told::Missed };
        cases.push(case("shop", if n < 5 { "errors" } else { "delay" }, n, &[own, other]));
        let other = if n == 0 { Told::FalseAlarm } else { Told::Quiet };
        cases.push(case("shop", "none", n, &[Told::Quiet, other]));
    }
    cases.push(case("cloud", "outage", 0, &[Told::Missed, Told::Missed]));
    VerdictsReport {
        version: VERDICTS_VERSION,
        build: "backspin 0.0.0".to_owned(),
        command: "backspin verdicts shop".to_owned(),
        judges: vec!["e_detector".to_owned(), "cusum".to_owned()],
        policies: vec![String::new(); 2],
        credits: vec![Credit {
            source: "shop".to_owned(),
            attribution: "the shop".to_owned(),
            licence: "MIT".to_owned(),
        }],
        apart: vec!["cloud".to_owned()],
        cases,
    }
}

#[test]
fn all_is_told_with_how_the_first_stands() {
    let (page, text) = (report().markdown(), report().text(120));
    for line in [
        "**e_detector is not worse than cusum, the best of the others: ",
        "right under the other only 8 : 0 of 20, p = 0.008; detected 7 : 0 of 10, p = 0.016; ",
        "| pooled | all | e_detector | 9 of 10 (59.6–98.2 %) | 0 of 10 | 0.90 | 0.00 (0 in 10.0 h) | – |",
        "| pooled | all | cusum | 2 of 10 (5.7–51.0 %) | 1 of 10 | 0.14 | 0.10 (1 in 10.0 h) | 8 : 0 of 20, p = 0.008 |",
        "| shop | errors | cusum | 2 of 5 (11.8–76.9 %) | 1 of 10 |",
        "Not in it, and in rows of their own below: `cloud`.",
        "| cloud | all | e_detector | 0 of 1 (0.0–79.3 %) | 0 of 0 | – |",
        "- `shop`: the shop (MIT)",
    ] {
        assert!(page.contains(line), "`{line}` is missing:\n{page}");
    }
    assert!(!page.contains("| cloud | outage |"), "of one kind of fault there is one row");
    for words in ["e_detector is not worse than cusum", "9 of 10 (59.6–98.2 %)", "McNemar's exact test"] {
        assert!(text.contains(words), "`{words}` is missing:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn the_first_holds_unless_it_is_worse_beyond_chance_or_alarms_more_often() {
    let good = report();
    assert_eq!(good.standing().holds(), Some(true));
    let swapped = |case: &mut CaseRow| {
        case.case.swap(0, 1);
    };
    let mut worse = good.clone();
    worse.cases.iter_mut().for_each(swapped);
    // 7 : 0 among the bad is p = 0.016.
    assert!(worse.standing().best.is_some_and(|best| best.detected.p() < 0.05));
    assert_eq!(worse.standing().holds(), Some(false));
    let mut even = good.clone();
    for case in even.cases.iter_mut().filter(|case| case.bad) {
        case.case[1] = case.case[0];
    }
    assert_eq!(even.standing().holds(), Some(true));
    even.cases.iter_mut().filter(|case| !case.bad).for_each(swapped);
    assert_eq!(even.standing().holds(), Some(false), "an alarm more in the same time");
    let alone = VerdictsReport { judges: vec!["e_detector".to_owned()], ..good.clone() };
    assert_eq!(alone.standing().holds(), None);
    let nothing = VerdictsReport { apart: vec!["shop".to_owned(), "cloud".to_owned()], ..good };
    assert_eq!(nothing.standing().holds(), None);
}

#[test]
fn a_fault_can_be_apart_while_its_source_is_not() {
    let report = VerdictsReport { apart: vec!["cloud".to_owned(), "shop/delay".to_owned()], ..report() };
    assert_eq!(report.standing().best.map(|best| (best.right.n, best.detected.n)), Some((15, 5)));
}

#[test]
fn the_model_is_read_back() {
    let json = report().json().expect("plain data");
    assert_eq!(serde_json::from_str::<VerdictsReport>(&json).ok(), Some(report()));
}
