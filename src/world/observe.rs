//! The world as somebody sees it who stands outside of everything and looks after every tick: for invariants, which trust
//! no engine. Plain numbers, nothing is allocated.

use super::simulation::World;
use backspin_domain::observed::{Moment, VERSIONS_MAX};

impl World {
    /// Whether a moment has room for all versions.
    pub fn can_be_observed(&self) -> bool {
        self.versions.len() <= VERSIONS_MAX
    }

    /// Writes down how the world stands. What only the driver of an engine knows (leases, engines, the kill switch) is left
    /// as it is.
    pub fn observe(&self, moment: &mut Moment) {
        let (cluster, capacity) = (&self.delivery.cluster, self.scenario.service.pod_capacity_rps);
        moment.at = self.now;
        moment.capacity_rps = 0.0;
        moment.demand_rps = self.demand_rps;
        (moment.harmed, moment.harmed_by_deploy) = (0.0, 0.0);
        for (index, version) in self.versions.iter().enumerate().take(VERSIONS_MAX) {
            let share = self.delivery.share(index);
            let ready = cluster.pods().ready(index);
            moment.configured[index] = self.delivery.configured_share(index);
            moment.in_force[index] = share;
            moment.wanted[index] = cluster.desired(index);
            moment.ready[index] = ready;
            moment.existing[index] = cluster.existing(index) as u32;
            moment.schema_failing[index] = self.database.failing(index);
            if share > 0.0 {
                moment.capacity_rps += f64::from(ready) * capacity;
                moment.harmed += share * version.harm.level.harmed();
                moment.harmed_by_deploy += share * version.harm.by_deploy;
            }
        }
        moment.schema = self.database.is_there().then(|| self.database.at() as u8);
        moment.schema_reverting = self.database.reverting_to().is_some();
        moment.flags_off = self.flags.off();
        moment.infrastructure_back = self.infrastructure.back().count() as u32;
        moment.discovery = self.effects.discovery.map(|(version, _)| version as u8);
        moment.rollout_paused = self.delivery.rollout.is_paused();
        moment.rollout_aborted = self.delivery.rollout.is_aborted();
        moment.quiet_until = self.effects.quiet_until();
        moment.pages = self.effects.pages();
        moment.notices = self.effects.notices();
    }
}
