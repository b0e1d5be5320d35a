//! One frame: which arm or past the candidate is compared with, and when it is not compared at all.

use libm::{exp, log};

use super::gauges::gauge_log_e;
use super::history::{self, BODY_SLOW, Cut, TAIL_SLOW, slow_requests, throughput};
use super::shared::Before;
use super::statistics::Trial;
use super::tally::Held;
use super::{
    BODY, BODY_RATIOS, Blind, CONTROL_SHARE_MIN, CONVERSION, CONVERSION_RATIOS, Counted, EDetector,
    ERROR_RATIOS, ERRORS, EXPECTED_MIN, Fixed, Margin, OVERRUN_COLD, P99_WINSOR, Pair, RATIO_MIN,
    SLOPE_SHIFT, Seen, TAIL, TAIL_RATIOS, fresh,
};
use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BOUNDS_MS, LATENCY_BUCKETS};
use backspin_domain::pod::PodIncrements;
use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::Reference;

impl EDetector {
    /// Relative change of the share above a cut for a small shift of log latency; at least 1, so that a histogram
    /// with nothing just below the cut does not make its noise vanish.
    pub(super) fn slope(&self, cut: Cut) -> f64 {
        (log(self.past.growth(cut, SLOPE_SHIFT)) / SLOPE_SHIFT).max(1.0)
    }

    /// Compares both arms at the same time.
    fn compare_arms(
        &mut self,
        fixed: &Fixed,
        candidate: &ArmIncrements,
        control: &ArmIncrements,
        pods: &[PodIncrements],
        interval_s: f64,
    ) {
        let p = &self.params;
        let cold = self.watch.warmth.cold;
        let usual = self.past.error_ratio();
        let errors = Margin {
            ratio: (1.0 + p.error_points_margin / usual).max(p.error_margin) + p.warmup_errors * cold / usual,
            noise: fixed.errors.between_arms,
        };
        let conversion =
            Margin { ratio: p.conversion_margin * exp(WARMUP_CONVERSION * cold), noise: fixed.conversion };
        let load = self.past.busier(candidate, control, interval_s).unwrap_or(0.0);
        let shift = p.latency_margin + p.warmup_latency * cold + load;
        let empty = self.empty_caches();
        let pair = Pair {
            candidate: failed(candidate.errors, candidate.requests),
            control: failed(control.errors, control.requests),
            of_pod: &|pod| failed(pod.errors, pod.requests),
            pods,
        };
        self.take_pair(ERRORS, &pair, errors, &ERROR_RATIOS);
        let pair = Pair {
            candidate: converted(candidate.conversions, candidate.requests, candidate.errors),
            control: converted(control.conversions, control.requests, control.errors),
            of_pod: &|pod| converted(pod.conversions, pod.requests, pod.errors),
            pods,
        };
        self.take_good(CONVERSION, &pair, conversion, &CONVERSION_RATIOS);
        self.compare_gauges(candidate, control);
        if !(candidate.has_latency_buckets() && control.has_latency_buckets()) {
            return;
        }
        for (stream, target, ratios, caches) in [
            (TAIL, TAIL_SLOW, &*TAIL_RATIOS, CACHE_TAIL_LATENCY),
            (BODY, BODY_SLOW, &*BODY_RATIOS, CACHE_LATENCY),
        ] {
            let Some(cut) = self.past.cut(target) else { continue };
            let slope = self.slope(cut);
            let margin = Margin {
                ratio: self.past.growth(cut, shift + caches * empty).max(RATIO_MIN),
                noise: slope * slope * fixed.latency.between_arms,
            };
            let pair = Pair {
                candidate: slow(&candidate.latency_buckets, candidate.requests, cut),
                control: slow(&control.latency_buckets, control.requests, cut),
                of_pod: &|pod| slow(&pod.latency_buckets, pod.requests, cut),
                pods,
            };
            self.watch.tallies[stream].over_ms = Some(LATENCY_BOUNDS_MS[cut.first_slow - 1]);
            self.take_pair(stream, &pair, margin, ratios);
        }
    }

    /// How empty the caches of the candidate's pods are, from 1: that goes by what they served, and at little traffic lasts far longer than
    /// pods are cold.
    pub(super) fn empty_caches(&self) -> f64 {
        1.0 - self.watch.warmth.filled
    }

    /// Compares the candidate with the service's own past.
    fn compare_past(&mut self, fixed: &Fixed, frame: &Frame, candidate: &ArmIncrements) {
        let p = &self.params;
        let n = f64::from(candidate.requests);
        let cold = self.watch.warmth.cold;
        let noise = fixed.errors.against_past;
        let usual = self.past.error_ratio() * self.past.doubt(self.past.errors(), noise);
        let null =
            (usual * p.history_error_margin).max(usual + p.error_points_margin) + p.warmup_errors * cold;
        let trial = Trial { hits: f64::from(candidate.errors), trials: n, null, noise };
        let past = self.past.error_ratio();
        let pods = &frame.pods;
        self.take_trial(ERRORS, trial, past, &ERROR_RATIOS, pods, &|pod| failed(pod.errors, pod.requests));
        self.compare_memory_with_past(candidate);
        self.compare_conversion_with_past(fixed, candidate);
        if !candidate.has_latency_buckets() {
            return;
        }
        let shift = self.past_latency_margin(frame, Some(candidate));
        for (stream, target, ratios) in [(TAIL, TAIL_SLOW, &*TAIL_RATIOS), (BODY, BODY_SLOW, &*BODY_RATIOS)] {
            let Some(cut) = self.past.cut(target) else { continue };
            let slope = self.slope(cut);
            let noise = slope * slope * fixed.latency.against_past;
            let doubt = self.past.doubt(cut.slow * self.past.timed(), noise);
            let null = cut.slow * self.past.growth(cut, shift).max(RATIO_MIN) * doubt;
            let hits = slow_requests(&candidate.latency_buckets, cut);
            let trial = Trial { hits, trials: n, null, noise };
            self.watch.tallies[stream].over_ms = Some(LATENCY_BOUNDS_MS[cut.first_slow - 1]);
            self.take_trial(stream, trial, cut.slow, ratios, pods, &|pod| {
                slow(&pod.latency_buckets, pod.requests, cut)
            });
        }
    }

    /// The same of conversion. What did not convert is what is counted, since the evidence is for more of it; pods are not
    /// told apart.
    fn compare_conversion_with_past(&mut self, fixed: &Fixed, candidate: &ArmIncrements) {
        let Some(usual) = self.past.conversion_ratio() else { return };
        let counted = converted(candidate.conversions, candidate.requests, candidate.errors);
        let noise = fixed.conversion_against_past;
        let margin = self.params.history_conversion_margin
            * exp(WARMUP_CONVERSION * self.watch.warmth.cold)
            * self.past.doubt(self.past.conversions(), noise);
        let least = usual / margin;
        // Noise is of the log of the share that converts, and so, in log odds, of the one that does not.
        let trial = Trial {
            hits: counted.requests - counted.hits,
            trials: counted.requests,
            null: 1.0 - least,
            noise,
        };
        self.watch.count(CONVERSION, counted, Held::Past(usual));
        let log_e = trial.log_e(|k| 1.0 - least / CONVERSION_RATIOS.of(k));
        self.watch.tallies[CONVERSION].step(&log_e);
        self.take_whole(CONVERSION, &log_e);
    }

    /// The shift of log latency that is not held against a candidate when only the past can be compared with.
    fn past_latency_margin(&self, frame: &Frame, candidate: Option<&ArmIncrements>) -> f64 {
        let p = &self.params;
        let load = match candidate.and_then(|arm| self.past.utilisation(arm, frame.interval.as_secs_f64())) {
            Some(utilisation) => self.past.queueing(utilisation),
            None => p.history_load_elasticity * log(self.surge(frame).max(1.0)),
        };
        p.history_latency_margin + p.warmup_latency * self.watch.warmth.cold + load
    }

    /// Throughput as a multiple of the past's; 1 if that is unknown.
    fn surge(&self, frame: &Frame) -> f64 {
        let rate = self.past.rate();
        if rate > 0.0 { throughput(frame) / rate } else { 1.0 }
    }

    /// Compares p99 with its past, where nothing better was recorded. Normal alternatives on a winsorised value,
    /// tempered by `(1 - phi) / (1 + phi)` for its correlation.
    fn compare_p99(&mut self, frame: &Frame, past: &history::P99, p99_ms: f64) {
        let margin = self.past_latency_margin(frame, None);
        let z = ((log(p99_ms) - past.centre - margin) / past.spread).min(P99_WINSOR);
        let log_e = gauge_log_e(z, past.correlation);
        self.watch.tallies[BODY].step(&log_e);
        self.take_whole(BODY, &log_e);
    }

    /// Compares both arms with each other, and with the past what comes with a step of the candidate's traffic.
    fn compare_at_once(
        &mut self,
        fixed: &Fixed,
        frame: &Frame,
        candidate: &ArmIncrements,
        control: &ArmIncrements,
    ) {
        let limit = self.threshold(frame.interval);
        let control = self.leaves.sound(control, &frame.pods, exp(limit));
        let before = Before {
            past: &self.past,
            noise: fixed.errors.against_past,
            cold: self.watch.warmth.cold,
            outside: self.outside_cause(frame, Some(candidate)).is_some(),
            limit,
        };
        self.shared.take(frame, [candidate, &control], &before, &self.params);
        let interval_s = frame.interval.as_secs_f64();
        self.compare_arms(fixed, candidate, &control, &frame.pods, interval_s);
        self.past.learn_from_control(&control, interval_s, &self.params);
    }

    /// What this frame can be compared with, having compared it; none if it says nothing.
    pub(super) fn compare(&mut self, frame: &Frame) -> Seen {
        self.leaves.see(frame, &self.watch.streams);
        let fixed = match self.watch.fixed {
            Some(fixed) => fixed,
            None => *self.watch.fixed.insert(self.fix(frame.interval)),
        };
        let p99 = frame.signals.get(SignalKind::LatencyP99).usable().filter(|v| *v > 0.0).zip(fixed.p99);
        self.watch.frame_from = MonoTime(frame.at.0.saturating_sub(frame.interval.0));
        self.watch.interval = frame.interval;
        let Some(candidate) = frame.candidate.as_ref() else {
            // A recording of signals alone: the candidate is the service.
            let Some((p99_ms, past)) = p99.filter(|_| frame.control().is_none()) else {
                return Seen::Blind(Blind::Candidate);
            };
            if let Some(blind) = self.is_muted(frame, None) {
                return Seen::Blind(blind);
            }
            self.compare_p99(frame, &past, p99_ms);
            return Seen::Compared(Reference::History);
        };
        let Some(candidate) = fresh(candidate) else { return Seen::Blind(Blind::Candidate) };
        self.watch.warmth.note(candidate.pods_ready);
        self.watch.warmth.serve(candidate.requests, candidate.pods_ready);
        let total =
            f64::from(candidate.requests) + frame.control().map_or(0.0, |arm| f64::from(arm.requests));
        if candidate.requests == 0 {
            if let Some(control) = frame.control().and_then(fresh)
                && !self.seen.counts_requests()
                && self.compare_gauges(candidate, control)
            {
                return Seen::Compared(Reference::ConcurrentArm);
            }
            let odd = total * frame.rollout.candidate_share > EXPECTED_MIN;
            return if odd { Seen::Blind(Blind::Silent) } else { Seen::NoNews };
        }
        match frame.control() {
            Some(control) if fresh(control).is_none() => Seen::Blind(Blind::Control),
            Some(control) if f64::from(control.requests) >= CONTROL_SHARE_MIN * total => {
                if self.is_overrun(candidate) {
                    return Seen::Blind(Blind::Cold);
                }
                self.compare_at_once(&fixed, frame, candidate, control);
                Seen::Compared(Reference::ConcurrentArm)
            }
            _ => {
                let outage = candidate.error_ratio().is_some_and(|ratio| ratio >= self.params.total_outage);
                if !self.past.is_known() {
                    return Seen::Blind(Blind::NoPast);
                }
                let cold = self.watch.warmth.cold > OVERRUN_COLD;
                // A candidate that is down entirely is at fault, unless it has just started and what it calls fails.
                let excused = |blind: &Blind| !outage || (cold && *blind == Blind::Dependency);
                if let Some(blind) = self.is_muted(frame, Some(candidate)).filter(excused) {
                    return Seen::Blind(blind);
                }
                self.compare_past(&fixed, frame, candidate);
                match p99 {
                    Some((p99_ms, past)) if !candidate.has_latency_buckets() => {
                        self.compare_p99(frame, &past, p99_ms);
                    }
                    _ => {}
                }
                Seen::Compared(Reference::History)
            }
        }
    }

    /// Whether cold pods have more to do than cold pods can: what fails then fails for want of capacity, and is
    /// seen again once they are warm, if it was not that. Bounded, since only new pods are cold, and once.
    fn is_overrun(&self, candidate: &ArmIncrements) -> bool {
        self.watch.warmth.cold > OVERRUN_COLD
            && f64::from(candidate.cpu_ratio) >= self.params.gate_utilisation
            && candidate.error_ratio().is_none_or(|ratio| ratio < self.params.total_outage)
    }

    /// What anyone would suffer from now, if there is such a thing.
    pub(super) fn outside_cause(&self, frame: &Frame, candidate: Option<&ArmIncrements>) -> Option<Blind> {
        let p = &self.params;
        let health = frame.signals.get(SignalKind::DependencyHealth).usable();
        if health.is_some_and(|health| health < p.gate_dependency_health) {
            return Some(Blind::Dependency);
        }
        let seconds = frame.interval.as_secs_f64();
        let loaded = match candidate.and_then(|arm| self.past.utilisation(arm, seconds)) {
            Some(utilisation) => utilisation >= p.gate_utilisation,
            None => self.surge(frame) > p.gate_surge,
        };
        if loaded {
            return Some(Blind::Load);
        }
        candidate.filter(|arm| self.is_overrun(arm)).map(|_| Blind::Cold)
    }

    /// Why a comparison with the past would blame the candidate for what anyone would suffer now, if it would.
    fn is_muted(&mut self, frame: &Frame, candidate: Option<&ArmIncrements>) -> Option<Blind> {
        let cause = self.outside_cause(frame, candidate);
        let p = &self.params;
        let gate = &mut self.watch.gate;
        if let Some(cause) = cause {
            gate.closed = Some((frame.at + Millis(p.gate_after_ms), cause));
        }
        let muted = gate.closed.filter(|&(until, _)| frame.at <= until && gate.muted.0 < p.gate_max_ms);
        gate.muted = if muted.is_some() {
            gate.muted + frame.interval
        } else {
            // A quarter of the time that is judged is regained, or one noisy minute would leave no patience for
            // an outage half an hour later.
            gate.muted.saturating_sub(Millis(frame.interval.0 / 4))
        };
        muted.map(|(_, cause)| cause)
    }
}

/// Failed requests.
fn failed(errors: u32, requests: u32) -> Counted {
    Counted { hits: f64::from(errors), requests: f64::from(requests) }
}

/// Good answers that converted.
fn converted(conversions: u32, requests: u32, errors: u32) -> Counted {
    Counted { hits: f64::from(conversions), requests: f64::from(requests.saturating_sub(errors)) }
}

/// Slow requests.
fn slow(buckets: &[u32; LATENCY_BUCKETS], requests: u32, cut: Cut) -> Counted {
    Counted { hits: slow_requests(buckets, cut), requests: f64::from(requests) }
}

/// How much less cold pods may convert, on the log scale: slow answers convert less, a tenth per doubling as assumed in the
/// design study's world, and cold pods may be slower by a factor of `e`.
const WARMUP_CONVERSION: f64 = 0.25;

/// Shift of log latency that empty caches may cost beyond [`super::Params::warmup_latency`]. Every hundredth of it makes versions that are slower by half
/// a little later to find where traffic is little.
const CACHE_LATENCY: f64 = 0.04;
/// The same of slow requests: a call that a cache would have saved adds a time and not a factor, so it is less of a long one.
const CACHE_TAIL_LATENCY: f64 = 0.02;
