//! A recording as a judge sees it.
//!
//! Rows that were complete at the change or before are history, and the service's counts are the stable arm;
//! later ones are the candidate's; there is no concurrent control, and there are no latency buckets. A recording that
//! keeps the arms apart ([`super::arms`]) has both, and its named signals are those of both together, row by row.
//! Requests are the rate times the sampling period, errors the error rate of those, rounded. Where the
//! recording has no such columns there is no arm at all; where they are empty in a row, the arm is missing in it.
//! A scrape that the recording lacks is shown as a frame in which everything is missing.

use csv::ByteRecord;

use super::RecordedCase;
use super::arms::{self, ArmColumn, ArmName};
use super::table::{self, Bytes, Column, Row};
use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BOUNDS_MS, LATENCY_BUCKETS, RolloutView};
use backspin_domain::signal::{Quality, QueryValue, SignalKind, SignalSample, SignalTable};
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::document::source::{UNREADABLE, unplaced};
use backspin_policy::document::{FileKind, Problem, Problems};

/// The frames of a case, streamed from its table.
pub struct Frames {
    reader: csv::Reader<Bytes>,
    case: RecordedCase,
    record: ByteRecord,
    row: Row,
    last: Option<MonoTime>,
    /// A row that was read but comes after scrapes that are missing.
    ahead: Option<MonoTime>,
    /// How busy stable and candidate were in the last frame.
    load: [Option<f64>; 2],
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames")
            .field("case", &self.case.id)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Frames {
    pub(super) fn open(case: &RecordedCase) -> Result<Self, Problems> {
        let fail = |problem| Problems::new(vec![problem], Vec::new());
        let mut frames = Self {
            reader: table::open(&case.place).map_err(fail)?,
            case: case.clone(),
            record: ByteRecord::new(),
            row: Row::new(),
            last: None,
            ahead: None,
            load: [None; 2],
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
        let name = self.case.place.name();
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
        self.load = [None; 2];
        let mut frame = if lost { self.nothing() } else { self.filled() };
        if !lost && self.case.columns.arms {
            self.fill_arms(&mut frame);
        }
        frame.at = at;
        frame.interval = interval;
        self.place(&mut frame);
        Ok(Some(frame))
    }

    /// Puts the counts into the arm that served, and says how far the rollout is.
    fn place(&self, frame: &mut Frame) {
        if self.case.columns.arms {
            if frame.at > self.case.change {
                frame.rollout.since_deploy = Some(frame.at.since(self.case.change));
            }
            return;
        }
        let counted = frame.stable.take();
        if frame.at > self.case.change {
            let since_deploy = Some(frame.at.since(self.case.change));
            let candidate_share = if self.case.columns.share { frame.rollout.candidate_share } else { 1.0 };
            frame.rollout = RolloutView { since_deploy, candidate_share };
            frame.candidate = counted;
        } else {
            frame.stable = counted;
        }
    }

    fn nothing(&self) -> Frame {
        let counted = self.case.columns.counts || self.case.columns.arms;
        Frame {
            stable: counted.then(ArmIncrements::default),
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
        frame.rollout.candidate_share = value(Column::Share).unwrap_or(0.0);
        let custom =
            self.row.iter().zip(&self.case.columns.kinds).filter(|(_, kind)| **kind == Column::Custom);
        for (answer, (value, _)) in frame.queries.iter_mut().zip(custom) {
            *answer = value.map_or(QueryValue::Empty, QueryValue::Number);
        }
        frame
    }

    /// Both arms as they were recorded, and the named signals of both together.
    fn fill_arms(&mut self, frame: &mut Frame) {
        let field = |arm: ArmName, wanted: ArmColumn| {
            let place = self.case.columns.kinds.iter().position(|kind| *kind == Column::Arm(arm, wanted))?;
            self.row.get(place).copied().flatten()
        };
        let (stable, stable_load) = arms::arm(|column| field(ArmName::Stable, column));
        let (candidate, candidate_load) = arms::arm(|column| field(ArmName::Candidate, column));
        (frame.stable, frame.candidate) = (stable, candidate);
        self.load = [stable_load, candidate_load];
        let period = self.case.period;
        frame.signals = together(frame, period);
    }

    /// How busy stable and candidate were in the last frame, where it is recorded.
    pub const fn load(&self) -> [Option<f64>; 2] {
        self.load
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

/// The named signals of a frame's arms together, over this one interval.
pub fn together(frame: &Frame, period: Millis) -> SignalTable {
    let mut signals = SignalTable::default();
    let arms =
        || [&frame.stable, &frame.candidate].into_iter().flatten().filter(|a| a.quality == Quality::Fresh);
    let requests: u32 = arms().map(|arm| arm.requests).sum();
    if arms().next().is_none() {
        return signals;
    }
    let errors: u32 = arms().map(|arm| arm.errors).sum();
    let mut set = |kind, value| signals.set(kind, SignalSample::fresh(value, requests));
    set(SignalKind::Throughput, f64::from(requests) / period.as_secs_f64());
    if requests > 0 {
        set(SignalKind::ErrorRatio, f64::from(errors) / f64::from(requests));
    }
    let mut buckets = [0_u32; LATENCY_BUCKETS];
    for arm in arms() {
        for (sum, n) in buckets.iter_mut().zip(arm.latency_buckets) {
            *sum += n;
        }
    }
    if let Some(p99) = quantile(&buckets, 0.99) {
        set(SignalKind::LatencyP99, p99);
    }
    let pods: f64 = arms().map(|arm| f64::from(arm.pods_ready)).sum();
    if pods > 0.0 {
        let mean = |of: fn(&ArmIncrements) -> f32| {
            arms().map(|arm| f64::from(of(arm)) * f64::from(arm.pods_ready)).sum::<f64>() / pods
        };
        set(SignalKind::Cpu, mean(|arm| arm.cpu_ratio));
        set(SignalKind::Memory, mean(|arm| arm.memory_ratio));
    }
    signals
}

/// A quantile from buckets, ms: linear within a bucket, as Prometheus' `histogram_quantile`; the highest bound where it
/// lies beyond. None without observations.
fn quantile(buckets: &[u32; LATENCY_BUCKETS], q: f64) -> Option<f64> {
    let total: u32 = buckets.iter().sum();
    let rank = q * f64::from(total);
    let (mut below, mut lower) = (0.0, 0.0);
    for (n, bound) in buckets.iter().zip(LATENCY_BOUNDS_MS) {
        let upto = below + f64::from(*n);
        if *n > 0 && upto >= rank {
            return Some(lower + (bound - lower) * (rank - below) / f64::from(*n));
        }
        (below, lower) = (upto, bound);
    }
    (total > 0).then_some(lower)
}
