//! One cause, all its consequences, and nothing else.

use super::{Watched, bad, healthy};
use crate::SeriesDef;
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{Arms, BadVersion, Fault, Scenario, WorldEvent};

#[derive(Debug, Default)]
struct Totals {
    requests: f64,
    errors: f64,
    conversions: f64,
    sum_ms: f64,
    cpu: f64,
    memory: f64,
    restarts: f64,
}

fn total<'a>(frames: impl Iterator<Item = &'a Frame>, arm: fn(&Frame) -> Option<&ArmIncrements>) -> Totals {
    let mut totals = Totals::default();
    for arm in frames.filter_map(arm) {
        totals.requests += f64::from(arm.requests);
        totals.errors += f64::from(arm.errors);
        totals.conversions += f64::from(arm.conversions);
        totals.sum_ms += arm.latency_sum_ms;
        totals.cpu += f64::from(arm.cpu_ratio);
        totals.memory += f64::from(arm.memory_ratio);
        totals.restarts += f64::from(arm.restarts);
    }
    totals
}

/// Healthy and bad runs of one seed: candidates from minute 22 on.
fn pair(harm: BadVersion) -> (Watched, Watched, Totals, Totals) {
    let (good, bad) = (Watched::to_end(&healthy()), Watched::to_end(&bad(harm)));
    let of = |run: &Watched| total(run.frames_between(22, 70), |frame| frame.candidate.as_ref());
    let (a, b) = (of(&good), of(&bad));
    (good, bad, a, b)
}

fn complaints(run: &Watched) -> f64 {
    let mut sample = vec![None; run.world.series().len()];
    run.world.sample(&mut sample);
    let place = run.world.series().iter().position(|s| s.name == "complaints_total").expect("there");
    sample[place].expect("scraped")
}

#[test]
fn errors_move_retries_load_latency_conversion_complaints_and_no_other_arm() {
    let (good, bad, before, after) = pair(BadVersion { error_ratio: 0.4, ..BadVersion::default() });
    assert!(after.errors / after.requests > 0.39, "{after:?}");
    assert!(after.requests > before.requests * 1.15, "retries: {before:?} {after:?}");
    assert!(after.cpu > before.cpu * 1.1, "processor");
    assert!(after.sum_ms / after.requests > before.sum_ms / before.requests * 1.1, "slower under load");
    let converts = |t: &Totals| t.conversions / (t.requests - t.errors);
    assert!(converts(&after) < converts(&before), "slow requests convert less");
    assert!(after.conversions < before.conversions);
    assert!(complaints(&bad) > complaints(&good) + 10.0);
    for (a, b) in good.frames.iter().zip(&bad.frames) {
        assert_eq!(a.stable, b.stable, "the stable arm is the same at {}", a.at);
        if a.at < MonoTime(20 * 60_000) {
            assert_eq!(a, b, "nothing moves before its time");
        }
    }
}

#[test]
fn slowness_and_dear_requests_and_lost_conversions_show_where_they_should() {
    let (_, _, before, slow) = pair(BadVersion { latency_factor: 1.5, ..BadVersion::default() });
    assert!(slow.sum_ms / slow.requests > before.sum_ms / before.requests * 1.4);
    assert!(slow.conversions < before.conversions);
    let (_, _, before, dear) = pair(BadVersion { cost_factor: 1.6, ..BadVersion::default() });
    assert!(dear.cpu > before.cpu * 1.4 && dear.sum_ms > before.sum_ms * 1.5);
    let (_, _, before, lost) = pair(BadVersion { conversion_factor: 0.7, ..BadVersion::default() });
    assert!((lost.conversions / before.conversions - 0.7).abs() < 0.05);
    assert_eq!((lost.requests, lost.errors), (before.requests, before.errors));
}

#[test]
fn a_leak_fills_memory_slows_and_restarts() {
    let harm = BadVersion { memory_leak_per_hour: 1.5, ..BadVersion::default() };
    let (_, run, before, after) = pair(harm);
    assert!(after.restarts >= 3.0 && before.restarts == 0.0, "{after:?}");
    assert!(after.memory > before.memory * 1.3 && after.sum_ms > before.sum_ms);
    let tick = run.world.truth().onset.expect("felt");
    // 0.35 of the limit at 1.5 per hour is 14 minutes.
    assert_eq!(tick, MonoTime(34 * 60_000));
}

#[test]
fn a_surge_and_an_outage_hit_both_arms() {
    let mut scenario = healthy();
    let (at, lasts) = (MonoTime(40 * 60_000), Millis::from_mins(10));
    scenario.incident = vec![
        WorldEvent::DependencyOutage { at, lasts, error_ratio: 0.6, latency_factor: 1.5 },
        WorldEvent::Surge { at, lasts, factor: 1.5 },
    ];
    let to = |minute, scenario: &Scenario| {
        let mut run = Watched::new(scenario);
        run.advance_mins(minute);
        run
    };
    // From the dependency's own series, as a query would have it.
    let health = |scenario: &Scenario| {
        let [before, after] = [44, 45].map(|minute| {
            let world = to(minute, scenario).world;
            let mut samples = vec![None; world.series().len()];
            world.sample(&mut samples);
            let of_code = |code: &str| {
                let is_it = |s: &SeriesDef| {
                    s.name == "dependency_requests_total" && s.labels.iter().any(|(_, value)| value == code)
                };
                samples[world.series().iter().position(is_it).expect("it is shown")].expect("it is scraped")
            };
            [of_code("2xx"), of_code("5xx")]
        });
        let [good, failed] = [after[0] - before[0], after[1] - before[1]];
        good / (good + failed)
    };
    assert!(health(&scenario) < 0.5 && health(&healthy()) > 0.99);
    let (calm, run) = (Watched::to_end(&healthy()), Watched::to_end(&scenario));
    let arms: [fn(&Frame) -> Option<&ArmIncrements>; 2] = [|f| f.candidate.as_ref(), |f| f.stable.as_ref()];
    for arm in arms {
        let (before, during) =
            (total(calm.frames_between(41, 50), arm), total(run.frames_between(41, 50), arm));
        assert!(during.errors / during.requests > 0.28, "{during:?}");
        assert!(during.requests > before.requests * 1.4);
        let after = total(run.frames_between(55, 70), arm);
        assert!(after.errors / after.requests < 0.02);
    }
}

#[test]
fn the_same_seed_gives_the_same_frames_and_another_does_not() {
    let scenario = bad(BadVersion { error_ratio: 0.05, ..BadVersion::default() });
    let (a, b) = (Watched::to_end(&scenario), Watched::to_end(&scenario));
    assert_eq!(a.frames, b.frames);
    assert_eq!(a.notices, b.notices);
    let mut other = Watched::new(&scenario);
    other.world = crate::World::new(&scenario, backspin_domain::seed::Seed(18));
    other.advance(other.end);
    assert_ne!(a.frames, other.frames);
}

#[test]
fn a_metrics_gap_hides_its_arm_and_moves_nothing_else() {
    let mut scenario: Scenario = healthy();
    let (at, lasts) = (MonoTime(30 * 60_000), Millis::from_mins(2));
    scenario.faults = vec![Fault::MetricsGap { at, lasts, arms: Arms::Candidate }];
    let (full, gap) = (Watched::to_end(&healthy()), Watched::to_end(&scenario));
    let mut hidden = ArmIncrements::default();
    for (a, b) in full.frames.iter().zip(&gap.frames) {
        assert_eq!(a.stable, b.stable);
        let (Some(a), Some(b), at) = (a.candidate, b.candidate, a.at) else { continue };
        if at < MonoTime(30 * 60_000) || at > MonoTime(32 * 60_000) {
            assert_eq!(a, b, "at {at}");
            continue;
        }
        hidden.requests += a.requests;
        hidden.errors += a.errors;
        if at < MonoTime(32 * 60_000) {
            assert_eq!((b.quality, b.requests), (Quality::Missing, 0), "at {at}");
        } else {
            assert_eq!((b.requests, b.errors), (hidden.requests, hidden.errors), "counters lost nothing");
        }
    }
}

#[test]
fn series_and_frames_tell_the_same() {
    let run = Watched::to_end(&bad(BadVersion { error_ratio: 0.1, ..BadVersion::default() }));
    let mut sample = vec![None; run.world.series().len()];
    run.world.sample(&mut sample);
    let series = run.world.series();
    let series = series.iter().zip(&sample);
    let sum = |name: &str, label: (&str, &str)| -> f64 {
        let hit =
            |s: &crate::SeriesDef| s.name == name && s.labels.iter().any(|(k, v)| (*k, v.as_str()) == label);
        series.clone().filter(|(s, _)| hit(s)).filter_map(|(_, v)| *v).sum()
    };
    let all = total(run.frames.iter(), |frame| frame.candidate.as_ref());
    let of_candidate = sum("http_requests_total", ("arm", "candidate"));
    assert_eq!(of_candidate, all.requests);
    assert_eq!(sum("http_request_duration_seconds_count", ("arm", "candidate")), all.requests);
    assert_eq!(sum("conversions_total", ("arm", "candidate")), all.conversions);
}

#[test]
fn healthy_noise_is_that_of_the_calibrating_generator() {
    let mut scenario = healthy();
    // So many requests that counting noise is small beside the arms' own.
    scenario.traffic.rate_rps = 20_000.0;
    scenario.service.pod_capacity_rps *= 100.0;
    scenario.service.error_ratio = 0.05;
    scenario.timing.watch = Millis::from_mins(360);
    let run = Watched::to_end(&scenario);
    let mut differences = Vec::new();
    let mut levels = Vec::new();
    for frame in run.frames_between(40, 360) {
        let (Some(a), Some(b)) = (frame.candidate, frame.stable) else { continue };
        let log = |arm: ArmIncrements| libm::log(arm.error_ratio().expect("requests"));
        differences.push(log(a) - log(b));
        levels.push(log(b));
    }
    let sd = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64).sqrt()
    };
    // sqrt(2) times 0.10; and 0.15 with 0.10: less a little for the mean over 15 s, give or take the few
    // independent values in 6 h.
    assert!((sd(&differences) - 0.135).abs() < 0.02, "between arms: {}", sd(&differences));
    assert!((sd(&levels) - 0.175).abs() < 0.035, "of one arm: {}", sd(&levels));
}
