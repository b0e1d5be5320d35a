//! What models said against what came of it, as text, Markdown, JSON, and as rows for a policy.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::columns::{Column, draw};
use super::files::{cell, counted, table};
use super::words::percent;
use super::wrap::wrapped;
use backspin_model::Row;
use backspin_score::{ChanceRow, Estimate, FORECAST_MIN, HarmScore, Models, Share, SuccessScore};

/// Version of the JSON.
pub const MODELS_VERSION: u32 = 1;

/// Everything that is printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelsReport {
    /// Of this form.
    pub version: u32,
    /// What was played, in words.
    pub title: String,
    /// How to have it again.
    pub command: String,
    /// The campaign's seed.
    pub seed: u64,
    /// SHA-256 of the policy that was played, hexadecimal.
    pub policy_hash: String,
    /// What it came to.
    pub models: Models,
}

/// Its JSON Schema.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ModelsReport).to_value()
}

const HEAD: [&str; 3] = ["said", "mean said", "reached their end"];

impl ModelsReport {
    /// How the models stand, in two sentences.
    pub fn headline(&self) -> String {
        let Models { success, harm } = &self.models;
        format!("{} {}", success_words(success), harm_words(harm))
    }

    /// For a terminal of this width.
    pub fn text(&self, width: usize) -> String {
        let Models { success, harm } = &self.models;
        let mut text = wrapped(&self.headline(), width, "", "");
        let _ = writeln!(text, "\n\nWhether a plan reaches its end");
        for line in success_lines(success) {
            let _ = writeln!(text, "{}", wrapped(&line, width, "  · ", "    "));
        }
        if !success.reliability.is_empty() {
            let rows = reliability(success);
            let column = |(n, header): (usize, &'static str)| {
                Column::right(header, rows.iter().map(|row| row[n].clone()).collect())
            };
            let columns = HEAD.into_iter().enumerate().map(column).collect();
            let _ = write!(text, "\n{}", draw(columns, &[], width, &[]));
        }
        let _ = writeln!(text, "\nWhat it costs to do nothing");
        for line in harm_lines(harm) {
            let _ = writeln!(text, "{}", wrapped(&line, width, "  · ", "    "));
        }
        text.trim_end().to_owned()
    }

    /// For a file or a review.
    pub fn markdown(&self) -> String {
        let Models { success, harm } = &self.models;
        let mut text = format!("# Models\n\n**{}**\n\n", cell(&self.headline()));
        let _ = writeln!(text, "```sh\n{}\n```\n", self.command);
        let _ = writeln!(text, "{}, seed {}.\n", cell(&self.title), self.seed);
        text.push_str("## Whether a plan reaches its end\n\n");
        listed(&mut text, &success_lines(success));
        if !success.reliability.is_empty() {
            text.push('\n');
            table(&mut text, &[vec![HEAD.map(str::to_owned).to_vec()], reliability(success)].concat());
        }
        text.push_str("\n## What it costs to do nothing\n\n");
        listed(&mut text, &harm_lines(harm));
        text
    }

    /// The whole as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// What these runs teach, as a part of a policy.
    pub fn policy(&self) -> String {
        if self.models.success.learned.is_empty() {
            return "planning:\n  success: []\n".to_owned();
        }
        let mut text = "planning:\n  success:\n".to_owned();
        for Row { class, runs, completed } in &self.models.success.learned {
            let (strategy, capacity, schema) =
                (name(class.strategy), name(class.capacity), name(class.schema));
            let _ = writeln!(
                text,
                "    - {{ strategy: {strategy}, capacity: {capacity}, schema: {schema}, runs: {runs}, completed: {completed} }}"
            );
        }
        text
    }
}

/// A word as files have it.
fn name(word: impl Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => unreachable!("it is a word"),
    }
}

fn listed(text: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "- {}", cell(line));
    }
}

fn success_words(score: &SuccessScore) -> String {
    match (score.brier, score.skill()) {
        (Some(brier), Some(skill)) => format!(
            "Of {} plans {} reached their end; which, the model tells with a Brier score of {:.3}, {} better than who knows only \
             that share.",
            score.plans.n,
            share(&score.plans),
            brier.mean,
            percent(skill)
        ),
        _ => format!(
            "Of {} plans {} reached their end; of none of them another family tells anything.",
            score.plans.n,
            share(&score.plans)
        ),
    }
}

fn harm_words(score: &HarmScore) -> String {
    match score.ratio {
        Some([_, median, _]) => format!(
            "Harm if nobody acts is told as {median:.2} times the truth in the median, within a factor of two for {}.",
            share(&score.within_two)
        ),
        None => "Nobody was harmed, so nothing can be said of the harm that was foretold.".to_owned(),
    }
}

fn success_lines(score: &SuccessScore) -> Vec<String> {
    let brier = |what: &str, estimate: Option<Estimate>| {
        let words = estimate.map_or_else(|| "unknown".to_owned(), |estimate| estimated(&estimate));
        format!("{what}: {words}")
    };
    vec![
        format!("reached their end: {}", counted(&score.plans)),
        format!("the model says something, their own family left out, of {}", counted(&score.said)),
        brier("its Brier score", score.brier),
        brier("of who knows only how often all others reached their end", score.brier_of_share),
        brier(
            "of what the engine said, by what it had learned (from the same runs, if the policy says nothing else)",
            score.brier_as_stated,
        ),
    ]
}

fn harm_lines(score: &HarmScore) -> Vec<String> {
    let ratio = score.ratio.map_or_else(
        || "unknown: nobody was harmed".to_owned(),
        |[low, median, high]| {
            format!("{median:.2} in the median, half of them between {low:.2} and {high:.2}")
        },
    );
    let mut lines = vec![
        format!("the model says something of {} rollbacks", counted(&score.said)),
        format!("estimate over what was so in the next {FORECAST_MIN} minutes: {ratio}"),
        format!("within a factor of two: {}", counted(&score.within_two)),
        format!("between its bounds: {}", counted(&score.covered)),
    ];
    if let Some(of_nothing) = &score.of_nothing {
        let (mean, n) = (of_nothing.mean, of_nothing.n);
        lines.push(format!(
            "where nobody was harmed it says {mean:.1} users a minute on average ({n} rollbacks)"
        ));
    }
    lines
}

fn reliability(score: &SuccessScore) -> Vec<Vec<String>> {
    let row = |row: &ChanceRow| {
        let class = format!("{} to {}", percent(row.from), percent(row.to));
        vec![class, percent(row.stated), counted(&row.completed)]
    };
    score.reliability.iter().map(row).collect()
}

fn share(share: &Share) -> String {
    share.value().map_or_else(|| "none".to_owned(), percent)
}

fn estimated(estimate: &Estimate) -> String {
    match estimate.interval {
        Some((lower, upper)) => format!("{:.4} ({lower:.4}–{upper:.4})", estimate.mean),
        None => format!("{:.4}", estimate.mean),
    }
}
