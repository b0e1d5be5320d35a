//! What models say before anything is done (SPEC 2.10).

use serde::{Deserialize, Serialize};

use super::plan::{RiskLevel, Strategy};

/// An estimate between its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Predicted {
    /// Best estimate.
    pub likely: f64,
    /// Lower 95 % bound.
    pub lower: f64,
    /// Upper 95 % bound.
    pub upper: f64,
}

/// Whether a version works with the schema that it will meet.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SchemaFit {
    /// It does.
    Fits,
    /// It does not.
    Fails,
    /// Nobody knows.
    Unknown,
}

/// Plans that are alike: what is known of a plan by which its success is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct PlanClass {
    /// The way taken.
    pub strategy: Strategy,
    /// How great the risk is that the target cannot carry the load.
    pub capacity: RiskLevel,
    /// Whether the target works with the schema as the plan leaves it.
    pub schema: SchemaFit,
}

/// What models say of a plan before it is carried out. What a model does not know it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Forecast {
    /// Which plans it is like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<PlanClass>,
    /// How likely the plan is to reach its end, with warnings or without, `0..=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Predicted>,
    /// Users harmed in each minute in which nobody acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harmed_per_min: Option<Predicted>,
}

impl Forecast {
    /// Whether no model says anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
