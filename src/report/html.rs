//! The page, from embedded templates.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;

use super::error::ReportError;
use super::figure_tables::{self, FigureTables};
use super::matrix::{MatrixRow, matrix};
use super::model::{CampaignReport, Limits, REFERENCE_JUDGE, REFERENCE_WHY, Shown, SourceCredit};
use super::notice::{Notice, notices};
use super::series::series;
use super::story::{Story, story};
use super::summary::{ScenarioSummary, Summary, course_words};
use super::words::{self, NOTHING};
use super::{advice, chart, headline, replayed, table};
use backspin_domain::entry::Entry;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::TruthEntry;
use backspin_score::{ExpectationStatus, RunOutcome, score_entries};

/// The templates, in the binary. All but the style sheet are escaped as HTML.
#[derive(rust_embed::RustEmbed)]
#[folder = "../../reports/templates/"]
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
    figures: FigureTables,
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
    assumptions: Vec<String>,
    story: Story,
    advice: Vec<String>,
}

/// Renders the page.
pub(super) fn render(report: &CampaignReport, summary: &Summary<'_>) -> Result<String, ReportError> {
    let sections = report.shown.iter().enumerate().map(|(index, shown)| section(index, shown, report.limits));
    let sections = sections.collect::<Result<Vec<_>, _>>()?;
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
        matrix: matrix(summary),
        figures: figure_tables::of(report, summary),
        reference_shown: summary.judges.contains(&REFERENCE_JUDGE),
        reference_why: REFERENCE_WHY,
        many: scenarios.len() > LISTED_MAX,
        scenarios,
        told,
        sections,
        slo: words::percent(backspin_score::SLO),
        alpha: words::percent(backspin_score::ALPHA),
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

pub(super) fn environment() -> Environment<'static> {
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
        assumptions: assumptions(&shown.entries, outcome.truth.onset),
        advice: advice::advice(&outcome, &story),
        shows: outcome.shows,
        judge: outcome.judge,
        scenario: outcome.scenario,
        family: outcome.family,
        picture,
        story,
    })
}

/// How a recording was replayed, what that assumes and where its limits are.
fn assumptions(entries: &[Entry], onset: Option<MonoTime>) -> Vec<String> {
    let mut words = Vec::new();
    let mut sensitivity = Vec::new();
    for entry in entries {
        match entry {
            Entry::Header(header) => words.extend(header.assumptions.iter().cloned()),
            Entry::Truth(_, TruthEntry::Sensitivity(found)) => sensitivity.push(*found),
            Entry::Truth(_, TruthEntry::Extrapolated(from)) => {
                words.push(format!("extrapolated from {from} on"));
            }
            Entry::Truth(
                _,
                TruthEntry::Known(_)
                | TruthEntry::Tick(_)
                | TruthEntry::Reached(_)
                | TruthEntry::Effect(_)
                | TruthEntry::EngineLost
                | TruthEntry::Left(_),
            )
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Journal(..)
            | Entry::End(_) => {}
        }
    }
    words.extend(replayed::sensitivity(onset, &sensitivity));
    words
}

const fn plane(outcome: &RunOutcome) -> &'static str {
    match outcome.plane {
        backspin_domain::entry::PlaneKind::Direct => "direct",
        backspin_domain::entry::PlaneKind::Http => "http",
        backspin_domain::entry::PlaneKind::Recorded => "recorded",
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
    let harmed =
        if outcome.truth.recovery_known { words::users(outcome.harm.users) } else { "unknown".into() };
    figures.push(("users harmed", harmed));
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
