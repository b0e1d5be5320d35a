//! The mathematics of the e-detector: e-values, their tempering, and the sum over possible onsets.
//!
//! An e-value is a non-negative number whose mean is at most 1 under the null. A likelihood ratio is one.

use libm::{exp, log};

use super::tally::Counted;

/// How many alternatives each stream is tested against.
pub(super) const ALTERNATIVES: usize = 6;

/// One log e-value per alternative.
pub(super) type LogE = [f64; ALTERNATIVES];

/// One e-value per alternative.
pub(super) type EValues = [f64; ALTERNATIVES];

/// E-values of a frame that says nothing.
pub(super) const NO_NEWS: EValues = [1.0; ALTERNATIVES];

/// The null is refuted by no frame alone beyond this: keeps products finite, and lowering an e-value keeps it one.
const LOG_E_MAX: f64 = 60.0;
/// Cap of one Shiryaev-Roberts statistic, for the same reasons.
pub(super) const STATISTIC_MAX: f64 = 1e100;
/// A share that is not told from certainty.
const CERTAIN: f64 = 0.999;

/// Shiryaev-Roberts statistics, one per alternative: `R = (1 + R) e`. Each is the sum, over every frame at which the
/// harm could have begun, of the evidence since then (Shin, Ramdas, Rinaldo, NEJSDS). `R - t` is a
/// supermartingale under the null, so by Doob's inequality `P(max R >= H / alpha) <= alpha` over `H` frames,
/// whatever the dependence between the streams whose average is taken (Vovk, Wang 2021).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Detector {
    statistics: LogE,
}

impl Detector {
    /// Takes one frame's evidence.
    pub(super) fn multiply(&mut self, e: &EValues) {
        for (statistic, &e) in self.statistics.iter_mut().zip(e) {
            *statistic = ((1.0 + *statistic) * e).min(STATISTIC_MAX);
        }
    }

    /// Average over the alternatives: the mixture's statistic.
    pub(super) fn mean(&self) -> f64 {
        self.statistics.iter().sum::<f64>() / ALTERNATIVES as f64
    }
}

/// E-values of their logarithms.
pub(super) fn e_values(log_e: &LogE) -> EValues {
    log_e.map(|l| exp(l.min(LOG_E_MAX)))
}

/// Alternatives, as multiples of the null's ratio.
#[derive(Debug)]
pub(super) struct Ratios {
    of: LogE,
    ln: LogE,
}

impl Ratios {
    /// With these, all above one.
    pub(super) fn new(of: LogE) -> Self {
        Self { of, ln: of.map(log) }
    }

    /// That of alternative `k`.
    pub(super) fn of(&self, k: usize) -> f64 {
        self.of[k]
    }
}

/// A count out of a total whose share is held against a null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// How often it happened.
    pub hits: f64,
    /// How often it could have.
    pub trials: f64,
    /// Greatest share under the null.
    pub null: f64,
    /// Variance of the log odds beyond counting: see [`long_run`].
    pub noise: f64,
}

impl Trial {
    /// Log e-values against the shares of the alternatives. For a binomial with a share up to `null` each has mean
    /// at most 1 (the likelihood ratio is monotone), and also for a hypergeometric or any other sum that is
    /// smaller in convex order (Hoeffding 1963), as errors are when most requests fail.
    ///
    /// Tempering: pods and minutes differ by more than counting explains, so evidence is multiplied by
    /// `w = v / (v + noise)`, with `v` the counting variance of the log odds under the null. By Jensen
    /// `e^(w l)` with `w <= 1` stays an e-value. `w` depends on the total only, never on the hits.
    pub(super) fn log_e(&self, alternatives: impl Fn(usize) -> f64) -> LogE {
        let mut log_e = [0.0; ALTERNATIVES];
        if self.trials <= 0.0 || self.null <= 0.0 || self.null >= CERTAIN {
            return log_e;
        }
        let v = 1.0 / (self.trials * self.null * (1.0 - self.null));
        let w = v / (v + self.noise);
        let (log_null, log_not_null) = (log(self.null), log(1.0 - self.null));
        for (k, l) in log_e.iter_mut().enumerate() {
            let share = alternatives(k).clamp(self.null, CERTAIN);
            *l = w
                * (self.hits * (log(share) - log_null)
                    + (self.trials - self.hits) * (log(1.0 - share) - log_not_null));
        }
        log_e
    }

    /// The same against the null's multiples.
    pub(super) fn log_e_of_ratios(&self, ratios: &Ratios) -> LogE {
        self.log_e(|k| self.null * ratios.of[k])
    }

    /// The same question about other counts.
    pub(super) fn of(self, counted: Counted) -> Self {
        Self { hits: counted.hits, trials: counted.requests, ..self }
    }
}

/// How two arms are compared in one frame: the null's ratio, and the alternatives beyond it. The same evidence as
/// [`Trial::log_e`] of the candidate's share, with one logarithm per alternative, since it is wanted once per pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairLaw {
    margin: f64,
    noise: f64,
    ratios: &'static Ratios,
    /// Whether what is counted is good, so that the control may not have more of it.
    reversed: bool,
}

impl PairLaw {
    /// Null `margin`, alternatives `margin` times each of `ratios`, and noise as in [`Trial`].
    pub(super) fn new(margin: f64, noise: f64, ratios: &'static Ratios) -> Self {
        Self { margin, noise, ratios, reversed: false }
    }

    /// The same for what is good: the ratios are the control's to the candidate's.
    pub(super) fn reversed(self) -> Self {
        Self { reversed: true, ..self }
    }

    /// Log e-values of a candidate's counts against its control's. With `D_k = n1 rho r_k + n0` the alternative's share
    /// over the null's is `r_k D_0 / D_k`, and that of the control `D_0 / D_k`.
    pub(super) fn log_e(&self, candidate: Counted, control: Counted) -> LogE {
        let mut log_e = [0.0; ALTERNATIVES];
        if let Some(counts) = self.weigh(candidate, control) {
            for (k, l) in log_e.iter_mut().enumerate() {
                *l = counts.log_e(self.ratios.of[k], self.ratios.ln[k]);
            }
        }
        log_e
    }

    /// The one against alternative `k`.
    pub(super) fn log_e_of(&self, k: usize, candidate: Counted, control: Counted) -> f64 {
        let counts = self.weigh(candidate, control);
        counts.map_or(0.0, |counts| counts.log_e(self.ratios.of[k], self.ratios.ln[k]).min(LOG_E_MAX))
    }

    /// What all alternatives need of the counts; none if they say nothing.
    fn weigh(&self, candidate: Counted, control: Counted) -> Option<Weighed> {
        let (candidate, control) = if self.reversed { (control, candidate) } else { (candidate, control) };
        let total = candidate.hits + control.hits;
        let (weight, other) = (candidate.requests * self.margin, control.requests);
        let whole = weight + other;
        if total <= 0.0 || weight <= 0.0 || weight >= CERTAIN * whole {
            return None;
        }
        let v = whole * whole / (total * weight * other);
        Some(Weighed { hits: candidate.hits, total, weight, other, whole, tempered: v / (v + self.noise) })
    }
}

/// Counts of both arms, as [`PairLaw`] holds them against each other.
struct Weighed {
    /// The candidate's.
    hits: f64,
    /// Of both arms.
    total: f64,
    /// The candidate's requests times the margin.
    weight: f64,
    /// The control's requests.
    other: f64,
    whole: f64,
    /// The share of the evidence that the noise leaves.
    tempered: f64,
}

impl Weighed {
    /// A share beyond certainty is taken for certainty.
    fn log_e(&self, ratio: f64, ln_ratio: f64) -> f64 {
        let most = CERTAIN / (1.0 - CERTAIN) * self.other / self.weight;
        let (ratio, ln_ratio) = if ratio > most { (most, log(most)) } else { (ratio, ln_ratio) };
        self.tempered
            * (self.hits * ln_ratio - self.total * log((self.weight * ratio + self.other) / self.whole))
    }
}

/// The candidate's share of the events of both arms when its ratio is `rho` times the control's. Poisson events,
/// given their total, are binomial with this share: level, daily course, surge and shared outage cancel.
#[cfg(test)]
pub(super) fn candidate_share(candidate_requests: f64, control_requests: f64, rho: f64) -> f64 {
    candidate_requests * rho / (candidate_requests * rho + control_requests)
}

/// Variance that a mean over many frames behaves as if each had: `tau^2 (1 + phi) / (1 - phi)`, for noise of
/// variance `tau^2` whose correlation from one frame to the next is `phi = exp(-interval / correlation time)`.
pub(super) fn long_run(variance: f64, interval_s: f64, correlation_s: f64) -> f64 {
    let phi = correlation(interval_s, correlation_s);
    variance * (1.0 + phi) / (1.0 - phi)
}

/// Correlation from one frame to the next, at most .99.
pub(super) fn correlation(interval_s: f64, correlation_s: f64) -> f64 {
    if correlation_s > 0.0 { exp(-interval_s / correlation_s).min(0.99) } else { 0.0 }
}

/// Frames that it takes to believe half of the noise that they show. Four frames of a service that seldom fails show by chance
/// ten times the noise that it has, and a judge that believes them is blind for minutes to a candidate that fails half of its
/// requests.
const FRAMES_OF_DOUBT: f64 = 24.0;

/// Sum of squared expectations that it takes likewise: a frame in which one event is expected. Where a twentieth is expected, as of
/// a service that has never failed yet, the first one alone looks like a variance of hundreds, and says next to nothing.
const SCALE_OF_DOUBT: f64 = 1.0;

/// How much more counts vary from frame to frame than counting explains, by moments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dispersion {
    frames: u32,
    previous: Option<(f64, f64)>,
    excess: f64,
    excess_scale: f64,
    excess_variance: f64,
    lagged: f64,
    lagged_scale: f64,
    lagged_variance: f64,
}

/// Over-dispersion of one arm, on the log scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Learned {
    /// Variance that lasts from frame to frame.
    pub lasting: f64,
    /// Variance that does not.
    pub passing: f64,
}

impl Dispersion {
    /// Takes a count, its expectation and its counting variance. For `x = m e^g` with a small `g`,
    /// `E[(x - m)^2 - variance] = m^2 Var(g)` and `E[(x - m)(x' - m')] = m m' Cov(g, g')`.
    pub(super) fn note(&mut self, count: f64, expected: f64, variance: f64) {
        let rest = count - expected;
        self.frames += 1;
        self.excess += rest * rest - variance;
        self.excess_scale += expected * expected;
        self.excess_variance += variance + 2.0 * variance * variance;
        if let Some((before, expected_before)) = self.previous {
            self.lagged += rest * before;
            self.lagged_scale += expected * expected_before;
            self.lagged_variance += expected * expected_before;
        }
        self.previous = Some((rest, expected));
    }

    /// What is there beyond two standard errors of pure counting, drawn towards nothing while it was seen for a short time or on few events;
    /// `phi` is the assumed correlation of what lasts.
    pub(super) fn learned(&self, phi: f64) -> Learned {
        let frames = f64::from(self.frames);
        let trust = frames / (frames + FRAMES_OF_DOUBT);
        let beyond = |sum: f64, variance: f64, scale: f64| {
            (trust * (sum - 2.0 * libm::sqrt(variance)) / (scale + SCALE_OF_DOUBT)).max(0.0)
        };
        let all = beyond(self.excess, self.excess_variance, self.excess_scale);
        let lasting = (beyond(self.lagged, self.lagged_variance, self.lagged_scale) / phi.max(0.1)).min(all);
        Learned { lasting, passing: all - lasting }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// Probability of `k` of `n` at share `p`.
    fn binomial(n: u32, k: u32, p: f64) -> f64 {
        let choose = |n: u32, k: u32| (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product::<f64>();
        choose(n, k) * libm::pow(p, f64::from(k)) * libm::pow(1.0 - p, f64::from(n - k))
    }

    #[track_caller]
    fn mean_e(n: u32, p: f64, null: f64, noise: f64) -> f64 {
        let mut worst = 0.0_f64;
        for k in 0..ALTERNATIVES {
            let mean = (0..=n)
                .map(|hits| {
                    let trial = Trial { hits: f64::from(hits), trials: f64::from(n), null, noise };
                    binomial(n, hits, p) * exp(trial.log_e(|k| null * (1.5 + k as f64))[k])
                })
                .sum();
            worst = worst.max(mean);
        }
        worst
    }

    #[test]
    fn under_the_null_the_mean_is_at_most_one() {
        for n in [1, 5, 40] {
            for null in [0.01, 0.1, 0.4] {
                for noise in [0.0, 0.2, 3.0] {
                    assert!(mean_e(n, null, null, noise) <= 1.0 + 1e-9, "{n} {null} {noise}");
                    assert!(mean_e(n, null * 0.5, null, noise) <= 1.0 + 1e-9, "{n} {null} {noise}");
                }
            }
        }
        assert!(mean_e(40, 0.5, 0.1, 0.0) > 100.0);
    }

    #[test]
    fn shares_drawn_without_replacement_stay_below_one_too() {
        // 10 of 20 requests fail; the candidate answers 8 of them: hypergeometric, null share .4.
        let choose = |n: u32, k: u32| (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product::<f64>();
        let mean: f64 = (0..=8)
            .map(|x: u32| {
                let p = choose(10, x) * choose(10, 8 - x) / choose(20, 8);
                p * exp(Trial { hits: f64::from(x), trials: 10.0, null: 0.4, noise: 0.0 }.log_e(|_| 0.7)[0])
            })
            .sum();
        assert!(mean <= 1.0, "{mean}");
    }

    #[test]
    fn a_pair_says_what_its_trial_says() {
        static RATIOS: LazyLock<Ratios> = LazyLock::new(|| Ratios::new([1.6, 2.5, 5.0, 12.0, 40.0, 150.0]));
        for (n1, n0, x1, x0) in [
            (100.0, 900.0, 3.0, 20.0),
            (100.0, 900.0, 0.0, 20.0),
            (50.0, 50.0, 40.0, 1.0),
            (9e4, 9e5, 9e3, 200.0),
            (900.0, 10.0, 90.0, 0.0),
        ] {
            for (margin, noise) in [(1.25, 0.0), (1.25, 0.3), (4.0, 2.0)] {
                let trial = Trial { hits: x1, trials: x1 + x0, null: candidate_share(n1, n0, margin), noise };
                let expected = trial.log_e(|k| candidate_share(n1, n0, margin * RATIOS.of[k]));
                let side = |hits, requests| Counted { hits, requests };
                let found = PairLaw::new(margin, noise, &RATIOS).log_e(side(x1, n1), side(x0, n0));
                for (a, b) in expected.iter().zip(found) {
                    assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs()), "{expected:?} {found:?}");
                }
            }
        }
        let law = PairLaw::new(1.25, 0.0, &RATIOS);
        let nothing = Counted::default();
        let some = Counted { hits: 3.0, requests: 10.0 };
        for (a, b) in [(nothing, nothing), (some, nothing), (nothing, some)] {
            assert_eq!(law.log_e(a, b), [0.0; ALTERNATIVES]);
        }
    }

    #[test]
    fn no_trials_say_nothing() {
        for trial in [
            Trial { hits: 0.0, trials: 0.0, null: 0.1, noise: 0.0 },
            Trial { hits: 9.0, trials: 9.0, null: 1.0, noise: 0.0 },
            Trial { hits: 0.0, trials: 9.0, null: 0.0, noise: 0.0 },
        ] {
            assert_eq!(trial.log_e(|_| 0.9), [0.0; ALTERNATIVES]);
        }
    }

    #[test]
    fn noise_bounds_what_a_frame_can_say() {
        let frame =
            |trials: f64| Trial { hits: 0.2 * trials, trials, null: 0.1, noise: 0.2 }.log_e(|_| 0.2)[0];
        assert!(frame(1e3) > 0.0 && frame(1e3) < frame(1e6));
        assert!(frame(1e9) / frame(1e6) < 1.01, "a thousand times the traffic, the same evidence");
    }

    #[test]
    fn detectors_stay_finite_and_count_frames_without_news() {
        let mut detector = Detector::default();
        for _ in 0..10 {
            detector.multiply(&NO_NEWS);
        }
        assert_eq!(detector.mean(), 10.0);
        for _ in 0..10 {
            detector.multiply(&e_values(&[1e6; ALTERNATIVES]));
        }
        assert!(detector.mean().is_finite());
        detector.multiply(&e_values(&[-1e6; ALTERNATIVES]));
        assert_eq!(detector.mean(), 0.0);
    }

    #[test]
    fn pure_counting_teaches_no_dispersion_and_swings_do() {
        let (mut calm, mut swinging, mut bursts) = <(Dispersion, Dispersion, Dispersion)>::default();
        for i in 0..400_u32 {
            let alternating = if i % 2 == 0 { 1.0 } else { -1.0 };
            calm.note(100.0 + 10.0 * alternating, 100.0, 100.0);
            let slow = if (i / 20) % 2 == 0 { 1.0 } else { -1.0 };
            swinging.note(1000.0 + 300.0 * slow, 1000.0, 1000.0);
            bursts.note(1000.0 + 300.0 * alternating, 1000.0, 1000.0);
        }
        assert_eq!(calm.learned(0.9), Learned::default());
        assert!((swinging.learned(0.9).lasting - 0.085).abs() < 0.01, "{:?}", swinging.learned(0.9));
        assert!(swinging.learned(0.9).passing < 0.01);
        assert_eq!(bursts.learned(0.9).lasting, 0.0);
        assert!((bursts.learned(0.9).passing - 0.085).abs() < 0.01);
    }

    #[test]
    fn a_few_frames_teach_little() {
        let mut few = Dispersion::default();
        for count in [0.0, 6.0, 0.0, 5.0] {
            few.note(count, 1.2, 1.2);
        }
        let Learned { lasting, passing } = few.learned(0.9);
        // By themselves they show a variance of 4.8.
        assert!(lasting == 0.0 && passing > 0.0 && passing < 0.7, "{passing}");
    }

    #[test]
    fn the_first_failure_of_a_service_that_never_failed_teaches_next_to_nothing() {
        let mut first = Dispersion::default();
        first.note(1.0, 0.047, 0.047);
        let Learned { lasting, passing } = first.learned(0.9);
        // By itself it shows a variance of 390.
        assert!(lasting == 0.0 && passing < 0.02, "{passing}");
    }

    #[test]
    fn long_run_variance_is_the_textbooks() {
        assert!((long_run(0.01, 15.0, 15.0 / -log(0.8)) - 0.09).abs() < 1e-12);
        assert_eq!(long_run(0.01, 15.0, 0.0), 0.01);
    }
}
