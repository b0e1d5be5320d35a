//! The deploy's own controller: it takes the candidate to 100 %, as the scenario plans it, unless it is
//! paused or given up.
//!
//! A canary's share rises when its time has come and the candidate has the ready pods for it; its clock
//! stands still while paused. A rolling deploy changes one Deployment's template, and traffic follows ready
//! pods. A blue-green deploy switches once a full standby is ready; the old version then stands by for a while
//! and is scaled down, unless somebody has taken it in hand. None judges the candidate: that is the
//! engine's part.

use super::cluster::Cluster;
use super::router::Router;
use backspin_domain::service::{RolloutKind, RolloutState};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::units::TrafficShare;
use backspin_scenario::model::{DeployModel, Scenario};

/// Where the deploy stands.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    model: DeployModel,
    replicas: u32,
    from: usize,
    candidate: usize,
    phase: Phase,
    /// The next stage of a canary.
    stage: usize,
    paused_at: Option<MonoTime>,
    paused_for: Millis,
    /// The share last told.
    share: f64,
    /// When the standby that a blue-green switch left behind is scaled down; none before it, and afterwards.
    standby_until: Option<MonoTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Ramping,
    /// At its last share, the old version still serving beside it.
    Held,
    Complete,
    Aborted,
}

/// What the controller did at a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RolloutChange {
    /// It began.
    Began,
    /// It moved.
    Moved(RolloutState),
}

impl Rollout {
    /// Waiting for the deploy.
    pub(crate) fn new(scenario: &Scenario, from: usize, candidate: usize) -> Self {
        Self {
            model: scenario.deploy.clone(),
            replicas: scenario.service.replicas,
            from,
            candidate,
            phase: Phase::Waiting,
            stage: 0,
            paused_at: None,
            paused_for: Millis::ZERO,
            share: 0.0,
            standby_until: None,
        }
    }

    /// Does what is due; at most one change, so that none is lost: call until it gives none.
    pub(crate) fn advance(
        &mut self,
        now: MonoTime,
        cluster: &mut Cluster,
        router: &mut Router,
        spread: impl FnOnce() -> Millis,
    ) -> Option<RolloutChange> {
        if self.standby_until.take_if(|until| *until <= now).is_some() {
            cluster.scale(self.from, 0, now);
        }
        match self.phase {
            Phase::Waiting if now >= self.model.at => {
                self.phase = Phase::Ramping;
                match self.model.kind {
                    RolloutKind::Canary => {}
                    RolloutKind::Rolling => cluster.roll_to(self.candidate, now),
                    RolloutKind::BlueGreen => cluster.scale(self.candidate, self.replicas, now),
                }
                Some(RolloutChange::Began)
            }
            Phase::Ramping if self.paused_at.is_none() => {
                let state = match self.model.kind {
                    RolloutKind::Canary => self.next_stage(now, cluster, router, spread),
                    RolloutKind::Rolling => self.roll(cluster),
                    RolloutKind::BlueGreen => self.switch(now, cluster, router, spread),
                };
                state.map(RolloutChange::Moved)
            }
            Phase::Waiting | Phase::Ramping | Phase::Held | Phase::Complete | Phase::Aborted => None,
        }
    }

    fn next_stage(
        &mut self,
        now: MonoTime,
        cluster: &mut Cluster,
        router: &mut Router,
        spread: impl FnOnce() -> Millis,
    ) -> Option<RolloutState> {
        let Some(&(after, share)) = self.model.steps.get(self.stage) else {
            self.phase = Phase::Held;
            return None;
        };
        if self.elapsed(now) < after {
            return None;
        }
        let pods = self.pods_for(share);
        cluster.scale(self.candidate, pods, now);
        if cluster.pods().ready(self.candidate) < pods {
            return None;
        }
        router.configure(self.from, self.candidate, share, now, spread());
        self.share = share;
        self.stage += 1;
        if share < 1.0 {
            return Some(RolloutState::Progressing(TrafficShare::clamped(share)));
        }
        self.phase = Phase::Complete;
        Some(RolloutState::Complete)
    }

    fn roll(&mut self, cluster: &Cluster) -> Option<RolloutState> {
        let (new, old) = (cluster.pods().ready(self.candidate), cluster.pods().ready(self.from));
        if new >= self.replicas && old == 0 {
            self.phase = Phase::Complete;
            return Some(RolloutState::Complete);
        }
        let share = if new == 0 { 0.0 } else { f64::from(new) / f64::from(new + old) };
        if share == self.share {
            return None;
        }
        self.share = share;
        Some(RolloutState::Progressing(TrafficShare::clamped(share)))
    }

    fn switch(
        &mut self,
        now: MonoTime,
        cluster: &Cluster,
        router: &mut Router,
        spread: impl FnOnce() -> Millis,
    ) -> Option<RolloutState> {
        let after = self.model.steps.first().map_or(Millis::ZERO, |&(after, _)| after);
        if self.elapsed(now) < after || cluster.pods().ready(self.candidate) < self.replicas {
            return None;
        }
        router.configure(self.from, self.candidate, 1.0, now, spread());
        self.share = 1.0;
        self.phase = Phase::Complete;
        self.standby_until = Some(now + self.model.standby_for);
        Some(RolloutState::Complete)
    }

    /// Somebody else has taken the pods in hand: what stands by is not scaled down any more.
    pub(crate) fn keep_standby(&mut self) {
        self.standby_until = None;
    }

    /// Whether what stands by is in somebody's hands.
    pub(crate) fn is_standby_held(&self) -> bool {
        self.phase == Phase::Complete && self.standby_until.is_none()
    }

    /// Whether the ramp stays where it is.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// Stops the ramp where it is; none if there is nothing to stop.
    pub(crate) fn pause(&mut self, now: MonoTime, cluster: &mut Cluster) -> Option<RolloutState> {
        if self.phase != Phase::Ramping || self.paused_at.is_some() {
            return None;
        }
        self.paused_at = Some(now);
        if cluster.is_shared() {
            cluster.set_paused(true, now);
        }
        Some(RolloutState::Paused(TrafficShare::clamped(self.share)))
    }

    /// Lets the ramp go on.
    pub(crate) fn resume(&mut self, now: MonoTime, cluster: &mut Cluster) -> Option<RolloutState> {
        let paused_at = self.paused_at.take()?;
        self.paused_for = self.paused_for + now.since(paused_at);
        if cluster.is_shared() {
            cluster.set_paused(false, now);
        }
        Some(RolloutState::Progressing(TrafficShare::clamped(self.share)))
    }

    /// Gives the deploy up: from now on it moves nothing, neither forth nor back.
    pub(crate) fn abort(&mut self, now: MonoTime, cluster: &mut Cluster) -> Option<RolloutState> {
        match self.phase {
            Phase::Ramping | Phase::Held => {
                self.phase = Phase::Aborted;
                self.paused_at = None;
                if cluster.is_shared() {
                    cluster.set_paused(true, now);
                }
                Some(RolloutState::Aborted)
            }
            Phase::Waiting | Phase::Complete | Phase::Aborted => None,
        }
    }

    /// Where it stands; none before the deploy.
    pub(crate) fn state(&self) -> Option<RolloutState> {
        let share = TrafficShare::clamped(self.share);
        match self.phase {
            Phase::Waiting => None,
            Phase::Ramping if self.paused_at.is_some() => Some(RolloutState::Paused(share)),
            Phase::Ramping | Phase::Held => Some(RolloutState::Progressing(share)),
            Phase::Complete => Some(RolloutState::Complete),
            Phase::Aborted => Some(RolloutState::Aborted),
        }
    }

    /// The share that it last put in place.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// The share that the ramp has by the clock, had nobody held it.
    pub(crate) fn planned_share(&self, now: MonoTime) -> f64 {
        let elapsed = now.since(self.model.at);
        match self.model.kind {
            RolloutKind::Canary => {
                let due = self.model.steps.iter().take_while(|&&(after, _)| after <= elapsed);
                due.last().map_or(0.0, |&(_, share)| share)
            }
            RolloutKind::Rolling | RolloutKind::BlueGreen => 1.0,
        }
    }

    /// The version that it replaces.
    pub(crate) fn from(&self) -> usize {
        self.from
    }

    /// Whether somebody paused it or gave it up.
    pub(crate) fn is_stopped(&self) -> bool {
        self.paused_at.is_some() || self.phase == Phase::Aborted
    }

    /// Whether the deploy has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.phase != Phase::Waiting
    }

    /// Whether the candidate serves all.
    pub(crate) fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// Whether nothing more will come of it.
    pub(crate) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Waiting | Phase::Ramping => false,
            Phase::Held | Phase::Complete | Phase::Aborted => true,
        }
    }

    /// Whether it was given up.
    pub(crate) fn is_aborted(&self) -> bool {
        self.phase == Phase::Aborted
    }

    /// Pods that a canary at this share has.
    pub(crate) fn pods_for(&self, share: f64) -> u32 {
        match self.model.kind {
            RolloutKind::Canary => {
                (libm::ceil(f64::from(self.replicas) * self.model.surge * share - 1e-9) as u32).max(1)
            }
            RolloutKind::Rolling => (libm::round(f64::from(self.replicas) * share) as u32).max(1),
            RolloutKind::BlueGreen => self.replicas,
        }
    }

    fn elapsed(&self, now: MonoTime) -> Millis {
        now.since(self.model.at).saturating_sub(self.paused_for)
    }
}
