//! The same runs in process and over HTTP: same decisions, plans, steps and times.

use backspin::campaign::parity;
use backspin::plane::direct::Prepared;
use backspin::plane::{RunId, http};
use backspin::policy::default_policy;
use backspin::scenario::model::Scenario;
use backspin::scenario::shipped;
use rayon::prelude::*;

/// Plays these scenarios on these seeds and gives the first differences.
fn differences<'a>(scenarios: impl Iterator<Item = &'a Scenario>, seeds: u64) -> Vec<String> {
    let policy = default_policy().expect("it loads");
    let runs: Vec<_> = scenarios.flat_map(|scenario| (0..seeds).map(move |seed| (scenario, seed))).collect();
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

/// How many seeds of every shipped scenario, in the environment. Without it one seed of some.
const SEEDS: &str = "BACKSPIN_PARITY_SEEDS";

/// Scenarios of a family of which one is played without [`SEEDS`]: together they take three seconds each.
const ONE_OF: usize = 3;

#[test]
fn shipped_scenarios_decide_the_same_over_http() {
    let all = shipped().expect("they load");
    let found = if let Ok(text) = std::env::var(SEEDS) {
        differences(all.iter(), text.parse().expect("a number of seeds"))
    } else {
        let family = |at: usize| all[..at].iter().filter(|before| before.family == all[at].family).count();
        let some = (0..all.len()).filter(|&at| family(at).is_multiple_of(ONE_OF));
        differences(some.map(|at| &all[at]), 1)
    };
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}
