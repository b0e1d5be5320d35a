//! Rules over a stretch of time, from its beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::eval::{Options, Points, Range, Value};
use super::alert::{Alerts, Firing, Found, advance};
use super::evaluator::{Evaluator, Failure, firing};
use super::output::write_all;
use super::rule::{Alerting, Group, Rule, RuleKind, recorded};
use super::template::External;
use crate::store::{Labels, Limits, Store};

/// Series that are given, and rules evaluated over them at 0, `step_ms`, 2 `step_ms` and so on.
#[derive(Clone, Debug)]
pub struct Course<'a> {
    /// The rules.
    pub groups: &'a Arc<[Group]>,
    /// What the server is called outside.
    pub external: &'a External,
    /// How queries are evaluated.
    pub options: Options,
    /// The series; of two with the same labels the later one counts. A sample is seen from its time on.
    pub inputs: &'a [Points],
    /// Time between two evaluations, in milliseconds; at least 1.
    pub step_ms: i64,
    /// No evaluation is after it; not negative.
    pub end_ms: i64,
    /// Times at which alerts are looked at; those at which nothing is evaluated are left out.
    pub watched: &'a BTreeSet<i64>,
}

/// What came of a [`Course`].
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// All series, up to the last evaluation.
    pub store: Store,
    /// Alerts that fire at the watched times, with the name of their rule.
    pub firing: BTreeMap<i64, Vec<(String, Firing)>>,
    /// Rules that could not be evaluated, all at one time, with which the course ended.
    pub failures: Vec<Failure>,
    /// Rules evaluated, counting each time.
    pub evaluations: u64,
}

impl Course<'_> {
    /// Evaluates the rules, rule by rule where that gives the same as time by time.
    pub fn run(&self) -> Outcome {
        let at_once = if self.can_go_rule_by_rule() { self.rule_by_rule() } else { None };
        at_once.unwrap_or_else(|| self.time_by_time())
    }

    fn rules(&self) -> impl Iterator<Item = (&Group, &Rule)> {
        self.groups.iter().flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
    }

    fn steps(&self) -> i64 {
        self.end_ms.max(0) / self.step_ms.max(1) + 1
    }

    /// Time of the last evaluation; samples after it are never seen.
    fn last_ms(&self) -> i64 {
        (self.steps() - 1) * self.step_ms.max(1)
    }

    /// Whether each rule reads only what is given and what rules before it write, at the time and before.
    pub(super) fn can_go_rule_by_rule(&self) -> bool {
        let rules: Vec<&Rule> = self.rules().map(|(_, rule)| rule).collect();
        let given: BTreeSet<&str> = self.inputs.iter().map(|(labels, _)| labels.name()).collect();
        rules.iter().enumerate().all(|(index, rule)| {
            let reads_later = rules[index..].iter().any(|later| later.feeds(&rule.plan));
            let asks = rule.alerting().is_some_and(Alerting::asks);
            let is_given = given.iter().any(|name| rule.writes(name));
            !(reads_later || asks || is_given || rule.plan.leaves_its_time())
        })
    }

    /// Samples by series, up to a time; of a series that comes twice the last.
    fn given(&self) -> BTreeMap<&Labels, &[(i64, f64)]> {
        let last_ms = self.last_ms();
        let series = self.inputs.iter().map(|(labels, points)| {
            let seen = points.partition_point(|&(t_ms, _)| t_ms <= last_ms);
            (labels, &points[..seen])
        });
        series.collect()
    }

    pub(super) fn time_by_time(&self) -> Outcome {
        let mut outcome = Outcome { store: unlimited(), ..Outcome::default() };
        let given = self.given();
        let mut next: Vec<usize> = vec![0; given.len()];
        let mut evaluator = Evaluator::new(Arc::clone(self.groups), self.external.clone(), self.options);
        let rules = self.rules().count() as u64;
        for step in 0..self.steps() {
            let at_ms = step * self.step_ms.max(1);
            for ((labels, points), next) in given.iter().zip(&mut next) {
                while let Some(&(t_ms, value)) = points.get(*next).filter(|(t_ms, _)| *t_ms <= at_ms) {
                    let _ = outcome.store.append(labels, t_ms, value);
                    *next += 1;
                }
            }
            outcome.failures = evaluator.evaluate(&mut outcome.store, at_ms);
            outcome.evaluations += rules;
            if !outcome.failures.is_empty() {
                return outcome;
            }
            if self.watched.contains(&at_ms) {
                let firing = evaluator.firing(&outcome.store);
                let firing = firing.into_iter().map(|(name, firing)| (name.to_owned(), firing));
                outcome.firing.insert(at_ms, firing.collect());
            }
        }
        outcome
    }

    /// None where it must be looked at time by time after all.
    pub(super) fn rule_by_rule(&self) -> Option<Outcome> {
        let mut outcome = Outcome { store: unlimited(), ..Outcome::default() };
        for (labels, points) in self.given() {
            outcome.store.append_all(labels, points.iter().copied()).ok()?;
        }
        let watched: Vec<i64> = self.watched.iter().copied().filter(|at_ms| self.is_step(*at_ms)).collect();
        outcome.firing = watched.into_iter().map(|at_ms| (at_ms, Vec::new())).collect();
        for (group, rule) in self.rules() {
            let range = Range { start_ms: 0, end_ms: self.last_ms(), step_ms: self.step_ms.max(1) };
            let answer = rule.plan.range(&outcome.store, range, &self.options).ok()?;
            let Value::Matrix(rows) = answer.value else { return None };
            match &rule.kind {
                RuleKind::Recording(own) => self.record(&mut outcome.store, group, &rule.name, own, rows)?,
                RuleKind::Alerting(alerting) => {
                    self.alert(&mut outcome, group, (&rule.name, alerting), &rows)?;
                }
            }
            outcome.evaluations += self.steps().unsigned_abs();
        }
        Some(outcome)
    }

    fn is_step(&self, at_ms: i64) -> bool {
        (0..=self.last_ms()).contains(&at_ms) && at_ms % self.step_ms.max(1) == 0
    }

    fn record(
        &self,
        store: &mut Store,
        group: &Group,
        name: &str,
        own: &[(String, String)],
        rows: Vec<Points>,
    ) -> Option<()> {
        // More rows than the limit may still be few enough at each time.
        if group.limit > 0 && rows.len() > group.limit {
            return None;
        }
        let mut known = BTreeSet::new();
        for (labels, points) in rows {
            let labels = recorded(name, own, &labels);
            let times = (self.step_ms.max(1), self.last_ms());
            let is_taken = known.insert(labels.clone()) && write_all(store, &labels, &points, times);
            if !is_taken {
                return None;
            }
        }
        Some(())
    }

    fn alert(
        &self,
        outcome: &mut Outcome,
        group: &Group,
        (name, alerting): (&str, &Alerting),
        rows: &[Points],
    ) -> Option<()> {
        let mut nothing = |_: &str| Err("queries are asked time by time".to_owned());
        let fixed: Option<Vec<Labels>> = alerting.has_fixed_labels().then(|| {
            let labels = rows.iter().map(|(labels, _)| {
                alerting.alert_labels(name, labels, f64::NAN, self.external, &mut nothing)
            });
            labels.collect()
        });
        let mut next = vec![0; rows.len()];
        let mut alerts = Alerts::new();
        let mut written: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
        // Nothing happens before the first element is there.
        let first_ms = rows.iter().filter_map(|(_, points)| points.first()).map(|point| point.0).min();
        let Some(first_ms) = first_ms else { return Some(()) };
        for step in first_ms / self.step_ms.max(1)..self.steps() {
            let at_ms = step * self.step_ms.max(1);
            let mut elements = Vec::new();
            for (row, ((labels, points), next)) in rows.iter().zip(&mut next).enumerate() {
                let Some(&(_, value)) = points.get(*next).filter(|(t_ms, _)| *t_ms == at_ms) else {
                    continue;
                };
                *next += 1;
                let alert = match &fixed {
                    Some(fixed) => fixed[row].clone(),
                    None => alerting.alert_labels(name, labels, value, self.external, &mut nothing),
                };
                elements.push((alert, Found { labels: labels.clone(), value, annotations: None }));
            }
            if elements.is_empty() && alerts.is_empty() {
                continue;
            }
            let write = |labels: &Labels, value| match written.get_mut(labels) {
                Some(points) => points.push((at_ms, value)),
                None => drop(written.insert(labels.clone(), vec![(at_ms, value)])),
            };
            advance(&mut alerts, alerting, group.limit, at_ms, elements, write).ok()?;
            if let Some(seen) = outcome.firing.get_mut(&at_ms) {
                let firing = firing(alerting, &alerts, &outcome.store, self.external, &self.options);
                seen.extend(firing.into_iter().map(|firing| (name.to_owned(), firing)));
            }
        }
        for (labels, points) in written {
            if !write_all(&mut outcome.store, &labels, &points, (self.step_ms.max(1), self.last_ms())) {
                return None;
            }
        }
        Some(())
    }
}

/// A store that forgets nothing.
fn unlimited() -> Store {
    Store::new(Limits { retention_ms: i64::MAX, series_max: usize::MAX, samples_per_series_max: usize::MAX })
}
