//! What the engine reads of a verdict, as a small number: two verdicts with the same one are the same to it.
//!
//! The engine looks at the class of every verdict. Of one that fails the candidate it also looks at what was compared with,
//! because shared causes cancel in one case and not in the other; at the signal that names the trigger; and, where the policy
//! grades by score, at the grade. Scores, thresholds and evidence only reach words for people.

use backspin_domain::signal::SignalKind;
use backspin_domain::verdict::{Reference, Verdict, VerdictClass};
use backspin_engine::settings::SeverityRule;

/// A verdict as far as the engine reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told(u32);

impl Told {
    /// Of a verdict under this rule of severity.
    pub fn of(verdict: &Verdict, rule: SeverityRule) -> Self {
        let class = match verdict.class {
            VerdictClass::Pass => return Self(0),
            VerdictClass::Marginal => return Self(1),
            VerdictClass::Inconclusive => return Self(2),
            VerdictClass::Fail => 3,
        };
        let reference = match verdict.reference {
            Reference::ConcurrentArm => 0,
            Reference::History => 1,
            Reference::Limit => 2,
            Reference::None => 3,
        };
        let primary = verdict.primary.map_or(0, |kind: SignalKind| kind as u32 + 1);
        Self(class | reference << 2 | primary << 4 | grade(verdict.score, rule) << 16)
    }
}

/// The grade of a score, where scores are graded. The same comparisons as the engine's.
fn grade(score: f64, rule: SeverityRule) -> u32 {
    match rule {
        SeverityRule::Effect { .. } => 0,
        SeverityRule::Score { critical, high, medium } => {
            if score >= critical {
                4
            } else if score >= high {
                3
            } else if score >= medium {
                2
            } else {
                1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFECT: SeverityRule =
        SeverityRule::Effect { critical_points: 20.0, high_points: 5.0, medium_points: 1.0 };
    const SCORE: SeverityRule = SeverityRule::Score { critical: 0.9, high: 0.8, medium: 0.7 };

    fn failed(score: f64) -> Verdict {
        Verdict { class: VerdictClass::Fail, score, ..Verdict::inconclusive(0.7) }
    }

    #[test]
    fn scores_count_only_where_they_are_graded() {
        let told = |score, rule| Told::of(&failed(score), rule);
        assert_eq!(told(0.71, EFFECT), told(0.95, EFFECT));
        assert_eq!(told(0.71, SCORE), told(0.79, SCORE));
        assert_ne!(told(0.79, SCORE), told(0.8, SCORE));
    }

    #[test]
    fn of_a_failed_verdict_more_counts_than_of_others() {
        let by = |class, primary| Verdict { class, primary, ..failed(1.0) };
        let (errors, latency) = (Some(SignalKind::ErrorRatio), Some(SignalKind::LatencyP99));
        let told = |verdict: Verdict| Told::of(&verdict, EFFECT);
        assert_ne!(told(by(VerdictClass::Fail, errors)), told(by(VerdictClass::Fail, latency)));
        assert_eq!(told(by(VerdictClass::Pass, errors)), told(by(VerdictClass::Pass, latency)));
        assert_ne!(told(failed(1.0)), told(Verdict { reference: Reference::Limit, ..failed(1.0) }));
        let classes =
            [VerdictClass::Pass, VerdictClass::Marginal, VerdictClass::Inconclusive, VerdictClass::Fail];
        for left in classes {
            for right in classes {
                assert_eq!(told(by(left, None)) == told(by(right, None)), left == right);
            }
        }
    }
}
