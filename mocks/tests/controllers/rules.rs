//! Each rule of the controllers inside, outside and on its limit.

use backspin_mocks::controllers::{DeploymentSpec, IntOrPercent, Reason, Undo, UndoError};

use super::world::World;

fn spec(replicas: u32, surge: u32, unavailable: u32) -> DeploymentSpec {
    DeploymentSpec {
        replicas,
        max_surge: IntOrPercent::Int(surge),
        max_unavailable: IntOrPercent::Int(unavailable),
        min_ready_ms: 0,
        progress_deadline_ms: 10_000,
        paused: false,
        template: 1,
        revision_history_limit: 10,
    }
}

/// Sizes in order of a rollout from template 1 to 2.
#[track_caller]
fn rolls(spec: DeploymentSpec, expected: &[(u64, u32)]) {
    let mut world = World::settled(spec);
    world.deployment.set_template(2);
    world.run_until(60_000);
    assert_eq!(world.sizes, expected);
    assert!(world.deployment.is_complete());
}

#[test]
fn surge_and_unavailability_shape_the_steps() {
    rolls(spec(2, 1, 0), &[(2, 1), (1, 1), (2, 2), (1, 0)]);
    rolls(spec(2, 0, 1), &[(2, 0), (1, 1), (2, 1), (1, 0), (2, 2)]);
    rolls(spec(2, 0, 0), &[(2, 0), (1, 1), (2, 1), (1, 0), (2, 2)]);
    rolls(spec(2, 2, 2), &[(2, 2), (1, 0)]);
    rolls(spec(4, 4, 0), &[(2, 4), (1, 3), (1, 2), (1, 1), (1, 0)]);
    rolls(spec(0, 1, 0), &[(2, 0)]);
}

#[test]
fn a_pod_counts_only_after_the_minimum_ready_time() {
    let mut world = World::settled(DeploymentSpec { min_ready_ms: 1_000, ..spec(1, 1, 0) });
    world.deployment.set_template(2);
    world.run_until(1_799);
    assert_eq!((world.deployment.status().ready, world.deployment.status().available), (2, 1));
    assert_eq!(world.deployment.next_deadline_ms(), Some(1_800));
    world.run_until(1_800);
    assert_eq!(world.deployment.pods().iter().filter(|pod| pod.is_active()).count(), 1);
    assert!(world.deployment.is_complete());
}

#[test]
fn losing_readiness_starts_the_minimum_anew() {
    let mut world = World::settled(DeploymentSpec { min_ready_ms: 1_000, ..spec(1, 1, 0) });
    let pod = world.deployment.pods()[0].id;
    world.now_ms = 5_000;
    world.deployment.set_ready(pod, false, 5_000);
    world.deployment.set_ready(pod, true, 5_000);
    world.run_until(5_999);
    assert_eq!(
        world.deployment.status().available_condition.map(|c| c.reason),
        Some(Reason::MinimumReplicasUnavailable)
    );
    world.run_until(6_000);
    assert_eq!(
        world.deployment.status().available_condition.map(|c| c.reason),
        Some(Reason::MinimumReplicasAvailable)
    );
}

#[track_caller]
fn progress_reason(world: &World, expected: Reason) {
    assert_eq!(world.deployment.status().progressing.map(|condition| condition.reason), Some(expected));
}

#[test]
fn the_deadline_passes_strictly_after_its_time() {
    let mut world = World::settled(spec(3, 1, 0));
    world.broken.insert(2);
    world.deployment.set_template(2);
    world.run_until(10_000);
    progress_reason(&world, Reason::ReplicaSetUpdated);
    assert_eq!(world.deployment.next_deadline_ms(), Some(10_001));
    world.run_until(10_001);
    progress_reason(&world, Reason::ProgressDeadlineExceeded);
    assert_eq!(world.deployment.next_deadline_ms(), None);
    assert_eq!(world.deployment.status().available, 3, "old pods stay, nothing rolls back");
    assert_eq!(
        world.deployment.status().available_condition.map(|c| c.reason),
        Some(Reason::MinimumReplicasAvailable)
    );
}

#[test]
fn progress_moves_the_deadline() {
    let mut world = World::settled(spec(3, 1, 0));
    world.ready_after_ms = 9_000;
    world.deployment.set_template(2);
    world.run_until(60_000);
    assert!(!world.reasons.contains(&"ProgressDeadlineExceeded"));
    assert!(world.deployment.is_complete());
}

#[test]
fn lost_readiness_and_scaling_never_exceed_the_deadline() {
    let mut world = World::settled(spec(3, 1, 0));
    let pod = world.deployment.pods()[0].id;
    world.deployment.set_ready(pod, false, 0);
    world.run_until(60_000);
    progress_reason(&world, Reason::NewReplicaSetAvailable);
    world.broken.insert(1);
    world.deployment.scale(5);
    world.run_until(120_000);
    progress_reason(&world, Reason::NewReplicaSetAvailable);
    assert!(!world.deployment.is_complete());
}

#[test]
fn the_deadline_does_not_run_while_paused_and_starts_anew() {
    let mut world = World::settled(spec(3, 1, 0));
    world.broken.insert(2);
    world.deployment.set_template(2);
    world.run_until(5_000);
    world.deployment.pause();
    world.run_until(60_000);
    progress_reason(&world, Reason::DeploymentPaused);
    world.deployment.resume();
    world.run_until(70_000);
    progress_reason(&world, Reason::DeploymentResumed);
    world.run_until(70_001);
    progress_reason(&world, Reason::ProgressDeadlineExceeded);
    world.deployment.pause();
    world.run_until(80_000);
    progress_reason(&world, Reason::ProgressDeadlineExceeded);
}

#[test]
fn a_paused_template_waits_and_paused_scaling_does_not() {
    let mut world = World::settled(spec(3, 1, 0));
    world.deployment.pause();
    world.deployment.set_template(2);
    world.deployment.scale(4);
    world.run_until(5_000);
    assert_eq!(world.sizes, [(1, 4)]);
    assert_eq!((world.deployment.status().updated, world.deployment.revision()), (0, 1));
    world.deployment.resume();
    world.run_until(30_000);
    assert!(world.deployment.is_complete());
    assert_eq!(world.deployment.revision(), 2);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_keeps_proportions() {
    // 10 + surge 3 in sizes 8 and 5, to 20 + surge 3 (Kubernetes' own example of proportional scaling, with 3 as a number).
    let mut world = World::settled(spec(10, 3, 2));
    world.broken.insert(2);
    world.deployment.set_template(2);
    world.run_until(1_000);
    assert_eq!(world.take_notes().0, [(2, 3), (1, 8), (2, 5)]);
    world.deployment.scale(20);
    world.reconcile();
    assert_eq!(world.sizes, [(1, 14), (2, 9)]);
    let total: u32 = world.deployment.replica_sets().iter().map(|set| set.replicas).sum();
    assert_eq!(total, 23);
}

#[test]
fn pods_that_are_not_ready_go_first() {
    let mut world = World::settled(spec(3, 0, 1));
    let (first, second) = (world.deployment.pods()[0].id, world.deployment.pods()[1].id);
    world.deployment.set_ready(first, false, 0);
    world.deployment.scale(2);
    world.reconcile();
    let stays: Vec<_> =
        world.deployment.pods().iter().filter(|pod| pod.is_active()).map(|pod| pod.id).collect();
    assert!(!stays.contains(&first) && stays.contains(&second));
}

#[test]
fn an_undo_reuses_the_replica_set_and_renumbers_it() {
    let mut world = World::settled(spec(2, 1, 0));
    assert_eq!(world.deployment.undo(None), Err(UndoError::NoPrevious { newest: 1 }));
    for template in [2, 3] {
        world.deployment.set_template(template);
        world.run_until(world.now_ms + 10_000);
    }
    assert_eq!(world.deployment.undo(None), Ok(Undo::Patched { revision: 2 }));
    world.run_until(world.now_ms + 10_000);
    let numbers: Vec<_> =
        world.deployment.replica_sets().iter().map(|set| (set.template, set.revision)).collect();
    assert_eq!(numbers, [(1, 1), (2, 4), (3, 3)]);
    assert_eq!(world.deployment.replica_sets()[1].revision_history, [2]);
    assert_eq!(world.deployment.undo(Some(2)), Err(UndoError::Unknown { revision: 2 }));
    assert_eq!(world.deployment.undo(Some(4)), Ok(Undo::Skipped { revision: 4 }));
    world.deployment.pause();
    assert_eq!(world.deployment.undo(None), Err(UndoError::Paused));
}

#[test]
fn the_history_keeps_the_newest_empty_replica_sets() {
    let mut world = World::settled(DeploymentSpec { revision_history_limit: 2, ..spec(1, 1, 0) });
    for template in 2..=5 {
        world.deployment.set_template(template);
        world.run_until(world.now_ms + 10_000);
    }
    let kept: Vec<_> = world.deployment.replica_sets().iter().map(|set| set.template).collect();
    assert_eq!(kept, [3, 4, 5]);
}

#[test]
fn a_settled_deployment_is_complete_and_waits_for_nothing() {
    for replicas in [0, 1, 7] {
        let world = World::settled(DeploymentSpec { min_ready_ms: 30_000, ..spec(replicas, 1, 0) });
        assert!(world.deployment.is_complete());
        assert_eq!(world.deployment.ready_pods(1), replicas);
        assert_eq!(world.deployment.next_deadline_ms(), None);
        progress_reason(&world, Reason::NewReplicaSetAvailable);
    }
}

#[test]
fn a_deleted_pod_is_replaced_and_makes_no_revision() {
    let mut world = World::settled(spec(2, 1, 0));
    let pod = world.deployment.pods()[0].id;
    world.deployment.delete_pod(pod);
    world.reconcile();
    assert_eq!((world.deployment.status().terminating, world.deployment.status().available), (1, 1));
    world.deployment.terminated(pod, 0);
    world.run_until(5_000);
    assert!(world.deployment.is_complete());
    assert_eq!((world.deployment.revision(), world.deployment.generation()), (1, 1));
}
