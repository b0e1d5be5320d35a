//! `backspin policy import`, and judges by their file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::diagnose::{Failure, bad_input, counted, environment};
use super::exit::Code;
use super::out;
use crate::import::{Fate, Import, Options, import};
use crate::policy::document::source::YAML_BYTES_MAX;
use crate::policy::document::{FileKind, Source};
use crate::policy::{self, Policy};

/// Reads configuration of other tools as a policy.
#[derive(Clone, Debug, Args)]
pub(super) struct ImportArgs {
    /// Files of one tool, together: templates and what names them. Argo Rollouts, Flagger, Kayenta, Prometheus rules, Sloth,
    /// OpenSLO, Pyrra, Keptn, the reference design.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the policy goes; by default to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A condition on a label that names the service in the queries: it becomes `service="$service"`. Repeatable.
    #[arg(long = "map", value_name = "LABEL=VALUE")]
    maps: Vec<Pair>,
    /// The value of an argument or placeholder. Repeatable.
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<Pair>,
}

/// Two words around `=`.
#[derive(Clone, Debug)]
struct Pair(String, String);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Self(name.trim().to_owned(), value.to_owned()))
            }
            _ => Err(format!("must be `name=value`, got `{text}`")),
        }
    }
}

/// The verb.
pub(super) fn run(args: &ImportArgs) -> Result<Code, Failure> {
    let options = Options {
        maps: args.maps.iter().map(|Pair(label, value)| (label.clone(), value.clone())).collect(),
        arguments: args.arguments.iter().map(|Pair(name, value)| (name.clone(), value.clone())).collect(),
    };
    let found = read(&args.files, &options)?;
    tell(&found, Told::All);
    let Some(text) = &found.policy else {
        return Err(bad_input(
            anyhow!("nothing in these files can be judged by a policy"),
            "the list above says what is there; docs/import.md says what can be carried",
        ));
    };
    match &args.out {
        None => out(text.trim_end()),
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("cannot write `{}`", path.display()))
            .map_err(|e| environment(e, "name another file with --out"))?,
    }
    Ok(if found.is_whole() { Code::Good } else { Code::Unknown })
}

fn read(files: &[PathBuf], options: &Options) -> Result<Import, Failure> {
    let sources: Result<Vec<Source>, _> =
        files.iter().map(|path| Source::open(FileKind::Policy, path, YAML_BYTES_MAX)).collect();
    Ok(import(&sources?, options))
}

/// A policy by its file, which may be one of another tool. What of that is not carried is told on stderr.
pub(super) fn policy_of(path: &Path) -> Result<Policy, Failure> {
    let source = Source::open(FileKind::Policy, path, YAML_BYTES_MAX)?;
    if crate::import::is_ours(&source) {
        return Ok(policy::parse(&source)?);
    }
    let options = Options { maps: Vec::new(), arguments: BTreeMap::new() };
    let found = import(std::slice::from_ref(&source), &options);
    tell(&found, Told::Troubles);
    let Some(text) = found.policy else {
        return Err(bad_input(
            anyhow!("`{}` holds nothing that a policy can judge by", path.display()),
            "`backspin policy import` says of each part why",
        ));
    };
    Ok(policy::parse(&Source::new(FileKind::Policy, format!("{} (imported)", path.display()), text))?)
}

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    All,
    /// What is not carried or looks wrong.
    Troubles,
}

/// Says on stderr what became of each part.
#[expect(clippy::print_stderr, reason = "the list of an import goes to stderr, so that stdout is the policy")]
fn tell(found: &Import, told: Told) {
    let is_trouble = |fate: Fate| matches!(fate, Fate::Lost | Fate::Doubtful);
    let shown = found.findings.iter().filter(|finding| told == Told::All || is_trouble(finding.fate));
    let rows: Vec<(&str, String, String)> = shown
        .map(|f| (f.fate.name(), format!("{}:{}", f.file, f.line), format!("{}: {}", f.what, f.why)))
        .collect();
    let width = rows.iter().map(|(_, place, _)| place.chars().count()).max().unwrap_or(0);
    for (fate, place, words) in &rows {
        eprintln!("{fate:<11}  {place:<width$}  {words}");
    }
    for note in &found.notes {
        eprintln!("note: {note}");
    }
    let count = |fate: Fate| found.findings.iter().filter(|finding| finding.fate == fate).count();
    let parts = [Fate::Carried, Fate::Changed, Fate::Beside, Fate::Lost, Fate::Doubtful]
        .map(|fate| format!("{} {}", count(fate), fate.name()));
    eprintln!("{}: {}", counted(found.findings.len(), "part"), parts.join(", "));
}
