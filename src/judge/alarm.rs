//! `alarm`: CodeDeploy's stop on an alarm, with CloudWatch's rules for datapoints, from the guides of both.
//!
//! Each alarm gathers a datapoint per period; so many breaching ones among the last so many put it into the state ALARM. The
//! deployment looks at its alarms now and then, and one in ALARM stops it for good and rolls back. Quirks that are kept on purpose:
//!
//! - an alarm does not know whose fault it is, and one that rang before the deployment began stops it at its first look (as CodeDeploy
//!   does), or turns all alarms off for the whole of it (as ECS does);
//! - a missing datapoint is by default neither good nor bad: an alarm without data has the state INSUFFICIENT_DATA, which stops nothing;
//!   with a single breaching datapoint among missing ones it rings early;
//! - CloudWatch looks further back than it evaluates, so that missing datapoints are bridged by older ones: two periods further here,
//!   as in the tables of its guide;
//! - alarms that cannot be looked at stop the deployment, unless that is ignored.
//!
//! Datapoints are gathered before the deployment too. Alarms are looked at for as long as the deploy is watched, also once the candidate
//! serves all. Left out: that a rollback is a new deployment of the last good revision (the engine's matter), and throttled polls.

mod params;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use backspin_domain::frame::Frame;
use backspin_domain::signal::{CustomSignal, QueryValue};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::metric::Reader;
use super::{Judge, Need, Needs};

pub use params::{Alarm, AtStart, Comparison, Missing, Params};

/// The judge.
#[derive(Clone, Debug)]
pub struct AlarmJudge {
    alarms: Box<[Watched]>,
    poll: Millis,
    ignore_poll_failure: bool,
    at_start: AtStart,
    deployment: Deployment,
}

/// One alarm with its newest datapoints.
#[derive(Clone, Debug)]
struct Watched {
    params: Alarm,
    reader: Reader,
    /// The evaluation range, a ring.
    points: Box<[Point]>,
    /// Datapoints ever gathered.
    gathered: usize,
    next: Option<MonoTime>,
    state: State,
    /// Whether the newest reading failed.
    away: bool,
    value: Option<f64>,
}

/// A datapoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Point {
    Within,
    Breaching,
    #[default]
    Missing,
}

/// An alarm's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    Ok,
    Alarm,
    #[default]
    InsufficientData,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deployment {
    next_poll: Option<Millis>,
    /// What stopped it.
    stopped: Option<Stop>,
    /// Whether alarms are ignored, since one rang at the start.
    ignored: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The alarm of this number.
    Alarm(usize),
    /// Alarms could not be looked at.
    PollFailed,
}

/// Periods that CloudWatch looks further back than it evaluates.
const RANGE_EXTRA: usize = 2;

impl AlarmJudge {
    /// A judge with these parameters, which were checked; `custom` are the policy's own signals.
    pub fn new(params: &Params, custom: &[CustomSignal]) -> Self {
        let alarms = params.alarms.iter().map(|alarm| Watched {
            reader: Reader::new(&alarm.reads, custom),
            points: vec![Point::Missing; alarm.evaluation_periods as usize + RANGE_EXTRA].into(),
            gathered: 0,
            next: None,
            state: State::default(),
            away: false,
            value: None,
            params: alarm.clone(),
        });
        Self {
            alarms: alarms.collect(),
            poll: Millis(params.poll_ms),
            ignore_poll_failure: params.ignore_poll_failure,
            at_start: params.at_start,
            deployment: Deployment::default(),
        }
    }

    fn poll_if_due(&mut self, age: Millis) {
        let deployment = &mut self.deployment;
        let first = deployment.next_poll.is_none();
        if deployment.stopped.is_some() || deployment.next_poll.is_some_and(|next| age < next) {
            return;
        }
        deployment.next_poll = Some(Millis(age.0 + self.poll.0));
        let ringing = self.alarms.iter().position(|alarm| alarm.state == State::Alarm);
        if first && ringing.is_some() && self.at_start == AtStart::IgnoreAll {
            deployment.ignored = true;
        }
        if deployment.ignored {
            return;
        }
        let away = self.alarms.iter().all(|alarm| alarm.away);
        deployment.stopped = match ringing {
            Some(alarm) => Some(Stop::Alarm(alarm)),
            None if away && !self.ignore_poll_failure => Some(Stop::PollFailed),
            None => None,
        };
    }
}

impl Watched {
    fn gather_if_due(&mut self, frame: &Frame) {
        self.reader.push(frame);
        let period = self.params.period_ms;
        if self.next.is_some_and(|next| frame.at < next) {
            return;
        }
        // Periods by the clock, one datapoint however late the frame.
        self.next = Some(MonoTime((frame.at.0 / period + 1) * period));
        let value = self.reader.read(frame);
        self.away = value == QueryValue::Failed;
        let threshold = self.params.threshold;
        let point = match value {
            QueryValue::Number(value) => {
                self.value = Some(value);
                let breaching = match self.params.comparison {
                    Comparison::Greater => value > threshold,
                    Comparison::GreaterOrEqual => value >= threshold,
                    Comparison::Less => value < threshold,
                    Comparison::LessOrEqual => value <= threshold,
                };
                if breaching { Point::Breaching } else { Point::Within }
            }
            QueryValue::Nan | QueryValue::Empty | QueryValue::Failed => Point::Missing,
        };
        let place = self.gathered % self.points.len();
        self.points[place] = point;
        self.gathered += 1;
        self.state = self.evaluate();
    }

    /// Datapoints that count: the newest that are there, and how many are missing to all of them.
    fn count(&self) -> (u32, u32, u32) {
        let (mut breaching, mut within) = (0, 0);
        let kept = self.gathered.min(self.points.len());
        for back in 1..=kept {
            if breaching + within == self.params.evaluation_periods {
                break;
            }
            match self.points[(self.gathered - back) % self.points.len()] {
                Point::Breaching => breaching += 1,
                Point::Within => within += 1,
                Point::Missing => {}
            }
        }
        (breaching, within, self.params.evaluation_periods - breaching - within)
    }

    fn needed(&self) -> u32 {
        self.params.datapoints_to_alarm.unwrap_or(self.params.evaluation_periods)
    }

    fn evaluate(&self) -> State {
        let (breaching, within, missing) = self.count();
        let enough = |breaching: u32| breaching >= self.needed();
        let of = |alarm: bool| if alarm { State::Alarm } else { State::Ok };
        match self.params.missing {
            Missing::Breaching => of(enough(breaching + missing)),
            Missing::NotBreaching => of(enough(breaching)),
            Missing::Missing if breaching + within == 0 => State::InsufficientData,
            // Nothing but breaching ones, with some missing: it rings early.
            Missing::Missing => of(enough(breaching) || within == 0),
            Missing::Ignore if enough(breaching) => State::Alarm,
            Missing::Ignore if within > 0 => State::Ok,
            Missing::Ignore => self.state,
        }
    }

    /// Share of the breaching datapoints that it takes.
    fn score(&self) -> f64 {
        let (breaching, _, missing) = self.count();
        let counted = match self.params.missing {
            Missing::Breaching => breaching + missing,
            Missing::Missing | Missing::NotBreaching | Missing::Ignore => breaching,
        };
        f64::from(counted) / f64::from(self.needed())
    }
}

impl Judge for AlarmJudge {
    fn name(&self) -> &'static str {
        "alarm"
    }

    fn needs(&self) -> Needs {
        &[&[Need::Own]]
    }

    fn reset(&mut self) {
        // Alarms belong to the service: they stand as they are when a new deployment begins.
        self.deployment = Deployment::default();
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        for alarm in &mut self.alarms {
            alarm.gather_if_due(frame);
        }
        let Some(age) = frame.rollout.since_deploy else { return Verdict::inconclusive(1.0) };
        self.poll_if_due(age);
        let insufficient = self.alarms.iter().all(|alarm| alarm.state == State::InsufficientData);
        let class = match self.deployment.stopped {
            Some(_) => VerdictClass::Fail,
            None if self.deployment.ignored => VerdictClass::Pass,
            None if insufficient => VerdictClass::Inconclusive,
            None => VerdictClass::Pass,
        };
        let nearest = self.alarms.iter().max_by(|a, b| a.score().total_cmp(&b.score()));
        let leading = match self.deployment.stopped {
            Some(Stop::Alarm(alarm)) => Some(&self.alarms[alarm]),
            Some(Stop::PollFailed) | None => nearest.filter(|alarm| alarm.score() > 0.0),
        };
        let score = if class == VerdictClass::Fail { 1.0 } else { leading.map_or(0.0, Watched::score) };
        let reference = if insufficient { Reference::None } else { Reference::Limit };
        let primary = leading.and_then(|alarm| alarm.reader.signal());
        Verdict { class, score, threshold: 1.0, primary, reference }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let mut words = match self.deployment.stopped {
            Some(Stop::Alarm(alarm)) => format!("stopped by alarm `{}`", self.alarms[alarm].params.name),
            Some(Stop::PollFailed) => "stopped: alarms cannot be looked at".to_owned(),
            None if self.deployment.ignored => "all alarms ignored: one rang at the start".to_owned(),
            None => "no alarm has stopped the deployment".to_owned(),
        };
        let mut factors = Vec::new();
        for alarm in &self.alarms {
            let (breaching, within, missing) = alarm.count();
            let state = match alarm.state {
                State::Ok => "ok",
                State::Alarm => "alarm",
                State::InsufficientData => "insufficient data",
            };
            let _ = write!(
                words,
                "; {}: {state}, {breaching} breaching of {} needed, {within} within, {missing} missing",
                alarm.params.name,
                alarm.needed()
            );
            if let Some(value) = alarm.value {
                factors.push(Factor {
                    signal: alarm.params.name.clone(),
                    value,
                    threshold: alarm.params.threshold,
                    impact: f64::from(breaching),
                    contribution: alarm.score(),
                });
            }
        }
        factors.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        Evidence { words, factors }
    }
}
