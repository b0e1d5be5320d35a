//! Which strategy (SPEC 3.1). Each severity has a list; the first one wins that the service can do, that is
//! built and that was not tried before.
//!
//! | severity | list |
//! | --- | --- |
//! | critical, security or compliance | immediate |
//! | critical | blue-green, immediate |
//! | high | blue-green, flags, canary rollback, immediate |
//! | medium, low | gradual, canary rollback, immediate |
//!
//! Infrastructure that was changed for the version comes first, but for security and compliance: setting it back takes half a
//! minute and moves no user, and where it is the cause nothing else helps. It is passed over where an old version serves
//! beside the candidate without the harm. What fails is followed by the next on the list. The database comes last, and
//! only where the target fails with the schema: then no strategy that moves the application alone is taken.
//!
//! A canary rollback, and a gradual one, is passed over where waiting between its stages costs more than it saves: see
//! [`STAGED_HARM_MAX`]. A gradual one is passed over, too, where each version has its own Deployment and the target all its
//! pods: then nothing is to be replaced. Flags stand for: the service can switch flags and the version came with some. Blue-green stands
//! for: the standby is still up; one that was scaled down has to be started like any other version, and then
//! another strategy gives its pods less to do at once. Immediate needs nothing but a target.
//!
//! A strategy whose plan is surely less likely to reach its end than [`Planning::success_min`](crate::settings::Planning) asks is
//! passed over: by how often plans like it did ([`backspin_model::Success`]). What the model does not know stands against nothing.
//!
//! A policy may insist on a strategy. It is then taken wherever the service can do it, whatever the severity, and the
//! plan says what speaks against it.

use backspin_domain::event::{Severity, Trigger};
use backspin_domain::id::FlagKey;
use backspin_domain::plan::{Rejected, Strategy};
use backspin_domain::service::RolloutKind;

use crate::mutation::Mutation;

use super::{Request, blue_green, database, infrastructure, risks};

/// What is taken, and what is not.
pub(super) struct Choice {
    /// The strategy.
    pub(super) strategy: Strategy,
    /// What was passed over on the way to it.
    pub(super) rejected: Vec<Rejected>,
    /// What speaks against it, if it was not chosen by the rules.
    pub(super) objections: Vec<String>,
}

/// Why a strategy is not taken.
enum Obstacle {
    /// The service cannot do it.
    Impossible(&'static str),
    /// It can, and another one serves its users better.
    Unwise(String),
}

/// The strategy and what was not taken; none when the service can do nothing on the list.
pub(super) fn choose(request: &Request<'_>) -> Option<Choice> {
    let mut rejected = Vec::new();
    if let Some(wanted) = request.settings.planning.strategy {
        match obstacle(request, wanted) {
            Some(Obstacle::Impossible(reason)) => {
                let reason = format!("the policy insists on it, but {reason}");
                rejected.push(Rejected { strategy: wanted, reason });
            }
            unwise => return Some(insisted(request, wanted, unwise)),
        }
    }
    let severity = request.event.severity;
    for strategy in list(request) {
        let reason = match obstacle(request, strategy) {
            None => {
                let first = format!("the rules put {strategy} before it at {severity} severity");
                reject_others(request, strategy, &mut rejected, &first);
                return Some(Choice { strategy, rejected, objections: Vec::new() });
            }
            Some(obstacle) => obstacle.words(),
        };
        if rejected.iter().all(|r| r.strategy != strategy) {
            rejected.push(Rejected { strategy, reason });
        }
    }
    None
}

/// A strategy that the policy insists on, with what the rules say of it and of those that they prefer.
fn insisted(request: &Request<'_>, wanted: Strategy, unwise: Option<Obstacle>) -> Choice {
    let list = list(request);
    let mut objections: Vec<String> = unwise.into_iter().map(Obstacle::words).collect();
    let preferred = list.iter().copied().find(|&strategy| obstacle(request, strategy).is_none());
    if let Some(preferred) = preferred.filter(|&strategy| strategy != wanted) {
        objections.push(format!("at {} severity the rules choose {preferred}", request.event.severity));
    }
    let insists = format!("the policy insists on {wanted}");
    let reason = |strategy| obstacle(request, strategy).map_or_else(|| insists.clone(), Obstacle::words);
    let before = list.iter().take_while(|&&s| s != wanted);
    let mut rejected: Vec<Rejected> =
        before.map(|&strategy| Rejected { strategy, reason: reason(strategy) }).collect();
    reject_others(request, wanted, &mut rejected, &insists);
    Choice { strategy: wanted, rejected, objections }
}

/// Says of all that was not looked at yet why it is not taken: what stands against it, or `otherwise`.
fn reject_others(request: &Request<'_>, taken: Strategy, rejected: &mut Vec<Rejected>, otherwise: &str) {
    for strategy in Strategy::ALL {
        if strategy != taken && rejected.iter().all(|r| r.strategy != strategy) {
            let reason = obstacle(request, strategy).map_or_else(|| otherwise.to_owned(), Obstacle::words);
            rejected.push(Rejected { strategy, reason });
        }
    }
}

impl Obstacle {
    fn words(self) -> String {
        match self {
            Self::Impossible(reason) => reason.to_owned(),
            Self::Unwise(reason) => reason,
        }
    }
}

/// The flags that came with the version that is taken back.
pub(super) fn flags_of<'a>(request: &'a Request<'_>) -> &'a [FlagKey] {
    request.current().map_or(&[], |version| &version.flags)
}

/// What the severity asks for; before it the infrastructure that was changed with the version, where some was, and
/// after it the database.
fn list(request: &Request<'_>) -> Vec<Strategy> {
    use Strategy::{
        BlueGreenSwitch, CanaryRollback, DatabaseRevert, FeatureFlagDisable, Gradual, Immediate,
        InfrastructureRollback,
    };
    let (severity, trigger) = (request.event.severity, request.event.trigger);
    let alarm = matches!(trigger, Trigger::SecurityIncident | Trigger::ComplianceViolation);
    let of_severity: &[Strategy] = match severity {
        Severity::Critical if alarm => &[Immediate],
        Severity::Critical => &[BlueGreenSwitch, Immediate],
        Severity::High => &[BlueGreenSwitch, FeatureFlagDisable, CanaryRollback, Immediate],
        Severity::Medium | Severity::Low => &[Gradual, CanaryRollback, Immediate],
    };
    let around = !alarm && !infrastructure::changes(request).is_empty();
    let around = around.then_some(InfrastructureRollback);
    around.into_iter().chain(of_severity.iter().copied()).chain([DatabaseRevert]).collect()
}

/// Share of the candidate's own users that are harmed, at least, from which no stage is worth its wait.
///
/// A stage protects the target from a load that it cannot take. With all the pods that served everything before
/// the deploy that is unlikely, while each stage leaves half of the candidate's users on it for most of a
/// minute: at a fifth of them harmed, waiting costs more than a target that fails one time in ten for as long.
/// It is harm per exposed user, not severity: a candidate with little traffic is of low severity and yet
/// nothing is gained by keeping its few users there.
const STAGED_HARM_MAX: f64 = 0.2;

fn is_urgent(request: &Request<'_>) -> bool {
    request.event.effect.harm_lower >= STAGED_HARM_MAX && request.target_ready >= request.inventory.replicas
}

/// Whether the candidate was found worse than an old version that serves beside it.
fn compared(request: &Request<'_>) -> bool {
    request.shipped == RolloutKind::Canary && request.candidate_share < 1.0
}

/// Why a strategy is not taken, if so.
fn obstacle(request: &Request<'_>, strategy: Strategy) -> Option<Obstacle> {
    if request.tried.contains(&strategy) {
        return Some(Obstacle::Impossible("it was tried and did not help"));
    }
    if !strategy.keeps_version()
        && strategy != Strategy::DatabaseRevert
        && !database::target_fits(request)
        && !request.settings.broken.is(Mutation::IgnoreSchema)
    {
        let possible = application(request, strategy);
        return possible.filter(|o| matches!(o, Obstacle::Impossible(_))).or_else(|| {
            let words = "the target fails with the schema that came after it: the schema has to go back, too";
            Some(Obstacle::Unwise(words.to_owned()))
        });
    }
    application(request, strategy).or_else(|| hopeless(request, strategy))
}

/// Whether hardly any plan like it reached its end. Immediate stays: it needs nothing but a target, and what is left when all others
/// are passed over must not be nothing.
fn hopeless(request: &Request<'_>, strategy: Strategy) -> Option<Obstacle> {
    if strategy == Strategy::Immediate {
        return None;
    }
    let planning = &request.settings.planning;
    let chance = planning
        .success
        .chance(risks::class(request, strategy))
        .filter(|chance| chance.upper < planning.success_min)?;
    let [likely, upper] = [chance.likely, chance.upper].map(|share| share * 100.0);
    Some(Obstacle::Unwise(format!(
        "plans like it reached their end in {likely:.0} % of runs, {upper:.0} % at most"
    )))
}

/// The same, whatever the schema.
fn application(request: &Request<'_>, strategy: Strategy) -> Option<Obstacle> {
    let can = request.inventory.capabilities;
    let impossible = |reason| Some(Obstacle::Impossible(reason));
    let urgent = |waits: &str| {
        is_urgent(request).then(|| {
            let words = "its users are harmed too often to wait between";
            Obstacle::Unwise(format!("{words} {waits}, and the target has all its pods"))
        })
    };
    match strategy {
        Strategy::CanaryRollback if !can.traffic_split => impossible("the service cannot split traffic"),
        Strategy::CanaryRollback => urgent("stages"),
        Strategy::FeatureFlagDisable if !can.feature_flags => impossible("the service cannot switch flags"),
        Strategy::FeatureFlagDisable if flags_of(request).is_empty() => {
            impossible("no flags came with the version")
        }
        Strategy::Immediate | Strategy::FeatureFlagDisable => None,
        Strategy::BlueGreenSwitch if !can.blue_green => impossible("the service has no standby environment"),
        Strategy::BlueGreenSwitch if request.is_shared() => {
            impossible("one Deployment holds both versions: there is no standby")
        }
        Strategy::BlueGreenSwitch => (!blue_green::is_up(request)).then(|| {
            let (ready, needed) = (request.target_ready, request.pods_min());
            Obstacle::Unwise(format!(
                "the standby has {ready} ready pods and needs {needed}: it would start cold"
            ))
        }),
        Strategy::Gradual if !can.rolling_update => impossible("the service cannot replace pods in batches"),
        Strategy::Gradual if !request.is_shared() && !can.traffic_split => {
            impossible("the service cannot split traffic between its environments")
        }
        Strategy::Gradual if !request.is_shared() && request.target_ready >= request.inventory.replicas => {
            let words = "the target has all its pods: nothing is to be replaced, and stages need fewer waits";
            Some(Obstacle::Unwise(words.to_owned()))
        }
        Strategy::Gradual => urgent("batches"),
        Strategy::DatabaseRevert => match database::order(request) {
            Err(reason) => impossible(reason),
            Ok(_) if database::target_fits(request) => {
                let words = "the target works with the schema as it is: a revert would only lock tables";
                Some(Obstacle::Unwise(words.to_owned()))
            }
            Ok(_) => None,
        },
        Strategy::InfrastructureRollback if infrastructure::changes(request).is_empty() => {
            impossible("no infrastructure was changed for the version")
        }
        Strategy::InfrastructureRollback => compared(request).then(|| {
            let words = "the old version serves beside it on the same infrastructure, without that harm";
            Obstacle::Unwise(words.to_owned())
        }),
    }
}
