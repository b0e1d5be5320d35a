//! The e-detector's reasons, in words and numbers.

use libm::{exp, log};

use crate::domain::frame::Frame;
use crate::domain::signal::SignalKind;
use crate::domain::verdict::{Evidence, Factor, Reference};

use super::{BODY, EDetector, ERRORS, STREAMS, TAIL};

/// Names of the streams as factors.
const NAMES: [&str; STREAMS] = ["error_ratio", "latency_tail_ratio", "latency_body_ratio"];

pub(super) fn of(judge: &EDetector, frame: &Frame) -> Evidence {
    let watch = &judge.watch;
    let sum: f64 = watch.mean() * STREAMS as f64;
    let mut factors = Vec::new();
    for stream in [ERRORS, TAIL, BODY] {
        let (mean, tally) = (watch.detectors[stream].mean(), watch.tallies[stream]);
        if mean <= 0.0 {
            continue;
        }
        let (signal, value, threshold) = if tally.requests > 0.0 {
            let usual = tally.reference_hits / tally.reference_requests.max(1.0);
            (NAMES[stream], tally.hits / tally.requests, usual * tally.margin)
        } else {
            // Latency from p99 alone: no counts stand behind it.
            let p99 = frame.signals[SignalKind::LatencyP99].usable();
            let Some((value, past)) = p99.zip(watch.fixed.and_then(|fixed| fixed.p99)) else { continue };
            let limit = exp(past.centre + judge.past_latency_margin(frame, None));
            (SignalKind::LatencyP99.name(), value, limit)
        };
        factors.push(Factor {
            signal: signal.to_owned(),
            value,
            threshold,
            impact: log(mean.max(1.0)),
            contribution: if sum > 0.0 { mean / sum } else { 0.0 },
        });
    }
    factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    let against = match watch.reference {
        Some(Reference::ConcurrentArm) => "the control at the same time",
        Some(Reference::History) => "the service's own past",
        Some(Reference::Limit | Reference::None) | None => "nothing yet",
    };
    let words = format!(
        "compared with {against}, evidence of harm is {:.1} of the {:.1} nats that fail a candidate \
         (at most one false alarm in {:.0} watches)",
        watch.score,
        judge.threshold(frame.interval),
        exp(-log(judge.params.alpha)),
    );
    Evidence { words, factors }
}
