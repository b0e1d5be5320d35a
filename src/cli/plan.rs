//! `backspin plan`: the plan that the engine would make, without carrying it out.

use anyhow::anyhow;
use clap::Args;

use super::diagnose::{Failure, bad_input, fault, impossible};
use super::exit::Code;
use super::explain::cannot_play;
use super::select::{One, OneRunArgs, subject};
use super::{Format, out, width};
use crate::campaign::Subject;
use crate::campaign::plan::{NoPlan, Planned, planned};
use crate::domain::plan::Strategy;
use crate::domain::time::{Millis, MonoTime};
use crate::report::{PLAN_VERSION, plan_text};

/// Shows the plan that the engine would make: the strategy and why no other, steps, checks, approval, risks.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: what the engine would do, and what a gradual rollback would look like instead\n  \
        backspin plan strategy/standby-up\n  \
        backspin plan strategy/standby-up --strategy gradual\n\
        Exit code 5: the strategy that was asked for, or any at all, cannot be planned here; the reason is told."
)]
pub(super) struct PlanArgs {
    /// A scenario file, or the name of a shipped scenario.
    #[arg(value_name = "SCENARIO")]
    what: String,
    /// Insist on a strategy: immediate, gradual, canary_rollback, blue_green_switch, feature_flag_disable,
    /// database_revert or infrastructure_rollback.
    #[arg(long, value_name = "NAME", value_parser = strategy)]
    strategy: Option<Strategy>,
    /// Since the run's first moment, as `42m`: what a person would get who asked then. By default the plan that the
    /// engine makes by itself, when it does.
    #[arg(long, value_name = "TIME", value_parser = length)]
    at: Option<Millis>,
    #[command(flatten)]
    run: OneRunArgs,
}

/// As in a scenario's `expect`; hyphens will do.
fn strategy(text: &str) -> Result<Strategy, String> {
    let name = text.replace('-', "_");
    serde_json::from_value(serde_json::Value::String(name)).map_err(|_| {
        let names = Strategy::ALL.map(|s| serde_json::to_value(s).unwrap_or_default());
        let names: Vec<&str> = names.iter().filter_map(serde_json::Value::as_str).collect();
        format!("there is no such strategy; the seven are {}", names.join(", "))
    })
}

fn length(text: &str) -> Result<Millis, String> {
    text.parse().map_err(|_| "a length of time is wanted, as `90s`, `42m` or `1h`".to_owned())
}

pub(super) fn run(args: &PlanArgs) -> Result<Code, Failure> {
    let scenario = match subject(&args.what)? {
        One::Scenario(scenario) => *scenario,
        One::Recorded(case) => {
            let recorded = anyhow!("`{}` is a recording: there is no service to plan for", case.id);
            return Err(bad_input(
                recorded,
                "name a scenario; `backspin explain` tells what was decided on a recording",
            ));
        }
    };
    let mut policy = args.run.policy.own()?;
    policy.settings.planning.strategy = args.strategy.or(policy.settings.planning.strategy);
    let end = scenario.timing.end();
    let at = args.at.map(|at| MonoTime::ZERO + at);
    if let Some(late) = at.filter(|at| *at > end) {
        let beyond = anyhow!("`--at` lies beyond the run: {late} is after its end at {end}");
        return Err(bad_input(beyond, &format!("the deploy begins at {}", scenario.deploy.at)));
    }
    let (campaign, key) = args.run.campaign(Subject::Scenario(&scenario), policy);
    let entries = campaign.record(&key).map_err(cannot_play)?;
    let made = match planned(&entries, at).map_err(fault)? {
        Ok(made) => made,
        Err(none) => {
            let hint = match &none {
                NoPlan::NotRolledBack { .. } => "`--at 42m` tells what a person would get who asked then",
                NoPlan::NoWay { .. } => "`backspin explain` tells the decision scrape by scrape",
                NoPlan::NotThen { .. } => "try another moment, or leave `--at` out",
            };
            return Err(impossible(none, hint));
        }
    };
    if let Some(wanted) = args.strategy.filter(|&wanted| wanted != made.plan.strategy) {
        let reasons = made.plan.rejected.iter().find(|r| r.strategy == wanted);
        let why = reasons.map_or("the rules do not allow it", |r| r.reason.as_str());
        let why = why.strip_prefix("the policy insists on it, but ").unwrap_or(why);
        let hint = format!("without `--strategy` the plan is: {}", made.plan.strategy);
        return Err(impossible(anyhow!("{wanted} cannot be planned: {why}"), &hint));
    }
    match args.run.format {
        Format::Text => out(&plan_text(&made.plan, made.at, made.deployed, width().into())),
        Format::Json => out(&json(&made)),
    }
    Ok(Code::Good)
}

fn json(made: &Planned) -> String {
    serde_json::json!({
        "version": PLAN_VERSION,
        "scenario": made.header.scenario,
        "family": made.header.family,
        "seed": made.header.campaign_seed,
        "seed_index": made.header.seed_index,
        "deployed_ms": made.deployed.0,
        "at_ms": made.at.0,
        "hash": made.plan.hash().to_string(),
        "plan": made.plan,
    })
    .to_string()
}
