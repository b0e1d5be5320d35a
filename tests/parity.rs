//! The same runs in process and over HTTP: same decisions, plans, steps and times.

use backspin::campaign::parity;
use backspin::plane::direct::Prepared;
use backspin::plane::{RunId, http};
use backspin::policy::default_policy;
use backspin::scenario::shipped;
use rayon::prelude::*;

/// Plays every shipped scenario on these seeds and gives the first differences.
fn differences(seeds: std::ops::Range<u64>) -> Vec<String> {
    let policy = default_policy().expect("it loads");
    let scenarios = shipped().expect("they load");
    let runs: Vec<_> =
        scenarios.iter().flat_map(|scenario| seeds.clone().map(move |seed| (scenario, seed))).collect();
    let differs = |&(scenario, seed_index): &(_, u64)| {
        let id = RunId { campaign_seed: 1, seed_index };
        let direct = Prepared::new(scenario, &policy).expect("it can be played").run(id);
        let http = http::run(scenario, &policy, id).expect("it can be played");
        assert!(http.kubernetes_requests > 9, "{}: what is known came through the socket", scenario.name);
        let scrapes = scenario.timing.end().0 / scenario.timing.scrape.0;
        assert!(http.prometheus_requests > scrapes, "{}: so did every scrape", scenario.name);
        let first = parity::first_difference(&direct, &http.entries);
        first.map(|first| format!("{} #{seed_index}: {first}", scenario.name))
    };
    runs.par_iter().filter_map(differs).collect()
}

/// How many seeds, in the environment; one without it.
const SEEDS: &str = "BACKSPIN_PARITY_SEEDS";

#[test]
fn every_shipped_scenario_decides_the_same_over_http() {
    let seeds = std::env::var(SEEDS).map_or(1, |text| text.parse().expect("a number of seeds"));
    let found = differences(0..seeds);
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}
