//! What is shipped: versions, the rollout, and the services around it.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::file::Rollout;
use crate::rule::Rule;
use backspin_domain::id::ServiceId;
use backspin_policy::document::Step;
use backspin_policy::document::nearest::{nearest, one_of};

impl Check<'_> {
    pub(super) fn versions(&mut self) {
        let deploy = &self.scenario.deploy;
        if deploy.from == deploy.version {
            let path = [Step::Field("deploy"), Step::Field("from")];
            let message = format!("a deploy must change the version, got `{}` twice", deploy.from);
            self.report(Rule::SameVersion, &path, message, "name the version that serves before the deploy");
            return;
        }
        let listed = &self.file().versions;
        if !listed.is_empty() && !listed.iter().any(|version| version.name == deploy.from) {
            let known: Vec<&str> = listed.iter().map(|version| version.name.as_str()).collect();
            let message = format!(
                "unknown version `{}`; `versions` lists {}",
                deploy.from,
                one_of(known.iter().copied())
            );
            let hint = nearest(deploy.from.as_str(), known.iter().copied())
                .map_or_else(|| "list it in `versions`".to_owned(), |word| format!("did you mean `{word}`?"));
            self.report(Rule::UnknownVersion, &[Step::Field("deploy"), Step::Field("from")], message, hint);
            return;
        }
        for (n, version) in listed.iter().enumerate() {
            let path = [Step::Field("versions"), Step::Item(n), Step::Field("name")];
            if listed[..n].iter().any(|before| before.name == version.name) {
                let message = format!("version `{}` is listed twice", version.name);
                self.report(Rule::VersionOrder, &path, message, "keep one");
            }
            let (shipped, before) = (&self.scenario.service.versions, n.checked_sub(1));
            let age = |n: usize| shipped.iter().find(|v| v.id == listed[n].name).map(|v| v.shipped_ago);
            if let Some(before) = before
                && age(before) < age(n)
            {
                let message = format!("`{}` was shipped before `{}`", version.name, listed[before].name);
                self.report(Rule::VersionOrder, &path, message, "list versions oldest first");
            }
        }
        let last_two = self.scenario.service.versions.iter().rev().take(2);
        let last_two: Vec<_> = last_two.map(|v| &v.id).collect();
        if last_two != [&deploy.version, &deploy.from] {
            let message = format!("`{}` and `{}` must be the last two versions", deploy.from, deploy.version);
            self.report(
                Rule::VersionOrder,
                &[Step::Field("versions")],
                message,
                "list versions oldest first",
            );
        }
    }

    pub(super) fn rollout(&mut self) {
        let deploy = &self.file().deploy;
        let can = self.scenario.service.capabilities;
        let path = [Step::Field("deploy"), Step::Field("rollout")];
        let (possible, word, need) = match deploy.rollout {
            Rollout::Canary => (can.traffic_split, "canary", "traffic_split"),
            Rollout::Rolling => (can.rolling_update, "rolling", "rolling_update"),
            Rollout::BlueGreen => (can.blue_green, "blue_green", "blue_green"),
        };
        if !possible {
            let message =
                format!("a `{word}` rollout needs the capability `{need}`, which the service lacks");
            let hint = format!("add `{need}` to `capabilities`, or choose another `rollout`");
            self.report(Rule::RolloutImpossible, &path, message, hint);
        }
        if deploy.standby_for.is_some() && deploy.rollout != Rollout::BlueGreen {
            let path = [Step::Field("deploy"), Step::Field("standby_for")];
            let message = "`standby_for` belongs to a `blue_green` rollout";
            self.report(Rule::RolloutImpossible, &path, message, "leave it out");
        }
        let Some(steps) = &deploy.steps else { return };
        let path = [Step::Field("deploy"), Step::Field("steps")];
        if deploy.rollout != Rollout::Canary {
            self.report(Rule::RolloutImpossible, &path, "`steps` belong to a canary", "leave them out");
        } else if steps.is_empty() {
            let message = "a canary needs at least one step";
            self.report(Rule::StepsNotRising, &path, message, "write `- { after: 0s, share: 0.1 }`");
        }
        for (n, pair) in steps.windows(2).enumerate() {
            let here = |name| [path[0], path[1], Step::Item(n + 1), Step::Field(name)];
            if pair[1].after <= pair[0].after {
                let message =
                    format!("step {} must come after {}, got {}", n + 2, pair[0].after, pair[1].after);
                self.report(Rule::StepsNotRising, &here("after"), message, "`after` counts from the deploy");
            }
            if pair[1].share <= pair[0].share {
                let message =
                    format!("step {} must have more than {}, got {}", n + 2, pair[0].share, pair[1].share);
                self.report(Rule::StepsNotRising, &here("share"), message, "a canary's share only rises");
            }
        }
    }

    pub(super) fn autoscaler(&mut self) {
        let Some(autoscaler) = self.scenario.service.autoscaler else { return };
        let field = |name| [Step::Field("autoscaler"), Step::Field(name)];
        if autoscaler.min > autoscaler.max {
            let message =
                format!("`min` must be at most `max` of {}, got {}", autoscaler.max, autoscaler.min);
            self.report(Rule::AutoscalerImpossible, &field("min"), message, "swap the two");
        }
        let replicas = self.scenario.service.replicas;
        if !(autoscaler.min..=autoscaler.max).contains(&replicas) {
            let (low, high) = (autoscaler.min, autoscaler.max);
            let message = format!("the service has {replicas} pods, its autoscaler allows {low} to {high}");
            let hint = "give limits that hold `pods.replicas`";
            self.report(Rule::AutoscalerImpossible, &[Step::Field("autoscaler")], message, hint);
        }
        if self.file().deploy.rollout == Rollout::Rolling {
            let message = "a rolling deploy's one Deployment is not autoscaled here";
            let hint = "use `rollout: canary` or `blue_green`, or leave `autoscaler` out";
            self.report(Rule::AutoscalerImpossible, &[Step::Field("autoscaler")], message, hint);
        }
    }

    /// A cache saves calls to something that is simulated.
    pub(super) fn cache(&mut self) {
        let simulated = self.scenario.dependency.as_ref().is_some_and(|model| !model.services.is_empty());
        if self.scenario.cache.is_some() && !simulated {
            let message = "a cache stands in front of a dependency that can be overloaded";
            let hint = "give `dependency` a `name` and a `capacity_rps`";
            self.report(Rule::NoDependency, &[Step::Field("cache")], message, hint);
        }
    }

    /// Services below are simulated from the dependency on down.
    pub(super) fn services(&mut self) {
        let simulated = self.scenario.dependency.as_ref().map_or(&[][..], |model| &model.services);
        let called: BTreeSet<&ServiceId> = simulated.iter().map(|service| &service.id).collect();
        for name in self.file().services.keys().filter(|name| !called.contains(name)) {
            let path = [Step::Field("services"), Step::Field(name.as_str())];
            let (message, hint) = match &self.file().dependency {
                Some(dependency) if dependency.capacity_rps.is_some() => (
                    format!("nothing that is simulated calls `{name}`"),
                    format!("add it to the `graph`: `{}: [{name}]`", dependency.name),
                ),
                Some(_) | None => (
                    format!("`{name}` is below a dependency that has no `capacity_rps`"),
                    "give `dependency` a `name` and a `capacity_rps`".to_owned(),
                ),
            };
            self.report(Rule::NoDependency, &path, message, hint);
        }
    }

    pub(super) fn graph(&mut self) {
        let mut calls: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (from, to) in &self.file().graph {
            calls.entry(from).or_default().extend(to.iter().map(ServiceId::as_str));
        }
        if let Some(dependency) = &self.file().dependency {
            calls.entry(self.scenario.service.id.as_str()).or_default().insert(dependency.name.as_str());
        }
        if let Some(ring) = find_cycle(&calls) {
            let message = format!("services call each other in a ring: {}", ring.join(" → "));
            let path = if self.document.root.has(&["graph"]) {
                vec![Step::Field("graph"), Step::Field(ring[0])]
            } else {
                vec![Step::Field("dependency"), Step::Field("name")]
            };
            self.report(Rule::Cycle, &path, message, "remove one of the calls");
        }
    }
}

/// A ring of calls, its first service repeated at the end; none if there is none. Depth first without
/// recursion, so that a long chain cannot exhaust the stack.
fn find_cycle<'a>(calls: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let callees = |name: &str| -> Vec<&'a str> {
        calls.get(name).map(|set| set.iter().rev().copied().collect()).unwrap_or_default()
    };
    let (mut done, mut on_way) = (BTreeSet::new(), BTreeSet::new());
    for &start in calls.keys() {
        if done.contains(start) {
            continue;
        }
        let mut way = vec![(start, callees(start))];
        on_way.insert(start);
        while let Some((here, open)) = way.last_mut() {
            let Some(next) = open.pop() else {
                on_way.remove(here);
                done.insert(*here);
                way.pop();
                continue;
            };
            if on_way.contains(next) {
                let ring = way.iter().map(|(name, _)| *name).skip_while(|name| *name != next);
                return Some(ring.chain([next]).collect());
            }
            if !done.contains(next) {
                on_way.insert(next);
                way.push((next, callees(next)));
            }
        }
    }
    None
}
