//! The reference design: the settings of its engine, and its blocks `progressive_rollback` and `rollback_automation`.
//!
//! The engine reads its settings alone. The two blocks say in names and limits what it should do; a limit that the score
//! has a factor for is taken as that factor's threshold, a name that something here does is said to be carried by it, and
//! whatever has nothing behind it is named.

mod limit;
mod names;

use std::collections::BTreeMap;

use super::building::Building;
use super::tree::At;
use backspin_domain::id::ActorId;

use limit::{Limit, Unit};
use names::Known;

/// The blocks of the files.
#[derive(Debug, Default)]
pub(crate) struct Objects<'a> {
    roots: Vec<At<'a>>,
}

/// Fields that only a file of the design has.
const MARKS: [&str; 4] =
    ["progressive_rollback", "rollback_automation", "rollback_threshold", "decision_weights"];

/// All fields of the engine's settings and of files with blocks.
const FIELDS: [&str; 6] = [
    "progressive_rollback",
    "rollback_automation",
    "rollback_threshold",
    "decision_weights",
    "thresholds",
    "services",
];

/// Settings that decide nothing.
const BESIDE: [(&str, &str); 3] = [
    ("prometheus_url", "where metrics are asked is said to the verb: `--prometheus`"),
    ("grafana_url", "nothing asks it anything"),
    ("datadog_api_key", "nothing asks it anything, and a key does not belong into a policy"),
];

/// Whether a document is one of the design.
pub(crate) fn is_design(root: At<'_>) -> bool {
    root.either(&MARKS).is_some()
}

/// A number with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated<'a> {
    pub(crate) at: At<'a>,
    pub(crate) value: f64,
}

/// What a number of the design is to the judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    RollbackScore,
    ErrorRatio,
    LatencyMs,
    ConversionDrop,
    ComplaintsPerHour,
    ResourceRatio,
    ErrorWeight,
    LatencyWeight,
    BusinessWeight,
    UserWeight,
    SystemWeight,
}

/// What the files say.
#[derive(Debug)]
pub(crate) struct Design<'a> {
    /// The first block, for what is said of the whole.
    pub(crate) at: At<'a>,
    pub(crate) figures: BTreeMap<Figure, Stated<'a>>,
    /// Whom to ask, in order.
    pub(crate) escalation: Vec<ActorId>,
    pub(crate) executions: Option<Stated<'a>>,
}

impl<'a> Objects<'a> {
    /// Takes a document of the design; tells whether it was one.
    pub(crate) fn take(&mut self, kind: &str, root: At<'a>) -> bool {
        let is_one = kind.is_empty() && is_design(root);
        if is_one {
            self.roots.push(root);
        }
        is_one
    }

    pub(crate) fn first(&self) -> Option<At<'a>> {
        self.roots.first().copied()
    }

    /// Reads all blocks as one design: settings first, since they are what its engine goes by.
    pub(crate) fn read(&self, building: &mut Building<'_>) -> Option<Design<'a>> {
        let at = self.first()?;
        let mut design = Design { at, figures: BTreeMap::new(), escalation: Vec::new(), executions: None };
        for root in &self.roots {
            building.findings.fields(*root, "setting", &FIELDS, &BESIDE);
            design.settings(building, *root);
        }
        for root in &self.roots {
            if let Some(block) = map(building, root.get("progressive_rollback"), "progressive_rollback") {
                design.progressive(building, block);
            }
            if let Some(block) = map(building, root.get("rollback_automation"), "rollback_automation") {
                design.automation(building, block);
            }
        }
        Some(design)
    }
}

/// Thresholds of the settings, by name.
const THRESHOLDS: [(&str, Figure); 4] = [
    ("error_rate", Figure::ErrorRatio),
    ("latency_p99", Figure::LatencyMs),
    ("conversion_rate_drop", Figure::ConversionDrop),
    ("user_complaints", Figure::ComplaintsPerHour),
];

/// Weights of the settings, by name.
const WEIGHTS: [(&str, Figure); 5] = [
    ("error_rate", Figure::ErrorWeight),
    ("latency_impact", Figure::LatencyWeight),
    ("business_metrics", Figure::BusinessWeight),
    ("user_feedback", Figure::UserWeight),
    ("system_health", Figure::SystemWeight),
];

/// Triggers of the tiers that the score has a factor for.
const TRIGGERS: [(&str, Figure, Unit); 5] = [
    ("error_rate", Figure::ErrorRatio, Unit::Ratio),
    ("latency_p99", Figure::LatencyMs, Unit::Millis),
    ("conversion_rate_drop", Figure::ConversionDrop, Unit::Ratio),
    ("user_complaints", Figure::ComplaintsPerHour, Unit::PerHour),
    ("resource_exhaustion", Figure::ResourceRatio, Unit::Ratio),
];

impl<'a> Design<'a> {
    fn settings(&mut self, building: &mut Building<'_>, root: At<'a>) {
        if let Some(at) = root.get("rollback_threshold") {
            self.state(building, at, "setting `rollback_threshold`", Figure::RollbackScore, at.number());
        }
        for (field, list) in [("thresholds", &THRESHOLDS[..]), ("decision_weights", &WEIGHTS[..])] {
            let Some(map) = map(building, root.get(field), field) else { continue };
            let known: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
            let beside = [("revenue_impact", "no factor of the design's score reads it")];
            let beside: &[_] = if field == "thresholds" { &beside } else { &[] };
            building.findings.fields(map, field, &known, beside);
            for (name, figure) in list {
                if let Some(at) = map.get(name) {
                    self.state(building, at, &format!("{field} `{name}`"), *figure, at.number());
                }
            }
        }
        for (name, _, service) in
            map(building, root.get("services"), "services").into_iter().flat_map(At::fields)
        {
            let label = format!("service `{name}`");
            let Some(service) = map(building, Some(service), &label) else { continue };
            let known = names::CAPABILITIES.map(|(field, _)| field);
            building.findings.fields(service, &label, &known, &[]);
            for (field, capability) in names::CAPABILITIES {
                let Some(at) = service.get(field) else { continue };
                let label = format!("{label} `{field}`");
                match at.truth() {
                    Some(true) => building.findings.lost(
                        at,
                        &label,
                        format!(
                            "what a service can do stands with the service, not in a policy: `capabilities: [{capability}]` in \
                             its scenario"
                        ),
                    ),
                    Some(false) => building.findings.beside(at, &label, "what it cannot do is never chosen"),
                    None => building.findings.lost(at, &label, "`true` or `false` is wanted"),
                }
            }
        }
    }

    /// Takes a number, unless it was stated before.
    fn state(
        &mut self,
        building: &mut Building<'_>,
        at: At<'a>,
        label: &str,
        figure: Figure,
        value: Option<f64>,
    ) {
        let Some(value) = value.filter(|x| x.is_finite() && *x >= 0.0) else {
            building.findings.lost(at, label, "a number of zero or more is wanted");
            return;
        };
        match self.figures.get(&figure) {
            Some(known) if known.value.total_cmp(&value).is_ne() => {
                let line = known.at.file.place(known.at.start()).0;
                let why = format!("{value} here, {} in line {line}, which counts", known.value);
                building.findings.doubtful(at, label, why);
            }
            _ => {
                self.figures.entry(figure).or_insert(Stated { at, value });
            }
        }
    }

    fn progressive(&mut self, building: &mut Building<'_>, block: At<'a>) {
        building.findings.fields(block, "progressive_rollback", &["tiers", "coordination"], &[]);
        for (tier, _, at) in map(building, block.get("tiers"), "tiers").into_iter().flat_map(At::fields) {
            let Some(at) = map(building, Some(at), tier) else { continue };
            let known = ["rollback_strategies", "health_checks", "rollback_triggers"];
            let beside = [("priority", "the order of the tiers is that of `rollback_sequence`")];
            building.findings.fields(at, tier, &known, &beside);
            listed(building, at.get("rollback_strategies"), tier, &names::STRATEGIES);
            listed(building, at.get("health_checks"), tier, &names::CHECKS);
            let triggers = map(building, at.get("rollback_triggers"), "rollback_triggers");
            for (name, start, trigger) in triggers.into_iter().flat_map(At::fields) {
                self.trigger(building, trigger, name, start);
            }
        }
        let Some(coordination) = map(building, block.get("coordination"), "coordination") else { return };
        let known = ["rollback_sequence", "dependency_management", "validation_gates"];
        building.findings.fields(coordination, "coordination", &known, &[]);
        if let Some(sequence) = coordination.get("rollback_sequence") {
            order(building, sequence);
        }
        listed(building, coordination.get("dependency_management"), "coordination", &names::DEPENDENCIES);
        if let Some(gates) = map(building, coordination.get("validation_gates"), "validation_gates") {
            building.findings.fields(
                gates,
                "validation_gates",
                &["tier_completion", "cross_tier_validation"],
                &[],
            );
            listed(building, gates.get("tier_completion"), "tier_completion", &names::GATES);
            listed(building, gates.get("cross_tier_validation"), "cross_tier_validation", &names::GATES);
        }
    }

    fn trigger(&mut self, building: &mut Building<'_>, at: At<'a>, name: &str, start: usize) {
        let label = format!("trigger `{name}`");
        let text = at.scalar().unwrap_or_default();
        let Some(limit) = Limit::read(&text) else {
            let why = format!("`{text}` is no limit; `> 5%`, `> 2s`, `> 50/hour`, `< 99.9%` are");
            building.findings.lost(at, &label, why);
            return;
        };
        if name == "security_violations" && limit == Limit::above(0.0) {
            building.findings.carried(
                at,
                &label,
                "any security finding rolls back by itself, whatever the score",
            );
            return;
        }
        let Some((_, figure, unit)) = TRIGGERS.iter().find(|(known, ..)| *known == name) else {
            let hint = names::trigger_hint(name);
            let why = format!("no factor of the design's score reads it{hint}");
            building.findings.at_byte(super::Fate::Lost, at.file, start, &label, why);
            return;
        };
        match limit.as_unit(*unit) {
            Ok(value) => self.state(building, at, &label, *figure, Some(value)),
            Err(why) => building.findings.lost(at, &label, why),
        }
    }

    fn automation(&mut self, building: &mut Building<'_>, block: At<'a>) {
        building.findings.fields(block, "rollback_automation", &["decision_engine", "execution_engine"], &[]);
        if let Some(decision) = map(building, block.get("decision_engine"), "decision_engine") {
            let known = ["ml_models", "rule_engine", "human_in_the_loop"];
            building.findings.fields(decision, "decision_engine", &known, &[]);
            listed(building, decision.get("ml_models"), "ml_models", &names::MODELS);
            listed(building, decision.get("rule_engine"), "rule_engine", &names::RULES);
            if let Some(people) = map(building, decision.get("human_in_the_loop"), "human_in_the_loop") {
                let known = ["approval_required", "escalation_paths"];
                building.findings.fields(people, "human_in_the_loop", &known, &[]);
                approvals(building, people.get("approval_required"));
                if let Some(paths) = map(building, people.get("escalation_paths"), "escalation_paths") {
                    self.escalate(building, paths);
                }
            }
        }
        let Some(execution) = map(building, block.get("execution_engine"), "execution_engine") else {
            return;
        };
        let known = ["parallel_execution", "safety_mechanisms", "monitoring_integration"];
        building.findings.fields(execution, "execution_engine", &known, &[]);
        if let Some(parallel) = map(building, execution.get("parallel_execution"), "parallel_execution") {
            if let Some(at) = parallel.get("max_concurrent_rollbacks") {
                self.executions(building, at);
            }
            switches(
                building,
                parallel,
                "parallel_execution",
                &names::PARALLEL,
                &["max_concurrent_rollbacks"],
            );
        }
        listed(building, execution.get("safety_mechanisms"), "safety_mechanisms", &names::SAFETY);
        let monitoring = execution.get("monitoring_integration");
        if let Some(monitoring) = map(building, monitoring, "monitoring_integration") {
            switches(building, monitoring, "monitoring_integration", &names::MONITORING, &[]);
        }
    }

    fn executions(&mut self, building: &mut Building<'_>, at: At<'a>) {
        let label = "setting `max_concurrent_rollbacks`";
        match at.number().filter(|n| n.fract() == 0.0 && *n >= 1.0) {
            Some(value) => self.executions = Some(Stated { at, value }),
            None => building.findings.lost(at, label, "a whole number from 1 is wanted"),
        }
    }

    /// Levels by their number, whatever order they stand in.
    fn escalate(&mut self, building: &mut Building<'_>, paths: At<'a>) {
        let mut levels: Vec<(u32, ActorId)> = Vec::new();
        for (name, _, at) in paths.fields() {
            let label = format!("escalation `{name}`");
            let number = name.strip_prefix("level_").and_then(|n| n.parse().ok());
            let who = at.scalar().and_then(|text| ActorId::new(&text).ok());
            let (Some(number), Some(who)) = (number, who) else {
                let why = "`level_1`, `level_2` … and one name each are wanted, of letters, digits, `-`, `_` or `.`";
                building.findings.lost(at, &label, why);
                continue;
            };
            if levels.iter().any(|(known, _)| *known == number) {
                building.findings.lost(at, &label, "this level stands twice");
                continue;
            }
            building.findings.carried(
                at,
                &label,
                "asked in this order, each when the one before let the wait run out",
            );
            levels.push((number, who));
        }
        levels.sort_by_key(|(number, _)| *number);
        self.escalation = levels.into_iter().map(|(_, who)| who).collect();
    }
}

/// A value that has to have fields; what has none is named.
fn map<'a>(building: &mut Building<'_>, at: Option<At<'a>>, what: &str) -> Option<At<'a>> {
    let at = at?;
    if at.is_map() {
        return Some(at);
    }
    building.findings.lost(at, what, "fields with values are wanted");
    None
}

/// Says of each name of a list what does it here.
fn listed(building: &mut Building<'_>, list: Option<At<'_>>, whose: &str, table: &[(&str, Known)]) {
    let Some(list) = list else { return };
    if !list.is_list() {
        return building.findings.lost(list, whose, "a list of names is wanted");
    }
    for at in list.items() {
        let Some(name) = at.scalar() else {
            building.findings.lost(at, whose, "a name is wanted");
            continue;
        };
        say(building, at, whose, &name, table);
    }
}

/// Says of each switch of a map what stands for it here.
fn switches(building: &mut Building<'_>, map: At<'_>, whose: &str, table: &[(&str, Known)], read: &[&str]) {
    for (name, _, at) in map.fields().filter(|(name, ..)| !read.contains(name)) {
        match at.truth() {
            Some(true) => say(building, at, whose, name, table),
            Some(false) if table.iter().any(|(known, how)| *known == name && matches!(how, Known::Is(_))) => {
                building.findings.changed(at, &format!("{whose} `{name}`"), "it cannot be switched off here");
            }
            Some(false) => building.findings.beside(at, &format!("{whose} `{name}`"), "it is off"),
            None => building.findings.lost(at, &format!("{whose} `{name}`"), "`true` or `false` is wanted"),
        }
    }
}

fn say(building: &mut Building<'_>, at: At<'_>, whose: &str, name: &str, table: &[(&str, Known)]) {
    let label = format!("{whose} `{name}`");
    match table.iter().find(|(known, _)| *known == name) {
        Some((_, Known::Is(what))) => building.findings.carried(at, &label, *what),
        Some((_, Known::Empty(why))) => building.findings.beside(at, &label, *why),
        Some((_, Known::Not(why))) => building.findings.lost(at, &label, *why),
        None => {
            let words = table.iter().map(|(known, _)| *known);
            let near = backspin_policy::document::nearest::nearest(name, words);
            let hint = near.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
            building.findings.lost(at, &label, format!("not a name of the design{hint}"));
        }
    }
}

/// The engine always asks for what the design lists; a shorter list is not shortened here.
fn approvals(building: &mut Building<'_>, list: Option<At<'_>>) {
    let Some(list) = list.filter(|list| list.is_list()) else {
        return listed(building, list, "approval_required", &names::APPROVALS);
    };
    listed(building, Some(list), "approval_required", &names::APPROVALS);
    let asked: Vec<String> = list.items().filter_map(At::scalar).collect();
    let missing: Vec<&str> = names::APPROVALS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !asked.iter().any(|a| a == name))
        .collect();
    if !missing.is_empty() {
        let why = format!("asked here too: {}; a standing approval answers in advance", missing.join(", "));
        building.findings.changed(list, "approval_required", why);
    }
}

/// Plans put traffic first, then the database, then what is below: another order cannot be asked for.
fn order(building: &mut Building<'_>, sequence: At<'_>) {
    let mut steps: Vec<(u32, String)> = sequence
        .fields()
        .filter_map(|(number, _, at)| Some((number.parse().ok()?, at.scalar()?)))
        .chain((1..).zip(sequence.items().filter_map(At::scalar)))
        .collect();
    steps.sort_by_key(|(number, _)| *number);
    let place = |(_, name): &(u32, String)| names::TIERS.iter().position(|tier| tier == name);
    let places: Vec<Option<usize>> = steps.iter().map(place).collect();
    if places.contains(&None) || places.is_empty() {
        let why = format!("the tiers in their order are wanted: {}", names::TIERS.join(", "));
        building.findings.lost(sequence, "rollback_sequence", why);
    } else if places.is_sorted() {
        let why = "the order of a plan: traffic and versions first, then the database, then what is below";
        building.findings.carried(sequence, "rollback_sequence", why);
    } else {
        let why = "a plan moves traffic and versions first, then the database, then what is below; no other order can be asked for";
        building.findings.lost(sequence, "rollback_sequence", why);
    }
}
