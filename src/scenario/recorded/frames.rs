//! A recording as a judge sees it.
//!
//! Rows that were complete at the change or before are history, and the service's counts are the stable arm;
//! later ones are the candidate's. There is never a concurrent control, and there are no latency buckets.
//! Requests are the rate times the sampling period, errors the error rate of those, rounded. Where the
//! recording has no such columns there is no arm at all; where they are empty in a row, the arm is missing in it.
//! A scrape that the recording lacks is shown as a frame in which everything is missing.

use std::fs::File;

use csv::ByteRecord;

use super::RecordedCase;
use super::table::{self, Column, Row};
use crate::domain::frame::{ArmIncrements, Frame, RolloutView};
use crate::domain::signal::{Quality, QueryValue, SignalKind, SignalSample, SignalTable};
use crate::domain::time::{Millis, MonoTime};
use crate::policy::document::source::{UNREADABLE, unplaced};
use crate::policy::document::{FileKind, Problem, Problems};

/// The frames of a case, streamed from its table.
#[derive(Debug)]
pub struct Frames {
    reader: csv::Reader<File>,
    case: RecordedCase,
    record: ByteRecord,
    row: Row,
    last: Option<MonoTime>,
    /// A row that was read but comes after scrapes that are missing.
    ahead: Option<MonoTime>,
}

impl Frames {
    pub(super) fn open(case: &RecordedCase) -> Result<Self, Problems> {
        let fail = |problem| Problems::new(vec![problem], Vec::new());
        let mut frames = Self {
            reader: table::open(&case.path).map_err(fail)?,
            case: case.clone(),
            record: ByteRecord::new(),
            row: Row::new(),
            last: None,
            ahead: None,
        };
        // The header was checked when the case was read.
        frames.next_record().map_err(fail)?;
        Ok(frames)
    }

    fn next_record(&mut self) -> Result<bool, Problem> {
        self.reader.read_byte_record(&mut self.record).map_err(|error| self.changed(&error.to_string()))
    }

    /// The table was sound when the case was read.
    fn changed(&self, what: &str) -> Problem {
        let name = self.case.path.display().to_string();
        let message = format!("the table `{name}` changed since it was checked: {what}");
        unplaced(FileKind::Recorded, UNREADABLE, &name, message)
    }

    fn read_row(&mut self) -> Result<Option<MonoTime>, Problem> {
        if !self.next_record()? {
            return Ok(None);
        }
        self.row.clear();
        for field in &self.record {
            match table::number(field) {
                Ok(value) => self.row.push(value),
                Err(()) => return Err(self.changed("a field is no number")),
            }
        }
        let at = table::time_of(&self.case.columns, &self.row);
        match at
            .filter(|at| self.row.len() == self.case.columns.kinds.len() && self.last.is_none_or(|l| l < *at))
        {
            Some(at) => Ok(Some(at)),
            None => Err(self.changed("a row does not fit")),
        }
    }

    /// The next scrape: a row, or one that the recording lacks.
    fn step(&mut self) -> Result<Option<Frame>, Problem> {
        let at = match self.ahead.take() {
            Some(at) => at,
            None => match self.read_row()? {
                Some(at) => at,
                None => return Ok(None),
            },
        };
        let period = self.case.period;
        // More than one and a half periods since the last one: a scrape is missing.
        let due = self.last.map(|last| last + period);
        let lost = due.filter(|due| at.0 > due.0 + period.0 / 2);
        let (at, lost) = match lost {
            Some(due) => {
                self.ahead = Some(at);
                (due, true)
            }
            None => (at, false),
        };
        if at > self.case.change + self.case.watch {
            return Ok(None);
        }
        let interval = self.last.map_or(period, |last| at.since(last));
        self.last = Some(at);
        let mut frame = if lost { self.nothing() } else { self.filled() };
        frame.at = at;
        frame.interval = interval;
        self.place(&mut frame);
        Ok(Some(frame))
    }

    /// Puts the counts into the arm that served, and says how far the rollout is.
    fn place(&self, frame: &mut Frame) {
        let counted = frame.stable.take();
        if frame.at > self.case.change {
            let since_deploy = Some(frame.at.since(self.case.change));
            frame.rollout = RolloutView { since_deploy, candidate_share: 1.0 };
            frame.candidate = counted;
        } else {
            frame.stable = counted;
        }
    }

    fn nothing(&self) -> Frame {
        Frame {
            stable: self.case.columns.counts.then(ArmIncrements::default),
            queries: vec![QueryValue::Empty; self.case.columns.custom.len()],
            ..Frame::default()
        }
    }

    fn filled(&self) -> Frame {
        let value = |wanted: Column| {
            let place = self.case.columns.kinds.iter().position(|kind| *kind == wanted)?;
            self.row.get(place).copied().flatten()
        };
        let mut frame = self.nothing();
        let requests = value(Column::Throughput).map(|rps| count(rps * self.case.period.as_secs_f64()));
        let ratio = value(Column::ErrorRatio);
        if let (Some(requests), Some(ratio), true) = (requests, ratio, self.case.columns.counts) {
            let errors = count(f64::from(requests) * ratio);
            frame.stable =
                Some(ArmIncrements { quality: Quality::Fresh, requests, errors, ..Default::default() });
        }
        let samples = requests.unwrap_or(0);
        let mut signals = SignalTable::default();
        for (kind, column, scale) in [
            (SignalKind::ErrorRatio, Column::ErrorRatio, 1.0),
            (SignalKind::LatencyP99, Column::LatencyP99, 1.0),
            (SignalKind::Throughput, Column::Throughput, 1.0),
            (SignalKind::Cpu, Column::Cpu, 0.01),
            (SignalKind::Memory, Column::Memory, 0.01),
        ] {
            if let Some(value) = value(column) {
                signals.set(kind, SignalSample::fresh(value * scale, samples));
            }
        }
        frame.signals = signals;
        let custom =
            self.row.iter().zip(&self.case.columns.kinds).filter(|(_, kind)| **kind == Column::Custom);
        for (answer, (value, _)) in frame.queries.iter_mut().zip(custom) {
            *answer = value.map_or(QueryValue::Empty, QueryValue::Number);
        }
        frame
    }

    /// How long a judge watches from the change on.
    pub fn watch(&self) -> Millis {
        self.case.watch
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// A whole number of requests.
fn count(x: f64) -> u32 {
    x.round().clamp(0.0, f64::from(u32::MAX)) as u32
}
