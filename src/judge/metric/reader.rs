//! A metric's eyes: counts over a moving window.

use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BUCKETS};
use backspin_domain::signal::{CustomSignal, Quality, QueryValue, SignalKind, SignalSample};
use backspin_domain::time::{Millis, MonoTime};

use super::{Arm, Reads};
use crate::flagger::histogram_quantile;

/// Reads one metric frame by frame. Allocates when it is built.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    what: What,
    ring: Ring,
    /// Whether requests were ever counted by arm: recordings may have none, and signals all the same.
    counted: bool,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Errors {
        of: Arm,
        success: bool,
    },
    Latency {
        of: Arm,
        quantile: f64,
    },
    Requests {
        of: Arm,
    },
    /// The place in `Frame::queries`; none if there is no such query.
    Query(Option<usize>),
}

impl Reader {
    /// A reader; `custom` are the policy's own signals in the order of `Frame::queries`.
    pub(crate) fn new(reads: &Reads, custom: &[CustomSignal]) -> Self {
        let (what, window) = match reads {
            Reads::ErrorRatio(over) => (What::Errors { of: over.of, success: false }, over.window_ms),
            Reads::SuccessRatio(over) => (What::Errors { of: over.of, success: true }, over.window_ms),
            Reads::Latency(over) => (What::Latency { of: over.of, quantile: over.quantile }, over.window_ms),
            Reads::Requests(over) => (What::Requests { of: over.of }, over.window_ms),
            Reads::Query(name) => (What::Query(custom.iter().position(|signal| signal.name == *name)), 0),
        };
        Self { what, ring: Ring::new(Millis(window), matches!(what, What::Latency { .. })), counted: false }
    }

    /// Whether the quantity is one of the candidate alone.
    pub(crate) const fn is_of_candidate(&self) -> bool {
        matches!(
            self.what,
            What::Errors { of: Arm::Candidate, .. }
                | What::Latency { of: Arm::Candidate, .. }
                | What::Requests { of: Arm::Candidate }
        )
    }

    /// The named signal that comes nearest to the quantity.
    pub(crate) const fn signal(&self) -> Option<SignalKind> {
        match self.what {
            What::Errors { .. } => Some(SignalKind::ErrorRatio),
            What::Latency { .. } => Some(SignalKind::LatencyP99),
            What::Requests { .. } => Some(SignalKind::Throughput),
            What::Query(_) => None,
        }
    }

    /// Forgets a candidate that is watched no more; what is known of the service stays.
    pub(crate) fn reset(&mut self) {
        if self.is_of_candidate() {
            self.ring.clear();
        }
    }

    /// Takes the next frame.
    pub(crate) fn push(&mut self, frame: &Frame) {
        let answered = |arm: &ArmIncrements| arm.quality == Quality::Fresh && arm.requests > 0;
        self.counted = self.counted || arms(frame, Arm::Service).into_iter().flatten().any(answered);
        match self.what {
            What::Errors { of, .. } | What::Latency { of, .. } | What::Requests { of } => {
                self.ring.push(frame.at, frame.interval, arms(frame, of));
            }
            What::Query(_) => {}
        }
    }

    /// The metric as of the frame that was taken last.
    pub(crate) fn read(&self, frame: &Frame) -> QueryValue {
        match self.what {
            What::Errors { of, success } => {
                let ratio = if let Some(sample) = self.instead(frame, SignalKind::ErrorRatio) {
                    of_sample(&sample)
                } else {
                    self.count(frame, of)
                        .unwrap_or_else(|sum| of_number(sum.errors as f64 / sum.requests as f64))
                };
                match ratio {
                    QueryValue::Number(ratio) if success => QueryValue::Number(1.0 - ratio),
                    other => other,
                }
            }
            What::Latency { of, quantile } => {
                if let Some(sample) = self.instead(frame, SignalKind::LatencyP99) {
                    return of_sample(&sample);
                }
                self.count(frame, of).unwrap_or_else(|sum| {
                    let buckets = self.ring.buckets();
                    if sum.requests > 0 && buckets.iter().all(|&n| n == 0) {
                        // Requests without buckets: response times are not recorded by arm.
                        return of_sample(&frame.signals.get(SignalKind::LatencyP99));
                    }
                    of_number(histogram_quantile(quantile, &buckets))
                })
            }
            What::Requests { of } => {
                if let Some(sample) = self.instead(frame, SignalKind::Throughput) {
                    return of_sample(&sample);
                }
                let span = self.ring.span(frame.interval).as_secs_f64();
                self.count(frame, of).unwrap_or_else(|sum| of_number(sum.requests as f64 / span))
            }
            What::Query(place) => {
                place.and_then(|place| frame.queries.get(place)).copied().unwrap_or(QueryValue::Empty)
            }
        }
    }

    /// What stands in for counts where there are none.
    fn instead(&self, frame: &Frame, kind: SignalKind) -> Option<SignalSample> {
        let bare = frame.candidate.is_none() && frame.baseline.is_none() && frame.stable.is_none();
        (bare || !self.counted).then(|| frame.signals.get(kind))
    }

    /// Counts over the window, in the place of an error; or the answer where there is nothing to count.
    fn count(&self, frame: &Frame, of: Arm) -> Result<QueryValue, Totals> {
        let failed = |arm: &ArmIncrements| arm.quality == Quality::Failed;
        let mut present = arms(frame, of).into_iter().flatten().peekable();
        if present.peek().is_some() && present.all(failed) {
            return Ok(QueryValue::Failed);
        }
        let sum = self.ring.sum();
        if sum.frames == 0 { Ok(QueryValue::Empty) } else { Err(sum) }
    }
}

/// A sample as an answer; one that is too old to be this frame's is none.
fn of_sample(sample: &SignalSample) -> QueryValue {
    match sample.quality {
        Quality::Fresh => of_number(sample.value),
        Quality::Failed => QueryValue::Failed,
        Quality::Stale | Quality::Missing => QueryValue::Empty,
    }
}

const fn of_number(value: f64) -> QueryValue {
    if value.is_nan() { QueryValue::Nan } else { QueryValue::Number(value) }
}

/// The arms whose counts make up a quantity.
fn arms(frame: &Frame, of: Arm) -> [Option<&ArmIncrements>; 3] {
    match of {
        Arm::Candidate => [frame.candidate.as_ref(), None, None],
        Arm::Control => [frame.control(), None, None],
        Arm::Service => [frame.candidate.as_ref(), frame.baseline.as_ref(), frame.stable.as_ref()],
    }
}

/// Counts since the beginning.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    /// Frames in which something was counted.
    frames: u64,
    requests: u64,
    errors: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    at: MonoTime,
    totals: Totals,
}

/// Running totals as of each frame of a window, so that its sum is one difference.
///
/// A window holds the frames later than `now - window`, and always the newest. One of more frames than it has cells moves
/// in steps of a thousandth of its length.
#[derive(Clone, Debug)]
struct Ring {
    window: Millis,
    cells: Box<[Cell]>,
    /// Empty where latency is not asked for.
    latencies: Box<[[u64; LATENCY_BUCKETS]]>,
    first: usize,
    len: usize,
    now: Cell,
    /// When counting began.
    from: Option<MonoTime>,
    latencies_now: [u64; LATENCY_BUCKETS],
    /// As of just before the window.
    before: Totals,
    latencies_before: [u64; LATENCY_BUCKETS],
}

/// Cells of a window at most.
const CELLS_MAX: u64 = 1000;

impl Ring {
    fn new(window: Millis, latencies: bool) -> Self {
        let cells = if window.0 == 0 { 0 } else { (window.0 / 1000 + 1).min(CELLS_MAX) as usize };
        Self {
            window,
            cells: vec![Cell::default(); cells].into(),
            latencies: vec![[0; LATENCY_BUCKETS]; if latencies { cells } else { 0 }].into(),
            first: 0,
            len: 0,
            now: Cell::default(),
            from: None,
            latencies_now: [0; LATENCY_BUCKETS],
            before: Totals::default(),
            latencies_before: [0; LATENCY_BUCKETS],
        }
    }

    fn clear(&mut self) {
        self.first = 0;
        self.len = 0;
        self.from = None;
        self.before = self.now.totals;
        self.latencies_before = self.latencies_now;
    }

    fn push(&mut self, at: MonoTime, interval: Millis, arms: [Option<&ArmIncrements>; 3]) {
        self.now.at = at;
        let mut counted = false;
        for arm in arms.into_iter().flatten().filter(|arm| arm.quality == Quality::Fresh) {
            counted = true;
            self.now.totals.requests += u64::from(arm.requests);
            self.now.totals.errors += u64::from(arm.errors);
            if !self.latencies.is_empty() {
                for (sum, &n) in self.latencies_now.iter_mut().zip(&arm.latency_buckets) {
                    *sum += u64::from(n);
                }
            }
        }
        self.now.totals.frames += u64::from(counted);
        if self.from.is_none() {
            self.from = Some(MonoTime(at.0.saturating_sub(interval.0)));
        }
        while self.len > 0 && at.since(self.cells[self.first].at) >= self.window {
            self.drop_first();
        }
        let step = Millis(self.window.0 / CELLS_MAX);
        let last = (self.first + self.len + self.cells.len() - 1) % self.cells.len();
        if self.len > 1 && at.since(self.cells[last].at) < step {
            // As if it had come with the frame before: the cell keeps its time, so that cells stay a step apart.
            self.cells[last].totals = self.now.totals;
            self.keep_latencies(last);
            return;
        }
        if self.len == self.cells.len() {
            self.drop_first();
        }
        let next = (self.first + self.len) % self.cells.len();
        self.cells[next] = self.now;
        self.keep_latencies(next);
        self.len += 1;
    }

    fn keep_latencies(&mut self, cell: usize) {
        if let Some(kept) = self.latencies.get_mut(cell) {
            *kept = self.latencies_now;
        }
    }

    fn drop_first(&mut self) {
        self.before = self.cells[self.first].totals;
        if let Some(latencies) = self.latencies.get(self.first) {
            self.latencies_before = *latencies;
        }
        self.first = (self.first + 1) % self.cells.len();
        self.len -= 1;
    }

    fn sum(&self) -> Totals {
        let (now, before) = (self.now.totals, self.before);
        Totals {
            frames: now.frames - before.frames,
            requests: now.requests - before.requests,
            errors: now.errors - before.errors,
        }
    }

    fn buckets(&self) -> [u64; LATENCY_BUCKETS] {
        std::array::from_fn(|i| self.latencies_now[i] - self.latencies_before[i])
    }

    /// Time that the window's counts are of: its length, or less where counting began inside it.
    fn span(&self, interval: Millis) -> Millis {
        let since = self.from.map_or(Millis(0), |from| self.now.at.since(from));
        Millis(since.0.min(self.window.0.max(interval.0)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LatencyOver, Over};
    use super::*;

    fn arm(requests: u32, errors: u32) -> ArmIncrements {
        let mut arm = ArmIncrements { quality: Quality::Fresh, requests, errors, ..ArmIncrements::default() };
        arm.latency_buckets[2] = requests;
        arm
    }

    fn frame(at_s: u64, candidate: Option<ArmIncrements>) -> Frame {
        Frame {
            at: MonoTime(at_s * 1000),
            interval: Millis::from_secs(15),
            candidate,
            stable: Some(arm(300, 3)),
            ..Frame::default()
        }
    }

    fn read(reads: &Reads, frames: &[Frame]) -> QueryValue {
        let mut reader = Reader::new(reads, &[]);
        for frame in frames {
            reader.push(frame);
        }
        reader.read(frames.last().expect("some"))
    }

    #[test]
    fn a_window_holds_the_frames_later_than_its_length_ago() {
        let frames: Vec<Frame> =
            (0..8).map(|i| frame((i + 1) * 15, Some(arm(100, u32::try_from(i).expect("small"))))).collect();
        let errors = Reads::error_ratio(Arm::Candidate, 60_000);
        assert_eq!(read(&errors, &frames), QueryValue::Number((4 + 5 + 6 + 7) as f64 / 400.0));
        let newest = Reads::error_ratio(Arm::Candidate, 1000);
        assert_eq!(read(&newest, &frames), QueryValue::Number(0.07), "the newest always");
        let control = Reads::error_ratio(Arm::Control, 60_000);
        assert_eq!(read(&control, &frames), QueryValue::Number(0.01));
        let service = Reads::ErrorRatio(Over { of: Arm::Service, window_ms: 30_000 });
        assert_eq!(read(&service, &frames), QueryValue::Number((6 + 7 + 6) as f64 / 800.0));
        let rate = Reads::Requests(Over { of: Arm::Candidate, window_ms: 60_000 });
        assert_eq!(read(&rate, &frames), QueryValue::Number(400.0 / 60.0));
        assert_eq!(read(&rate, &frames[..2]), QueryValue::Number(200.0 / 30.0), "of what there is");
    }

    #[test]
    fn nothing_is_told_from_no_number_and_from_no_answer() {
        let errors = Reads::SuccessRatio(Over::default());
        let p99 = Reads::Latency(LatencyOver::default());
        for reads in [&errors, &p99] {
            assert_eq!(read(reads, &[frame(0, None)]), QueryValue::Empty);
            assert_eq!(read(reads, &[frame(0, Some(ArmIncrements::default()))]), QueryValue::Empty);
            assert_eq!(read(reads, &[frame(0, Some(arm(0, 0)))]), QueryValue::Nan);
            let failed = ArmIncrements { quality: Quality::Failed, ..ArmIncrements::default() };
            assert_eq!(
                read(reads, &[frame(0, Some(arm(9, 0))), frame(15, Some(failed))]),
                QueryValue::Failed
            );
        }
        assert_eq!(read(&errors, &[frame(0, Some(arm(8, 2)))]), QueryValue::Number(0.75));
        assert_eq!(read(&p99, &[frame(0, Some(arm(100, 0)))]), QueryValue::Number(19.9));
    }

    #[test]
    fn frames_without_arms_are_read_from_signals() {
        let mut bare = Frame { at: MonoTime(1), ..Frame::default() };
        let reads = Reads::error_ratio(Arm::Candidate, 60_000);
        assert_eq!(read(&reads, &[bare.clone()]), QueryValue::Empty);
        bare.signals.set(SignalKind::ErrorRatio, SignalSample::fresh(0.25, 1));
        assert_eq!(read(&reads, &[bare.clone()]), QueryValue::Number(0.25));
        assert_eq!(read(&Reads::SuccessRatio(Over::default()), &[bare.clone()]), QueryValue::Number(0.75));
        bare.signals.set(SignalKind::LatencyP99, SignalSample::fresh(f64::NAN, 1));
        assert_eq!(read(&Reads::Latency(LatencyOver::default()), &[bare]), QueryValue::Nan);
    }

    #[test]
    fn queries_are_found_by_name() {
        let signal =
            |name: &str| CustomSignal { name: name.to_owned(), worse: None, threshold: None, weight: 0.0 };
        let custom = [signal("a"), signal("b")];
        let frame = Frame { queries: vec![QueryValue::Nan, QueryValue::Number(7.0)], ..Frame::default() };
        let read = |name: &str| Reader::new(&Reads::Query(name.to_owned()), &custom).read(&frame);
        assert_eq!(read("b"), QueryValue::Number(7.0));
        assert_eq!(read("a"), QueryValue::Nan);
        assert_eq!(read("c"), QueryValue::Empty);
    }

    #[test]
    fn long_windows_move_in_steps() {
        let mut reader = Reader::new(&Reads::error_ratio(Arm::Candidate, 86_400_000), &[]);
        let mut last = Frame::default();
        // Two days of frames; the second day has twice the errors.
        for i in 0..2 * 5760_u64 {
            last = frame(i * 15, Some(arm(100, if i < 5760 { 1 } else { 2 })));
            reader.push(&last);
        }
        let QueryValue::Number(ratio) = reader.read(&last) else { panic!("a number") };
        assert!((ratio - 0.02).abs() < 0.02 * 0.002, "{ratio}");
    }
}
