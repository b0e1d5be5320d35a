//! From a campaign to its order and back.

use std::collections::BTreeMap;

use super::{Order, OrderedScenario};
use crate::{Campaign, Subject};
use backspin_policy::Policy;
use backspin_policy::document::{FileKind, Problems, Source};
use backspin_scenario::model::Scenario;
use backspin_score::CostWeights;

/// What a report says beside the figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The build that plays.
    pub build: String,
    /// What is played, in a few words.
    pub title: String,
    /// Prices.
    pub weights: CostWeights,
    /// What commands call each scenario.
    pub subjects: BTreeMap<String, String>,
    /// Options in commands.
    pub options: String,
}

impl Order {
    /// The order of a campaign; none if one of its scenarios was not read from a file.
    pub fn of(campaign: &Campaign<'_>, told: Told) -> Option<Self> {
        let Told { build, title, weights, subjects, options } = told;
        let mut order = Self {
            build,
            title,
            seed: campaign.seed,
            seeds: campaign.seeds,
            compared: campaign.compared,
            oracle: campaign.oracle,
            over_http: campaign.over_http,
            policies: campaign.policies.iter().map(Policy::to_json).collect(),
            scenarios: Vec::new(),
            recordings: Vec::new(),
            weights,
            subjects,
            options,
        };
        for (index, subject) in campaign.subjects.iter().enumerate() {
            match subject {
                Subject::Scenario(scenario) => order.scenarios.push(OrderedScenario {
                    family: scenario.family.clone(),
                    name: scenario.name.clone(),
                    text: scenario.text.as_deref()?.to_owned(),
                }),
                Subject::Recorded(_) => order.recordings.push(campaign.full_name(index)),
            }
        }
        Some(order)
    }

    /// Its policies, the one that counts first.
    pub fn policies(&self) -> Result<Vec<Policy>, Problems> {
        self.policies.iter().map(backspin_policy::from_json).collect()
    }

    /// Its scenarios, in order.
    pub fn scenarios(&self) -> Result<Vec<Scenario>, Problems> {
        let read = |OrderedScenario { family, name, text }: &OrderedScenario| {
            let source = Source::new(FileKind::Scenario, "a scenario in the shards", text);
            backspin_scenario::parse(&source, name, family)
        };
        self.scenarios.iter().map(read).collect()
    }
}
