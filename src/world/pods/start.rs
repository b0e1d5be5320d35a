//! How pods start, and what a plan keeps from it: an image that is gone or slow to come, a quota that is used up.

use backspin_mocks::controllers::PodId;

use super::{PROBE_PERIOD_S, Phase, Pods, START_LOG_SD, millis, pod_tick};
use crate::draw::Draw;
use backspin_domain::fault::FaultKind;
use backspin_domain::time::{Millis, MonoTime};

/// What keeps pods from starting, besides what a scenario says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hinder {
    /// Of all images only this version's can be had.
    pub(crate) gone: Option<usize>,
    /// Pulls take so much longer.
    pub(crate) slow: Option<Millis>,
    /// No more pods are admitted.
    pub(crate) full: bool,
    /// What made a difference since this was last taken.
    pub(crate) struck: Vec<FaultKind>,
}

impl Hinder {
    fn lacks_image(&self, version: usize) -> bool {
        self.gone.is_some_and(|there| there != version)
    }
}

impl Pods {
    /// A pod begins to start.
    pub(crate) fn start(&mut self, deployment: usize, id: PodId, version: usize, now: MonoTime) {
        let mut pod = self.born(deployment, id, version, now);
        pod.due = self.start_due(version, pod.ordinal, now);
        self.wake_at(pod.due);
        self.list.push(pod);
        self.changed = true;
    }

    /// When a pod that begins to start now is ready; none where something keeps it from that.
    pub(super) fn start_due(&mut self, version: usize, ordinal: u64, now: MonoTime) -> Option<MonoTime> {
        if !self.versions[version].starts {
            return None;
        }
        if self.hinder.full {
            self.hinder.struck.push(FaultKind::Quota);
            return None;
        }
        if self.hinder.lacks_image(version) {
            self.hinder.struck.push(FaultKind::ImageGone);
            return None;
        }
        let mut draw = Draw::at(self.start_key, pod_tick(version, ordinal));
        let start_s = draw.lognormal(self.model.pull_s, START_LOG_SD)
            + draw.lognormal(self.model.init_s, START_LOG_SD)
            + draw.between((0.0, PROBE_PERIOD_S));
        let slower = self.hinder.slow.inspect(|_| self.hinder.struck.push(FaultKind::SlowPull));
        Some(now + millis(start_s) + slower.unwrap_or(Millis::ZERO))
    }

    /// Pods that wait for something that may be there again begin anew.
    pub(crate) fn admit(&mut self, now: MonoTime) {
        for place in 0..self.list.len() {
            let pod = &self.list[place];
            if pod.phase == Phase::Starting && pod.due.is_none() {
                let due = self.start_due(pod.version, pod.ordinal, now);
                self.list[place].due = due;
                self.wake_at(due);
            }
        }
    }

    /// Whether the version's image cannot be had.
    pub(super) fn has_no_image(&self, version: usize) -> bool {
        !self.versions[version].starts || self.hinder.lacks_image(version)
    }
}
