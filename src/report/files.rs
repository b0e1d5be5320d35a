//! The figures as files for other programs and for a text: CSV with a row per group and judge, and Markdown.

use std::fmt::Write as _;

use super::figure::{self, Figure};
use super::group::{By, Group};
use super::headline;
use super::model::CampaignReport;
use super::summary::Summary;
use super::words;
use backspin_score::{Calibration, Figures, Share};

/// `figures.csv`: what runs are grouped by, the group, the judge, and every number of every figure. A number that there is not,
/// or that was not reached, is an empty field.
pub(super) fn csv(summary: &Summary<'_>) -> Result<String, csv::Error> {
    let numbers = || figure::ALL.iter().flat_map(|figure| figure.numbers);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["by", "group", "judge"].into_iter().chain(numbers().map(|(name, _)| *name)))?;
    for by in [None, Some(By::Family), Some(By::Rate), Some(By::Arms)] {
        for (group, judge, figures) in summary.rows(by) {
            let keys = [by.map_or("all", By::name).to_owned(), group.to_string(), judge.to_owned()];
            let values = numbers().map(|(_, of)| of(figures).map(|v| v.to_string()).unwrap_or_default());
            writer.write_record(keys.into_iter().chain(values))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8(bytes).expect("made of text"))
}

/// `figures.md`: the headline, all figures by judge, those that compare by family, rate and arms, and what is stated.
pub(super) fn markdown(report: &CampaignReport, summary: &Summary<'_>) -> String {
    let mut text = format!("# {}\n\n", cell(&report.title));
    let _ = writeln!(text, "{}\n", headline::headline(report, summary));
    let _ = writeln!(text, "{}. Policy `{}`.\n", headline::ran(report, summary), report.policy_hash);
    let _ = writeln!(
        text,
        "Intervals are 95 %: Wilson's for shares, else bootstrapped over runs. Costs are in minutes of one user of a \
         thousand, at the prices {}.",
        report.weights
    );
    headed(&mut text, "Judges", &by_judge(summary));
    for by in By::ALL {
        headed(&mut text, &format!("By {}", by.name()), &by_group(summary, by));
    }
    for (judge, calibration) in &summary.calibration {
        stated(&mut text, judge, calibration);
    }
    text
}

/// Judges side by side, a figure per row, which is shorter than wide.
pub(super) fn by_judge(summary: &Summary<'_>) -> Vec<Vec<String>> {
    let rows = summary.rows(None);
    let head = ["figure"].into_iter().chain(rows.iter().map(|(_, judge, _)| *judge));
    let row = |figure: &Figure| {
        let cells = rows.iter().map(|(_, _, figures)| (figure.words)(figures));
        [figure.title.to_owned()].into_iter().chain(cells).collect()
    };
    [head.map(str::to_owned).collect()].into_iter().chain(figure::ALL.iter().map(row)).collect()
}

/// Groups and judges, a row each.
pub(super) fn by_group(summary: &Summary<'_>, by: By) -> Vec<Vec<String>> {
    let titles = figure::COMPARED.iter().map(|figure| figure.title);
    let head = [by.name(), "judge"].into_iter().chain(titles).map(str::to_owned).collect();
    let row = |(group, judge, figures): (Group<'_>, &str, &Figures)| {
        let keys = [group.to_string(), judge.to_owned()];
        keys.into_iter().chain(figure::COMPARED.iter().map(|figure| (figure.words)(figures))).collect()
    };
    [head].into_iter().chain(summary.rows(Some(by)).into_iter().map(row)).collect()
}

/// What a judge states about false alarms, held against good deploys.
pub(super) fn alarms(calibration: &Calibration) -> Vec<Vec<String>> {
    let head = ["at most", "with baseline", "without baseline", "holds"].map(str::to_owned).to_vec();
    let rows = calibration.alarms.iter().map(|row| {
        let holds = if row.holds() { "yes" } else { "no" };
        vec![words::percent(row.alpha), counted(&row.concurrent), counted(&row.past), holds.to_owned()]
    });
    [head].into_iter().chain(rows).collect()
}

/// What the engine states with a rollback, held against the truth.
pub(super) fn attribution(calibration: &Calibration) -> Vec<Vec<String>> {
    let head = ["stated", "mean stated", "bad deploys"].map(str::to_owned).to_vec();
    let rows = calibration.attribution.iter().map(|row| {
        let class = format!("{} to {}", words::percent(row.from), words::percent(row.to));
        vec![class, words::percent(row.stated), counted(&row.bad)]
    });
    [head].into_iter().chain(rows).collect()
}

/// `3 of 64: 4.7 % (1.6–12.9 %)`.
pub(super) fn counted(share: &Share) -> String {
    share.value().map_or_else(
        || words::NOTHING.to_owned(),
        |value| format!("{} of {}: {} ({})", share.k, share.n, words::percent(value), words::interval(share)),
    )
}

fn stated(text: &mut String, judge: &str, calibration: &Calibration) {
    if !calibration.alarms.is_empty() {
        headed(text, &format!("False alarms that {judge} states"), &alarms(calibration));
    }
    if let Some(brier) = calibration.brier {
        headed(text, &format!("How sure the engine was under {judge}"), &attribution(calibration));
        let _ = writeln!(text, "\nBrier score {brier:.4}.");
    }
}

/// A heading and a table.
fn headed(text: &mut String, heading: &str, rows: &[Vec<String>]) {
    let _ = writeln!(text, "\n## {heading}\n");
    table(text, rows);
}

/// A table; its first row is the head.
pub(super) fn table(text: &mut String, rows: &[Vec<String>]) {
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|{}", " --- |".repeat(row.len()));
        }
    }
}

/// Text that neither ends a cell nor becomes a tag or a heading.
pub(super) fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_in_its_cell() {
        assert_eq!(cell("a|b\n<i>"), "a\\|b &lt;i>");
    }
}
