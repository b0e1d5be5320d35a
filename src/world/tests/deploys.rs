//! How deploys go: ramps, pauses, rolling and blue-green.

use super::{Watched, WorldNotice, healthy};
use backspin_domain::service::{RolloutKind, RolloutState};
use backspin_domain::time::MonoTime;
use backspin_scenario::model::BadVersion;

fn states(run: &Watched) -> Vec<RolloutState> {
    run.notices
        .iter()
        .filter_map(|(_, notice)| match notice {
            WorldNotice::RolloutChanged(state) => Some(*state),
            _ => None,
        })
        .collect()
}

#[test]
fn a_canary_climbs_its_steps_when_its_pods_are_ready() {
    let run = Watched::to_end(&healthy());
    assert!(matches!(run.notices[0], (MonoTime(600_000), WorldNotice::Deployed(_))));
    let shares: Vec<String> = states(&run).iter().map(|s| format!("{s:?}")).collect();
    assert_eq!(shares.len(), 3, "{shares:?}");
    let frame = |min: u64| run.frames_between(min, min).next().copied_view();
    assert_eq!(frame(9), (None, 0.0, 0));
    assert_eq!(frame(19).1, 0.1);
    assert_eq!(frame(19).2, 1);
    assert_eq!(frame(69), (Some(59 * 60_000), 0.5, 5));
}

trait Looked {
    fn copied_view(self) -> (Option<u64>, f64, u16);
}

impl Looked for Option<&backspin_domain::frame::Frame> {
    fn copied_view(self) -> (Option<u64>, f64, u16) {
        let frame = self.expect("a frame at that minute");
        (
            frame.rollout.since_deploy.map(|since| since.0),
            frame.rollout.candidate_share,
            frame.candidate.map_or(0, |arm| arm.pods_ready),
        )
    }
}

#[test]
fn a_paused_ramp_waits_and_its_clock_with_it() {
    let mut run = Watched::new(&healthy());
    run.advance_mins(15);
    run.world.pause_rollout();
    run.advance_mins(35);
    assert_eq!(run.frames.last().map(|f| f.rollout.candidate_share), Some(0.1));
    run.world.resume_rollout();
    run.advance_mins(39);
    assert_eq!(run.frames.last().map(|f| f.rollout.candidate_share), Some(0.1), "five minutes were left");
    run.advance_mins(42);
    assert_eq!(run.frames.last().map(|f| f.rollout.candidate_share), Some(0.25));
    run.world.abort_rollout();
    run.advance_mins(70);
    assert_eq!(run.frames.last().map(|f| f.rollout.candidate_share), Some(0.25), "it moves nothing back");
    assert_eq!(states(&run).last(), Some(&RolloutState::Aborted));
}

#[test]
fn a_rolling_deploy_replaces_pods_under_its_limits() {
    let mut scenario = healthy();
    scenario.deploy.kind = RolloutKind::Rolling;
    let mut run = Watched::new(&scenario);
    let mut seen_both = false;
    while run.world.now() < MonoTime(20 * 60_000) {
        run.advance(MonoTime(run.world.now().0 + 1000));
        let ready: Vec<u32> = run.world.inventory().versions.iter().map(|v| v.replicas_ready).collect();
        let total: u32 = ready.iter().sum();
        assert!((8..=13).contains(&total), "{ready:?}");
        seen_both |= ready[1] > 0 && ready[2] > 0;
    }
    assert!(seen_both);
    assert_eq!(states(&run).last(), Some(&RolloutState::Complete));
    let last = run.frames.last().expect("frames");
    assert_eq!(last.rollout.candidate_share, 1.0);
    assert!(last.stable.is_none(), "nothing else serves");
}

#[test]
fn a_blue_green_deploy_switches_once_when_all_are_ready() {
    let mut scenario = healthy();
    scenario.deploy.kind = RolloutKind::BlueGreen;
    scenario.deploy.steps.clear();
    let run = Watched::to_end(&scenario);
    let shares: Vec<f64> = run.frames.iter().map(|f| f.rollout.candidate_share).collect();
    assert!(shares.iter().all(|&s| s == 0.0 || s == 1.0));
    assert_eq!(shares.last(), Some(&1.0));
    assert_eq!(run.frames.last().and_then(|f| f.stable).map(|arm| arm.pods_ready), Some(10), "standby");
}

#[test]
fn a_candidate_that_cannot_start_gets_no_traffic() {
    let mut scenario = healthy();
    scenario.service.versions[2].starts = false;
    let run = Watched::to_end(&scenario);
    let last = run.frames.last().expect("frames");
    assert_eq!(last.rollout.candidate_share, 0.0);
    let candidate = last.candidate.expect("it is there");
    assert_eq!((candidate.pods_ready, candidate.pods_desired, candidate.requests), (0, 1, 0));
    assert!(states(&run).is_empty());
}

#[test]
fn every_rate_and_way_of_shipping_runs_to_its_end() {
    for rate_rps in [0.2, 2.0, 20.0, 5000.0] {
        for kind in [RolloutKind::Canary, RolloutKind::Rolling, RolloutKind::BlueGreen] {
            let mut scenario = super::bad(BadVersion {
                error_ratio: 0.9,
                latency_factor: 20.0,
                hang_ratio: 0.5,
                cost_factor: 5.0,
                tail_share: 0.5,
                memory_leak_per_hour: 6.0,
                ..BadVersion::default()
            });
            scenario.deploy.kind = kind;
            scenario.traffic.rate_rps = rate_rps;
            scenario.service.replicas = if rate_rps < 1.0 { 1 } else { 10 };
            scenario.service.pod_capacity_rps = rate_rps / 4.5;
            let mut run = Watched::to_end(&scenario);
            let requests: u32 = run.frames.iter().filter_map(|f| f.stable).map(|arm| arm.requests).sum();
            assert!(f64::from(requests) > rate_rps * 500.0 * 0.5, "{kind:?} at {rate_rps}: {requests}");
            let tick = run.world.take_truth_tick();
            let numbers = [tick.demand, tick.error_ratio, tick.harmed, tick.information, tick.slow_ratio];
            assert!(numbers.iter().all(|n| n.is_finite() && *n >= 0.0), "{tick:?}");
            assert!(run.world.truth().is_bad());
        }
    }
}
