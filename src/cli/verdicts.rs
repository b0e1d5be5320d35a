//! `backspin verdicts`: what judges say of labelled recordings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::diagnose::{Failure, bad_input, counted, fault};
use super::exit::Code;
use super::progress::Progress;
use super::run::{cannot_play, cores, incidents};
use super::{out, width};
use crate::campaign::verdicts::hear;
use crate::policy::{self, JudgeName, Policy};
use crate::report::verdicts::{CaseRow, Credit, VERDICTS_VERSION, VerdictsReport};
use crate::scenario::recorded::{self, RecordedCase};

/// The textbook baselines that the policy's own judge is held against when none is named.
const BASELINES: [JudgeName; 3] = [JudgeName::RobustZ, JudgeName::MannWhitney, JudgeName::Cusum];

/// Plays labelled recordings under several judges and counts their verdicts, not what the engine decides: whether what was wrong was said to be, and
/// how often it was said where nothing was.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin verdicts my-history/\n  \
    backspin verdicts my-history/ --judge e_detector --judge flagger --apart other-cloud --format markdown\n\n\
    Exit codes: 0 the first judge is not worse than the best of the others, and has no more false alarms per hour · 1 it falls short · \
    4 nobody can tell")]
pub(super) struct VerdictsArgs {
    /// A folder that is a source or holds sources, each with its `cases.json`; by default the shipped recordings.
    #[arg(value_name = "DIR")]
    incidents: Option<PathBuf>,
    /// Only cases whose source/id contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Judges, the first of which is held against the others; by default the policy's own, `robust_z`, `mann_whitney` and `cusum`. May be given again.
    #[arg(long = "judge", value_name = "NAME")]
    judges: Vec<JudgeName>,
    /// Not pooled, in rows of its own: a source, or a kind of fault of one. May be given again.
    #[arg(long, value_name = "SOURCE[/FAULT]")]
    apart: Vec<String>,
    /// The policy whose judge is replaced where another is named; by default the shipped one.
    #[arg(long, value_name = "FILE", env = "BACKSPIN_POLICY")]
    policy: Option<PathBuf>,
    /// Cases at once; by default one per core. Does not change any result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: VerdictsFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum VerdictsFormat {
    /// For people.
    #[default]
    Text,
    /// For a file: every source and kind of fault.
    Markdown,
    /// For programs; versioned.
    Json,
}

pub(super) fn run(args: &VerdictsArgs) -> Result<Code, Failure> {
    let policies = args.policies()?;
    let cases = match &args.incidents {
        Some(dir) => incidents(dir, args.filter.as_deref())?,
        None => args.shipped()?,
    };
    args.check_apart(&cases)?;
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let progress = Progress::start(&counted(cases.len(), "recorded incident"), cases.len());
    let heard = hear(&cases, &policies, jobs, || progress.step()).map_err(cannot_play)?;
    progress.finish();
    let row = |(case, heard): (&RecordedCase, crate::campaign::verdicts::Heard)| CaseRow {
        source: case.source.clone(),
        fault: case.family.clone(),
        id: case.id.clone(),
        bad: case.bad,
        case: heard.case,
        before: heard.before,
    };
    let report = VerdictsReport {
        version: VERDICTS_VERSION,
        build: format!("backspin {}", env!("CARGO_PKG_VERSION")),
        command: args.again(),
        judges: policies.iter().map(|policy| JudgeName::of(&policy.judge).name().to_owned()).collect(),
        policies: policies.iter().map(|policy| policy.hash.clone()).collect(),
        credits: credits(&cases),
        apart: args.apart.clone(),
        cases: cases.iter().zip(heard).map(row).collect(),
    };
    match args.format {
        VerdictsFormat::Text => out(&report.text(width().into())),
        VerdictsFormat::Markdown => out(report.markdown().trim_end()),
        VerdictsFormat::Json => out(&report.json().map_err(fault)?),
    }
    Ok(match report.standing().holds() {
        Some(true) => Code::Good,
        Some(false) => Code::Missed,
        None => Code::Unknown,
    })
}

impl VerdictsArgs {
    /// One policy per judge, in order, none twice.
    fn policies(&self) -> Result<Vec<Policy>, Failure> {
        let own = match &self.policy {
            Some(path) => policy::load(path)?,
            None => policy::default_policy()?,
        };
        let mut names = self.judges.clone();
        if names.is_empty() {
            names = std::iter::once(JudgeName::of(&own.judge)).chain(BASELINES).collect();
        }
        let mut unique: Vec<JudgeName> = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        Ok(unique.into_iter().map(|name| own.with_judge(name)).collect())
    }

    fn shipped(&self) -> Result<Vec<RecordedCase>, Failure> {
        let mut cases = recorded::shipped()?;
        let filter = self.filter.as_deref().unwrap_or_default();
        cases.retain(|case| format!("{}/{}", case.source, case.id).contains(filter));
        if cases.is_empty() {
            let error = anyhow!("nothing selected: no shipped recording has `{filter}` in its source/id");
            return Err(bad_input(error, "leave --filter out to hear all"));
        }
        Ok(cases)
    }

    /// A word that names nothing would silently pool what was to be apart.
    fn check_apart(&self, cases: &[RecordedCase]) -> Result<(), Failure> {
        for apart in &self.apart {
            let names = |case: &RecordedCase| {
                *apart == case.source || *apart == format!("{}/{}", case.source, case.family)
            };
            if !cases.iter().any(names) {
                let known: std::collections::BTreeSet<String> =
                    cases.iter().map(|case| format!("{}/{}", case.source, case.family)).collect();
                let known: Vec<String> = known.into_iter().collect();
                let hint = format!("a source, or one of these:\n  {}", known.join("\n  "));
                return Err(bad_input(
                    anyhow!("--apart `{apart}` names no source and no kind of fault"),
                    &hint,
                ));
            }
        }
        Ok(())
    }

    /// The command that makes the file again.
    fn again(&self) -> String {
        let folder = self.incidents.as_ref().map(|dir| format!(" {}", dir.display()));
        let filter = self.filter.as_ref().map(|text| format!(" --filter {text}"));
        let judges = self.judges.iter().map(|judge| format!(" --judge {}", judge.name()));
        let apart = self.apart.iter().map(|apart| format!(" --apart {apart}"));
        let policy = self.policy.as_ref().map(|path| format!(" --policy {}", path.display()));
        let options = folder.into_iter().chain(filter).chain(judges).chain(apart).chain(policy);
        format!("backspin verdicts{} --format markdown", options.collect::<String>())
    }
}

fn credits(cases: &[RecordedCase]) -> Vec<Credit> {
    let of_source = |case: &RecordedCase| {
        let credit = Credit {
            source: case.source.clone(),
            attribution: case.attribution.clone(),
            licence: case.licence.clone(),
        };
        (case.source.clone(), credit)
    };
    cases.iter().map(of_source).collect::<BTreeMap<_, _>>().into_values().collect()
}
