//! `n_of_m`, a baseline: fixed limits, and so many of the newest checks beyond them.
//!
//! Every interval each metric is held against its limit; the candidate fails, for good, once `n` of a metric's newest `m` checks are beyond. What
//! has no value is not beyond. Limits know nothing of what is usual and of whose fault it is, so causes that are shared always hit
//! them. It begins with the candidate's first traffic.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::frame::Frame;
use backspin_domain::signal::{CustomSignal, QueryValue};
use backspin_domain::time::Millis;
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::metric::{Arm, Reader, Reads, check_each, check_names};
use super::{Judge, Need, Needs, ParamError, check_range};

/// Fixed limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The limits, `1..=200`. Default: error ratio above 0.01 and p99 above 500 ms, over a minute.
    pub limits: Vec<Limit>,
    /// Checks beyond a limit that fail the candidate, `1..=m`; default 3.
    pub n: u32,
    /// Checks that are looked at, `1..=64`; default 5.
    pub m: u32,
    /// Between two checks, milliseconds, `1000..=3600000`; default 60000.
    pub interval_ms: u64,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// What is measured.
    pub reads: Reads,
    /// A value above it is beyond.
    pub above: f64,
}

impl Default for Params {
    fn default() -> Self {
        let limit = |name: &str, reads, above| Limit { name: name.to_owned(), reads, above };
        Self {
            limits: vec![
                limit("errors", Reads::error_ratio(Arm::Candidate, 60_000), 0.01),
                limit("latency-p99", Reads::p99(Arm::Candidate, 60_000), 500.0),
            ],
            n: 3,
            m: 5,
            interval_ms: 60_000,
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges, and names that come twice.
    pub fn check(&self) -> Result<(), ParamError> {
        check_names("limits", &self.limits, |limit| &limit.name)?;
        check_each("limits", &self.limits, |limit| {
            limit.reads.check().map_err(|error| error.within("reads"))?;
            check_range("above", limit.above, -1e15, 1e15)
        })?;
        check_range("m", f64::from(self.m), 1.0, 64.0)?;
        check_range("n", f64::from(self.n), 1.0, f64::from(self.m))?;
        check_range("interval_ms", self.interval_ms as f64, 1000.0, 3_600_000.0)
    }
}

/// The judge.
#[derive(Clone, Debug)]
pub struct NOfM {
    n: u32,
    m: u32,
    interval: Millis,
    limits: Box<[Held]>,
    next: Option<Millis>,
    failed: Option<usize>,
}

#[derive(Clone, Debug)]
struct Held {
    limit: Limit,
    reader: Reader,
    /// The newest checks, the newest in the lowest bit.
    beyond: u64,
    value: Option<f64>,
}

impl NOfM {
    /// A judge with these parameters, which were checked; `custom` are the policy's own signals.
    pub fn new(params: &Params, custom: &[CustomSignal]) -> Self {
        let limits = params.limits.iter().map(|limit| Held {
            reader: Reader::new(&limit.reads, custom),
            limit: limit.clone(),
            beyond: 0,
            value: None,
        });
        Self {
            n: params.n,
            m: params.m,
            interval: Millis(params.interval_ms),
            limits: limits.collect(),
            next: None,
            failed: None,
        }
    }

    fn check(&mut self, frame: &Frame) {
        let kept = if self.m == 64 { u64::MAX } else { (1 << self.m) - 1 };
        for (place, held) in self.limits.iter_mut().enumerate() {
            held.value = match held.reader.read(frame) {
                QueryValue::Number(value) => Some(value),
                QueryValue::Nan | QueryValue::Empty | QueryValue::Failed => None,
            };
            let beyond = held.value.is_some_and(|value| value > held.limit.above);
            held.beyond = (held.beyond << 1 | u64::from(beyond)) & kept;
            if held.beyond.count_ones() >= self.n {
                self.failed = self.failed.or(Some(place));
            }
        }
    }
}

impl Judge for NOfM {
    fn name(&self) -> &'static str {
        "n_of_m"
    }

    fn needs(&self) -> Needs {
        &[&[Need::Own]]
    }

    fn reset(&mut self) {
        (self.next, self.failed) = (None, None);
        for held in &mut self.limits {
            (held.beyond, held.value) = (0, None);
            held.reader.reset();
        }
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        for held in &mut self.limits {
            held.reader.push(frame);
        }
        let threshold = f64::from(self.n);
        let Some(age) = frame.rollout.since_deploy else { return Verdict::inconclusive(threshold) };
        if self.next.is_none() && frame.rollout.candidate_share > 0.0 {
            self.next = Some(Millis(age.0 + self.interval.0));
        }
        if self.next.is_some_and(|next| age >= next) {
            self.next = Some(Millis(age.0 + self.interval.0));
            self.check(frame);
        }
        let leading = self.limits.iter().max_by_key(|held| held.beyond.count_ones());
        let score = leading.map_or(0.0, |held| f64::from(held.beyond.count_ones()));
        let class = if self.failed.is_some() {
            VerdictClass::Fail
        } else if self.limits.iter().all(|held| held.value.is_none()) {
            VerdictClass::Inconclusive
        } else {
            VerdictClass::Pass
        };
        let score = if self.failed.is_some() { score.max(threshold) } else { score };
        let leading = self.failed.map(|place| &self.limits[place]).or(leading.filter(|_| score > 0.0));
        let primary = leading.and_then(|held| held.reader.signal());
        let reference = if class == VerdictClass::Inconclusive { Reference::None } else { Reference::Limit };
        Verdict { class, score, threshold, primary, reference }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let mut words = String::new();
        let mut factors = Vec::new();
        for Held { limit, beyond, value, .. } in &self.limits {
            let separator = if words.is_empty() { "" } else { "; " };
            let beyond = beyond.count_ones();
            let _ = write!(
                words,
                "{separator}{}: {beyond} of the newest {} beyond {} ({} fail)",
                limit.name, self.m, limit.above, self.n
            );
            match value {
                Some(value) => {
                    let _ = write!(words, ", now {value}");
                    factors.push(Factor {
                        signal: limit.name.clone(),
                        value: *value,
                        threshold: limit.above,
                        impact: value / limit.above,
                        contribution: f64::from(beyond),
                    });
                }
                None => words.push_str(", no value"),
            }
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        Evidence { words, factors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::frame::RolloutView;

    /// A check a minute from the first minute on: `X` beyond, `0` on the limit, `-` without a value.
    #[track_caller]
    fn check(checks: &str, expected: &str) {
        let limit = Limit { name: "q".to_owned(), reads: Reads::Query("q".to_owned()), above: 0.5 };
        let params = Params { limits: vec![limit], ..Params::default() };
        assert_eq!(params.check(), Ok(()));
        let signal = CustomSignal { name: "q".to_owned(), worse: None, threshold: None, weight: 0.0 };
        let mut judge = NOfM::new(&params, &[signal]);
        let letters: String = checks
            .chars()
            .enumerate()
            .map(|(minute, check)| {
                let value = match check {
                    'X' => QueryValue::Number(0.6),
                    '0' => QueryValue::Number(0.5),
                    _ => QueryValue::Nan,
                };
                let frame = Frame {
                    rollout: RolloutView {
                        since_deploy: Some(Millis::from_mins(minute as u64)),
                        candidate_share: 0.1,
                    },
                    queries: vec![value],
                    ..Frame::default()
                };
                match judge.observe(&frame).class {
                    VerdictClass::Pass => 'p',
                    VerdictClass::Marginal => 'm',
                    VerdictClass::Fail => 'f',
                    VerdictClass::Inconclusive => 'i',
                }
            })
            .collect();
        assert_eq!(letters, expected);
    }

    #[test]
    fn three_of_the_newest_five_fail_for_good() {
        check("0X0X0X000", "ippppffff");
        check("0X00X00X0X", "ippppppppp");
        check("0XX000XX0", "ipppppppp");
        check("XXX0000000", "ippppppppp");
        check("XX--X0", "ipiipp");
    }

    #[test]
    fn no_value_is_not_beyond() {
        check("------", "iiiiii");
    }

    #[test]
    fn parameters_outside_their_ranges_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        assert!(Params { n: 6, ..Params::default() }.check().is_err());
        assert!(Params { m: 65, ..Params::default() }.check().is_err());
    }
}
