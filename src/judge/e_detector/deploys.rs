//! Deploys drawn from a seed, and what the e-detector makes of them. The generator is the design study's: 15 s frames, 30 min
//! of history, one hour of watch, canary shares of 10, 25 and 50 % from 0, 10 and 20 minutes.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use backspin_domain::frame::{ArmIncrements, LATENCY_BOUNDS_MS, LATENCY_BUCKETS, RolloutView};
use backspin_domain::seed::Seed;
use backspin_domain::signal::{Quality, SignalSample};

const FRAME_S: f64 = 15.0;
const HISTORY: usize = 120;
const WATCH: usize = 240;

/// What is wrong, if anything.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Healthy,
    /// Slow cold pods: latency times 1 + 1.5 exp(-age / 60 s).
    WarmUp,
    /// Healthy, with twice the arm noise that the defaults assume.
    Noisy,
    /// Three times the traffic for ten minutes.
    Surge,
    /// A dependency fails in both arms: 8 % more errors, a third slower, for so many frames.
    Dependency(usize),
    /// This share of requests fails.
    Errors(f64),
    /// Latency times this.
    Latency(f64),
    /// 8 instead of 2 % of the requests take the slow path.
    Tail,
}

/// How the deploy rolls out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rollout {
    Canary,
    /// Everything at once, no control.
    AllAtOnce,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    kind: Kind,
    rollout: Rollout,
    /// Requests per second.
    rate: f64,
}

struct Draw(Xoshiro256PlusPlus);

impl Draw {
    fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * log(self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 40.0 {
            return (mean + libm::sqrt(mean) * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut n) = (exp(-mean), self.uniform(), 0.0);
        while product > limit {
            product *= self.uniform();
            n += 1.0;
        }
        n
    }

    fn binomial(&mut self, n: f64, p: f64) -> f64 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        if n * p > 40.0 {
            return (n * p + libm::sqrt(n * p * (1.0 - p)) * self.normal()).round().clamp(0.0, n);
        }
        if n > 400.0 {
            return self.poisson(n * p).min(n);
        }
        if p <= 0.0 {
            return 0.0;
        }
        // Waiting times between hits are geometric: as many draws as hits.
        let (miss, mut at, mut hits) = (libm::log1p(-p), 0.0, 0.0);
        loop {
            at += (log(self.uniform()) / miss).floor() + 1.0;
            if at > n {
                return hits;
            }
            hits += 1.0;
        }
    }
}

/// Autoregressive noise with a standard deviation that does not depend on its memory.
#[derive(Clone, Copy)]
struct Ar {
    sd: f64,
    phi: f64,
    now: f64,
}

impl Ar {
    fn new(sd: f64, phi: f64, draw: &mut Draw) -> Self {
        Self { sd, phi, now: sd * draw.normal() }
    }

    fn next(&mut self, draw: &mut Draw) -> f64 {
        self.now = self.phi * self.now + libm::sqrt(1.0 - self.phi * self.phi) * self.sd * draw.normal();
        self.now
    }
}

/// Log latency and slow share of one arm.
#[derive(Clone, Copy)]
struct Law {
    errors: f64,
    shift: f64,
    slow: f64,
}

fn arm(draw: &mut Draw, mean: f64, law: Law) -> ArmIncrements {
    let requests = draw.poisson(mean);
    let mut arm =
        ArmIncrements { quality: Quality::Fresh, requests: requests as u32, ..ArmIncrements::default() };
    arm.errors = draw.binomial(requests, law.errors.clamp(0.0, 1.0)) as u32;
    let below = |ms: f64| {
        let part = |median: f64, sd: f64| {
            0.5 * libm::erfc(-(log(ms / median) - law.shift) / (sd * std::f64::consts::SQRT_2))
        };
        (1.0 - law.slow) * part(120.0, 0.5) + law.slow * part(600.0, 0.7)
    };
    let (mut left, mut before) = (requests, 0.0);
    for (i, &bound) in LATENCY_BOUNDS_MS.iter().enumerate() {
        if left == 0.0 {
            break;
        }
        let upto = below(bound);
        let n = draw.binomial(left, ((upto - before) / (1.0 - before)).clamp(0.0, 1.0));
        arm.latency_buckets[i] = n as u32;
        (left, before) = (left - n, upto);
    }
    arm.latency_buckets[LATENCY_BUCKETS - 1] = left as u32;
    arm.pods_ready = 4;
    arm
}

/// What came of one deploy.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// Seconds from onset (or deploy) to the first fail; negative before the onset.
    delay_s: Option<f64>,
    marginal: bool,
}

fn is_bad(kind: Kind) -> bool {
    matches!(kind, Kind::Errors(_) | Kind::Latency(_) | Kind::Tail)
}

#[expect(clippy::too_many_lines, reason = "one deploy from start to end, in the generator's order")]
fn run(case: Case, params: &Params, seed: Seed) -> Outcome {
    let mut draw = Draw(Xoshiro256PlusPlus::seed_from_u64(seed.0));
    let base_errors = exp(log(0.002) + 0.5 * draw.normal());
    let (amplitude, phase) = (0.3 * draw.uniform(), std::f64::consts::TAU * draw.uniform());
    let mut traffic = Ar::new(0.15, 0.9, &mut draw);
    let mut shared = [Ar::new(0.15, 0.9, &mut draw), Ar::new(0.06, 0.9, &mut draw)];
    let noisy = if case.kind == Kind::Noisy { 2.0 } else { 1.0 };
    let mut own =
        [0; 2].map(|_| [Ar::new(0.10 * noisy, 0.8, &mut draw), Ar::new(0.02 * noisy, 0.8, &mut draw)]);
    let offset = [0.10 * draw.normal(), 0.02 * draw.normal()];
    let late = draw.uniform() < 0.5;
    let onset = if late { (draw.uniform() * 100.0) as usize } else { 0 };
    let warm_up = case.kind == Kind::WarmUp || draw.uniform() < 0.3;
    let mut judge = EDetector::new(params);
    let mut marginal = false;
    for i in 0..HISTORY + WATCH {
        let since = i.checked_sub(HISTORY);
        let wave = 1.0 + amplitude * libm::sin(std::f64::consts::TAU * i as f64 * FRAME_S / 86_400.0 + phase);
        let lately = |frames: usize| since.is_some_and(|s| s >= onset && s < onset + frames);
        let surge = if case.kind == Kind::Surge && lately(40) { 3.0 } else { 1.0 };
        let rate = case.rate * wave * exp(traffic.next(&mut draw)) * surge;
        // The rest is negative-binomial, by a gamma of shape 50 that is nearly normal.
        let mean = rate * FRAME_S * (1.0 + draw.normal() / libm::sqrt(50.0)).max(0.1);
        let used = (0.45 * rate / case.rate).min(0.95);
        let outage = matches!(case.kind, Kind::Dependency(frames) if lately(frames));
        let common = Law {
            errors: base_errors * exp(shared[0].next(&mut draw)),
            shift: shared[1].next(&mut draw)
                + 0.6 * log(0.55 / (1.0 - used))
                + if outage { 0.3 } else { 0.0 },
            slow: 0.02,
        };
        let laws = own.each_mut().map(|noise| Law {
            errors: common.errors * exp(noise[0].next(&mut draw)) + if outage { 0.08 } else { 0.0 },
            shift: common.shift + noise[1].next(&mut draw),
            slow: common.slow,
        });
        let share = match (since, case.rollout) {
            (None, _) => 0.0,
            (Some(_), Rollout::AllAtOnce) => 1.0,
            (Some(s), Rollout::Canary) => [0.10, 0.25, 0.50][(s / 40).min(2)],
        };
        let mut law = laws[1];
        law.errors *= exp(offset[0]);
        law.shift += offset[1];
        let age = since.unwrap_or(0) as f64 * FRAME_S;
        if warm_up {
            law.shift += log(1.0 + 1.5 * exp(-age / 60.0));
        }
        if since.is_some_and(|s| s >= onset) {
            match case.kind {
                Kind::Errors(p) => law.errors += p,
                Kind::Latency(factor) => law.shift += log(factor),
                Kind::Tail => law.slow = 0.08,
                Kind::Healthy | Kind::WarmUp | Kind::Noisy | Kind::Surge | Kind::Dependency(_) => {}
            }
        }
        let stable = (share < 1.0).then(|| arm(&mut draw, mean * (1.0 - share), laws[0]));
        let candidate = since.map(|_| arm(&mut draw, mean * share, law));
        let mut frame = Frame {
            at: MonoTime((i as f64 * FRAME_S * 1000.0) as u64),
            interval: Millis((FRAME_S * 1000.0) as u64),
            // The first frame after the deploy covers the interval that began with it.
            rollout: RolloutView {
                since_deploy: since.map(|s| Millis((s as u64 + 1) * 15_000)),
                candidate_share: share,
            },
            candidate,
            stable,
            ..Frame::default()
        };
        frame
            .signals
            .set(SignalKind::DependencyHealth, SignalSample::fresh(if outage { 0.6 } else { 0.999 }, 1));
        frame.signals.set(SignalKind::Throughput, SignalSample::fresh(mean / FRAME_S, 1));
        let verdict = judge.observe(&frame);
        marginal |= verdict.class == VerdictClass::Marginal;
        if let (VerdictClass::Fail, Some(s)) = (verdict.class, since) {
            return Outcome { delay_s: Some((s as f64 + 1.0 - onset as f64) * FRAME_S), marginal };
        }
    }
    Outcome { delay_s: None, marginal }
}

/// Result of many deploys of one case.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    deploys: usize,
    alarms: usize,
    early: usize,
    marginal: usize,
    median_s: Option<f64>,
}

impl Score {
    fn share(&self) -> f64 {
        self.alarms as f64 / self.deploys as f64
    }
}

fn score(case: Case, params: &Params, campaign: u64, deploys: usize) -> Score {
    let mut delays = Vec::new();
    let mut score = Score { deploys, ..Score::default() };
    for i in 0..deploys {
        let draw = (case.rate * 10.0) as u64;
        let outcome = run(case, params, Seed::of_run(campaign, draw, i as u64));
        score.marginal += usize::from(outcome.marginal);
        match outcome.delay_s {
            Some(delay) if delay > 0.0 || !is_bad(case.kind) => {
                score.alarms += 1;
                delays.push(delay);
            }
            Some(_) => score.early += 1,
            None => {}
        }
    }
    delays.sort_unstable_by(f64::total_cmp);
    score.median_s = delays.get(deploys / 2).copied();
    score
}

/// Seeds that no default was tuned on.
const TEST_CAMPAIGN: u64 = 9001;

/// At most `alarms_max` false alarms in `deploys` at each rate.
#[track_caller]
#[expect(clippy::print_stdout, reason = "for people, under --nocapture")]
fn check_false_alarms(kind: Kind, rollout: Rollout, deploys: usize, alarms_max: usize) {
    let mut alarms = 0;
    for rate in [0.2, 2.0, 20.0, 200.0, 5000.0] {
        alarms += score(Case { kind, rollout, rate }, &Params::default(), TEST_CAMPAIGN, deploys).alarms;
    }
    println!("{kind:?} {rollout:?}: {alarms} false alarms in {} deploys", 5 * deploys);
    assert!(alarms <= alarms_max, "{kind:?} {rollout:?}: {alarms} false alarms in {} deploys", 5 * deploys);
}

/// At each rate at least this recall, and at most this median delay.
#[track_caller]
#[expect(clippy::print_stdout, reason = "for people, under --nocapture")]
fn check_recall(kind: Kind, rollout: Rollout, expected: &[(f64, f64, f64)]) {
    for &(rate, recall, delay_s) in expected {
        let s = score(Case { kind, rollout, rate }, &Params::default(), TEST_CAMPAIGN, 60);
        println!("{kind:?} {rollout:?} at {rate}/s: recall {}, median {:?} s", s.share(), s.median_s);
        assert!(s.share() >= recall, "{kind:?} {rollout:?} at {rate}/s: recall {}", s.share());
        assert!(s.early <= 1, "{kind:?} at {rate}/s: {} alarms before the onset", s.early);
        let median = s.median_s.expect("more than half were found");
        assert!(median <= delay_s, "{kind:?} {rollout:?} at {rate}/s: median {median} s");
    }
}

use Rollout::{AllAtOnce, Canary};

#[test]
fn healthy_deploys_stay() {
    check_false_alarms(Kind::Healthy, Canary, 120, 6);
}

#[test]
fn cold_pods_stay() {
    check_false_alarms(Kind::WarmUp, Canary, 120, 6);
}

#[test]
fn twice_the_assumed_noise_is_borne() {
    check_false_alarms(Kind::Noisy, Canary, 60, 9);
}

#[test]
fn surges_and_outages_of_dependencies_are_nobodys_fault() {
    check_false_alarms(Kind::Surge, Canary, 60, 3);
    check_false_alarms(Kind::Dependency(40), Canary, 60, 3);
}

#[test]
fn errors_are_found() {
    check_recall(Kind::Errors(0.5), Canary, &[(0.2, 0.95, 900.0), (2.0, 0.98, 180.0), (200.0, 0.98, 30.0)]);
    check_recall(
        Kind::Errors(0.05),
        Canary,
        &[(2.0, 0.90, 1000.0), (20.0, 0.98, 210.0), (200.0, 0.98, 90.0)],
    );
    check_recall(Kind::Errors(0.008), Canary, &[(20.0, 0.90, 1200.0), (200.0, 0.98, 330.0)]);
}

#[test]
fn slowness_is_found() {
    check_recall(Kind::Latency(4.0), Canary, &[(2.0, 0.98, 210.0), (200.0, 0.98, 45.0)]);
    check_recall(Kind::Latency(1.5), Canary, &[(2.0, 0.90, 850.0), (200.0, 0.98, 120.0)]);
    check_recall(Kind::Latency(1.15), Canary, &[(20.0, 0.90, 2000.0), (200.0, 0.90, 900.0)]);
    check_recall(Kind::Tail, Canary, &[(20.0, 0.95, 700.0), (200.0, 0.98, 270.0)]);
}

#[test]
fn without_a_control_the_healthy_stay_and_loud_faults_are_found() {
    check_false_alarms(Kind::Healthy, AllAtOnce, 60, 3);
    check_false_alarms(Kind::Surge, AllAtOnce, 20, 3);
    check_false_alarms(Kind::Dependency(16), AllAtOnce, 20, 3);
    check_recall(Kind::Errors(0.5), AllAtOnce, &[(0.2, 0.98, 120.0), (200.0, 0.98, 30.0)]);
    check_recall(Kind::Errors(0.05), AllAtOnce, &[(2.0, 0.98, 240.0), (200.0, 0.98, 90.0)]);
    check_recall(Kind::Latency(4.0), AllAtOnce, &[(2.0, 0.98, 180.0), (200.0, 0.98, 180.0)]);
}
