//! Gauges of the pods: memory, and processor time. Nobody counts anything here, so the evidence rests on an assumed
//! noise of the gauge, and is tempered for the long memory that gauges have.

use libm::{log, sqrt};

use super::statistics::{ALTERNATIVES, LogE, correlation};
use super::{CPU, EDetector, MEMORY, P99_SHIFTS};
use backspin_domain::frame::ArmIncrements;

/// A single value counts for at most this many standard deviations.
const WINSOR: f64 = 4.0;
/// Sd of the difference of two arms' memory, share of the limit: garbage that is or is not collected yet.
const MEMORY_NOISE: f64 = 0.02;
/// Sd of the log ratio of two arms' processor time.
const CPU_NOISE: f64 = 0.1;
/// Mean processor use below which what a pod does when idle is most of it.
const CPU_MIN: f64 = 0.05;
/// Requests of an arm in a frame below which their cost is not told from that of being there.
const REQUESTS_MIN: u32 = 10;

/// Log e-values of a normal value `z` standard deviations beyond its margin, against shifts of the mean, tempered by
/// `(1 - phi) / (1 + phi)` for its correlation from frame to frame.
pub(super) fn gauge_log_e(z: f64, phi: f64) -> LogE {
    let w = (1.0 - phi) / (1.0 + phi);
    let mut log_e = [0.0; ALTERNATIVES];
    for (l, shift) in log_e.iter_mut().zip(P99_SHIFTS) {
        *l = w * (shift * z - 0.5 * shift * shift);
    }
    log_e
}

impl EDetector {
    /// Compares memory and processor time of both arms; whether there was anything to compare.
    pub(super) fn compare_gauges(&mut self, candidate: &ArmIncrements, control: &ArmIncrements) -> bool {
        if candidate.pods_ready == 0 || control.pods_ready == 0 {
            return false;
        }
        let memory = candidate.memory_ratio > 0.0 && control.memory_ratio > 0.0;
        if memory {
            let normal = f64::from(control.memory_ratio) + self.params.memory_margin;
            self.take_memory(f64::from(candidate.memory_ratio), normal);
        }
        let Some(cpu) = dearer(candidate, control) else { return memory };
        let margin = log(self.params.cpu_margin) + self.params.warmup_latency * self.watch.warmth.cold;
        // A pod's processor is read over another moment than its requests are counted over, so counting is noise as well.
        let counted = [candidate, control].map(|arm| f64::from(arm.requests.max(1)));
        let counting = if candidate.requests > 0 { 1.0 / counted[0] + 1.0 / counted[1] } else { 0.0 };
        let noise = sqrt(CPU_NOISE * CPU_NOISE + counting);
        let phi = self.past.cost_correlation(self.gauge_correlation());
        self.take_whole(CPU, &gauge_log_e(((cpu - margin) / noise).min(WINSOR), phi));
        true
    }

    /// The same where there is no control: memory against what it was before the deploy.
    pub(super) fn compare_memory_with_past(&mut self, candidate: &ArmIncrements) {
        if let Some(before) = self.past.memory().filter(|_| candidate.pods_ready > 0) {
            let normal = before + self.params.history_memory_margin;
            self.take_memory(f64::from(candidate.memory_ratio), normal);
        }
    }

    /// `normal` is what a healthy release may have.
    fn take_memory(&mut self, memory: f64, normal: f64) {
        let z = ((memory - normal.max(self.params.memory_harmless)) / MEMORY_NOISE).min(WINSOR);
        self.take_whole(MEMORY, &gauge_log_e(z, self.gauge_correlation()));
    }

    fn gauge_correlation(&self) -> f64 {
        correlation(self.watch.interval.as_secs_f64(), self.params.shared_correlation_s)
    }
}

/// By how much more processor time the candidate takes, on the log scale: per request, or per pod where neither arm
/// counts requests.
pub(super) fn dearer(candidate: &ArmIncrements, control: &ArmIncrements) -> Option<f64> {
    let used = |arm: &ArmIncrements| f64::from(arm.cpu_ratio) * f64::from(arm.pods_ready);
    if f64::from(control.cpu_ratio) < CPU_MIN || candidate.cpu_ratio <= 0.0 {
        return None;
    }
    let per = |arm: &ArmIncrements| match (candidate.requests, control.requests) {
        (0, 0) => Some(f64::from(arm.pods_ready)),
        _ => (arm.requests >= REQUESTS_MIN).then(|| f64::from(arm.requests)),
    };
    Some(log(used(candidate) / per(candidate)? / (used(control) / per(control)?)))
}

/// Processor time per request of one arm, on the log scale, where both are enough to tell.
pub(super) fn cost(arm: &ArmIncrements) -> Option<f64> {
    let known = f64::from(arm.cpu_ratio) >= CPU_MIN && arm.requests >= REQUESTS_MIN && arm.pods_ready > 0;
    known.then(|| log(f64::from(arm.cpu_ratio) * f64::from(arm.pods_ready) / f64::from(arm.requests)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(requests: u32, pods_ready: u16, cpu_ratio: f32) -> ArmIncrements {
        ArmIncrements { requests, pods_ready, cpu_ratio, ..ArmIncrements::default() }
    }

    #[test]
    fn cost_is_per_request_and_per_pod_where_there_are_none() {
        let ratio = |a: &ArmIncrements, b: &ArmIncrements| dearer(a, b).map(libm::exp);
        let close = |found: Option<f64>, expected: f64| {
            assert!(found.is_some_and(|found| (found - expected).abs() < 1e-6), "{found:?}");
        };
        close(ratio(&arm(100, 1, 0.4), &arm(900, 9, 0.2)), 2.0);
        close(ratio(&arm(50, 1, 0.2), &arm(900, 9, 0.2)), 2.0);
        close(ratio(&arm(0, 2, 0.6), &arm(0, 9, 0.2)), 3.0);
        for (a, b) in [
            (arm(100, 1, 0.4), arm(900, 9, 0.04)),
            (arm(9, 1, 0.4), arm(900, 9, 0.2)),
            (arm(0, 1, 0.4), arm(900, 9, 0.2)),
            (arm(100, 1, 0.0), arm(900, 9, 0.2)),
        ] {
            assert_eq!(dearer(&a, &b), None);
        }
    }

    #[test]
    fn a_value_on_its_margin_is_no_evidence() {
        for l in gauge_log_e(0.0, 0.5) {
            assert!(l < 0.0);
        }
        assert!(gauge_log_e(2.0, 0.5)[1] > 0.0);
        assert!(gauge_log_e(2.0, 0.9)[1] < gauge_log_e(2.0, 0.5)[1], "what lasts is one observation");
    }

    #[test]
    fn what_wanders_for_long_is_believed_and_a_short_history_is_not() {
        let learned = |frames: u32, cpu: fn(u32) -> f32| {
            let mut past = crate::e_detector::history::Past::default();
            for i in 0..frames {
                let arm =
                    ArmIncrements { quality: backspin_domain::signal::Quality::Fresh, ..arm(500, 4, cpu(i)) };
                past.learn_before_deploy(
                    &backspin_domain::frame::Frame::default(),
                    Some(&arm),
                    false,
                    &crate::e_detector::Params::default(),
                );
            }
            past.cost_correlation(0.9)
        };
        let flips = |i: u32| if i.is_multiple_of(2) { 0.30 } else { 0.33 };
        let drifts = |i: u32| if (i / 30).is_multiple_of(2) { 0.30 } else { 0.33 };
        assert_eq!(learned(8, flips), 0.9);
        assert!(learned(120, flips) < 0.25, "{}", learned(120, flips));
        assert!(learned(120, drifts) > 0.8, "{}", learned(120, drifts));
    }
}
