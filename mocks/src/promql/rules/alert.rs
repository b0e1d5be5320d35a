//! The life of an alert.

use std::collections::BTreeMap;

use super::rule::{ALERTS, ALERTS_FOR_STATE, Alerting};
use crate::store::{Labels, METRIC_NAME};

/// Whether an alert is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There, but not for long enough.
    Pending,
    /// Told.
    Firing,
}

/// An alert that fires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Firing {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
}

/// An element of an alerting rule's answer.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Labels of the element itself.
    pub(super) labels: Labels,
    pub(super) value: f64,
    /// Annotations, where they must be made at once.
    pub(super) annotations: Option<Labels>,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub(super) state: State,
    pub(super) active_at_ms: i64,
    kept_since_ms: Option<i64>,
    /// The element when it was last there, and when that was.
    pub(super) found: Found,
    pub(super) found_at_ms: i64,
    /// Its series: pending, firing, since when.
    series: [Labels; 3],
}

/// Alerts of one rule by their labels.
pub(super) type Alerts = BTreeMap<Labels, Alert>;

/// A sample that a rule writes.
pub(super) type Written = (Labels, f64);

impl Alert {
    fn new(labels: &Labels, found: Found, at_ms: i64) -> Self {
        let named = labels.with(METRIC_NAME, ALERTS);
        let series = [
            named.with("alertstate", "pending"),
            named.with("alertstate", "firing"),
            labels.with(METRIC_NAME, ALERTS_FOR_STATE),
        ];
        Self {
            state: State::Pending,
            active_at_ms: at_ms,
            kept_since_ms: None,
            found,
            found_at_ms: at_ms,
            series,
        }
    }

    /// Whether an alert without its element goes on.
    fn is_kept(&mut self, at_ms: i64, keep_firing_ms: i64) -> bool {
        if self.state != State::Firing || keep_firing_ms == 0 {
            return false;
        }
        let since_ms = *self.kept_since_ms.get_or_insert(at_ms);
        at_ms - since_ms < keep_firing_ms
    }
}

/// One evaluation: what was found becomes alerts, alerts fire or end; `write` is told their samples.
///
/// # Errors
/// When two elements give the same labels, or there are more alerts than the limit, which ends them all.
pub(super) fn advance(
    alerts: &mut Alerts,
    rule: &Alerting,
    limit: usize,
    at_ms: i64,
    found: Vec<(Labels, Found)>,
    mut write: impl FnMut(&Labels, f64),
) -> Result<(), String> {
    let mut elements: BTreeMap<Labels, Found> = BTreeMap::new();
    for (labels, element) in found {
        if elements.insert(labels, element).is_some() {
            return Err(
                "vector contains metrics with the same labelset after applying alert labels".to_owned()
            );
        }
    }
    alerts.retain(|labels, alert| match elements.remove(labels) {
        Some(element) => {
            alert.found = element;
            alert.found_at_ms = at_ms;
            alert.kept_since_ms = None;
            true
        }
        None => alert.is_kept(at_ms, rule.keep_firing_ms),
    });
    for (labels, element) in elements {
        let alert = Alert::new(&labels, element, at_ms);
        alerts.insert(labels, alert);
    }
    if limit > 0 && alerts.len() > limit {
        let count = alerts.len();
        alerts.clear();
        return Err(format!("exceeded limit of {limit} with {count} alerts"));
    }
    for alert in alerts.values_mut() {
        if alert.state == State::Pending && at_ms - alert.active_at_ms >= rule.hold_ms {
            alert.state = State::Firing;
        }
        let [pending, firing, since] = &alert.series;
        write(if alert.state == State::Firing { firing } else { pending }, 1.0);
        write(since, alert.active_at_ms.div_euclid(1000) as f64);
    }
    Ok(())
}
