//! `backspin policy`: show, check and describe the policy file.

use std::path::PathBuf;

use clap::Subcommand;

use super::diagnose::Failure;
use super::exit::Code;
use super::rule_test;
use super::select::PolicyArgs;
use super::{import, out};
use crate::policy::{self, JudgeName, Policy};

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
    /// Read configuration of other tools as a policy, and tell what of it cannot be carried over.
    Import(import::ImportArgs),
    /// Print the JSON Schema of the policy file.
    Schema,
    /// Run unit tests of Prometheus rules, in the format of `promtool test rules`.
    Test(rule_test::TestArgs),
}

pub(super) fn run(verb: &PolicyVerb) -> Result<Code, Failure> {
    match verb {
        PolicyVerb::Show(args) => out(args.own()?.show().trim_end()),
        PolicyVerb::Check { files } => {
            for file in files {
                let policy = policy::load(file)?;
                out(&checked(&file.display().to_string(), &policy));
            }
        }
        PolicyVerb::Import(args) => return import::run(args),
        PolicyVerb::Schema => out(&format!("{:#}", policy::schema())),
        PolicyVerb::Test(args) => return rule_test::run(args),
    }
    Ok(Code::Good)
}

fn checked(name: &str, policy: &Policy) -> String {
    let mut lines =
        vec![format!("{name}: good, judge `{}`, hash {}", JudgeName::of(&policy.judge).name(), policy.hash)];
    for query in &policy.queries {
        let shape = query.shape().map_or_else(|| "is interpreted".to_owned(), |s| format!("compiles as {s}"));
        lines.push(format!("  {:<20} {shape}", query.name(&policy.custom)));
    }
    lines.join("\n")
}
