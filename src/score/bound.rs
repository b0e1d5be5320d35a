//! D*, the shortest mean detection delay that the information in the signals allows.
//!
//! With I the information per scrape, KL(post‖pre), I0 its reverse, and a budget of false alarms of `ALPHA` per
//! watch of H scrapes, γ = H / −ln(1 − α): h solves eʰ − h − 1 = γ·I0, and D* = max(1, (e⁻ʰ + h − 1) / I). This is
//! the exact Lorden-optimal delay for a Brownian log-likelihood (Shiryaev 1996; Beibel 1996; Moustakides 2004).
//! Where I changes with time, D* is the smallest k whose first k scrapes carry e⁻ʰ + h − 1 nats, h from the
//! running mean of I0. It is a benchmark of a mean, not a law for each run: single runs can be faster.

/// False alarms allowed per watched deploy.
pub const ALPHA: f64 = 0.01;

/// Nats that even a judge that knows the onset needs for α = β = 0.01 (Wald 1945; data processing):
/// (1−β)·ln((1−β)/α) + β·ln(β/(1−α)) = 4.50.
pub const KNOWN_ONSET_NATS: f64 = 4.503_217_453_131_898;

/// Mean number of scrapes to a false alarm that the budget allows, for a watch of this many scrapes.
pub fn gamma(scrapes: u64) -> f64 {
    scrapes as f64 / -libm::log1p(-ALPHA)
}

/// The positive root of eʰ − h − 1 = `y`; zero for `y` that is not positive.
fn threshold(y: f64) -> f64 {
    if y.is_nan() || y <= 0.0 {
        return 0.0;
    }
    // Both start points lie above the root, from where Newton's steps on this convex function only descend.
    let mut h = libm::sqrt(2.0 * y).min(libm::log1p(y) + 1.0);
    for _ in 0..NEWTON_STEPS_MAX {
        let next = h - (libm::expm1(h) - h - y) / libm::expm1(h);
        if next.is_nan() || next >= h {
            break;
        }
        h = next;
    }
    h
}

/// Steps halve the error at worst while far away, and double the digits once near: 8 are common.
const NEWTON_STEPS_MAX: u32 = 64;

/// Nats needed for an alarm at reverse information `reverse` per scrape.
fn needed(reverse: f64, gamma: f64) -> f64 {
    let h = threshold(gamma * reverse);
    libm::expm1(-h) + h
}

/// D* in scrapes where both divergences are constant, not rounded up to whole scrapes.
pub fn constant_bound(information: f64, reverse: f64, gamma: f64) -> f64 {
    (needed(reverse, gamma) / information).max(1.0)
}

/// Gathers the information of scrapes from the onset on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundSum {
    gamma: f64,
    scrapes: u64,
    sum: f64,
    reverse: f64,
    bound: Option<u64>,
    floor: Option<u64>,
}

impl BoundSum {
    /// For a watch of this many scrapes.
    pub fn new(scrapes_in_watch: u64) -> Self {
        Self { gamma: gamma(scrapes_in_watch), scrapes: 0, sum: 0.0, reverse: 0.0, bound: None, floor: None }
    }

    /// Adds the next scrape: KL(post‖pre) and KL(pre‖post), nats.
    pub fn push(&mut self, information: f64, reverse: f64) {
        self.scrapes += 1;
        self.sum += information.max(0.0);
        self.reverse += reverse.max(0.0);
        if self.floor.is_none() && self.sum >= KNOWN_ONSET_NATS {
            self.floor = Some(self.scrapes);
        }
        if self.bound.is_none() && self.sum > 0.0 {
            let mean = self.reverse / self.scrapes as f64;
            if self.sum >= needed(mean, self.gamma) {
                self.bound = Some(self.scrapes);
            }
        }
    }

    /// D* in whole scrapes, at least 1; none while the information so far does not suffice.
    pub const fn scrapes(&self) -> Option<u64> {
        self.bound
    }

    /// The floor for a judge that knows the onset, in whole scrapes.
    pub const fn floor_scrapes(&self) -> Option<u64> {
        self.floor
    }

    /// All information so far, nats.
    pub const fn nats(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kl(a: f64, b: f64) -> f64 {
        a * libm::log(a / b) + (1.0 - a) * libm::log((1.0 - a) / (1.0 - b))
    }

    /// Rows of the Monte-Carlo table that checked the definition (H = 360): the oracle CUSUM reached 0.95–1.07
    /// of these in 4,000 changed runs each.
    #[track_caller]
    fn check(information: f64, reverse: f64, expected: f64, digits: f64) {
        let bound = constant_bound(information, reverse, gamma(360));
        assert!((bound - expected).abs() <= digits, "{bound} is not {expected}");
        // Summed scrape by scrape it is the same, rounded up.
        let mut sum = BoundSum::new(360);
        while sum.scrapes().is_none() {
            sum.push(information, reverse);
        }
        assert_eq!(sum.scrapes(), Some(bound.ceil() as u64));
    }

    #[test]
    fn bernoulli_errors_with_a_known_past() {
        for (n, p0, p1, expected) in [
            (2.0, 0.002, 0.05, 30.8),
            (20.0, 0.002, 0.01, 44.0),
            (200.0, 0.002, 0.006, 16.3),
            (200.0, 0.002, 0.01, 5.8),
            (2000.0, 0.002, 0.003, 19.6),
            (2000.0, 0.002, 0.004, 6.3),
            (50_000.0, 0.002, 0.0022, 18.0),
            (200.0, 0.01, 0.5, 1.0),
        ] {
            check(n * kl(p1, p0), n * kl(p0, p1), expected, 0.051);
        }
    }

    #[test]
    fn lognormal_latency_shifts() {
        for (n, ratio, expected) in [(2.0, 1.15, 121.0), (20.0, 1.15, 16.4), (200.0, 1.05, 13.7)] {
            let d: f64 = libm::log(ratio);
            let information = n * d * d / (2.0 * 0.6 * 0.6);
            check(information, information, expected, if expected > 100.0 { 0.51 } else { 0.051 });
        }
    }

    #[test]
    fn poisson_complaints() {
        for (l0, l1, expected) in [(0.03, 0.14, 63.8), (0.005, 0.14, 22.2), (0.14, 0.28, 117.0)] {
            let information = l1 * libm::log(l1 / l0) - (l1 - l0);
            let reverse = (l1 - l0) - l0 * libm::log(l1 / l0);
            check(information, reverse, expected, if expected > 100.0 { 0.51 } else { 0.051 });
        }
    }

    #[test]
    fn two_arms_with_a_shared_unknown_past() {
        for (n, c, p0, p1, expected) in [
            (200.0, 0.9, 0.002, 0.01, 53.5),
            (200.0, 0.5, 0.002, 0.01, 28.9),
            (200.0, 0.1, 0.002, 0.01, 84.2),
            (2000.0, 0.5, 0.002, 0.004, 24.8),
        ] {
            let (n1, n0) = (n * (1.0 - c), n * c);
            let q = (n1 * p1 + n0 * p0) / n;
            let information = n1 * kl(p1, q) + n0 * kl(p0, q);
            // The reverse divergence of the pair, from the pooled law to the two arms.
            let reverse = n1 * kl(q, p1) + n0 * kl(q, p0);
            let bound = constant_bound(information, reverse, gamma(360));
            assert!((bound / expected - 1.0).abs() < 0.03, "{bound} is far from {expected}");
        }
    }

    #[test]
    fn the_root_solves_its_equation() {
        for y in [1e-9, 1e-3, 0.5, 1.0, 50.0, 35_820.0, 1e9, 1e300] {
            let h = threshold(y);
            assert!(((libm::expm1(h) - h) / y - 1.0).abs() < 1e-9, "{y}");
        }
        assert_eq!(threshold(0.0), 0.0);
        assert_eq!(threshold(f64::NAN), 0.0);
    }

    #[test]
    fn the_budget_is_one_percent_per_watch() {
        assert!((gamma(360) - 35_820.0).abs() < 0.5);
        let (a, b) = (ALPHA, 0.01_f64);
        let nats = (1.0 - b) * libm::log((1.0 - b) / a) + b * libm::log(b / (1.0 - a));
        assert!((nats - KNOWN_ONSET_NATS).abs() < 1e-12, "{nats}");
    }

    #[test]
    fn without_information_there_is_no_bound() {
        let mut sum = BoundSum::new(240);
        for _ in 0..240 {
            sum.push(0.0, 0.0);
        }
        assert_eq!((sum.scrapes(), sum.floor_scrapes()), (None, None));
    }

    #[test]
    fn information_that_comes_late_counts_from_the_onset() {
        let mut sum = BoundSum::new(240);
        for _ in 0..20 {
            sum.push(0.0, 0.0);
        }
        sum.push(300.0, 300.0);
        assert_eq!((sum.scrapes(), sum.floor_scrapes()), (Some(21), Some(21)));
    }

    /// The oracle self-test (decision science, section 0): CUSUM that knows both laws, its threshold set so that it alarms as rarely as
    /// the budget says, reaches D* within 0.93 to 1.12 of it.
    mod oracle {
        use super::super::constant_bound;
        use rand_core::{Rng as _, SeedableRng as _};
        use rand_xoshiro::Xoshiro256PlusPlus;

        /// Scrapes to a false alarm: as many as make the search for a threshold quick.
        const GAMMA: f64 = 2000.0;

        struct Dice(Xoshiro256PlusPlus);

        impl Dice {
            fn new(seed: u64) -> Self {
                Self(Xoshiro256PlusPlus::seed_from_u64(seed))
            }

            /// In `(0, 1]`.
            fn uniform(&mut self) -> f64 {
                ((self.0.next_u64() >> 11) + 1) as f64 / 9_007_199_254_740_992.0
            }

            /// By Knuth's product of uniforms.
            fn poisson(&mut self, mean: f64) -> f64 {
                let (least, mut product, mut n) = (libm::exp(-mean), self.uniform(), 0.0);
                while product > least {
                    product *= self.uniform();
                    n += 1.0;
                }
                n
            }

            /// By Box and Muller.
            fn normal(&mut self, mean: f64) -> f64 {
                let (radius, angle) = (libm::sqrt(-2.0 * libm::log(self.uniform())), self.uniform());
                mean + radius * libm::cos(core::f64::consts::TAU * angle)
            }
        }

        /// Mean scrapes to the alarm.
        fn mean_delay(mut score: impl FnMut(&mut Dice) -> f64, limit: f64, runs: u32) -> f64 {
            let (mut dice, mut scrapes) = (Dice::new(7), 0_u64);
            for _ in 0..runs {
                let mut sum: f64 = 0.0;
                while sum < limit {
                    sum = sum.max(0.0) + score(&mut dice);
                    scrapes += 1;
                }
            }
            scrapes as f64 / f64::from(runs)
        }

        /// `pre` and `post` draw the log-likelihood ratio of one scrape before and after the onset.
        #[track_caller]
        fn check(
            information: f64,
            reverse: f64,
            pre: impl Fn(&mut Dice) -> f64,
            post: impl Fn(&mut Dice) -> f64,
        ) {
            let (mut low, mut high) = (0.0, libm::log(GAMMA) + 2.0);
            for _ in 0..12 {
                let middle = 0.5 * (low + high);
                if mean_delay(&pre, middle, 300) < GAMMA { low = middle } else { high = middle }
            }
            let ratio = mean_delay(&post, high, 4000) / constant_bound(information, reverse, GAMMA);
            assert!((0.93..=1.12).contains(&ratio), "{ratio}");
        }

        #[test]
        fn of_counts_reaches_the_bound() {
            for (l0, l1) in [(0.4, 1.0), (2.0, 3.2), (6.0, 8.0)] {
                let step = libm::log(l1 / l0);
                let score = |dice: &mut Dice, mean| dice.poisson(mean) * step - (l1 - l0);
                let information = l1 * step - (l1 - l0);
                let reverse = (l1 - l0) - l0 * step;
                check(information, reverse, |dice| score(dice, l0), |dice| score(dice, l1));
            }
        }

        #[test]
        fn of_shifts_reaches_the_bound() {
            for shift in [0.3, 0.5] {
                let score = |dice: &mut Dice, mean| shift * (dice.normal(mean) - 0.5 * shift);
                let information = 0.5 * shift * shift;
                check(information, information, |dice| score(dice, 0.0), |dice| score(dice, shift));
            }
        }
    }
}
