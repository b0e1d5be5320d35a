//! Rules beside the judge: limits, patterns over time, and what they do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{Length, Name};
use backspin_domain::event::Severity;
use backspin_engine::settings::RuleAction;

/// A rule on signals, beside the judge. One step is a limit; several are a pattern, each after the one before.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    /// Its name; no two rules have the same.
    #[schemars(with = "Name")]
    pub name: String,
    /// In their order.
    #[schemars(length(min = 1, max = 16))]
    pub steps: Vec<StepEntry>,
    /// What it does when its last step is complete.
    pub then: RuleAction,
    /// At least this severe. Default: as severe as the harm that is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// A step: all its conditions together, for a time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepEntry {
    /// What must hold together.
    #[schemars(length(min = 1, max = 16))]
    pub all: Vec<ConditionEntry>,
    /// For how long. Default: one collection is enough.
    #[serde(default, rename = "for", skip_serializing_if = "is_zero")]
    pub lasts: Length,
    /// At most so long after the step before was complete. Default: any time after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
}

/// One limit on one signal: exactly one of `above` and `below`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionEntry {
    /// A named signal, or one of `custom`.
    pub signal: String,
    /// It holds above this, in the signal's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// It holds below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(length: &Length) -> bool {
    length.0.0 == 0
}
