//! `backspin compare`: two policies, two judges or two finished runs on the same seeds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};

use super::diagnose::{Failure, bad_input, counted, environment};
use super::exit::Code;
use super::parting::{PARTINGS_MAX, policy_changes, told, untold};
use super::progress::Progress;
use super::record::Record;
use super::run::{cannot_play, cannot_write};
use super::select::{PairedArgs, Selected};
use super::{out, width};
use crate::campaign::parting::parting;
use crate::campaign::{Campaign, RunKey, Subject, again};
use crate::domain::entry::{Entry, RunHeader};
use crate::policy::{self, JudgeName, Policy};
use crate::report::compare::{COMPARE_VERSION, ChangeTold, CompareReport, Party, Verdict, write_compare};
use crate::report::{self, REPORT_VERSION, ReadReport, read_report};
use crate::score::{Brief, Comparison, CostWeights, Flip, Pair, RunOutcome, flips, score_entries};

/// Seeds per scenario: enough for a family of a few scenarios to show what is beyond chance.
const SEEDS: u64 = 20;

/// Plays two policies on the same seeds, or takes two finished runs, and tells what differs by more than chance.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin compare policy.yaml changed.yaml --out reports/compare\n  \
    backspin compare e_detector flagger --filter subtle/\n  \
    backspin compare reports/before reports/after\n\n\
    Exit codes: 0 the second is worse in nothing beyond chance · 1 it is worse · 4 they differ, in too few runs to tell")]
pub(super) struct CompareArgs {
    /// The first: a policy file, the name of a judge, or a folder that `backspin run` wrote.
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The second, of the same kind.
    #[arg(value_name = "AFTER")]
    after: String,
    #[command(flatten)]
    paired: PairedArgs,
    /// Runs per scenario and policy.
    #[arg(long, default_value_t = SEEDS, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// The policy whose judge is replaced where a judge is named; by default the shipped one.
    #[arg(long, value_name = "FILE", env = "BACKSPIN_POLICY")]
    policy: Option<PathBuf>,
    /// Also write a folder with a page, Markdown and JSON.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: CompareFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CompareFormat {
    /// For people.
    #[default]
    Text,
    /// For reviews and tickets.
    Markdown,
    /// For programs; versioned.
    Json,
}

/// One of the two, as it was named.
enum Named {
    Policy(Box<Policy>),
    Folder(Finished),
}

/// A folder that `run` wrote.
struct Finished {
    path: PathBuf,
    report: ReadReport,
}

pub(super) fn run(args: &CompareArgs) -> Result<Code, Failure> {
    if let Some(dir) = &args.out {
        report::check(dir).map_err(cannot_write)?;
    }
    let report = match (named(args, &args.before)?, named(args, &args.after)?) {
        (Named::Policy(before), Named::Policy(after)) => played(args, *before, *after)?,
        (Named::Folder(before), Named::Folder(after)) => {
            if !args.paired.scenarios.is_empty() {
                return Err(bad_input(
                    anyhow!("two finished runs have their own scenarios"),
                    "leave the scenarios out; --filter TEXT takes a part of them",
                ));
            }
            finished(args, &before, &after)?
        }
        (Named::Policy(_), Named::Folder(_)) | (Named::Folder(_), Named::Policy(_)) => {
            return Err(bad_input(
                anyhow!("`{}` and `{}` are not of one kind", args.before, args.after),
                "name two policies or judges, which are played, or two folders that `backspin run --out DIR` wrote",
            ));
        }
    };
    let written =
        args.out.as_ref().map(|dir| write_compare(dir, &report)).transpose().map_err(cannot_write)?;
    match args.format {
        CompareFormat::Text => {
            out(&report.text(width().into()));
            if let Some(written) = written {
                out(&format!("\nreport: {}", written.html.display()));
            }
        }
        CompareFormat::Markdown => out(report.markdown().trim_end()),
        CompareFormat::Json => out(&report.json().map_err(super::diagnose::fault)?),
    }
    Ok(match report.verdict() {
        Verdict::Worse => Code::Missed,
        Verdict::NotWorse => Code::Good,
        Verdict::TooFew => Code::Unknown,
    })
}

fn named(args: &CompareArgs, name: &str) -> Result<Named, Failure> {
    let path = Path::new(name);
    if path.is_dir() {
        return read_finished(path).map(Named::Folder);
    }
    if path.is_file() || path.extension().is_some() || name.contains('/') {
        return Ok(Named::Policy(Box::new(policy::load(path)?)));
    }
    let judge: JudgeName = name.parse().map_err(|error| {
        bad_input(
            anyhow::Error::new::<policy::UnknownJudge>(error)
                .context(format!("there is no file, no folder and no judge `{name}`")),
            "name a policy file, a judge or a folder that `backspin run --out DIR` wrote",
        )
    })?;
    let own = match &args.policy {
        Some(path) => policy::load(path)?,
        None => policy::default_policy()?,
    };
    Ok(Named::Policy(Box::new(own.with_judge(judge))))
}

fn read_finished(path: &Path) -> Result<Finished, Failure> {
    let file = path.join("report.json");
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display())).map_err(
            |error| environment(error, "a folder to compare is one that `backspin run --out DIR` wrote"),
        )?;
    let hint = "play it again with this build: backspin run --out DIR";
    let report = read_report(&text)
        .with_context(|| format!("`{}` is not a report that this build reads", file.display()))
        .map_err(|error| bad_input(error, hint))?;
    if report.version != REPORT_VERSION {
        let error = anyhow!("`{}` is of version {}, not {REPORT_VERSION}", file.display(), report.version);
        return Err(bad_input(error, hint));
    }
    Ok(Finished { path: path.to_owned(), report })
}

pub(super) fn party(name: &str, policy: &Policy) -> Party {
    Party {
        name: name.to_owned(),
        judge: JudgeName::of(&policy.judge).name().to_owned(),
        policy_hash: policy.hash.clone(),
    }
}

/// Two policies play everything.
fn played(args: &CompareArgs, before: Policy, after: Policy) -> Result<CompareReport, Failure> {
    let Selected { scenarios, recorded, .. } = args.paired.selected()?;
    let subjects: Vec<Subject<'_>> =
        scenarios.iter().map(Subject::Scenario).chain(recorded.iter().map(Subject::Recorded)).collect();
    let parties = (party(&args.before, &before), party(&args.after, &after));
    let changed = policy_changes(&before, &after);
    let campaign = Campaign {
        subjects,
        policies: vec![before, after],
        seed: args.paired.seed.seed,
        seeds: args.seeds,
        compared: args.seeds,
        oracle: false,
        untouched: false,
        over_http: false,
        jobs: args.paired.jobs(),
    };
    let played = format!(
        "{} × {}",
        counted(campaign.subjects.len(), "scenario"),
        counted(args.seeds as usize, "seed")
    );
    let progress = Progress::start(&played, campaign.runs(None));
    let runs = campaign.play(None, || progress.step()).map_err(cannot_play)?;
    let pairs = pairs(&runs, &args.paired.cost);
    let changes = changes(&campaign, &runs, &pairs)?;
    progress.finish();
    Ok(CompareReport {
        version: COMPARE_VERSION,
        before: parties.0,
        after: parties.1,
        played,
        seed: campaign.seed,
        weights: args.paired.cost,
        policy_changes: changed,
        comparison: Comparison::of(&pairs),
        changes,
        notes: Vec::new(),
    })
}

/// Runs of the first two policies on the same subject and seed.
fn pairs<'a>(runs: &'a [(RunKey, RunOutcome)], weights: &CostWeights) -> Vec<Pair<'a>> {
    let mut first: BTreeMap<(usize, u64), &RunOutcome> = BTreeMap::new();
    let mut pairs = Vec::new();
    for (key, outcome) in runs {
        let place = (key.subject, key.seed_index);
        if key.policy == 0 {
            first.insert(place, outcome);
        } else if let Some(before) = first.get(&place) {
            pairs.push(pair(before, outcome, weights));
        }
    }
    pairs
}

/// Where each scenario stands in its campaign, by family and name.
pub(super) fn subjects(runs: &[(RunKey, RunOutcome)]) -> BTreeMap<(&str, &str), usize> {
    runs.iter().map(|(key, run)| ((run.family.as_str(), run.scenario.as_str()), key.subject)).collect()
}

fn pair<'a>(before: &'a RunOutcome, after: &RunOutcome, weights: &CostWeights) -> Pair<'a> {
    Pair {
        family: &before.family,
        scenario: &before.scenario,
        seed_index: before.seed_index,
        before: Brief::of(before, weights),
        after: Brief::of(after, weights),
    }
}

/// The runs that count otherwise, each first one played again to see where it parts.
fn changes(
    campaign: &Campaign<'_>,
    runs: &[(RunKey, RunOutcome)],
    pairs: &[Pair<'_>],
) -> Result<Vec<ChangeTold>, Failure> {
    let subjects = subjects(runs);
    let flips = flips(pairs);
    let place = |flip: &Flip| {
        let subject = subjects.get(&(flip.family.as_str(), flip.scenario.as_str())).copied();
        subject.zip(flip.seeds.first().copied())
    };
    let places: Vec<(usize, u64)> = flips.iter().take(PARTINGS_MAX).filter_map(place).collect();
    let partings = campaign.partings(&places).map_err(cannot_play)?;
    let mut partings = partings.iter();
    Ok(flips
        .into_iter()
        .map(|flip| match partings.next() {
            Some(parting) => told(flip, parting.as_ref()),
            None => untold(flip, "not looked for: only the first changes are"),
        })
        .collect())
}

/// Two runs that are over.
fn finished(args: &CompareArgs, before: &Finished, after: &Finished) -> Result<CompareReport, Failure> {
    let mut left = before.own(args.paired.filter.as_deref());
    let right = after.own(args.paired.filter.as_deref());
    let mut pairs = Vec::new();
    let mut unpaired = 0;
    for (key, outcome) in &right {
        match left.remove(key) {
            Some(first) => pairs.push(pair(first, outcome, &args.paired.cost)),
            None => unpaired += 1,
        }
    }
    unpaired += left.len();
    if pairs.is_empty() {
        return Err(bad_input(
            anyhow!(
                "nothing selected: no scenario was played on the same seed in `{}` and `{}`",
                args.before,
                args.after
            ),
            "play both with the same --seed, and leave --filter out or use a part of FAMILY/SCENARIO",
        ));
    }
    let mut notes = Vec::new();
    if unpaired > 0 {
        notes.push(format!(
            "{} of one of the two have no counterpart and are left out",
            counted(unpaired, "run")
        ));
    }
    let changes = flips(&pairs).into_iter().enumerate();
    let changes = changes.map(|(n, flip)| {
        if n < PARTINGS_MAX {
            replayed(before, after, flip)
        } else {
            untold(flip, "not looked for: only the first changes are")
        }
    });
    let changes = changes.collect();
    let policy_changes = match (before.any_policy(), after.any_policy()) {
        (Some(first), Some(second)) => policy_changes(&first, &second),
        (None, _) | (_, None) => Vec::new(),
    };
    Ok(CompareReport {
        version: COMPARE_VERSION,
        before: before.party(),
        after: after.party(),
        played: counted(pairs.len(), "run") + " of each",
        seed: before.report.seed,
        weights: args.paired.cost,
        policy_changes,
        comparison: Comparison::of(&pairs),
        changes,
        notes,
    })
}

impl Finished {
    fn party(&self) -> Party {
        Party {
            name: self.path.display().to_string(),
            judge: self.report.policy_judge.clone(),
            policy_hash: self.report.policy_hash.clone(),
        }
    }

    /// Runs of the policy's own judge, by scenario and the run's own seed.
    fn own(&self, filter: Option<&str>) -> BTreeMap<(&str, &str, u64, u64), &RunOutcome> {
        let fits = |outcome: &&RunOutcome| {
            outcome.judge == self.report.policy_judge
                && filter.is_none_or(|text| format!("{}/{}", outcome.family, outcome.scenario).contains(text))
        };
        let key = |o: &RunOutcome| (o.seed_index, o.seed.0);
        self.report
            .outcomes
            .iter()
            .filter(fits)
            .map(|o| ((o.family.as_str(), o.scenario.as_str(), key(o).0, key(o).1), o))
            .collect()
    }

    /// The header of the record that the folder keeps of a scenario.
    fn header(&self, family: &str, scenario: &str) -> Option<RunHeader> {
        header(&self.path.join("records").join(format!("{family}-{scenario}.jsonl")))
    }

    /// The policy, from any record that this build can read.
    fn any_policy(&self) -> Option<Policy> {
        let outcome = self.report.outcomes.iter().find(|o| o.judge == self.report.policy_judge)?;
        policy::from_json(&self.header(&outcome.family, &outcome.scenario)?.policy).ok()
    }

    /// The run on this seed, played again from what its record carries; refused where it comes to something else.
    fn again(&self, flip: &Flip, seed_index: u64) -> Result<Vec<Entry>, String> {
        let name = self.path.display();
        let header = self
            .header(&flip.family, &flip.scenario)
            .ok_or_else(|| format!("`{name}` has no record of it that this build reads"))?;
        let entries = again(&header, seed_index).map_err(|error| format!("`{name}`: {error}"))?;
        let known = self.report.outcomes.iter().find(|o| {
            o.judge == self.report.policy_judge
                && (o.family.as_str(), o.scenario.as_str(), o.seed_index)
                    == (flip.family.as_str(), flip.scenario.as_str(), seed_index)
        });
        let played = score_entries(&entries).ok();
        if played.as_ref().map(|o| (o.class, o.ttd)) != known.map(|o| (o.class, o.ttd)) {
            return Err(format!("this build does not come to what `{name}` says"));
        }
        Ok(entries)
    }
}

fn header(path: &Path) -> Option<RunHeader> {
    match Record::open(path).ok()?.next()?.ok()? {
        Entry::Header(header) => Some(*header),
        Entry::Input(..) | Entry::Woken(_) | Entry::Journal(..) | Entry::Truth(..) | Entry::End(_) => None,
    }
}

/// A change between two finished runs, both played again.
fn replayed(before: &Finished, after: &Finished, flip: Flip) -> ChangeTold {
    let seed = flip.seeds.first().copied().unwrap_or_default();
    let both = before.again(&flip, seed).and_then(|first| Ok((first, after.again(&flip, seed)?)));
    match both {
        Ok((first, second)) => match parting(&first, &second) {
            Ok(parting) => told(flip, parting.as_ref()),
            Err(error) => untold(flip, error.to_string()),
        },
        Err(why) => untold(flip, why),
    }
}
