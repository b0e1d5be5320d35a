//! Learning a service from its history: how much it is asked, how it fails and how long it takes when nothing is deployed, how restless all that
//! is, and how slow its pods are when they are new. Out of it comes a family of scenarios that resembles the service, and a score that says how well.
//!
//! What lies before deploys is taken for normal. Estimates are by moments and maximum likelihood on counts, with the formula at each; what the world
//! has no knob for, or the history does not tell, keeps the scenario's default and is named in a note. Correlation times are the world's own.

mod identity;
mod latency;
mod levels;
mod minimise;
mod quiet;
#[cfg(test)]
mod tests;
mod warm;
mod written;

use backspin_domain::id::ServiceId;
use backspin_domain::time::{Millis, WallTime};

use super::deploys::{Outcome, PastDeploy};
use super::frames::Framed;
use super::pieces::Window;

pub use identity::{Identity, IdentityError, identity};
pub use latency::LatencyFit;
pub use levels::{ErrorFit, TrafficFit};
pub use warm::WarmFit;
pub use written::{FamilyFile, family};

/// Quiet frames without which nothing is learned: half an hour at 15 s.
pub const FRAMES_MIN: usize = 120;

/// Share of the quiet intervals that must have been scraped.
pub const COVERED_MIN: f64 = 0.5;

/// One deploy's time, as it was framed.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The deploy.
    pub deploy: &'a PastDeploy,
    /// Its time.
    pub window: Window,
    /// Its frames.
    pub framed: &'a Framed,
}

/// Why nothing can be learned. Each names the place of a deploy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// No deploy of the service is in the range.
    #[error("no deploy in the range is of `{service}`; there are deploys of {known}")]
    NoDeploy {
        /// The service.
        service: String,
        /// Those there are.
        known: String,
    },
    /// There is not a single request of it.
    #[error(
        "{place}: there are no requests of `{service}` before its deploys: no such series, or nothing was scraped"
    )]
    NoSeries {
        /// The first deploy's place.
        place: String,
        /// The service.
        service: String,
    },
    /// There is too little.
    #[error(
        "{place}: {frames} quiet scrapes before the deploys of `{service}`, at least {FRAMES_MIN} are needed"
    )]
    TooShort {
        /// The first deploy's place.
        place: String,
        /// The service.
        service: String,
        /// How many there are.
        frames: usize,
    },
    /// Too much is missing.
    #[error(
        "{place}: only {found} of {wanted} scrapes before the deploys of `{service}` are there, at least half are needed"
    )]
    Gaps {
        /// The place of the deploy before which most is missing.
        place: String,
        /// The service.
        service: String,
        /// Scrapes that there are.
        found: usize,
        /// Scrapes that there should be.
        wanted: usize,
    },
}

impl Unfit {
    /// Whether the history says too little, rather than that something wrong was asked for.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::TooShort { .. } | Self::Gaps { .. })
    }
}

/// What was learned of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// The service.
    pub service: ServiceId,
    /// Between two scrapes.
    pub scrape: Millis,
    /// Deploys whose time was looked at.
    pub deploys: usize,
    /// Quiet scrapes.
    pub frames: usize,
    /// The first moment that was looked at.
    pub from: WallTime,
    /// The last.
    pub to: WallTime,
    /// How much it is asked.
    pub traffic: TrafficFit,
    /// How it fails.
    pub errors: ErrorFit,
    /// How long it takes; none where no response times are counted.
    pub latency: Option<LatencyFit>,
    /// Its pods; none where they are not told apart.
    pub replicas: Option<u32>,
    /// Busy share of a pod at the mean, `0..=1`; none where processor use is not measured.
    pub busy: Option<f64>,
    /// Share of the memory limit in use; none where it is not measured.
    pub memory: Option<f64>,
    /// Share of good requests that convert; none where conversions are not counted.
    pub conversion: Option<f64>,
    /// How slow new pods are; none where no deploy shows it.
    pub warm: Option<WarmFit>,
    /// What could not be learned, and what was taken instead.
    pub notes: Vec<String>,
}

impl Learned {
    /// How many deploys were looked at, in words.
    pub fn deploys_in_words(&self) -> String {
        format!("{} deploy{}", self.deploys, if self.deploys == 1 { "" } else { "s" })
    }
}

/// Learns a service from the times around its deploys.
///
/// # Errors
/// When there is nothing of it, too little, or too much is missing.
pub fn learn(service: &ServiceId, seen: &[Seen<'_>]) -> Result<Learned, Unfit> {
    let quiet = quiet::Quiet::of(service, seen)?;
    let mut notes = Vec::new();
    let busy = quiet.busy();
    let traffic = levels::traffic(&quiet, &mut notes);
    let errors = levels::errors(&quiet);
    let assumed = busy.unwrap_or(written::BUSY);
    let latency = latency::fit(&quiet, assumed);
    let good: Vec<&Seen<'_>> = seen.iter().filter(|seen| seen.deploy.outcome != Outcome::Bad).collect();
    let warm = warm::fit(&good, assumed);
    if latency.is_none() {
        notes.push("no response times are counted: those of the default service were taken".to_owned());
    }
    if warm.is_none() {
        notes.push(
            "no good deploy shows how its new pods warm up beside the old ones: the default was taken"
                .to_owned(),
        );
    }
    if busy.is_none() {
        notes.push("processor use is not measured: pods were taken to be 45 % busy".to_owned());
    }
    notes.push(
        "noise of all versions and of each alone cannot be told apart without a second version: it was split as by default".to_owned(),
    );
    Ok(Learned {
        service: service.clone(),
        scrape: quiet.scrape,
        deploys: seen.len(),
        frames: quiet.frames(),
        from: quiet.from,
        to: quiet.to,
        replicas: quiet.replicas(),
        memory: quiet.memory(),
        conversion: quiet.conversion(),
        traffic,
        errors,
        latency,
        busy,
        warm,
        notes,
    })
}
