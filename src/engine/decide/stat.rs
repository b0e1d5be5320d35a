//! Intervals for shares and for their difference, with slack for noise that counting does not explain.

/// Two-sided 95 % of the normal law.
pub(crate) const Z: f64 = 1.96;

/// Relative noise of a share beyond binomial, as one standard deviation. Real arms wander by about a tenth of
/// their own level even when nothing is wrong; without it a large service would call every ripple a harm.
pub(crate) const OVER_DISPERSION: f64 = 0.1;

/// `hits` of `of`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    /// How many had the property; never more than `of`.
    pub(crate) hits: u64,
    /// How many there were.
    pub(crate) of: u64,
}

impl Share {
    /// The ratio, `0..=1`, if anything was counted.
    pub(crate) fn ratio(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits.min(self.of) as f64 / self.of as f64)
    }

    /// The lower 95 % bound of the ratio, `0..=1`, if anything was counted.
    pub(crate) fn lower(self) -> Option<f64> {
        Some(wilson(self.ratio()?, self.of as f64).0)
    }
}

/// An estimate between its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    /// First share less second, `-1..=1`.
    pub(crate) estimate: f64,
    /// Lower 95 % bound.
    pub(crate) lower: f64,
    /// Upper 95 % bound.
    pub(crate) upper: f64,
}

impl Difference {
    /// Difference of two independent shares, widened for over-dispersion: what is beyond it is more than noise.
    /// None when either side is empty.
    pub(crate) fn between(a: Share, b: Share) -> Option<Self> {
        Self::with_noise(a, b, OVER_DISPERSION)
    }

    /// The same by counting alone, for a comparison that brings its own margin.
    pub(crate) fn counted(a: Share, b: Share) -> Option<Self> {
        Self::with_noise(a, b, 0.0)
    }

    /// Newcombe's hybrid of Wilson intervals (Statistics in Medicine 17, 1998, method 10), with relative noise.
    fn with_noise(a: Share, b: Share, relative: f64) -> Option<Self> {
        let (p, q) = (a.ratio()?, b.ratio()?);
        let (p_low, p_high) = wilson(p, a.of as f64);
        let (q_low, q_high) = wilson(q, b.of as f64);
        let noise = square(Z * relative) * (p * p + q * q);
        let down = libm::sqrt(square(p - p_low) + square(q_high - q) + noise);
        let up = libm::sqrt(square(p_high - p) + square(q - q_low) + noise);
        let estimate = p - q;
        Some(Self { estimate, lower: (estimate - down).max(-1.0), upper: (estimate + up).min(1.0) })
    }

    /// How sure it is that the first share is the greater one, `0..=1`, by the normal law.
    pub(crate) fn confidence(self) -> f64 {
        let half = if self.estimate > 0.0 { self.estimate - self.lower } else { self.upper - self.estimate };
        let z = if half > 0.0 { self.estimate / (half / Z) } else { 0.0 };
        0.5 * (1.0 + libm::erf(z / core::f64::consts::SQRT_2))
    }
}

/// What a share may be counted as by chance, at most, in `n` when its true value is `limit`.
pub(crate) fn chance_allows(limit: f64, n: u64) -> f64 {
    wilson(limit.clamp(0.0, 1.0), n as f64).1
}

/// Wilson's score interval (JASA 22, 1927) for a share `p` counted in `n > 0`.
fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z2 = Z * Z;
    let middle = p + z2 / (2.0 * n);
    let half = Z * libm::sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n));
    let scale = 1.0 + z2 / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

fn square(x: f64) -> f64 {
    x * x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(hits: u64, of: u64) -> Share {
        Share { hits, of }
    }

    #[test]
    fn wilson_matches_the_published_example() {
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
        let (low, high) = wilson(81.0 / 263.0, 263.0);
        assert!((low - 0.2553).abs() < 1e-4 && (high - 0.3662).abs() < 1e-4, "{low} {high}");
    }

    #[test]
    fn a_difference_lies_between_its_bounds() {
        for (a, b) in [((50, 100), (1, 100)), ((0, 10), (0, 10)), ((10, 10), (0, 1_000_000))] {
            let d = Difference::between(share(a.0, a.1), share(b.0, b.1)).expect("counted");
            assert!(d.lower <= d.estimate && d.estimate <= d.upper, "{d:?}");
            assert!(d.lower >= -1.0 && d.upper <= 1.0);
        }
    }

    #[test]
    fn nothing_counted_is_no_difference() {
        assert_eq!(Difference::between(share(0, 0), share(1, 2)), None);
        assert_eq!(Difference::between(share(1, 2), share(0, 0)), None);
    }

    #[test]
    fn a_ripple_of_a_large_service_is_not_a_harm() {
        // 10 % against 11 % in two million requests: certain by counting, not beyond ordinary noise.
        let d = Difference::between(share(110_000, 1_000_000), share(100_000, 1_000_000)).expect("counted");
        assert!(d.lower < 0.0, "{d:?}");
    }

    #[test]
    fn confidence_grows_with_the_difference() {
        let sure = Difference::between(share(50, 100), share(1, 100)).expect("counted").confidence();
        let even = Difference::between(share(5, 100), share(5, 100)).expect("counted").confidence();
        assert!(sure > 0.99 && (even - 0.5).abs() < 1e-9, "{sure} {even}");
    }

    #[test]
    fn chance_allows_less_the_more_is_counted() {
        assert!(chance_allows(0.01, 100) > chance_allows(0.01, 10_000));
        assert!(chance_allows(0.01, 1_000_000) < 0.0103);
    }
}
