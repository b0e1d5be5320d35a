//! How bad it is and what set it off: two documented tables (SPEC 2.5).

use crate::settings::{Reads, SeverityRule, SignalRule};
use backspin_domain::event::{Effect, Severity, Trigger};
use backspin_domain::signal::SignalKind;
use backspin_domain::verdict::Verdict;

/// What speaks for a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Security findings that came with the candidate.
    Security,
    /// Compliance findings that came with the candidate.
    Compliance,
    /// Pods that do not become ready.
    NotReady,
    /// Containers that keep restarting.
    Restarting,
    /// A candidate without data, where the policy says so.
    Silent,
    /// A rule of the policy.
    Rule {
        /// Its place in the policy.
        index: usize,
        /// The signal that completed it, where it is a named one.
        signal: Option<SignalKind>,
        /// At least this severe.
        least: Severity,
    },
    /// A failed verdict.
    Judge,
    /// A person.
    Manual,
}

impl Cause {
    /// The rule at this place.
    pub(crate) fn of_rule(rules: &[SignalRule], index: usize) -> Option<Self> {
        let rule = rules.get(index)?;
        let signal = rule.steps.last().and_then(|step| step.all.first()).and_then(|c| match c.reads {
            Reads::Signal(kind) => Some(kind),
            Reads::Custom { .. } => None,
        });
        Some(Self::Rule { index, signal, least: rule.severity.unwrap_or(Severity::Low) })
    }
}

/// The primary trigger: direct causes name themselves; a verdict is named by the signal that contributed most.
pub(crate) const fn trigger(cause: Cause, verdict: Option<&Verdict>) -> Trigger {
    match cause {
        Cause::Security => Trigger::SecurityIncident,
        Cause::Compliance => Trigger::ComplianceViolation,
        Cause::NotReady | Cause::Restarting | Cause::Silent => Trigger::HealthCheckFailure,
        Cause::Manual => Trigger::Manual,
        Cause::Rule { signal: Some(signal), .. } => trigger_of(signal),
        Cause::Rule { signal: None, .. } => Trigger::Automated,
        Cause::Judge => match verdict {
            Some(Verdict { primary: Some(signal), .. }) => trigger_of(*signal),
            Some(_) | None => Trigger::Automated,
        },
    }
}

const fn trigger_of(signal: SignalKind) -> Trigger {
    match signal {
        SignalKind::ErrorRatio => Trigger::ErrorRateThreshold,
        SignalKind::LatencyP99 => Trigger::LatencyThreshold,
        SignalKind::ConversionDrop | SignalKind::RevenueImpact | SignalKind::ComplaintsPerHour => {
            Trigger::BusinessMetricFailure
        }
        SignalKind::SecurityFindings => Trigger::SecurityIncident,
        SignalKind::ComplianceFindings => Trigger::ComplianceViolation,
        SignalKind::Throughput | SignalKind::Cpu | SignalKind::Memory | SignalKind::DependencyHealth => {
            Trigger::Automated
        }
    }
}

/// Severity. Security and compliance are critical by themselves. Pods that fail are at least medium: what the router still sends
/// them is lost without being counted. A rule says itself how severe it is at least. Without a score the score rule has nothing
/// to go by and says low.
pub(crate) fn severity(
    rule: SeverityRule,
    cause: Cause,
    effect: &Effect,
    verdict: Option<&Verdict>,
) -> Severity {
    let floor = match cause {
        Cause::Security | Cause::Compliance => return Severity::Critical,
        Cause::NotReady | Cause::Restarting => Severity::Medium,
        Cause::Rule { least, .. } => least,
        Cause::Silent | Cause::Judge | Cause::Manual => Severity::Low,
    };
    let measured = match rule {
        SeverityRule::Effect { critical_points, high_points, medium_points } => {
            grade(effect.points(), critical_points, high_points, medium_points)
        }
        SeverityRule::Score { critical, high, medium } => {
            verdict.map_or(Severity::Low, |v| grade(v.score, critical, high, medium))
        }
    };
    measured.max(floor)
}

fn grade(value: f64, critical: f64, high: f64, medium: f64) -> Severity {
    if value >= critical {
        Severity::Critical
    } else if value >= high {
        Severity::High
    } else if value >= medium {
        Severity::Medium
    } else {
        Severity::Low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use backspin_domain::verdict::{Reference, VerdictClass};

    #[track_caller]
    fn by_effect(harm_lower: f64, exposure: f64, expected: Severity) {
        let effect = Effect { harm: harm_lower, harm_lower, exposure };
        assert_eq!(severity(Settings::default().severity, Cause::Judge, &effect, None), expected);
    }

    #[track_caller]
    fn by_score(score: f64, expected: Severity) {
        let rule = SeverityRule::Score { critical: 0.9, high: 0.8, medium: 0.7 };
        let verdict = Verdict { score, ..failed(None) };
        assert_eq!(severity(rule, Cause::Judge, &Effect::default(), Some(&verdict)), expected);
    }

    fn failed(primary: Option<SignalKind>) -> Verdict {
        Verdict {
            class: VerdictClass::Fail,
            score: 1.0,
            threshold: 0.7,
            primary,
            reference: Reference::Limit,
        }
    }

    #[test]
    fn points_are_harm_times_exposure() {
        by_effect(0.5, 0.5, Severity::Critical);
        by_effect(0.25, 0.8, Severity::Critical);
        by_effect(0.199, 1.0, Severity::High);
        by_effect(0.5, 0.1, Severity::High);
        by_effect(0.049, 1.0, Severity::Medium);
        by_effect(0.5, 0.02, Severity::Medium);
        by_effect(0.5, 0.019, Severity::Low);
        by_effect(-0.5, 1.0, Severity::Low);
        by_effect(f64::NAN, 1.0, Severity::Low);
    }

    #[test]
    fn the_reference_maps_scores() {
        by_score(0.9, Severity::Critical);
        by_score(0.89, Severity::High);
        by_score(0.8, Severity::High);
        by_score(0.7, Severity::Medium);
        by_score(0.69, Severity::Low);
    }

    #[test]
    fn security_and_pods_have_a_floor() {
        let rule = Settings::default().severity;
        assert_eq!(severity(rule, Cause::Security, &Effect::default(), None), Severity::Critical);
        assert_eq!(severity(rule, Cause::Compliance, &Effect::default(), None), Severity::Critical);
        assert_eq!(severity(rule, Cause::NotReady, &Effect::default(), None), Severity::Medium);
        assert_eq!(severity(rule, Cause::Silent, &Effect::default(), None), Severity::Low);
    }

    #[test]
    fn the_greatest_contribution_names_the_trigger() {
        for (signal, expected) in [
            (Some(SignalKind::ErrorRatio), Trigger::ErrorRateThreshold),
            (Some(SignalKind::LatencyP99), Trigger::LatencyThreshold),
            (Some(SignalKind::ConversionDrop), Trigger::BusinessMetricFailure),
            (Some(SignalKind::Cpu), Trigger::Automated),
            (None, Trigger::Automated),
        ] {
            assert_eq!(trigger(Cause::Judge, Some(&failed(signal))), expected);
        }
        assert_eq!(trigger(Cause::Silent, None), Trigger::HealthCheckFailure);
        assert_eq!(trigger(Cause::Compliance, None), Trigger::ComplianceViolation);
    }
}
