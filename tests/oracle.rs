//! The oracle that regret is measured against, on shipped scenarios.

use std::sync::atomic::{AtomicUsize, Ordering};

use backspin::campaign::{Campaign, Subject};
use backspin::policy::{JudgeName, default_policy};
use backspin::scenario::model::Scenario;
use backspin::scenario::shipped;
use backspin::score::{Class, CostWeights, RunOutcome};

/// Good, bad and caught at once, bad and caught late, bad beyond all help.
const NAMES: [&str; 4] =
    ["plain-canary", "half-of-requests-fail", "promote-then-primary-dies", "no-healthy-target"];

fn play(jobs: usize) -> Vec<RunOutcome> {
    let all = shipped().expect("they load");
    let named = |name: &&str| all.iter().find(|s| s.name == **name).expect("it is shipped");
    let scenarios: Vec<&Scenario> = NAMES.iter().map(named).collect();
    let policy = default_policy().expect("it loads");
    let campaign = Campaign {
        subjects: scenarios.into_iter().map(Subject::Scenario).collect(),
        policies: vec![policy.clone(), policy.with_judge(JudgeName::Weighted)],
        seed: 20_260_105,
        seeds: 3,
        compared: 3,
        oracle: true,
        untouched: false,
        over_http: false,
        jobs,
    };
    let played = AtomicUsize::new(0);
    let count = || {
        played.fetch_add(1, Ordering::Relaxed);
    };
    let outcomes = campaign.play(None, count).expect("it can be played");
    assert_eq!((played.into_inner(), campaign.runs(None), outcomes.len()), (36, 36, 24));
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn regrets(outcomes: &[RunOutcome], scenario: &str, judge: &str) -> Vec<f64> {
    let weights = CostWeights::default();
    let mine = outcomes.iter().filter(|o| o.scenario == scenario && o.judge == judge);
    mine.map(|o| o.regret(&weights).expect("an oracle was played")).collect()
}

#[test]
fn one_oracle_serves_all_judges_and_no_core_is_seen_in_it() {
    let outcomes = play(1);
    assert_eq!(outcomes, play(2));
    for outcome in &outcomes {
        let twin = outcomes.iter().find(|o| {
            o.judge != outcome.judge && o.scenario == outcome.scenario && o.seed_index == outcome.seed_index
        });
        assert_eq!(outcome.oracle, twin.expect("another judge").oracle);
    }
    // Nobody acted on a good deploy, so it is the very run that the oracle leaves alone.
    assert_eq!(regrets(&outcomes, "plain-canary", "e_detector"), [0.0; 3]);
    // Where no version can serve, there is nothing to regret that an oracle could have done.
    assert_eq!(regrets(&outcomes, "no-healthy-target", "weighted"), [0.0; 3]);
}

#[test]
fn who_waits_pays_and_who_never_acts_pays_more() {
    let outcomes = play(2);
    for name in ["half-of-requests-fail", "promote-then-primary-dies"] {
        let own = regrets(&outcomes, name, "e_detector");
        let reference = regrets(&outcomes, name, "weighted");
        for (own, reference) in own.iter().zip(&reference) {
            assert!(*own > 0.0 && own < reference, "{name}: {own} {reference}");
        }
    }
    let oracle = outcomes.iter().find(|o| o.scenario == NAMES[1]).and_then(|o| o.oracle).expect("played");
    assert!(oracle.rolled_back && !oracle.failed, "{oracle:?}");
    assert!(outcomes.iter().any(|o| o.class == Class::FalseNegative));
}
