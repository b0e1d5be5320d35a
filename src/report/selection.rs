//! The rules against fixed strategies, as text, Markdown and JSON.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::columns::{Column, Give, draw};
use super::figure::bare;
use super::files::{cell, table};
use super::wrap::wrapped;
use backspin_domain::plan::Strategy;
use backspin_score::{CostWeights, Estimate, Selection, Way};

/// Version of the JSON.
pub const SELECTION_VERSION: u32 = 1;

/// Everything that is printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectionReport {
    /// Of this form.
    pub version: u32,
    /// What was played, in words.
    pub title: String,
    /// How to have it again.
    pub command: String,
    /// The campaign's seed.
    pub seed: u64,
    /// SHA-256 of the policy whose rules choose, hexadecimal.
    pub policy_hash: String,
    /// Prices.
    pub weights: CostWeights,
    /// What it came to.
    pub selection: Selection,
}

/// Its JSON Schema.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(SelectionReport).to_value()
}

const HEAD: [&str; 5] = ["way", "planned", "failed", "cost (95 %)", "regret (95 %)"];

impl SelectionReport {
    /// How the rules stand, in a sentence.
    pub fn headline(&self) -> String {
        let best = self.selection.best_fixed();
        let regret = |way: &Way| bare(way.regret.mean);
        let against = format!(
            "The rules regret {} a run, {} everywhere, the best fixed strategy, {}",
            regret(self.selection.rules()),
            named(best.strategy),
            regret(best)
        );
        match self.selection.ratio() {
            Some(ratio) => format!("{against}: {:.0} % of it.", ratio * 100.0),
            None => format!("{against}."),
        }
    }

    /// For a terminal of this width.
    pub fn text(&self, width: usize) -> String {
        let rows = self.rows();
        let column = |(n, header): (usize, &'static str)| {
            let cells = rows.iter().map(|row| row[n].clone()).collect();
            if n == 0 { Column::left(header, cells) } else { Column::right(header, cells) }
        };
        let columns = HEAD.into_iter().enumerate().map(column).collect();
        let mut text = wrapped(&self.headline(), width, "", "");
        let _ = write!(text, "\n\n{}", draw(columns, &[Give::Drop("cost (95 %)")], width, &[]));
        let _ = write!(text, "\n{}", wrapped(&self.reading(), width, "", ""));
        if !self.selection.lost.is_empty() {
            let lost = self.lost_rows();
            let cells = |n: usize| lost.iter().map(|row| row[n].clone()).collect();
            let columns = vec![
                Column::left("the rules lost in", cells(0)),
                Column::right("regret", cells(1)),
                Column::left("they took", cells(2)),
                Column::left("cheapest", cells(3)),
            ];
            let _ = write!(text, "\n\n{}", draw(columns, &[Give::Drop("they took")], width, &[]));
        }
        text.trim_end().to_owned()
    }

    /// For a file or a review.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Choosing a strategy\n\n**{}**\n\n", cell(&self.headline()));
        let _ = writeln!(text, "```sh\n{}\n```\n", self.command);
        let _ = writeln!(text, "{}, seed {}. {}\n", cell(&self.title), self.seed, self.reading());
        let head = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        table(&mut text, &[vec![head(&HEAD)], self.rows()].concat());
        if !self.selection.lost.is_empty() {
            text.push_str("\n## Where the rules lost\n\n");
            let names = head(&["scenario", "regret", "they took", "cheapest"]);
            table(&mut text, &[vec![names], self.lost_rows()].concat());
        }
        text
    }

    /// The whole as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    fn reading(&self) -> String {
        format!(
            "Costs are per run, in minutes of one user of a thousand, at the prices {}. Regret is what a way cost more than the cheapest \
             of all ways on the same run. A fixed strategy is insisted on; where the service cannot do it, immediate stands in.",
            self.weights
        )
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |way: &Way| {
            let (planned, failed) = (way.planned.to_string(), way.failed.to_string());
            vec![named(way.strategy), planned, failed, estimated(&way.cost), estimated(&way.regret)]
        };
        self.selection.ways.iter().map(row).collect()
    }

    fn lost_rows(&self) -> Vec<Vec<String>> {
        let row = |lost: &backspin_score::Lost| {
            let took = lost.took.map_or_else(|| "nothing".to_owned(), |strategy| strategy.to_string());
            vec![lost.scenario.clone(), bare(lost.regret), took, lost.best.to_string()]
        };
        self.selection.lost.iter().map(row).collect()
    }
}

fn named(strategy: Option<Strategy>) -> String {
    strategy.map_or_else(|| "the rules".to_owned(), |strategy| strategy.to_string())
}

fn estimated(estimate: &Estimate) -> String {
    match estimate.interval {
        Some((lower, upper)) => format!("{} ({}–{})", bare(estimate.mean), bare(lower), bare(upper)),
        None => bare(estimate.mean),
    }
}
