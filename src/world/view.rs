//! What can be seen of the world: frames for the engine's direct plane, the same scrape as Prometheus series,
//! and, apart from both, the truth.

use super::faults::ArmKind;
use super::incident::Defect;
use super::information::{self, Arms, Floor, Information};
use super::ledger::Unseen;
use super::replicas::Stale;
use super::scrape::Counts;
use super::service::{Conditions, Load};
use super::simulation::{World, memory_pressure};
use super::truth;
use backspin_domain::frame::{ArmIncrements, Frame, RolloutView};
use backspin_domain::pod::{PodArm, PodIncrements};
use backspin_domain::signal::Quality;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{Cause, Milestone, Truth, TruthTick};

/// What the last scrape saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    at: MonoTime,
    candidate: Option<ArmIncrements>,
    stable: Option<ArmIncrements>,
    rollout: RolloutView,
    /// Candidate's first. Empty before the deploy.
    pods: Vec<PodIncrements>,
}

impl World {
    /// Closes the interval that ends now: draws its counts and looks at all that is scraped, if anybody wants to know, and books
    /// what was really so.
    pub(crate) fn scrape(&mut self) {
        if !self.scraper.rests {
            self.look();
        }
        let information = if self.disturbed.unscored { Information::default() } else { self.information() };
        let unseen = self.unseen();
        self.ledger.close(self.now, information, unseen);
    }

    /// Nobody looks at scrapes any more: from now on counts, frames and samples stay what they are. What is really so goes
    /// on, and is what it would be if somebody looked.
    pub fn look_away(&mut self) {
        self.scraper.rests = true;
    }

    /// Nobody asks which pod counted what: pods are listed as they would be, with their restarts and memory, and stand as if they
    /// had counted nothing. Nothing else changes.
    pub fn leave_pods_uncounted(&mut self) {
        self.scraper.pods_uncounted = true;
    }

    /// Draws the counts of the interval that ends now and looks at all that is scraped.
    fn look(&mut self) {
        let tick = self.now.0 / self.scenario.timing.scrape.0;
        let due = self.complaints.take_due();
        self.scraper.draw(tick, &self.law.latency, due);
        for (version, counts) in self.scraper.versions.iter_mut().enumerate() {
            counts.see_restarts(self.delivery.cluster.pods().restarts(version));
        }
        self.split_over_pods(tick);
        let mut pods = std::mem::take(&mut self.view.pods);
        pods.clear();
        let begun = self.delivery.rollout.has_begun();
        let candidate = begun.then(|| self.see_arm(ArmKind::Candidate, &mut pods));
        let stable = self.see_arm(ArmKind::Stable, &mut pods);
        let shown = stable.pods_desired > 0
            || stable.pods_ready > 0
            || stable.requests > 0
            || stable.quality != Quality::Fresh;
        let view = View {
            at: self.now,
            candidate,
            stable: shown.then_some(stable),
            rollout: RolloutView {
                since_deploy: self
                    .delivery
                    .rollout
                    .has_begun()
                    .then(|| self.now.since(self.scenario.deploy.at)),
                candidate_share: self.delivery.configured_share(self.candidate),
            },
            pods,
        };
        self.view = view;
    }

    /// While a deploy is watched, what versions counted is told pod by pod.
    fn split_over_pods(&mut self, tick: u64) {
        if !self.delivery.rollout.has_begun() {
            return;
        }
        for version in 0..self.versions.len() {
            let fresh = self.faults.scrape_quality(self.arm_of(version), self.now) == Quality::Fresh;
            let pods = self.delivery.cluster.pods_mut();
            // Whether a pod that drains is listed goes by what it counted since its arm was last seen.
            if self.scraper.pods_uncounted && fresh && !pods.any_drains(version) {
                pods.forget_expected(version);
                continue;
            }
            let [plain, odd] = &self.scraper.versions[version].last;
            pods.split(version, tick, plain, odd);
        }
    }

    /// Looks at the pods of a version.
    fn see_pods(&mut self, version: usize, arm: PodArm, pods: &mut Vec<PodIncrements>) {
        let state = &self.versions[version];
        let permille = |ratio: f64| libm::round(ratio * 1000.0) as u16;
        self.delivery.cluster.pods_mut().see(version, |pod| {
            let odd = state.odd.filter(|odd| odd.ordinal == pod.ordinal);
            let utilisation = odd.map_or(state.flow, |odd| odd.flow).utilisation;
            let counts = pod.counts;
            pods.push(PodIncrements {
                arm,
                pod: pod.number,
                requests: counts.requests,
                errors: counts.errors,
                conversions: counts.conversions,
                restarts: counts.restarts as u16,
                cpu_permille: if pod.ready { permille(cpu_ratio(utilisation)) } else { 0 },
                memory_permille: permille(pod.memory_ratio),
                latency_buckets: counts.buckets,
            });
        });
    }

    /// Gathers what an arm counted since it was last seen, and its pods; an arm that cannot be scraped goes on counting.
    fn see_arm(&mut self, arm: ArmKind, pods: &mut Vec<PodIncrements>) -> ArmIncrements {
        let quality = self.faults.scrape_quality(arm, self.now);
        if quality != Quality::Fresh {
            return ArmIncrements { quality, ..ArmIncrements::default() };
        }
        if self.delivery.rollout.has_begun() {
            for version in 0..self.versions.len() {
                match (arm, version == self.candidate) {
                    (ArmKind::Candidate, true) => self.see_pods(version, PodArm::Candidate, pods),
                    (ArmKind::Stable, false) => self.see_pods(version, PodArm::Stable, pods),
                    (ArmKind::Candidate, false) | (ArmKind::Stable, true) => {}
                }
            }
        }
        let cluster = &self.delivery.cluster;
        let (mut sum, mut ready, mut desired, mut cpu, mut memory) = (Counts::default(), 0, 0, 0.0, 0.0);
        for (version, counts) in self.scraper.versions.iter_mut().enumerate() {
            if (version == self.candidate) != (arm == ArmKind::Candidate) {
                continue;
            }
            sum.add(&counts.unseen);
            counts.unseen = Counts::default();
            let pods = f64::from(cluster.pods().ready(version));
            ready += cluster.pods().ready(version);
            desired += cluster.desired(version);
            cpu += pods * cpu_ratio(self.versions[version].flow.utilisation);
            memory += pods * cluster.pods().memory_ratio(version);
        }
        let mean = |sum: f64| if ready > 0 { (sum / f64::from(ready)) as f32 } else { 0.0 };
        ArmIncrements {
            quality,
            requests: sum.requests as u32,
            errors: sum.errors as u32,
            conversions: sum.conversions as u32,
            latency_sum_ms: sum.sum_ms,
            latency_buckets: sum.buckets.map(|n| n as u32),
            pods_ready: ready as u16,
            pods_desired: desired as u16,
            restarts: sum.restarts as u16,
            cpu_ratio: mean(cpu),
            memory_ratio: mean(memory),
        }
    }

    /// Copies the last scrape into a frame: arms, rollout and pods. Signals and queries are the plane's and stay as
    /// they are.
    pub fn scrape_into(&self, frame: &mut Frame) {
        let view = &self.view;
        frame.at = view.at;
        frame.interval = self.scenario.timing.scrape;
        frame.rollout = view.rollout;
        frame.candidate = view.candidate;
        frame.baseline = None;
        frame.stable = view.stable;
        frame.pods.clear();
        frame.pods.extend_from_slice(&view.pods);
    }

    /// What is known of the incident before it is played.
    pub fn truth(&self) -> &Truth {
        self.ledger.truth()
    }

    /// What really happened in the interval of the last scrape.
    pub fn take_truth_tick(&mut self) -> TruthTick {
        self.ledger.tick()
    }

    /// Moments reached so far, with their times. Final once the run is over: harm that comes back takes them
    /// back.
    pub fn milestones(&self) -> Vec<(MonoTime, Milestone)> {
        self.ledger.milestones()
    }

    fn has_findings(&self) -> bool {
        self.incident.findings(self.now) > 0 || self.incident.compliance_findings(self.now) > 0
    }

    /// How the candidate is at fault in a way that no request shows.
    fn unseen(&self) -> Unseen {
        if self.ledger.truth().cause != Cause::Candidate {
            return Unseen::Nothing;
        }
        let starts = self.scenario.service.versions[self.candidate].starts;
        let tried = self.delivery.cluster.desired(self.candidate) > 0 && !self.delivery.rollout.is_aborted();
        if !starts && tried {
            Unseen::CannotStart
        } else if self.has_findings() {
            Unseen::Findings
        } else {
            Unseen::Nothing
        }
    }

    /// Information about the fault in the interval that ends now, as if nobody had acted.
    fn information(&self) -> Information {
        let known = self.ledger.truth();
        let Some(onset) = known.onset.filter(|&onset| self.now > onset) else {
            return Information::default();
        };
        let scenario = &self.scenario;
        let overdue = self.now.since(onset).as_secs_f64()
            > 3.0 * (scenario.service.pods.pull_s + scenario.service.pods.init_s);
        if self.has_findings() || (!scenario.service.versions[self.candidate].starts && overdue) {
            return SURE;
        }
        let share = truth::share_at(self.ledger.planned(), self.now);
        let exposed = self.ledger.planned().iter().find(|&&(_, share)| share > 0.0).map(|&(at, _)| at);
        let (defect, memory) =
            truth::planned_defect(&self.incident, scenario, self.candidate, exposed, self.now);
        let pods = f64::from(self.delivery.rollout.pods_for(share));
        let rate_rps = self.ledger.demand_so_far() / scenario.timing.scrape.as_secs_f64();
        let pressure = memory_pressure(memory);
        let warm = Load { rate_rps: rate_rps * share, warm_pods: pods, log_warm_up: 0.0 };
        let short = Load { warm_pods: pods / pressure, log_warm_up: libm::log(pressure), ..warm };
        let seconds = scenario.timing.scrape.as_secs_f64();
        let post = self.law.settle(short, &self.mean_conditions(&defect, self.reads.actual), &mut 0.0);
        let told = |paired: bool| {
            let reads = if paired { self.reads.actual } else { self.reads.clean };
            let pre = self.law.settle(warm, &self.mean_conditions(&Defect::NONE, reads), &mut 0.0);
            let arms = Arms {
                faulty: post.attempts_rps * seconds,
                control: paired.then_some(rate_rps * (1.0 - share) * seconds),
            };
            let floor = if paired {
                Floor::between_arms(&scenario.noise, seconds)
            } else {
                Floor::against_history(&scenario.noise, seconds)
            };
            let sigma = scenario.service.latency.sigma;
            information::of_scrape(&self.law.latency, sigma, arms, &post, &pre, floor)
        };
        let paired = known.concurrent_baseline && share < 1.0;
        let by_arms = told(paired);
        if !paired || self.reads.actual == self.reads.clean {
            return by_arms;
        }
        // Both arms read from the same replicas: what that does only the past tells.
        let by_past = told(false);
        if by_past.forward > by_arms.forward { by_past } else { by_arms }
    }

    /// Conditions without noise.
    fn mean_conditions(&self, defect: &Defect, stale: Stale) -> Conditions {
        let calls = defect.calls_factor * self.misses_full();
        let well = (1.0 - self.base_error)
            * (1.0 - self.dependency.error_ratio(calls))
            * (1.0 - defect.error_ratio)
            * (1.0 - stale.fails);
        Conditions {
            error_ratio: 1.0 - well,
            log_shift: defect.log_latency + self.external.log_latency + self.dependency.log_shift(calls),
            tail_share: defect.tail_share,
            hang_ratio: defect.hang_ratio,
            cost_factor: defect.cost_factor,
            conversion_factor: defect.conversion_factor * stale.keeps,
        }
    }
}

/// Processor use of a pod at this utilisation: a little when idle, all of it when saturated.
pub(crate) fn cpu_ratio(utilisation: f64) -> f64 {
    CPU_IDLE + (1.0 - CPU_IDLE) * utilisation.min(1.0)
}

const CPU_IDLE: f64 = 0.03;

/// What one look tells for certain: far above any judge's threshold, and finite.
const SURE: Information = Information { forward: 100.0, reverse: 100.0 };
