//! A history on the command line: where samples come from, what was shipped, what metrics mean.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::progress;
use crate::backtest::deploys::{self, Deploys, PastDeploy, moment, written};
use crate::backtest::fetch::{FetchError, Manner, Told, fetch};
use crate::backtest::history::{History, HistoryError};
use crate::backtest::metrics::{DEFAULT, Metrics};
use crate::backtest::pace::{BadRate, Rate, SystemClock, today};
use crate::backtest::pieces::Span;
use crate::backtest::store::{Store, StoreError};
use crate::cli::diagnose::{Failure, bad_input, environment, fault, note};
use crate::domain::time::{Millis, WallTime};
use crate::plane::http::metrics::{Prometheus, Settings};
use crate::policy::document::FileKind;
use crate::policy::document::source::unplaced;

/// Largest answer that is read, bytes.
const BODY_MAX: usize = 256 << 20;

/// Where a history is, and what is looked at of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArgs {
    /// The Prometheus that is asked, as `http://host:port`; it is only read.
    #[arg(long, value_name = "URL", conflicts_with = "recorded", required_unless_present = "recorded")]
    pub(super) prometheus: Option<String>,
    /// A folder of what was fetched before, or of saved answers of range queries (`*.json`); nothing is asked of anybody.
    #[arg(long, value_name = "DIR")]
    pub(super) recorded: Option<PathBuf>,
    /// When the range begins: `2026-11-01T00:00:00Z`, or so long before its end: `30d`.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// When the range ends; by default now, a whole minute.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// What was shipped when: CSV, ReplicaSets, Argo Rollouts, Flagger Canaries, dashboard annotations. May be given again.
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) deploys: Vec<PathBuf>,
    /// What the metrics mean: a file, or a convention (`http`, `istio`).
    #[arg(long, value_name = "NAME|FILE", default_value = DEFAULT)]
    pub(super) metrics: String,
    /// How much of the time before each deploy is learned from.
    #[arg(long, value_name = "TIME", default_value = "2h")]
    history: Millis,
    /// How long each deploy is watched, unless it was over before.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    watch: Millis,
    /// How fast the server is asked, at most.
    #[arg(long, value_name = "N/s", default_value = "10/s", value_parser = rate)]
    rate: Rate,
    /// How long one question may take.
    #[arg(long, value_name = "TIME", default_value = "1m")]
    timeout: Millis,
    /// Where what was fetched is kept.
    #[arg(long, value_name = "DIR", default_value = "backtest-kept")]
    pub(super) keep: PathBuf,
}

fn rate(text: &str) -> Result<Rate, BadRate> {
    text.parse()
}

/// The deploys of the range, and what was left out of it.
pub(in crate::cli) struct Selected {
    pub(in crate::cli) deploys: Vec<PastDeploy>,
    pub(in crate::cli) left_out: Vec<String>,
    pub(in crate::cli) notes: Vec<String>,
}

/// A history that can be looked at.
pub(in crate::cli) struct Read {
    pub(in crate::cli) metrics: Metrics,
    pub(in crate::cli) span: Span,
    pub(in crate::cli) history: History,
    pub(in crate::cli) selected: Selected,
}

impl HistoryArgs {
    /// Reads everything; `check` may refuse the deploys before anybody is asked.
    pub(in crate::cli) fn read(
        &self,
        check: impl FnOnce(&Selected) -> Result<(), Failure>,
    ) -> Result<Read, Failure> {
        let metrics = Metrics::load(&self.metrics)?;
        let span = self.span(&metrics)?;
        let paths: Vec<&Path> = self.deploys.iter().map(PathBuf::as_path).collect();
        let mut selected = Self::select(deploys::load(&paths)?, span)?;
        check(&selected)?;
        let history = match (&self.prometheus, &self.recorded) {
            (Some(url), _) => self.fetched(url, &metrics, span, &mut selected)?,
            (None, Some(folder)) => History::open(folder, &metrics, span).map_err(no_history)?,
            (None, None) => return Err(fault(anyhow!("neither a server nor a folder was given"))),
        };
        Ok(Read { metrics, span, history, selected })
    }

    /// The range, and what is looked at around deploys.
    fn span(&self, metrics: &Metrics) -> Result<Span, Failure> {
        let scrape = metrics.scrape();
        let minute = |at: WallTime| WallTime(at.0.div_euclid(60_000) * 60_000);
        let to = match &self.to {
            None => minute(today()),
            Some(text) => moment(text).ok_or_else(|| no_moment("--to", text))?,
        };
        let from = match (moment(&self.from), self.from.parse::<Millis>()) {
            (Some(at), _) => at,
            (None, Ok(before)) => to.ahead(-before.0.cast_signed()),
            (None, Err(_)) => return Err(no_moment("--from", &self.from)),
        };
        let contradiction = |words: String, hint: &str| Err(bad_input(anyhow!(words), hint));
        if from >= to {
            return contradiction(
                format!("the range ends at {} and begins at {}", written(to), written(from)),
                "--from must be before --to",
            );
        }
        if self.prometheus.is_some() && to > today() {
            return contradiction(
                format!("the range ends at {}, which is not over yet", written(to)),
                "what is kept must be whole: end the range in the past",
            );
        }
        if self.watch < scrape {
            return contradiction(
                format!("a watch of {} has no scrape in it: there is one each {scrape}", self.watch),
                "give --watch more than the time between two scrapes",
            );
        }
        if !self.history.0.is_multiple_of(scrape.0) {
            return contradiction(
                format!("a history of {} is no whole number of scrapes, each {scrape}", self.history),
                "give --history a multiple of the time between two scrapes",
            );
        }
        Ok(Span { from, to, history: self.history, watch: self.watch })
    }

    /// The deploys of the range. Those outside are left out, and said to be.
    fn select(found: Deploys, span: Span) -> Result<Selected, Failure> {
        let all = found.list.len();
        let (deploys, outside): (Vec<_>, Vec<_>) =
            found.list.into_iter().partition(|deploy| span.window(deploy).is_some());
        if deploys.is_empty() {
            let (from, to) = (written(span.from), written(span.to));
            let first = outside.first();
            let told = first.map_or("no deploys at all".to_owned(), |deploy| {
                format!("none of {all} deploys; the first is of {} ({})", written(deploy.at), deploy.place)
            });
            return Err(bad_input(
                anyhow!("there is nothing to judge from {from} to {to}: {told}"),
                "give another --from and --to, or other deploys",
            ));
        }
        let left_out = outside.iter().map(|deploy| {
            format!(
                "{}: {} {} of {} is outside the range, and left out",
                deploy.place,
                deploy.service,
                deploy.version,
                written(deploy.at)
            )
        });
        Ok(Selected { left_out: left_out.collect(), notes: found.notes, deploys })
    }

    /// Asks a server for what is not kept yet.
    fn fetched(
        &self,
        url: &str,
        metrics: &Metrics,
        span: Span,
        selected: &mut Selected,
    ) -> Result<History, Failure> {
        let settings = Settings { timeout: self.timeout, body_max: BODY_MAX, ..Settings::at(url) };
        let client = Prometheus::new(&settings)
            .map_err(|error| bad_input(error, "give --prometheus as `http://host:9090`"))?;
        let store = Store::open(&self.keep, url)
            .map_err(|error| environment(error, "name another folder with --keep"))?;
        let pieces = span.all_pieces(&selected.deploys, metrics.scrape());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| environment(error, "the system gives no thread or no timer"))?;
        let mut progress = progress::Bar::default();
        let mut tell = |told: Told| progress.tell(&told);
        let (manner, clock) = (Manner::at(self.rate), SystemClock::start());
        let asked = fetch(&client, metrics, &store, &pieces, manner, clock, &mut tell);
        let done = runtime.block_on(asked);
        progress.finish();
        let fetched = done.map_err(not_fetched)?;
        note(&format!("{} pieces were fetched with {} requests", fetched.pieces, fetched.requests));
        selected.notes.extend(fetched.notes.into_iter().map(|words| format!("the server remarked: {words}")));
        Ok(History::Kept { store, span })
    }
}

fn no_moment(option: &str, text: &str) -> Failure {
    bad_input(
        anyhow!("{option} is no moment: `{text}`"),
        "write `2026-11-03T14:05:00Z`, seconds since 1970, or for --from a length of time before --to, as `30d`",
    )
}

fn not_fetched(error: FetchError) -> Failure {
    let is_bad = error.is_bad_input();
    let hint = match &error {
        FetchError::BadQuery { .. } => "check what --metrics says of metrics and labels",
        FetchError::Store(StoreError::OtherServer { .. }) => {
            "name another folder with --keep, one for each server"
        }
        FetchError::Store(StoreError::Io { .. }) => "name another folder with --keep",
        FetchError::NoAnswer { .. } => "what was fetched is kept: the same command goes on from there",
        FetchError::TooLong { .. } => {
            "what was fetched is kept: the same command goes on from there; ask slower with --rate"
        }
    };
    if is_bad { bad_input(error, hint) } else { environment(error, hint) }
}

pub(in crate::cli) fn no_history(error: HistoryError) -> Failure {
    match error {
        HistoryError::NoAnswer { ref path, error } => {
            let name = path.display().to_string();
            let problem = unplaced(
                FileKind::Metrics,
                33,
                &name,
                format!("this is no answer of a range query: {error}"),
            );
            let problem = problem.with_hint("save what `/api/v1/query_range` answers, as it is");
            Failure::BadFiles(crate::policy::document::Problems::new(vec![problem], Vec::new()))
        }
        HistoryError::TooLarge { .. } | HistoryError::Nothing { .. } => {
            bad_input(error, "name a folder of what was fetched, or of saved answers of range queries")
        }
        HistoryError::Store(_) => environment(error, "check the folder and its permissions"),
        HistoryError::Lacking { .. } => environment(
            error,
            "fetch it with --prometheus, and the same --from, --to, --history and --metrics",
        ),
    }
}
