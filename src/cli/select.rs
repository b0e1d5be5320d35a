//! What several verbs select: policies with their judges, scenarios, seeds.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::diagnose::{Failure, bad_input, environment};
use crate::policy::{self, JudgeName, Policy};
use crate::record::RecordReader;
use crate::scenario::model::Scenario;
use crate::scenario::{discover, load_all, shipped};

/// The seed that everything else follows from.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct SeedArgs {
    /// The campaign's seed: the same seed gives the same bytes.
    #[arg(long, default_value_t = 20_260_105, value_name = "N")]
    pub(super) seed: u64,
}

/// The policy and the judges.
#[derive(Clone, Debug, Args)]
pub(super) struct PolicyArgs {
    /// The policy file; by default the shipped one (`backspin policy show`).
    #[arg(long, value_name = "FILE", env = "BACKSPIN_POLICY")]
    policy: Option<PathBuf>,
    /// Judges to play, the first of which decides expectations and exit code; by default the policy's own and all
    /// others beside it.
    #[arg(long = "judge", value_name = "NAME")]
    judges: Vec<JudgeName>,
}

impl PolicyArgs {
    /// The policy's own judge, or the first one named.
    pub(super) fn own(&self) -> Result<Policy, Failure> {
        Ok(self.load()?.swap_remove(0))
    }

    /// One policy per judge, the one that counts first.
    pub(super) fn load(&self) -> Result<Vec<Policy>, Failure> {
        let own = match &self.policy {
            Some(path) => policy::load(path)?,
            None => policy::default_policy()?,
        };
        let mut judges = self.judges.clone();
        if judges.is_empty() {
            judges.push(JudgeName::of(&own.judge));
            judges.extend(JudgeName::ALL);
        }
        let mut policies: Vec<Policy> = Vec::new();
        for judge in judges {
            if policies.iter().all(|p| JudgeName::of(&p.judge) != judge) {
                policies.push(own.with_judge(judge));
            }
        }
        Ok(policies)
    }
}

/// The scenarios of these files and folders whose `family/name` contains the filter; the shipped ones if no
/// file is named.
pub(super) fn scenarios(paths: &[PathBuf], filter: Option<&str>) -> Result<Vec<Scenario>, Failure> {
    let mut all = Vec::new();
    if paths.is_empty() {
        all = shipped()?;
    }
    for path in paths {
        if path.exists() || path.extension().is_some() {
            all.extend(load_all(&discover(path)?)?);
        } else {
            all.push(scenario(&path.to_string_lossy())?);
        }
    }
    let known = all.len();
    if let Some(filter) = filter {
        all.retain(|s| format!("{}/{}", s.family, s.name).contains(filter));
    }
    if all.is_empty() {
        let filter = filter.unwrap_or_default();
        return Err(bad_input(
            anyhow!("nothing selected: none of {known} scenarios contains `{filter}` in its family/name"),
            "leave --filter out to see all names",
        ));
    }
    Ok(all)
}

/// One scenario: a file, or the name of a shipped one.
pub(super) fn scenario(what: &str) -> Result<Scenario, Failure> {
    let path = Path::new(what);
    if path.exists() || path.extension().is_some() {
        let mut found = load_all(&discover(path)?)?;
        return match found.len() {
            1 => Ok(found.remove(0)),
            n => Err(bad_input(anyhow!("`{what}` holds {n} scenarios, one is wanted"), "name one file")),
        };
    }
    let all = shipped()?;
    let names: Vec<String> = all.iter().map(|s| format!("{}/{}", s.family, s.name)).collect();
    all.into_iter().find(|s| s.name == what || format!("{}/{}", s.family, s.name) == what).ok_or_else(|| {
        bad_input(
            anyhow!("there is no file and no shipped scenario `{what}`"),
            &format!("shipped scenarios:\n  {}", names.join("\n  ")),
        )
    })
}

/// Whether this names a record rather than a scenario.
pub(super) fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "jsonl")
}

/// Opens a record as a stream.
pub(super) fn open_record(path: &Path) -> Result<RecordReader<BufReader<File>>, Failure> {
    let file =
        File::open(path).with_context(|| format!("cannot open `{}`", path.display())).map_err(|e| {
            environment(e, "records are written by `backspin run` below `reports/latest/records`")
        })?;
    Ok(RecordReader::new(BufReader::new(file)))
}
