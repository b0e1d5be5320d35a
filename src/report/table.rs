//! What a terminal shows: plain text, no colour, readable through a pipe, each row on one line.

use super::columns::{Column, Give, draw};
use super::figure::{self, Figure, bare, known, quantile, users};
use super::group::By;
use super::headline;
use super::model::{CampaignReport, REFERENCE_JUDGE, REFERENCE_SHORT};
use super::notice::notices;
use super::summary::{ScenarioSummary, Summary};
use super::words;
use super::wrap::wrapped;
use backspin_score::{CostWeights, Figures, Spread};

/// Everything about a campaign, for a terminal of `width` columns: judges, and then every judge by groups, or if no grouping is
/// wanted, the policy's own by scenario.
pub fn text(report: &CampaignReport, by: Option<By>, width: u16) -> String {
    let summary = Summary::of(report);
    let width = usize::from(width);
    let mut parts = vec![head(report, &summary, width), judges(report, &summary, width)];
    parts.push(match by {
        Some(by) => groups(&summary, by, &summary.judges, width),
        None if summary.scenarios.len() > LISTED_MAX => families(report, &summary, width),
        None => scenarios(report, &summary, width),
    });
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// The headline, and what must be known before it is believed.
fn head(report: &CampaignReport, summary: &Summary<'_>, width: usize) -> String {
    let mut lines = vec![wrapped(&headline::headline(report, summary), width, "", "")];
    let ran = headline::ran(report, summary);
    let expected = headline::expectations(summary).map_or_else(String::new, |words| format!(" {words}"));
    lines.push(wrapped(&format!("{ran}.{expected}"), width, "", ""));
    let notices = notices(report, summary);
    if !notices.is_empty() {
        lines.push(String::new());
    }
    for notice in notices {
        lines.push(wrapped(&notice.what, width, "! ", "  "));
        // A command is not broken: it is there to be copied.
        lines.extend(notice.next.map(|next| format!("  → {next}")));
    }
    lines.join("\n")
}

/// Judges by what they caught, in the order of the report; the reference last.
fn judges(report: &CampaignReport, summary: &Summary<'_>, width: usize) -> String {
    let rows = summary.rows(None);
    if rows.is_empty() {
        return String::new();
    }
    let mut columns =
        vec![Column::left("judge", rows.iter().map(|(_, judge, _)| judge_name(judge)).collect())];
    columns.extend(JUDGED.iter().map(|figure| figure.column(rows.iter().map(|(_, _, f)| *f))));
    let mut text = draw(columns, &GIVES, width, &[]);
    if rows.iter().any(|(_, _, f)| f.regret_bad.is_some() || f.regret_good.is_some()) {
        text.push('\n');
        text += &wrapped(&regret_words(&report.weights), width, "", "");
    }
    if summary.judges.contains(&REFERENCE_JUDGE) {
        text.push('\n');
        text += &wrapped(REFERENCE_SHORT, width, "* ", "  ");
    }
    text
}

fn judge_name(judge: &str) -> String {
    if judge == REFERENCE_JUDGE { format!("{judge} *") } else { judge.to_owned() }
}

/// What a terminal has room for; files and the page have all.
const JUDGED: [Figure; 11] = [
    figure::CAUGHT,
    figure::MISSED,
    figure::ESCALATED,
    figure::INCONCLUSIVE,
    figure::FALSE_ROLLBACKS,
    figure::MCC,
    figure::DELAY,
    figure::P90,
    figure::BOUND,
    figure::REGRET_BAD,
    figure::REGRET_GOOD,
];

/// What gives way first.
const GIVES: [Give; 15] = [
    Give::Shorten("regret, good"),
    Give::Shorten("× D*"),
    Give::Drop("p90 delay"),
    Give::Drop("inconclusive"),
    Give::Shorten("regret, bad"),
    Give::Drop("escalated"),
    Give::Shorten("median delay"),
    Give::Drop("missed"),
    Give::Drop("runs"),
    Give::Drop("regret, good"),
    Give::Drop("MCC"),
    Give::Drop("× D*"),
    Give::Drop("regret, bad"),
    Give::Drop("median delay"),
    Give::Drop("false rollbacks, % (95 %)"),
];

/// What a regret is, in one line.
fn regret_words(weights: &CostWeights) -> String {
    format!(
        "regret: mean cost of a bad and of a good deploy beyond an oracle's, in minutes of one user of a thousand; a needless \
         rollback is {}",
        words::cost(weights.needless + weights.rollback)
    )
}

/// More scenarios or incidents than this are summed up by family; the page lists them all.
const LISTED_MAX: usize = 60;

/// Group by group, under these judges.
fn groups(summary: &Summary<'_>, by: By, judges: &[&str], width: usize) -> String {
    let mut rows = summary.rows(Some(by));
    rows.retain(|(_, judge, _)| judges.contains(judge));
    let breaks: Vec<usize> = (1..rows.len()).filter(|&row| rows[row].0 != rows[row - 1].0).collect();
    let name = |row: usize| {
        let first = row == 0 || breaks.contains(&row);
        if first { rows[row].0.to_string() } else { String::new() }
    };
    let mut columns = vec![Column::left(by.name(), (0..rows.len()).map(name).collect())];
    if judges.len() > 1 {
        columns.push(Column::left("judge", rows.iter().map(|(_, judge, _)| judge_name(judge)).collect()));
    }
    columns.extend(figure::COMPARED.iter().map(|figure| figure.column(rows.iter().map(|(_, _, f)| *f))));
    let breaks = if judges.len() > 1 { &breaks[..] } else { &[] };
    draw(columns, &GIVES, width, breaks)
}

/// Families under the policy's judge.
fn families(report: &CampaignReport, summary: &Summary<'_>, width: usize) -> String {
    let judge = report.policy_judge.as_str();
    let table = groups(summary, By::Family, &[judge], width);
    let legend = format!("Under {judge}; the report lists all {}.", summary.scenarios.len());
    format!("{table}\n{}", wrapped(&legend, width, "", ""))
}

/// Scenarios under the policy's judge, by family.
fn scenarios(report: &CampaignReport, summary: &Summary<'_>, width: usize) -> String {
    let rows = &summary.scenarios;
    if rows.is_empty() {
        return String::new();
    }
    let cells = |cell: &dyn Fn(&ScenarioSummary<'_>) -> String| rows.iter().map(cell).collect::<Vec<_>>();
    let columns = vec![
        Column::left("scenario", cells(&|s| format!("{}/{}", s.family, s.name))),
        Column::left("expectation", cells(&status)),
        Column::left("expected", cells(&|s| s.expected())).or(cells(&|s| s.expected_short())),
        Column::left("decided", cells(&|s| s.got())).or(cells(&|s| s.got_short())),
        Column::right("TTD", cells(&|s| median(&s.figures.delay_s)))
            .or(cells(&|s| middle(&s.figures.delay_s))),
        Column::right("TTM", cells(&|s| known(&s.figures, &s.figures.ttm_s, median)))
            .or(cells(&|s| known(&s.figures, &s.figures.ttm_s, middle))),
        Column::right("TTR", cells(&|s| known(&s.figures, &s.figures.ttr_s, median)))
            .or(cells(&|s| known(&s.figures, &s.figures.ttr_s, middle))),
        Column::right("× D*", cells(&|s| quantile(s.figures.delay_ratio.median, bare))),
        Column::right("harmed", cells(&|s| users(&s.figures))),
    ];
    let gives = [
        Give::Shorten("expected"),
        Give::Shorten("decided"),
        Give::Shorten("TTR"),
        Give::Drop("expected"),
        Give::Drop("× D*"),
        Give::Drop("harmed"),
        Give::Drop("TTR"),
        Give::Shorten("TTM"),
        Give::Shorten("TTD"),
    ];
    let breaks: Vec<usize> =
        (1..rows.len()).filter(|&row| rows[row].family != rows[row - 1].family).collect();
    let legend = format!(
        "Under {}, medians over seeds, from the onset: TTD to the decision, TTM to mitigation, TTR to recovery; \
         31/60: 31 of 60 runs got there. × D*: times the least that the signals allow. harmed: users per bad \
         deploy.",
        report.policy_judge
    );
    format!("{}\n{}", draw(columns, &gives, width, &breaks), wrapped(&legend, width, "", ""))
}

fn status(scenario: &ScenarioSummary<'_>) -> String {
    scenario.expectation.as_ref().map_or_else(
        || words::NOTHING.to_owned(),
        |e| match e.status {
            backspin_score::ExpectationStatus::Missed => format!("MISSED {}/{}", e.met.k, e.met.n),
            status => format!("{status} {}/{}", e.met.k, e.met.n),
        },
    )
}

/// `2m 30s 39/40`: a median, and how many got there if not all did.
fn median(spread: &Spread) -> String {
    let middle = middle(spread);
    if spread.n == spread.reached { middle } else { format!("{middle} {}/{}", spread.reached, spread.n) }
}

fn middle(spread: &Spread) -> String {
    quantile(spread.median, words::seconds)
}

/// TTD, TTM, TTR, × D*, users harmed, for the page; each with how many got there, if not all did.
pub(super) fn times(figures: &Figures) -> [(String, String); 5] {
    let reached = |spread: &Spread| {
        if spread.n == spread.reached { String::new() } else { format!("{} of {}", spread.reached, spread.n) }
    };
    let show = |spread: &Spread| words::quantile(spread.median, words::seconds);
    let plain = |text: String| (text, String::new());
    [
        (show(&figures.delay_s), reached(&figures.delay_s)),
        (known(figures, &figures.ttm_s, show), reached(&figures.ttm_s)),
        (known(figures, &figures.ttr_s, show), reached(&figures.ttr_s)),
        plain(words::quantile(figures.delay_ratio.median, words::times)),
        plain(users(figures)),
    ]
}
