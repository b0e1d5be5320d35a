//! Measuring a check (SPEC 3.3, 7.1): by what was counted, never by what was configured or promised.
//!
//! A limit on a share is widened by what chance allows at the requests counted; the result names the widened
//! limit, so that what it says it held against is what it did. What cannot be measured does not pass.

use crate::decide::counts::{Counts, Reading, Sample};
use crate::decide::stat::{Share, chance_allows};
use crate::state::Service;
use backspin_domain::id::VersionId;
use backspin_domain::plan::{Check, CheckResult};

/// Makes one check, on a frame if there is one.
pub(super) fn measure(
    check: Check,
    target: &VersionId,
    service: &Service,
    sample: Option<&Sample>,
) -> CheckResult {
    let sample = sample.filter(|sample| !is_lost(sample, service));
    let total = || sample.and_then(Sample::total);
    match check {
        Check::TargetReady { pods_min } => {
            let ready = service.ready(target).map(|_| service.ready_at_least(target));
            let passed = ready.is_some_and(|n| n >= pods_min);
            CheckResult { check, measured: ready.map(f64::from), passed }
        }
        Check::CandidateShareAtMost { limit } => {
            at_most(sample.and_then(Sample::candidate_share), limit, |limit| Check::CandidateShareAtMost {
                limit,
            })
        }
        Check::ErrorRatioAtMost { limit } => {
            at_most(total().map(Counts::failed), limit, |limit| Check::ErrorRatioAtMost { limit })
        }
        Check::SlowRatioAtMost { limit } => {
            at_most(total().map(Counts::slow), limit, |limit| Check::SlowRatioAtMost { limit })
        }
    }
}

/// Makes all of them into `results`.
pub(super) fn measure_all(
    checks: &[Check],
    target: &VersionId,
    service: &Service,
    sample: Option<&Sample>,
    results: &mut Vec<CheckResult>,
) {
    results.clear();
    results.extend(checks.iter().map(|&check| measure(check, target, service, sample)));
}

/// Makes those that passed on the newest frame once more on the one before it, where they are about a share of the traffic:
/// pods go by them, and one frame may be wrong (counters that began anew, a late proxy).
pub(super) fn measure_the_frame_before(
    checks: &[Check],
    target: &VersionId,
    service: &Service,
    results: &mut [CheckResult],
) {
    let before = service.observed.ring.newest().nth(1);
    // By the check itself: the limit in a result was widened for the requests of its own frame.
    for (result, &check) in results.iter_mut().zip(checks).filter(|(result, _)| result.passed) {
        if let Check::CandidateShareAtMost { .. } = check {
            let then = measure(check, target, service, before);
            if !then.passed {
                *result = then;
            }
        }
    }
}

/// Whether a frame tells nothing of a candidate that has pods: they answer whoever still asks them.
fn is_lost(sample: &Sample, service: &Service) -> bool {
    sample.candidate == Reading::Absent && service.candidate_pods() > 0
}

fn at_most(share: Option<Share>, limit: f64, check: impl Fn(f64) -> Check) -> CheckResult {
    let Some((counted, ratio)) = share.and_then(|s| Some((s.of, s.ratio()?))) else {
        return CheckResult { check: check(limit), measured: None, passed: false };
    };
    let widened = chance_allows(limit, counted);
    CheckResult { check: check(widened), measured: Some(ratio), passed: ratio <= widened }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hits: u64, of: u64, passed: bool) {
        let result = at_most(Some(Share { hits, of }), 0.02, |limit| Check::ErrorRatioAtMost { limit });
        assert_eq!(result.passed, passed, "{result:?}");
    }

    #[test]
    fn a_limit_is_widened_by_chance_and_no_further() {
        check(20_000, 1_000_000, true);
        check(20_500, 1_000_000, false);
        check(3, 100, true);
        check(8, 100, false);
    }

    #[test]
    fn what_was_not_measured_does_not_pass() {
        check(0, 0, false);
        let result = at_most(None, 0.5, |limit| Check::SlowRatioAtMost { limit });
        assert_eq!((result.measured, result.passed), (None, false));
    }
}
