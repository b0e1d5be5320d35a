//! From raw samples to a service's frames, one per scrape interval.
//!
//! - **Arms**: what is of the deploy's version is the candidate from the deploy on, all else is stable.
//! - **A frame** holds what was sampled after the frame before it and up to its own moment. Counters are compared with the sample before,
//!   so the first scrape after a gap holds the whole gap.
//! - **A series that is new** counts from zero if its service was scraped shortly before; else nobody knows when it began, and it is where
//!   counting begins.
//! - **An arm without any sample** in an interval is missing, never healthy. An old version without samples for [`GONE_AFTER`], while the
//!   candidate has some, is gone. A candidate that was never seen does not exist for [`APPEARS_WITHIN`], then it is missing.
//! - **Pods** that have samples are ready; how many there should be is not known, and taken for as many.
//!
//! Left out: restarts of containers, which would need metrics of the platform; a dedicated baseline.

use std::collections::{BTreeMap, BTreeSet};

use super::deploys::PastDeploy;
use super::metrics::{Meaning, Metrics, What};
use super::pieces::Window;
use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BUCKETS, RolloutView};
use backspin_domain::pod::{PodArm, PodIncrements};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_plane::http::metrics::{Counter, FirstSample, RawSeries, Sample, bucket, increment, pod_number};

/// Prometheus' look-back: what has no sample for so long is not there any more.
pub const GONE_AFTER: Millis = Millis::from_mins(5);

/// How long a deploy may take until its first pod is scraped.
pub const APPEARS_WITHIN: Millis = Millis::from_mins(10);

/// A service's frames around one deploy.
#[derive(Clone, Debug, Default)]
pub struct Framed {
    /// One per interval; moments count from the window's start.
    pub frames: Vec<Frame>,
    /// When the deploy began.
    pub deployed: MonoTime,
    /// What is to be known of the data.
    pub coverage: Coverage,
}

/// What is to be known of the data of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Series that said something.
    pub series: usize,
    /// Labels that series lacked, and how many did.
    pub lacking: BTreeMap<String, usize>,
    /// Intervals before the deploy in which the service was sampled, and all of them.
    pub before: (usize, usize),
    /// The same from the deploy on, of the candidate.
    pub after: (usize, usize),
    /// When the candidate was first sampled, from the deploy on.
    pub first_seen: Option<Millis>,
    /// Whether the version served before its deploy already.
    pub served_before: bool,
    /// Versions that were seen, for who looks for another.
    pub versions: BTreeSet<String>,
}

/// A series with what it says, as far as it was read.
struct Source<'a> {
    samples: &'a [Sample],
    is_candidate: bool,
    pod: Option<u32>,
    what: What,
    last: Option<Counter>,
}

/// Sums over the series of an arm, or of one of its pods.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    seen: bool,
    all: f64,
    good: f64,
    failed: f64,
    time_ms: f64,
    conversions: f64,
    cpu: (f64, u32),
    memory: (f64, u32),
}

/// What an arm did in one interval.
#[derive(Clone, Debug, Default)]
struct ArmSum {
    sum: Sum,
    /// By bound in milliseconds, as bits so that they are in order: cumulative counts.
    within: BTreeMap<u64, f64>,
    pods: BTreeMap<u32, (Sum, BTreeMap<u64, f64>)>,
}

/// Makes the frames of a deploy.
pub fn frames(metrics: &Metrics, deploy: &PastDeploy, window: Window, series: &[RawSeries]) -> Framed {
    let step = metrics.scrape();
    let mono = |at: WallTime| MonoTime(at.0.abs_diff(window.start.0));
    let deployed = mono(deploy.at);
    let mut framed = Framed { deployed, ..Framed::default() };
    let mut sources = sources(metrics, deploy, series, &mut framed.coverage);
    let mut state = State { deployed, step, ..State::default() };
    let intervals = mono(window.end).0 / step.0;
    for n in 1..=intervals {
        let at = MonoTime(n * step.0);
        let until_ms = window.start.0 + at.0.cast_signed();
        let is_watched = at > deployed;
        let arms = state.interval(&mut sources, until_ms, at, is_watched);
        framed.frames.push(state.frame(at, is_watched, arms, &mut framed.coverage));
    }
    framed
}

fn sources<'a>(
    metrics: &Metrics,
    deploy: &PastDeploy,
    series: &'a [RawSeries],
    coverage: &mut Coverage,
) -> Vec<Source<'a>> {
    let mut sources = Vec::new();
    for one in series {
        let says = match metrics.meaning(one) {
            Meaning::OfArm(says) => says,
            Meaning::Lacks(label) => {
                *coverage.lacking.entry(label).or_default() += 1;
                continue;
            }
            Meaning::ForQueries => continue,
        };
        let is_candidate = deploy.is_of(&says.version);
        coverage.series += 1;
        let counts = matches!(says.what, What::Requests | What::Good | What::Failed);
        let early = |sample: &Sample| sample.at_ms <= deploy.at.0;
        coverage.served_before |= is_candidate && counts && one.samples.first().is_some_and(early);
        if coverage.versions.len() < VERSIONS_MAX {
            coverage.versions.insert(says.version);
        }
        sources.push(Source {
            samples: &one.samples,
            is_candidate,
            pod: says.pod.as_deref().map(pod_number),
            what: says.what,
            last: None,
        });
    }
    sources
}

/// Versions that are remembered for messages.
const VERSIONS_MAX: usize = 20;

/// What is remembered from frame to frame.
#[derive(Clone, Debug, Default)]
struct State {
    deployed: MonoTime,
    step: Millis,
    /// When anything of the service was sampled last.
    sampled: Option<MonoTime>,
    /// When the stable arm was.
    stable_seen: Option<MonoTime>,
    candidate_seen: bool,
    share: f64,
}

impl State {
    /// Takes the samples up to a moment: the candidate's and the stable arm's sums.
    fn interval(
        &mut self,
        sources: &mut [Source<'_>],
        until_ms: i64,
        at: MonoTime,
        is_watched: bool,
    ) -> [ArmSum; 2] {
        let mut arms = [ArmSum::default(), ArmSum::default()];
        let begun = self.sampled.is_some_and(|last| at.since(last) <= GONE_AFTER);
        let first = if begun { FirstSample::Counts } else { FirstSample::IsTheStart };
        let mut sampled = false;
        for source in sources {
            let n = source.samples.partition_point(|sample| sample.at_ms <= until_ms);
            let (now, rest) = source.samples.split_at(n);
            source.samples = rest;
            let Some(newest) = now.last() else { continue };
            sampled = true;
            let arm = &mut arms[usize::from(!(is_watched && source.is_candidate))];
            arm.take(source, now, newest.value, first);
        }
        if sampled {
            self.sampled = Some(at);
        }
        arms
    }

    fn frame(&mut self, at: MonoTime, is_watched: bool, arms: [ArmSum; 2], coverage: &mut Coverage) -> Frame {
        let [candidate, stable] = arms;
        let since_deploy = is_watched.then(|| at.since(self.deployed));
        let covered = if is_watched { &mut coverage.after } else { &mut coverage.before };
        covered.1 += 1;
        covered.0 += usize::from(if is_watched { candidate.sum.seen } else { stable.sum.seen });
        if candidate.sum.seen && !self.candidate_seen {
            self.candidate_seen = true;
            coverage.first_seen = since_deploy;
        }
        if stable.sum.seen {
            self.stable_seen = Some(at);
        }
        let exists = self.candidate_seen || since_deploy.is_some_and(|since| since > APPEARS_WITHIN);
        let is_gone = candidate.sum.seen && self.stable_seen.is_none_or(|last| at.since(last) > GONE_AFTER);
        let mut pods = Vec::new();
        let shown = (is_watched && exists).then(|| candidate.arm());
        let beside = (!is_gone).then(|| stable.arm());
        if is_watched {
            candidate.add_pods(PodArm::Candidate, &mut pods);
            stable.add_pods(PodArm::Stable, &mut pods);
        }
        let requests = |arm: Option<&ArmIncrements>| arm.map_or(0.0, |arm| f64::from(arm.requests));
        let (of, all) = (requests(shown.as_ref()), requests(shown.as_ref()) + requests(beside.as_ref()));
        let whole =
            [shown.as_ref(), beside.as_ref()].into_iter().flatten().all(|arm| arm.quality == Quality::Fresh);
        if whole && all > 0.0 {
            self.share = of / all;
        }
        Frame {
            at,
            interval: self.step,
            rollout: RolloutView { since_deploy, candidate_share: if is_watched { self.share } else { 0.0 } },
            candidate: shown,
            stable: beside,
            pods,
            ..Frame::default()
        }
    }
}

impl ArmSum {
    fn take(&mut self, source: &mut Source<'_>, now: &[Sample], newest: f64, first: FirstSample) {
        let counted = match source.what {
            What::Cpu | What::Memory => newest,
            What::Requests
            | What::Good
            | What::AlsoFailed
            | What::Failed
            | What::Within { .. }
            | What::TimeTimes(_)
            | What::Conversions => increment(&mut source.last, now, first),
        };
        self.sum.add(source.what, counted);
        let bound = match source.what {
            What::Within { bound_ms } => Some(bound_ms.to_bits()),
            _ => None,
        };
        if let Some(bound) = bound {
            *self.within.entry(bound).or_default() += counted;
        }
        if let Some(number) = source.pod {
            let (sum, within) = self.pods.entry(number).or_default();
            sum.add(source.what, counted);
            if let Some(bound) = bound {
                *within.entry(bound).or_default() += counted;
            }
        }
    }

    fn arm(&self) -> ArmIncrements {
        let sum = &self.sum;
        if !sum.seen {
            return ArmIncrements { quality: Quality::Missing, ..ArmIncrements::default() };
        }
        // Without pods of its own an arm is as good as one.
        let pods = u16::try_from(self.pods.len().max(1)).unwrap_or(u16::MAX);
        let (requests, errors) = sum.requests();
        ArmIncrements {
            quality: Quality::Fresh,
            requests,
            errors,
            conversions: sum.conversions as u32,
            latency_sum_ms: sum.time_ms,
            latency_buckets: between(&self.within),
            pods_ready: pods,
            pods_desired: pods,
            restarts: 0,
            // How much work that is for a request, only the number of pods tells.
            cpu_ratio: if self.pods.is_empty() { 0.0 } else { mean(sum.cpu) as f32 },
            memory_ratio: mean(sum.memory) as f32,
        }
    }

    fn add_pods(&self, arm: PodArm, pods: &mut Vec<PodIncrements>) {
        for (&pod, (sum, within)) in &self.pods {
            let (requests, errors) = sum.requests();
            pods.push(PodIncrements {
                arm,
                pod,
                requests,
                errors,
                conversions: sum.conversions as u32,
                restarts: 0,
                cpu_permille: (mean(sum.cpu) * 1000.0) as u16,
                memory_permille: (mean(sum.memory) * 1000.0) as u16,
                latency_buckets: between(within),
            });
        }
    }
}

impl Sum {
    fn add(&mut self, what: What, n: f64) {
        // Gauges alone do not tell that requests were counted.
        self.seen |= matches!(what, What::Requests | What::Good | What::Failed);
        match what {
            What::Requests => self.all += n,
            What::Good => self.good += n,
            What::AlsoFailed => self.failed += n,
            What::Failed => (self.failed, self.all) = (self.failed + n, self.all + n),
            What::TimeTimes(times) => self.time_ms += n * times,
            What::Conversions => self.conversions += n,
            What::Cpu if n.is_finite() => self.cpu = (self.cpu.0 + n, self.cpu.1 + 1),
            What::Memory if n.is_finite() => self.memory = (self.memory.0 + n, self.memory.1 + 1),
            What::Within { .. } | What::Cpu | What::Memory => {}
        }
    }

    /// All requests, and those that failed.
    fn requests(&self) -> (u32, u32) {
        let all = (self.all + self.good) as u32;
        (all, (self.failed as u32).min(all))
    }
}

/// Counts between the bounds. A bound that counts less than the one below it has nothing of its own.
fn between(within: &BTreeMap<u64, f64>) -> [u32; LATENCY_BUCKETS] {
    let mut buckets = [0; LATENCY_BUCKETS];
    let mut below = 0.0;
    for (&bound, &n) in within {
        if n > below {
            buckets[bucket(f64::from_bits(bound))] += (n - below) as u32;
            below = n;
        }
    }
    buckets
}

fn mean((sum, n): (f64, u32)) -> f64 {
    if n == 0 { 0.0 } else { sum / f64::from(n) }
}
