//! Others who act on the same Deployments and routes, each by what it holds to be right. None of them looks at how users
//! fare, and none knows of the engine.
//!
//! - GitOps: what the rollout last put in place stands in git. Where the cluster differs (fewer pods of the candidate, less
//!   traffic to it, another template), it is written anew at the next sync, pods and weights at once.
//! - A person at the routes: once.
//! - A leader that lost its lease and does not know it (argo-rollouts#2117): it goes on with the ramp by the clock, whether it
//!   was paused or given up, and waits for ready pods as the rollout's controller does.
//!
//! Left out: a rival that takes the candidate away, and conflicts on one object (every write succeeds, the last one wins).

use super::simulation::World;
use backspin_domain::time::{Millis, MonoTime};
use backspin_platform::SAME_SHARE;
use backspin_scenario::model::Rival;

/// What a rival wants for the candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wish {
    /// Its share of the traffic.
    share: f64,
    /// Whether pods must be ready before traffic is sent to them.
    waits: bool,
}

impl World {
    /// Lets rivals act whose moment it is.
    pub(super) fn rivals_act(&mut self) {
        if !self.delivery.rollout.has_begun() {
            return;
        }
        for place in 0..self.scenario.rivals.len() {
            if let Some(wish) = self.wish(self.scenario.rivals[place]) {
                self.write(wish);
            }
        }
        for place in 0..self.disturbed.rivals.len() {
            let (kind, rival) = self.disturbed.rivals[place];
            if let Some(wish) = self.wish(rival)
                && self.write(wish)
            {
                self.disturbed.strike(kind);
            }
        }
    }

    /// What a rival wants now; nothing between its looks.
    fn wish(&self, rival: Rival) -> Option<Wish> {
        let rollout = &self.delivery.rollout;
        match rival {
            Rival::GitOps { at, lasts, every } if looks(self.now, at, lasts, every) => {
                Some(Wish { share: rollout.share(), waits: false })
            }
            Rival::Operator { at, share } if self.now == at => Some(Wish { share, waits: false }),
            Rival::SecondLeader { at, lasts, every }
                if looks(self.now, at, lasts, every) && rollout.is_stopped() =>
            {
                Some(Wish { share: rollout.planned_share(self.now), waits: true })
            }
            Rival::GitOps { .. } | Rival::Operator { .. } | Rival::SecondLeader { .. } => None,
        }
    }

    /// Writes what differs from the wish, if anything does; more than was wished for is left alone.
    fn write(&mut self, Wish { share, waits }: Wish) -> bool {
        let (candidate, now) = (self.candidate, self.now);
        if share <= 0.0 {
            return false;
        }
        let (pods, from) = (self.delivery.rollout.pods_for(share), self.delivery.rollout.from());
        let cluster = &mut self.delivery.cluster;
        let mut wrote = false;
        if cluster.is_shared() {
            if cluster.template() != candidate || (waits && cluster.is_paused()) {
                cluster.roll_to(candidate, now);
                wrote = true;
            }
        } else {
            if cluster.desired(candidate) < pods {
                cluster.scale(candidate, pods, now);
                wrote = true;
            }
            let ready = self.delivery.cluster.pods().ready(candidate);
            if self.delivery.configured_share(candidate) + SAME_SHARE < share && !(waits && ready < pods) {
                self.delivery.configure(from, candidate, share, now);
                wrote = true;
            }
        }
        if wrote {
            self.touch();
        }
        wrote
    }
}

/// Whether it looks now, being there from `at` on.
fn looks(now: MonoTime, at: MonoTime, lasts: Option<Millis>, every: Millis) -> bool {
    let there = at <= now && lasts.is_none_or(|lasts| now < at + lasts);
    there && now.since(at).0.is_multiple_of(every.0.max(1))
}
