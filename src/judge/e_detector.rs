//! `e_detector`: the default judge. An averaged mixture of Shiryaev-Roberts e-detectors over errors, latency, conversion,
//! memory and processor, on counts of candidate against concurrent control, which must stand whichever single pod is
//! left out ([`leave`]).
//!
//! Per frame and stream it asks how much likelier the counts are if the candidate is worse than a healthy release
//! may be, than if it is not ([`statistics::Trial`]); multiplies that up over every frame at which the harm could
//! have begun ([`statistics::Detector`]); averages over alternatives and streams, which is valid under any
//! dependence between them; and fails the candidate at `ln(average) >= ln(H / alpha)`. By Doob's inequality a watch
//! of H frames then has a false alarm with probability at most alpha, however often one looks, if the null holds.
//!
//! What makes it work on real services, greatest effect first: evidence is tempered by the noise that arms have
//! beyond counting; the null is not equality but an indifference margin; the control is concurrent, so that causes
//! from outside cancel; and the margin is wide while new pods are cold, and shrinks as they warm up.
//!
//! Streams: failed requests; requests above the bucket bound nearest the control's 97th percentile (the tail); and
//! above the one nearest its 75th (the body), for shifts too small to show in the tail. The latency margin is a
//! shift of log latency, which the past's own histogram turns into a ratio of slow requests. Beside a control also:
//! conversions among good answers; memory of the pods; and processor time per request, which is all there is where a release
//! is dearer and no slower, and of a pod where no requests are counted at all.
//!
//! **Without a control** (none, or it serves nothing, as when a rolling or blue-green deploy is done) the same
//! streams are compared with the service's own past: wider margins, noise of shared causes added, evidence muted
//! while a dependency fails or traffic surges, and the verdict says `Reference::History`. Causes from outside do not
//! cancel there; this is weaker, and slower, by nature. Where latency is recorded as p99 only, a before/after test
//! on log p99 takes the place of the body stream.
//!
//! **Missing data**: no control or candidate scrape, no evidence, and no pass either. A candidate whose scrapes are
//! missing while its control's are there is the engine's missing-data rule to answer.
//!
//! **Harm to both arms** that comes with a step of the candidate's traffic is told by the past: see [`shared`]. The verdict then says
//! `Reference::ConcurrentArm`, since it rests on both arms at the same time, and causes outside were looked at here already.
//!
//! It never learns from the candidate, and leaves out complaints (which come without a version, and late) and harm to both arms that does not come
//! with a step.

mod compare;
mod evidence;
mod gauges;
mod history;
mod leave;
mod params;
mod shared;
mod statistics;
mod streams;
mod tally;
mod warmth;

use std::sync::LazyLock;

use libm::{exp, log};

use backspin_domain::frame::Frame;
use backspin_domain::pod::PodIncrements;
use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Evidence, Reference, Verdict, VerdictClass};

pub use params::Params;

use super::inputs::{InputsSeen, fresh};
use super::{Judge, Need, Needs};
use history::{BODY_SLOW, Past};
use leave::{Against, Counts, Leaves, Step, Weakest};
use shared::Shared;
use statistics::{EValues, LogE, NO_NEWS, PairLaw, Ratios, Trial, correlation, e_values, long_run};
use streams::{BODY, CONVERSION, COUNTED, CPU, ERRORS, MEMORY, STREAMS, Streams, TAIL};
use tally::{Counted, Held, Tally};
use warmth::Warmth;

/// The judge.
#[derive(Clone, Debug)]
pub struct EDetector {
    params: Params,
    seen: InputsSeen,
    past: Past,
    watch: Watch,
    shared: Shared,
    leaves: Leaves,
}

/// What is known of the deploy being watched.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    streams: Streams,
    /// Counts behind the evidence.
    tallies: [Tally; COUNTED],
    /// The pod without which least of the evidence remains.
    weakest: Option<Weakest>,
    /// Noise and past p99, fixed when the deploy begins.
    fixed: Option<Fixed>,
    warmth: Warmth,
    gate: Gate,
    reference: Option<Reference>,
    /// Why the last frame was not judged, if it was not.
    blind: Option<Blind>,
    /// When the frame being judged began.
    frame_from: MonoTime,
    /// How long it lasted.
    interval: Millis,
    /// Of all pods.
    whole: f64,
    /// Whichever pod is left out: what is judged by.
    score: f64,
}

/// What is computed once per deploy.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    errors: Noise,
    latency: Noise,
    /// Of one arm's conversion against the other's.
    conversion: f64,
    /// Of the service's conversion against its past.
    conversion_against_past: f64,
    p99: Option<history::P99>,
}

/// Long-run variance per frame, on the log scale of the ratio in question.
#[derive(Clone, Copy, Debug)]
struct Noise {
    /// Of one arm against another.
    between_arms: f64,
    /// Of the service against its past.
    against_past: f64,
}

/// Muting of comparisons with the past (DS).
#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    closed: Option<(MonoTime, Blind)>,
    muted: Millis,
}

/// Alternatives, as multiples of the null's ratio: from just beyond the margin to total failure.
static ERROR_RATIOS: LazyLock<Ratios> = LazyLock::new(|| Ratios::new([1.6, 2.5, 5.0, 12.0, 40.0, 150.0]));
static TAIL_RATIOS: LazyLock<Ratios> = LazyLock::new(|| Ratios::new([1.3, 1.8, 3.0, 6.0, 12.0, 30.0]));
static BODY_RATIOS: LazyLock<Ratios> = LazyLock::new(|| Ratios::new([1.15, 1.3, 1.6, 2.0, 2.6, 3.4]));
/// The control's conversion as a multiple of the candidate's.
static CONVERSION_RATIOS: LazyLock<Ratios> = LazyLock::new(|| Ratios::new([1.1, 1.25, 1.5, 2.0, 4.0, 12.0]));
/// Noise of conversion that a service's arms share, on the log scale.
const CONVERSION_SHARED_NOISE: f64 = 0.05;
/// Alternatives for log p99, in standard deviations beyond the margin.
const P99_SHIFTS: LogE = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0];
/// A single p99 counts for at most this many standard deviations: one spike is not a shift.
const P99_WINSOR: f64 = 3.0;
/// Least number of frames of a watch, so that hourly recordings keep a threshold worth its name.
const FRAMES_MIN: f64 = 12.0;
/// Share of the requests below which a control arm is no longer one.
const CONTROL_SHARE_MIN: f64 = 0.01;
/// Pods are cold above this share of new ones; a minute and a half at the default time constant.
const OVERRUN_COLD: f64 = 0.2;
/// Share of the threshold from which it matters what evidence hangs on.
const MATTERS: f64 = 0.5;
/// Requests that a fresh candidate should have had before having had none is odd (DS, counter resets).
const EXPECTED_MIN: f64 = 30.0;

impl EDetector {
    /// A judge with these parameters.
    pub fn new(params: &Params) -> Self {
        Self {
            params: params.clone(),
            seen: InputsSeen::default(),
            past: Past::default(),
            watch: Watch::default(),
            shared: Shared::default(),
            leaves: Leaves::new(params.leave_one_out),
        }
    }

    /// Score at which a candidate fails: `ln(H / alpha)`.
    fn threshold(&self, interval: Millis) -> f64 {
        let frames = self.params.watch_ms as f64 / interval.0.max(1) as f64;
        log(frames.max(FRAMES_MIN) / self.params.alpha)
    }

    /// Noise as assumed, raised to what the past showed: lasting noise scales both parts of the assumption, since
    /// one arm cannot tell them apart; noise that does not last is the arm's own.
    fn fix(&self, interval: Millis) -> Fixed {
        let p = &self.params;
        let dt = interval.as_secs_f64();
        let phi = correlation(dt, p.shared_correlation_s);
        let noise = |arm: f64, shared: f64, learned: statistics::Learned| {
            let assumed = arm * arm + shared * shared;
            let scale =
                if assumed > 0.0 { (learned.lasting / assumed).clamp(1.0, NOISE_SCALE_MAX) } else { 1.0 };
            let own = scale * long_run(arm * arm, dt, p.arm_correlation_s) + learned.passing;
            let common = scale * long_run(shared * shared, dt, p.shared_correlation_s);
            Noise { between_arms: 2.0 * own, against_past: own + common }
        };
        // From the share of slow requests to log latency.
        let slope = self.past.cut(BODY_SLOW).map_or(1.0, |cut| self.slope(cut));
        let of_body = |learned: statistics::Learned| {
            let learned = statistics::Learned {
                lasting: learned.lasting / (slope * slope),
                passing: learned.passing / (slope * slope),
            };
            noise(p.latency_arm_noise, p.latency_shared_noise, learned)
        };
        let (body, loaded) = (of_body(self.past.body_noise(phi)), of_body(self.past.loaded_body_noise(phi)));
        let conversion = long_run(p.conversion_arm_noise * p.conversion_arm_noise, dt, p.arm_correlation_s);
        Fixed {
            errors: noise(p.error_arm_noise, p.error_shared_noise, self.past.error_noise(phi)),
            // The past is compared with under an allowance for load; between arms nothing else stands for what is not alike in them.
            latency: Noise { between_arms: body.between_arms, against_past: loaded.against_past },
            conversion: 2.0 * conversion,
            conversion_against_past: conversion
                + long_run(CONVERSION_SHARED_NOISE * CONVERSION_SHARED_NOISE, dt, p.shared_correlation_s),
            p99: self.past.p99(dt, p),
        }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// It was compared.
    Compared(Reference),
    /// Everything is there, and nothing happened.
    NoNews,
    /// Something that should be there is not, or it is muted.
    Blind(Blind),
}

/// Why a frame is not judged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blind {
    /// The candidate was not measured.
    Candidate,
    /// Its control was not.
    Control,
    /// The candidate is given traffic and counted none.
    Silent,
    /// There is nothing to compare with.
    NoPast,
    /// New pods have more to do than cold pods can.
    Cold,
    /// A dependency fails.
    Dependency,
    /// There is more load than can be compared with the past.
    Load,
}

/// What one stream counted in one frame: both arms, and a way to tell the same of a pod.
struct Pair<'a> {
    candidate: Counted,
    control: Counted,
    of_pod: Counts<'a>,
    pods: &'a [PodIncrements],
}

/// The ratio a healthy candidate may have, and the noise around it.
#[derive(Clone, Copy, Debug)]
struct Margin {
    ratio: f64,
    noise: f64,
}

/// Learned noise is believed up to this multiple of the assumed one.
const NOISE_SCALE_MAX: f64 = 25.0;
/// Shift of log latency over which a slope is taken.
const SLOPE_SHIFT: f64 = 0.2;
/// Least margin on a share of slow requests: a histogram with few above the bound shows too small a growth.
const RATIO_MIN: f64 = 1.1;

impl EDetector {
    fn take_pair(&mut self, stream: usize, pair: &Pair<'_>, margin: Margin, ratios: &'static Ratios) {
        let law = PairLaw::new(margin.ratio, margin.noise, ratios);
        self.take(stream, pair, &law);
    }

    /// The other way round: the control has more of what is good.
    fn take_good(&mut self, stream: usize, pair: &Pair<'_>, margin: Margin, ratios: &'static Ratios) {
        self.take(stream, pair, &PairLaw::new(margin.ratio, margin.noise, ratios).reversed());
    }

    fn take(&mut self, stream: usize, pair: &Pair<'_>, law: &PairLaw) {
        let (candidate, control) = (pair.candidate, pair.control);
        let begins = self.watch.count(stream, candidate, Held::Control(control));
        let (against, whole) = if candidate.hits + control.hits > 0.0 {
            (Against::Control(control, *law), self.watch.step(stream, &law.log_e(candidate, control)))
        } else {
            (Against::Nothing, NO_NEWS)
        };
        let step = Step { stream, whole, candidate, against, begins };
        self.leaves.step(&step, pair.pods, pair.of_pod);
    }

    /// `past` is the share before the deploy, `trial` the candidate's count.
    fn take_trial(
        &mut self,
        stream: usize,
        trial: Trial,
        past: f64,
        ratios: &'static Ratios,
        pods: &[PodIncrements],
        of_pod: Counts<'_>,
    ) {
        let candidate = Counted { hits: trial.hits, requests: trial.trials };
        let begins = self.watch.count(stream, candidate, Held::Past(past));
        let whole = self.watch.step(stream, &trial.log_e_of_ratios(ratios));
        let step = Step { stream, whole, candidate, against: Against::Past(trial, ratios), begins };
        self.leaves.step(&step, pods, of_pod);
    }

    /// Takes the evidence of a stream that does not tell pods apart.
    fn take_whole(&mut self, stream: usize, log_e: &LogE) {
        let whole = e_values(log_e);
        self.watch.streams.multiply(stream, &whole);
        let candidate = Counted::default();
        let step = Step { stream, whole, candidate, against: Against::Other, begins: false };
        self.leaves.step(&step, &[], &|_| candidate);
    }

    /// The signal that the score is about.
    fn leading(&self) -> SignalKind {
        if self.is_shared() { SignalKind::ErrorRatio } else { signal_of(self.watch.streams.leading()) }
    }

    /// Whether the score is that of harm to both arms.
    fn is_shared(&self) -> bool {
        self.watch.score > 0.0 && self.shared.score() >= self.watch.score
    }

    /// Sums up what the frame came to.
    fn sum_up(&mut self, threshold: f64) {
        let floor = MATTERS * threshold;
        let whole = self.watch.streams.mean();
        self.watch.whole = log(whole.max(1.0));
        self.watch.weakest = self.leaves.weakest(whole, exp(floor));
        // What is worth no look at the pods is not taken back when one is had.
        let least = self.watch.weakest.map_or(self.watch.whole, |weakest| weakest.score().max(floor));
        self.watch.score = least.min(self.watch.whole).max(self.shared.score());
    }
}

impl Watch {
    /// Takes a frame's counts of a stream; whether a new run of it began.
    fn count(&mut self, stream: usize, candidate: Counted, held: Held) -> bool {
        let tally = &mut self.tallies[stream];
        let begins = tally.begin(self.frame_from);
        tally.count(candidate, held);
        begins
    }

    /// Takes a frame's evidence in a stream that is counted; gives it as e-values.
    fn step(&mut self, stream: usize, log_e: &LogE) -> EValues {
        let e = e_values(log_e);
        self.streams.multiply(stream, &e);
        self.tallies[stream].step(log_e);
        e
    }
}

impl Judge for EDetector {
    fn name(&self) -> &'static str {
        "e_detector"
    }

    fn needs(&self) -> Needs {
        &[
            &[Need::ErrorCounts],
            &[Need::LatencyBuckets],
            &[Need::Signal(SignalKind::LatencyP99)],
            &[Need::Signal(SignalKind::Cpu)],
        ]
    }

    fn reads_pods(&self) -> bool {
        true
    }

    fn reset(&mut self) {
        self.watch = Watch::default();
        self.shared.forget_deploy();
        self.leaves.clear();
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        self.seen.note(frame);
        let threshold = self.threshold(frame.interval);
        let Some(since_deploy) = frame.rollout.since_deploy else {
            let old = frame.control().and_then(fresh);
            let disturbed = self.outside_cause(frame, old).is_some();
            self.past.learn_before_deploy(frame, old, disturbed, &self.params);
            if let Some(old) = old {
                self.shared.learn(frame, old);
            }
            return Verdict::inconclusive(threshold);
        };
        if self.watch.fixed.is_none() {
            // The frame's counts are as old as its middle.
            let age = since_deploy.as_secs_f64() - 0.5 * frame.interval.as_secs_f64();
            self.watch.warmth.cold = exp(-age.max(0.0) / self.params.warmup_s);
        } else {
            self.watch.warmth.warm(frame.interval, &self.params);
        }
        let seen = self.compare(frame);
        self.watch.blind = match seen {
            Seen::Blind(blind) => Some(blind),
            Seen::Compared(_) | Seen::NoNews => None,
        };
        if let Seen::Compared(reference) = seen {
            self.watch.reference = Some(reference);
            self.sum_up(threshold);
        }
        let score = self.watch.score;
        let judged =
            self.watch.blind.is_none() && self.watch.reference.is_some() && self.seen.satisfy(self.needs());
        let class = if score >= threshold {
            // Evidence stands, whatever is missing now.
            VerdictClass::Fail
        } else if !judged {
            VerdictClass::Inconclusive
        } else if score >= self.params.marginal_share * threshold {
            VerdictClass::Marginal
        } else {
            VerdictClass::Pass
        };
        let primary = (score > 0.0).then(|| self.leading());
        Verdict {
            class,
            score,
            threshold,
            primary,
            reference: self.watch.reference.unwrap_or(Reference::None),
        }
    }

    fn evidence(&self, frame: &Frame) -> Evidence {
        evidence::of(self, frame)
    }
}

/// The signal that a stream is about.
fn signal_of(stream: usize) -> SignalKind {
    match stream {
        ERRORS => SignalKind::ErrorRatio,
        CONVERSION => SignalKind::ConversionDrop,
        MEMORY => SignalKind::Memory,
        CPU => SignalKind::Cpu,
        _ => SignalKind::LatencyP99,
    }
}

#[cfg(test)]
mod deploys;
#[cfg(test)]
mod pods;
#[cfg(test)]
mod tests;
