//! The services below the deployed one, in an order that calls only go down.

use std::collections::BTreeSet;

use super::file::{Dependency, ScenarioFile};
use super::model::{CalleeModel, DependencyModel};
use backspin_domain::id::ServiceId;

/// The dependency, with what it calls where it has a capacity. Total: rings and services that nobody calls are found by the
/// checks.
pub(super) fn dependency(dependency: &Dependency, file: &ScenarioFile) -> DependencyModel {
    let order = dependency.capacity_rps.map_or_else(Vec::new, |_| order(&dependency.name, file));
    let services = order.iter().enumerate().filter_map(|(place, id)| {
        let below = |name: &&ServiceId| order.iter().position(|other| other == *name).filter(|&n| n > place);
        let calls = file.graph.get(id.as_str()).into_iter().flatten();
        let calls: BTreeSet<usize> = calls.filter_map(|name| below(&name)).collect();
        model(id, dependency, file, calls.into_iter().collect())
    });
    DependencyModel {
        id: dependency.name.clone(),
        call_ratio: dependency.call_ratio,
        error_ratio: dependency.error_ratio,
        services: services.collect(),
    }
}

fn model(
    id: &ServiceId,
    dependency: &Dependency,
    file: &ScenarioFile,
    calls: Vec<usize>,
) -> Option<CalleeModel> {
    if *id == dependency.name {
        return Some(CalleeModel {
            id: id.clone(),
            call_ratio: dependency.call_ratio,
            error_ratio: dependency.error_ratio,
            capacity_rps: dependency.capacity_rps?,
            median_ms: dependency.median_ms,
            timeout_ms: dependency.timeout_ms,
            retries: dependency.retries,
            calls,
        });
    }
    let callee = file.services.get(id)?;
    Some(CalleeModel {
        id: id.clone(),
        call_ratio: callee.call_ratio,
        error_ratio: callee.error_ratio,
        capacity_rps: callee.capacity_rps,
        median_ms: callee.median_ms,
        timeout_ms: callee.timeout_ms,
        retries: callee.retries,
        calls,
    })
}

/// What can be reached from `first` and is simulated, callers before callees: depth first, each listed before what was
/// listed after its own callees. Without recursion, so that a long chain cannot exhaust the stack.
fn order(first: &ServiceId, file: &ScenarioFile) -> Vec<ServiceId> {
    let callees = |id: &ServiceId| -> Vec<ServiceId> {
        let listed = file.graph.get(id.as_str()).into_iter().flatten();
        listed.filter(|name| file.services.contains_key(*name) && *name != first).rev().cloned().collect()
    };
    let mut seen = BTreeSet::from([first.clone()]);
    let mut way = vec![(first.clone(), callees(first))];
    let mut after = Vec::new();
    while let Some((_, open)) = way.last_mut() {
        match open.pop() {
            Some(next) if seen.insert(next.clone()) => {
                let open = callees(&next);
                way.push((next, open));
            }
            Some(_) => {}
            None => after.extend(way.pop().map(|(id, _)| id)),
        }
    }
    after.reverse();
    after
}
