//! What a scenario expects of a policy.

use serde::{Deserialize, Serialize};

use super::event::DecisionKind;
use super::id::VersionId;
use super::plan::Strategy;
use super::time::Millis;

/// What must be so in almost every seed: in at least `share_min` of them, and the lower Wilson bound of that
/// share must be at least `lower_min` (DESIGN: "in >= 95 % of seeds, Wilson lower bound >= 90 %").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Expectation {
    /// The final decision: `hold` is met by a run that never rolls back nor escalates; `pause` by one that
    /// pauses and does neither; the others by one that does so.
    pub decision: Vec<DecisionKind>,
    /// Where the rollback goes.
    pub target: Option<VersionId>,
    /// How it goes.
    pub strategy: Option<Strategy>,
    /// From onset to decision, at most.
    pub time_to_detect_max: Option<Millis>,
    /// From onset until harm is below 1 %, at most.
    pub time_to_mitigate_max: Option<Millis>,
    /// What must not happen in any seed at all.
    pub never: Vec<Never>,
    /// Share of seeds that must meet all of the above, `0..=1`.
    pub share_min: f64,
    /// Lower 95 % Wilson bound of that share, at least.
    pub lower_min: f64,
}

/// Things that must never happen.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Never {
    /// The candidate's configured share rises once a rollback was decided.
    CandidateTrafficRises,
    /// A rollback is decided at all.
    RollBack,
    /// A person is called.
    Escalate,
    /// Traffic goes to a version without a ready pod.
    TrafficToNothing,
}
