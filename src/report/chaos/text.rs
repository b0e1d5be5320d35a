//! A campaign for the terminal.

use std::fmt::Write as _;

use super::timeline::Line;
use super::{ChaosReport, Counted, count, share};
use crate::wrap::wrapped;
use backspin_domain::time::MonoTime;

/// From so many columns on the table of faults has a column per state of the engine.
const WIDE: usize = 120;

/// Failures that are told; more are only counted.
const FAILURES_TOLD: usize = 5;

impl ChaosReport {
    /// For a terminal of this width.
    pub fn text(&self, width: usize) -> String {
        let mut text = String::new();
        let mut put = |line: &str, rest: &str| {
            let _ = writeln!(text, "{}", wrapped(line, width, "", rest));
        };
        put(&self.headline(), "");
        put(&format!("{}, seeds {} to {}.", self.played, self.first_seed, self.last_seed()), "");
        put(
            &format!(
                "{} passed, {} broke something, {} invalid (a planned fault never took effect); {} played twice and compared.",
                count(self.passed),
                count(self.broken),
                count(self.invalid),
                count(self.sampled)
            ),
            "",
        );
        if self.ended_early {
            put("It ended early: enough was broken.", "");
        }
        text.push('\n');
        self.faults(&mut text, width);
        self.counted(&mut text, width);
        self.failed(&mut text, width);
        let _ = writeln!(text, "digest {}", self.digest);
        text.trim_end().to_owned()
    }

    fn last_seed(&self) -> u64 {
        self.first_seed.saturating_add(self.runs).saturating_sub(1)
    }

    fn faults(&self, text: &mut String, width: usize) {
        let rows: Vec<_> = self.kinds.iter().filter(|kind| kind.planned > 0).collect();
        if rows.is_empty() {
            let _ = writeln!(text, "No fault was planned.\n");
            return;
        }
        let states = if width >= WIDE { self.states.as_slice() } else { &[] };
        let _ = write!(text, "{:<6}{:>9}{:>11}{:>12}", "fault", "planned", "effective", "effects");
        for state in states {
            let _ = write!(text, "  {state:>6}");
        }
        text.push('\n');
        for row in rows {
            let (planned, effective, effects) =
                (count(row.planned), count(row.effective), count(row.effects));
            let _ = write!(text, "{:<6}{planned:>9}{effective:>11}{effects:>12}", row.id);
            for (state, runs) in states.iter().zip(&row.states) {
                let wide = state.chars().count().max(6);
                let runs = if *runs == 0 { "·".to_owned() } else { count(*runs) };
                let _ = write!(text, "  {runs:>wide$}");
            }
            text.push('\n');
        }
        let (met, all) = self.met();
        let _ = writeln!(text, "{met} of {all} pairs of a fault and a state of the engine were met.\n");
        let idle: Vec<&str> = self.without_effect().map(|kind| kind.id.as_str()).collect();
        if !idle.is_empty() {
            let line = format!("Never took effect: {}.", idle.join(", "));
            let _ = writeln!(text, "{}\n", wrapped(&line, width, "", "  "));
        }
    }

    fn counted(&self, text: &mut String, width: usize) {
        let excused: u64 = self.excuses.iter().map(|excuse| excuse.runs).sum();
        let each: Vec<String> = self
            .excuses
            .iter()
            .filter(|excuse| excuse.runs > 0)
            .map(|excuse| format!("{} {}", count(excuse.runs), excuse.says))
            .collect();
        let line = match each.as_slice() {
            [] => "No run needed an excuse.".to_owned(),
            each => format!(
                "{} runs ({}) did not end well and are excused: {}.",
                count(excused),
                share(excused, self.runs),
                each.join("; ")
            ),
        };
        let _ = writeln!(text, "{}", wrapped(&line, width, "", "  "));
        let reached: Vec<&Counted> = self.marks.iter().filter(|mark| mark.runs > 0).collect();
        let line = format!("{} of {} marks were reached.", reached.len(), self.marks.len());
        let _ = writeln!(text, "{line}");
        let never: Vec<&str> = self.unreached().map(|mark| mark.name.as_str()).collect();
        if !never.is_empty() {
            let line = format!("Never reached: {}.", never.join(", "));
            let _ = writeln!(text, "{}", wrapped(&line, width, "", "  "));
        }
        text.push('\n');
    }

    fn failed(&self, text: &mut String, width: usize) {
        for failure in self.failures.iter().take(FAILURES_TOLD) {
            let _ = writeln!(text, "BROKEN by seed {}", failure.seed);
            for breach in &failure.breaches {
                let at = MonoTime(breach.at_ms);
                let line = format!("{} {}", breach.id, breach.says);
                let _ = writeln!(text, "{}", wrapped(&line, width, "  ", "     "));
                let line = format!("at {at}: {}", breach.words);
                let _ = writeln!(text, "{}", wrapped(&line, width, "     ", "     "));
            }
        }
        let more = self.failures.len().saturating_sub(FAILURES_TOLD);
        if more > 0 {
            let _ = writeln!(text, "and {more} more");
        }
        if let Some(first) = self.failures.first() {
            let _ = writeln!(text, "\nreplay: {}\n", first.replay);
        }
    }
}

/// Time lines, one line per event.
pub fn lines(lines: &[Line], width: usize) -> String {
    let mut text = String::new();
    let rest = " ".repeat(20);
    let mut before = None;
    for line in lines {
        let at = MonoTime(line.at_ms).to_string();
        // A moment is named once.
        let shown = if before == Some(line.at_ms) { String::new() } else { at };
        before = Some(line.at_ms);
        let first = format!("{shown:>11}  {:<7}", line.who);
        let _ = writeln!(text, "{}", wrapped(&line.what, width, &first, &rest));
    }
    text.trim_end().to_owned()
}
