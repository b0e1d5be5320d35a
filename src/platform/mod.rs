//! What an engine's steps need of the platform that they act on, and when a step is done.
//!
//! - [`Platform`]: what a platform can tell and do, in the words of its resources: pods, routes, flags, a schema. The
//!   simulated world is one; a Kubernetes API behind a client is another.
//! - [`Steps`]: actions under way. It begins them, sees when their goal is reached, and reads back what became of one.
//!   Whatever stands behind the port, a step ends by the same rules.
//!
//! | action | succeeds | fails | never ends |
//! | --- | --- | --- | --- |
//! | `ScaleVersion` | as many pods ready, or gone for zero | no such version; image not to be had, once the platform has backed off; a rolling Deployment past its progress deadline | |
//! | `ShiftTraffic` | the weights are in force | no such version; no ready pod of who should get traffic; a part-way shift where the router only switches | the router is stuck |
//! | `ValidateStandby` | so many pods ready | no such version; fewer pods asked for; image not to be had; one Deployment for all | pods that do not become ready |
//! | `SwitchTraffic` | the load balancer sends all there | no such version; no ready pod; one Deployment for all | the router is stuck |
//! | `VerifyTraffic` | all traffic really goes there | no such version; it is configured otherwise | the router is stuck |
//! | `DisableFlags` | at once | no such flag; the flag service is down | |
//! | `VerifyFlags` | every client sees them off | no such flag; down; nobody switched them off | |
//! | `RevertSchema` | the scripts are through | no such version; another schema there; one runs; no script | |
//! | `VerifySchema` | at once | no such version; it fails with the schema | |
//! | `RevertInfrastructure` | at once | never changed | |
//! | `VerifyInfrastructure` | the recorded state is in force | never changed; nobody set it back | |
//! | `UpdateServiceDiscovery` | after it has spread | no such version; no ready pod; told of another version since | |
//! | `Notify` | at once | | |
//!
//! A rolling service has no weights: traffic follows ready pods. A shift, or a number of replicas, is there a
//! change of the template that is paused when it has got far enough.
//!
//! Left out: what the connection loses or repeats; that is the plane's part.

mod read;
mod steps;

pub use steps::Steps;

use backspin_domain::execution::FailureReason;
use backspin_domain::id::{Attempt, ExecutionId, FlagKey, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::InfraChange;

/// Weights of a route are whole numbers out of this many, on every platform.
pub const WEIGHTS: f64 = 1_000_000.0;

/// Shares that are at most a weight apart are the same.
pub const SAME_SHARE: f64 = 1.0 / WEIGHTS;

/// Pods of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Those that there should be.
    pub desired: u32,
    /// Those that there are, stopping ones included.
    pub existing: u32,
    /// Those that are ready.
    pub ready: u32,
}

/// One Deployment that holds all versions of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedDeployment {
    /// Pods that it should have.
    pub replicas: u32,
    /// The version that it rolls to.
    pub template: VersionId,
    /// Whether it stays where it is.
    pub paused: bool,
    /// Whether it should have pods of more than one version.
    pub mixed: bool,
}

/// Where something stands that can be taken back, and is then so everywhere only after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// It is as the deploy left it.
    Not,
    /// It is taken back, and not seen everywhere yet.
    Spreading,
    /// It is taken back and seen everywhere.
    Everywhere,
}

/// The schema of a service's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// The version whose schema is there.
    pub at: VersionId,
    /// The version to whose schema a revert runs now, if one does.
    pub reverts_to: Option<VersionId>,
}

/// What a platform can tell of one service and do to it.
///
/// What it tells is as of the last look; what cannot be asked at all is an error in the platform's words. A command that
/// is refused or does not get through changes nothing.
pub trait Platform {
    /// Whether there is such a version.
    fn knows(&self, version: &VersionId) -> bool;

    /// The Deployment that holds all versions; none where each has its own.
    fn shared(&self) -> Option<SharedDeployment>;

    /// Pods of a version; none of one that is not known.
    fn pods(&self, version: &VersionId) -> PodCounts;

    /// What the platform says of a version's pods that do not start.
    fn start_failure(&self, version: &VersionId) -> Option<String>;

    /// Whether a version may get more pods than were asked for.
    fn is_autoscaled(&self) -> bool;

    /// Whether traffic can be split by weight.
    fn splits_traffic(&self) -> bool;

    /// Share of traffic that a version is configured to get, `0..=1`.
    fn configured_share(&self, version: &VersionId) -> f64;

    /// Share of traffic that really goes to a version, `0..=1`.
    fn share(&self, version: &VersionId) -> f64;

    /// Whether new traffic goes as configured.
    fn is_routed(&self) -> bool;

    /// Where a flag stands; none if there is no such flag.
    fn flag(&self, key: &FlagKey) -> Result<Option<TakenBack>, FailureReason>;

    /// Where infrastructure stands that came with a version; none if it was never changed.
    fn infrastructure(&self, change: InfraChange) -> Option<TakenBack>;

    /// The schema; none without a database.
    fn schema(&self) -> Option<SchemaState>;

    /// Whether the validation queries of a version pass.
    fn works_with_schema(&self, version: &VersionId) -> bool;

    /// What service discovery was told last, and whether that has spread.
    fn discovery(&self) -> Option<(VersionId, bool)>;

    /// Whether an attempt was taken up before.
    fn is_known(&self, attempt: Attempt) -> bool;

    /// Whether a step's message was delivered before, by whichever attempt.
    fn is_delivered(&self, execution: ExecutionId, step: u16) -> bool;

    /// Gives a version's own Deployment this many replicas, and keeps others who scale it from taking them away.
    fn scale(&mut self, version: &VersionId, replicas: u32) -> Result<(), FailureReason>;

    /// Rolls the shared Deployment to a version.
    fn roll_to(&mut self, version: &VersionId) -> Result<(), FailureReason>;

    /// Stops the shared Deployment where it is, or lets it go on.
    fn set_paused(&mut self, paused: bool) -> Result<(), FailureReason>;

    /// Gives `to` this share of the traffic and `from` the rest.
    fn route(&mut self, from: &VersionId, to: &VersionId, share: f64) -> Result<(), FailureReason>;

    /// Keeps the deploy's controller from scaling the standby down.
    fn hold_standby(&mut self) -> Result<(), FailureReason>;

    /// Switches a flag off.
    fn switch_off(&mut self, key: &FlagKey) -> Result<(), FailureReason>;

    /// Sets infrastructure back to its recorded state.
    fn set_back(&mut self, change: InfraChange) -> Result<(), FailureReason>;

    /// Begins to run the scripts that take the schema back from one version's to another's.
    fn revert_schema(&mut self, from: &VersionId, to: &VersionId) -> Result<(), FailureReason>;

    /// Tells service discovery which version serves.
    fn discover(&mut self, version: &VersionId) -> Result<(), FailureReason>;

    /// Takes note that an attempt was taken up; `new` if it was not before. Called after what it asks for was done; for
    /// a message this is the delivery.
    fn took(&mut self, attempt: Attempt, action: &StepAction, new: bool) -> Result<(), FailureReason>;
}
