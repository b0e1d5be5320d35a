//! `backspin ci`: plays a suite and says whether what must hold does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::civil::Date;

use super::compare::{party, subjects};
use super::diagnose::{Failure, counted, environment, fault, note};
use super::exit::Code;
use super::parting::{PARTINGS_MAX, policy_changes, told, untold};
use super::progress::Progress;
use super::run::{cannot_play, cannot_write, cores};
use super::select::{Selected, scenarios_of};
use super::{out, width};
use crate::campaign::{Campaign, RunKey, Subject};
use crate::policy::document::Step;
use crate::policy::{self, Policy};
use crate::report;
use crate::report::ci::{CI_VERSION, CheckStatus, CiReport, PlaceTold, write_ci};
use crate::report::compare::ChangeTold;
use crate::score::{Class, Flip, RunOutcome, score_entries};
use crate::suite::{self, Baseline, BaselineError, Evaluated, Played, Rule, Suite, write_baseline};

/// Plays a suite: expectations, limits, and not worse than the accepted baseline.
#[derive(Debug, Args)]
#[command(after_help = "Example\n  \
    backspin ci suite.yaml --update-baseline     # accept what there is\n  \
    backspin ci suite.yaml --out reports/ci      # junit.xml, comment.md, ci.json\n\n\
    Exit codes: 0 all holds · 1 a check failed · 2 the suite or its baseline is wrong · 4 nobody can tell yet")]
pub(super) struct CiArgs {
    /// The suite file.
    #[arg(value_name = "SUITE")]
    suite: PathBuf,
    /// Play this policy in place of the suite's.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Accept what the runs come to: write it to the suite's baseline file, whole or not at all.
    #[arg(long)]
    update_baseline: bool,
    /// The day on which quarantines are looked at, as 2027-01-31; by default today, in UTC.
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
    /// Runs at once; by default one per core. Does not change any result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Also write a folder with `junit.xml`, `comment.md` and `ci.json`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: CiFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CiFormat {
    /// For people.
    #[default]
    Text,
    /// For a comment on a change.
    Markdown,
    /// For programs; versioned.
    Json,
    /// For servers that collect test results.
    Junit,
    /// Commands of GitHub's workflows, which mark lines of files.
    Github,
}

pub(super) fn run(args: &CiArgs) -> Result<Code, Failure> {
    if let Some(dir) = &args.out {
        report::check(dir).map_err(cannot_write)?;
    }
    let suite = suite::load(&args.suite)?;
    let policy = policy_of(args, &suite)?;
    let selected = selected(&suite, &args.suite)?;
    suite.check_names(&selected.names())?;
    let baseline = accepted(args, &suite)?;
    let today = args.today.unwrap_or_else(today);
    let subjects: Vec<Subject<'_>> = selected
        .scenarios
        .iter()
        .map(Subject::Scenario)
        .chain(selected.recorded.iter().map(Subject::Recorded))
        .collect();
    let campaign = Campaign {
        subjects,
        policies: vec![policy.clone()],
        seed: suite.file.seed,
        seeds: suite.file.seeds,
        compared: 0,
        oracle: false,
        untouched: false,
        over_http: false,
        jobs: args.jobs.map_or_else(cores, usize::from),
    };
    let title = format!(
        "{} × {}",
        counted(campaign.subjects.len(), "scenario"),
        counted(suite.file.seeds as usize, "seed")
    );
    let progress = Progress::start(&title, campaign.runs(None));
    let runs = campaign.play(None, || progress.step()).map_err(cannot_play)?;
    let outcomes: Vec<RunOutcome> = runs.iter().map(|(_, outcome)| outcome.clone()).collect();
    let places = places(&selected);
    let evaluated = suite::checks(
        &suite,
        &Played { outcomes: &outcomes, places: &places, baseline: baseline.as_ref(), today },
    );
    let accepted = baseline.as_ref().map(Accepted::of);
    let changes = changes(accepted.as_ref(), &campaign, &runs, &evaluated)?;
    progress.finish();
    let report = told_of(args, &suite, &policy, title, today, evaluated, accepted.as_ref(), changes);
    if args.update_baseline {
        update(args, &suite, &policy, &outcomes)?;
    }
    print(args, &report)?;
    Ok(match report.status() {
        CheckStatus::Failed => Code::Missed,
        CheckStatus::Unknown => Code::Unknown,
        CheckStatus::Passed | CheckStatus::Skipped => Code::Good,
    })
}

/// The system's day in UTC: the one place of this verb that reads a clock.
fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A path of the suite file, which counts from the file's folder.
fn beside(suite: &Path, path: &str) -> PathBuf {
    suite.parent().map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
}

fn policy_of(args: &CiArgs, suite: &Suite) -> Result<Policy, Failure> {
    let file =
        args.policy.clone().or_else(|| suite.file.policy.as_ref().map(|path| beside(&args.suite, path)));
    Ok(match file {
        Some(path) => policy::load(&path)?,
        None => policy::default_policy()?,
    })
}

/// What the suite plays. A name that is none has its place in the suite file.
fn selected(suite: &Suite, file: &Path) -> Result<Selected, Failure> {
    let entries = suite.file.scenarios.iter().map(|entry| {
        let path = beside(file, entry);
        if path.exists() { path.to_string_lossy().into_owned() } else { entry.clone() }
    });
    scenarios_of(&entries.collect::<Vec<_>>(), |n, message, hint| {
        let path = [Step::Field("scenarios"), Step::Item(n)];
        let problem = suite.problem(Rule::UnknownScenario, &path, message);
        suite.fail(vec![problem.with_hint(hint)]).into()
    })
}

/// The baseline, unless it is to be written for the first time.
fn accepted(args: &CiArgs, suite: &Suite) -> Result<Option<Baseline>, Failure> {
    let Some(file) = &suite.file.baseline else {
        if args.update_baseline {
            let problem = suite.problem(Rule::BadBaseline, &[], "the suite names no baseline to write");
            return Err(suite.fail(vec![problem.with_hint("add `baseline: baseline.json`")]).into());
        }
        return Ok(None);
    };
    let path = beside(&args.suite, file);
    match Baseline::read(&path, suite) {
        Ok(baseline) => Ok(Some(baseline)),
        Err(error) if args.update_baseline && !matches!(error, BaselineError::Another { .. }) => {
            if path.exists() {
                note(&format!("the baseline that was there is replaced unread: {error}"));
            }
            Ok(None)
        }
        Err(error) => {
            let hint = match &error {
                BaselineError::Another { .. } => {
                    "name another file, or remove this one and accept anew with --update-baseline"
                }
                _ => "accept what there is with --update-baseline, and commit the file",
            };
            let message =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(": ");
            let problem = suite.problem(Rule::BadBaseline, &[Step::Field("baseline")], message);
            Err(suite.fail(vec![problem.with_hint(hint)]).into())
        }
    }
}

fn update(args: &CiArgs, suite: &Suite, policy: &Policy, outcomes: &[RunOutcome]) -> Result<(), Failure> {
    let Some(file) = &suite.file.baseline else { return Ok(()) };
    let path = beside(&args.suite, file);
    let baseline = Baseline::accept(suite, policy, outcomes);
    write_baseline(&path, &baseline)
        .map_err(|error| environment(error, "is there room, and may the folder be written to?"))?;
    note(&format!("accepted: {} in `{}`", counted(outcomes.len(), "run"), path.display()));
    Ok(())
}

/// Where each scenario's expectation stands.
fn places(selected: &Selected) -> BTreeMap<String, PlaceTold> {
    let place = |scenario: &crate::scenario::model::Scenario| {
        let name = format!("{}/{}", scenario.family, scenario.name);
        let file = selected.subjects.get(&name)?.clone();
        let text = scenario.text.as_ref().filter(|_| Path::new(&file).is_file())?;
        let line = text.lines().position(|line| line.starts_with("expect:")).unwrap_or_default() + 1;
        Some((name, PlaceTold { file, line, column: 1 }))
    };
    selected.scenarios.iter().filter_map(place).collect()
}

/// The accepted policy, as this build reads it.
struct Accepted {
    hash: String,
    policy: Option<Policy>,
}

impl Accepted {
    fn of(baseline: &Baseline) -> Self {
        Self { hash: baseline.policy_hash.clone(), policy: policy::from_json(&baseline.policy).ok() }
    }
}

/// Runs that count otherwise than in the baseline: where the two policies part, or that it is not the policy's doing.
fn changes(
    accepted: Option<&Accepted>,
    campaign: &Campaign<'_>,
    runs: &[(RunKey, RunOutcome)],
    evaluated: &Evaluated,
) -> Result<Vec<ChangeTold>, Failure> {
    let Some(accepted) = accepted else { return Ok(Vec::new()) };
    let flips = evaluated.flips.clone();
    let current = &campaign.policies[0];
    let Some(policy) = accepted.policy.clone().filter(|policy| policy.hash != current.hash) else {
        let why = if accepted.hash == current.hash {
            "the policy is the accepted one: the scenario or this build changed it"
        } else {
            "this build does not read the accepted policy"
        };
        return Ok(flips.into_iter().map(|flip| untold(flip, why)).collect());
    };
    let subjects = subjects(runs);
    let both = Campaign { policies: vec![policy, current.clone()], ..campaign.clone() };
    let mut changes = Vec::new();
    for (n, flip) in flips.into_iter().enumerate() {
        let subject = subjects.get(&(flip.family.as_str(), flip.scenario.as_str())).copied();
        let Some((subject, seed_index)) = subject.zip(flip.seeds.first().copied()) else { continue };
        if n >= PARTINGS_MAX {
            changes.push(untold(flip, "not looked for: only the first changes are"));
            continue;
        }
        let key = RunKey { subject, policy: 0, seed_index };
        let came_to = score_entries(&both.record(&key).map_err(cannot_play)?).map_err(fault)?.class;
        changes.push(if came_to == flip.from {
            let parting = both.partings(&[(subject, seed_index)]).map_err(cannot_play)?.pop().flatten();
            told(flip, parting.as_ref())
        } else {
            not_the_policy(flip, came_to)
        });
    }
    Ok(changes)
}

/// The accepted policy does not come to the accepted outcome any more.
fn not_the_policy(flip: Flip, came_to: Class) -> ChangeTold {
    let why = format!(
        "under the accepted policy it is now {came_to}, not {}: the scenario or this build changed it",
        flip.from
    );
    untold(flip, why)
}

#[expect(clippy::too_many_arguments, reason = "the report is put together from all of them, once")]
fn told_of(
    args: &CiArgs,
    suite: &Suite,
    policy: &Policy,
    played: String,
    today: Date,
    evaluated: Evaluated,
    accepted: Option<&Accepted>,
    changes: Vec<ChangeTold>,
) -> CiReport {
    let name = args.policy.as_ref().map(|path| path.display().to_string());
    let name = name.or_else(|| suite.file.policy.clone()).unwrap_or_else(|| "shipped".to_owned());
    let before = accepted.and_then(|accepted| accepted.policy.as_ref());
    CiReport {
        version: CI_VERSION,
        suite: suite.file.name.clone(),
        file: suite.file_name().to_owned(),
        today: today.to_string(),
        policy: party(&name, policy),
        played,
        seed: suite.file.seed,
        checks: evaluated.checks,
        accepted_policy_hash: accepted.map(|accepted| accepted.hash.clone()),
        policy_changes: before.map(|before| policy_changes(before, policy)).unwrap_or_default(),
        comparison: evaluated.comparison,
        changes,
        notes: evaluated.notes,
    }
}

fn print(args: &CiArgs, report: &CiReport) -> Result<(), Failure> {
    let written = args.out.as_ref().map(|dir| write_ci(dir, report)).transpose().map_err(cannot_write)?;
    match args.format {
        CiFormat::Text => {
            out(&report.text(width().into()));
            if let Some(written) = written {
                out(&format!("\nreport: {}", written.markdown.display()));
            }
        }
        CiFormat::Markdown => out(report.markdown().trim_end()),
        CiFormat::Json => out(&report.json().map_err(fault)?),
        CiFormat::Junit => out(report.junit().trim_end()),
        CiFormat::Github => {
            let lines = report.annotations();
            if !lines.is_empty() {
                out(lines.trim_end());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_suites_folder() {
        assert_eq!(beside(Path::new("ci/suite.yaml"), "policy.yaml"), Path::new("ci/policy.yaml"));
        assert_eq!(beside(Path::new("suite.yaml"), "policy.yaml"), Path::new("policy.yaml"));
        assert_eq!(beside(Path::new("ci/suite.yaml"), "/etc/p.yaml"), Path::new("/etc/p.yaml"));
    }
}
