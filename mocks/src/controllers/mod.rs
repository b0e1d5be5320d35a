//! The rollout controllers of Kubernetes as one pure step function: Deployment → ReplicaSets → pods.
//!
//! A world drives it in virtual time: it gives commands ([`Deployment::set_template`], [`Deployment::undo`], …) and says
//! what pods did ([`Deployment::set_ready`], [`Deployment::terminated`]); after each it calls
//! [`Deployment::reconcile`], which starts and stops pods through [`PodRuntime`]. [`Deployment::next_deadline_ms`]
//! says when to call again without an event.
//!
//! ```
//! use backspin_mocks::controllers::{Deployment, DeploymentSpec, IntOrPercent, PodId, PodRuntime, TemplateId};
//!
//! /// Remembers what was started.
//! #[derive(Default)]
//! struct Started(Vec<PodId>);
//! impl PodRuntime for Started {
//!     fn start(&mut self, pod: PodId, _: TemplateId, _now_ms: u64) {
//!         self.0.push(pod);
//!     }
//!     fn stop(&mut self, _: PodId, _: TemplateId, _now_ms: u64) {}
//! }
//!
//! let spec = DeploymentSpec {
//!     replicas: 2,
//!     max_surge: IntOrPercent::Percent(25),
//!     max_unavailable: IntOrPercent::Percent(25),
//!     min_ready_ms: 0,
//!     progress_deadline_ms: 600_000,
//!     paused: false,
//!     template: 41,
//!     revision_history_limit: 10,
//! };
//! let (mut world, mut deployment) = (Started::default(), Deployment::settled(spec, 0));
//! deployment.set_template(42);
//! deployment.reconcile(1_000, &mut world);
//! assert_eq!(world.0.len(), 1, "one pod of surge");
//! deployment.set_ready(world.0[0], true, 9_000);
//! deployment.reconcile(9_000, &mut world);
//! assert_eq!((deployment.ready_pods(41), world.0.len()), (1, 2));
//! ```
//!
//! - `spec`: what is asked for, and surge and unavailability in pods.
//! - `deployment`: state, commands, and the loop to a fixed point.
//! - `rollout`, `scaling`, `history`: one sync of the Deployment controller, by what it decides.
//! - `progress`, `status`: what the controller says about it.
//! - `replica_set`, `pod`: the ReplicaSet controller and what it owns.
//! - `autoscaler`: how many replicas a Deployment should have by its pods' usage. Whoever drives it scales the Deployment.
//!
//! Invariants: after a reconcile at most `replicas + surge` pods are wanted; the controller never stops an available pod
//! below `replicas - unavailable` unless a command lowered `replicas`; the same calls give the same pods in the same order;
//! a reconcile with nothing to do returns at once and allocates nothing. Status is that of the last reconcile: right after
//! a command it still tells of the old rollout, as a read from the API does.
//!
//! Left out: the Recreate strategy, quotas and other failures to create pods (`ReplicaFailure`), pod deletion cost, node
//! placement, and hands on ReplicaSets. Time is in milliseconds where Kubernetes keeps whole seconds.
//!
//! Sources: Kubernetes 1.36 `pkg/controller/deployment` (`sync.go`, `rolling.go`, `progress.go`, `util/deployment_util.go`),
//! `pkg/controller/replicaset/replica_set.go`, `pkg/controller/controller_utils.go` (`ActivePodsWithRanks`), and
//! `kubectl rollout undo`.

mod autoscaler;
mod deployment;
mod history;
mod pod;
mod progress;
mod replica_set;
mod rollout;
mod scaling;
mod spec;
mod status;

pub use autoscaler::{AUTOSCALER_PERIOD_MS, AUTOSCALER_TOLERANCE, Autoscaler, AutoscalerSpec, Usage};
pub use deployment::Deployment;
pub use history::{Undo, UndoError};
pub use pod::{Pod, PodId, PodPhase, PodRuntime};
pub use replica_set::{ReplicaSet, ReplicaSetStatus};
pub use spec::{DeploymentSpec, IntOrPercent, NO_PROGRESS_DEADLINE_MS, TemplateId};
pub use status::{Condition, ConditionStatus, DeploymentStatus, Reason};
