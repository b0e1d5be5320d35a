//! `burnrate`: multi-window, multi-burn-rate alerts on an objective, as the SRE workbook (chapter 5) describes them and Sloth and
//! Pyrra generate them.
//!
//! An alert holds while the error ratios of a short and of a long window both exceed its factor times the error budget. A page fails the
//! candidate, a ticket makes it marginal. Quirks that are kept on purpose:
//!
//! - it tells whether the budget burns, not who burns it: an outage of somebody else's fails the candidate;
//! - from a clean hour, a constant error ratio `e` takes `factor · budget · long / e` until the page, whatever the traffic;
//! - with little traffic one failed request can be a page;
//! - a service that misses its objective as ever has a ticket as ever;
//! - an alert resolves when its short window has forgotten; nothing stands.
//!
//! Windows longer than the history are of the history there is, as with a young series. One of more than a thousand frames moves in steps of
//! a thousandth of its length. Frames without arms give the service's error ratio signal for every window. Left out: recording rules, and
//! how often rules are evaluated (every frame).

mod params;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use backspin_domain::frame::Frame;
use backspin_domain::signal::{QueryValue, SignalKind};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::metric::{Reader, Reads};
use super::{Judge, Need, Needs, words};

pub use params::{Params, Rule, Severity, Windows};

/// The judge.
#[derive(Clone, Debug)]
pub struct BurnRate {
    budget: f64,
    alerts: Box<[Alert]>,
}

/// One alert.
#[derive(Clone, Debug)]
struct Alert {
    rule: Rule,
    short: Reader,
    long: Reader,
    /// Since when both windows have burned too fast.
    since: Option<MonoTime>,
    firing: bool,
    /// Burn rates of the newest frame, short and long; none without a value.
    burns: Option<[f64; 2]>,
}

impl BurnRate {
    /// A judge with these parameters, which were checked.
    pub fn new(params: &Params) -> Self {
        let reader = |window| Reader::new(&Reads::error_ratio(params.of, window), &[]);
        let alerts = params.rules().into_iter().map(|rule| Alert {
            short: reader(rule.short_ms),
            long: reader(rule.long_ms),
            rule,
            since: None,
            firing: false,
            burns: None,
        });
        Self { budget: 1.0 - params.objective, alerts: alerts.collect() }
    }
}

impl Alert {
    fn take(&mut self, frame: &Frame, budget: f64) {
        self.short.push(frame);
        self.long.push(frame);
        let burn = |reader: &Reader| match reader.read(frame) {
            QueryValue::Number(ratio) => Some(ratio / budget),
            QueryValue::Nan | QueryValue::Empty | QueryValue::Failed => None,
        };
        self.burns = burn(&self.short).zip(burn(&self.long)).map(|(short, long)| [short, long]);
        let holds = self.burns.is_some_and(|burns| burns.iter().all(|burn| *burn > self.rule.factor));
        self.since = if holds { self.since.or(Some(frame.at)) } else { None };
        self.firing = self.since.is_some_and(|since| frame.at.since(since) >= Millis(self.rule.for_ms));
    }

    /// The slower of both burns against the factor.
    fn score(&self) -> f64 {
        self.burns.map_or(0.0, |[short, long]| short.min(long) / self.rule.factor.max(f64::MIN_POSITIVE))
    }
}

impl Judge for BurnRate {
    fn name(&self) -> &'static str {
        "burnrate"
    }

    fn needs(&self) -> Needs {
        &[&[Need::ErrorCounts], &[Need::Signal(SignalKind::ErrorRatio)]]
    }

    fn reset(&mut self) {
        for alert in &mut self.alerts {
            alert.short.reset();
            alert.long.reset();
            if alert.short.is_of_candidate() {
                (alert.since, alert.firing) = (None, false);
            }
        }
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        for alert in &mut self.alerts {
            alert.take(frame, self.budget);
        }
        if frame.rollout.since_deploy.is_none() {
            return Verdict::inconclusive(1.0);
        }
        let firing =
            |severity| self.alerts.iter().any(|alert| alert.firing && alert.rule.severity == severity);
        let class = if firing(Severity::Page) {
            VerdictClass::Fail
        } else if firing(Severity::Ticket) {
            VerdictClass::Marginal
        } else if self.alerts.iter().all(|alert| alert.burns.is_none()) {
            VerdictClass::Inconclusive
        } else {
            VerdictClass::Pass
        };
        let pages = self.alerts.iter().filter(|alert| alert.rule.severity == Severity::Page);
        let score = pages.map(Alert::score).fold(0.0, f64::max);
        let primary = (score > 0.0).then_some(SignalKind::ErrorRatio);
        let reference = if class == VerdictClass::Inconclusive { Reference::None } else { Reference::Limit };
        Verdict { class, score, threshold: 1.0, primary, reference }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let mut words = format!("budget {}", words::percent(self.budget));
        let mut factors = Vec::new();
        for alert in &self.alerts {
            let rule = &alert.rule;
            let severity = match rule.severity {
                Severity::Page => "page",
                Severity::Ticket => "ticket",
            };
            let stands = match (alert.firing, alert.since) {
                (true, _) => "fires",
                (false, Some(_)) => "pending",
                (false, None) => "quiet",
            };
            let (short, long) = (Millis(rule.short_ms), Millis(rule.long_ms));
            let _ = write!(words, "; {severity} above {} over {short} and {long}: {stands}", rule.factor);
            if let Some([of_short, of_long]) = alert.burns {
                let _ = write!(words, " at {of_short:.2} and {of_long:.2}");
                factors.push(Factor {
                    signal: format!("burn_{severity}_{long}"),
                    value: of_short.min(of_long),
                    threshold: rule.factor,
                    impact: alert.score(),
                    contribution: f64::from(u8::from(alert.firing)),
                });
            }
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution).then(b.impact.total_cmp(&a.impact)));
        Evidence { words, factors }
    }
}
