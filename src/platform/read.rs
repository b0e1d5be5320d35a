//! What is to be seen of an effect whose outcome nobody knows: of an action's goal, whoever reached it.

use super::SAME_SHARE;
use super::steps::pods_for;
use super::{Platform, SharedDeployment, Steps, TakenBack};
use backspin_domain::execution::{EffectState, FailureReason};
use backspin_domain::id::{Attempt, FlagKey, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::InfraChange;

impl Steps {
    /// What is to be seen of an effect. A message is recognised by execution and step, since that is what its reader
    /// would take for the same one.
    pub fn read(platform: &impl Platform, attempt: Attempt, action: &StepAction) -> EffectState {
        let known = |version: &VersionId| platform.knows(version);
        match action {
            StepAction::ScaleVersion { version, replicas } if known(version) => {
                scale(platform, version, *replicas)
            }
            StepAction::ShiftTraffic { from, to, to_share } if known(from) && known(to) => {
                shift(platform, from, to, to_share.get())
            }
            StepAction::ValidateStandby { version, pods_min } if known(version) => {
                let pods = platform.pods(version);
                seen(pods.ready >= *pods_min, pods.desired >= *pods_min)
            }
            StepAction::SwitchTraffic { from, to } if known(from) && known(to) => {
                shift(platform, from, to, 1.0)
            }
            StepAction::VerifyTraffic { version } if known(version) => {
                seen(platform.share(version) >= 1.0, platform.configured_share(version) >= 1.0)
            }
            StepAction::DisableFlags { keys } => flags(platform, keys, |states| {
                let off = |state: &Option<TakenBack>| {
                    matches!(state, Some(TakenBack::Spreading | TakenBack::Everywhere))
                };
                if states.iter().all(off) { EffectState::Applied } else { EffectState::NotApplied }
            }),
            StepAction::VerifyFlags { keys } => flags(platform, keys, |states| {
                let everywhere = states.iter().all(|state| *state == Some(TakenBack::Everywhere));
                seen(everywhere, !states.contains(&Some(TakenBack::Not)))
            }),
            StepAction::RevertSchema { to, .. } if known(to) => {
                let Some(schema) = platform.schema() else { return EffectState::NotApplied };
                if schema.reverts_to.as_ref() == Some(to) {
                    EffectState::Underway
                } else {
                    seen(schema.at == *to, false)
                }
            }
            StepAction::VerifySchema { version } if known(version) => {
                seen(platform.works_with_schema(version), false)
            }
            StepAction::RevertInfrastructure { changes, .. } => match infrastructure(platform, changes) {
                EffectState::Underway => EffectState::Applied,
                state => state,
            },
            StepAction::VerifyInfrastructure { changes, .. } => infrastructure(platform, changes),
            StepAction::UpdateServiceDiscovery { version } if known(version) => {
                let told = platform.discovery().filter(|(told, _)| told == version);
                seen(told.as_ref().is_some_and(|(_, spread)| *spread), told.is_some())
            }
            StepAction::Notify { .. } => seen(platform.is_delivered(attempt.execution, attempt.step), false),
            // The engine watches itself; of what is not known nothing can be seen.
            StepAction::WatchHealth { .. }
            | StepAction::ScaleVersion { .. }
            | StepAction::ShiftTraffic { .. }
            | StepAction::ValidateStandby { .. }
            | StepAction::SwitchTraffic { .. }
            | StepAction::VerifyTraffic { .. }
            | StepAction::RevertSchema { .. }
            | StepAction::VerifySchema { .. }
            | StepAction::UpdateServiceDiscovery { .. } => EffectState::NotApplied,
        }
    }
}

const fn seen(applied: bool, underway: bool) -> EffectState {
    if applied {
        EffectState::Applied
    } else if underway {
        EffectState::Underway
    } else {
        EffectState::NotApplied
    }
}

fn flags(
    platform: &impl Platform,
    keys: &[FlagKey],
    read: impl FnOnce(&[Option<TakenBack>]) -> EffectState,
) -> EffectState {
    let states: Result<Vec<_>, _> = keys.iter().map(|key| platform.flag(key)).collect();
    match states {
        Ok(states) => read(&states),
        Err(FailureReason::Unreachable(words)) => EffectState::Unreadable(words),
        Err(reason) => EffectState::Unreadable(reason.to_string()),
    }
}

/// Whether the recorded state is in force; under way once all of it was asked for.
fn infrastructure(platform: &impl Platform, changes: &[InfraChange]) -> EffectState {
    let is = |wanted: &[TakenBack]| {
        changes.iter().all(|&change| platform.infrastructure(change).is_some_and(|it| wanted.contains(&it)))
    };
    seen(is(&[TakenBack::Everywhere]), is(&[TakenBack::Spreading, TakenBack::Everywhere]))
}

fn scale(platform: &impl Platform, version: &VersionId, replicas: u32) -> EffectState {
    if let Some(shared) = platform.shared() {
        return roll(platform, &shared, version, replicas);
    }
    let pods = platform.pods(version);
    let grown = replicas > 0 && pods.desired > replicas && platform.is_autoscaled();
    if pods.desired != replicas && !grown {
        return EffectState::NotApplied;
    }
    let applied = if replicas == 0 {
        pods.existing == 0
    } else {
        pods.ready == replicas || (grown && pods.ready > replicas)
    };
    seen(applied, true)
}

/// The same within one rolling Deployment: growing is a change of the template. A version that has fewer than
/// asked for, and that the Deployment does not roll to, was not given any.
fn roll(
    platform: &impl Platform,
    shared: &SharedDeployment,
    version: &VersionId,
    replicas: u32,
) -> EffectState {
    let growing = shared.template == *version;
    let pods = platform.pods(version);
    if growing && replicas > 0 {
        seen(pods.ready >= replicas, !shared.paused)
    } else {
        seen(!growing && pods.desired == replicas, false)
    }
}

fn shift(platform: &impl Platform, from: &VersionId, to: &VersionId, share: f64) -> EffectState {
    if let Some(shared) = platform.shared() {
        let pods = pods_for(share, shared.replicas);
        return if pods > 0 {
            roll(platform, &shared, to, pods)
        } else {
            roll(platform, &shared, from, shared.replicas)
        };
    }
    let share = if from == to { 1.0 } else { share };
    if (platform.configured_share(to) - share).abs() > SAME_SHARE {
        EffectState::NotApplied
    } else {
        seen(platform.is_routed(), true)
    }
}
