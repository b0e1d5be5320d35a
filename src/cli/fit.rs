//! `backspin scenario fit`: a family of scenarios that resembles a service, learned from its history.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;

use super::backtest::history::{HistoryArgs, Read, Selected, no_history};
use super::diagnose::{Failure, bad_input, environment, fault, note};
use super::exit::Code;
use super::{Format, out};
use crate::backtest::fit::{self, FamilyFile, Identity, IdentityError, Learned, Seen, Unfit};
use crate::backtest::frames::{Framed, frames};
use crate::backtest::pieces::Window;
use crate::domain::id::ServiceId;
use crate::report::words;

/// The version of the JSON.
const FIT_VERSION: u32 = 1;

/// Learns a service from the time around its deploys, and writes a family of scenarios that resembles it.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin scenario fit --service checkout --prometheus http://127.0.0.1:9090 --from 30d --deploys deploys.csv --history 24h --out scenarios/checkout\n  \
    backspin scenario fit --service checkout --recorded backtest-kept --from 2026-10-28T00:00:00Z --to 2026-11-27T00:00:00Z --deploys deploys.csv --out mine\n\n\
    Exit codes: 0 written · 2 no such service, no such series, or a file or option is wrong · 3 a server, a folder, a file · 4 the history is too short or has gaps")]
pub(super) struct FitArgs {
    /// The service to learn.
    #[arg(long, value_name = "SERVICE", value_parser = ServiceId::new)]
    service: ServiceId,
    #[command(flatten)]
    past: HistoryArgs,
    /// Where the family goes, a file for each scenario; none of them may be there already.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How to print what was learned.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &FitArgs) -> Result<Code, Failure> {
    let read = args.past.read(|selected| has_deploys(&args.service, selected))?;
    for words in read.selected.notes.iter().chain(&read.selected.left_out) {
        note(words);
    }
    let framed = args.framed(&read)?;
    let deploys = read.selected.deploys.iter().filter(|deploy| deploy.service == args.service);
    let seen: Vec<Seen<'_>> = deploys
        .zip(&framed)
        .map(|(deploy, (window, framed))| Seen { deploy, window: *window, framed })
        .collect();
    let learned = fit::learn(&args.service, &seen).map_err(unfit)?;
    let identity = fit::identity(&learned, &seen).map_err(|error| match error {
        IdentityError::Unfit(error) => unfit(error),
        IdentityError::Scenario(problems) => {
            let error = anyhow!(
                "what was learned of `{}` is outside of what a scenario may say: {problems}",
                args.service
            );
            bad_input(error, "check --metrics: units, and which requests fail")
        }
    })?;
    let files = fit::family(&learned, &identity);
    write(&args.out, &files)?;
    match args.format {
        Format::Text => out(&told(&learned, &identity, &args.out)),
        Format::Json => {
            out(&serde_json::to_string_pretty(&as_json(&learned, &identity, &files)).map_err(fault)?);
        }
    }
    Ok(Code::Good)
}

impl FitArgs {
    /// Frames of each of the service's deploys in the range, in their order.
    fn framed(&self, read: &Read) -> Result<Vec<(Window, Framed)>, Failure> {
        let deploys = read.selected.deploys.iter().filter(|deploy| deploy.service == self.service);
        let mut all = Vec::new();
        for deploy in deploys {
            let Some(window) = read.span.window(deploy) else { continue };
            let series = read.history.series(&read.metrics, &deploy.service, window).map_err(no_history)?;
            all.push((window, frames(&read.metrics, deploy, window, &series)));
        }
        Ok(all)
    }
}

fn has_deploys(service: &ServiceId, selected: &Selected) -> Result<(), Failure> {
    if selected.deploys.iter().any(|deploy| deploy.service == *service) {
        return Ok(());
    }
    let mut known: Vec<&str> = selected.deploys.iter().map(|deploy| deploy.service.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let known = format!("`{}`", known.join("`, `"));
    Err(unfit(Unfit::NoDeploy { service: service.to_string(), known }))
}

fn unfit(error: Unfit) -> Failure {
    let hint = match &error {
        Unfit::NoDeploy { .. } => {
            "--service is a service of --deploys; the time before its deploys is what is learned from"
        }
        Unfit::NoSeries { .. } => "check what --metrics says of metrics and labels, and --from and --to",
        Unfit::TooShort { .. } => "give more --history, or a range with more deploys",
        Unfit::Gaps { .. } => "give a range that was scraped, or leave out deploys before which nothing was",
    };
    if error.is_unknown() {
        return Failure::Other { code: Code::Unknown, error: error.into(), hint: Some(hint.to_owned()) };
    }
    bad_input(error, hint)
}

/// Writes the family; nothing that is there is touched.
fn write(folder: &Path, files: &[FamilyFile]) -> Result<(), Failure> {
    let hint = "name another folder with --out";
    for file in files {
        let path = folder.join(file.name);
        if path.exists() {
            return Err(environment(anyhow!("`{}` is there already", path.display()), hint));
        }
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))
        .map_err(|error| environment(error, hint))?;
    for file in files {
        let path = folder.join(file.name);
        std::fs::write(&path, &file.text)
            .with_context(|| format!("cannot write `{}`", path.display()))
            .map_err(|error| environment(error, hint))?;
    }
    Ok(())
}

fn told(learned: &Learned, identity: &Identity, folder: &Path) -> String {
    let mut text = String::new();
    let mut put = |what: &str, found: String| {
        let _ = writeln!(text, "{what:<28} {found}");
    };
    let traffic = &learned.traffic;
    put("quiet scrapes", format!("{} before {}", learned.frames, learned.deploys_in_words()));
    put("requests per second", words::number(traffic.rps));
    let daily = traffic.daily_amplitude.map_or("not known".to_owned(), words::percent);
    put("daily wave", format!("{daily} ({} of 24 hours seen)", traffic.hours));
    put("noise of the rate", format!("{} (log)", words::number(traffic.noise_sd)));
    put("error ratio", words::percent(learned.errors.ratio));
    let [shared, alone] = learned.errors.noise_sd.map(words::number);
    put("noise of the error ratio", format!("{shared} shared, {alone} alone (log)"));
    if let Some(latency) = &learned.latency {
        put(
            "response times, idle",
            format!(
                "{} ms median, sigma {}; {} in a tail of {} ms, sigma {}",
                words::number(latency.median_ms),
                words::number(latency.sigma),
                words::percent(latency.tail_share),
                words::number(latency.tail_median_ms),
                words::number(latency.tail_sigma)
            ),
        );
        let [shared, alone] = latency.noise_sd.map(words::number);
        put("noise of response times", format!("{shared} shared, {alone} alone (log)"));
    }
    let unknown = || "not known".to_owned();
    put("pods", learned.replicas.map_or_else(unknown, |replicas| replicas.to_string()));
    put("busy", learned.busy.map_or_else(unknown, words::percent));
    put(
        "warm-up",
        learned.warm.map_or_else(unknown, |warm| {
            format!(
                "{} times more work at first, gone by 1/e in {}",
                words::number(warm.warm_up),
                words::seconds(warm.tau_s)
            )
        }),
    );
    put(
        "identity",
        format!(
            "{:.2}, p = {:.3} ({} recorded and {} simulated scrapes)",
            identity.score, identity.p, identity.recorded, identity.simulated
        ),
    );
    for words in &learned.notes {
        let _ = writeln!(text, "note: {words}");
    }
    let _ = write!(text, "\nwritten: {}; play it with `backspin run {}`", folder.display(), folder.display());
    text
}

fn as_json(learned: &Learned, identity: &Identity, files: &[FamilyFile]) -> serde_json::Value {
    let traffic = &learned.traffic;
    json!({
        "version": FIT_VERSION,
        "service": learned.service.as_str(),
        "quiet_scrapes": learned.frames,
        "deploys": learned.deploys,
        "traffic": {
            "rps": traffic.rps,
            "daily_amplitude": traffic.daily_amplitude,
            "hours_seen": traffic.hours,
            "noise_sd": traffic.noise_sd,
        },
        "errors": { "ratio": learned.errors.ratio, "noise_sd": learned.errors.noise_sd },
        "latency": learned.latency.map(|latency| json!({
            "median_ms": latency.median_ms,
            "sigma": latency.sigma,
            "tail_share": latency.tail_share,
            "tail_median_ms": latency.tail_median_ms,
            "tail_sigma": latency.tail_sigma,
            "noise_sd": latency.noise_sd,
        })),
        "replicas": learned.replicas,
        "busy": learned.busy,
        "memory": learned.memory,
        "conversion": learned.conversion,
        "warm": learned.warm.map(|warm| json!({ "warm_up": warm.warm_up, "tau_s": warm.tau_s })),
        "identity": { "score": identity.score, "p": identity.p, "recorded": identity.recorded, "simulated": identity.simulated },
        "notes": learned.notes,
        "files": files.iter().map(|file| file.name).collect::<Vec<_>>(),
    })
}
