//! Its parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{Arm, check_each};
use crate::{ParamError, check_range};

/// An objective with its alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Share of requests that should not fail, `0.5..=0.99999`; default 0.999, as in the SRE workbook's example.
    pub objective: f64,
    /// Over how long, milliseconds, `86400000..=31536000000`; default 2592000000, 30 days. The presets' windows are made for 30
    /// days (`sloth`) and 28 (`pyrra`), and grow and shrink with it.
    pub period_ms: u64,
    /// Whose requests; default `service`: an objective is a promise of the service.
    pub of: Arm,
    /// The alerts. Default `sloth`.
    pub windows: Windows,
}

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Windows {
    /// Those of Sloth, which are the SRE workbook's: pages at 14.4 (5m and 1h) or 6 (30m and 6h), tickets at 3 (2h and 1d) or 1 (6h
    /// and 3d).
    #[default]
    Sloth,
    /// Those of Pyrra: 14 (5m and 1h, for 2m), 7 (30m and 6h, for 15m), 2 (2h and 1d, for 1h), 1 (6h and 4d, for 3h).
    Pyrra,
    /// Your own.
    Rules(Vec<Rule>),
}

/// One alert: both windows burn faster than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it calls for.
    pub severity: Severity,
    /// The short window, milliseconds.
    pub short_ms: u64,
    /// The long window, milliseconds.
    pub long_ms: u64,
    /// Burn rate above which it holds: 1 spends the budget exactly over the period.
    pub factor: f64,
    /// How long it must hold before it fires, milliseconds. Default 0.
    #[serde(default)]
    pub for_ms: u64,
}

/// What an alert calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody now: the candidate fails.
    Page,
    /// Somebody some day: marginal.
    Ticket,
}

impl Default for Params {
    fn default() -> Self {
        Self { objective: 0.999, period_ms: 30 * DAY, of: Arm::Service, windows: Windows::default() }
    }
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        check_range("objective", self.objective, 0.5, 0.99999)?;
        check_range("period_ms", self.period_ms as f64, DAY as f64, 365.0 * DAY as f64)?;
        if let Windows::Rules(rules) = &self.windows {
            let checked = check_range("rules", rules.len() as f64, 1.0, 20.0)
                .and_then(|()| check_each("rules", rules, Rule::check));
            return checked.map_err(|error| error.within("windows"));
        }
        Ok(())
    }

    /// The alerts, presets spelled out.
    pub fn rules(&self) -> Vec<Rule> {
        let preset = |days: u64, rules: [(Severity, u64, u64, f64, u64); 4]| {
            let scale = |ms: u64| (ms as f64 * self.period_ms as f64 / (days * DAY) as f64) as u64;
            let rule = |(severity, short, long, factor, hold)| Rule {
                severity,
                short_ms: scale(short),
                long_ms: scale(long),
                factor,
                for_ms: scale(hold),
            };
            rules.map(rule).to_vec()
        };
        match &self.windows {
            Windows::Sloth => preset(
                30,
                [
                    (Severity::Page, 5 * MINUTE, HOUR, 14.4, 0),
                    (Severity::Page, 30 * MINUTE, 6 * HOUR, 6.0, 0),
                    (Severity::Ticket, 2 * HOUR, DAY, 3.0, 0),
                    (Severity::Ticket, 6 * HOUR, 3 * DAY, 1.0, 0),
                ],
            ),
            Windows::Pyrra => preset(
                28,
                [
                    (Severity::Page, 5 * MINUTE, HOUR, 14.0, 2 * MINUTE),
                    (Severity::Page, 30 * MINUTE, 6 * HOUR, 7.0, 15 * MINUTE),
                    (Severity::Ticket, 2 * HOUR, DAY, 2.0, HOUR),
                    (Severity::Ticket, 6 * HOUR, 4 * DAY, 1.0, 3 * HOUR),
                ],
            ),
            Windows::Rules(rules) => rules.clone(),
        }
    }
}

impl Rule {
    fn check(&self) -> Result<(), ParamError> {
        let longest = 30.0 * DAY as f64;
        check_range("short_ms", self.short_ms as f64, 1000.0, longest)?;
        check_range("long_ms", self.long_ms as f64, self.short_ms as f64, longest)?;
        check_range("factor", self.factor, 0.0, 1e6)?;
        check_range("for_ms", self.for_ms as f64, 0.0, longest)
    }
}
