use super::*;
use backspin_score::Quantile;

fn cell(answer: Answer, after_s: u64) -> Cell {
    let after_ms = (answer != Answer::Nothing).then_some(after_s * 1000);
    Cell {
        answer,
        after_ms,
        words: "a|b <i>\n".to_owned(),
        could_judge: true,
        harm_ms: Some(after_s * 1000),
        failed_beyond: Some(10.0),
        ..Cell::default()
    }
}

fn report() -> BacktestReport {
    let row = |outcome, service: &str, answer, after_s| DeployRow {
        service: service.to_owned(),
        version: "v2".to_owned(),
        at: "2026-11-03T14:00:00Z".to_owned(),
        place: "deploys.csv:2".to_owned(),
        outcome,
        watched_ms: 3_600_000,
        before: 1.0,
        after: 0.5,
        notes: vec!["half of it is missing".to_owned()],
        cells: vec![cell(answer, after_s), Cell { could_judge: false, ..cell(Answer::Nothing, 3600) }],
        ..DeployRow::default()
    };
    BacktestReport {
        version: BACKTEST_VERSION,
        judges: vec!["e_detector".to_owned(), "weighted".to_owned()],
        policies: vec![String::new(), String::new()],
        deploys: vec![
            row(KnownOutcome::Bad, "a", Answer::RollBack, 60),
            row(KnownOutcome::Bad, "a", Answer::Call, 120),
            row(KnownOutcome::Bad, "b", Answer::Nothing, 3600),
            row(KnownOutcome::Good, "b", Answer::RollBack, 30),
            row(KnownOutcome::Good, "<b>", Answer::Nothing, 0),
            row(KnownOutcome::Unknown, "c", Answer::RollBack, 30),
        ],
        ..BacktestReport::default()
    }
}

#[test]
fn figures_count_what_answers_were_worth() {
    let [own, other] = report().figures().try_into().expect("two judges");
    assert_eq!([own.caught, own.missed, own.needless].map(|it| (it.k, it.n)), [(1, 3), (1, 3), (1, 2)]);
    assert_eq!((own.called, own.needless_calls, own.unknown_rolled_back.k), (1, 0, 1));
    assert_eq!((own.delay, own.harm_minutes, own.failed_beyond), (Quantile::At(120.0), 63.0, 30.0));
    assert_eq!((other.could_not_judge, other.missed.k), (6, 3));
    // Nobody was answered: the median is beyond the longest that was looked at.
    assert_eq!(other.delay, Quantile::NotReached(3600.0));
}

#[test]
fn every_output_says_that_the_loop_is_open_and_what_is_missing() {
    let report = report();
    let page = page::render(&report).expect("the template renders");
    for text in [report.text(200), report.markdown(), page.clone()] {
        assert!(text.contains("Open loop"), "{text}");
        assert!(text.contains("half of it is missing"), "{text}");
        assert!(text.contains("rolled back 1 of 3 bad deploys, and 1 of 2 good ones"), "{text}");
    }
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "what others wrote is no markup");
    let again: BacktestReport =
        serde_json::from_str(&report.json().expect("it can be written")).expect("it reads");
    assert_eq!(again, report);
}

#[test]
fn a_narrow_terminal_has_a_line_per_figure() {
    let text = report().text(60);
    assert!(text.lines().any(|line| line.starts_with("needless  ")), "{text}");
}

#[test]
fn where_nobody_could_tell_that_is_the_headline() {
    let mut report = report();
    for cell in report.deploys.iter_mut().flat_map(|deploy| &mut deploy.cells) {
        cell.could_judge = false;
    }
    assert!(report.headline().starts_with("No judge could tell anything"));
}
