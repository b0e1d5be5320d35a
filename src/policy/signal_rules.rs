//! Between rules as they are written and what the engine goes by.

use super::document::Length;
use super::file::{ConditionEntry, CustomEntry, RuleEntry, StepEntry};
use backspin_domain::signal::SignalKind;
use backspin_engine::settings::{Condition, Limit, Reads, RuleStep, SignalRule};

/// A rule's meaning. Its signals were checked to be there.
pub(super) fn meant(entry: &RuleEntry, custom: &[CustomEntry]) -> SignalRule {
    let condition = |entry: &ConditionEntry| Condition {
        reads: match SignalKind::ALL.into_iter().find(|kind| kind.name() == entry.signal) {
            Some(kind) => Reads::Signal(kind),
            // A place that no frame has: the rule cannot fire.
            None => Reads::Custom {
                query: custom.iter().position(|own| own.name == entry.signal).unwrap_or(usize::MAX),
                name: entry.signal.clone(),
            },
        },
        limit: match (entry.above, entry.below) {
            (Some(limit), _) => Limit::Above(limit),
            (None, limit) => Limit::Below(limit.unwrap_or(f64::NEG_INFINITY)),
        },
    };
    let step = |entry: &StepEntry| RuleStep {
        all: entry.all.iter().map(condition).collect(),
        lasts: entry.lasts.0,
        within: entry.within.map(|length| length.0),
    };
    SignalRule {
        name: entry.name.clone(),
        steps: entry.steps.iter().map(step).collect(),
        then: entry.then,
        severity: entry.severity,
    }
}

/// A rule as it is written.
pub(super) fn entry(rule: &SignalRule) -> RuleEntry {
    let condition = |condition: &Condition| {
        let (above, below) = match condition.limit {
            Limit::Above(limit) => (Some(limit), None),
            Limit::Below(limit) => (None, Some(limit)),
        };
        ConditionEntry { signal: condition.reads.name().to_owned(), above, below }
    };
    let step = |step: &RuleStep| StepEntry {
        all: step.all.iter().map(condition).collect(),
        lasts: Length(step.lasts),
        within: step.within.map(Length),
    };
    RuleEntry {
        name: rule.name.clone(),
        steps: rule.steps.iter().map(step).collect(),
        then: rule.then,
        severity: rule.severity,
    }
}
