//! How many deploy-hours a search gets through: candidates on runs, played and looked up, and judges alone.
//!
//! `cargo bench --bench tune` takes a minute or two and prints rates; `-- --quick` a tenth of it. What is looked up is held
//! against what is played by the tests of `src/tune`.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures time and prints it")]

use std::time::Instant;

use backspin::domain::engine_io::Input;
use backspin::domain::entry::Entry;
use backspin::judge::{JudgeParams, e_detector, flagger, weighted};
use backspin::policy::{Policy, default_policy};
use backspin::scenario::model::Scenario;
use backspin::scenario::shipped;
use backspin::tune::runs::{Candidate, Runs};
use backspin::tune::search::sobol::Sobol;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (candidates, hours) = if quick { (200, 50) } else { (2000, 500) };
    let base = default_policy().expect("good");
    let scenarios: Vec<Scenario> = shipped()
        .expect("good")
        .into_iter()
        .filter(|scenario| {
            ["quiet", "errors", "latency", "rolling", "healthy"].contains(&scenario.family.as_str())
        })
        .collect();
    judges(&scenarios, &base, if quick { 20 } else { 100 });
    search(
        "weighted",
        &scenarios,
        &base.with_judge(backspin::policy::JudgeName::Weighted),
        candidates,
        hours,
        weighted,
    );
    search(
        "flagger",
        &scenarios,
        &base.with_judge(backspin::policy::JudgeName::Flagger),
        candidates,
        hours,
        flagger,
    );
    search("e_detector", &scenarios, &base, candidates / 10, hours, detector);
}

/// Candidates on so many deploy-hours, everything included: traces, outcomes, lookups.
fn search(
    name: &str,
    scenarios: &[Scenario],
    base: &Policy,
    candidates: usize,
    hours: usize,
    judge: fn(&[f64]) -> JudgeParams,
) {
    let sobol = Sobol::new(6, 1);
    let all: Vec<Candidate> = (0..candidates)
        .map(|n| {
            let mut policy = base.clone();
            policy.judge = judge(&sobol.point(n as u32));
            assert!(policy.judge.check().is_ok());
            Candidate::new(policy.with_settings(|_| {}))
        })
        .collect();
    let began = Instant::now();
    let seeds = hours.div_ceil(scenarios.len()) as u64;
    let mut runs = Runs::new(scenarios, base, 1, 0..seeds).expect("they can be played");
    let worths = runs.play(&all, 0..hours).expect("they play");
    assert_eq!((worths.len(), worths[0].len()), (candidates, hours));
    let seconds = began.elapsed().as_secs_f64();
    let (done, work) = (candidates * hours, runs.work());
    println!(
        "{name}: {candidates} candidates on {hours} deploy-hours in {seconds:.1} s, {:.0} deploy-hours per minute; {} looked up, \
         {} played to the first step, {} to the end",
        done as f64 / seconds * 60.0,
        work.known,
        work.begun,
        work.played
    );
}

/// Judges over kept frames, on one core: with pods and without.
fn judges(scenarios: &[Scenario], base: &Policy, runs_max: usize) {
    let runs = Runs::new(scenarios, base, 1, 0..(runs_max.div_ceil(scenarios.len()) as u64))
        .expect("they can be played");
    let traces: Vec<Vec<Entry>> = (0..runs_max.min(runs.len())).map(|n| runs.untouched(n)).collect();
    for (name, params) in [
        ("weighted", JudgeParams::Weighted(weighted::Params::default())),
        ("flagger", JudgeParams::Flagger(flagger::Params::default())),
        ("e_detector", JudgeParams::EDetector(e_detector::Params::default())),
    ] {
        for pods in [false, true] {
            let frames: Vec<Vec<_>> = traces
                .iter()
                .map(|entries| {
                    let frame = |entry: &Entry| match entry {
                        Entry::Input(_, Input::Collected { frame, .. }) => {
                            let mut frame = (**frame).clone();
                            if !pods {
                                frame.pods.clear();
                            }
                            Some(frame)
                        }
                        _ => None,
                    };
                    entries.iter().filter_map(frame).collect()
                })
                .collect();
            let mut best = f64::INFINITY;
            let mut failed = 0;
            for _ in 0..3 {
                let began = Instant::now();
                failed = 0;
                for frames in &frames {
                    let mut judge = params.build(&[]);
                    let mut deployed = false;
                    for frame in frames {
                        if frame.rollout.since_deploy.is_some() && !deployed {
                            deployed = true;
                            judge.reset();
                        }
                        let verdict = judge.observe(frame);
                        failed += usize::from(verdict.class == backspin::domain::verdict::VerdictClass::Fail);
                    }
                }
                best = best.min(began.elapsed().as_secs_f64());
            }
            println!(
                "{name}, {}: {:.0} deploy-hours per minute and core ({failed} frames failed)",
                if pods { "with pods" } else { "aggregated" },
                frames.len() as f64 / best * 60.0
            );
        }
    }
}

fn between(place: f64, least: f64, greatest: f64) -> f64 {
    least + place * (greatest - least)
}

fn weighted(place: &[f64]) -> JudgeParams {
    JudgeParams::Weighted(weighted::Params {
        error_ratio: between(place[0], 0.005, 0.1),
        latency_p99_ms: between(place[1], 200.0, 3000.0),
        conversion_drop: between(place[2], 0.05, 0.4),
        error_weight: between(place[3], 0.1, 0.8),
        latency_weight: between(place[4], 0.1, 0.8),
        rollback_score: between(place[5], 0.2, 0.9),
        ..weighted::Params::default()
    })
}

fn flagger(place: &[f64]) -> JudgeParams {
    JudgeParams::Flagger(flagger::Params {
        failed_checks_max: between(place[0], 1.0, 12.0) as u32,
        success_ratio_min: between(place[1], 0.9, 0.999),
        latency_p99_max_ms: between(place[2], 200.0, 3000.0),
        ..flagger::Params::default()
    })
}

fn detector(place: &[f64]) -> JudgeParams {
    JudgeParams::EDetector(e_detector::Params {
        alpha: between(place[0], 0.001, 0.2),
        marginal_share: between(place[1], 0.5, 0.95),
        error_margin: between(place[2], 1.1, 1.6),
        latency_margin: between(place[3], 0.02, 0.1),
        ..e_detector::Params::default()
    })
}
