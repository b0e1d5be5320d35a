//! A judge's threshold by order statistic: not searched for, but worked out from good deploys.
//!
//! A judge that fails a candidate once a number reaches a limit raises a false alarm on a good deploy exactly if the greatest
//! number of its watch does. So for a share of false alarms the limit follows from the greatest numbers of many good deploys,
//! sorted: one dimension less to search, and the constraint is kept by construction. With a confidence it is the upper
//! tolerance limit (Wilks 1941): of n good deploys only so many may lie above that, were the share larger than allowed, so few
//! would have been seen with at most `1 - confidence`.
//!
//! Counted is what the judge says where nobody acts; that the engine forgives some of it (a cause outside, a missing arm) makes
//! false rollbacks fewer than false alarms, never more.

use backspin_domain::engine_io::Input;
use backspin_domain::entry::Entry;
use backspin_domain::signal::CustomSignal;
use backspin_domain::verdict::VerdictClass;
use backspin_judge::JudgeParams;

use crate::space::ThresholdRule;

/// The parameter that is a judge's threshold; none for judges that have none on a number.
pub const fn path(judge: &JudgeParams) -> Option<&'static str> {
    match judge {
        JudgeParams::EDetector(_) => Some("judge.e_detector.alpha"),
        JudgeParams::Weighted(_) => Some("judge.weighted.rollback_score"),
        _ => None,
    }
}

/// How far above its threshold a judge's number comes at most on a deploy that nobody acts on; below 0 if it never reaches it.
/// None if the judge never says anything.
pub fn peak(judge: &JudgeParams, custom: &[CustomSignal], untouched: &[Entry]) -> Option<f64> {
    let mut judge = judge.build(custom);
    let mut deployed = None;
    let mut greatest: Option<f64> = None;
    for entry in untouched {
        match entry {
            Entry::Input(_, Input::Deployed(deploy)) => {
                judge.reset();
                deployed = Some((deploy.at, deploy.at + deploy.watch));
            }
            Entry::Input(_, Input::Collected { frame, .. }) => {
                let verdict = judge.observe(frame);
                let watched = deployed.is_some_and(|(from, until)| frame.at > from && frame.at <= until);
                if watched && verdict.class != VerdictClass::Inconclusive {
                    let above = verdict.score - verdict.threshold;
                    greatest = Some(greatest.map_or(above, |before| before.max(above)));
                }
            }
            _ => {}
        }
    }
    greatest
}

/// How many of `n` good deploys may reach the threshold; none if even 0 of them prove too little.
pub fn allowed(n: usize, rule: ThresholdRule) -> Option<usize> {
    let share = rule.false_alarms;
    let Some(confidence) = rule.confidence else { return Some((n as f64 * share + 1e-9) as usize) };
    // P(Bin(n, share) <= k), term by term.
    let mut term = libm::exp(n as f64 * libm::log1p(-share));
    let (mut sum, mut allowed) = (0.0, None);
    for k in 0..=n {
        sum += term;
        if sum > 1.0 - confidence {
            break;
        }
        allowed = Some(k);
        term *= (n - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
    }
    allowed
}

/// The least number above 0 by which the threshold has to rise (or below, to sink), so that at most the allowed number of
/// peaks reaches it; none if so few deploys prove nothing, or no peak was seen.
pub fn shift(peaks: &[f64], rule: ThresholdRule) -> Option<f64> {
    let mut sorted = peaks.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let over = allowed(peaks.len(), rule)?;
    let highest_that_must_not = sorted.get(over)?;
    Some(highest_that_must_not.next_up())
}

/// The judge with its threshold moved by so much; none if it cannot be moved that far.
pub fn moved(judge: &JudgeParams, shift: f64) -> Option<JudgeParams> {
    let moved = match judge {
        JudgeParams::Weighted(params) => {
            let mut params = params.clone();
            // A step up for what the subtraction rounded off.
            params.rollback_score = (params.rollback_score + shift).next_up().max(0.0);
            JudgeParams::Weighted(params)
        }
        JudgeParams::EDetector(params) => {
            let mut params = params.clone();
            // Its threshold is ln(H / alpha); less by a part in a billion for what is rounded off.
            params.alpha = (params.alpha * libm::exp(-shift) * (1.0 - 1e-9)).min(ALPHA_MAX);
            JudgeParams::EDetector(params)
        }
        _ => return None,
    };
    moved.check().is_ok().then_some(moved)
}

/// The greatest alpha of the e-detector.
const ALPHA_MAX: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(false_alarms: f64, confidence: Option<f64>) -> ThresholdRule {
        ThresholdRule { false_alarms, confidence }
    }

    #[test]
    fn tolerance_ranks_match_the_tables() {
        // Wilks: 59 for 95 % of the population with 95 % confidence, 93 for the second, 299 for 99 %.
        assert_eq!(allowed(58, rule(0.05, Some(0.95))), None);
        assert_eq!(allowed(59, rule(0.05, Some(0.95))), Some(0));
        assert_eq!(allowed(92, rule(0.05, Some(0.95))), Some(0));
        assert_eq!(allowed(93, rule(0.05, Some(0.95))), Some(1));
        assert_eq!(allowed(298, rule(0.01, Some(0.95))), None);
        assert_eq!(allowed(299, rule(0.01, Some(0.95))), Some(0));
        assert_eq!(allowed(200, rule(0.01, None)), Some(2));
        assert_eq!(allowed(99, rule(0.01, None)), Some(0));
    }

    proptest! {
        /// The least shift that keeps the share, found by trying all that could make a difference.
        #[test]
        fn the_shift_is_that_of_brute_force(
            peaks in proptest::collection::vec(-10.0_f64..10.0, 1..200), share in 0.001_f64..0.4
        ) {
            let rule = rule(share, None);
            let over = |limit: f64| peaks.iter().filter(|peak| **peak >= limit).count();
            let most = (peaks.len() as f64 * share + 1e-9) as usize;
            let shift = shift(&peaks, rule).expect("a share needs no proof");
            prop_assert!(over(shift) <= most);
            let tried = peaks.iter().map(|peak| peak.next_up()).filter(|limit| over(*limit) <= most);
            prop_assert_eq!(tried.min_by(f64::total_cmp), Some(shift));
        }
    }
}
