//! The page, from embedded templates.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;

use super::error::ReportError;
use super::model::{CampaignReport, Limits, REFERENCE_JUDGE, REFERENCE_WHY, Shown, SourceCredit};
use super::notice::{Notice, notices};
use super::series::series;
use super::story::{Story, story};
use super::summary::{ScenarioSummary, Summary, course_words};
use super::words::{self, NOTHING};
use super::{advice, chart, headline, table};
use crate::score::{ExpectationStatus, Figures, RunOutcome, score_entries};

/// The templates, in the binary. All but the style sheet are escaped as HTML.
#[derive(rust_embed::RustEmbed)]
#[folder = "reports/templates/"]
struct Templates;

/// Everything the page shows, as the templates name it.
#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    seed: String,
    policy_hash: &'a str,
    policy_judge: &'a str,
    headline: String,
    ran: String,
    expectations: Option<String>,
    notices: Vec<Notice>,
    sources: &'a [SourceCredit],
    families: &'a [&'a str],
    matrix: Vec<MatrixRow>,
    reference_shown: bool,
    reference_why: &'static str,
    scenarios: Vec<ScenarioRow>,
    /// More scenarios than one looks through: the table is folded away.
    many: bool,
    /// Columns of the scenarios' table that have anything to say.
    told: Vec<&'static str>,
    sections: Vec<Section>,
    slo: String,
    alpha: String,
}

/// More scenarios or incidents than this are folded away.
const LISTED_MAX: usize = 60;

/// A judge's row of the matrix.
#[derive(Serialize)]
struct MatrixRow {
    judge: String,
    note: &'static str,
    cells: Vec<Cell>,
}

/// A family under a judge.
#[derive(Default, Serialize)]
struct Cell {
    /// `good`, `part`, `bad` or `none`; the words say the same.
    tone: &'static str,
    caught: Option<Count>,
    missed: u64,
    escalated: u64,
    inconclusive: u64,
    wrong: Option<Count>,
    infeasible: Option<String>,
}

#[derive(Serialize)]
struct Count {
    k: u64,
    n: u64,
    interval: String,
}

/// A scenario's row.
#[derive(Serialize)]
struct ScenarioRow {
    name: String,
    family: String,
    anchor: Option<String>,
    expected: String,
    got: String,
    tone: &'static str,
    status: String,
    why: String,
    times: [(String, String); 5],
    /// Begins another family than the row before.
    first_of_family: bool,
    budget: String,
    reference: String,
}

/// A run shown in full.
#[derive(Serialize)]
struct Section {
    anchor: String,
    scenario: String,
    family: String,
    judge: String,
    shows: String,
    run: String,
    came_to: String,
    tone: &'static str,
    figures: Vec<(&'static str, String)>,
    unmet: Vec<String>,
    picture: String,
    recorded: bool,
    story: Story,
    advice: Vec<String>,
}

/// Renders the page.
pub(super) fn render(report: &CampaignReport, summary: &Summary<'_>) -> Result<String, ReportError> {
    let sections = report.shown.iter().enumerate().map(|(index, shown)| section(index, shown, report.limits));
    let sections = sections.collect::<Result<Vec<_>, _>>()?;
    let matrix: Vec<_> = summary.judges.iter().map(|judge| matrix_row(judge, summary)).collect();
    let mut scenarios: Vec<_> =
        summary.scenarios.iter().map(|s| scenario_row(s, &report.policy_judge, &sections)).collect();
    for row in 0..scenarios.len() {
        scenarios[row].first_of_family = row == 0 || scenarios[row - 1].family != scenarios[row].family;
    }
    let told = told(&scenarios);
    let context = Page {
        title: &report.title,
        seed: report.seed.to_string(),
        policy_hash: &report.policy_hash,
        policy_judge: &report.policy_judge,
        headline: headline::headline(report, summary),
        ran: headline::ran(report, summary),
        expectations: headline::expectations(summary),
        notices: notices(report, summary),
        sources: &report.sources,
        families: &summary.families,
        matrix,
        reference_shown: summary.judges.contains(&REFERENCE_JUDGE),
        reference_why: REFERENCE_WHY,
        many: scenarios.len() > LISTED_MAX,
        scenarios,
        told,
        sections,
        slo: words::percent(crate::score::SLO),
        alpha: words::percent(crate::score::ALPHA),
    };
    let page = "index.html";
    let failed = |source| ReportError::Template { name: page.to_owned(), source };
    let environment = environment();
    environment
        .get_template(page)
        .and_then(|template| template.render(Value::from(Serde(context))))
        .map_err(failed)
}

fn told(rows: &[ScenarioRow]) -> Vec<&'static str> {
    let cells = |row: &ScenarioRow| {
        [
            ("expectation", row.status != NOTHING),
            ("bound", row.times[3].0 != NOTHING),
            ("budget", row.budget != NOTHING),
            ("reference", row.reference != NOTHING),
        ]
    };
    let mut told: Vec<_> =
        rows.iter().flat_map(cells).filter(|(_, any)| *any).map(|(name, _)| name).collect();
    told.sort_unstable();
    told.dedup();
    told
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_loader(|name| {
        let Some(file) = Templates::get(name) else { return Ok(None) };
        String::from_utf8(file.data.into_owned()).map(Some).map_err(|error| {
            minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, "template is not UTF-8")
                .with_source(error)
        })
    });
    environment.set_auto_escape_callback(|name| {
        if name == "style.css" { AutoEscape::None } else { AutoEscape::Html }
    });
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment
}

fn matrix_row(judge: &str, summary: &Summary<'_>) -> MatrixRow {
    let of_family = |family: &&str| cell(summary.by_judge_and_family.get(&(judge, *family)));
    let mut cells = vec![cell(summary.by_judge.get(judge))];
    cells.extend(summary.families.iter().map(of_family));
    let note = if judge == REFERENCE_JUDGE { "reference" } else { "" };
    MatrixRow { judge: judge.to_owned(), note, cells }
}

fn cell(figures: Option<&Figures>) -> Cell {
    let Some(f) = figures else { return Cell { tone: "none", ..Cell::default() } };
    let count = |share: &crate::score::Share| {
        (share.n > 0).then(|| Count { k: share.k, n: share.n, interval: words::interval(share) })
    };
    // A false rollback of a bad deploy is already among those not caught; here only what good deploys suffered,
    // or all of it where a family has no good deploys.
    let wrong = count(&f.false_rollbacks).filter(|c| c.k > 0 || f.confusion.true_negative > 0);
    let caught = f.caught.value();
    let share_wrong = if wrong.is_some() { f.false_rollbacks.value().unwrap_or(0.0) } else { 0.0 };
    let tone = match caught {
        _ if share_wrong > FALSE_BAD => "bad",
        Some(share) if share < CAUGHT_BAD => "bad",
        Some(share) if share < CAUGHT_GOOD => "part",
        _ if share_wrong > FALSE_GOOD => "part",
        None if wrong.is_none() => "none",
        _ => "good",
    };
    Cell {
        tone,
        missed: f.confusion.false_negative,
        escalated: f.confusion.escalated_bad + f.confusion.escalated_good,
        inconclusive: f.confusion.inconclusive_bad + f.confusion.inconclusive_good,
        caught: count(&f.caught),
        wrong,
        infeasible: (f.infeasible.n > 0).then(|| format!("{} of {}", f.infeasible.k, f.infeasible.n)),
    }
}

/// Shading of the matrix only; targets of the product are 95 % caught and 1 % false.
const CAUGHT_GOOD: f64 = 0.95;
const CAUGHT_BAD: f64 = 0.5;
const FALSE_GOOD: f64 = 0.01;
const FALSE_BAD: f64 = 0.1;

fn scenario_row(scenario: &ScenarioSummary<'_>, judge: &str, sections: &[Section]) -> ScenarioRow {
    let (tone, status, why) = match &scenario.expectation {
        None => ("none", NOTHING.to_owned(), String::new()),
        Some(e) => (tone(e.status), format!("{} {} of {}", e.status, e.met.k, e.met.n), e.why.clone()),
    };
    let section = sections
        .iter()
        .find(|s| s.scenario == scenario.name && s.family == scenario.family && s.judge == judge);
    let f = &scenario.figures;
    let reference = scenario.reference.as_ref().map_or_else(
        || NOTHING.to_owned(),
        |r| match (r.caught.value(), r.false_rollbacks.value()) {
            (Some(_), _) => format!("caught {} of {}", r.caught.k, r.caught.n),
            (None, Some(_)) => format!("false {} of {}", r.false_rollbacks.k, r.false_rollbacks.n),
            (None, None) => NOTHING.to_owned(),
        },
    );
    ScenarioRow {
        name: scenario.name.to_owned(),
        family: scenario.family.to_owned(),
        anchor: section.map(|section| section.anchor.clone()),
        expected: scenario.expected(),
        got: scenario.got(),
        tone,
        status,
        why,
        times: table::times(f),
        first_of_family: false,
        budget: f.budget_share_mean.map_or_else(|| NOTHING.into(), words::percent),
        reference,
    }
}

const fn tone(status: ExpectationStatus) -> &'static str {
    match status {
        ExpectationStatus::Met => "good",
        ExpectationStatus::Missed => "bad",
        ExpectationStatus::Unknown => "part",
    }
}

fn section(index: usize, shown: &Shown, limits: Limits) -> Result<Section, ReportError> {
    let outcome = score_entries(&shown.entries).map_err(|source| ReportError::Shown { index, source })?;
    let story = story(&shown.entries, outcome.truth.deployed);
    let label = format!(
        "Run of {} under {}: failed requests, response times, traffic share and score, in minutes since the \
         deploy. {}.",
        outcome.scenario, outcome.judge, outcome.class
    );
    let picture = chart::draw(&series(&shown.entries, limits), &outcome.judge, &label)
        .map_err(|reason| ReportError::Chart { scenario: outcome.scenario.clone(), reason })?;
    let met = outcome.met.as_ref();
    Ok(Section {
        anchor: format!("run-{index}"),
        run: format!("judge {}, seed index {}, plane {}", outcome.judge, outcome.seed_index, plane(&outcome)),
        came_to: came_to(&outcome),
        tone: met.map_or("none", |met| match (met.unmet.is_empty(), met.unknown.is_empty()) {
            (true, true) => "good",
            (true, false) => "part",
            (false, _) => "bad",
        }),
        figures: figures(&outcome, shown.users_harmed_untouched),
        unmet: met.map(|met| met.unmet.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        recorded: !outcome.truth.recovery_known,
        advice: advice::advice(&outcome, &story),
        shows: outcome.shows,
        judge: outcome.judge,
        scenario: outcome.scenario,
        family: outcome.family,
        picture,
        story,
    })
}

const fn plane(outcome: &RunOutcome) -> &'static str {
    match outcome.plane {
        crate::domain::entry::PlaneKind::Direct => "direct",
        crate::domain::entry::PlaneKind::Recorded => "recorded",
    }
}

/// `Caught: decided to roll back`.
fn came_to(outcome: &RunOutcome) -> String {
    let class = outcome.class.to_string();
    let mut letters = class.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
    let class: String = first.chain(letters).collect();
    format!("{class}: decided to {}", course_words(&outcome.course()))
}

fn figures(outcome: &RunOutcome, untouched: Option<f64>) -> Vec<(&'static str, String)> {
    let bound = outcome.truth.bound;
    let mut figures = vec![
        ("time to detect", outcome.ttd.to_string()),
        ("time to mitigate", outcome.ttm.to_string()),
        ("time to recover", outcome.ttr.to_string()),
        ("limit of any judge (D*)", bound.time.map_or_else(|| NOTHING.into(), |time| time.to_string())),
    ];
    if let Some(ratio) = outcome.delay_ratio() {
        let more = if ratio.reached { "" } else { "more than " };
        figures.push(("delay over D*", format!("{more}{}", words::times(ratio.at))));
    }
    figures.push(("users harmed", words::users(outcome.harm.users)));
    if let Some(untouched) = untouched {
        figures.push(("had nobody acted", format!("{} users harmed", words::users(untouched))));
    }
    if outcome.harm.users_external > 0.0 {
        figures.push(("harmed by other causes", words::users(outcome.harm.users_external)));
    }
    if let Some(share) = outcome.harm.budget_share {
        figures.push(("error budget of 30 days", words::percent(share)));
    }
    if let Some(rollback) = &outcome.rollback {
        figures.push(("severity", rollback.severity.to_string()));
    }
    figures
}
