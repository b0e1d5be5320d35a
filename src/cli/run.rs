//! `backspin run`: plays scenarios or recorded incidents, prints who decided what and how well, writes a report.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::diagnose::{Failure, bad_input, counted, environment, fault, warn};
use super::exit::Code;
use super::progress::Progress;
use super::select::{PolicyArgs, SeedArgs, Selected, scenarios};
use super::shard::{self, AskedShard};
use super::{Format, out, width};
use crate::campaign::shard::Shard;
use crate::campaign::{Campaign, CampaignError, RunKey, Subject, chosen};
use crate::judge::JudgeParams;
use crate::policy::{JudgeName, Policy};
use crate::report::{self, By, CampaignReport, Commands, Limits, ReportError, Shown, SourceCredit, table};
use crate::scenario::recorded::{self, Recorded, RecordedCase};
use crate::score::{CostWeights, ExpectationStatus, RunOutcome, over_seeds};

/// Seeds under the policy's own judge. Enough for "in at least 95 % of seeds, lower bound at least 90 %", what an expectation
/// asks by default, with one seed missed: 59 of 60 is enough, 58 of 60 is too few.
const SEEDS: u64 = 60;

/// Of these, the seeds that the judges beside it and the oracle play too: enough to show which judge misses what, over all
/// scenarios; no expectation hangs on them.
const COMPARED: u64 = 10;

/// Through what the engine learns and acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Plane {
    /// In process.
    #[default]
    Direct,
    /// Over HTTP, through a mock Prometheus and a mock Kubernetes.
    Http,
}

/// Plays scenarios or recorded incidents and judges what the engine did.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Scenario files, folders, or names of shipped scenarios and recordings; by default all shipped ones.
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// Play the recorded incidents below this folder instead (each source with its `cases.json`).
    #[arg(long, value_name = "DIR", conflicts_with = "scenarios")]
    incidents: Option<PathBuf>,
    /// Only those whose family/name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Runs per scenario and judge. Fewer than an expectation needs leave it unknown. By default 60 under the policy's judge,
    /// and the first 10 of these also under the judges beside it and the oracle.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: Option<u64>,
    /// Through what the engine learns and acts: in process, or over HTTP through mock endpoints, where each run is held
    /// against the same one in process; one seed by default then.
    #[arg(long, value_enum, default_value_t, conflicts_with = "incidents")]
    plane: Plane,
    /// Runs at once; by default one per core. Does not change any result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Play one part of it only, I/N from 1, and write what it comes to into the folder of --out, for `backspin merge`.
    /// `job/N` takes the part that an Indexed Job of Kubernetes gives this pod (`JOB_COMPLETION_INDEX`). Missed expectations
    /// are rows then, and no exit code.
    #[arg(long, value_name = "I/N", conflicts_with_all = ["incidents", "format", "by"])]
    shard: Option<AskedShard>,
    /// Where the report goes.
    #[arg(long, default_value = "reports/latest", value_name = "DIR")]
    out: PathBuf,
    /// What the tables group runs by, for all judges: family, rate (decades of requests per second) or arms (with or without a
    /// concurrent baseline); by default scenarios under the policy's judge.
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// Do not play the oracle that regret is measured against: one run more per scenario and seed, for all judges.
    #[arg(long)]
    no_oracle: bool,
    /// Prices in minutes of one user of a thousand, as `needless=500,rollback=50,failed=5000`; also of a minute by severity:
    /// low, medium, high, critical.
    #[arg(long, value_name = "PRICES", default_value_t)]
    cost: CostWeights,
    /// How to print; `json` prints the report's figures.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    seed: SeedArgs,
    #[command(flatten)]
    policy: PolicyArgs,
}

impl RunArgs {
    /// Seeds of the judge whose expectations count.
    fn seeds(&self) -> u64 {
        self.seeds.unwrap_or(match self.plane {
            Plane::Direct => SEEDS,
            Plane::Http => 1,
        })
    }
}

pub(super) fn run(args: &RunArgs) -> Result<Code, Failure> {
    let shard = args.shard.map(AskedShard::shard).transpose()?;
    match shard {
        None => report::check(&args.out).map_err(cannot_write)?,
        Some(_) => shard::check(&args.out)?,
    }
    let policies = args.policy.load()?;
    match &args.incidents {
        None => {
            let Selected { scenarios, mut recorded, subjects } =
                scenarios(&args.scenarios, args.filter.as_deref())?;
            if args.plane == Plane::Http {
                // A recording has no endpoints.
                recorded.clear();
            }
            let played = (!scenarios.is_empty()).then(|| {
                format!(
                    "{} × {}",
                    counted(scenarios.len(), "scenario"),
                    counted(args.seeds() as usize, "seed")
                )
            });
            let incidents = (!recorded.is_empty()).then(|| counted(recorded.len(), "recorded incident"));
            let title = played.into_iter().chain(incidents).collect::<Vec<_>>().join(", ");
            let options = format!("{}{}", args.seed.given(), args.policy.given());
            let sources = credits(&recorded);
            let extra = Extra { title, commands: Commands { subjects, options }, sources };
            let subjects = scenarios.iter().map(Subject::Scenario);
            let subjects = subjects.chain(recorded.iter().map(Subject::Recorded)).collect();
            play(args, shard, policies, subjects, extra)
        }
        Some(dir) => {
            let cases = incidents(dir, args.filter.as_deref())?;
            let extra = Extra {
                title: counted(cases.len(), "recorded incident"),
                commands: Commands::default(),
                sources: credits(&cases),
            };
            play(args, shard, policies, cases.iter().map(Subject::Recorded).collect(), extra)
        }
    }
}

pub(super) fn incidents(dir: &Path, filter: Option<&str>) -> Result<Vec<RecordedCase>, Failure> {
    let Recorded { mut cases, warnings } = recorded::read(dir)?;
    warn(&warnings);
    if let Some(filter) = filter {
        cases.retain(|c| format!("{}/{}", c.source, c.id).contains(filter));
    }
    if cases.is_empty() {
        return Err(bad_input(
            anyhow::anyhow!("nothing selected: no recorded incident in `{}` fits", dir.display()),
            "a filter is a part of SOURCE/ID; leave it out to play all",
        ));
    }
    Ok(cases)
}

/// What the report says beside the figures.
pub(super) struct Extra {
    pub(super) title: String,
    pub(super) commands: Commands,
    pub(super) sources: Vec<SourceCredit>,
}

/// Whom to name, source by source.
pub(super) fn credits(cases: &[RecordedCase]) -> Vec<SourceCredit> {
    let mut credits: Vec<SourceCredit> = Vec::new();
    for case in cases {
        match credits.iter_mut().find(|credit| credit.source == case.source) {
            Some(credit) => credit.cases += 1,
            None => credits.push(SourceCredit {
                source: case.source.clone(),
                cases: 1,
                attribution: case.attribution.clone(),
                licence: case.licence.clone(),
                origin: case.origin.clone(),
            }),
        }
    }
    credits
}

fn play(
    args: &RunArgs,
    shard: Option<Shard>,
    policies: Vec<Policy>,
    subjects: Vec<Subject<'_>>,
    extra: Extra,
) -> Result<Code, Failure> {
    let campaign = Campaign {
        subjects,
        policies,
        seed: args.seed.seed,
        seeds: args.seeds(),
        compared: args.seeds.unwrap_or(COMPARED),
        oracle: !args.no_oracle,
        untouched: false,
        over_http: args.plane == Plane::Http,
        jobs: args.jobs.map_or_else(cores, usize::from),
    };
    if let Some(shard) = shard {
        return shard::play(&args.out, &campaign, shard, extra, args.cost);
    }
    let progress = Progress::start(&extra.title, campaign.runs(None));
    let played = campaign.play(None, || progress.step()).map_err(cannot_play)?;
    let report = report_of(&campaign, played, extra, args.cost)?;
    progress.finish();
    let over_http = campaign.over_http.then_some(report.outcomes.len());
    print(&report, &args.out, args.format, args.by, over_http)?;
    Ok(match verdict(&report) {
        // Over HTTP the question is whether it comes to the same, and one seed answers that.
        Code::Unknown if args.plane == Plane::Http && args.seeds.is_none() => Code::Good,
        code => code,
    })
}

/// Runs at once, unless somebody says how many.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The report of what was played, with the runs that it shows in full.
pub(super) fn report_of(
    campaign: &Campaign<'_>,
    played: Vec<(RunKey, RunOutcome)>,
    extra: Extra,
    weights: CostWeights,
) -> Result<CampaignReport, Failure> {
    let chosen = chosen(campaign, &played).map_err(cannot_play)?;
    let shown = chosen
        .into_iter()
        .map(|run| Shown { entries: run.entries, users_harmed_untouched: run.users_harmed_untouched })
        .collect();
    Ok(CampaignReport {
        title: extra.title,
        seed: campaign.seed,
        policy_hash: campaign.policies[0].hash.clone(),
        policy_judge: name(&campaign.policies[0]),
        judges: campaign.policies.iter().map(name).collect(),
        outcomes: played.into_iter().map(|(_, outcome)| outcome).collect(),
        weights,
        limits: limits(&campaign.policies),
        shown,
        warnings: Vec::new(),
        commands: extra.commands,
        sources: extra.sources,
    })
}

/// Writes the report and prints it; `over_http` runs were held against the same in process.
pub(super) fn print(
    report: &CampaignReport,
    folder: &Path,
    format: Format,
    by: Option<By>,
    over_http: Option<usize>,
) -> Result<(), Failure> {
    let written = report::write(folder, report).map_err(cannot_write)?;
    match format {
        Format::Text => {
            out(&table::text(report, by, width()));
            if let Some(runs) = over_http {
                let runs = counted(runs, "run");
                out(&format!(
                    "\nparity: {runs} over HTTP came to the same as in process, at the same moments"
                ));
            }
            out(&format!("\nreport: {}", written.html.display()));
        }
        Format::Json => {
            let json = std::fs::read_to_string(&written.json)
                .with_context(|| format!("cannot read `{}`", written.json.display()))
                .map_err(|e| environment(e, "somebody removed it while it was written"))?;
            out(json.trim_end());
        }
    }
    Ok(())
}

/// The fixed limits to draw: those of the reference judge, if it is played.
fn limits(policies: &[Policy]) -> Limits {
    policies
        .iter()
        .find_map(|policy| {
            let JudgeParams::Weighted(params) = &policy.judge else { return None };
            Some(Limits {
                error_ratio: Some(params.error_ratio),
                latency_p99_ms: Some(params.latency_p99_ms),
            })
        })
        .unwrap_or_default()
}

fn name(policy: &Policy) -> String {
    JudgeName::of(&policy.judge).name().to_owned()
}

pub(super) fn cannot_play(error: CampaignError) -> Failure {
    match error {
        CampaignError::Threads { .. } => environment(error, "try --jobs 1"),
        CampaignError::Plane { .. } => {
            bad_input(error, "check the queries of the policy with `backspin policy check`")
        }
        CampaignError::Http { .. } => environment(error, "the loopback interface has to take connections"),
        CampaignError::Drive { .. } | CampaignError::Score { .. } | CampaignError::Parted { .. } => {
            fault(error)
        }
    }
}

pub(super) fn cannot_write(error: ReportError) -> Failure {
    environment(error, "name another folder with --out")
}

/// Expectations follow the policy's own judge: one missed is 1, one that cannot be told is 4.
pub(super) fn verdict(report: &CampaignReport) -> Code {
    let mut code = Code::Good;
    let own = |o: &&RunOutcome| o.judge == report.policy_judge;
    let mut names: Vec<(&str, &str)> =
        report.outcomes.iter().filter(own).map(|o| (o.family.as_str(), o.scenario.as_str())).collect();
    names.dedup();
    for (family, name) in names {
        let runs = report.outcomes.iter().filter(own).filter(|o| o.family == family && o.scenario == name);
        match over_seeds(runs).map(|e| e.status) {
            Some(ExpectationStatus::Missed) => return Code::Missed,
            Some(ExpectationStatus::Unknown) => code = Code::Unknown,
            Some(ExpectationStatus::Met) | None => {}
        }
    }
    code
}
