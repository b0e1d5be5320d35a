//! `backspin explain`: why the engine decided so, scrape by scrape.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::diagnose::{Failure, bad_input, environment, fault};
use super::exit::Code;
use super::select::{PolicyArgs, SeedArgs, is_record, open_record, scenario};
use super::{Format, out};
use crate::campaign::explain::{Explained, Scrape, explain};
use crate::campaign::{Campaign, RunKey, Subject};
use crate::domain::event::Decision;
use crate::domain::verdict::{Evidence, VerdictClass};

/// Tells, scrape by scrape, what the judge saw and what the engine made of it.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A record, a scenario file, or the name of a shipped scenario.
    #[arg(value_name = "RECORD|SCENARIO")]
    what: String,
    /// Every scrape; by default only those where something changed.
    #[arg(long)]
    all: bool,
    /// Which of the scenario's seeds.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed_index: u64,
    #[command(flatten)]
    seed: SeedArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Code, Failure> {
    let path = PathBuf::from(&args.what);
    let explained = if is_record(&path) {
        explain(open_record(&path)?)
            .with_context(|| format!("cannot explain `{}`", path.display()))
            .map_err(|e| bad_input(e, "a record is JSON Lines, as `backspin run` writes it"))?
    } else {
        let scenario = scenario(&args.what)?;
        let campaign = Campaign {
            subjects: vec![Subject::Scenario(&scenario)],
            policies: vec![args.policy.own()?],
            seed: args.seed.seed,
            seeds: args.seed_index + 1,
            jobs: 1,
        };
        let key = RunKey { subject: 0, policy: 0, seed_index: args.seed_index };
        let record = campaign
            .record(&key)
            .map_err(|e| environment(e, "check the queries of the policy with `backspin policy check`"))?;
        explain(record.into_iter().map(Ok)).map_err(fault)?
    };
    match args.format {
        Format::Text => out(&text(&explained, args.all)),
        Format::Json => out(&json(&explained)),
    }
    Ok(Code::Good)
}

fn text(explained: &Explained, all: bool) -> String {
    let header = &explained.header;
    let mut lines = vec![
        format!("{}: {}", header.scenario, header.shows),
        format!("judge `{}`, seed {} (index {})", header.judge, header.campaign_seed, header.seed_index),
        String::new(),
        format!(
            "{:>9}  {:>6}  {:>15}  {:>15}  {:>17}  {:<12}  why",
            "deploy +", "share", "candidate err", "control err", "score / limit", "verdict"
        ),
    ];
    let mut before: Option<(VerdictClass, f64)> = None;
    let mut skipped = 0;
    for scrape in &explained.scrapes {
        let now = (scrape.verdict.class, scrape.candidate_share);
        if all || !scrape.decisions.is_empty() || before != Some(now) {
            if skipped > 0 {
                lines.push(format!("{:>9}  … {}", "", super::diagnose::counted(skipped, "scrape")));
            }
            skipped = 0;
            lines.push(row(scrape));
            lines.extend(
                scrape.decisions.iter().map(|(at, decision)| decided(*at, decision)).collect::<Vec<_>>(),
            );
        } else {
            skipped += 1;
        }
        before = Some(now);
    }
    if skipped > 0 {
        lines.push(format!("{:>9}  … {}", "", super::diagnose::counted(skipped, "scrape")));
    }
    if explained.scrapes.is_empty() {
        lines.push("the engine judged nothing: no frame came after a deploy".to_owned());
    }
    lines.join("\n")
}

fn row(scrape: &Scrape) -> String {
    let counts = |c: Option<(u32, u32)>| match c {
        Some((requests, errors)) => format!("{errors} of {requests}"),
        None => "no data".to_owned(),
    };
    format!(
        "{:>9}  {:>5.0}%  {:>15}  {:>15}  {:>8.2} / {:>6.2}  {:<12}  {}",
        scrape.since_deploy.to_string(),
        scrape.candidate_share * 100.0,
        counts(scrape.candidate),
        counts(scrape.control),
        scrape.verdict.score,
        scrape.verdict.threshold,
        scrape.verdict.class.to_string(),
        scrape.evidence.words,
    )
}

fn decided(at: crate::domain::time::MonoTime, decision: &Decision) -> String {
    let kind = decision.kind();
    match decision {
        Decision::Hold(reason) | Decision::Pause(reason) | Decision::Escalate(reason) => {
            format!("{:>9}  ▶ {kind}: {reason}", "")
        }
        Decision::RollBack(event) => {
            let mut lines = vec![format!(
                "{:>9}  ▶ {kind} at {at}, severity {}: {} → {}: {}",
                "", event.severity, event.current, event.target, event.reason
            )];
            lines.extend(factors(&event.evidence));
            lines.join("\n")
        }
    }
}

fn factors(evidence: &Evidence) -> Vec<String> {
    evidence
        .factors
        .iter()
        .map(|f| {
            format!(
                "{:>13}{}: {:.4} against {:.4}, impact {:.2}, adds {:.2}",
                "· ", f.signal, f.value, f.threshold, f.impact, f.contribution
            )
        })
        .collect()
}

fn json(explained: &Explained) -> String {
    let scrapes: Vec<_> = explained
        .scrapes
        .iter()
        .map(|s| {
            serde_json::json!({
                "at_ms": s.at.0,
                "since_deploy_ms": s.since_deploy.0,
                "candidate_share": s.candidate_share,
                "candidate": s.candidate.map(|(requests, errors)| serde_json::json!({"requests": requests, "errors": errors})),
                "control": s.control.map(|(requests, errors)| serde_json::json!({"requests": requests, "errors": errors})),
                "verdict": s.verdict,
                "evidence": s.evidence,
                "decisions": s.decisions.iter().map(|(at, d)| serde_json::json!({"at_ms": at.0, "decision": d})).collect::<Vec<_>>(),
            })
        })
        .collect();
    serde_json::json!({
        "version": 1,
        "scenario": explained.header.scenario,
        "judge": explained.header.judge,
        "seed": explained.header.campaign_seed,
        "seed_index": explained.header.seed_index,
        "scrapes": scrapes,
    })
    .to_string()
}
