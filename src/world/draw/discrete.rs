//! Counts: Poisson, binomial, negative binomial, multinomial.

use rand_core::Rng;

use super::Draw;

impl Draw {
    /// Poisson with this mean; a mean that is not positive gives zero. Small means by inversion, others by
    /// transformed rejection (PTRS: Hoermann, Insurance: Mathematics and Economics 12 (1993) 39).
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 || mean.is_nan() {
            0
        } else if mean < INVERSION_BELOW {
            self.poisson_by_inversion(mean)
        } else {
            self.poisson_by_rejection(mean)
        }
    }

    fn poisson_by_inversion(&mut self, mean: f64) -> u64 {
        let mut u = self.uniform();
        // The probability of zero is at least this, which spares rare events the exponential.
        if u <= 1.0 - mean {
            return 0;
        }
        let mut p = libm::exp(-mean);
        let mut k = 0;
        // Past this count the remaining probability is below the uniform's resolution.
        while u > p && k < 110 {
            u -= p;
            k += 1;
            p *= mean / k as f64;
        }
        k
    }

    fn poisson_by_rejection(&mut self, mean: f64) -> u64 {
        let root = libm::sqrt(mean);
        let b = 0.931 + 2.53 * root;
        let a = -0.059 + 0.024_83 * b;
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.uniform() - 0.5;
            let v = self.open_uniform();
            let us = 0.5 - u.abs();
            let k = libm::floor((2.0 * a / us + b) * u + mean + 0.43);
            if us >= 0.07 && v <= v_r {
                return k as u64;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
            let left = libm::log(v * inverse_alpha / (a / (us * us) + b));
            if left <= -mean + k * libm::log(mean) - libm::lgamma(k + 1.0) {
                return k as u64;
            }
        }
    }

    /// Successes in `n` trials of probability `p`, which is taken into `0..=1`. Small means by inversion
    /// (Kachitvichyanukul and Schmeiser, Comm. ACM 31 (1988) 216), others by transformed rejection (BTRS:
    /// Hoermann, J. Statist. Comput. Simul. 46 (1993) 101).
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if n == 0 || p <= 0.0 || p.is_nan() {
            0
        } else if p >= 1.0 {
            n
        } else if p > 0.5 {
            n - self.binomial_of_rarer(n, 1.0 - p)
        } else {
            self.binomial_of_rarer(n, p)
        }
    }

    fn binomial_of_rarer(&mut self, n: u64, p: f64) -> u64 {
        if n as f64 * p < INVERSION_BELOW {
            self.binomial_by_inversion(n, p)
        } else {
            self.binomial_by_rejection(n, p)
        }
    }

    fn binomial_by_inversion(&mut self, n: u64, p: f64) -> u64 {
        let mut u = self.uniform();
        // The probability of zero is at least this (Bernoulli's inequality), which spares rare events the
        // exponential.
        if u <= 1.0 - n as f64 * p {
            return 0;
        }
        let odds = p / (1.0 - p);
        let scale = (n + 1) as f64 * odds;
        let mut probability = none_of(n, p);
        let mut k = 0;
        while u > probability && k < n.min(110) {
            u -= probability;
            k += 1;
            probability *= scale / k as f64 - odds;
        }
        k
    }

    fn binomial_by_rejection(&mut self, n: u64, p: f64) -> u64 {
        let trials = n as f64;
        let q = 1.0 - p;
        let sd = libm::sqrt(trials * p * q);
        let b = 1.15 + 2.53 * sd;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let centre = trials * p + 0.5;
        let v_r = 0.92 - 4.2 / b;
        loop {
            let u = self.uniform() - 0.5;
            let v = self.open_uniform();
            let us = 0.5 - u.abs();
            let k = libm::floor((2.0 * a / us + b) * u + centre);
            if k < 0.0 || k > trials {
                continue;
            }
            if us >= 0.07 && v <= v_r {
                return k as u64;
            }
            let alpha = (2.83 + 5.1 / b) * sd;
            let odds = p / q;
            let mode = libm::floor((trials + 1.0) * p);
            let left = libm::log(v * alpha / (a / (us * us) + b));
            let right = (mode + 0.5) * libm::log((mode + 1.0) / (odds * (trials - mode + 1.0)))
                + (trials + 1.0) * libm::log((trials - mode + 1.0) / (trials - k + 1.0))
                + (k + 0.5) * libm::log(odds * (trials - k + 1.0) / (k + 1.0))
                + stirling_tail(mode)
                + stirling_tail(trials - mode)
                - stirling_tail(k)
                - stirling_tail(trials - k);
            if left <= right {
                return k as u64;
            }
        }
    }

    /// About what [`Draw::binomial`] gives, for splitting a whole whose sum is exact anyway: from a variance of 9 on the normal
    /// quantile, corrected for skewness (Cornish and Fisher, Revue de l'Institut International de Statistique 5 (1938) 307).
    /// Mean and variance are kept to a hundredth of the standard deviation. One uniform and monotone in it, and several times as quick.
    pub(crate) fn binomial_part(&mut self, n: u64, p: f64) -> u64 {
        let trials = n as f64;
        let variance = trials * p * (1.0 - p);
        if variance.is_nan() || variance < NORMAL_FROM {
            return self.binomial(n, p);
        }
        let z = self.normal();
        let skewed = libm::sqrt(variance) * z + (1.0 - 2.0 * p) * (z * z - 1.0) / 6.0;
        ((trials * p + skewed + 0.5).max(0.0) as u64).min(n)
    }

    /// Gives `n` picks of one of `among`, each as likely (Lemire, ACM TOMACS 29 (2019) 3, without its rejection: a pick is
    /// off its probability by `among / 2^32` of it at most).
    #[inline]
    pub(crate) fn pick(&mut self, n: u64, among: u32, mut picked: impl FnMut(usize)) {
        let of = |bits: u64| ((bits * u64::from(among)) >> 32) as usize;
        for _ in 0..n / 2 {
            let bits = self.0.next_u64();
            picked(of(bits >> 32));
            picked(of(bits & u64::from(u32::MAX)));
        }
        if n % 2 == 1 {
            picked(of(self.0.next_u64() >> 32));
        }
    }

    /// Negative binomial with this mean and variance `mean + mean^2 / k`: a Poisson count of gamma mean.
    #[cfg_attr(not(test), expect(dead_code, reason = "demand is over-dispersed by its own noise already"))]
    pub(crate) fn negative_binomial(&mut self, mean: f64, k: f64) -> u64 {
        let mean = self.gamma(k, mean / k);
        self.poisson(mean)
    }

    /// Adds `n` draws from `probabilities` to `counts`, by conditional binomials. Probabilities need not sum
    /// exactly to one: the last cell that has any takes what remains.
    pub(crate) fn multinomial(&mut self, n: u64, probabilities: &[f64], counts: &mut [u64]) {
        let mut left = n;
        let mut mass: f64 = probabilities.iter().sum();
        let last = probabilities.iter().rposition(|&p| p > 0.0).unwrap_or(0);
        for (i, (&p, count)) in probabilities.iter().zip(counts.iter_mut()).enumerate() {
            if left == 0 {
                return;
            }
            let here = if i == last { left } else { self.binomial(left, p / mass) };
            *count += here;
            left -= here;
            mass -= p;
        }
    }
}

/// What Stirling's formula lacks of `ln k!`: from a table below 10, then by its series (Hoermann 1993).
fn stirling_tail(k: f64) -> f64 {
    if let Some(&tail) = STIRLING_TAILS.get(k as usize) {
        return tail;
    }
    let next = k + 1.0;
    let square = next * next;
    (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / next
}

/// `ln k! - (ln sqrt(2 pi) + (k + 1/2) ln(k + 1) - (k + 1))`.
const STIRLING_TAILS: [f64; 10] = [
    0.081_061_466_795_327_8,
    0.041_340_695_955_409_3,
    0.027_677_925_684_998_3,
    0.020_790_672_103_765_1,
    0.016_644_691_189_821_2,
    0.013_876_128_823_070_8,
    0.011_896_709_945_891_8,
    0.010_411_265_261_972_1,
    0.009_255_462_182_712_73,
    0.008_330_563_433_362_87,
];

/// Least variance for which a binomial is taken for a normal.
const NORMAL_FROM: f64 = 9.0;

/// Both rejection algorithms are proven from a mean of 10 on.
const INVERSION_BELOW: f64 = 10.0;

/// Probability of no success in `n` trials, `(1 - p)^n`: by squaring where that is quicker than a logarithm and an exponential, and off
/// by a few last digits at most.
fn none_of(n: u64, p: f64) -> f64 {
    if n >= SQUARED_BELOW {
        return libm::exp(n as f64 * libm::log1p(-p));
    }
    let (mut result, mut square, mut left) = (1.0, 1.0 - p, n);
    while left > 0 {
        if left & 1 == 1 {
            result *= square;
        }
        square *= square;
        left >>= 1;
    }
    result
}

/// Powers below this take at most 12 squarings; above it their last digits would be lost.
const SQUARED_BELOW: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::seed::Seed;

    fn draw(name: &str) -> Draw {
        Draw::at(Seed(7).stream(name), 0)
    }

    /// Pearson's chi-square of draws against their law, cells with fewer than 20 expected left out.
    #[track_caller]
    fn check_law(name: &str, mut sample: impl FnMut(&mut Draw) -> u64, ln_law: impl Fn(f64) -> f64) {
        const CELLS: usize = 400;
        let n = 100_000;
        let mut seen = [0_u32; CELLS];
        let mut draw = draw(name);
        for _ in 0..n {
            let k = sample(&mut draw) as usize;
            if k < CELLS {
                seen[k] += 1;
            }
        }
        let (mut chi2, mut cells) = (0.0, 0.0);
        for (k, &seen) in seen.iter().enumerate() {
            let expected = f64::from(n) * libm::exp(ln_law(k as f64));
            if expected >= 20.0 {
                chi2 += (f64::from(seen) - expected) * (f64::from(seen) - expected) / expected;
                cells += 1.0;
            }
        }
        let z = (chi2 - cells) / libm::sqrt(2.0 * cells);
        assert!(z.abs() < 4.0, "{name}: chi-square {chi2} over {cells} cells");
    }

    #[test]
    fn poisson_draws_follow_their_law() {
        for mean in [0.3, 4.0, 9.99, 10.0, 25.0, 180.0] {
            let law = |k: f64| k * libm::log(mean) - mean - libm::lgamma(k + 1.0);
            check_law("poisson", |d| d.poisson(mean), law);
        }
    }

    #[test]
    fn binomial_draws_follow_their_law() {
        for (n, p) in [(12_u32, 0.4_f64), (500, 0.01), (500, 0.03), (300, 0.5), (200, 0.9), (90_000, 0.002)] {
            let trials = f64::from(n);
            let law = |k: f64| {
                if k > trials {
                    return f64::NEG_INFINITY;
                }
                libm::lgamma(trials + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(trials - k + 1.0)
                    + k * libm::log(p)
                    + (trials - k) * libm::log1p(-p)
            };
            check_law("binomial", |d| d.binomial(u64::from(n), p), law);
        }
    }

    #[test]
    fn parts_have_the_moments_of_binomials() {
        for (n, p) in [(90_u64, 0.125), (60, 0.5), (4000, 0.01), (900, 0.95), (100_000, 0.3), (7, 0.2)] {
            let (mean, variance) = (n as f64 * p, n as f64 * p * (1.0 - p));
            let sd = libm::sqrt(variance);
            let mut d = draw("part");
            let z: Vec<f64> = (0..100_000).map(|_| (d.binomial_part(n, p) as f64 - mean) / sd).collect();
            let moment = |power| {
                z.iter().map(|&z| std::iter::repeat_n(z, power).product::<f64>()).sum::<f64>()
                    / z.len() as f64
            };
            assert!(moment(1).abs() < 0.013, "{n} {p}: mean off by {} sd", moment(1));
            assert!((moment(2) - 1.0).abs() < 0.03, "{n} {p}: variance {}", moment(2));
            let skewness = (1.0 - 2.0 * p) / sd;
            assert!((moment(3) - skewness).abs() < 0.05, "{n} {p}: skewness {} of {skewness}", moment(3));
        }
    }

    #[test]
    fn picks_are_equally_likely_and_as_many_as_asked_for() {
        for n in [0_u64, 1, 30_001] {
            let mut counts = [0_u64; 3];
            draw("pick").pick(n, 3, |pick| counts[pick] += 1);
            assert_eq!(counts.iter().sum::<u64>(), n);
            let expected = n as f64 / 3.0;
            assert!(counts.iter().all(|&c| (c as f64 - expected).abs() <= 1.0 + 4.0 * libm::sqrt(expected)));
        }
    }

    #[test]
    fn stirlings_formula_is_completed() {
        for k in 0..40 {
            let k = f64::from(k);
            let formula = 0.5 * libm::log(std::f64::consts::TAU) + (k + 0.5) * libm::log(k + 1.0) - (k + 1.0);
            assert!((libm::lgamma(k + 1.0) - formula - stirling_tail(k)).abs() < 1e-9, "{k}");
        }
    }

    #[test]
    fn limits_are_exact() {
        let mut d = draw("limits");
        assert_eq!((d.binomial(0, 0.5), d.binomial(9, 0.0), d.binomial(9, 1.0)), (0, 0, 9));
        assert_eq!((d.poisson(0.0), d.poisson(-1.0), d.poisson(f64::NAN)), (0, 0, 0));
    }

    #[test]
    fn a_multinomial_loses_nothing_and_keeps_its_means() {
        let p = [0.5, 0.0, 0.2, 0.3, 0.0];
        let mut counts = [0; 5];
        let mut d = draw("multinomial");
        for _ in 0..100 {
            d.multinomial(1000, &p, &mut counts);
        }
        assert_eq!(counts.iter().sum::<u64>(), 100_000);
        assert_eq!((counts[1], counts[4]), (0, 0));
        for (count, p) in counts.iter().zip(p) {
            let sd = (100_000.0 * p * (1.0 - p)).sqrt();
            assert!((*count as f64 - 100_000.0 * p).abs() <= 4.0 * sd, "{counts:?}");
        }
    }
}
