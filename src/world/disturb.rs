//! What a plan of faults does to the world, besides what the scenario says. Whoever carries the plan out says when each
//! begins and ends; the world says when one made a difference.
//!
//! Left out: nodes as such. Where one is lost, a part of all containers dies at once.

use super::delivery::Stale;
use super::simulation::World;
use backspin_domain::fault::{FaultKind, FaultTarget, PlannedFault};
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{Arms, Rival, WorldEvent};

/// What was disturbed and is so now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disturbed {
    /// Clients go on seeing flags as they are.
    pub(crate) flags_stale: bool,
    /// Discovery takes so much longer.
    pub(crate) discovery: Option<Millis>,
    /// Schema scripts fail at their end.
    pub(crate) script_fails: bool,
    /// Schema scripts take so much longer.
    pub(crate) script_slow: Option<Millis>,
    /// Others who act, besides the scenario's, each until then.
    pub(crate) rivals: Vec<(FaultKind, Rival)>,
    /// Causes outside the deploy, each until then.
    outside: Vec<(FaultKind, MonoTime)>,
    /// Whether nobody scores the run by what each scrape could tell.
    pub(crate) unscored: bool,
    /// What made a difference since this was last asked.
    struck: Vec<FaultKind>,
}

impl Disturbed {
    /// It makes a difference now.
    pub(crate) fn strike(&mut self, kind: FaultKind) {
        self.struck.push(kind);
    }
}

impl World {
    /// A planned fault begins. Those that do not sit in the world are none of its business.
    pub fn disturb(&mut self, fault: &PlannedFault) {
        let now = self.now;
        match fault.kind {
            FaultKind::RouterStuck => self.faults.router_stuck = true,
            FaultKind::StaleProxies => {
                self.delivery.stale = Some(Stale::new(self.delivery.router.in_force(), fault.share));
            }
            FaultKind::FlagsDown => self.faults.flags_down = true,
            FaultKind::FlagsStale => self.disturbed.flags_stale = true,
            FaultKind::DiscoveryLate => self.disturbed.discovery = Some(fault.by),
            FaultKind::ScriptFails => self.disturbed.script_fails = true,
            FaultKind::ScriptSlow => self.disturbed.script_slow = Some(fault.by),
            FaultKind::ImageGone => self.delivery.cluster.pods_mut().hinder.gone = Some(self.candidate),
            FaultKind::SlowPull => self.delivery.cluster.pods_mut().hinder.slow = Some(fault.by),
            FaultKind::Quota => self.delivery.cluster.pods_mut().hinder.full = true,
            FaultKind::NodeLost => self.lose_containers(fault.share),
            FaultKind::PodOut => {
                let arm = arms(fault.target);
                self.happens(
                    fault,
                    WorldEvent::PodOut { at: now, lasts: fault.lasts, arm, crash_loops: true },
                );
            }
            FaultKind::TrafficSurge => {
                let factor = 1.0 + SURGE_MAX * fault.share;
                self.happens(fault, WorldEvent::Surge { at: now, lasts: fault.lasts, factor });
            }
            FaultKind::NoisyNeighbour => {
                let latency_factor = 1.0 + SLOWER_MAX * fault.share;
                self.happens(
                    fault,
                    WorldEvent::NoisyNeighbour { at: now, lasts: fault.lasts, latency_factor },
                );
            }
            FaultKind::GitOps => self.joins(fault, |lasts| Rival::GitOps { at: now, lasts, every: SYNC }),
            FaultKind::SecondLeader => {
                self.joins(fault, |lasts| Rival::SecondLeader { at: now, lasts, every: SYNC });
            }
            // Its moment is the next tick: rivals act in ticks.
            FaultKind::SecondOperator => {
                let at = now + self.scenario.timing.tick;
                self.joins(fault, |_| Rival::Operator { at, share: fault.share });
            }
            _ => return,
        }
        self.touch();
    }

    /// A planned fault ends.
    pub fn relieve(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::RouterStuck => self.faults.router_stuck = false,
            FaultKind::StaleProxies => self.delivery.renew_proxies(),
            FaultKind::FlagsDown => self.faults.flags_down = false,
            FaultKind::FlagsStale => self.disturbed.flags_stale = false,
            FaultKind::DiscoveryLate => self.disturbed.discovery = None,
            FaultKind::ScriptFails => self.disturbed.script_fails = false,
            FaultKind::ScriptSlow => self.disturbed.script_slow = None,
            FaultKind::ImageGone => self.admit_pods(|hinder| hinder.gone = None),
            FaultKind::SlowPull => self.admit_pods(|hinder| hinder.slow = None),
            FaultKind::Quota => self.admit_pods(|hinder| hinder.full = false),
            FaultKind::GitOps | FaultKind::SecondLeader | FaultKind::SecondOperator => {
                self.disturbed.rivals.retain(|(of, _)| *of != kind);
            }
            _ => return,
        }
        self.touch();
    }

    /// Nobody will score this run by what each scrape could tell: that is worked out no more and stands as nothing in the
    /// truth. Nothing else changes.
    pub fn is_not_scored(&mut self) {
        self.disturbed.unscored = true;
    }

    /// What made a difference since the last call, in order.
    pub fn take_struck(&mut self) -> Vec<FaultKind> {
        let mut struck = std::mem::take(&mut self.disturbed.struck);
        struck.append(&mut self.delivery.cluster.pods_mut().hinder.struck);
        struck
    }

    fn happens(&mut self, fault: &PlannedFault, event: WorldEvent) {
        self.incident.happens(event);
        self.disturbed.outside.push((fault.kind, self.now + fault.lasts));
    }

    fn joins(&mut self, fault: &PlannedFault, rival: impl FnOnce(Option<Millis>) -> Rival) {
        let lasts = (!fault.never_heals).then_some(fault.lasts);
        self.disturbed.rivals.push((fault.kind, rival(lasts)));
    }

    fn admit_pods(&mut self, change: impl FnOnce(&mut super::pods::Hinder)) {
        let pods = self.delivery.cluster.pods_mut();
        change(&mut pods.hinder);
        pods.admit(self.now);
    }

    /// A share of each version's ready containers dies, at least one of all.
    fn lose_containers(&mut self, share: f64) {
        let ready = |world: &Self, version: usize| world.delivery.cluster.pods().ready(version);
        let mut lost = 0;
        for version in 0..self.versions.len() {
            let pods = f64::from(ready(self, version));
            let most = libm::floor(pods * share) as u32;
            lost += self.kill(version, most);
        }
        if lost == 0 {
            let fullest = (0..self.versions.len()).max_by_key(|&version| ready(self, version));
            lost = fullest.map_or(0, |version| self.kill(version, 1));
        }
        if lost > 0 {
            self.disturbed.strike(FaultKind::NodeLost);
        }
    }

    fn kill(&mut self, version: usize, most: u32) -> u32 {
        let mut killed = 0;
        while killed < most {
            let Some(ordinal) = self.delivery.cluster.pods().first_ready(version) else { break };
            self.delivery.cluster.crash(version, ordinal, self.now);
            killed += 1;
        }
        killed
    }

    /// Whether a pod is out by plan.
    pub(super) fn pod_is_out_by_plan(&self) -> bool {
        self.disturbed.outside.iter().any(|(kind, until)| *kind == FaultKind::PodOut && self.now < *until)
    }

    /// Takes note of causes outside the deploy that act through flows alone.
    pub(super) fn notice_outside(&mut self) {
        let Disturbed { outside, struck, .. } = &mut self.disturbed;
        let acts = |(kind, until): &&(FaultKind, MonoTime)| *kind != FaultKind::PodOut && self.now < *until;
        struck.extend(outside.iter().filter(acts).map(|(kind, _)| *kind));
    }
}

const fn arms(target: FaultTarget) -> Arms {
    match target {
        FaultTarget::All => Arms::All,
        FaultTarget::Candidate => Arms::Candidate,
        FaultTarget::Stable => Arms::Stable,
    }
}

/// Demand rises by at most this multiple of what it is: beyond, no service of the shipped sizes stands.
const SURGE_MAX: f64 = 2.0;

/// Response times grow by at most this multiple of what they are.
const SLOWER_MAX: f64 = 4.0;

/// Between two looks of those who write back what they hold to be right.
const SYNC: Millis = Millis::from_secs(30);
