//! What a plan of faults does to a frame on its way to the engine.

use std::collections::VecDeque;
use std::sync::Arc;

use backspin_domain::fault::{FaultKind, FaultTarget, PlannedFault};
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::pod::PodArm;
use backspin_domain::signal::{Quality, QueryValue, SignalKind, SignalSample};
use backspin_domain::time::MonoTime;

/// Faults that spoil a frame; all but a late answer, which leaves it as it is.
pub(super) const SPOILING: [FaultKind; 12] = [
    FaultKind::ScrapeGap,
    FaultKind::MetricsDown,
    FaultKind::PartialAnswer,
    FaultKind::FrozenSamples,
    FaultKind::LateSamples,
    FaultKind::EmptyVectors,
    FaultKind::CounterReset,
    FaultKind::ArmLost,
    FaultKind::CountedTwice,
    FaultKind::ServerClock,
    FaultKind::MixedCohorts,
    FaultKind::LyingProvider,
];

/// Frames of the past, for those that come late.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(VecDeque<Arc<Frame>>);

/// Frames that are kept: half an hour at the usual interval of 15 s.
const KEPT: usize = 120;

impl Past {
    /// Keeps a frame.
    pub(super) fn keep(&mut self, frame: &Arc<Frame>) {
        if self.0.back().is_some_and(|last| last.at >= frame.at) {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(frame.clone());
    }

    /// The newest one that was there at a moment; the oldest if none was.
    fn at(&self, at: MonoTime) -> Option<&Arc<Frame>> {
        self.0.iter().rev().find(|frame| frame.at <= at).or_else(|| self.0.front())
    }
}

/// The frame that the engine gets instead.
pub(super) fn spoil(frame: &Arc<Frame>, fault: &PlannedFault, past: &Past, now: MonoTime) -> Arc<Frame> {
    if fault.kind == FaultKind::LateSamples {
        return past.at(now - fault.by).unwrap_or(frame).clone();
    }
    let mut spoiled = Frame::clone(frame);
    match fault.kind {
        FaultKind::ScrapeGap => blind(&mut spoiled, fault.target, Quality::Missing),
        FaultKind::MetricsDown => {
            blind(&mut spoiled, FaultTarget::All, Quality::Failed);
            fail_queries(&mut spoiled, 1.0);
        }
        FaultKind::PartialAnswer => {
            spoiled.pods.clear();
            fail_queries(&mut spoiled, fault.share);
        }
        FaultKind::FrozenSamples => {
            blind(&mut spoiled, fault.target, Quality::Stale);
            for kind in SignalKind::ALL {
                let sample = spoiled.signals.get(kind);
                if sample.quality == Quality::Fresh {
                    spoiled.signals.set(kind, SignalSample { quality: Quality::Stale, ..sample });
                }
            }
        }
        FaultKind::EmptyVectors => {
            for kind in SignalKind::ALL {
                let sample = SignalSample { quality: Quality::Missing, ..SignalSample::default() };
                spoiled.signals.set(kind, sample);
            }
            for (place, query) in spoiled.queries.iter_mut().enumerate() {
                *query = if place.is_multiple_of(2) { QueryValue::Nan } else { QueryValue::Empty };
            }
        }
        FaultKind::CounterReset => scale(&mut spoiled, fault.target, 1.0 - fault.share),
        FaultKind::ArmLost => lose(&mut spoiled, fault.target),
        FaultKind::CountedTwice => scale(&mut spoiled, fault.target, 2.0),
        FaultKind::ServerClock => spoiled.at = spoiled.at - fault.by,
        FaultKind::MixedCohorts => mix(&mut spoiled, fault.share),
        FaultKind::LyingProvider => {
            for kind in [SignalKind::ErrorRatio, SignalKind::ConversionDrop, SignalKind::RevenueImpact] {
                spoiled.signals.set(kind, SignalSample { value: 0.0, ..spoiled.signals.get(kind) });
            }
        }
        _ => {}
    }
    Arc::new(spoiled)
}

fn arms(frame: &mut Frame, target: FaultTarget) -> impl Iterator<Item = &mut ArmIncrements> {
    let Frame { candidate, baseline, stable, .. } = frame;
    let (with_candidate, with_stable) = hits(target);
    let candidate = candidate.as_mut().filter(|_| with_candidate);
    let others = [baseline.as_mut(), stable.as_mut()].into_iter().flatten().filter(move |_| with_stable);
    candidate.into_iter().chain(others)
}

const fn hits(target: FaultTarget) -> (bool, bool) {
    match target {
        FaultTarget::All => (true, true),
        FaultTarget::Candidate => (true, false),
        FaultTarget::Stable => (false, true),
    }
}

fn hits_pod(target: FaultTarget, arm: PodArm) -> bool {
    let (candidate, stable) = hits(target);
    match arm {
        PodArm::Candidate => candidate,
        PodArm::Baseline | PodArm::Stable => stable,
    }
}

fn blind(frame: &mut Frame, target: FaultTarget, quality: Quality) {
    for arm in arms(frame, target) {
        *arm = ArmIncrements { quality, ..ArmIncrements::default() };
    }
    frame.pods.retain(|pod| !hits_pod(target, pod.arm));
}

fn lose(frame: &mut Frame, target: FaultTarget) {
    let (candidate, stable) = hits(target);
    frame.candidate = frame.candidate.take_if(|_| !candidate);
    if stable {
        (frame.baseline, frame.stable) = (None, None);
    }
    frame.pods.retain(|pod| !hits_pod(target, pod.arm));
}

/// The first part of the signals and queries failed.
fn fail_queries(frame: &mut Frame, share: f64) {
    let part = |n: usize| libm::ceil(n as f64 * share) as usize;
    for kind in SignalKind::ALL.into_iter().take(part(SignalKind::ALL.len())) {
        frame.signals.set(kind, SignalSample { quality: Quality::Failed, ..SignalSample::default() });
    }
    let failed = part(frame.queries.len());
    for query in frame.queries.iter_mut().take(failed) {
        *query = QueryValue::Failed;
    }
}

fn times(n: u32, factor: f64) -> u32 {
    libm::floor(f64::from(n) * factor) as u32
}

fn scale(frame: &mut Frame, target: FaultTarget, factor: f64) {
    for arm in arms(frame, target) {
        scale_arm(arm, factor);
    }
    for pod in frame.pods.iter_mut().filter(|pod| hits_pod(target, pod.arm)) {
        for count in [&mut pod.requests, &mut pod.errors, &mut pod.conversions] {
            *count = times(*count, factor);
        }
        for count in &mut pod.latency_buckets {
            *count = times(*count, factor);
        }
    }
}

fn scale_arm(arm: &mut ArmIncrements, factor: f64) {
    for count in [&mut arm.requests, &mut arm.errors, &mut arm.conversions] {
        *count = times(*count, factor);
    }
    arm.latency_sum_ms *= factor;
    for count in &mut arm.latency_buckets {
        *count = times(*count, factor);
    }
}

/// A share of what the candidate counted is counted as the stable version's. Pods keep their own.
fn mix(frame: &mut Frame, share: f64) {
    let Frame { candidate: Some(candidate), stable: Some(stable), .. } = frame else { return };
    let mut moved = *candidate;
    scale_arm(&mut moved, share);
    for (from, to, n) in [
        (&mut candidate.requests, &mut stable.requests, moved.requests),
        (&mut candidate.errors, &mut stable.errors, moved.errors),
        (&mut candidate.conversions, &mut stable.conversions, moved.conversions),
    ] {
        *from -= n;
        *to = to.saturating_add(n);
    }
    candidate.latency_sum_ms -= moved.latency_sum_ms;
    stable.latency_sum_ms += moved.latency_sum_ms;
    let buckets = candidate.latency_buckets.iter_mut().zip(&mut stable.latency_buckets);
    for ((from, to), n) in buckets.zip(moved.latency_buckets) {
        *from -= n;
        *to = to.saturating_add(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::fault::When;

    fn frame() -> Arc<Frame> {
        let arm = |requests| ArmIncrements {
            quality: Quality::Fresh,
            requests,
            errors: requests / 2,
            ..ArmIncrements::default()
        };
        Arc::new(Frame {
            at: MonoTime(60_000),
            candidate: Some(arm(100)),
            stable: Some(arm(300)),
            queries: vec![QueryValue::Number(1.0); 2],
            ..Frame::default()
        })
    }

    #[test]
    fn every_kind_that_spoils_changes_the_frame() {
        let (frame, mut past) = (frame(), Past::default());
        past.keep(&Arc::new(Frame { at: MonoTime(10_000), ..Frame::default() }));
        past.keep(&frame);
        for kind in SPOILING {
            let fault = PlannedFault { share: 0.5, ..PlannedFault::new(kind, When::At(MonoTime::ZERO)) };
            // A provider that lies says so only of what it measures.
            let mut measured = Frame::clone(&frame);
            measured.signals.set(SignalKind::ErrorRatio, SignalSample::fresh(0.4, 400));
            let measured = Arc::new(measured);
            assert_ne!(spoil(&measured, &fault, &past, MonoTime(60_000)), measured, "{kind:?}");
        }
    }

    #[test]
    fn mixed_cohorts_lose_nothing() {
        let fault = PlannedFault {
            share: 0.5,
            ..PlannedFault::new(FaultKind::MixedCohorts, When::At(MonoTime::ZERO))
        };
        let mixed = spoil(&frame(), &fault, &Past::default(), MonoTime(60_000));
        let (candidate, stable) = (mixed.candidate.expect("it is there"), mixed.stable.expect("it is there"));
        assert_eq!((candidate.requests, stable.requests), (50, 350));
        assert_eq!(candidate.errors + stable.errors, 200);
    }
}
