//! What several verbs select: policies with their judges, scenarios, seeds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::Format;
use super::diagnose::{Failure, bad_input, counted};
use super::import;
use super::run::cores;
use crate::campaign::{Campaign, RunKey, Subject};
use crate::policy::document::nearest::nearest;
use crate::policy::{self, JudgeName, Policy};
use crate::scenario::model::Scenario;
use crate::scenario::recorded::{self, RecordedCase};
use crate::scenario::{discover, load_all, shipped};
use crate::score::CostWeights;

/// The seed that everything else follows from.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct SeedArgs {
    /// The campaign's seed: the same seed gives the same bytes.
    #[arg(long, default_value_t = SEED, value_name = "N")]
    pub(super) seed: u64,
}

/// The day on which the first scenario was written.
const SEED: u64 = 20_260_105;

impl SeedArgs {
    /// The option as it must be given again; empty if it is the default.
    pub(super) fn given(self) -> String {
        if self.seed == SEED { String::new() } else { format!(" --seed {}", self.seed) }
    }
}

/// What several ways are played on, run by run.
#[derive(Clone, Debug, Args)]
pub(super) struct PairedArgs {
    /// Scenario files, folders, or names of shipped scenarios and recordings; by default all shipped ones.
    #[arg(value_name = "SCENARIO")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Only those whose family/name contains this.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Runs at once; by default one per core. Does not change any result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Prices, as for `run`.
    #[arg(long, value_name = "PRICES", default_value_t)]
    pub(super) cost: CostWeights,
    #[command(flatten)]
    pub(super) seed: SeedArgs,
}

impl PairedArgs {
    /// What is selected.
    pub(super) fn selected(&self) -> Result<Selected, Failure> {
        scenarios(&self.scenarios, self.filter.as_deref())
    }

    /// Runs at once.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.map_or_else(cores, usize::from)
    }
}

/// The policy and the judges.
#[derive(Clone, Debug, Args)]
pub(super) struct PolicyArgs {
    /// The policy file; by default the shipped one (`backspin policy show`).
    #[arg(long, value_name = "FILE", env = "BACKSPIN_POLICY")]
    policy: Option<PathBuf>,
    /// Judges to play, the first of which decides expectations and exit code; by default the policy's own,
    /// and `e_detector`, `weighted` and `flagger` beside it. All sixteen are in the handbook, under judges. A file, of
    /// another policy or of another tool, plays its judge with its queries; if only files are named, the policy's own judge
    /// plays first and theirs beside it.
    #[arg(long = "judge", value_name = "NAME|FILE")]
    judges: Vec<JudgeChoice>,
}

/// A judge by its name, or the one of a file.
#[derive(Clone, Debug)]
enum JudgeChoice {
    Named(JudgeName),
    File(PathBuf),
}

impl std::str::FromStr for JudgeChoice {
    type Err = policy::UnknownJudge;

    fn from_str(text: &str) -> Result<Self, policy::UnknownJudge> {
        let unknown = match text.parse() {
            Ok(name) => return Ok(Self::Named(name)),
            Err(unknown) => unknown,
        };
        let is_file = text.contains(['/', '.']) || Path::new(text).is_file();
        if is_file { Ok(Self::File(PathBuf::from(text))) } else { Err(unknown) }
    }
}

impl std::fmt::Display for JudgeChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name.name()),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl PolicyArgs {
    /// The options as they must be given again for the judge that counts; empty if they are the defaults.
    pub(super) fn given(&self) -> String {
        let policy = self.policy.as_ref().map(|path| format!(" --policy {}", path.display()));
        let judge = self.judges.first().map(|judge| format!(" --judge {judge}"));
        policy.into_iter().chain(judge).collect()
    }

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
        let own_name = JudgeName::of(&own.judge);
        if judges.iter().all(|judge| matches!(judge, JudgeChoice::File(_))) {
            judges.insert(0, JudgeChoice::Named(own_name));
        }
        if self.judges.is_empty() {
            judges.extend(JudgeName::BESIDE.map(JudgeChoice::Named));
        }
        let mut policies: Vec<Policy> = Vec::new();
        for judge in &judges {
            let policy = match judge {
                JudgeChoice::Named(name) => own.with_judge(*name),
                JudgeChoice::File(path) => own.with_judge_of(&import::policy_of(path)?),
            };
            let name = JudgeName::of(&policy.judge);
            let is_new = policies.iter().all(|p| JudgeName::of(&p.judge) != name);
            if is_new {
                policies.push(policy);
            } else if let JudgeChoice::File(path) = judge {
                return Err(bad_input(
                    anyhow!("`{}` would play `{}` a second time", path.display(), name.name()),
                    "reports tell judges by their names; play it in a run of its own, with another judge first",
                ));
            }
        }
        Ok(policies)
    }
}

/// One run of a scenario, and how it is printed.
#[derive(Debug, Args)]
pub(super) struct OneRunArgs {
    /// Which of the scenario's seeds.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed_index: u64,
    #[command(flatten)]
    seed: SeedArgs,
    #[command(flatten)]
    pub(super) policy: PolicyArgs,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl OneRunArgs {
    /// A campaign that holds the run, and its key there.
    pub(super) fn campaign<'a>(&self, subject: Subject<'a>, policy: Policy) -> (Campaign<'a>, RunKey) {
        let campaign = Campaign {
            subjects: vec![subject],
            policies: vec![policy],
            seed: self.seed.seed,
            seeds: self.seed_index + 1,
            compared: 0,
            oracle: false,
            untouched: false,
            over_http: false,
            jobs: 1,
        };
        (campaign, RunKey { subject: 0, policy: 0, seed_index: self.seed_index })
    }
}

/// Scenarios, and how each is named again on the command line.
pub(super) struct Selected {
    /// In the order of the results.
    pub(super) scenarios: Vec<Scenario>,
    /// Recordings, which come after them.
    pub(super) recorded: Vec<RecordedCase>,
    /// The file or the shipped name, by `family/name`.
    pub(super) subjects: BTreeMap<String, String>,
}

impl Selected {
    fn push(&mut self, scenario: Scenario, subject: Option<&Path>) -> Result<(), Failure> {
        self.name(&full_name(&scenario), subject)?;
        self.scenarios.push(scenario);
        Ok(())
    }

    fn push_recorded(&mut self, case: RecordedCase) -> Result<(), Failure> {
        self.name(&case_name(&case), None)?;
        self.recorded.push(case);
        Ok(())
    }

    /// What a file, a folder or the name of a shipped scenario stands for.
    fn push_named(&mut self, path: &Path) -> Result<(), Failure> {
        if path.exists() || path.extension().is_some() {
            let files = discover(path)?;
            for (scenario, file) in load_all(&files)?.into_iter().zip(&files) {
                self.push(scenario, Some(file))?;
            }
            return Ok(());
        }
        match subject(&path.to_string_lossy())? {
            One::Scenario(scenario) => self.push(*scenario, None),
            One::Recorded(case) => self.push_recorded(*case),
        }
    }

    /// Every shipped scenario and recording of a family; none if there is no such family.
    fn push_family(&mut self, family: &str) -> Result<usize, Failure> {
        let before = self.scenarios.len() + self.recorded.len();
        for scenario in shipped()?.into_iter().filter(|scenario| scenario.family == family) {
            self.push(scenario, None)?;
        }
        for case in recorded::shipped()?.into_iter().filter(|case| case.source == family) {
            self.push_recorded(case)?;
        }
        Ok(self.scenarios.len() + self.recorded.len() - before)
    }

    /// Their `family/name`, in the order of the results.
    pub(super) fn names(&self) -> Vec<String> {
        self.scenarios.iter().map(full_name).chain(self.recorded.iter().map(case_name)).collect()
    }

    fn name(&mut self, name: &str, subject: Option<&Path>) -> Result<(), Failure> {
        let subject = subject.map_or_else(|| name.to_owned(), |path| path.display().to_string());
        if let Some(before) = self.subjects.insert(name.to_owned(), subject.clone()) {
            return Err(bad_input(
                anyhow!("`{before}` and `{subject}` are both called `{name}`"),
                "family and name come from the folder and the file; rename one, or name each once",
            ));
        }
        Ok(())
    }
}

/// `source/id`.
fn case_name(case: &RecordedCase) -> String {
    format!("{}/{}", case.source, case.id)
}

/// `family/name`.
fn full_name(scenario: &Scenario) -> String {
    format!("{}/{}", scenario.family, scenario.name)
}

/// The scenarios of these files and folders whose `family/name` contains the filter; the shipped ones, and the shipped
/// recordings, if no file is named.
pub(super) fn scenarios(paths: &[PathBuf], filter: Option<&str>) -> Result<Selected, Failure> {
    let mut all = Selected { scenarios: Vec::new(), recorded: Vec::new(), subjects: BTreeMap::new() };
    if paths.is_empty() {
        for scenario in shipped()? {
            all.push(scenario, None)?;
        }
        for case in recorded::shipped()? {
            all.push_recorded(case)?;
        }
    }
    for path in paths {
        all.push_named(path)?;
    }
    let known = all.names();
    if let Some(filter) = filter {
        all.scenarios.retain(|s| full_name(s).contains(filter));
        all.recorded.retain(|case| case_name(case).contains(filter));
    }
    if all.scenarios.is_empty() && all.recorded.is_empty() {
        let filter = filter.unwrap_or_default();
        let hint = if known.is_empty() {
            "a scenario is a `.yaml` file; `backspin scenario new NAME` prints one".to_owned()
        } else {
            format!("leave --filter out, or use a part of one of these:\n  {}", known.join("\n  "))
        };
        let what = counted(known.len(), "scenario");
        return Err(bad_input(
            anyhow!("nothing selected: of {what}, none has `{filter}` in its family/name"),
            &hint,
        ));
    }
    Ok(all)
}

/// The same for entries of a file, among which a family's name stands for all its shipped scenarios. `unknown` makes a failure of
/// an entry's number, what is wrong with it and what to do.
pub(super) fn scenarios_of(
    entries: &[String],
    unknown: impl Fn(usize, String, String) -> Failure,
) -> Result<Selected, Failure> {
    if entries.is_empty() {
        return scenarios(&[], None);
    }
    let mut all = Selected { scenarios: Vec::new(), recorded: Vec::new(), subjects: BTreeMap::new() };
    for (n, entry) in entries.iter().enumerate() {
        let path = Path::new(entry);
        let is_name = !path.exists() && path.extension().is_none();
        if is_name && all.push_family(entry)? > 0 {
            continue;
        }
        match all.push_named(path) {
            Err(Failure::Other { error, hint, .. }) => {
                return Err(unknown(n, format!("{error:#}"), hint.unwrap_or_default()));
            }
            Err(Failure::BadFiles(problems)) if !path.exists() => {
                let first = problems.list.first();
                let message = first.map_or_else(|| problems.to_string(), |problem| problem.message.clone());
                return Err(unknown(n, message, "paths count from the suite file's folder".to_owned()));
            }
            done => done?,
        }
    }
    Ok(all)
}

/// One thing to play.
#[derive(Debug)]
pub(super) enum One {
    /// A scenario.
    Scenario(Box<Scenario>),
    /// A shipped recording.
    Recorded(Box<RecordedCase>),
}

/// One scenario, by its file or as a shipped one by its name, or a shipped recording by its name.
pub(super) fn subject(what: &str) -> Result<One, Failure> {
    let path = Path::new(what);
    if path.exists() || path.extension().is_some() {
        let mut found = load_all(&discover(path)?)?;
        return match found.len() {
            1 => Ok(One::Scenario(Box::new(found.remove(0)))),
            n => Err(bad_input(anyhow!("`{what}` holds {n} scenarios, one is wanted"), "name one file")),
        };
    }
    let (all, recorded) = (shipped()?, recorded::shipped()?);
    let names: Vec<String> = all.iter().map(full_name).chain(recorded.iter().map(case_name)).collect();
    let short = all.iter().map(|s| s.name.as_str()).chain(recorded.iter().map(|case| case.id.as_str()));
    let near = nearest(what, names.iter().map(String::as_str).chain(short)).map(str::to_owned);
    if let Some(found) = all.into_iter().find(|s| s.name == what || full_name(s) == what) {
        return Ok(One::Scenario(Box::new(found)));
    }
    let found = recorded.into_iter().find(|case| case.id == what || case_name(case) == what);
    found.map(|case| One::Recorded(Box::new(case))).ok_or_else(|| {
        let hint = near.map_or_else(
            || "`backspin scenario list` names the shipped ones, `backspin --help` the commands".to_owned(),
            |near| format!("did you mean `{near}`? `backspin scenario list` names them all"),
        );
        bad_input(anyhow!("there is no command, no file and no shipped scenario `{what}`"), &hint)
    })
}
