//! What an instant selector sees of one series: its newest sample, if that is young enough.

use super::stale::is_stale_marker;

/// How far an instant selector looks back, in milliseconds: 5 minutes, left-open (Prometheus' default `--query.lookback-delta`).
pub const LOOKBACK_MS: u64 = 300_000;

/// The newest sample of one series, readable for [`LOOKBACK_MS`].
///
/// A stale marker ends the series at once; a series that just stops lives on for the look-back. A plain NaN is a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct GaugeLookback {
    newest: Option<(u64, f64)>,
}

impl GaugeLookback {
    /// A series without samples.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one sample at `t_ms`. Samples that are not newer than the newest are ignored, as Prometheus rejects them.
    pub fn push(&mut self, t_ms: u64, value: f64) {
        if self.newest.is_none_or(|(newest, _)| t_ms > newest) {
            self.newest = Some((t_ms, value));
        }
    }

    /// The value at `now_ms`, or none without a sample in `(now - 5 min, now]` or after a stale marker.
    ///
    /// `now_ms` must not be before the newest sample; older samples are not kept, so the answer there is none.
    pub fn value(&self, now_ms: u64) -> Option<f64> {
        let (t_ms, value) = self.newest?;
        let age_ms = now_ms.checked_sub(t_ms)?;
        (age_ms < LOOKBACK_MS && !is_stale_marker(value)).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stale_marker;
    use super::*;

    #[track_caller]
    fn check(samples: &[(u64, f64)], now_ms: u64, expected: Option<f64>) {
        let mut gauge = GaugeLookback::new();
        for &(t_ms, value) in samples {
            gauge.push(t_ms, value);
        }
        assert_eq!(gauge.value(now_ms), expected);
    }

    #[test]
    fn lives_until_just_before_five_minutes() {
        check(&[(1_000, 5.0)], 1_000, Some(5.0));
        check(&[(1_000, 5.0)], 300_999, Some(5.0));
        check(&[(1_000, 5.0)], 301_000, None);
        check(&[], 1_000, None);
    }

    #[test]
    fn a_stale_marker_ends_it_and_a_sample_revives_it() {
        check(&[(1_000, 5.0), (2_000, stale_marker())], 2_000, None);
        check(&[(1_000, 5.0), (2_000, stale_marker()), (3_000, 6.0)], 3_000, Some(6.0));
    }

    #[test]
    fn a_plain_nan_is_a_value() {
        let mut gauge = GaugeLookback::new();
        gauge.push(1_000, f64::NAN);
        assert!(gauge.value(1_000).is_some_and(f64::is_nan));
    }

    #[test]
    fn older_samples_are_ignored() {
        check(&[(2_000, 5.0), (1_000, 6.0), (2_000, 7.0)], 2_000, Some(5.0));
    }
}
