//! `backspin policy`: show, check and describe the policy file.

use std::path::PathBuf;

use clap::Subcommand;

use super::diagnose::Failure;
use super::exit::Code;
use super::select::PolicyArgs;
use super::out;
use crate::policy::{self, Policy};

/// What to do with a policy.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyVerb {
    /// Print the effective policy, every default included.
    Show(PolicyArgs),
    /// Read policy files and tell everything that is wrong with them.
    Check {
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of the policy file.
    Schema,
}

pub(super) fn run(verb: &PolicyVerb) -> Result<Code, Failure> {
    match verb {
        PolicyVerb::Show(args) => out(args.own()?.to_yaml().trim_end()),
        PolicyVerb::Check { files } => {
            for file in files {
                let policy = Policy::load(file)?;
                out(&checked(&file.display().to_string(), &policy));
            }
        }
        PolicyVerb::Schema => out(&format!("{:#}", policy::schema())),
    }
    Ok(Code::Good)
}

fn checked(name: &str, policy: &Policy) -> String {
    let mut lines = vec![format!("{name}: good, judge `{}`, hash {}", policy.judge_name(), policy.hash())];
    for query in policy.query_shapes() {
        lines.push(format!("  {:<20} compiles as {}", query.name, query.shape));
    }
    lines.join("\n")
}
