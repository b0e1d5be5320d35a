//! A plan as it is carried out: which faults have begun, which hold, and how often each took effect.

use backspin_domain::fault::{Condition, FaultKind, FaultTrace, Part, Place, PlannedFault, When};
use backspin_domain::time::MonoTime;

/// A plan that is being carried out.
#[derive(Clone, Debug)]
pub(super) struct Armed {
    faults: Vec<One>,
    /// When the core heals.
    heals: MonoTime,
}

#[derive(Clone, Copy, Debug)]
struct One {
    plan: PlannedFault,
    /// From when on it holds, once that is known.
    begun: Option<MonoTime>,
    /// Pieces of work that it concerned so far.
    concerned: u32,
    /// Of a fault in the world: whether the world was told.
    told: bool,
    trace: FaultTrace,
}

/// A fault in the world begins or ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    Begins(PlannedFault),
    Ends(FaultKind),
}

impl One {
    fn end(&self, heals: MonoTime) -> Option<MonoTime> {
        let begun = self.begun?;
        if self.plan.never_heals {
            return Some(MonoTime(u64::MAX));
        }
        let end = begun + self.plan.lasts;
        Some(if self.plan.kind.part() == Part::Core { end.min(heals) } else { end })
    }

    /// The fault as it strikes now: what it begins of the core's does not outlast the moment at which the core heals.
    fn as_of(&self, now: MonoTime, heals: MonoTime) -> PlannedFault {
        let mut fault = self.plan;
        if fault.kind.part() == Part::Core && !fault.never_heals && now < heals {
            fault.lasts = fault.lasts.min(heals.since(now));
        }
        fault
    }

    fn holds(&self, now: MonoTime, heals: MonoTime) -> bool {
        let times = if self.plan.kind.is_momentary() { 1 } else { self.plan.times };
        self.begun.is_some_and(|begun| begun <= now)
            && self.end(heals).is_some_and(|end| now < end)
            && (self.trace.effects < times || self.plan.kind.place() == Place::World)
    }
}

impl Armed {
    /// Nothing has begun.
    pub(super) fn new(plan: &[PlannedFault], heals: MonoTime) -> Self {
        let one = |fault: &PlannedFault| One {
            plan: *fault,
            begun: match fault.when {
                When::At(at) => Some(at),
                When::Call(_) | When::Once(_) => None,
            },
            concerned: 0,
            told: false,
            trace: FaultTrace::new(fault.kind),
        };
        Self { faults: plan.iter().map(one).collect(), heals }
    }

    /// Whether there is anything to carry out at all.
    pub(super) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// What became of each.
    pub(super) fn traces(&self) -> Vec<FaultTrace> {
        self.faults.iter().map(|one| one.trace).collect()
    }

    /// Something has come to be so.
    pub(super) fn meet(&mut self, condition: Condition, now: MonoTime) {
        for one in &mut self.faults {
            if one.plan.when == When::Once(condition) {
                one.begun.get_or_insert(now);
            }
        }
    }

    /// A piece of work comes that concerns faults of these kinds: the first of them that holds takes effect on it.
    pub(super) fn hit(&mut self, kinds: &[FaultKind], now: MonoTime) -> Option<PlannedFault> {
        self.hit_if(kinds, now, |_| true)
    }

    /// The same for those that meet a condition; only they are concerned.
    pub(super) fn hit_if(
        &mut self,
        kinds: &[FaultKind],
        now: MonoTime,
        concerns: impl Fn(&PlannedFault) -> bool,
    ) -> Option<PlannedFault> {
        let heals = self.heals;
        let mut hit = None;
        for one in &mut self.faults {
            if !kinds.contains(&one.plan.kind) || !concerns(&one.plan) {
                continue;
            }
            if one.plan.when == When::Call(one.concerned) {
                one.begun.get_or_insert(now);
            }
            one.concerned = one.concerned.saturating_add(1);
            if hit.is_none() && one.holds(now, heals) {
                one.trace.strike(now);
                hit = Some(one.as_of(now, heals));
            }
        }
        hit
    }

    /// The same without a piece of work to count: only for those that begin by time or condition.
    pub(super) fn strike(&mut self, kinds: &[FaultKind], now: MonoTime) -> Option<PlannedFault> {
        let heals = self.heals;
        let due = |one: &&mut One| {
            kinds.contains(&one.plan.kind) && !matches!(one.plan.when, When::Call(_)) && one.holds(now, heals)
        };
        let one = self.faults.iter_mut().find(due)?;
        one.trace.strike(now);
        Some(one.as_of(now, heals))
    }

    /// An effect is asked for, with which faults in the world may begin.
    pub(super) fn concern_world(&mut self, now: MonoTime) {
        for one in self.faults.iter_mut().filter(|one| one.plan.kind.place() == Place::World) {
            if one.plan.when == When::Call(one.concerned) {
                one.begun.get_or_insert(now);
            }
            one.concerned = one.concerned.saturating_add(1);
        }
    }

    /// Takes note that a fault in the world meets what it is there for, if it holds.
    pub(super) fn struck_if_holding(&mut self, kind: FaultKind, now: MonoTime) {
        if self.holding(kind, now).is_some() {
            self.struck(kind, now);
        }
    }

    /// Whether one of these holds, whatever comes of it.
    pub(super) fn holding(&self, kind: FaultKind, now: MonoTime) -> Option<PlannedFault> {
        let one = self.faults.iter().find(|one| one.plan.kind == kind && one.holds(now, self.heals))?;
        Some(one.as_of(now, self.heals))
    }

    /// A fault of this kind made a difference in the world.
    pub(super) fn struck(&mut self, kind: FaultKind, now: MonoTime) {
        let one = self.faults.iter_mut().filter(|one| one.plan.kind == kind);
        if let Some(one) = one.max_by_key(|one| (one.told, one.begun)) {
            one.trace.strike(now);
        }
    }

    /// The next fault in the world that begins or ends by now.
    pub(super) fn turn(&mut self, now: MonoTime) -> Option<Turn> {
        let heals = self.heals;
        for one in &mut self.faults {
            if one.plan.kind.place() != Place::World {
                continue;
            }
            let holds = one.holds(now, heals);
            if holds != one.told {
                one.told = holds;
                return Some(if holds { Turn::Begins(one.plan) } else { Turn::Ends(one.plan.kind) });
            }
        }
        None
    }

    /// When something begins or ends next by the clock, after now.
    pub(super) fn next(&self, now: MonoTime) -> Option<MonoTime> {
        let edges = self.faults.iter().flat_map(|one| [one.begun, one.end(self.heals)]);
        edges.flatten().filter(|&at| at > now && at.0 < u64::MAX).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::time::Millis;

    const HEALS: MonoTime = MonoTime(100_000);

    fn armed(kind: FaultKind, when: When) -> Armed {
        Armed::new(&[PlannedFault { lasts: Millis(5000), ..PlannedFault::new(kind, when) }], HEALS)
    }

    #[test]
    fn a_fault_begins_with_its_nth_piece_of_work_and_holds_for_its_time() {
        let mut armed = armed(FaultKind::Conflict, When::Call(1));
        let mut hit = |at| armed.hit(&[FaultKind::Conflict], MonoTime(at)).is_some();
        assert!(!hit(1000));
        assert!(hit(2000) && hit(6999));
        assert!(!hit(7000));
        assert_eq!(armed.traces()[0].effects, 2);
    }

    #[test]
    fn the_core_heals_and_the_rest_goes_on() {
        let mut core = armed(FaultKind::Conflict, When::At(MonoTime(99_000)));
        assert!(core.hit(&[FaultKind::Conflict], MonoTime(99_999)).is_some());
        assert!(core.hit(&[FaultKind::Conflict], HEALS).is_none());
        let mut rest = armed(FaultKind::PageFails, When::At(MonoTime(99_000)));
        assert!(rest.hit(&[FaultKind::PageFails], HEALS).is_some());
    }

    #[test]
    fn what_strikes_at_one_moment_strikes_once() {
        let mut armed = armed(FaultKind::TornTail, When::Once(Condition::RollingBack));
        assert!(armed.strike(&[FaultKind::TornTail], MonoTime(1000)).is_none());
        armed.meet(Condition::RollingBack, MonoTime(2000));
        assert!(armed.strike(&[FaultKind::TornTail], MonoTime(2000)).is_some());
        assert!(armed.strike(&[FaultKind::TornTail], MonoTime(2000)).is_none());
    }
}
