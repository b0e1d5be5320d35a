//! Functions of the samples in a window.

use super::Edition;
use super::error::EvalError;
use super::function::OverTime;
use super::grid::{Grid, Moments, Row, absent};
use super::machine::{Machine, filled, nameless};
use super::notes::Note;
use super::plan::{Node, Window};
use super::selection::Tape;
use crate::store::Labels;
use crate::window::{
    Mean, Place, Stretch, Sum, is_stale_marker, least, most, quantile_of_values, regression, variance_of,
};

/// Names that the text format gives counters.
const COUNTER_SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// The samples of one window; may be empty.
struct Frame<'a> {
    /// Number of the first among those of the series.
    begin: usize,
    times_ms: &'a [i64],
    values: &'a [f64],
    start_ms: i64,
    end_ms: i64,
    step: usize,
}

impl Machine<'_> {
    pub(super) fn over_time(
        &mut self,
        function: OverTime,
        window: &Window,
        param: Option<&Node>,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let params = param.map(|param| self.scalar(param, grid)).transpose()?;
        let (tapes, moments) = self.tapes(window, grid)?;
        if let (OverTime::Quantile, Some(params), Some(param)) = (function, &params, param)
            && !tapes.is_empty()
        {
            for &phi in params.iter().filter(|phi| !(0.0..=1.0).contains(*phi)) {
                self.note(Note::InvalidQuantile(phi), param.offset);
            }
        }
        let mut rows = Vec::with_capacity(tapes.len());
        let mut held = 0;
        for tape in tapes {
            self.check_room(rows.len() + 1, grid)?;
            self.charge(grid.steps as u64)?;
            let walked = over_tape(
                function,
                &tape,
                (window.range_ms, self.options.edition),
                params.as_deref(),
                &moments,
            );
            self.read(walked.seen)?;
            let Walked { values, largest, .. } = walked;
            held += values.iter().filter(|&&value| !is_stale_marker(value)).count() as u64;
            self.held(held + largest)?;
            let row = Row { labels: tape.labels, values };
            if row.is_empty() {
                continue;
            }
            if matches!(function, OverTime::Rate | OverTime::Increase) {
                let name = row.labels.name();
                if !name.is_empty() && !COUNTER_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
                    self.note(Note::NotACounter { name }, window.offset);
                }
            }
            rows.push(if function == OverTime::Last { row } else { nameless(row) });
        }
        distinct(rows)
    }

    pub(super) fn absent_over_time(
        &mut self,
        window: &Window,
        labels: &Labels,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let (tapes, moments) = self.tapes(window, grid)?;
        self.reserve(1, grid)?;
        let mut values = vec![1.0; grid.steps];
        for tape in tapes {
            let present =
                over_tape(OverTime::Present, &tape, (window.range_ms, self.options.edition), None, &moments);
            self.read(present.seen)?;
            for (slot, _) in values.iter_mut().zip(present.values).filter(|(_, value)| *value == 1.0) {
                *slot = absent();
            }
        }
        Ok(filled(vec![Row { labels: labels.clone(), values }]))
    }
}

/// Refuses rows with equal labels, at whatever step they have values.
pub(super) fn distinct(rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    let mut known: Vec<&Labels> = rows.iter().map(|row| &row.labels).collect();
    known.sort_unstable();
    if known.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(EvalError::same_labels());
    }
    Ok(rows)
}

/// What came of all windows over one series.
struct Walked {
    values: Vec<f64>,
    /// Samples of all windows.
    seen: u64,
    /// Samples of the largest window.
    largest: u64,
}

/// The function at each step.
fn over_tape(
    function: OverTime,
    tape: &Tape<'_>,
    (range_ms, edition): (i64, Edition),
    params: Option<&[f64]>,
    moments: &Moments,
) -> Walked {
    let param = |frame: &Frame<'_>| params.map_or(f64::NAN, |params| params[frame.step]);
    let mut scratch = Vec::new();
    let walk = Walk { tape, range_ms, slack_ms: edition.slack_ms(), moments };
    match function {
        OverTime::Rate => {
            let resets = Resets::of(&tape.values);
            walk.frames(2, |frame| {
                let (stretch, first, growth) = (stretch(frame), frame.values[0], resets.growth(frame));
                match edition {
                    Edition::V3 => stretch.rate(first, growth),
                    Edition::V2 => growth * (stretch.factor_before_2_51(first, growth) / stretch.range_s()),
                }
            })
        }
        OverTime::Increase => {
            let resets = Resets::of(&tape.values);
            walk.frames(2, |frame| {
                let (stretch, first, growth) = (stretch(frame), frame.values[0], resets.growth(frame));
                match edition {
                    Edition::V3 => stretch.increase(first, growth),
                    Edition::V2 => growth * stretch.factor_before_2_51(first, growth),
                }
            })
        }
        OverTime::Delta => walk.frames(2, |frame| stretch(frame).delta(change(frame.values))),
        OverTime::Irate => walk.frames(2, |frame| {
            let last = frame.values.len() - 1;
            let (before, value) = (frame.values[last - 1], frame.values[last]);
            let growth = if value < before { value } else { value - before };
            growth / ((frame.times_ms[last] - frame.times_ms[last - 1]) as f64 / 1000.0)
        }),
        OverTime::Idelta => walk
            .frames(2, |frame| frame.values[frame.values.len() - 1] - frame.values[frame.values.len() - 2]),
        OverTime::Deriv => {
            walk.frames(2, |frame| regression(frame.times_ms, frame.values, frame.times_ms[0]).0)
        }
        OverTime::PredictLinear => walk.frames(2, |frame| {
            let (slope, value) = regression(frame.times_ms, frame.values, moments.grid.at(frame.step));
            slope * param(frame) + value
        }),
        OverTime::Changes => walk.frames(1, |frame| {
            let differ = |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
            frame.values.windows(2).filter(differ).count() as f64
        }),
        OverTime::Resets => {
            walk.frames(1, |frame| frame.values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64)
        }
        OverTime::Avg => walk.frames(1, |frame| {
            let mut mean = Mean::of(frame.values[0]);
            frame.values[1..].iter().for_each(|&value| mean.add(value));
            mean.mean()
        }),
        OverTime::Min => walk.frames(1, |frame| frame.values.iter().copied().fold(frame.values[0], least)),
        OverTime::Max => walk.frames(1, |frame| frame.values.iter().copied().fold(frame.values[0], most)),
        OverTime::Sum => walk.frames(1, |frame| {
            let mut sum = Sum::default();
            frame.values.iter().for_each(|&value| sum.add(value));
            sum.total()
        }),
        OverTime::Count => walk.frames(1, |frame| frame.values.len() as f64),
        OverTime::Stdvar => walk.frames(1, |frame| variance_of(frame.values)),
        OverTime::Stddev => walk.frames(1, |frame| variance_of(frame.values).sqrt()),
        OverTime::Last => walk.frames(1, |frame| frame.values[frame.values.len() - 1]),
        OverTime::Present => walk.frames(1, |_| 1.0),
        OverTime::Quantile => walk.frames(1, |frame| {
            scratch.clear();
            scratch.extend_from_slice(frame.values);
            quantile_of_values(param(frame), &mut scratch)
        }),
    }
}

fn change(values: &[f64]) -> f64 {
    values[values.len() - 1] - values[0]
}

/// How the growth in a window is stretched to its edges.
fn stretch(frame: &Frame<'_>) -> Stretch {
    let samples = frame.times_ms.len();
    Stretch::of(Place {
        start_ms: frame.start_ms,
        first_ms: frame.times_ms[0],
        last_ms: frame.times_ms[samples - 1],
        now_ms: frame.end_ms,
        samples,
    })
}

/// Where a counter fell.
struct Resets<'a> {
    values: &'a [f64],
    /// Numbers of the samples that are below the one before, rising.
    at: Vec<usize>,
}

impl<'a> Resets<'a> {
    fn of(values: &'a [f64]) -> Self {
        let falls = values.windows(2).enumerate().filter(|(_, pair)| pair[1] < pair[0]);
        Self { values, at: falls.map(|(index, _)| index + 1).collect() }
    }

    /// Growth between the first and last sample of a window, with what resets took added back in their order.
    fn growth(&self, frame: &Frame<'_>) -> f64 {
        let growth = change(frame.values);
        if self.at.is_empty() {
            return growth;
        }
        let within = frame.begin + 1..frame.begin + frame.values.len();
        let first = self.at.partition_point(|&index| index < within.start);
        let lost = self.at[first..].iter().take_while(|&&index| index < within.end);
        lost.fold(growth, |growth, &index| growth + self.values[index - 1])
    }
}

/// The windows of all steps over one series.
struct Walk<'a> {
    tape: &'a Tape<'a>,
    range_ms: i64,
    slack_ms: i64,
    moments: &'a Moments,
}

impl Walk<'_> {
    /// The value of each window with at least `samples_min` samples.
    fn frames(&self, samples_min: usize, mut value: impl FnMut(&Frame<'_>) -> f64) -> Walked {
        let (times_ms, values) = (&self.tape.times_ms[..], &self.tape.values[..]);
        let steps = self.moments.grid.steps;
        let (mut begin, mut end) = (0, 0);
        let (mut seen, mut largest) = (0, 0);
        let mut found = Vec::with_capacity(steps);
        for step in 0..steps {
            let end_ms = self.moments.at(step);
            let start_ms = end_ms.saturating_sub(self.range_ms);
            while end < times_ms.len() && times_ms[end] <= end_ms {
                end += 1;
            }
            while begin < end && times_ms[begin] <= start_ms.saturating_sub(self.slack_ms) {
                begin += 1;
            }
            seen += (end - begin) as u64;
            largest = largest.max((end - begin) as u64);
            found.push(if end - begin < samples_min {
                absent()
            } else {
                value(&Frame {
                    begin,
                    times_ms: &times_ms[begin..end],
                    values: &values[begin..end],
                    start_ms,
                    end_ms,
                    step,
                })
            });
        }
        Walked { values: found, seen, largest }
    }
}
