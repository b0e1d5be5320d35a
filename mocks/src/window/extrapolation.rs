//! From the first and last sample of a window to the growth over all of it.
//!
//! The rule is `extrapolatedRate` of Prometheus 3.5: the growth between the first and last sample of the left-open
//! window, resets added back, is extrapolated to the window's edges. An edge farther away than 1.1 mean sample spacings
//! counts as half a spacing; only then the start is capped where a straight line would reach zero (the order since 2.51).
//!
//! All but the cap depends on times alone, so series scraped together share one [`Stretch`].

/// Edges farther away than this many mean sample spacings are not extrapolated to.
const EXTRAPOLATION_THRESHOLD: f64 = 1.1;
/// Margin around the cap within which it is computed exactly; far above rounding, far below any effect.
const CAP_MARGIN: f64 = 1.0 + 1e-9;

/// One sample with what resets took before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) t_ms: i64,
    pub(super) value: f64,
    /// Sum of the finite values lost to resets before this sample.
    pub(super) resets: f64,
    /// Resets from `+Inf`, kept apart so that they leave the window again.
    pub(super) resets_from_infinity: u32,
}

impl Sample {
    /// Growth from `first` to this sample with resets added back.
    pub(super) fn growth_since(&self, first: &Self) -> f64 {
        let growth = self.value - first.value + (self.resets - first.resets);
        if self.resets_from_infinity == first.resets_from_infinity { growth } else { growth + f64::INFINITY }
    }
}

/// Times of a window and of the samples in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Left edge of the window, outside it.
    pub(crate) start_ms: i64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// Right edge, inside.
    pub(crate) now_ms: i64,
    /// At least 2, except by default.
    pub(crate) samples: usize,
}

/// How far the growth between the samples of a window is stretched to its edges.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    pub(super) place: Place,
    range_s: f64,
    sampled_s: f64,
    to_start_s: f64,
    to_end_s: f64,
    factor: f64,
    factor_per_second: f64,
}

impl Stretch {
    pub(crate) fn of(place: Place) -> Self {
        let range_s = seconds(place.now_ms - place.start_ms);
        let sampled_s = seconds(place.last_ms - place.first_ms);
        let spacing_s = sampled_s / (place.samples - 1) as f64;
        let threshold_s = spacing_s * EXTRAPOLATION_THRESHOLD;
        let to_edge_s = |gap_ms| {
            let gap_s = seconds(gap_ms);
            if gap_s >= threshold_s { spacing_s / 2.0 } else { gap_s }
        };
        let to_start_s = to_edge_s(place.first_ms - place.start_ms);
        let to_end_s = to_edge_s(place.now_ms - place.last_ms);
        let factor = (sampled_s + to_start_s + to_end_s) / sampled_s;
        Self { place, range_s, sampled_s, to_start_s, to_end_s, factor, factor_per_second: factor / range_s }
    }

    /// Growth over the whole window of a counter that was at `first` and grew by `growth` between its samples.
    pub(crate) fn increase(&self, first: f64, growth: f64) -> f64 {
        growth * self.capped_factor(first, growth).unwrap_or(self.factor)
    }

    /// [`increase`](Self::increase) per second; divides the factor by the range, not the result, as Prometheus does: the
    /// last bits agree.
    pub(crate) fn rate(&self, first: f64, growth: f64) -> f64 {
        let capped = self.capped_factor(first, growth).map(|factor| factor / self.range_s);
        growth * capped.unwrap_or(self.factor_per_second)
    }

    /// Change over the whole window of a level that changed by `change` between its samples; never capped.
    pub(crate) fn delta(&self, change: f64) -> f64 {
        change * self.factor
    }

    /// Length of the window in seconds.
    pub(crate) fn range_s(&self) -> f64 {
        self.range_s
    }

    /// The factor of a counter as Prometheus before 2.51 took it: capped at zero first, and only then compared with the
    /// spacing of samples.
    pub(crate) fn factor_before_2_51(&self, first: f64, growth: f64) -> f64 {
        let spacing_s = self.sampled_s / (self.place.samples - 1) as f64;
        let mut to_start_s = seconds(self.place.first_ms - self.place.start_ms);
        if growth > 0.0 && first >= 0.0 {
            to_start_s = to_start_s.min(self.sampled_s * (first / growth));
        }
        if to_start_s >= spacing_s * EXTRAPOLATION_THRESHOLD {
            to_start_s = spacing_s / 2.0;
        }
        (self.sampled_s + to_start_s + self.to_end_s) / self.sampled_s
    }

    /// The factor if the counter, drawn back in a straight line, was zero after the start it would be stretched to.
    fn capped_factor(&self, first: f64, growth: f64) -> Option<f64> {
        let may_cap =
            growth > 0.0 && first >= 0.0 && self.sampled_s * first <= self.to_start_s * growth * CAP_MARGIN;
        if !may_cap {
            return None;
        }
        let to_zero_s = self.sampled_s * (first / growth);
        (to_zero_s < self.to_start_s).then(|| (self.sampled_s + to_zero_s + self.to_end_s) / self.sampled_s)
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
