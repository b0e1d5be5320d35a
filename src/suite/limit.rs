//! Limits: `METRIC <= VALUE` or `METRIC >= VALUE`.

use std::fmt;
use std::str::FromStr;

use backspin_domain::time::Millis;
use backspin_policy::document::nearest::nearest;

/// A limit on a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// What is measured.
    pub metric: Metric,
    /// On which side the figure has to be.
    pub kept: Kept,
    /// In the metric's unit: a ratio, a count, seconds, minutes of one user of a thousand, users, times D*.
    pub value: f64,
}

/// On which side of a limit a figure has to be; on it is good too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// `<=`.
    AtMost,
    /// `>=`.
    AtLeast,
}

/// What can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// `recall`: caught, of bad deploys that could be caught.
    Recall,
    /// `precision`: right ones, of all rollbacks.
    Precision,
    /// `false_rollbacks`: rolled back without need, of deploys that are not bad.
    FalseRollbacks,
    /// `escalations`: a person was called and nothing rolled back, of all deploys.
    Escalations,
    /// `missed.count`: bad deploys that could be caught and were not.
    MissedCount,
    /// `false_rollbacks.count`.
    FalseRollbacksCount,
    /// `escalations.count`.
    EscalationsCount,
    /// `inconclusive.count`: runs whose judge lacked an input from first to last.
    InconclusiveCount,
    /// `ttd.pNN`: onset to decision, of bad deploys that could be caught.
    TimeToDetect(Percentile),
    /// `ttm.pNN`: onset to mitigation, likewise.
    TimeToMitigate(Percentile),
    /// `ttr.pNN`: onset to recovery, likewise.
    TimeToRecover(Percentile),
    /// `ttd_over_bound.pNN`: the first in times D*.
    OverBound(Percentile),
    /// `cost.mean`: per deploy, good ones too.
    CostMean,
    /// `users_harmed.mean`: per bad deploy.
    UsersHarmedMean,
}

/// A share of runs in percent, 1 to 99: so many are at or below the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentile(u8);

impl Percentile {
    /// 1 to 99; none beyond.
    pub fn new(percent: u8) -> Option<Self> {
        (1..=99).contains(&percent).then_some(Self(percent))
    }

    /// As a share, `0..1`.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// In what a metric is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// `0..=1`.
    Ratio,
    /// Whole.
    Count,
    /// Seconds inside; `6m` in files.
    Time,
    /// Any number that is not negative.
    Number,
}

/// Why a text is no limit. `at..at + len` are bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LimitError {
    /// What was found and what is allowed.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Where it begins.
    pub at: usize,
    /// How long it is.
    pub len: usize,
}

/// A time by its name, and the metric that is one of its percentiles.
type Timed = (&'static str, fn(Percentile) -> Metric);

/// Times, each with percentiles.
const TIMES: [Timed; 4] = [
    ("ttd", Metric::TimeToDetect),
    ("ttm", Metric::TimeToMitigate),
    ("ttr", Metric::TimeToRecover),
    ("ttd_over_bound", Metric::OverBound),
];

impl Metric {
    /// All that have no percentile.
    const PLAIN: [Self; 10] = [
        Self::Recall,
        Self::Precision,
        Self::FalseRollbacks,
        Self::Escalations,
        Self::MissedCount,
        Self::FalseRollbacksCount,
        Self::EscalationsCount,
        Self::InconclusiveCount,
        Self::CostMean,
        Self::UsersHarmedMean,
    ];

    pub(crate) const fn unit(self) -> Unit {
        match self {
            Self::Recall | Self::Precision | Self::FalseRollbacks | Self::Escalations => Unit::Ratio,
            Self::MissedCount
            | Self::FalseRollbacksCount
            | Self::EscalationsCount
            | Self::InconclusiveCount => Unit::Count,
            Self::TimeToDetect(_) | Self::TimeToMitigate(_) | Self::TimeToRecover(_) => Unit::Time,
            Self::OverBound(_) | Self::CostMean | Self::UsersHarmedMean => Unit::Number,
        }
    }

    /// The percentile, and the metric without it.
    pub(crate) fn percentile(self) -> Option<(Percentile, &'static str)> {
        match self {
            Self::TimeToDetect(p) => Some((p, "ttd")),
            Self::TimeToMitigate(p) => Some((p, "ttm")),
            Self::TimeToRecover(p) => Some((p, "ttr")),
            Self::OverBound(p) => Some((p, "ttd_over_bound")),
            Self::Recall
            | Self::Precision
            | Self::FalseRollbacks
            | Self::Escalations
            | Self::MissedCount
            | Self::FalseRollbacksCount
            | Self::EscalationsCount
            | Self::InconclusiveCount
            | Self::CostMean
            | Self::UsersHarmedMean => None,
        }
    }

    const fn plain_name(self) -> &'static str {
        match self {
            Self::Recall => "recall",
            Self::Precision => "precision",
            Self::FalseRollbacks => "false_rollbacks",
            Self::Escalations => "escalations",
            Self::MissedCount => "missed.count",
            Self::FalseRollbacksCount => "false_rollbacks.count",
            Self::EscalationsCount => "escalations.count",
            Self::InconclusiveCount => "inconclusive.count",
            Self::TimeToDetect(_) => "ttd",
            Self::TimeToMitigate(_) => "ttm",
            Self::TimeToRecover(_) => "ttr",
            Self::OverBound(_) => "ttd_over_bound",
            Self::CostMean => "cost.mean",
            Self::UsersHarmedMean => "users_harmed.mean",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plain_name())?;
        self.percentile().map_or(Ok(()), |(p, _)| write!(f, ".p{}", p.0))
    }
}

impl FromStr for Metric {
    /// The nearest metric, if one is near.
    type Err = Option<String>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(found) = Self::PLAIN.into_iter().find(|metric| metric.plain_name() == text) {
            return Ok(found);
        }
        if let Some((name, percent)) = text.split_once('.')
            && let Some((_, metric)) = TIMES.iter().find(|(time, _)| *time == name)
        {
            let percent = match percent {
                "median" => Some(50),
                percent => {
                    percent.strip_prefix('p').filter(|p| !p.starts_with('+')).and_then(|p| p.parse().ok())
                }
            };
            return percent.and_then(Percentile::new).map(metric).ok_or_else(|| Some(format!("{name}.p95")));
        }
        let times = TIMES.map(|(name, _)| format!("{name}.p95"));
        let names = Self::PLAIN.iter().map(|metric| metric.plain_name());
        let names = names.chain(times.iter().map(String::as_str));
        Err(nearest(text, names)
            .map(str::to_owned)
            .or_else(|| TIMES.iter().find(|(name, _)| *name == text).map(|(name, _)| format!("{name}.p95"))))
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let fail = |part: &str, message: String, hint: Option<String>| {
            let at = part.as_ptr() as usize - text.as_ptr() as usize;
            LimitError { message, hint, at, len: part.len() }
        };
        let operators = |c: char| matches!(c, '<' | '>' | '=' | '!');
        let Some(place) = text.find(operators) else {
            let message = format!("a limit is `METRIC <= VALUE` or `METRIC >= VALUE`, got `{text}`");
            return Err(fail(text, message, Some("write `recall >= 0.95`".to_owned())));
        };
        let (name, rest) = text.split_at(place);
        let name = name.trim();
        let end = rest.find(|c| !operators(c)).unwrap_or(rest.len());
        let (operator, value) = rest.split_at(end);
        let kept = match operator {
            "<=" => Kept::AtMost,
            ">=" => Kept::AtLeast,
            other => {
                let hint = match other {
                    "<" | "=<" => Some("write `<=`: on the limit is good too".to_owned()),
                    ">" | "=>" => Some("write `>=`: on the limit is good too".to_owned()),
                    _ => None,
                };
                return Err(fail(operator, format!("a limit compares by `<=` or `>=`, got `{other}`"), hint));
            }
        };
        let metric: Metric = name.parse().map_err(|near: Option<String>| {
            let hint = near.map_or_else(known, |near| format!("did you mean `{near}`? {}", known()));
            fail(name, format!("there is no metric `{name}`"), Some(hint))
        })?;
        let value = value.trim();
        let value = number(metric, value)
            .map_err(|(message, hint)| fail(value, format!("`{metric}` {message}"), hint))?;
        Ok(Self { metric, kept, value })
    }
}

fn known() -> String {
    let plain: Vec<&str> = Metric::PLAIN.iter().map(|metric| metric.plain_name()).collect();
    let times: Vec<&str> = TIMES.iter().map(|(name, _)| *name).collect();
    format!("metrics are {}, and {} with `.p1` to `.p99`", plain.join(", "), times.join(", "))
}

fn number(metric: Metric, text: &str) -> Result<f64, (String, Option<String>)> {
    let plain = || text.parse::<f64>().ok().filter(|value| value.is_finite());
    match metric.unit() {
        Unit::Ratio => {
            let percent = text.strip_suffix('%').map(str::trim_end).and_then(|p| p.parse::<f64>().ok());
            let whole =
                percent.or_else(|| plain().filter(|value| (1.0..=100.0).contains(value) && *value > 1.0));
            let hint = whole
                .filter(|value| (0.0..=100.0).contains(value))
                .map(|value| format!("write `{}`; a ratio is not a percentage", value / 100.0));
            plain()
                .filter(|value| (0.0..=1.0).contains(value))
                .ok_or_else(|| (format!("must be between 0 and 1, got `{text}`"), hint))
        }
        Unit::Count => match text.parse::<u32>() {
            Ok(count) => Ok(f64::from(count)),
            Err(_) => Err((format!("must be a whole number, got `{text}`"), None)),
        },
        Unit::Time => match text.parse::<Millis>() {
            Ok(time) if time <= LENGTH_MAX => Ok(time.as_secs_f64()),
            Ok(_) => Err((format!("must be at most {LENGTH_MAX}, got `{text}`"), None)),
            Err(error) => {
                let hint = plain().map(|_| format!("write `{text}s` or `{text}m`"));
                Err((format!("is a length of time: {error}"), hint))
            }
        },
        Unit::Number => plain()
            .filter(|value| *value >= 0.0)
            .ok_or_else(|| (format!("must be a number that is not negative, got `{text}`"), None)),
    }
}

/// Longer is no time of a rollback, and far from overflowing.
const LENGTH_MAX: Millis = Millis(3660 * 86_400_000);

impl Limit {
    /// The value in words, as it is written in a file.
    pub fn value_words(&self) -> String {
        match self.metric.unit() {
            Unit::Time => Millis((self.value * 1000.0).round() as u64).to_string(),
            Unit::Ratio | Unit::Count | Unit::Number => self.value.to_string(),
        }
    }

    /// Whether this figure keeps it.
    pub fn keeps(&self, value: f64) -> bool {
        match self.kept {
            Kept::AtMost => value <= self.value,
            Kept::AtLeast => value >= self.value,
        }
    }

    /// Why no number of runs could ever show it, if so: the interval of a share never reaches 0 or 1.
    pub(crate) fn impossible(&self) -> Option<String> {
        let edge = match self.kept {
            Kept::AtLeast => 1.0,
            Kept::AtMost => 0.0,
        };
        let share = self.metric.unit() == Unit::Ratio && self.value == edge;
        share.then(|| {
            format!("no number of runs can show `{self}`: the interval of a share never reaches {edge}")
        })
    }

    /// Whether no run could keep both.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        let (least, most) = match (self.kept, other.kept) {
            (Kept::AtLeast, Kept::AtMost) => (self, other),
            (Kept::AtMost, Kept::AtLeast) => (other, self),
            (Kept::AtLeast, Kept::AtLeast) | (Kept::AtMost, Kept::AtMost) => return false,
        };
        let same = match (least.metric.percentile(), most.metric.percentile()) {
            // A higher percentile is at least as long.
            (Some((low, one)), Some((high, other))) => one == other && low <= high,
            (None, None) => least.metric == most.metric,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same && least.value > most.value
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.kept {
            Kept::AtMost => "<=",
            Kept::AtLeast => ">=",
        };
        write!(f, "{} {operator} {}", self.metric, self.value_words())
    }
}
