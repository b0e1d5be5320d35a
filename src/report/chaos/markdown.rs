//! A campaign as Markdown: what is committed beside the code.

use std::fmt::Write as _;

use super::{ChaosReport, Counted, count, share};
use backspin_domain::time::MonoTime;

/// Lines of a failure's time line, at most.
const LINES_MAX: usize = 80;

pub(super) fn text(report: &ChaosReport) -> String {
    let mut text = format!("# Chaos: {}\n\n", cell(&report.headline()));
    let last = report.first_seed.saturating_add(report.runs).saturating_sub(1);
    let _ = writeln!(
        text,
        "{}, seeds {} to {last}. {} passed, {} broke something, {} are invalid (a planned fault never took effect); {} were \
         played twice and compared.\n",
        cell(&report.played),
        report.first_seed,
        count(report.passed),
        count(report.broken),
        count(report.invalid),
        count(report.sampled)
    );
    let _ = writeln!(text, "```sh\n{}\n```\n", report.command);
    let _ = writeln!(text, "{}, digest `{}`.", cell(&report.build), report.digest);
    faults(&mut text, report);
    counted(&mut text, "Invariants", "broken in", &report.invariants, report.runs);
    counted(&mut text, "Excuses", "runs", &report.excuses, report.runs);
    counted(&mut text, "Marks", "reached in", &report.marks, report.runs);
    for failure in &report.failures {
        let _ = writeln!(text, "\n## Seed {}\n", failure.seed);
        for breach in &failure.breaches {
            let at = MonoTime(breach.at_ms);
            let _ =
                writeln!(text, "- **{}** {}: at {at} {}", breach.id, cell(&breach.says), cell(&breach.words));
        }
        let _ = writeln!(text, "\n```sh\n{}\n```\n\n```text", failure.replay);
        for line in failure.timeline.iter().take(LINES_MAX) {
            let _ = writeln!(text, "{:>11}  {:<7}{}", MonoTime(line.at_ms).to_string(), line.who, line.what);
        }
        if failure.timeline.len() > LINES_MAX {
            let _ = writeln!(text, "… and {} lines more", failure.timeline.len() - LINES_MAX);
        }
        text.push_str("```\n");
    }
    text
}

fn faults(text: &mut String, report: &ChaosReport) {
    let (met, all) = report.met();
    let _ = writeln!(
        text,
        "\n## Faults and states\n\nRuns in which a fault was planned, in which it took effect, and what the engine was doing when it \
         first or last did. {met} of {all} pairs were met.\n"
    );
    let _ = writeln!(
        text,
        "| fault | what happens | planned | effective | effects | {} |",
        report.states.join(" | ")
    );
    let _ = writeln!(text, "| --- | --- |{}", " ---: |".repeat(3 + report.states.len()));
    for row in &report.kinds {
        let states: Vec<String> = row.states.iter().map(|runs| count(*runs)).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            row.id,
            cell(&row.says),
            count(row.planned),
            count(row.effective),
            count(row.effects),
            states.join(" | ")
        );
    }
}

fn counted(text: &mut String, heading: &str, column: &str, rows: &[Counted], runs: u64) {
    let _ = writeln!(text, "\n## {heading}\n\n| | | {column} | of all |\n| --- | --- | ---: | ---: |");
    for row in rows {
        let (name, says) = (cell(&row.name), cell(&row.says));
        let _ = writeln!(text, "| {name} | {says} | {} | {} |", count(row.runs), share(row.runs, runs));
    }
}

/// A text that breaks no table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
