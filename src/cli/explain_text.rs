//! The words of `explain`: what was seen and done, in order; what was really so comes last.

use crate::campaign::explain::{Explained, Happened, Scrape};
use crate::domain::engine_io::JournalEntry;
use crate::domain::event::{Decision, RollbackEvent};
use crate::domain::execution::{StepOutcome, StepResult};
use crate::domain::id::ExecutionId;
use crate::domain::plan::{Approval, Check, CheckResult, Purpose, RollbackPlan};
use crate::domain::time::{Millis, MonoTime};
use crate::domain::truth::{Cause, Milestone, Truth};
use crate::domain::verdict::{Evidence, VerdictClass};
use crate::report::{Told, forecast_facts, seen, sensitivity, told, wrapped};
use crate::score::{Executions, RunOutcome};

use super::diagnose::counted;

/// Where the words of an act begin, below the first column.
const INDENT: &str = "          ";

/// The whole explanation. `all`: every scrape, and every factor.
pub(super) fn text(explained: &Explained, all: bool, width: usize) -> String {
    let mut teller = Teller {
        explained,
        all,
        width,
        lines: Vec::new(),
        before: None,
        skipped: 0,
        executions: Executions::default(),
    };
    teller.head();
    teller.stream();
    teller.end();
    teller.lines.join("\n")
}

/// A value as it would stand in a scenario's file.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

struct Teller<'a> {
    explained: &'a Explained,
    all: bool,
    width: usize,
    lines: Vec<String>,
    /// Verdict and share of the scrape before.
    before: Option<(VerdictClass, f64)>,
    skipped: usize,
    /// What has become of each execution so far.
    executions: Executions,
}

impl Teller<'_> {
    fn head(&mut self) {
        let header = &self.explained.header;
        self.lines.push(format!(
            "{}/{}, judge {}, seed {}, seed index {}",
            header.family, header.scenario, header.judge, header.campaign_seed, header.seed_index
        ));
        if !header.shows.is_empty() {
            self.lines.push(wrapped(&header.shows, self.width, "", ""));
        }
        if !header.drawn.is_empty() {
            let drawn: Vec<String> =
                header.drawn.iter().map(|(place, value)| format!("{place} = {}", plain(value))).collect();
            self.lines.push(wrapped(
                &format!("drawn by this seed: {}", drawn.join(", ")),
                self.width,
                "",
                "  ",
            ));
        }
        for words in &header.assumptions {
            self.lines.push(wrapped(words, self.width, "- ", "  "));
        }
        self.lines.push(String::new());
        self.lines.push(format!(
            "{:>8}  {:>5}  {:>16}  {:>16}  {:>11}  {:<12}  strongest signal",
            "deploy +", "share", "candidate failed", "control failed", "score/limit", "verdict"
        ));
    }

    fn stream(&mut self) {
        let judged = self.explained.stream.iter().any(|h| matches!(h, Happened::Scrape(_)));
        if !judged {
            self.lines.push("the engine judged nothing: no frame came after a deploy".to_owned());
        }
        let mut stream = self.explained.stream.iter().peekable();
        while let Some(happened) = stream.next() {
            match happened {
                Happened::Scrape(scrape) => {
                    let acted = matches!(stream.peek(), Some(Happened::Act(_, entry)) if is_decision(entry));
                    self.scrape(scrape, acted);
                }
                Happened::Act(at, entry) => self.act(*at, entry),
                Happened::EngineLost(at) => self.say(*at, "✗ the engine's process dies"),
                Happened::Read(at, attempt, state) => {
                    self.say(
                        *at,
                        &format!("▷ looks what became of step {}: {}", attempt.step + 1, seen(state)),
                    );
                }
            }
        }
        self.flush();
    }

    fn scrape(&mut self, scrape: &Scrape, acted: bool) {
        let now = (scrape.verdict.class, scrape.candidate_share);
        if self.all || acted || self.before != Some(now) {
            self.flush();
            self.lines.push(row(scrape));
        } else {
            self.skipped += 1;
        }
        self.before = Some(now);
    }

    fn flush(&mut self) {
        if self.skipped > 0 {
            let skipped = counted(self.skipped, "more scrape");
            self.lines.push(format!("{:>8}  {skipped} like it", "…"));
        }
        self.skipped = 0;
    }

    /// A line at a moment.
    fn say(&mut self, at: MonoTime, words: &str) {
        self.flush();
        let first = format!("{:>8}  ", self.since(at));
        self.lines.push(wrapped(words, self.width, &first, &format!("{INDENT}  ")));
    }

    /// A line that belongs to the one above.
    fn add(&mut self, words: &str) {
        let rest = format!("{INDENT}    ");
        self.lines.push(wrapped(words, self.width, &format!("{INDENT}  "), &rest));
    }

    fn since(&self, at: MonoTime) -> String {
        since(at, self.explained.deployed)
    }

    fn act(&mut self, at: MonoTime, entry: &JournalEntry) {
        self.executions.journal(at, entry);
        match told(entry) {
            Told::Sentence(words) => self.say(at, &format!("▷ {words}")),
            Told::Decided(decision) => self.decided(at, decision),
            Told::Planned(plan) => self.planned(at, plan),
            Told::Attempted(execution, result) => self.outcome(at, execution, result),
            Told::Checked(checks) => {
                for check in checks {
                    self.say(at, &format!("{} {}", mark(check.passed), check_words(check)));
                }
            }
            Told::Nothing => {}
        }
    }

    fn decided(&mut self, at: MonoTime, decision: &Decision) {
        let kind = decision.kind();
        match decision {
            Decision::Hold(reason) | Decision::Pause(reason) | Decision::Escalate(reason) => {
                self.say(at, &format!("▶ {kind}: {reason}"));
            }
            Decision::RollBack(event) => {
                self.say(at, &rolls_back(event));
                self.factors(&event.evidence);
            }
        }
    }

    fn factors(&mut self, evidence: &Evidence) {
        let all = self.all;
        for f in evidence.factors.iter().filter(|f| all || f.contribution >= WORTH_TELLING) {
            self.add(&format!(
                "· {} is {:.4}, held against {:.4}; impact {:.2}, adds {:.2}",
                f.signal, f.value, f.threshold, f.impact, f.contribution
            ));
        }
    }

    fn planned(&mut self, at: MonoTime, plan: &RollbackPlan) {
        self.say(at, &format!("▷ plan: {}", planned(plan)));
        for (what, said) in forecast_facts(&plan.forecast) {
            self.add(&format!("· {what}: {said}"));
        }
        for rejected in &plan.rejected {
            self.add(&format!("· not by {}: {}", rejected.strategy, rejected.reason));
        }
    }

    fn outcome(&mut self, at: MonoTime, execution: ExecutionId, result: &StepResult) {
        let Some(facts) = self.executions.get(execution) else { return };
        let Some(attempt) = facts.attempt(result) else { return };
        let (number, count) = (result.step + 1, facts.plan.steps.len());
        let action = attempt.action.as_ref().map(ToString::to_string).unwrap_or_default();
        let outcome = match &result.outcome {
            StepOutcome::Succeeded => "done".to_owned(),
            StepOutcome::Failed(reason) => format!("failed, {reason},"),
            StepOutcome::TimedOut => "timed out".to_owned(),
            StepOutcome::Unknown => "unknown whether it took effect".to_owned(),
        };
        let which = match attempt.purpose {
            Purpose::Do => "step",
            Purpose::Undo => "undo of step",
        };
        let tries = if attempt.is_retry() { format!(", try {}", attempt.nth) } else { String::new() };
        let (good, took) = (mark(attempt.is_good()), whole(attempt.took()));
        self.say(at, &format!("{good} {which} {number}/{count} {action}: {outcome} after {took}{tries}"));
        let all = self.all;
        for check in result.checks.iter().filter(|check| all || !check.passed) {
            self.add(&format!("{} {}", mark(check.passed), check_words(check)));
        }
    }

    fn end(&mut self) {
        let explained = self.explained;
        self.lines.push(String::new());
        if let Some(truth) = &explained.truth {
            self.lines.push("What was really so (no judge and no engine sees this)".to_owned());
            self.lines.push(wrapped(&cause(truth), self.width, "  ", "  "));
            let mut moments = vec![match truth.onset {
                Some(onset) => format!("users felt it from {} (onset)", self.since(onset)),
                None => "users never felt it".to_owned(),
            }];
            for (at, milestone) in &explained.reached {
                let what = match milestone {
                    Milestone::Mitigated => "harm was below 1 % from",
                    Milestone::Recovered => "recovered for good at",
                };
                moments.push(format!("{what} {}", self.since(*at)));
            }
            self.lines.push(wrapped(&moments.join("; "), self.width, "  ", "  "));
            let others = sensitivity(truth.onset, &explained.sensitivity);
            let held = explained.extrapolated.map(|from| {
                format!(
                    "extrapolated from {}: the record holds nothing of what was shown from there on",
                    self.since(from)
                )
            });
            for words in others.into_iter().chain(held) {
                self.lines.push(wrapped(&words, self.width, "  ", "  "));
            }
        }
        if let Some(outcome) = &explained.outcome {
            self.lines.push("How it counts".to_owned());
            self.lines.push(wrapped(&counts_as(outcome), self.width, "  ", "  "));
            if let Some(met) = &outcome.met {
                let unmet: Vec<_> = met.unmet.iter().map(ToString::to_string).collect();
                let words = match (unmet.is_empty(), met.unknown.is_empty()) {
                    (true, true) => "expectation met".to_owned(),
                    (true, false) => format!("expectation: unknown ({})", met.unknown.join(", ")),
                    (false, _) => format!("expectation missed: {}", unmet.join("; ")),
                };
                self.lines.push(wrapped(&words, self.width, "  ", "  "));
            }
        }
    }
}

/// Factors that add less are told only with `--all`.
const WORTH_TELLING: f64 = 0.005;

const fn is_decision(entry: &JournalEntry) -> bool {
    matches!(entry, JournalEntry::Decided { .. })
}

const fn mark(good: bool) -> &'static str {
    if good { "✓" } else { "✗" }
}

/// `12m 45s`, `−5m`: from the deploy, to the second.
pub(super) fn since(at: MonoTime, deployed: MonoTime) -> String {
    if at >= deployed { whole(at.since(deployed)) } else { format!("−{}", whole(deployed.since(at))) }
}

/// To the second; what is shorter than one is told as it is.
fn whole(time: Millis) -> String {
    if time.0 < 1000 { time.to_string() } else { Millis((time.0 + 500) / 1000 * 1000).to_string() }
}

fn row(scrape: &Scrape) -> String {
    let counts = |c: Option<(u32, u32)>| match c {
        Some((0, _)) => "no requests".to_owned(),
        Some((requests, errors)) => {
            let share = f64::from(errors) / f64::from(requests) * 100.0;
            format!("{errors}/{requests} {share:>4.1} %")
        }
        None => "no data".to_owned(),
    };
    let strongest = scrape.evidence.factors.iter().find(|f| f.contribution > 0.0 && f.impact > 0.0);
    let line = format!(
        "{:>8}  {:>5}  {:>16}  {:>16}  {:>11}  {:<12}  {}",
        scrape.since_deploy.to_string(),
        format!("{:.0} %", scrape.candidate_share * 100.0),
        counts(scrape.candidate),
        counts(scrape.control),
        format!("{:.2}/{:.2}", scrape.verdict.score, scrape.verdict.threshold),
        scrape.verdict.class.to_string(),
        strongest.map_or("", |f| f.signal.as_str()),
    );
    line.trim_end().to_owned()
}

fn rolls_back(event: &RollbackEvent) -> String {
    let sure = event.attribution.map_or_else(String::new, |sure| {
        format!(", {:.0} % sure that the deploy is the cause", sure.get() * 100.0)
    });
    format!(
        "▶ roll back {} → {}, severity {}{sure}: {}",
        event.current, event.target, event.severity, event.reason
    )
}

/// A plan in one line.
pub(super) fn planned(plan: &RollbackPlan) -> String {
    let approval = match &plan.approval {
        Approval::NotRequired => "no approval needed".to_owned(),
        Approval::Standing { approver, .. } => format!("standing approval of {approver}"),
        Approval::Required { role, reason } => format!("needs {role}, because {reason}"),
    };
    let steps = counted(plan.steps.len(), "step");
    format!("{}, {steps}, about {}, {approval}", plan.strategy, plan.estimated)
}

fn check_words(result: &CheckResult) -> String {
    let measured = match (result.measured, result.check) {
        (None, _) => "nothing measured".to_owned(),
        (Some(pods), Check::TargetReady { .. }) => format!("measured {pods:.0}"),
        (
            Some(ratio),
            Check::CandidateShareAtMost { .. }
            | Check::ErrorRatioAtMost { .. }
            | Check::SlowRatioAtMost { .. },
        ) => format!("measured {:.2} %", ratio * 100.0),
    };
    format!("{} ({measured})", result.check)
}

fn cause(truth: &Truth) -> String {
    let version =
        truth.bad_version.as_ref().map_or_else(|| "the new version".to_owned(), ToString::to_string);
    let what = match truth.cause {
        Cause::None => return "nothing was wrong: any rollback is false".to_owned(),
        Cause::External => {
            return "the cause lay outside the deploy: any rollback is false".to_owned();
        }
        Cause::Candidate => format!("{version} is bad"),
        Cause::Flag => format!("a flag that came with {version} is bad"),
        Cause::Infrastructure => format!("infrastructure that was changed for {version} is bad"),
    };
    format!("{what}; a rollback {}", if truth.rollback_helps { "helps" } else { "does not help" })
}

fn counts_as(outcome: &RunOutcome) -> String {
    let course: Vec<_> = outcome.course().iter().map(ToString::to_string).collect();
    let mut words = vec![format!("{}: {}", course.join(" → "), outcome.class)];
    if outcome.truth.bad {
        words.push(format!("TTD {}, TTM {}, TTR {}", outcome.ttd, outcome.ttm, outcome.ttr));
        words.extend(outcome.truth.bound.time.map(|bound| format!("the signals allow {bound} (D*)")));
        if outcome.truth.recovery_known {
            words.push(format!("{:.0} users harmed", outcome.harm.users));
        }
    }
    words.join("; ")
}
