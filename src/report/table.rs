//! What a terminal shows: plain text, no colour, readable through a pipe, each row on one line.

use super::columns::{Column, Give, draw};
use super::headline;
use super::model::{CampaignReport, REFERENCE_JUDGE, REFERENCE_SHORT};
use super::notice::notices;
use super::summary::{ScenarioSummary, Summary};
use super::words;
use super::wrap::wrapped;
use crate::score::{Figures, Quantile, Share, Spread};

/// Everything about a campaign, for a terminal of `width` columns.
pub fn text(report: &CampaignReport, width: u16) -> String {
    let summary = Summary::of(report);
    let width = usize::from(width);
    let mut parts = vec![head(report, &summary, width), judges(&summary, width)];
    if summary.scenarios.len() > LISTED_MAX {
        parts.push(families(report, &summary, width));
    } else {
        parts.push(scenarios(report, &summary, width));
    }
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
fn judges(summary: &Summary<'_>, width: usize) -> String {
    let rows: Vec<(&str, &Figures)> =
        summary.judges.iter().filter_map(|judge| Some((*judge, summary.by_judge.get(judge)?))).collect();
    if rows.is_empty() {
        return String::new();
    }
    let cells = |cell: &dyn Fn(&Figures) -> String| rows.iter().map(|(_, f)| cell(f)).collect::<Vec<_>>();
    let name = |judge: &str| if judge == REFERENCE_JUDGE { format!("{judge} *") } else { judge.to_owned() };
    let columns = vec![
        Column::left("judge", rows.iter().map(|(judge, _)| name(judge)).collect()),
        Column::right("caught, % (95 %)", cells(&|f| share(&f.caught))),
        Column::right("missed", cells(&|f| f.confusion.false_negative.to_string())),
        Column::right("escalated", cells(&|f| f.confusion.escalated_bad.to_string())),
        Column::right(
            "inconclusive",
            cells(&|f| (f.confusion.inconclusive_bad + f.confusion.inconclusive_good).to_string()),
        )
        .if_any(),
        Column::right("false rollbacks, % (95 %)", cells(&|f| share(&f.false_rollbacks))),
        Column::right("median delay", cells(&|f| median(&f.delay_s))).or(cells(&|f| middle(&f.delay_s))),
        Column::right("p90 delay", cells(&|f| quantile(f.delay_s.p90, words::seconds))),
        Column::right("× D*", cells(&|f| quantile(f.delay_ratio.median, bare))),
    ];
    let gives = [
        Give::Drop("p90 delay"),
        Give::Drop("inconclusive"),
        Give::Shorten("median delay"),
        Give::Drop("escalated"),
        Give::Drop("missed"),
        Give::Drop("× D*"),
    ];
    let mut text = draw(columns, &gives, width, &[]);
    if summary.judges.contains(&REFERENCE_JUDGE) {
        text.push('\n');
        text += &wrapped(REFERENCE_SHORT, width, "* ", "  ");
    }
    text
}

/// More scenarios or incidents than this are summed up by family; the page lists them all.
const LISTED_MAX: usize = 60;

/// Families under the policy's judge.
fn families(report: &CampaignReport, summary: &Summary<'_>, width: usize) -> String {
    let judge = report.policy_judge.as_str();
    let of_judge = summary.by_judge_and_family.iter().filter(|((name, _), _)| *name == judge);
    let rows: Vec<(&str, &Figures)> = of_judge.map(|((_, family), figures)| (*family, figures)).collect();
    let cells = |cell: &dyn Fn(&Figures) -> String| rows.iter().map(|(_, f)| cell(f)).collect::<Vec<_>>();
    let columns = vec![
        Column::left("family", rows.iter().map(|(family, _)| (*family).to_owned()).collect()),
        Column::right("runs", cells(&|f| f.runs.to_string())),
        Column::right("caught, % (95 %)", cells(&|f| share(&f.caught))),
        Column::right("missed", cells(&|f| f.confusion.false_negative.to_string())),
        Column::right(
            "escalated",
            cells(&|f| (f.confusion.escalated_bad + f.confusion.escalated_good).to_string()),
        ),
        Column::right(
            "inconclusive",
            cells(&|f| (f.confusion.inconclusive_bad + f.confusion.inconclusive_good).to_string()),
        )
        .if_any(),
        Column::right("false rollbacks, % (95 %)", cells(&|f| share(&f.false_rollbacks))),
        Column::right("median delay", cells(&|f| median(&f.delay_s))).or(cells(&|f| middle(&f.delay_s))),
    ];
    let gives =
        [Give::Shorten("median delay"), Give::Drop("missed"), Give::Drop("escalated"), Give::Drop("runs")];
    let legend = format!("Under {judge}; the report lists all {}.", summary.scenarios.len());
    format!("{}\n{}", draw(columns, &gives, width, &[]), wrapped(&legend, width, "", ""))
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
            crate::score::ExpectationStatus::Missed => format!("MISSED {}/{}", e.met.k, e.met.n),
            status => format!("{status} {}/{}", e.met.k, e.met.n),
        },
    )
}

/// `38/40  95 (83.5–98.6)`.
fn share(share: &Share) -> String {
    share.value().map_or_else(
        || words::NOTHING.to_owned(),
        |value| {
            let (k, n, lower, upper) = (share.k, share.n, share.lower * 100.0, share.upper * 100.0);
            format!("{k}/{n}  {:.1} ({lower:.1}–{upper:.1})", value * 100.0)
        },
    )
}

/// `2m 30s`, or `>48m` where half did not get there in the longest watch.
fn quantile(value: Quantile, show: impl Fn(f64) -> String) -> String {
    match value {
        Quantile::NotReached(beyond) => format!(">{}", show(beyond)),
        Quantile::NoData | Quantile::At(_) => words::quantile(value, show),
    }
}

/// `2m 30s 39/40`: a median, and how many got there if not all did.
fn median(spread: &Spread) -> String {
    let middle = middle(spread);
    if spread.n == spread.reached { middle } else { format!("{middle} {}/{}", spread.reached, spread.n) }
}

fn middle(spread: &Spread) -> String {
    quantile(spread.median, words::seconds)
}

fn bare(value: f64) -> String {
    words::times(value).trim_end_matches(" ×").to_owned()
}

/// Where there were incidents but not one time, it is not that nothing was reached: it cannot be told.
fn known(figures: &Figures, spread: &Spread, show: impl Fn(&Spread) -> String) -> String {
    match (spread.n, figures.delay_s.n) {
        (0, 1..) => "unknown".to_owned(),
        _ => show(spread),
    }
}

/// Users harmed per bad deploy; a recording cannot say.
fn users(figures: &Figures) -> String {
    known(figures, &figures.ttm_s, |_| {
        figures.users_harmed_mean.map_or_else(|| words::NOTHING.into(), words::users)
    })
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
