//! A case that a verb is given: by its file or by its seed.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::super::diagnose::{Failure, bad_input, environment, fault};
use super::choice::Choice;
use crate::chaos::case::CaseError;
use crate::chaos::{Case, RunError};

/// One case.
#[derive(Clone, Debug, Args)]
pub(super) struct CaseArgs {
    /// A case file, as `chaos minimise` writes it.
    #[arg(value_name = "CASE", required_unless_present = "seed", conflicts_with = "seed")]
    file: Option<PathBuf>,
    /// The case that a campaign draws from this seed; with the campaign's other options.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    choice: Choice,
}

impl CaseArgs {
    /// Reads or draws it.
    pub(super) fn load(&self) -> Result<Case, Failure> {
        match (&self.file, self.seed) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read `{}`", path.display()))
                    .map_err(|error| environment(error, "name a case file, or draw a case with --seed"))?;
                Case::from_yaml(&text).map_err(|error| broken(path, error))
            }
            (None, seed) => Ok(self.choice.case(seed.unwrap_or_default())),
        }
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        match (&self.file, self.seed) {
            (Some(path), _) => format!("`{}`", path.display()),
            (None, seed) => format!("seed {}", seed.unwrap_or_default()),
        }
    }

    /// The same as options of another command.
    pub(super) fn options(&self) -> String {
        match (&self.file, self.seed) {
            (Some(path), _) => format!(" {}", path.display()),
            (None, seed) => format!(" --seed {}{}", seed.unwrap_or_default(), self.choice.options()),
        }
    }
}

fn broken(path: &std::path::Path, error: CaseError) -> Failure {
    match error {
        CaseError::Scenario(problems) => problems.into(),
        error @ (CaseError::Form(_)
        | CaseError::Version { .. }
        | CaseError::Plan(_)
        | CaseError::Phases { .. }) => bad_input(
            anyhow::Error::new(error)
                .context(format!("`{}` is not a case that can be played", path.display())),
            "docs/faults.md says what stands in a case file; `backspin chaos minimise` writes one",
        ),
    }
}

/// A case that cannot be played.
pub(super) fn unplayable(error: RunError) -> Failure {
    match error {
        error @ (RunError::Versions { .. } | RunError::NoPlane) => {
            bad_input(error, "docs/faults.md says which cases can be played where")
        }
        error @ RunError::Http(_) => environment(error, "the loopback interface has to take connections"),
        error @ RunError::Plane(_) => fault(error),
    }
}
