//! From courses to the report's model.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::BacktestArgs;
use super::history::{Selected, no_history};
use crate::backtest::deploys::{Outcome, PastDeploy, written};
use crate::backtest::frames::{Coverage, frames};
use crate::backtest::history::History;
use crate::backtest::judged::{Course, courses, failed_beyond};
use crate::backtest::metrics::Metrics;
use crate::backtest::pieces::{Span, Window};
use crate::cli::diagnose::{Failure, bad_input};
use crate::domain::event::DecisionKind;
use crate::domain::time::{Millis, WallTime};
use crate::policy::{JudgeName, Policy};
use crate::report::backtest::{
    Answer, BACKTEST_VERSION, BacktestReport, Cell, DeployRow, KnownOutcome, VerdictRow,
};

/// Less history than this is said.
const HISTORY_MIN: Millis = Millis::from_mins(30);

/// Judges every deploy.
pub(super) fn report(
    args: &BacktestArgs,
    policies: &[Policy],
    metrics: &Metrics,
    span: Span,
    history: &History,
    selected: Selected,
) -> Result<BacktestReport, Failure> {
    let mut rows = Vec::new();
    for deploy in &selected.deploys {
        let Some(window) = span.window(deploy) else { continue };
        let series = history.series(metrics, &deploy.service, window).map_err(no_history)?;
        let framed = frames(metrics, deploy, window, &series);
        let courses = courses(policies, metrics, deploy, window, &series, &framed)
            .with_context(|| format!("the policy cannot be used for `{}` ({})", deploy.service, deploy.place))
            .map_err(|error| bad_input(error, "its queries must fit the metrics that --metrics names"))?;
        let wants_verdicts = args.verdicts.as_deref() == Some(deploy.service.as_str());
        let beyond = |until| failed_beyond(&framed, until);
        let cells = courses.iter().map(|course| cell(deploy, window, course, wants_verdicts, &beyond));
        rows.push(row(deploy, window, &framed.coverage, cells.collect()));
    }
    let source = match (&args.past.prometheus, &args.past.recorded) {
        (Some(url), _) => format!("Prometheus at {url}"),
        (None, Some(folder)) => format!("what is kept in {}", folder.display()),
        (None, None) => String::new(),
    };
    Ok(BacktestReport {
        version: BACKTEST_VERSION,
        build: format!("backspin {}", env!("CARGO_PKG_VERSION")),
        command: command(args, span),
        source,
        from: written(span.from),
        to: written(span.to),
        scrape_ms: metrics.scrape().0,
        history_ms: span.history.0,
        watch_ms: span.watch.0,
        judges: policies.iter().map(|policy| JudgeName::of(&policy.judge).name().to_owned()).collect(),
        policies: policies.iter().map(|policy| policy.hash.clone()).collect(),
        deploys: rows,
        left_out: selected.left_out,
        notes: selected.notes,
    })
}

/// The command that makes it again, with the range as it was.
fn command(args: &BacktestArgs, span: Span) -> String {
    let mut text = "backspin backtest".to_owned();
    match (&args.past.prometheus, &args.past.recorded) {
        (Some(url), _) => {
            let _ = write!(text, " --prometheus {url} --keep {}", args.past.keep.display());
        }
        (None, folder) => {
            let _ = folder.as_ref().map(|folder| write!(text, " --recorded {}", folder.display()));
        }
    }
    let _ = write!(
        text,
        " --from {} --to {} --metrics {}",
        written(span.from),
        written(span.to),
        args.past.metrics
    );
    let _ = write!(text, " --history '{}' --watch '{}'", span.history, span.watch);
    for path in &args.past.deploys {
        let _ = write!(text, " --deploys {}", path.display());
    }
    text + &args.policy.given()
}

fn after(deploy: &PastDeploy, at: Option<WallTime>) -> Option<u64> {
    at.map(|at| at.0.saturating_sub(deploy.at.0).max(0).cast_unsigned())
}

fn cell(
    deploy: &PastDeploy,
    window: Window,
    course: &Course,
    wants_verdicts: bool,
    beyond: &dyn Fn(Millis) -> f64,
) -> Cell {
    let rolled_back = course.first(DecisionKind::RollBack).map(|decided| (Answer::RollBack, decided));
    let called = || course.first(DecisionKind::Escalate).map(|decided| (Answer::Call, decided));
    let answered = rolled_back.or_else(called);
    let decided = answered.map(|(_, decided)| decided);
    let watched = Millis(window.end.0.abs_diff(deploy.at.0));
    let until = decided.map_or(watched, |decided| decided.after);
    let onset = after(deploy, deploy.onset).unwrap_or(0);
    let is_bad = deploy.outcome == Outcome::Bad;
    let verdict = |stretch: &crate::backtest::judged::Stretch| VerdictRow {
        from_ms: stretch.from.0,
        until_ms: stretch.until.0,
        verdicts: stretch.verdicts,
        class: stretch.last.class.to_string(),
        score: if stretch.last.score.is_finite() { stretch.last.score } else { 0.0 },
        threshold: if stretch.last.threshold.is_finite() { stretch.last.threshold } else { 0.0 },
    };
    Cell {
        answer: answered.map_or(Answer::Nothing, |(answer, _)| answer),
        after_ms: decided.map(|decided| decided.after.0),
        severity: decided.and_then(|decided| decided.severity).map(|severity| severity.to_string()),
        words: decided.or(course.decisions.last()).map(|decided| decided.words.clone()).unwrap_or_default(),
        could_judge: course.could_judge() || decided.is_some(),
        harm_ms: is_bad.then(|| until.0.saturating_sub(onset)),
        failed_beyond: is_bad.then(|| beyond(until)),
        decisions: course
            .decisions
            .iter()
            .map(|decided| (decided.after.0, decided.kind.to_string(), decided.words.clone()))
            .collect(),
        verdicts: if wants_verdicts { course.verdicts.iter().map(verdict).collect() } else { Vec::new() },
    }
}

fn row(deploy: &PastDeploy, window: Window, coverage: &Coverage, cells: Vec<Cell>) -> DeployRow {
    let share = |(there, of): (usize, usize)| if of == 0 { 0.0 } else { there as f64 / of as f64 };
    DeployRow {
        service: deploy.service.to_string(),
        version: deploy.version.clone(),
        at: written(deploy.at),
        place: deploy.place.clone(),
        outcome: match deploy.outcome {
            Outcome::Good => KnownOutcome::Good,
            Outcome::Bad => KnownOutcome::Bad,
            Outcome::Unknown => KnownOutcome::Unknown,
        },
        onset_ms: after(deploy, deploy.onset),
        ended_ms: after(deploy, deploy.ended),
        watched_ms: window.end.0.abs_diff(deploy.at.0),
        before: share(coverage.before),
        after: share(coverage.after),
        notes: notes(deploy, window, coverage),
        cells,
    }
}

/// What is to be known of a deploy's data.
fn notes(deploy: &PastDeploy, window: Window, coverage: &Coverage) -> Vec<String> {
    let mut notes = Vec::new();
    if !deploy.note.is_empty() {
        notes.push(deploy.note.clone());
    }
    if coverage.series == 0 {
        notes.push(
            "no series of it was found: check the names of metrics and labels with --metrics".to_owned(),
        );
    } else if coverage.first_seen.is_none() {
        let versions: Vec<&str> = coverage.versions.iter().map(String::as_str).collect();
        notes.push(format!("no sample is of its version; versions that were seen: {}", versions.join(", ")));
    }
    if coverage.served_before {
        notes.push("its version served before its deploy already: is the time right?".to_owned());
    }
    for (label, n) in &coverage.lacking {
        notes.push(format!("{n} series have no label `{label}`, or none that can be read, and say nothing"));
    }
    let gaps = |what: &str, (there, of): (usize, usize)| {
        (there < of && there > 0).then(|| format!("{} of {of} scrapes {what} are missing", of - there))
    };
    notes.extend(gaps("before it", coverage.before));
    notes.extend(gaps("of its version", coverage.after));
    if Millis(deploy.at.0.abs_diff(window.start.0)) < HISTORY_MIN {
        notes.push(format!(
            "only {} before it are in the range to learn from",
            Millis(deploy.at.0.abs_diff(window.start.0))
        ));
    }
    if window.is_cut {
        notes.push(format!("its record ends after {}", Millis(window.end.0.abs_diff(deploy.at.0))));
    }
    notes
}
