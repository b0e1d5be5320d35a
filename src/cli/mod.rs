//! The command line: one file per verb, wiring only.
//!
//! Results go to stdout, progress and logs to stderr. Every way out has a documented [`exit`] code and a hint.

pub mod exit;

mod backtest;
mod chaos;
mod ci;
mod compare;
mod diagnose;
mod explain;
mod explain_text;
mod fit;
mod import;
mod job;
mod merge;
mod models;
mod parting;
mod plan;
mod policy;
mod progress;
mod record;
mod replay;
mod report;
mod rule_test;
mod run;
mod scenario;
mod schema;
mod select;
mod shard;
mod shell;
mod strategies;
mod tune;
mod verdicts;
mod ways;
mod what_if;
mod what_if_text;
mod what_if_words;

use clap::{Parser, Subcommand, ValueEnum};

/// A wind tunnel for automated rollback: would yours have caught this, how fast, at what price, and would the
/// rollback itself have worked?
#[derive(Debug, Parser)]
#[command(
    name = "backspin",
    version,
    about,
    long_about = None,
    before_help = "Five words: a JUDGE looks at signals and gives a VERDICT (pass, marginal, fail, inconclusive); the engine \
        makes a DECISION of it (hold, pause, roll back, escalate); a STRATEGY is the way back; the POLICY is the \
        file that says all this. Begin with `backspin run`, then `backspin explain`, then `backspin scenario new`.",
    after_help = "Exit codes: 0 good · 1 expectation or limit missed, or worse · 2 bad input or usage · 3 environment · 4 unknown (too few seeds, \
        inputs missing) · 5 no such plan is possible · 10 safety broken · 11 liveness broken · 12 a replay differs · 20 fault of backspin itself",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Play scenarios or recorded incidents and judge what the engine did (the default).
    Run(Box<run::RunArgs>),
    /// Tell, scrape by scrape, why the engine decided so.
    Explain(explain::ExplainArgs),
    /// Put the parts of a run that were played with `--shard` together, as if one machine had played it.
    Merge(merge::MergeArgs),
    /// Print the manifest of an Indexed Job of Kubernetes that plays a run in parts.
    Job(job::JobArgs),
    /// Show the plan that the engine would make, without carrying it out.
    Plan(plan::PlanArgs),
    /// Tell what judges would have decided over a history out of a Prometheus, and when.
    Backtest(Box<backtest::BacktestArgs>),
    /// Feed a record to a fresh engine and compare the decisions, or tell what another policy would have done.
    Replay(replay::ReplayArgs),
    /// Play worlds in which things go wrong by plan, and check what must hold in them all the same.
    Chaos(Box<chaos::ChaosArgs>),
    /// Hold two policies, judges or finished runs against each other on the same seeds.
    Compare(Box<compare::CompareArgs>),
    /// Play a suite and check what must hold: expectations, limits, and not worse than what was accepted.
    Ci(ci::CiArgs),
    /// Hold what judges say of labelled recordings against each other: verdicts, whatever the engine would make of them.
    Verdicts(verdicts::VerdictsArgs),
    /// Tell what choosing a strategy is worth: the rules against each strategy alone, on the same seeds.
    Strategies(strategies::StrategiesArgs),
    /// Hold what models foretell against what comes of it: whether a plan reaches its end, and what it costs to do nothing.
    Models(models::ModelsArgs),
    /// Look for the best policy: numbers and choices of it, on scenarios, under constraints.
    Tune(Box<tune::TuneArgs>),
    /// Tell of each rollback of a record, of the engine's own metrics, or of a chaos campaign.
    Report(report::ReportArgs),
    /// Make, check and describe scenario files.
    #[command(subcommand)]
    Scenario(scenario::ScenarioVerb),
    /// Show, check and describe the policy file.
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    /// Print the JSON Schema of a file that is read or written.
    Schema(schema::SchemaArgs),
    /// Print completions for a shell.
    Completions(shell::CompletionsArgs),
    /// Print the manual page.
    Man(shell::ManArgs),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs; versioned.
    Json,
}

/// Results, and nothing else, go to stdout. A reader that has gone away (`| head`) is not an error.
fn out(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Columns of the terminal: `COLUMNS`, or what the terminal says, or enough for everything where there is none.
fn width() -> u16 {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns);
    told.or_else(seen).unwrap_or(140).max(40)
}

/// Parses nothing itself: runs what was parsed.
pub fn run(cli: Cli) -> exit::Code {
    let done = match cli.verb {
        None => run::run(&cli.run),
        Some(Verb::Run(args)) => run::run(&args),
        Some(Verb::Explain(args)) => explain::run(&args),
        Some(Verb::Merge(args)) => merge::run(&args),
        Some(Verb::Job(args)) => job::run(&args),
        Some(Verb::Plan(args)) => plan::run(&args),
        Some(Verb::Backtest(args)) => backtest::run(&args),
        Some(Verb::Replay(args)) => replay::run(&args),
        Some(Verb::Chaos(args)) => chaos::run(&args),
        Some(Verb::Compare(args)) => compare::run(&args),
        Some(Verb::Ci(args)) => ci::run(&args),
        Some(Verb::Verdicts(args)) => verdicts::run(&args),
        Some(Verb::Strategies(args)) => strategies::run(&args),
        Some(Verb::Models(args)) => models::run(&args),
        Some(Verb::Tune(args)) => tune::run(&args),
        Some(Verb::Report(args)) => report::run(&args),
        Some(Verb::Scenario(verb)) => scenario::run(&verb),
        Some(Verb::Policy(verb)) => policy::run(&verb),
        Some(Verb::Schema(args)) => schema::run(&args),
        Some(Verb::Completions(args)) => Ok(shell::completions(&args)),
        Some(Verb::Man(args)) => shell::man(&args),
    };
    match done {
        Ok(code) => code,
        Err(failure) => diagnose::tell(&failure),
    }
}
