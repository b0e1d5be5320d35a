//! Rules evaluated one time after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::eval::Options;
use super::alert::{Alerts, Firing, Found, State, advance};
use super::output::write;
use super::rule::{Alerting, Group, Rule, RuleKind, asked, recorded};
use super::template::External;
use crate::store::{Labels, Store};

/// A rule that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its group.
    pub group: String,
    /// Its name.
    pub rule: String,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// Why.
    pub reason: String,
}

/// Groups of rules with the state of their alerts.
#[derive(Clone, Debug)]
pub struct Evaluator {
    groups: Arc<[Group]>,
    external: External,
    options: Options,
    states: Vec<Vec<RuleState>>,
}

#[derive(Clone, Debug, Default)]
struct RuleState {
    alerts: Alerts,
    /// Series that the rule gave the last time.
    previous: BTreeSet<Labels>,
    error: Option<String>,
}

impl Evaluator {
    /// Rules that were never evaluated.
    pub fn new(groups: Arc<[Group]>, external: External, options: Options) -> Self {
        let states = groups.iter().map(|group| vec![RuleState::default(); group.rules.len()]).collect();
        Self { groups, external, options, states }
    }

    /// Evaluates all groups at `at_ms`, in their order; gives what failed. Times must rise from call to call.
    pub fn evaluate(&mut self, store: &mut Store, at_ms: i64) -> Vec<Failure> {
        (0..self.groups.len()).flat_map(|index| self.evaluate_group(index, store, at_ms)).collect()
    }

    /// Evaluates the groups that are due at `at_ms`: those whose interval it is a multiple of. `interval_ms` is that of
    /// groups without one of their own.
    pub fn evaluate_due(&mut self, store: &mut Store, at_ms: i64, interval_ms: i64) -> Vec<Failure> {
        let is_due = |group: &Group| at_ms.rem_euclid(group.interval_ms.unwrap_or(interval_ms).max(1)) == 0;
        let due: Vec<usize> = (0..self.groups.len()).filter(|&index| is_due(&self.groups[index])).collect();
        due.into_iter().flat_map(|index| self.evaluate_group(index, store, at_ms)).collect()
    }

    fn evaluate_group(&mut self, index: usize, store: &mut Store, at_ms: i64) -> Vec<Failure> {
        let groups = Arc::clone(&self.groups);
        let group = &groups[index];
        let mut failures = Vec::new();
        for (rule, state) in group.rules.iter().zip(&mut self.states[index]) {
            let setting = Setting { external: &self.external, options: &self.options, limit: group.limit };
            match evaluated(rule, state, store, at_ms, &setting) {
                Ok(written) => {
                    state.error = None;
                    write(store, &mut state.previous, at_ms, written);
                }
                Err(reason) => {
                    state.error = Some(reason.clone());
                    failures.push(Failure {
                        group: group.name.clone(),
                        rule: rule.name.clone(),
                        at_ms,
                        reason,
                    });
                }
            }
        }
        failures
    }

    /// Alerts that fire, by rule in their order, with the name of the rule.
    pub fn firing(&self, store: &Store) -> Vec<(&str, Firing)> {
        let mut all = Vec::new();
        for (group, states) in self.groups.iter().zip(&self.states) {
            for (rule, state) in group.rules.iter().zip(states) {
                let Some(alerting) = rule.alerting() else { continue };
                let firing = firing(alerting, &state.alerts, store, &self.external, &self.options);
                all.extend(firing.into_iter().map(|firing| (rule.name.as_str(), firing)));
            }
        }
        all
    }

    /// What the last evaluation of a rule failed with; none if it did not, or there is no such rule.
    pub fn last_error(&self, group: usize, rule: usize) -> Option<&str> {
        self.states.get(group)?.get(rule)?.error.as_deref()
    }
}

/// What is the same for all rules of a group.
struct Setting<'a> {
    external: &'a External,
    options: &'a Options,
    limit: usize,
}

/// The samples that a rule gives at a time.
fn evaluated(
    rule: &Rule,
    state: &mut RuleState,
    store: &Store,
    at_ms: i64,
    setting: &Setting<'_>,
) -> Result<Vec<(Labels, f64)>, String> {
    let found = rule.found(store, at_ms, setting.options)?;
    match &rule.kind {
        RuleKind::Recording(own) => {
            let mut labels = BTreeSet::new();
            let written: Vec<_> = found
                .into_iter()
                .map(|(element, value)| (recorded(&rule.name, own, &element), value))
                .collect();
            if !written.iter().all(|(series, _)| labels.insert(series)) {
                return Err(
                    "vector contains metrics with the same labelset after applying rule labels".to_owned()
                );
            }
            let (limit, count) = (setting.limit, written.len());
            if limit > 0 && count > limit {
                return Err(format!("exceeded limit of {limit} with {count} series"));
            }
            Ok(written)
        }
        RuleKind::Alerting(alerting) => {
            let mut ask = |query: &str| asked(store, at_ms, setting.options, query);
            let elements = found
                .into_iter()
                .map(|(labels, value)| {
                    let alert = alerting.alert_labels(&rule.name, &labels, value, setting.external, &mut ask);
                    // Queries must be asked now: later in this evaluation there are more samples.
                    let annotations = alerting
                        .asks()
                        .then(|| alerting.alert_annotations(&labels, value, setting.external, &mut ask));
                    (alert, Found { labels, value, annotations })
                })
                .collect();
            let mut written = Vec::new();
            let add = |labels: &Labels, value| written.push((labels.clone(), value));
            advance(&mut state.alerts, alerting, setting.limit, at_ms, elements, add)?;
            Ok(written)
        }
    }
}

/// Those of a rule's alerts that fire.
pub(super) fn firing(
    alerting: &Alerting,
    alerts: &Alerts,
    store: &Store,
    external: &External,
    options: &Options,
) -> Vec<Firing> {
    let firing = alerts.iter().filter(|(_, alert)| alert.state == State::Firing);
    firing
        .map(|(labels, alert)| {
            let found = &alert.found;
            let annotations = found.annotations.clone().unwrap_or_else(|| {
                let mut ask = |query: &str| asked(store, alert.found_at_ms, options, query);
                alerting.alert_annotations(&found.labels, found.value, external, &mut ask)
            });
            Firing { labels: labels.clone(), annotations }
        })
        .collect()
}
