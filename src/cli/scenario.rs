//! `backspin scenario`: make, check and describe scenario files.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Subcommand;

use super::diagnose::{Failure, bad_input, counted};
use super::exit::Code;
use super::fit::{self, FitArgs};
use super::out;
use crate::domain::id::VersionId;
use crate::domain::truth::{Cause, Truth};
use crate::scenario::{self, discover, load_all, model::Scenario};

/// What to do with scenarios.
#[derive(Debug, Subcommand)]
pub(super) enum ScenarioVerb {
    /// Print a new scenario to start from.
    New {
        /// Its name, which becomes the file's.
        name: String,
    },
    /// Read scenario files and tell everything that is wrong with them.
    Check {
        /// Files or folders.
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
    },
    /// Learn a service from its history, and write a family of scenarios that resembles it.
    Fit(Box<FitArgs>),
    /// Print the JSON Schema of the scenario file.
    Schema,
    /// List the shipped scenarios.
    List,
}

pub(super) fn run(verb: &ScenarioVerb) -> Result<Code, Failure> {
    match verb {
        ScenarioVerb::New { name } => {
            if let Err(error) = VersionId::new(name) {
                return Err(bad_input(error, "the name becomes the file's name"));
            }
            out(scenario::template(name).trim_end());
        }
        ScenarioVerb::Check { paths } => {
            let mut files = Vec::new();
            for path in paths {
                files.extend(discover(path)?);
            }
            let scenarios = load_all(&files)?;
            for scenario in &scenarios {
                out(&checked(scenario));
            }
            if scenarios.len() > 1 {
                out(&format!("{} good", counted(scenarios.len(), "scenario")));
            }
        }
        ScenarioVerb::Fit(args) => return fit::run(args),
        ScenarioVerb::Schema => out(&format!("{:#}", scenario::schema())),
        ScenarioVerb::List => {
            let shipped = scenario::shipped()?;
            if shipped.is_empty() {
                return Err(bad_input(anyhow!("this build carries no scenarios"), "name a folder instead"));
            }
            for scenario in shipped {
                out(&format!("{}/{:<28} {}", scenario.family, scenario.name, scenario.shows));
            }
            for case in scenario::recorded::shipped()? {
                out(&format!("{}/{:<28} {}", case.source, case.id, case.shows));
            }
        }
    }
    Ok(Code::Good)
}

fn checked(scenario: &Scenario) -> String {
    let truth: Truth = scenario::derive::truth(scenario);
    let found = match truth.cause {
        Cause::None => "nothing goes wrong".to_owned(),
        Cause::External => "what goes wrong lies outside the deploy".to_owned(),
        Cause::Candidate => format!("{} is bad", scenario.deploy.version),
        Cause::Flag => format!("a flag of {} is bad", scenario.deploy.version),
        Cause::Infrastructure => {
            format!("infrastructure that was changed for {} is bad", scenario.deploy.version)
        }
    };
    let onset = truth.onset.map_or_else(String::new, |onset| {
        let helps = if truth.rollback_helps { "helps" } else { "does not help" };
        format!(" from {} after the deploy, a rollback {helps}", onset.since(truth.deployed))
    });
    let expects = if scenario.expect.is_some() { "" } else { "; nothing is expected, so nothing is checked" };
    format!("{}/{}: good. {}\n  {found}{onset}{expects}", scenario.family, scenario.name, scenario.shows)
}
