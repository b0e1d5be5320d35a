//! From a record to the lines of its picture.

use super::model::Limits;
use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::{Entry, PlaneKind, deployed};
use backspin_domain::event::{Decision, DecisionKind};
use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BOUNDS_MS};
use backspin_domain::signal::{Quality, SignalKind};
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{Milestone, TruthEntry};

/// Points by time, in minutes since the deploy; none where there was no data.
pub(super) type Points = Vec<(f64, Option<f64>)>;

/// A moment marked in all panels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// Minutes since the deploy.
    pub(super) at: f64,
    pub(super) word: &'static str,
}

/// Everything a picture shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    /// First and last minute shown.
    pub(super) span: (f64, f64),
    /// The record's last minute.
    pub(super) end: f64,
    /// Minutes between scrapes.
    pub(super) interval: f64,
    pub(super) candidate_errors: Points,
    pub(super) control_errors: Points,
    pub(super) error_limit: Option<f64>,
    pub(super) candidate_p99: Points,
    pub(super) control_p99: Points,
    pub(super) latency_limit: Option<f64>,
    pub(super) share_real: Points,
    pub(super) share_configured: Points,
    pub(super) score: Points,
    pub(super) score_limit: Option<f64>,
    pub(super) marks: Vec<Mark>,
    /// From a recording.
    recorded: bool,
    /// When an execution last changed its state, in minutes.
    executed: f64,
    /// Stretches without data of the candidate, in minutes.
    pub(super) gaps: Vec<(f64, f64)>,
}

/// Minutes of history that are shown before the deploy.
const BEFORE_MIN: f64 = 5.0;

/// Scrapes of history that are shown at least, for recordings with long periods.
const BEFORE_SCRAPES: f64 = 6.0;

/// Minutes that are shown after the incident is over; the rest of the watch would only squeeze it.
const AFTER_MIN: f64 = 5.0;

/// Words of the moments at which an incident is over.
const OVER: (&str, &str) = ("mitigated", "recovered");

/// Reads a record's lines. The clock starts at the deploy, or with the record if it knows none.
pub(super) fn series(entries: &[Entry], limits: Limits) -> Series {
    let deployed = deployed(entries).unwrap_or_default();
    let minute = |at: MonoTime| (at.0 as f64 - deployed.0 as f64) / 60_000.0;
    let mut s = Series { interval: 0.25, ..Series::default() };
    let mut real = false;
    s.marks.push(Mark { at: 0.0, word: "deploy" });
    let mut decided: [bool; 4] = [false; 4];
    for entry in entries {
        match entry {
            Entry::Input(_, Input::Collected { frame, .. }) => s.frame(frame, minute(frame.at)),
            Entry::Journal(at, JournalEntry::Judged { verdict, .. }) => {
                s.score.push((minute(*at), verdict.score.is_finite().then_some(verdict.score)));
                if verdict.threshold.is_finite() {
                    s.score_limit = Some(verdict.threshold);
                }
            }
            Entry::Journal(at, JournalEntry::Decided { decision, .. }) => {
                s.limits(decision);
                let seen = &mut decided[decision.kind() as usize];
                if let Some(word) = word(decision.kind())
                    && !std::mem::replace(seen, true)
                {
                    s.marks.push(Mark { at: minute(*at), word });
                }
            }
            Entry::Journal(at, JournalEntry::Status { .. }) => s.executed = minute(*at),
            Entry::Header(header) => s.recorded = header.plane == PlaneKind::Recorded,
            Entry::Truth(at, truth) => {
                real |= matches!(truth, TruthEntry::Tick(_));
                s.truth(truth, minute(*at), minute);
            }
            Entry::Input(..) | Entry::Woken(_) | Entry::Journal(..) => {}
            Entry::End(at) => s.span.1 = minute(*at),
        }
    }
    if !real {
        s.share_real = counted_share(entries, minute);
    }
    s.error_limit = s.error_limit.or(limits.error_ratio);
    s.latency_limit = s.latency_limit.or(limits.latency_p99_ms);
    s.trim();
    s
}

const fn word(kind: DecisionKind) -> Option<&'static str> {
    match kind {
        DecisionKind::Hold => None,
        DecisionKind::Pause => Some("pause"),
        DecisionKind::RollBack => Some("roll back"),
        DecisionKind::Escalate => Some("escalate"),
    }
}

impl Series {
    /// What of the truth is drawn.
    fn truth(&mut self, entry: &TruthEntry, at: f64, minute: impl Fn(MonoTime) -> f64) {
        match entry {
            TruthEntry::Known(truth) => {
                self.interval = truth.scrape.as_secs_f64() / 60.0;
                self.marks.extend(truth.onset.map(|onset| Mark { at: minute(onset), word: "onset" }));
            }
            TruthEntry::Tick(tick) => self.share_real.push((minute(tick.at), Some(tick.candidate_share))),
            TruthEntry::Reached(Milestone::Mitigated) => self.marks.push(Mark { at, word: OVER.0 }),
            TruthEntry::Reached(Milestone::Recovered) => self.marks.push(Mark { at, word: OVER.1 }),
            _ => {}
        }
    }

    fn frame(&mut self, frame: &Frame, at: f64) {
        let candidate = frame.candidate.as_ref();
        let control = frame.control();
        // A recording may have no counts and never has buckets: then what it says of the service stands for the arm
        // that served.
        let deployed = frame.rollout.since_deploy.is_some();
        let told = |kind, serves: bool| {
            if self.recorded && serves { frame.signals.get(kind).usable() } else { None }
        };
        let errors = |arm: Option<&ArmIncrements>, serves| {
            arm.and_then(ArmIncrements::error_ratio).or_else(|| told(SignalKind::ErrorRatio, serves))
        };
        let p99 = |arm: Option<&ArmIncrements>, serves| {
            arm.and_then(p99_ms).or_else(|| told(SignalKind::LatencyP99, serves))
        };
        let (candidate_errors, control_errors) = (errors(candidate, deployed), errors(control, !deployed));
        let (candidate_p99, control_p99) = (p99(candidate, deployed), p99(control, !deployed));
        self.candidate_errors.push((at, candidate_errors));
        self.control_errors.push((at, control_errors));
        self.candidate_p99.push((at, candidate_p99));
        self.control_p99.push((at, control_p99));
        let configured = frame.rollout.since_deploy.map(|_| frame.rollout.candidate_share);
        self.share_configured.push((at, configured));
        if candidate.is_some_and(|arm| arm.quality != Quality::Fresh) {
            match self.gaps.last_mut() {
                Some((_, end)) if at - *end <= 1.5 * self.interval => *end = at,
                _ => self.gaps.push((at - self.interval, at)),
            }
        }
    }

    /// What the judge held the candidate against.
    fn limits(&mut self, decision: &Decision) {
        let Decision::RollBack(event) = decision else { return };
        for factor in event.evidence.factors.iter().filter(|factor| factor.threshold.is_finite()) {
            if factor.signal == SignalKind::ErrorRatio.name() {
                self.error_limit.get_or_insert(factor.threshold);
            } else if factor.signal == SignalKind::LatencyP99.name() {
                self.latency_limit.get_or_insert(factor.threshold);
            }
        }
    }

    fn lines(&mut self) -> [&mut Points; 7] {
        [
            &mut self.candidate_errors,
            &mut self.control_errors,
            &mut self.candidate_p99,
            &mut self.control_p99,
            &mut self.share_real,
            &mut self.share_configured,
            &mut self.score,
        ]
    }

    /// Cuts off most of what comes before and after the incident, and puts marks in order.
    fn trim(&mut self) {
        let (mut first, mut last) = (f64::INFINITY, self.span.1);
        let before = BEFORE_MIN.max(BEFORE_SCRAPES * self.interval);
        for line in self.lines() {
            line.retain(|(at, _)| *at >= -before);
            first = line.first().map_or(first, |(at, _)| first.min(*at));
            last = line.last().map_or(last, |(at, _)| last.max(*at));
        }
        self.span.1 = last;
        self.span.0 = if first.is_finite() { first.min(0.0) } else { 0.0 };
        self.end = self.span.1.max(self.span.0 + 1.0);
        let over = self.marks.iter().filter(|mark| mark.word == OVER.0 || mark.word == OVER.1);
        let over = over.map(|mark| mark.at + AFTER_MIN).fold(f64::NEG_INFINITY, f64::max);
        // Nor is an execution cut that ended later.
        let over = if over.is_finite() { over.max(self.executed) } else { over };
        self.span.1 = if over.is_finite() { self.end.min(over.ceil()) } else { self.end };
        let (from, to) = self.span;
        self.gaps.retain(|(start, _)| *start >= from && *start < to);
        for line in self.lines() {
            line.retain(|(at, _)| *at <= to);
        }
        self.marks.retain(|mark| mark.at >= from && mark.at <= to);
        self.marks.sort_by(|a, b| a.at.total_cmp(&b.at));
    }
}

/// The candidate's share as counted, for records that do not know the true one.
fn counted_share(entries: &[Entry], minute: impl Fn(MonoTime) -> f64) -> Points {
    let frames = entries.iter().filter_map(|entry| match entry {
        Entry::Input(_, Input::Collected { frame, .. }) => Some(frame),
        _ => None,
    });
    let requests = |arm: Option<&ArmIncrements>| {
        arm.filter(|arm| arm.quality == Quality::Fresh).map(|arm| f64::from(arm.requests))
    };
    frames
        .map(|frame| {
            let mine = requests(frame.candidate.as_ref());
            let others = [requests(frame.stable.as_ref()), requests(frame.baseline.as_ref())];
            let all = others.iter().flatten().sum::<f64>() + mine.unwrap_or(0.0);
            let known = others.iter().any(Option::is_some) && all > 0.0;
            (minute(frame.at), mine.filter(|_| known).map(|mine| mine / all))
        })
        .collect()
}

/// 99th percentile of a scrape's response times, milliseconds, linear within its bucket. In the last bucket, which
/// has no upper bound, it is the lower one.
pub(super) fn p99_ms(arm: &ArmIncrements) -> Option<f64> {
    if arm.quality != Quality::Fresh || !arm.has_latency_buckets() {
        return None;
    }
    let all: f64 = arm.latency_buckets.iter().map(|&n| f64::from(n)).sum();
    let rank = 0.99 * all;
    let mut below = 0.0;
    for (k, &n) in arm.latency_buckets.iter().enumerate() {
        let n = f64::from(n);
        if n > 0.0 && below + n >= rank {
            let lower = if k == 0 { 0.0 } else { LATENCY_BOUNDS_MS[k - 1] };
            let upper = LATENCY_BOUNDS_MS.get(k).copied().unwrap_or(lower);
            return Some(lower + (upper - lower) * (rank - below) / n);
        }
        below += n;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_record::sample::Sample;

    fn arm(buckets: &[(usize, u32)]) -> ArmIncrements {
        let mut arm = ArmIncrements { quality: Quality::Fresh, ..ArmIncrements::default() };
        for &(k, n) in buckets {
            arm.latency_buckets[k] = n;
        }
        arm
    }

    #[test]
    fn the_percentile_is_linear_within_its_bucket() {
        assert_eq!(p99_ms(&arm(&[(0, 100)])), Some(4.95));
        assert_eq!(p99_ms(&arm(&[(0, 98), (1, 2)])), Some(7.5));
        assert_eq!(p99_ms(&arm(&[(0, 50), (23, 50)])), Some(10_000.0));
        assert_eq!(p99_ms(&arm(&[])), None);
        let stale = ArmIncrements { quality: Quality::Stale, ..arm(&[(0, 100)]) };
        assert_eq!(p99_ms(&stale), None);
    }

    #[test]
    fn marks_come_in_order_of_time() {
        let s = series(&Sample::default().entries(), Limits::default());
        let words: Vec<_> = s.marks.iter().map(|m| (m.at, m.word)).collect();
        assert_eq!(
            words,
            [
                (0.0, "deploy"),
                (12.0, "onset"),
                (12.75, "roll back"),
                (14.0, "mitigated"),
                (17.0, "recovered")
            ]
        );
        assert_eq!((s.span, s.end), ((-5.0, 22.0), 60.0));
        assert_eq!(s.error_limit, Some(0.05));
    }

    #[test]
    fn limits_of_the_policy_stand_in_where_evidence_names_none() {
        let limits = Limits { error_ratio: Some(0.02), latency_p99_ms: Some(500.0) };
        let held = Sample { decided: None, ..Sample::default() };
        let s = series(&held.entries(), limits);
        assert_eq!((s.error_limit, s.latency_limit), (Some(0.02), Some(500.0)));
        let s = series(&Sample::default().entries(), limits);
        assert_eq!((s.error_limit, s.latency_limit), (Some(0.05), Some(2000.0)), "evidence comes first");
    }

    #[test]
    fn lost_scrapes_are_gaps_and_not_zeros() {
        let s =
            series(&Sample { gap: 20..28, decided: None, ..Sample::default() }.entries(), Limits::default());
        assert_eq!(s.gaps, [(4.75, 6.75)]);
        let lost = s.candidate_errors.iter().filter(|(at, value)| *at > 0.1 && value.is_none()).count();
        assert_eq!(lost, 8);
    }

    #[test]
    fn a_recording_without_buckets_has_no_percentiles() {
        let sample = Sample { plane: PlaneKind::Recorded, latency_recorded: false, ..Sample::default() };
        let s = series(&sample.entries(), Limits::default());
        assert!(s.candidate_p99.iter().all(|(_, value)| value.is_none()));
        assert!(series(&[], Limits::default()).score.is_empty());
    }
}
