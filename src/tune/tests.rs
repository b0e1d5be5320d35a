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
    all.into_iter()
        .enumerate()
        .filter(|(n, scenario)| keep(*n, scenario))
        .map(|(_, scenario)| scenario)
        .collect()
}

fn judged(base: &Policy, judge: JudgeParams) -> Candidate {
    let mut policy = base.clone();
    policy.judge = judge;
    Candidate::new(policy.with_settings(|_| {}))
}

/// Judges that say much the same, and some that do not; under one set of settings.
fn candidates(base: &Policy) -> Vec<Candidate> {
    let weighted =
        |rollback_score, error_ratio| weighted::Params { rollback_score, error_ratio, ..Default::default() };
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
fn check_against_whole_runs(
    scenarios: &[Scenario],
    base: &Policy,
    candidates: &[Candidate],
    seed_index: u64,
) -> Work {
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
        judged(
            &graded,
            JudgeParams::Weighted(weighted::Params {
                rollback_score,
                error_ratio: 0.01,
                ..Default::default()
            }),
        )
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

mod whole {
    //! Whole tunings, small ones.

    use super::*;
    use crate::journal::{Belongs, Journal};
    use crate::judged::{Outcome, Tuning, digest, selected};
    use crate::space::{Task, parse};
    use backspin_policy::document::{FileKind, Source};

    const SMALL: &str = "\
version: 1
space:
  - { path: judge.e_detector.alpha, over: { log: [0.0001, 0.3] } }
  - { path: judge.e_detector.marginal_share, over: { linear: [0.4, 0.95] } }
  - { path: judge.e_detector.leave_one_out, over: { choices: [true, false] } }
constraints: [false_rollbacks <= 0.05]
scenarios: { train: [loud, healthy/plain-canary, errors/five-points], hold_out: [subtle], seeds: 2 }
budget: { candidates: 14, rungs: [4], trajectories: 2, rows: 8 }
";

    fn task(text: &str) -> (Task, Policy, Vec<Scenario>) {
        let base = default_policy().expect("good");
        let scenarios = shipped().expect("good");
        let task = parse(&Source::new(FileKind::Tune, "tune.yaml", text), &base, &scenarios).expect("good");
        (task, base, scenarios)
    }

    fn tuned(text: &str, jobs: usize, journal: impl FnOnce(&Task, &[Scenario]) -> Journal) -> Outcome {
        let (task, base, scenarios) = task(text);
        let train = selected(&scenarios, &task.train);
        let journal = journal(&task, &train);
        let tuning = Tuning {
            task: &task,
            base: &base,
            train: &train,
            campaign_seed: 5,
            jobs,
            build: "test",
            command: "backspin tune tune.yaml",
        };
        let mut result = tuning.run(journal, &|_| {}).expect("it tunes");
        let held = selected(&scenarios, &task.hold_out);
        result.tuned.held_out = Some(tuning.open(&held, &result.policy, Vec::new()).expect("it opens"));
        result
    }

    #[test]
    fn neither_cores_nor_an_interruption_can_be_seen() {
        let one = tuned(SMALL, 1, |_, _| Journal::none());
        let three = tuned(SMALL, 3, |_, _| Journal::none());
        assert_eq!(one.tuned, three.tuned);
        assert_eq!(one.policy, three.policy);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("evaluated.jsonl");
        let open = |task: &Task, train: &[Scenario]| {
            let belongs = Belongs::new("test", &task.hash, "p", &digest(train));
            Journal::open(&path, &belongs).expect("opened")
        };
        tuned(SMALL, 2, open);
        let text = std::fs::read(&path).expect("kept");
        for kept in [text.len() / 3, text.len()] {
            std::fs::write(&path, &text[..kept]).expect("cut");
            let again = tuned(SMALL, 2, open);
            assert_eq!(one.tuned, again.tuned);
            assert_eq!(std::fs::read(&path).expect("kept"), text, "what was lost is played again");
        }
    }

    #[test]
    fn what_comes_out_is_told_whole() {
        let Outcome { tuned, policy } = tuned(SMALL, 2, |_, _| Journal::none());
        assert_eq!(tuned.after, policy.hash);
        assert!(tuned.best.objective <= tuned.start.objective || !tuned.start.broken.is_empty());
        assert!(tuned.best.objective <= tuned.baseline.objective || !tuned.baseline.broken.is_empty());
        assert_eq!(tuned.runs, 10);
        let families: Vec<&str> = tuned.folds.iter().map(|fold| fold.family.as_str()).collect();
        assert_eq!(families, ["errors", "healthy", "loud"]);
        assert!(tuned.parts.iter().all(|part| part.effect.is_some()));
        assert!(tuned.front.iter().any(|point| point.what == "chosen" || point.what == "start"));
        let held = tuned.held_out.expect("opened");
        assert_eq!(held.start.runs, 6);
    }

    /// The threshold against trying: one good deploy more reaches the next lower one.
    #[test]
    fn a_worked_out_threshold_is_the_least_that_keeps_the_share() {
        use crate::runs::Runs;
        use crate::space::ThresholdRule;
        use crate::threshold::{allowed, moved, peak, shift};
        let base = default_policy().expect("good");
        let scenarios = scenarios(|_, scenario| scenario.family == "healthy" || scenario.family == "quiet");
        let runs = Runs::new(&scenarios, &base, 3, 0..2).expect("they can be played");
        let untouched: Vec<_> = (0..runs.len()).map(|n| runs.untouched(n)).collect();
        let rule = ThresholdRule { false_alarms: 0.15, confidence: None };
        for judge in [
            JudgeParams::EDetector(e_detector::Params::default()),
            JudgeParams::Weighted(weighted::Params {
                error_ratio: 0.001,
                latency_p99_ms: 150.0,
                ..Default::default()
            }),
        ] {
            let peaks = |judge: &JudgeParams| -> Vec<f64> {
                untouched.iter().filter_map(|entries| peak(judge, &[], entries)).collect()
            };
            let found = peaks(&judge);
            let shift = shift(&found, rule).expect("enough of them");
            let Some(moved) = moved(&judge, shift) else {
                assert!(matches!(judge, JudgeParams::Weighted(_)), "only a score has a greatest value");
                continue;
            };
            let alarms = |judge: &JudgeParams| peaks(judge).iter().filter(|peak| **peak >= 0.0).count();
            let most = allowed(found.len(), rule).expect("no proof is asked for");
            assert!(alarms(&moved) <= most, "{} of {}, {most} allowed", alarms(&moved), found.len());
            if let JudgeParams::EDetector(params) = &moved
                && params.alpha < 0.49
            {
                let lower = JudgeParams::EDetector(e_detector::Params {
                    alpha: params.alpha * 1.000_01,
                    ..params.clone()
                });
                assert!(alarms(&lower) > most, "a lower threshold would have done");
            }
        }
    }
}
