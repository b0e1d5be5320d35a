//! Harm that the candidate does to both arms: a version that fills what they share (replicas, a queue, a pool of connections)
//! makes its own control as ill as itself, and a comparison of the two says that nothing is wrong.
//!
//! What tells it from a cause outside is *when*: it comes with the candidate's traffic. So after each step that gives the
//! candidate more traffic there is a window of [`WINDOW`], and in it both arms are held against the service as it was before that step. The
//! deploy is blamed if both are shown to be worse, each by an e-detector of its own, while no outside cause is to be seen. Where nobody measures
//! the health of dependencies, none can be seen, and *when* is all there is: then a step counts only if the candidate had its share before for
//! [`CALM_MIN`], in which a cause that comes at any time would sooner have come. Steps in quick succession tell nothing there, nor does the first.
//!
//! **The null** is "at least one arm is no worse than the service was before the step": a union of two, so the *least* of the two
//! statistics is what counts (the intersection-union test, as in [`super::leave`]). One ill pod or node makes one arm ill, not
//! both. "As it was" is the greater of what the past allows and of what the control's last minutes allow, so what was wrong before the step is
//! not the step's. A window in which half of the evidence was found stays open for as long again. A statistic is forgotten at its window's end, so `R` less the
//! number of frames in windows is a supermartingale, and a false alarm by it has at most the part of alpha that windows are of the watch: for three steps a tenth, two
//! where all of them are doubted.
//!
//! **What it cannot tell**: a cause outside that no signal shows and that happens to begin within a window. If such causes come at any
//! time of a watch alike, that is a tenth of them, since evidence has to have come in the first two minutes.
//!
//! Only errors are held against the past: latency moves with each step by what the pods' load does.

use libm::{exp, log};

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, MonoTime};

use super::history::Past;
use super::statistics::{Detector, Trial, e_values};
use super::{Counted, ERROR_RATIOS, MATTERS, Params};

/// How long after a step harm that begins is the step's. Pods of the step are ready by then, and routers have followed; what has to fill
/// up first for longer than that is not seen here.
const WINDOW: Millis = Millis::from_secs(120);
/// Least rise of the candidate's share that is a step.
const STEP_MIN: f64 = 0.02;
/// How long the service is remembered as it was just now, seconds.
const LATELY_S: f64 = 150.0;
/// A dependency ails when so many more of its calls fail than lately, as a share.
const AILING_BY: f64 = 0.01;
/// How long the candidate must have had its share before a step, where no dependency is measured: four windows, so that of causes that come at
/// any time four in five would have begun before it.
const CALM_MIN: Millis = Millis(4 * WINDOW.0);
/// Standard errors by which a share is estimated upwards, as in [`Past::doubt`].
const DOUBT: f64 = 1.3;

/// What a frame is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'a> {
    pub(super) past: &'a Past,
    /// Of the service's errors against its past: see [`Trial::noise`].
    pub(super) noise: f64,
    /// How cold the candidate's pods are.
    pub(super) cold: f64,
    /// Whether a cause outside the deploy is to be seen.
    pub(super) outside: bool,
    /// Nats at which the candidate fails.
    pub(super) limit: f64,
}

/// The two detectors and the window that they are in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shared {
    share: f64,
    /// Since when the candidate has had its share; none before its first.
    since: Option<MonoTime>,
    /// Whether it had the one before long enough for the last step to stand apart.
    apart: bool,
    lately: Lately,
    /// When the last step was, while its window lasts and nothing outside explains what follows.
    step: Option<MonoTime>,
    /// Share of failed requests that either arm may have had before the step.
    usual: f64,
    /// The candidate's and the control's.
    arms: [Detector; 2],
    /// What both arms counted in the window since there was evidence.
    counted: [Counted; 2],
}

/// The control's last minutes, older frames counting less.
#[derive(Clone, Copy, Debug, Default)]
struct Lately {
    frames: f64,
    counted: Counted,
    /// Share of calls of the dependency that went well; 0 before it was seen.
    health: f64,
}

impl Lately {
    fn learn(&mut self, frame: &Frame, counted: Counted) {
        let keep = exp(-frame.interval.as_secs_f64() / LATELY_S);
        if let Some(health) = health(frame) {
            self.health = if self.health > 0.0 { self.health * keep + health * (1.0 - keep) } else { health };
        }
        self.frames = self.frames * keep + 1.0;
        self.counted.hits = self.counted.hits * keep + counted.hits;
        self.counted.requests = self.counted.requests * keep + counted.requests;
    }

    /// Whether a dependency fails more often than it did. Its health is the mean of a minute, so an outage shows in part only at first.
    fn ails(&self, frame: &Frame) -> bool {
        health(frame).is_some_and(|health| health < self.health - AILING_BY)
    }

    /// An upper estimate of the share that failed; 0 where nothing was seen.
    fn at_most(&self, noise: f64) -> f64 {
        let spread = libm::sqrt(1.0 / (self.counted.hits + 0.5) + noise / self.frames.max(1.0));
        self.counted.share().map_or(0.0, |share| share * exp(DOUBT * spread))
    }
}

impl Shared {
    /// Forgets the deploy it watched.
    pub(super) fn forget_deploy(&mut self) {
        *self = Self { lately: self.lately, ..Self::default() };
    }

    /// Takes a frame of the time before the deploy.
    pub(super) fn learn(&mut self, frame: &Frame, old: &ArmIncrements) {
        self.lately.learn(frame, failed(old));
    }

    /// Takes a frame in which both arms were measured, the candidate's counts first. What was enough to fail the candidate stands.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        arms: [&ArmIncrements; 2],
        before: &Before<'_>,
        params: &Params,
    ) {
        let counts = arms.map(failed);
        if self.score() < before.limit {
            self.follow(frame, before);
            if self.step.is_some() {
                self.hold(counts, before, params);
            }
        }
        self.lately.learn(frame, counts[1]);
    }

    /// Opens a window with a step, and closes it.
    fn follow(&mut self, frame: &Frame, before: &Before<'_>) {
        let share = frame.rollout.candidate_share;
        let stepped = share >= self.share + STEP_MIN;
        let doubted = self.score() >= MATTERS * before.limit;
        let over = self.step.is_some_and(|step| {
            let since = frame.at.since(step);
            since > WINDOW && !(doubted && since <= WINDOW + WINDOW)
        });
        if stepped {
            self.apart = self.since.is_some_and(|since| frame.at.since(since) >= CALM_MIN);
            self.since = Some(frame.at);
        }
        let blind = health(frame).is_none() && !self.apart;
        let explained = blind || before.outside || self.lately.ails(frame);
        if stepped || over || explained {
            let Self { lately, since, apart, .. } = *self;
            *self = Self { since, apart, lately, ..Self::default() };
        }
        if stepped && !explained {
            let past = before.past.error_ratio() * before.past.doubt(before.past.errors(), before.noise);
            self.usual = past.max(self.lately.at_most(before.noise));
            self.step = Some(frame.at);
        }
        self.share = share;
    }

    /// Holds both arms against what was before the step.
    fn hold(&mut self, counts: [Counted; 2], before: &Before<'_>, params: &Params) {
        let least = (self.usual * params.history_error_margin).max(self.usual + params.error_points_margin);
        let nulls = [least + params.warmup_errors * before.cold, least];
        if self.score() <= 0.0 {
            self.counted = [Counted::default(); 2];
        }
        for (arm, counted) in counts.into_iter().enumerate() {
            let trial =
                Trial { hits: counted.hits, trials: counted.requests, null: nulls[arm], noise: before.noise };
            self.arms[arm].multiply(&e_values(&trial.log_e_of_ratios(&ERROR_RATIOS)));
            self.counted[arm].add(counted);
        }
    }

    /// The evidence that both arms were made worse, in nats.
    pub(super) fn score(&self) -> f64 {
        log(self.arms[0].mean().min(self.arms[1].mean()).max(1.0))
    }

    /// What stands behind it: both arms' counts, the share they may have had, and the step.
    pub(super) fn behind(&self) -> Option<([Counted; 2], f64, MonoTime)> {
        self.step.map(|step| (self.counted, self.usual, step))
    }
}

fn health(frame: &Frame) -> Option<f64> {
    frame.signals.get(SignalKind::DependencyHealth).usable()
}

fn failed(arm: &ArmIncrements) -> Counted {
    Counted { hits: f64::from(arm.errors), requests: f64::from(arm.requests) }
}
