//! What pods were given and counted: a version's counts split over them, and what a scrape sees of each.

use super::super::scrape::Counts;
use super::{Phase, PodSeen, Pods};

impl Pods {
    /// Expects `n` more attempts at the ready pods of a version, of which `odd` gives one pod its own number.
    pub(crate) fn expect(&mut self, version: usize, n: f64, odd: Option<(u64, f64)>) {
        let odd_ready = odd.filter(|&(ordinal, _)| self.is_ready(version, ordinal));
        let others = self.versions[version].ready - u32::from(odd_ready.is_some());
        let each = if others > 0 { n / f64::from(others) } else { 0.0 };
        for pod in self.list.iter_mut().filter(|pod| pod.version == version && pod.phase == Phase::Ready) {
            match odd_ready {
                Some((ordinal, odd)) if ordinal == pod.ordinal => pod.counts.odd += odd,
                Some(_) | None => pod.counts.expected += each,
            }
        }
    }

    /// Whether any pod of a version is being stopped.
    pub(crate) fn any_drains(&self, version: usize) -> bool {
        self.list.iter().any(|pod| pod.version == version && pod.phase == Phase::Draining)
    }

    /// An interval is over of which nobody asks which pod of a version counted what.
    pub(crate) fn forget_expected(&mut self, version: usize) {
        for pod in self.list.iter_mut().filter(|pod| pod.version == version) {
            (pod.counts.expected, pod.counts.odd) = (0.0, 0.0);
        }
    }

    /// Splits what a version counted in an interval over its pods, each by what it was given.
    pub(crate) fn split(&mut self, version: usize, tick: u64, plain: &Counts, odd: &Counts) {
        let weights = self.list.iter().filter(|pod| pod.version == version).map(|pod| pod.counts.expected);
        let parts = self.splitter.split(version, tick, plain, weights);
        for (pod, part) in self.list.iter_mut().filter(|pod| pod.version == version).zip(parts) {
            pod.counts.take(part);
            if pod.counts.odd > 0.0 {
                pod.counts.take_all(odd);
            }
            (pod.counts.expected, pod.counts.odd) = (0.0, 0.0);
        }
    }

    /// What is seen of the pods of a version that are listed, oldest first; what they counted begins anew.
    pub(crate) fn see(&mut self, version: usize, mut seen: impl FnMut(PodSeen)) {
        let at_rest = self.memory_at_rest;
        for pod in self.list.iter_mut().filter(|pod| pod.version == version) {
            let listed = match pod.phase {
                Phase::Ready | Phase::Restarting => true,
                Phase::Starting => false,
                Phase::Draining => pod.counts.requests > 0,
            };
            if !listed {
                continue;
            }
            let mut counts = std::mem::take(&mut pod.counts);
            pod.counts.restarts_seen = pod.restarts;
            counts.restarts = pod.restarts - counts.restarts_seen;
            seen(PodSeen {
                number: pod.number,
                ordinal: pod.ordinal,
                ready: pod.phase == Phase::Ready,
                memory_ratio: (at_rest + pod.leaked).min(1.0),
                counts,
            });
        }
    }
}
