//! Alerts: what a rule file, Sloth and Pyrra come to.

use super::building::{Building, readable};
use super::tree::At;
use backspin_domain::signal::Worse;
use backspin_mocks::promql::Shape;

/// An alert as Prometheus evaluates it.
#[derive(Clone, Debug)]
pub(crate) struct Alert<'a> {
    /// Where it stands.
    pub(crate) at: At<'a>,
    /// Its name.
    pub(crate) name: String,
    /// A query without elements while all is well.
    pub(crate) query: String,
    /// How long it must hold, milliseconds.
    pub(crate) lasts_ms: u64,
    /// Between two evaluations, milliseconds.
    pub(crate) every_ms: u64,
    /// Whom it calls.
    pub(crate) calls: Calls,
}

/// Whom an alert calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Somebody at once.
    Page,
    /// Somebody, some time.
    Ticket,
}

impl Calls {
    /// By the `severity` that rules carry. One that is not among the usual words calls at once: it is better to be told
    /// of a rollback that was too eager than not to be told.
    pub(crate) fn of(severity: Option<&str>) -> Self {
        match severity.unwrap_or_default().to_ascii_lowercase().as_str() {
            "warning" | "warn" | "info" | "information" | "notice" | "none" | "low" | "ticket" | "task"
            | "minor" | "p3" | "p4" | "sev3" | "sev4" => Self::Ticket,
            _ => Self::Page,
        }
    }
}

/// An alert whose query is a signal of the policy by now.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) alert: Alert<'a>,
    /// The signal: how many elements the alert's query has; 0 while all is well.
    pub(crate) signal: String,
}

/// Prometheus' own interval between evaluations.
pub(crate) const EVALUATION_MS: u64 = 60_000;

/// Takes an alert's query as a signal that counts its elements. Nothing but counting would be faithful: an alert fires if
/// any series is left, whatever its value, and none when data is missing.
pub(crate) fn asked<'a>(building: &mut Building<'_>, alert: Alert<'a>) -> Option<Asked<'a>> {
    if let Ok(Some(Shape::Constant)) = readable(&alert.query) {
        building.queries += 1;
        let why = "its query is a constant: it tells that alerting works, not how a service is";
        building.findings.beside(alert.at, &format!("alert `{}`", alert.name), why);
        return None;
    }
    if let Err(bad) = readable(&alert.query) {
        // Said of the query itself, not of what is put around it.
        building.queries += 1;
        building.findings.lost(alert.at, &format!("alert `{}`", alert.name), bad.words);
        return None;
    }
    let counted = format!("count({}) or vector(0)", alert.query.trim());
    let signal = building.signal(alert.at, &alert.name, &counted, Worse::Higher)?;
    Some(Asked { alert, signal })
}
