//! Scaling: one ReplicaSet follows `replicas`; in the middle of a rollout all follow in proportion.

use super::deployment::Deployment;
use super::replica_set::ReplicaSet;

impl Deployment {
    /// Whether an active ReplicaSet was sized for another `replicas` (`isScalingEvent`).
    pub(super) fn is_scaling(&self) -> bool {
        let active = self.replica_sets.iter().filter(|set| set.replicas > 0);
        active.into_iter().any(|set| set.desired_replicas != self.spec.replicas)
    }

    /// Sizes the ReplicaSets for `replicas` (`scale`); whether anything changed.
    pub(super) fn scale_replica_sets(&mut self) -> bool {
        let active = self.replica_sets.iter().filter(|set| set.replicas > 0).count();
        if active <= 1 {
            return self.active_or_newest().is_some_and(|index| self.resize(index, self.spec.replicas));
        }
        if let Some(new) = self.new_set().filter(|&new| self.is_saturated(&self.replica_sets[new])) {
            let mut is_changed = false;
            for old in (0..self.replica_sets.len()).filter(|&index| index != new) {
                is_changed |= self.resize(old, 0);
            }
            return is_changed;
        }
        self.scale_in_proportion()
    }

    /// `FindActiveOrLatest` for at most one active ReplicaSet.
    fn active_or_newest(&self) -> Option<usize> {
        let active = self.replica_sets.iter().position(|set| set.replicas > 0);
        active.or_else(|| self.new_set()).or_else(|| self.replica_sets.len().checked_sub(1))
    }

    /// `IsSaturated`.
    fn is_saturated(&self, set: &ReplicaSet) -> bool {
        let replicas = self.spec.replicas;
        set.replicas == replicas && set.desired_replicas == replicas && set.status.available == replicas
    }

    /// Shares pods to add or remove by size, the largest ReplicaSet taking the rest.
    fn scale_in_proportion(&mut self) -> bool {
        let allowed = if self.spec.replicas > 0 { i64::from(self.spec.pods_max()) } else { 0 };
        let to_add = allowed - i64::from(self.pods_wanted());
        // Largest first; of equals the newest when growing, the oldest when shrinking.
        let mut order: Vec<usize> = (0..self.replica_sets.len()).collect();
        order.retain(|&index| self.replica_sets[index].replicas > 0);
        if to_add > 0 {
            order.reverse();
        }
        order.sort_by_key(|&index| std::cmp::Reverse(self.replica_sets[index].replicas));

        let mut added = 0;
        let mut sizes: Vec<i64> = Vec::with_capacity(order.len());
        for &index in &order {
            let set = &self.replica_sets[index];
            let share = self.proportion(set, to_add, added);
            added += share;
            sizes.push(i64::from(set.replicas) + share);
        }
        if let Some(largest) = sizes.first_mut() {
            *largest = (*largest + to_add - added).max(0);
        }
        let mut is_changed = false;
        for (&index, &size) in order.iter().zip(&sizes) {
            let size = u32::try_from(size.max(0)).unwrap_or(u32::MAX);
            is_changed |= self.resize(index, size);
            is_changed |= self.note_size(index);
        }
        is_changed
    }

    /// Notes for which `replicas` a ReplicaSet has its size, also when the size stands.
    fn note_size(&mut self, index: usize) -> bool {
        let (desired_replicas, max_replicas) = (self.spec.replicas, self.spec.pods_max());
        let set = &mut self.replica_sets[index];
        let is_changed = set.desired_replicas != desired_replicas || set.max_replicas != max_replicas;
        (set.desired_replicas, set.max_replicas) = (desired_replicas, max_replicas);
        is_changed
    }

    /// `GetReplicaSetProportion`: the ReplicaSet's part of `to_add`, of which `added` are given out.
    fn proportion(&self, set: &ReplicaSet, to_add: i64, added: i64) -> i64 {
        let allowed = to_add - added;
        if allowed == 0 {
            return 0;
        }
        let fraction = self.fraction(set);
        if to_add > 0 { fraction.min(allowed) } else { fraction.max(allowed) }
    }

    /// `getReplicaSetFraction`: growth of the ReplicaSet if it kept its share of all pods, halves away from zero.
    fn fraction(&self, set: &ReplicaSet) -> i64 {
        let size = i64::from(set.replicas);
        if self.spec.replicas == 0 {
            return -size;
        }
        let before = i64::from(if set.max_replicas > 0 { set.max_replicas } else { self.status.replicas });
        if before == 0 {
            return 0;
        }
        let scaled = size * i64::from(self.spec.pods_max());
        (2 * scaled + before) / (2 * before) - size
    }
}
