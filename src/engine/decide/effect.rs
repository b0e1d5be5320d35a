//! The engine's own measure of harm, so that severity does not depend on which judge decided (SPEC 2.5).
//!
//! Harm is the extra share of requests that fail or are slow. Frames do not tell whether a slow request also
//! failed, so the greater of the two differences is taken, never their sum: harm is understated rather than
//! invented. Comparison is with the concurrent control, else with the history before the deploy.

use backspin_domain::event::Effect;

use super::counts::{Counts, RING, Ring};
use super::history::History;
use super::stat::Difference;

/// Spans of newest frames that are looked at. The one with the greatest lower bound counts, so that a fault of
/// one frame is not thinned out by the good frames before it.
const SPANS: [usize; 5] = [1, 2, 4, 8, RING];

/// Frames over which exposure is counted: one minute at the default interval.
const EXPOSURE_FRAMES: usize = 4;

/// The harm as measured now. Exposure is what was counted or what is configured, whichever is more: a candidate
/// that has only just got its share was met by few until now, and will be by more.
pub(crate) fn effect(ring: &Ring, history: &History, configured_share: f64) -> Effect {
    let harm = SPANS
        .iter()
        .filter_map(|&span| {
            let candidate = ring.sum(span, |s| s.candidate.counts());
            let control = ring.sum(span, |s| s.control.counts());
            let control = if control.requests() > 0 { control } else { history.counts()? };
            worse(candidate, control)
        })
        .max_by(|a, b| a.lower.total_cmp(&b.lower));
    Effect {
        harm: harm.map_or(0.0, |d| d.estimate),
        harm_lower: harm.map_or(0.0, |d| d.lower),
        exposure: exposure(ring, configured_share),
    }
}

/// How much more often requests of `a` fail or are slow than those of `b`: the greater of both.
pub(crate) fn worse(a: Counts, b: Counts) -> Option<Difference> {
    let failed = Difference::between(a.failed(), b.failed());
    let slow = Difference::between(a.slow(), b.slow());
    match (failed, slow) {
        (Some(f), Some(s)) => Some(if s.lower > f.lower { s } else { f }),
        (one, None) | (None, one) => one,
    }
}

/// Share of requests that the candidate answered lately, or is about to.
fn exposure(ring: &Ring, configured_share: f64) -> f64 {
    let (mut hits, mut of) = (0_u64, 0_u64);
    for share in ring.newest().take(EXPOSURE_FRAMES).filter_map(super::counts::Sample::candidate_share) {
        hits = hits.saturating_add(share.hits);
        of = of.saturating_add(share.of);
    }
    let counted = if of > 0 { hits as f64 / of as f64 } else { 0.0 };
    counted.max(configured_share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::super::counts::{Reading, Sample};
    use super::*;
    use backspin_domain::frame::{ArmIncrements, Frame};
    use backspin_domain::signal::Quality;

    fn counts(requests: u64, errors: u64) -> Counts {
        Counts::new(requests, errors, 0, 0, 0)
    }

    fn ring(frames: usize, candidate: Reading, control: Reading) -> Ring {
        let mut ring = Ring::default();
        for _ in 0..frames {
            ring.push(Sample { candidate, control, old: control, ..Sample::default() });
        }
        ring
    }

    fn history(requests: u32, errors: u32) -> History {
        let mut history = History::default();
        let arm = ArmIncrements { quality: Quality::Fresh, requests, errors, ..ArmIncrements::default() };
        history.learn(&Frame { stable: Some(arm), ..Frame::default() });
        history
    }

    #[test]
    fn a_shared_cause_is_no_harm() {
        let both = Reading::Counted(counts(500, 250));
        let effect = effect(&ring(8, both, both), &history(10_000, 10), 0.5);
        assert!(effect.harm.abs() < 1e-9 && effect.harm_lower < 0.0, "{effect:?}");
        assert!((effect.exposure - 0.5).abs() < 1e-9);
    }

    #[test]
    fn without_a_control_the_history_is_compared_with() {
        let effect =
            effect(&ring(4, Reading::Counted(counts(500, 250)), Reading::Absent), &history(10_000, 10), 1.0);
        assert!(effect.harm_lower > 0.35 && effect.exposure == 1.0, "{effect:?}");
    }

    #[test]
    fn one_bad_frame_is_not_thinned_out() {
        let mut ring = ring(15, Reading::Counted(counts(500, 0)), Reading::Counted(counts(500, 0)));
        let bad = Reading::Counted(counts(500, 400));
        let good = Reading::Counted(counts(500, 0));
        ring.push(Sample { candidate: bad, control: good, old: good, ..Sample::default() });
        assert!(effect(&ring, &History::default(), 0.5).harm_lower > 0.6);
    }

    #[test]
    fn without_any_data_there_is_no_harm_and_the_configured_exposure() {
        let effect = effect(&ring(4, Reading::Unread, Reading::Unread), &History::default(), 0.25);
        assert_eq!(effect, Effect { harm: 0.0, harm_lower: 0.0, exposure: 0.25 });
    }

    #[test]
    fn exposure_is_the_greater_of_what_was_counted_and_what_is_configured() {
        let (some, rest) = (Reading::Counted(counts(100, 0)), Reading::Counted(counts(900, 0)));
        for (configured, expected) in [(0.0, 0.1), (0.1, 0.1), (0.25, 0.25), (f64::NAN, 0.1)] {
            let effect = effect(&ring(4, some, rest), &History::default(), configured);
            assert!((effect.exposure - expected).abs() < 1e-9, "{configured}: {effect:?}");
        }
    }

    #[test]
    fn failed_and_slow_requests_are_not_added_up() {
        let a = Counts::new(1000, 300, 1000, 400, 0);
        let b = Counts::new(1000, 0, 1000, 0, 0);
        assert!((worse(a, b).expect("counted").estimate - 0.4).abs() < 1e-9);
    }
}
