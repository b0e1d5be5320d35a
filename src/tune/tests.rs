//! What is looked up against what is played, on the shipped scenarios.

use backspin_judge::{JudgeParams, e_detector, flagger, weighted};
use backspin_plane::RunId;
use backspin_plane::direct::Prepared;
use backspin_policy::{Policy, default_policy};
use backspin_scenario::model::Scenario;
use backspin_scenario::shipped;
use backspin_score::score_entries;

use crate::runs::{Candidate, Runs, Work};
use crate::worth::Worth;

fn scenarios(keep: impl Fn(usize, &Scenario) -> bool) -> Vec<Scenario> {
    let all = shipped().expect("shipped scenarios are good");
    all.into_iter().enumerate().filter(|(n, scenario)| keep(*n, scenario)).map(|(_, scenario)| scenario).collect()
}

fn judged(base: &Policy, judge: JudgeParams) -> Candidate {
    let mut policy = base.clone();
    policy.judge = judge;
    Candidate::new(policy.with_settings(|_| {}))
}

/// Judges that say much the same, and some that do not; under one set of settings.
fn candidates(base: &Policy) -> Vec<Candidate> {
    let weighted = |rollback_score, error_ratio| weighted::Params { rollback_score, error_ratio, ..Default::default() };
    let detector = |alpha, marginal_share| e_detector::Params { alpha, marginal_share, ..Default::default() };
    let all = [
        JudgeParams::EDetector(e_detector::Params::default()),
        JudgeParams::Weighted(weighted(0.3, 0.01)),
        JudgeParams::Weighted(weighted(0.25, 0.05)),
        JudgeParams::EDetector(detector(0.012, 0.7)),
        JudgeParams::EDetector(detector(0.3, 0.5)),
        JudgeParams::Flagger(flagger::Params::default()),
        JudgeParams::EDetector(detector(0.011, 0.7)),
        JudgeParams::Flagger(flagger::Params { failed_checks_max: 2, ..Default::default() }),
        JudgeParams::Weighted(weighted(0.3, 0.012)),
    ];
    all.into_iter().map(|judge| judged(base, judge)).collect()
}

/// Plays each run by itself and compares; gives how runs came about.
#[track_caller]
fn check_against_whole_runs(scenarios: &[Scenario], base: &Policy, candidates: &[Candidate], seed_index: u64) -> Work {
    let mut runs = Runs::new(scenarios, base, 11, seed_index..seed_index + 1).expect("they can be played");
    let places = runs.len();
    // In two requests, so that what the first left behind serves the second.
    let half = candidates.len() / 2;
    let mut found = runs.play(&candidates[..half], 0..places).expect("they play");
    found.extend(runs.play(&candidates[half..], 0..places).expect("they play"));
    for n in 0..places {
        let (scenario, id) = (runs.scenario(n), RunId { campaign_seed: 11, seed_index });
        for (candidate, worths) in candidates.iter().zip(&found) {
            let prepared = Prepared::new(scenario, &candidate.policy).expect("it can be played");
            let outcome = score_entries(&prepared.run(id)).expect("whole");
            assert_eq!(worths[n], Worth::of(&outcome), "{} {:?}", scenario.name, candidate.policy.judge);
        }
    }
    runs.work()
}

#[test]
fn what_is_looked_up_is_what_would_have_been_played() {
    let base = default_policy().expect("the shipped policy is good");
    let scenarios = scenarios(|n, _| n % 4 == 1);
    let work = check_against_whole_runs(&scenarios, &base, &candidates(&base), 3);
    assert!(work.known > 0 && work.begun > 0 && work.played > 0, "{work:?}");
}

/// All shipped scenarios; takes minutes.
#[test]
#[ignore = "long: every shipped scenario under nine judges, each run played twice"]
fn what_is_looked_up_is_what_would_have_been_played_everywhere() {
    let base = default_policy().expect("the shipped policy is good");
    for seed_index in 0..2 {
        check_against_whole_runs(&scenarios(|_, _| true), &base, &candidates(&base), seed_index);
    }
}

#[test]
fn policies_that_differ_beside_the_judge_share_nothing() {
    let base = default_policy().expect("the shipped policy is good");
    let graded = base.with_judge(backspin_policy::JudgeName::Weighted);
    let mut candidates = candidates(&base);
    candidates.truncate(3);
    candidates.extend([0.25, 0.3, 0.85].map(|rollback_score| {
        judged(&graded, JudgeParams::Weighted(weighted::Params { rollback_score, error_ratio: 0.01, ..Default::default() }))
    }));
    let slow = base.with_settings(|settings| settings.planning.stage_factors = vec![0.9]);
    candidates.push(Candidate::new(slow));
    let scenarios = scenarios(|n, scenario| n % 9 == 2 || scenario.family == "loud");
    check_against_whole_runs(&scenarios, &base, &candidates, 0);
}

#[test]
fn nothing_depends_on_cores() {
    let base = default_policy().expect("the shipped policy is good");
    let scenarios = scenarios(|_, scenario| scenario.family == "errors" || scenario.family == "healthy");
    let candidates = candidates(&base);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut runs = Runs::new(&scenarios, &base, 11, 0..1).expect("they can be played");
            let worths = runs.play(&candidates, 0..runs.len()).expect("they play");
            (worths, runs.work())
        })
    };
    assert_eq!(on(1), on(3));
}
