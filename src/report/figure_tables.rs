//! The page's tables of figures, as the templates name them.

use serde::Serialize;

use super::files;
use super::group::By;
use super::model::CampaignReport;
use super::summary::Summary;
use super::words;
use backspin_score::CostWeights;

/// All of them.
#[derive(Serialize)]
pub(super) struct FigureTables {
    /// Figures down, judges across.
    judges: Table,
    /// Folded away.
    groups: Vec<Table>,
    /// What is stated, held against what was so.
    stated: Vec<Table>,
}

#[derive(Serialize)]
struct Table {
    title: String,
    caption: String,
    head: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<String>,
    /// Begins another group than the row before.
    first: bool,
}

pub(super) fn of(report: &CampaignReport, summary: &Summary<'_>) -> FigureTables {
    let groups = By::ALL.map(|by| {
        let title = match by {
            By::Family => "By family",
            By::Rate => "By requests per second",
            By::Arms => "With and without the old version beside the candidate",
        };
        grouped(table(title, String::new(), files::by_group(summary, by)))
    });
    let mut stated = Vec::new();
    for (judge, calibration) in &summary.calibration {
        if !calibration.alarms.is_empty() {
            let caption = "The judge states that at most so many of the deploys that are not bad ever show it so much evidence, \
                 however often it looks. Beside it, how many did.";
            let title = format!("False alarms of {judge}");
            stated.push(table(&title, caption.to_owned(), files::alarms(calibration)));
        }
        if let Some(brier) = calibration.brier {
            let caption = format!(
                "With each rollback the engine states how sure it is that the candidate is worse than its control. Beside it, \
                 how many of those deploys were bad. Brier score {brier:.4}: 0 is best, 0.25 is what always saying one half \
                 gets."
            );
            let title = format!("How sure the engine was under {judge}");
            stated.push(table(&title, caption, files::attribution(calibration)));
        }
    }
    let judges = table("Judges", costs(&report.weights), files::by_judge(summary));
    FigureTables { judges, groups: groups.into(), stated }
}

fn costs(weights: &CostWeights) -> String {
    let price = words::cost;
    format!(
        "Cost and regret are in minutes of one user of a thousand harmed: a minute counts {}, {}, {} or {} times by severity; a \
         rollback costs {}, a needless one {} more, one that fails {} more. Regret is what a deploy cost beyond an oracle that \
         rolls bad ones back at their onset, where that helps, by the same engine. Medians and means with their 95 % bootstrap \
         intervals, 39/40: 39 of 40 got there.",
        price(weights.low),
        price(weights.medium),
        price(weights.high),
        price(weights.critical),
        price(weights.rollback),
        price(weights.needless),
        price(weights.failed),
    )
}

fn table(title: &str, caption: String, rows: Vec<Vec<String>>) -> Table {
    let mut rows = rows.into_iter();
    let head = rows.next().unwrap_or_default();
    let row = |cells: Vec<String>| {
        let mut cells = cells.into_iter();
        Row { name: cells.next().unwrap_or_default(), cells: cells.collect(), first: false }
    };
    Table { title: title.to_owned(), caption, head, rows: rows.map(row).collect() }
}

/// Names each group once.
fn grouped(mut table: Table) -> Table {
    let mut before = String::new();
    for row in &mut table.rows {
        row.first = row.name != before;
        if row.first {
            before.clone_from(&row.name);
        } else {
            row.name.clear();
        }
    }
    table
}
