//! Shares, pods and budgets: S7, S8, S13, S14.

use crate::trace::Trace;
use backspin_domain::engine_io::Input;
use backspin_domain::execution::StepOutcome;
use backspin_domain::id::{Attempt, ExecutionId};
use backspin_domain::plan::StepAction;
use backspin_domain::time::Millis;

use super::Violation;
use super::seen::{
    Effect, broken, effects, inputs, lately, leaves, looks_gone, moment, place, takes_back, two_collections,
    was_told_of_no_traffic,
};

/// Shares are whole millionths; sums of six of them.
const ROUNDING: f64 = 1e-5;

/// A share moves by less than this without anybody's doing: stages are further apart.
const SAME_SHARE: f64 = 0.02;

/// A version with no more than this serves requests under way.
const NOBODY: f64 = 0.03;

pub(super) fn s7(trace: &Trace) -> Option<Violation> {
    for moment in &trace.world {
        let sum: f64 = moment.configured.iter().sum();
        let sound =
            moment.configured.iter().chain(&moment.in_force).all(|s| (0.0..=1.0 + ROUNDING).contains(s));
        if !sound || (sum - 1.0).abs() > ROUNDING {
            return broken(moment.at, format!("configured shares are {:?}", moment.configured));
        }
    }
    None
}

/// The version that gets traffic by an action.
fn gains<'a>(effect: &Effect<'a>) -> Option<&'a backspin_domain::id::VersionId> {
    match effect.action {
        StepAction::ShiftTraffic { to, to_share, .. } if to_share.get() > 0.0 => Some(to),
        StepAction::SwitchTraffic { to, .. } => Some(to),
        _ => None,
    }
}

pub(super) fn s8(trace: &Trace) -> Option<Violation> {
    for effect in effects(trace) {
        let Some(to) = gains(&effect) else { continue };
        let Some(version) = place(trace, to) else { continue };
        let seen = lately(trace, effect.at(), two_collections(trace));
        let gone = !seen.is_empty() && seen.iter().all(|m| m.ready[version] == 0);
        if gone && !was_told_of_pods(trace, version, &effect) {
            return broken(effect.at(), format!("no pod of {to} is ready: {}", effect.action));
        }
    }
    None
}

/// Whether the last that the engine was told of a version's pods was that some are ready.
fn was_told_of_pods(trace: &Trace, version: usize, effect: &Effect<'_>) -> bool {
    let facts = &trace.facts;
    let id = &facts.scenario.service.versions[version].id;
    let told = inputs(trace).rev().filter(|(place, ..)| *place < effect.call.durable);
    let mut news = told.filter_map(|(_, _, input)| match input {
        Input::Inventory(inventory) | Input::Listed { inventory: Some(inventory), .. } => {
            inventory.versions.iter().find(|known| known.id == *id).map(|known| known.replicas_ready > 0)
        }
        Input::Collected { frame, .. } if version == facts.from => {
            let arms = [frame.stable.as_ref(), frame.baseline.as_ref()];
            let ready: u32 = arms.iter().flatten().map(|arm| u32::from(arm.pods_ready)).sum();
            let counted = arms.iter().flatten().any(|arm| arm.pods_desired > 0 || arm.pods_ready > 0);
            // A version that nobody lists beside the other one has no pods.
            let absent = frame.candidate.is_some() && arms.iter().flatten().next().is_none();
            (counted || absent).then_some(ready > 0)
        }
        Input::StepReported { attempt, outcome: StepOutcome::Succeeded } => gave_pods(trace, *attempt, id),
        Input::StepRead { attempt, state: backspin_domain::execution::EffectState::Applied } => {
            gave_pods(trace, *attempt, id)
        }
        _ => None,
    });
    news.next().unwrap_or(false)
}

/// Whether an effect was to give a version pods; none if it was about something else.
fn gave_pods(trace: &Trace, key: Attempt, id: &backspin_domain::id::VersionId) -> Option<bool> {
    match effects(trace).find(|effect| effect.key == key)?.action {
        StepAction::ScaleVersion { version, replicas } if version == id => Some(*replicas > 0),
        _ => None,
    }
}

pub(super) fn s13(trace: &Trace) -> Option<Violation> {
    budgets(trace).or_else(|| raised(trace))
}

fn budgets(trace: &Trace) -> Option<Violation> {
    let rules = &trace.facts.settings.execution;
    // A step has its attempts, and its undo as many again; that numbers go on is not an attempt more.
    let tries = rules.attempts_max.saturating_mul(2).saturating_add(1);
    // A bucket that is full gives its whole minute at once, and refills meanwhile.
    let per_minute = usize::from(rules.effects_per_minute) * 2;
    let (mut of, mut count) = (ExecutionId(0), 0_u16);
    for (n, effect) in effects(trace).enumerate() {
        let execution = effect.key.execution;
        count = if execution == of { count.saturating_add(1) } else { 1 };
        of = execution;
        if count > rules.effects_max || effect.key.attempt > tries {
            let words = format!("{execution}: effect {count}, attempt {}", effect.key.attempt);
            return broken(effect.at(), words);
        }
        if n >= per_minute {
            let first = effects(trace).nth(n - per_minute).map_or(effect.at(), |e| e.at());
            if effect.at().since(first) < Millis::from_mins(1) {
                return broken(effect.at(), format!("more than {per_minute} effects within a minute"));
            }
        }
    }
    None
}

/// An order that gives the candidate more than it had. What takes back the stage before may, up to what that took.
fn raised(trace: &Trace) -> Option<Violation> {
    let candidate = trace.facts.candidate;
    let (mut of, mut began, mut shifts) = (ExecutionId(0), 0.0_f64, 0);
    for effect in effects(trace) {
        let Some(left) = leaves(effect.action) else { continue };
        let seen = lately(trace, effect.at(), two_collections(trace));
        let had = seen.iter().map(|m| m.configured[candidate].max(m.in_force[candidate])).fold(0.0, f64::max);
        if effect.key.execution != of {
            (of, began, shifts) = (effect.key.execution, had, 0);
        }
        let most = if shifts == 0 { had } else { had.max(began) };
        if left > most + SAME_SHARE {
            let words = format!("the candidate had {had:.2} and is to get {left:.2}: {}", effect.action);
            return broken(effect.at(), words);
        }
        shifts += 1;
    }
    None
}

pub(super) fn s14(trace: &Trace) -> Option<Violation> {
    let service = &trace.facts.scenario.service;
    for effect in effects(trace) {
        let StepAction::ScaleVersion { version, replicas } = effect.action else { continue };
        let Some(place) = place(trace, version) else { continue };
        let Some(now) = moment(trace, effect.at()) else { continue };
        // Pods that were started in vain and serve nobody may go.
        if *replicas >= now.wanted[place] || takes_back(trace, &effect) && now.in_force[place] <= NOBODY {
            continue;
        }
        let seen = lately(trace, effect.at(), two_collections(trace));
        let share = seen.iter().map(|m| m.in_force[place]).fold(1.0, f64::min);
        if share <= looks_gone(now.demand_rps * trace.facts.scenario.timing.scrape.as_secs_f64()) {
            continue;
        }
        if place == trace.facts.candidate && was_told_of_no_traffic(trace, effect.call.durable) {
            continue;
        }
        let needs = share * now.demand_rps;
        let keeps = f64::from(*replicas) * service.pod_capacity_rps;
        if share > NOBODY && keeps < needs {
            let words =
                format!("{version} serves {needs:.0} requests per second and is to keep {replicas} pods");
            return broken(effect.at(), words);
        }
    }
    None
}
