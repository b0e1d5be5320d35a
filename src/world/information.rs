//! Information about a fault in one scrape: the divergence between the law with the fault and the law
//! without, in nats.
//!
//! With a concurrent arm of the old version the law without the fault need not be known: the two-arm form (e)
//! of decision science, section 2, minimises over it. Without one it is taken as known from history, form
//! (a). Either is thinned by noise that no number of requests averages out ([`Floor`]). Errors, response
//! times, time-outs and conversions are told apart by the chain rule, so that nothing counts twice. Left out:
//! complaints, memory, processor use, and what single pods tell.

use super::latency::{LatencyLaw, Shift};
use super::noise::{ARM_TAU_S, SHARED_TAU_S, inflation};
use super::service::Flow;
use backspin_domain::frame::LATENCY_BUCKETS;
use backspin_scenario::model::NoiseModel;

/// Both directions of a divergence, nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Information {
    /// Of the law with the fault from the law without.
    pub(crate) forward: f64,
    /// The reverse.
    pub(crate) reverse: f64,
}

/// The noise floor of one scrape: log variances that stay however many requests there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    error: f64,
    latency: f64,
}

impl Floor {
    /// For two arms side by side: each has its own noise, what they share cancels.
    pub(crate) fn between_arms(noise: &NoiseModel, scrape_s: f64) -> Self {
        let inflation = 2.0 * inflation(ARM_TAU_S, scrape_s);
        let arms = noise.arms;
        Self {
            error: arms.error_sd * arms.error_sd * inflation,
            latency: arms.latency_sd * arms.latency_sd * inflation,
        }
    }

    /// For one arm against its history: nothing cancels.
    pub(crate) fn against_history(noise: &NoiseModel, scrape_s: f64) -> Self {
        let (alone, all) = (inflation(ARM_TAU_S, scrape_s), inflation(SHARED_TAU_S, scrape_s));
        let (arms, shared) = (noise.arms, noise.shared);
        Self {
            error: arms.error_sd * arms.error_sd * alone + shared.error_sd * shared.error_sd * all,
            latency: arms.latency_sd * arms.latency_sd * alone + shared.latency_sd * shared.latency_sd * all,
        }
    }
}

/// Requests per scrape of the arm with the fault and of the arm without; none of the latter when history
/// stands in for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arms {
    /// With the fault.
    pub(crate) faulty: f64,
    /// Without.
    pub(crate) control: Option<f64>,
}

/// The information of one scrape: `post` is the candidate's law with the fault, `pre` its law without.
pub(crate) fn of_scrape(
    latency: &LatencyLaw,
    body_sigma: f64,
    arms: Arms,
    post: &Flow,
    pre: &Flow,
    floor: Floor,
) -> Information {
    let mut sum = Information::default();
    if arms.faulty <= 0.0 || arms.control.is_some_and(|n| n <= 0.0) {
        return sum;
    }
    let per_control = |ratio: f64| arms.control.map_or(0.0, |n| 1.0 / (n * ratio).max(1e-12));
    let mut add = |arms: Arms, post: &[f64], pre: &[f64], variance: f64, floor: f64| {
        let thinned = if floor > 0.0 { variance / (variance + floor) } else { 1.0 };
        let information = divergence(arms, post, pre);
        sum.forward += information.forward * thinned;
        sum.reverse += information.reverse * thinned;
    };

    let mean_time = body_sigma * body_sigma * (1.0 / arms.faulty + per_control(1.0));
    add(arms, &two(post.times_out), &two(pre.times_out), mean_time, floor.latency);

    let in_time = keep(arms, 1.0 - post.times_out, 1.0 - pre.times_out);
    let errors = 1.0 / (arms.faulty * post.error_ratio()).max(1e-12) + per_control(pre.error_ratio());
    add(in_time, &two(post.fails), &two(pre.fails), errors, floor.error);

    if post.shift != pre.shift {
        let buckets = |shift: Shift| {
            let mut p = [0.0; LATENCY_BUCKETS];
            latency.fill_buckets(shift, &mut p);
            let total: f64 = p.iter().sum();
            p.map(|p| p / total.max(1e-12))
        };
        add(in_time, &buckets(post.shift), &buckets(pre.shift), mean_time, floor.latency);
    }

    let good = keep(in_time, 1.0 - post.fails, 1.0 - pre.fails);
    add(good, &two(post.converts), &two(pre.converts), 1.0, 0.0);
    sum
}

fn keep(arms: Arms, faulty: f64, control: f64) -> Arms {
    Arms { faulty: arms.faulty * faulty, control: arms.control.map(|n| n * control) }
}

fn two(p: f64) -> [f64; 2] {
    [p, 1.0 - p]
}

/// Divergences of the pair of arms (`post`, `pre`) from the nearest pair of equal arms, and back. Forward the
/// nearest is the mixture; backward it is the geometric mean, which gives Chernoff's coefficient. Against
/// history: the plain divergences.
fn divergence(arms: Arms, post: &[f64], pre: &[f64]) -> Information {
    let n1 = arms.faulty;
    if n1 <= 0.0 {
        return Information::default();
    }
    let Some(n0) = arms.control else {
        return Information { forward: n1 * kl(post, pre), reverse: n1 * kl(pre, post) };
    };
    let (w1, w0) = (n1 / (n1 + n0), n0 / (n1 + n0));
    let (mut forward, mut overlap) = (0.0, 0.0);
    for (&p1, &p0) in post.iter().zip(pre) {
        if p1 == p0 {
            overlap += p1;
            continue;
        }
        let (p1, p0) = (p1.max(SMALLEST), p0.max(SMALLEST));
        let (ln1, ln0) = (libm::log(p1), libm::log(p0));
        let ln_q = libm::log(w1 * p1 + w0 * p0);
        forward += n1 * p1 * (ln1 - ln_q) + n0 * p0 * (ln0 - ln_q);
        overlap += libm::exp(w1 * ln1 + w0 * ln0);
    }
    let reverse = -(n1 + n0) * libm::log(overlap.min(1.0));
    Information { forward: forward.max(0.0), reverse: reverse.max(0.0) }
}

fn kl(p: &[f64], q: &[f64]) -> f64 {
    let term = |(&p, &q): (&f64, &f64)| {
        let (p, q) = (p.max(SMALLEST), q.max(SMALLEST));
        p * (libm::log(p) - libm::log(q))
    };
    p.iter().zip(q).map(term).sum::<f64>().max(0.0)
}

/// Cells below this say nothing that a scrape could hold.
const SMALLEST: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n1: f64, n0: Option<f64>, p1: f64, p0: f64, expected: f64) {
        let arms = Arms { faulty: n1, control: n0 };
        let got = divergence(arms, &two(p1), &two(p0)).forward;
        assert!((got / expected - 1.0).abs() < 0.01, "got {got}, expected {expected}");
    }

    #[test]
    fn it_gives_the_researchs_figures() {
        // Decision science, section 2, the table of the Monte-Carlo check.
        check(20.0, None, 0.01, 0.002, 0.163);
        check(200.0, None, 0.006, 0.002, 0.520);
        check(2.0, None, 0.05, 0.002, 0.228);
        check(20.0, Some(180.0), 0.01, 0.002, 0.134);
        check(100.0, Some(100.0), 0.01, 0.002, 0.293);
        check(1000.0, Some(1000.0), 0.004, 0.002, 0.341);
    }

    #[test]
    fn endless_control_is_as_good_as_knowing() {
        let known = divergence(Arms { faulty: 200.0, control: None }, &two(0.01), &two(0.002));
        let paired = divergence(Arms { faulty: 200.0, control: Some(1e9) }, &two(0.01), &two(0.002));
        assert!((paired.forward / known.forward - 1.0).abs() < 1e-3);
        assert!((paired.reverse / known.reverse - 1.0).abs() < 1e-3);
    }

    #[test]
    fn no_difference_no_information_and_noise_bounds_it() {
        let arms = Arms { faulty: 1e7, control: Some(1e7) };
        let model = crate::testing::healthy().service.latency;
        let latency = LatencyLaw::new(&model);
        let pre = Flow { fails: 0.002, converts: 0.03, ..Flow::default() };
        let floor = Floor::between_arms(&NoiseModel::default(), 15.0);
        assert_eq!(of_scrape(&latency, 0.5, arms, &pre, &pre, floor), Information::default());
        let post = Flow { fails: 0.004, ..pre };
        let thinned = of_scrape(&latency, 0.5, arms, &post, &pre, floor).forward;
        // ln 2 squared over twice the floor, however many requests there are.
        let bound = libm::log(2.0) * libm::log(2.0) / (2.0 * floor.error);
        assert!(thinned < 1.2 * bound && thinned > 0.5 * bound, "{thinned} against {bound}");
    }
}
