//! The header of a record, the same for every plane.

use backspin_domain::entry::{PlaneKind, RECORD_VERSION, RunHeader};
use backspin_domain::seed::Seed;
use backspin_domain::time::WallTime;
use backspin_policy::{JudgeName, Policy};
use backspin_scenario::model::Scenario;

/// Which run of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId {
    /// The campaign's seed.
    pub campaign_seed: u64,
    /// The index of the run's seed, from 0.
    pub seed_index: u64,
}

impl RunId {
    /// The run's own seed; the scenario's name never enters it.
    pub fn seed(self, draw: u64) -> Seed {
        Seed::of_run(self.campaign_seed, draw, self.seed_index)
    }
}

/// What a record says first.
pub(super) fn header(
    scenario: &Scenario,
    policy: &Policy,
    id: RunId,
    plane: PlaneKind,
    wall_start: WallTime,
) -> RunHeader {
    RunHeader {
        version: RECORD_VERSION,
        scenario: scenario.name.clone(),
        family: scenario.family.clone(),
        shows: scenario.shows.clone(),
        plane,
        campaign_seed: id.campaign_seed,
        seed_index: id.seed_index,
        seed: id.seed(scenario.draw),
        wall_start,
        judge: JudgeName::of(&policy.judge).name().to_owned(),
        policy: policy.to_json(),
        policy_hash: policy.hash.clone(),
        signals: policy.custom.clone(),
        expect: scenario.expect.clone(),
        scenario_text: scenario.text.clone(),
        drawn: scenario.drawn.clone(),
        rate_rps: Some(scenario.traffic.rate_rps),
        assumptions: Vec::new(),
    }
}
