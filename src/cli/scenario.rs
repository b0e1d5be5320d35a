//! `backspin scenario`: make, check and describe scenario files.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Subcommand;

use super::diagnose::{Failure, bad_input, counted};
use super::exit::Code;
use super::out;
use crate::domain::id::VersionId;
use crate::domain::truth::Truth;
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
        ScenarioVerb::Schema => out(&format!("{:#}", scenario::schema())),
        ScenarioVerb::List => {
            let shipped = scenario::shipped()?;
            if shipped.is_empty() {
                return Err(bad_input(anyhow!("this build carries no scenarios"), "name a folder instead"));
            }
            for scenario in shipped {
                out(&format!("{}/{:<28} {}", scenario.family, scenario.name, scenario.shows));
            }
        }
    }
    Ok(Code::Good)
}

fn checked(scenario: &Scenario) -> String {
    let truth: Truth = scenario::derive::truth(scenario);
    let onset = truth.onset.map_or_else(|| "none".to_owned(), |at| at.to_string());
    format!(
        "{}/{}: good; {}; cause {:?}, onset {onset}, a rollback {}",
        scenario.family,
        scenario.name,
        scenario.shows,
        truth.cause,
        if truth.rollback_helps { "helps" } else { "does not help" },
    )
}
