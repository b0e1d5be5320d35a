//! Who else acts on the service's Deployments and routes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_policy::document::Length;

/// Somebody else who acts on the service.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RivalEntry {
    /// GitOps with self-heal: what the rollout last put in place is written again wherever it was changed.
    GitOps(Sync),
    /// A person who edits the routes, and gives the candidate pods for them, once.
    Operator(RouteEdit),
    /// Another leader of the rollout's controller, which goes on with the ramp whatever was asked of the first.
    SecondLeader(SecondLeader),
}

impl RivalEntry {
    /// The name in files.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::GitOps(_) => "git_ops",
            Self::Operator(_) => "operator",
            Self::SecondLeader(_) => "second_leader",
        }
    }
}

/// When GitOps syncs.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sync {
    /// From when on. Default: the run's first moment.
    pub at: Length,
    /// How long. Default: to the end.
    #[serde(rename = "for")]
    pub lasts: Option<Length>,
    /// Between two syncs. Default 3 minutes, as Argo CD.
    pub every: Length,
}

impl Default for Sync {
    fn default() -> Self {
        Self { at: Length::secs(0), lasts: None, every: Length::mins(3) }
    }
}

/// A change of the routes by hand.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteEdit {
    /// When.
    pub at: Length,
    /// The share that the candidate gets, `0..=1`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// When the other leader looks.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecondLeader {
    /// From when on. Default: the run's first moment.
    pub at: Length,
    /// How long. Default: to the end.
    #[serde(rename = "for")]
    pub lasts: Option<Length>,
    /// Between two looks. Default 15 seconds.
    pub every: Length,
}

impl Default for SecondLeader {
    fn default() -> Self {
        Self { at: Length::secs(0), lasts: None, every: Length::secs(15) }
    }
}
