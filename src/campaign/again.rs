//! The run of a record played once more on another seed, from what its header carries.

use backspin_domain::entry::{Entry, PlaneKind, RunHeader};
use backspin_plane::{PlaneError, RunId, direct};
use backspin_policy::document::{FileKind, Problems, Source};

/// Why a header is not enough to play its run.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// It is of a recorded incident, or of a build that did not keep the scenario.
    #[error("its record does not carry a scenario")]
    NoScenario,
    /// This build does not accept the scenario.
    #[error("this build does not accept the scenario in its record")]
    Scenario(#[source] Problems),
    /// This build does not accept the policy.
    #[error("this build does not accept the policy in its record")]
    Policy(#[source] Problems),
    /// The policy does not fit the scenario.
    #[error("the policy in its record cannot be played on its scenario")]
    Plane(#[source] PlaneError),
}

/// Plays the header's scenario under the header's policy on this of its seeds, in process. Another build may come to another
/// run; who needs the same one holds it against what is known of it.
pub fn again(header: &RunHeader, seed_index: u64) -> Result<Vec<Entry>, AgainError> {
    let text = match (header.plane, &header.scenario_text) {
        (PlaneKind::Direct | PlaneKind::Http, Some(text)) => text.to_string(),
        (PlaneKind::Recorded, _) | (_, None) => return Err(AgainError::NoScenario),
    };
    let source = Source::new(FileKind::Scenario, "the scenario in the record", text);
    let scenario =
        backspin_scenario::parse(&source, &header.scenario, &header.family).map_err(AgainError::Scenario)?;
    let policy = backspin_policy::from_json(&header.policy).map_err(AgainError::Policy)?;
    let id = RunId { campaign_seed: header.campaign_seed, seed_index };
    direct::run(&scenario, &policy, id).map_err(AgainError::Plane)
}
