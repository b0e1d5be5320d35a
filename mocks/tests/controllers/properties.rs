//! Under random commands and pods the limits hold at every event, and once pods behave the rollout completes.

use backspin_mocks::controllers::{Deployment, DeploymentSpec, IntOrPercent, PodPhase};
use proptest::prelude::*;

use super::world::World;

#[derive(Clone, Debug)]
enum Command {
    SetTemplate(u64),
    Scale(u32),
    Pause,
    Resume,
    Undo(Option<u64>),
    /// The pod at this place, modulo their number, changes readiness.
    Toggle(usize),
    Delete(usize),
    Kill(usize),
    /// Time passes.
    Run(u64),
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => (1u64..5).prop_map(Command::SetTemplate),
        2 => (0u32..12).prop_map(Command::Scale),
        1 => Just(Command::Pause),
        2 => Just(Command::Resume),
        2 => prop::option::of(1u64..8).prop_map(Command::Undo),
        3 => (0usize..30).prop_map(Command::Toggle),
        1 => (0usize..30).prop_map(Command::Delete),
        1 => (0usize..30).prop_map(Command::Kill),
        8 => (0u64..3_000).prop_map(Command::Run),
    ]
}

fn limit() -> impl Strategy<Value = IntOrPercent> {
    prop_oneof![(0u32..4).prop_map(IntOrPercent::Int), (0u32..101).prop_map(IntOrPercent::Percent)]
}

fn spec() -> impl Strategy<Value = DeploymentSpec> {
    (0u32..12, limit(), limit(), 0u64..2_000, 0u32..4).prop_map(
        |(replicas, max_surge, max_unavailable, min_ready_ms, revision_history_limit)| DeploymentSpec {
            replicas,
            max_surge,
            max_unavailable,
            min_ready_ms,
            progress_deadline_ms: 10_000,
            paused: false,
            template: 1,
            revision_history_limit,
        },
    )
}

fn active(deployment: &Deployment) -> u32 {
    deployment.pods().iter().map(|pod| u32::from(pod.is_active())).sum()
}

/// Active pods that are available at `now_ms`.
fn available(deployment: &Deployment, now_ms: u64) -> u32 {
    deployment.pods().iter().map(|pod| u32::from(pod.is_available(now_ms))).sum()
}

/// After a reconcile that found `available_before` pods available; `is_smaller` when `replicas` was just lowered.
fn check_limits(world: &World, available_before: u32, is_smaller: bool) -> Result<(), TestCaseError> {
    let deployment = &world.deployment;
    let spec = deployment.spec();
    prop_assert!(active(deployment) <= spec.pods_max(), "{} pods of {}", active(deployment), spec.pods_max());
    let kept = available(deployment, world.now_ms);
    let floor = available_before.min(spec.available_min());
    prop_assert!(
        is_smaller || kept >= floor,
        "{kept} pods are available, {available_before} were, {floor} must stay"
    );
    prop_assert_eq!(deployment.status().observed_generation, deployment.generation());
    let wanted: u32 = deployment.replica_sets().iter().map(|set| set.replicas).sum();
    prop_assert_eq!(wanted, active(deployment));
    let again = deployment.clone();
    let mut idle = world.deployment.clone();
    idle.reconcile(world.now_ms, &mut Nobody);
    prop_assert_eq!(again.status(), idle.status(), "a second reconcile changes nothing");
    Ok(())
}

struct Nobody;

impl backspin_mocks::controllers::PodRuntime for Nobody {
    fn start(&mut self, pod: backspin_mocks::controllers::PodId, _: u64, _: u64) {
        panic!("{pod:?} started by a reconcile with nothing to do");
    }

    fn stop(&mut self, pod: backspin_mocks::controllers::PodId, _: u64, _: u64) {
        panic!("{pod:?} stopped by a reconcile with nothing to do");
    }
}

/// Applies `command` without time passing.
fn apply(world: &mut World, command: &Command) {
    let pods = world.deployment.pods();
    let pod_at = |place: usize| pods.get(place % pods.len().max(1)).copied();
    let now_ms = world.now_ms;
    match *command {
        Command::SetTemplate(template) => drop(world.deployment.set_template(template)),
        Command::Scale(replicas) => drop(world.deployment.scale(replicas)),
        Command::Pause => drop(world.deployment.pause()),
        Command::Resume => drop(world.deployment.resume()),
        Command::Undo(revision) => drop(world.deployment.undo(revision)),
        Command::Toggle(place) => {
            if let Some(pod) = pod_at(place).filter(|pod| pod.phase == PodPhase::Running) {
                world.deployment.set_ready(pod.id, pod.ready_since_ms.is_none(), now_ms);
            }
        }
        Command::Delete(place) => {
            if let Some(pod) = pod_at(place) {
                world.deployment.delete_pod(pod.id);
            }
        }
        Command::Kill(place) => {
            if let Some(pod) = pod_at(place) {
                world.deployment.terminated(pod.id, now_ms);
            }
        }
        Command::Run(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_at_every_event_and_healed_pods_complete(
        spec in spec(),
        commands in prop::collection::vec(command(), 1..60),
        broken in prop::option::of(2u64..5),
        is_settled in any::<bool>(),
    ) {
        let mut world = if is_settled { World::settled(spec) } else { World::created(spec) };
        world.broken.extend(broken);
        for command in &commands {
            let replicas_before = world.deployment.spec().replicas;
            apply(&mut world, command);
            let available_before = available(&world.deployment, world.now_ms);
            world.reconcile();
            check_limits(&world, available_before, world.deployment.spec().replicas < replicas_before)?;
            if let Command::Run(for_ms) = command {
                let until_ms = world.now_ms + for_ms;
                let mut available_before = available(&world.deployment, world.now_ms);
                while world.advance(until_ms) {
check_limits(&world, available_before, false)?;
                    available_before = available(&world.deployment, world.now_ms);
                }
                world.now_ms = until_ms;
            }
        }

        // The world heals: every pod gets ready, nothing else happens.
        world.deployment.resume();
        world.broken.clear();
        for _ in 0..200 {
            let unready: Vec<_> =
                world.deployment.pods().iter().filter(|pod| pod.is_active() && !pod.is_ready()).map(|pod| pod.id).collect();
            for pod in unready {
                world.deployment.set_ready(pod, true, world.now_ms);
            }
            world.run_until(world.now_ms + 2_000);
        }
        let replicas = world.deployment.spec().replicas;
        prop_assert!(world.deployment.is_complete(), "{:?}", world.deployment);
        let template = world.deployment.spec().template;
        prop_assert_eq!(world.deployment.ready_pods(template), replicas);
        prop_assert_eq!(active(&world.deployment), replicas);
        prop_assert!(world.deployment.next_deadline_ms().is_none());
    }
}
