//! Steps under way: what each waits for, and when it is done.

use std::collections::VecDeque;

use super::{Platform, SAME_SHARE, TakenBack};
use backspin_domain::execution::{FailureReason, StepOutcome};
use backspin_domain::id::{Attempt, FlagKey, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::InfraChange;

/// Actions under way, and outcomes that nobody has taken yet.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    running: Vec<Running>,
    done: VecDeque<(Attempt, StepOutcome)>,
}

/// An action under way.
#[derive(Clone, Debug)]
struct Running {
    attempt: Attempt,
    goal: Goal,
}

/// What an action waits for.
#[derive(Clone, Debug)]
enum Goal {
    /// So many pods of a version, ready.
    Pods { version: VersionId, replicas: u32 },
    /// The same within the rolling Deployment, which is then paused unless it is through.
    Rolled { version: VersionId, replicas: u32, growing: bool },
    /// At least so many pods of a version, ready.
    Standby { version: VersionId, pods_min: u32 },
    /// All traffic really goes there.
    Routed { to: VersionId },
    /// Weights in force.
    Share { to: VersionId, share: f64 },
    /// The schema of a version, once its revert is through.
    Schema { version: VersionId },
    /// The recorded state in force.
    InfrastructureBack { changes: Vec<InfraChange> },
    /// Flags seen off.
    FlagsOff { keys: Vec<FlagKey> },
    /// Everybody knows which version serves.
    Discovered { version: VersionId },
}

/// What began: a goal to wait for, or none where it is done at once.
type Begun = Result<Option<Goal>, FailureReason>;

impl Steps {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Begins to carry out a step. Its end comes through [`Steps::poll`], unless it is cancelled before or never ends;
    /// what it waits for is looked at by [`Steps::advance`] only, so that what was asked for can be seen by then.
    ///
    /// An attempt that came before, or a message of a step that was delivered before, changes nothing: it is recognised
    /// by its key and answered by what is to be seen of it.
    pub fn start(&mut self, platform: &mut impl Platform, attempt: Attempt, action: &StepAction) {
        let delivered = matches!(action, StepAction::Notify { .. })
            && platform.is_delivered(attempt.execution, attempt.step);
        if delivered || platform.is_known(attempt) {
            let noted = platform.took(attempt, action, false);
            if let Err(reason) = noted {
                self.end(attempt, StepOutcome::Failed(reason));
            } else if self.running.iter().all(|running| running.attempt != attempt) {
                self.end(attempt, StepOutcome::Succeeded);
            }
            return;
        }
        let begun = begin(platform, action).and_then(|goal| {
            platform.took(attempt, action, true)?;
            Ok(goal)
        });
        match begun {
            Ok(Some(goal)) => self.running.push(Running { attempt, goal }),
            Ok(None) => self.end(attempt, StepOutcome::Succeeded),
            Err(reason) => self.end(attempt, StepOutcome::Failed(reason)),
        }
    }

    /// Nobody waits for this step any more. What it set going goes on.
    pub fn cancel(&mut self, attempt: Attempt) {
        self.running.retain(|running| running.attempt != attempt);
    }

    /// Looks which steps have ended.
    pub fn advance(&mut self, platform: &mut impl Platform) {
        let mut place = 0;
        while place < self.running.len() {
            match outcome(platform, &self.running[place].goal) {
                None => place += 1,
                Some(outcome) => {
                    let Running { attempt, goal } = self.running.remove(place);
                    let outcome = settle(platform, &goal, outcome);
                    self.end(attempt, outcome);
                }
            }
        }
    }

    /// The next step that ended, and how.
    pub fn poll(&mut self) -> Option<(Attempt, StepOutcome)> {
        self.done.pop_front()
    }

    fn end(&mut self, attempt: Attempt, outcome: StepOutcome) {
        self.done.push_back((attempt, outcome));
    }
}

fn begin(platform: &mut impl Platform, action: &StepAction) -> Begun {
    match action {
        StepAction::ScaleVersion { version, replicas } => scale(platform, version, *replicas),
        StepAction::ShiftTraffic { from, to, to_share } => shift(platform, from, to, to_share.get()),
        StepAction::ValidateStandby { version, pods_min } => validate_standby(platform, version, *pods_min),
        StepAction::SwitchTraffic { from, to } => {
            known(platform, from)?;
            known(platform, to)?;
            has_environments(platform)?;
            shift(platform, from, to, 1.0)
        }
        StepAction::VerifyTraffic { version } => {
            known(platform, version)?;
            Ok(Some(Goal::Routed { to: version.clone() }))
        }
        StepAction::DisableFlags { keys } => {
            known_flags(platform, keys)?;
            keys.iter().try_for_each(|key| platform.switch_off(key))?;
            Ok(None)
        }
        StepAction::VerifyFlags { keys } => verify_flags(platform, keys),
        StepAction::RevertSchema { from, to } => {
            known(platform, from)?;
            known(platform, to)?;
            platform.revert_schema(from, to)?;
            Ok(Some(Goal::Schema { version: to.clone() }))
        }
        StepAction::VerifySchema { version } => {
            known(platform, version)?;
            if !platform.works_with_schema(version) {
                return Err(FailureReason::Refused(format!("validation queries of {version} fail")));
            }
            Ok(None)
        }
        StepAction::RevertInfrastructure { changes, .. } => {
            recorded(platform, changes)?;
            changes.iter().try_for_each(|&change| platform.set_back(change))?;
            Ok(None)
        }
        StepAction::VerifyInfrastructure { changes, .. } => verify_infrastructure(platform, changes),
        StepAction::UpdateServiceDiscovery { version } => {
            known(platform, version)?;
            if platform.pods(version).ready == 0 {
                return Err(FailureReason::NoReadyEndpoint);
            }
            platform.discover(version)?;
            Ok(Some(Goal::Discovered { version: version.clone() }))
        }
        StepAction::Notify { .. } => Ok(None),
        StepAction::WatchHealth { .. } => {
            Err(FailureReason::Refused("the engine watches health itself".to_owned()))
        }
    }
}

fn scale(platform: &mut impl Platform, version: &VersionId, replicas: u32) -> Begun {
    known(platform, version)?;
    if platform.shared().is_some() {
        return roll_part(platform, version, replicas);
    }
    platform.scale(version, replicas)?;
    Ok(Some(Goal::Pods { version: version.clone(), replicas }))
}

/// Rolls the shared Deployment until a version has so many pods.
fn roll_part(platform: &mut impl Platform, version: &VersionId, replicas: u32) -> Begun {
    let Some(shared) = platform.shared() else { return Ok(None) };
    let replicas = replicas.min(shared.replicas);
    let part_way = replicas > 0 && shared.template == *version && shared.mixed;
    let growing = part_way || replicas > platform.pods(version).desired || replicas == shared.replicas;
    if growing {
        platform.roll_to(version)?;
    } else if shared.template == *version {
        let words = "the Deployment rolls to this version; roll it to another one".to_owned();
        return Err(FailureReason::Refused(words));
    } else {
        platform.set_paused(false)?;
    }
    Ok(Some(Goal::Rolled { version: version.clone(), replicas, growing }))
}

fn shift(platform: &mut impl Platform, from: &VersionId, to: &VersionId, share: f64) -> Begun {
    known(platform, from)?;
    known(platform, to)?;
    if let Some(shared) = platform.shared() {
        let pods = pods_for(share, shared.replicas);
        return if pods > 0 {
            roll_part(platform, to, pods)
        } else {
            roll_part(platform, from, shared.replicas)
        };
    }
    if !platform.splits_traffic() && share > 0.0 && share < 1.0 {
        return Err(FailureReason::Refused("a blue-green switch moves all traffic or none".to_owned()));
    }
    let missing = |version: &VersionId, share: f64| share > 0.0 && platform.pods(version).ready == 0;
    if missing(to, share) || missing(from, 1.0 - share) {
        return Err(FailureReason::NoReadyEndpoint);
    }
    platform.hold_standby()?;
    platform.route(from, to, share)?;
    Ok(Some(Goal::Share { to: to.clone(), share: if from == to { 1.0 } else { share } }))
}

/// Pods of a shared Deployment that make up a share of its traffic.
pub(super) fn pods_for(share: f64, replicas: u32) -> u32 {
    libm::ceil(share * f64::from(replicas) - SAME_SHARE) as u32
}

/// Its controller leaves a standby alone that somebody has taken in hand.
fn validate_standby(platform: &mut impl Platform, version: &VersionId, pods_min: u32) -> Begun {
    known(platform, version)?;
    has_environments(platform)?;
    let asked_for = platform.pods(version).desired;
    if asked_for < pods_min {
        return Err(FailureReason::Refused(format!("the standby is scaled to {asked_for} pods")));
    }
    platform.hold_standby()?;
    Ok(Some(Goal::Standby { version: version.clone(), pods_min }))
}

fn verify_flags(platform: &impl Platform, keys: &[FlagKey]) -> Begun {
    known_flags(platform, keys)?;
    for key in keys {
        if platform.flag(key)? == Some(TakenBack::Not) {
            return Err(FailureReason::Refused(format!("flag `{key}` is on")));
        }
    }
    Ok(Some(Goal::FlagsOff { keys: keys.to_vec() }))
}

fn verify_infrastructure(platform: &impl Platform, changes: &[InfraChange]) -> Begun {
    recorded(platform, changes)?;
    let changed = |change: &&InfraChange| platform.infrastructure(**change) == Some(TakenBack::Not);
    match changes.iter().find(changed) {
        Some(change) => Err(FailureReason::Refused(format!("the {change} was not set back"))),
        None => Ok(Some(Goal::InfrastructureBack { changes: changes.to_vec() })),
    }
}

fn known(platform: &impl Platform, version: &VersionId) -> Result<(), FailureReason> {
    let known = platform.knows(version);
    known.then_some(()).ok_or_else(|| FailureReason::NotFound(format!("version `{version}`")))
}

fn known_flags(platform: &impl Platform, keys: &[FlagKey]) -> Result<(), FailureReason> {
    for key in keys {
        if platform.flag(key)?.is_none() {
            return Err(FailureReason::NotFound(format!("flag `{key}`")));
        }
    }
    Ok(())
}

fn recorded(platform: &impl Platform, changes: &[InfraChange]) -> Result<(), FailureReason> {
    match changes.iter().find(|change| platform.infrastructure(**change).is_none()) {
        Some(unknown) => Err(FailureReason::NotFound(format!("recorded state of the {unknown}"))),
        None => Ok(()),
    }
}

fn has_environments(platform: &impl Platform) -> Result<(), FailureReason> {
    if platform.shared().is_some() {
        return Err(FailureReason::Refused("one Deployment holds all versions".to_owned()));
    }
    Ok(())
}

/// How a goal ended; none while it has not.
fn outcome(platform: &impl Platform, goal: &Goal) -> Option<StepOutcome> {
    let cannot_start = |version: &VersionId| {
        let words = platform.start_failure(version);
        words.map(|words| StepOutcome::Failed(FailureReason::CannotStart(words)))
    };
    let done = match goal {
        Goal::Pods { version, replicas: 0 } | Goal::Rolled { version, replicas: 0, growing: false } => {
            platform.pods(version).existing == 0
        }
        Goal::Pods { version, replicas } => {
            if let Some(failed) = cannot_start(version) {
                return Some(failed);
            }
            let ready = platform.pods(version).ready;
            ready == *replicas || (platform.is_autoscaled() && ready > *replicas)
        }
        Goal::Rolled { version, replicas, growing: true } => {
            if let Some(failed) = cannot_start(version) {
                return Some(failed);
            }
            platform.pods(version).ready >= *replicas
        }
        Goal::Rolled { version, replicas, growing: false } => platform.pods(version).desired <= *replicas,
        Goal::Standby { version, pods_min } => {
            if let Some(failed) = cannot_start(version) {
                return Some(failed);
            }
            platform.pods(version).ready >= *pods_min
        }
        Goal::Routed { to } => {
            if platform.configured_share(to) < 1.0 {
                return Some(refused("traffic is configured to go elsewhere"));
            }
            platform.share(to) >= 1.0
        }
        Goal::Share { to, share } => {
            if (platform.configured_share(to) - share).abs() > SAME_SHARE {
                return Some(refused("other weights were configured since"));
            }
            platform.is_routed()
        }
        Goal::Schema { version } => {
            platform.schema().is_some_and(|it| it.at == *version && it.reverts_to.as_ref() != Some(version))
        }
        Goal::InfrastructureBack { changes } => {
            changes.iter().all(|&change| platform.infrastructure(change) == Some(TakenBack::Everywhere))
        }
        Goal::FlagsOff { keys } => {
            let mut off = true;
            for key in keys {
                match platform.flag(key) {
                    Ok(state) => off &= state == Some(TakenBack::Everywhere),
                    Err(reason) => return Some(StepOutcome::Failed(reason)),
                }
            }
            off
        }
        Goal::Discovered { version } => match platform.discovery() {
            Some((told, spread)) if told == *version => spread,
            _ => return Some(refused("service discovery was told of another version since")),
        },
    };
    done.then_some(StepOutcome::Succeeded)
}

/// A rolling Deployment that has got as far as asked stays there.
fn settle(platform: &mut impl Platform, goal: &Goal, outcome: StepOutcome) -> StepOutcome {
    let Goal::Rolled { replicas, growing, .. } = goal else { return outcome };
    if outcome != StepOutcome::Succeeded {
        return outcome;
    }
    let all = platform.shared().map_or(0, |shared| shared.replicas);
    let through = if *growing { *replicas >= all } else { *replicas == 0 };
    let paused = if through { Ok(()) } else { platform.set_paused(true) };
    paused.map_or_else(StepOutcome::Failed, |()| outcome)
}

fn refused(words: &str) -> StepOutcome {
    StepOutcome::Failed(FailureReason::Refused(words.to_owned()))
}
