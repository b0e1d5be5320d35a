//! `backspin explain`: why the engine decided so, scrape by scrape.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::diagnose::{Failure, bad_input, environment, fault};
use super::exit::Code;
use super::explain_text::text;
use super::record::{Record, is_record, unreadable};
use super::select::{One, OneRunArgs, subject};
use super::{Format, out, width};
use crate::campaign::explain::{Explained, Happened, Scrape, explain};
use crate::campaign::{CampaignError, Subject};
use crate::plane::DriveError;

/// Tells, scrape by scrape, what the judge saw and what the engine made of it.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A record, the folder of a journal, a scenario file, or the name of a shipped scenario.
    #[arg(value_name = "RECORD|SCENARIO")]
    what: String,
    /// Every scrape and every factor; by default only those where something changed.
    #[arg(long)]
    all: bool,
    /// Keep the run's journal in this new folder, durable and chained, as an engine in a real cluster keeps it.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    run: OneRunArgs,
}

pub(super) fn cannot_play(error: CampaignError) -> Failure {
    match &error {
        CampaignError::Drive { source: DriveError::Journal(journal), .. } => {
            let hint = journal.hint().to_owned();
            environment(error, &hint)
        }
        CampaignError::Plane { .. } => {
            bad_input(error, "check the queries of the policy with `backspin policy check`")
        }
        CampaignError::Drive { .. }
        | CampaignError::Threads { .. }
        | CampaignError::Score { .. }
        | CampaignError::Http { .. }
        | CampaignError::Parted { .. } => fault(error),
    }
}

pub(super) fn run(args: &ExplainArgs) -> Result<Code, Failure> {
    let path = PathBuf::from(&args.what);
    let explained = if is_record(&path) {
        let mut record = Record::open(&path)?;
        let explained = explain(&mut record)
            .with_context(|| format!("cannot explain `{}`", path.display()))
            .map_err(unreadable)?;
        record.tell_left_out();
        explained
    } else {
        let one = subject(&args.what)?;
        let subject = match &one {
            One::Scenario(scenario) => Subject::Scenario(scenario),
            One::Recorded(case) => Subject::Recorded(case),
        };
        let (campaign, key) = args.run.campaign(subject, args.run.policy.own()?);
        let played = match &args.journal {
            Some(folder) => campaign.journaled(&key, folder),
            None => campaign.record(&key),
        };
        let record = played.map_err(cannot_play)?;
        explain(record.into_iter().map(Ok)).map_err(fault)?
    };
    match args.run.format {
        Format::Text => out(&text(&explained, args.all, width().into())),
        Format::Json => out(&json(&explained)),
    }
    Ok(Code::Good)
}

fn json(explained: &Explained) -> String {
    let scrape = |s: &Scrape| {
        let arm = |arm: Option<(u32, u32)>| {
            arm.map(|(requests, errors)| serde_json::json!({"requests": requests, "errors": errors}))
        };
        serde_json::json!({
            "at_ms": s.at.0,
            "since_deploy_ms": s.since_deploy.0,
            "candidate_share": s.candidate_share,
            "candidate": arm(s.candidate),
            "control": arm(s.control),
            "verdict": s.verdict,
            "evidence": s.evidence,
        })
    };
    let stream: Vec<_> = explained
        .stream
        .iter()
        .map(|happened| match happened {
            Happened::Scrape(s) => serde_json::json!({ "scrape": scrape(s) }),
            Happened::Act(at, entry) => serde_json::json!({ "at_ms": at.0, "journal": entry }),
            Happened::Read(at, attempt, state) => {
                serde_json::json!({ "at_ms": at.0, "read": { "attempt": attempt, "state": state } })
            }
            Happened::EngineLost(at) => serde_json::json!({ "at_ms": at.0, "engine": "lost" }),
        })
        .collect();
    let reached: Vec<_> = explained
        .reached
        .iter()
        .map(|(at, milestone)| serde_json::json!({ "at_ms": at.0, "milestone": milestone }))
        .collect();
    serde_json::json!({
        "version": 1,
        "scenario": explained.header.scenario,
        "family": explained.header.family,
        "judge": explained.header.judge,
        "seed": explained.header.campaign_seed,
        "seed_index": explained.header.seed_index,
        "drawn": explained.header.drawn,
        "deployed_ms": explained.deployed.0,
        "stream": stream,
        "assumptions": explained.header.assumptions,
        "truth": {
            "known": explained.truth,
            "reached": reached,
            "sensitivity": explained.sensitivity,
            "extrapolated_from": explained.extrapolated,
        },
        "outcome": explained.outcome,
    })
    .to_string()
}
