//! From an event to a plan: strategy, steps, checks, risks, approval (SPEC 3).
//!
//! Pure. A plan never raises the candidate's share, never names a strategy that the service cannot do, and
//! shifts traffic only to a version that has pods or is first given some.

mod approval;
mod blue_green;
mod canary;
mod choose;
mod closing;
mod database;
mod flags;
mod gradual;
mod immediate;
mod infrastructure;
mod risks;
mod steps;

use backspin_domain::event::RollbackEvent;
use backspin_domain::forecast::Forecast;
use backspin_domain::id::ServiceId;
use backspin_domain::plan::{Check, RollbackPlan, StepAction, Strategy};
use backspin_domain::service::{Inventory, KnownVersion, RolloutKind};
use backspin_domain::time::Now;

use super::guard;
use super::mutation::Mutation;
use super::settings::Settings;

pub(super) use approval::on_call;
pub(super) use steps::SHARE_SLACK;

/// A share of the traffic below this is not worth a stage of its own.
const SHARE_MIN: f64 = 0.01;

/// What a plan is made of.
pub(super) struct Request<'a> {
    /// What is answered.
    pub(super) event: RollbackEvent,
    /// The service as it stands.
    pub(super) inventory: &'a Inventory,
    /// The version to go back to.
    pub(super) target: &'a KnownVersion,
    /// Pods of the target that are surely ready, as best known.
    pub(super) target_ready: u32,
    /// And that may be, where what is known contradicts itself: no step asks for fewer.
    pub(super) target_had: u32,
    /// Pods of the candidate that are ready, as best known.
    pub(super) candidate_ready: u32,
    /// How the candidate was shipped.
    pub(super) shipped: RolloutKind,
    /// Share of traffic that the candidate is configured to get, `0..=1`.
    pub(super) candidate_share: f64,
    /// Share of failed requests that still counts as recovered, `0..=1`.
    pub(super) error_limit: f64,
    /// Share of slow requests that still does; none where the history tells nothing.
    pub(super) slow_limit: Option<f64>,
    /// Strategies that were tried and did not help.
    pub(super) tried: &'a [Strategy],
    /// Requests of the service per second, lately.
    pub(super) requests_per_sec: Option<f64>,
    /// Services that call this one.
    pub(super) callers: Vec<ServiceId>,
    /// Settings of the engine.
    pub(super) settings: &'a Settings,
    /// Both clocks.
    pub(super) now: Now,
}

impl Request<'_> {
    /// Ready pods with which the target counts as up: four fifths, since one pod that restarts just now must not
    /// stop a rollback.
    fn pods_min(&self) -> u32 {
        self.inventory.replicas - self.inventory.replicas / 5
    }

    /// The version that is taken back.
    fn current(&self) -> Option<&KnownVersion> {
        self.inventory.versions.iter().find(|version| version.id == self.event.current)
    }

    /// Whether one Deployment holds all versions: traffic follows pods, and there is nothing to switch between.
    fn is_shared(&self) -> bool {
        self.inventory.shares_pods(self.shipped)
    }
}

/// Makes the plan; none when no strategy is left that the service can do.
pub(super) fn make(request: Request<'_>) -> Option<RollbackPlan> {
    let choose::Choice { strategy, rejected, objections } = choose::choose(&request)?;
    let (mut steps, moves_traffic) = match strategy {
        Strategy::FeatureFlagDisable => (flags::steps(&request), false),
        Strategy::CanaryRollback => (canary::steps(&request), true),
        Strategy::BlueGreenSwitch => (blue_green::steps(&request), true),
        Strategy::Gradual => (gradual::steps(&request), true),
        Strategy::Immediate => (immediate::steps(&request), true),
        Strategy::DatabaseRevert => (database::steps(&request), true),
        Strategy::InfrastructureRollback => (infrastructure::steps(&request), false),
    };
    if request.settings.broken.is(Mutation::RetireFirst) && moves_traffic {
        steps.rotate_right(1);
    }
    steps.extend(closing::steps(&request, strategy));
    let scales_target = steps.iter().any(|step| {
        matches!(&step.action, StepAction::ScaleVersion { version, .. } if *version == request.target.id)
    });
    let pre_checks = if moves_traffic && !scales_target && !request.settings.broken.is(Mutation::SkipReady) {
        vec![Check::TargetReady { pods_min: request.pods_min() }]
    } else {
        Vec::new()
    };
    let estimated = steps
        .iter()
        .map(|step| steps::usual(&step.action))
        .fold(request.settings.planning.settle, std::ops::Add::add);
    let like = risks::class(&request, strategy);
    let forecast = Forecast {
        like: Some(like),
        success: request.settings.planning.success.chance(like),
        harmed_per_min: backspin_model::harmed_per_min(&request.event.effect, request.requests_per_sec),
    };
    Some(RollbackPlan {
        strategy,
        rejected,
        pre_checks,
        post_checks: post_checks(&request, moves_traffic),
        dependencies: dependencies(&request),
        estimated,
        risks: risks::assess(&request, strategy),
        forecast,
        approval: approval::needed(&request, strategy),
        window: window(&request),
        steps,
        objections,
        event: request.event,
    })
}

fn post_checks(request: &Request<'_>, moves_traffic: bool) -> Vec<Check> {
    let share = moves_traffic.then_some(Check::CandidateShareAtMost { limit: SHARE_SLACK });
    let errors = Check::ErrorRatioAtMost { limit: request.error_limit };
    let slow = request.slow_limit.map(|limit| Check::SlowRatioAtMost { limit });
    share.into_iter().chain([errors]).chain(slow).collect()
}

/// Services called and services that call, each once, in order.
fn dependencies(request: &Request<'_>) -> Vec<ServiceId> {
    let mut all: Vec<ServiceId> = request.inventory.depends_on.clone();
    all.extend(request.callers.iter().cloned());
    all.sort();
    all.dedup();
    all
}

/// What a critical rollback overrides is named, for the audit.
fn window(request: &Request<'_>) -> Option<String> {
    let calendar = &request.settings.calendar;
    guard::calendar::closed(calendar, request.now.wall).map(|closed| {
        format!("{}, overridden: {} severity", closed.words(&calendar.freezes), request.event.severity)
    })
}

#[cfg(test)]
mod tests;
