//! Every input and every wake-up, one handler each.

use std::collections::BTreeMap;

use backspin_domain::engine_io::{ApprovalAnswer, Command, JournalEntry, Output, VoidAnswer};
use backspin_domain::event::{Decision, Reason};
use backspin_domain::execution::{EffectState, StepOutcome};
use backspin_domain::frame::Frame;
use backspin_domain::id::{ActorId, Attempt, ExecutionId, ServiceId};
use backspin_domain::service::{Deploy, Inventory, RolloutState};
use backspin_domain::time::{Millis, Now};

use super::decide::observe::Weighed;
use super::decide::severity::Cause;
use super::decide::stance::Streak;
use super::execute::void;
use super::look::LOOK_MAX;
use super::mutation::Mutation;
use super::rollback::{Wish, milder};
use super::state::{Service, next_on_grid};
use super::{Core, Engine};

/// Services that are watched at once, at most.
const SERVICES_MAX: usize = 10_000;

/// A deadline that is met at once leads to another one; more than this many in one moment is a bug.
const WAKES_MAX: usize = 10_000;

impl Engine {
    pub(super) fn on_inventory(&mut self, inventory: Inventory, now: Now) {
        if let Some(service) = self.services.get_mut(&inventory.service) {
            let next = next_on_grid(now.mono, self.core.settings.collect_every);
            service.take_inventory(inventory, now.mono, next);
        } else if self.services.len() < SERVICES_MAX {
            let next = next_on_grid(now.mono, self.core.settings.collect_every);
            let id = inventory.service.clone();
            self.services.insert(id, Service::new(inventory, (self.judges)(), next));
        } else {
            let words = format!("not watched: {SERVICES_MAX} services are watched already");
            self.core.out.page(&inventory.service, words);
        }
    }

    pub(super) fn on_deployed(&mut self, deploy: Deploy, now: Now) {
        let Some(service) = self.services.get_mut(&deploy.service) else {
            let words = format!("deploy of {} is not watched: no inventory was given", deploy.candidate);
            return self.core.out.page(&deploy.service, words);
        };
        if service.deploy.as_ref() == Some(&deploy) {
            return;
        }
        let open = service.active.filter(|_| !self.core.settings.broken.is(Mutation::OutliveDeploy));
        if let Some(run) = open.and_then(|number| self.runs.get_mut(&number)) {
            run.abandon("a new deploy began", &mut self.core.ctx(now));
        }
        if let Some(number) = open {
            self.settle(number, now);
        }
        let next = next_on_grid(now.mono, self.core.settings.collect_every);
        if let Some(service) = self.services.get_mut(&deploy.service) {
            service.begin_watch(deploy, next);
        }
    }

    pub(super) fn on_rollout(&mut self, id: &ServiceId, state: RolloutState) {
        let Some(service) = self.services.get_mut(id) else { return };
        if service.rollout == Some(state) {
            // Told again after a restart: where the traffic is has moved on since.
            return;
        }
        service.rollout = Some(state);
        match state {
            RolloutState::Progressing(share) | RolloutState::Paused(share) => service.share = share.get(),
            RolloutState::Complete => service.share = 1.0,
            // Who gave it up may have moved traffic or not: the next frame tells.
            RolloutState::Aborted => {}
        }
    }

    pub(super) fn on_collected(&mut self, id: &ServiceId, frame: &Frame, now: Now) {
        self.end_watch_if_due(id, now);
        let Some(service) = self.services.get_mut(id) else { return };
        let again = service.last_frame.is_some_and(|last| frame.at <= last);
        if again || frame.at > now.mono || !service.wants_frames() {
            return;
        }
        let after = service.deploy.as_ref().is_some_and(|deploy| frame.at > deploy.at);
        service.note(frame);
        let sample = service.observed.count(frame, after);
        let judged = (!after || service.watching).then(|| service.judge.observe(frame));
        let mut weighed = None;
        if let Some(verdict) = judged.filter(|_| after) {
            let service_id = service.inventory.service.clone();
            self.core.out.journal(JournalEntry::Judged { service: service_id, verdict });
            service.verdict = Some(verdict);
            weighed = Some(service.observed.weigh(frame, &sample, &verdict, &self.core.settings));
        }
        if let Some(number) = service.active.filter(|_| !self.core.settings.broken.is(Mutation::TwoAtOnce)) {
            if let Some(run) = self.runs.get_mut(&number) {
                run.frame(&sample, service, &mut self.core.ctx(now));
            }
            self.settle(number, now);
        } else if let Some(weighed) = weighed {
            if self.core.settings.broken.is(Mutation::BlameFirstService)
                && let Some(first) = self.services.keys().next().cloned()
            {
                return self.apply(&first, weighed, Some(frame), now);
            }
            self.apply(id, weighed, Some(frame), now);
        } else {
            if service.came_back(&sample) {
                let decision = Decision::Escalate(Reason::CameBack);
                service.decide(decision, None, &mut self.core.ctx(now));
            }
            if !service.wants_frames() {
                service.next_collect = None;
            }
        }
    }

    pub(super) fn on_report(&mut self, attempt: Attempt, outcome: StepOutcome, now: Now) {
        let Self { core, services, runs, .. } = self;
        let Some(run) = runs.get_mut(&attempt.execution) else { return };
        let Some(service) = services.get_mut(run.service()) else { return };
        run.report(attempt, outcome, service, &mut core.ctx(now));
        self.settle(attempt.execution, now);
    }

    pub(super) fn on_read(&mut self, attempt: Attempt, state: &EffectState, now: Now) {
        let Self { core, services, runs, .. } = self;
        let Some(run) = runs.get_mut(&attempt.execution) else { return };
        let Some(service) = services.get_mut(run.service()) else { return };
        run.read(attempt, state, service, &mut core.ctx(now));
        self.settle(attempt.execution, now);
    }

    /// The service was listed anew: what it says stands over all that was told before.
    pub(super) fn on_listed(&mut self, id: &ServiceId, inventory: Option<Box<Inventory>>, now: Now) {
        if let (Some(service), Some(inventory)) = (self.services.get_mut(id), inventory) {
            let next = next_on_grid(now.mono, self.core.settings.collect_every);
            service.take_inventory(*inventory, now.mono, next);
        }
        self.end_look(id, now);
    }

    pub(super) fn on_answer(&mut self, answer: &ApprovalAnswer, now: Now) {
        let Self { core, services, runs, .. } = self;
        let run = runs.get_mut(&answer.execution);
        let Some((run, service)) = run.and_then(|run| {
            let service = services.get_mut(run.service())?;
            Some((run, service))
        }) else {
            return void(answer, VoidAnswer::NoSuchExecution, &mut core.ctx(now));
        };
        run.answer(answer, service, &mut core.ctx(now));
        self.settle(answer.execution, now);
    }

    /// The engine is back: whatever it had under way when it went away, it looks at again.
    pub(super) fn on_restarted(&mut self, down: Millis, now: Now) {
        if self.core.settings.broken.is(Mutation::ForgetOpen) {
            self.runs.clear();
            self.services.values_mut().for_each(|service| service.active = None);
        }
        self.core.out.page_again();
        let Self { core, services, runs, .. } = self;
        for service in services.values_mut() {
            service.ask_again(&mut core.ctx(now));
            if let Some(look) = &mut service.look {
                look.until = now.mono + LOOK_MAX;
                core.out.push(Output::List { service: service.inventory.service.clone() });
            }
        }
        // Of executions that are over only the last of each service: its word that alerts may sound may be lost.
        let mut last: BTreeMap<ServiceId, ExecutionId> = BTreeMap::new();
        last.extend(runs.values().map(|run| (run.service().clone(), run.execution.id)));
        for number in last.into_values() {
            let Some(run) = runs.get(&number) else { continue };
            run.lift_again(&mut core.ctx(now));
        }
        let open: Vec<ExecutionId> =
            runs.iter().filter(|(_, run)| !run.is_over()).map(|(&id, _)| id).collect();
        for number in open {
            let Self { core, services, runs, .. } = self;
            let Some(run) = runs.get_mut(&number) else { continue };
            let Some(service) = services.get_mut(run.service()) else { continue };
            run.restarted(down, service, &mut core.ctx(now));
            self.settle(number, now);
        }
    }

    pub(super) fn on_command(&mut self, command: Command, by: &ActorId, now: Now) {
        match command {
            Command::RollBack { service, target, reason } => {
                if !self.services.contains_key(&service) {
                    let words = format!("{by} asked for a rollback, but the service is not known");
                    return self.core.out.page(&service, words);
                }
                let wish = Wish::Person { by, target: target.as_ref(), reason: &reason };
                self.roll_back(&service, &wish, now);
            }
            Command::Stop if self.core.settings.broken.is(Mutation::IgnoreStop) => {}
            Command::Stop => {
                self.core.stopped = true;
                let open: Vec<ExecutionId> = self.runs.keys().copied().collect();
                for number in open {
                    if let Some(run) = self.runs.get_mut(&number) {
                        run.stop(&format!("stopped by {by}"), &mut self.core.ctx(now));
                    }
                    self.settle(number, now);
                }
            }
            Command::Resume => {
                self.core.stopped = false;
                let Self { core, services, .. } = self;
                for service in services.values_mut() {
                    service.released(&mut core.ctx(now));
                }
            }
        }
    }

    /// Ends watches and looks that are over and asks for the collections that are due.
    pub(super) fn wake_services(&mut self, now: Now) {
        let due: Vec<ServiceId> = self
            .services
            .iter()
            .filter(|(_, s)| {
                let all = [s.next_collect, s.watch_end(), s.look_end()];
                all.into_iter().flatten().any(|at| at <= now.mono)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.end_watch_if_due(&id, now);
            self.mind_silence(&id, now);
            let Some(service) = self.services.get_mut(&id) else { continue };
            if service.look_end().is_some_and(|at| at <= now.mono) {
                // Nobody answered: it goes by what it knows.
                self.end_look(&id, now);
            }
            let Some(service) = self.services.get_mut(&id) else { continue };
            if service.next_collect.is_some_and(|at| at <= now.mono) {
                service.next_collect = Some(next_on_grid(now.mono, self.core.settings.collect_every));
                self.core.out.push(Output::Collect { service: id });
            }
        }
    }

    /// Wakes the executions whose deadline has come, until none is due.
    pub(super) fn wake_runs(&mut self, now: Now) {
        for _ in 0..WAKES_MAX {
            let Self { core, services, runs, .. } = self;
            let due = runs
                .iter_mut()
                .find(|(_, run)| run.deadline().is_some_and(|at| at <= run.clock(now, &core.settings)));
            let Some((&number, run)) = due else { return };
            if let Some(service) = services.get_mut(run.service()) {
                run.wake(service, &mut core.ctx(now));
            }
            self.settle(number, now);
        }
    }

    /// A ramp that is still held when its watch ends is a person's affair: a hold does not last for ever (L3).
    fn end_watch_if_due(&mut self, id: &ServiceId, now: Now) {
        let Some(service) = self.services.get_mut(id) else { return };
        if service.watch_end().is_none_or(|end| now.mono < end) {
            return;
        }
        service.watching = false;
        if service.active.is_none()
            && let Some(Decision::Pause(reason)) = &service.decision
        {
            let decision = Decision::Escalate(reason.clone());
            service.decide(decision, None, &mut self.core.ctx(now));
        }
        if !service.wants_frames() {
            service.next_collect = None;
        }
    }

    /// Collections that are never answered are missing data like any other.
    fn mind_silence(&mut self, id: &ServiceId, now: Now) {
        let Self { core: Core { settings, .. }, services, .. } = self;
        let Some(service) = services.get_mut(id).filter(|s| s.watching && s.active.is_none()) else { return };
        let began = service.deploy.as_ref().map(|deploy| deploy.at);
        let heard = service.last_frame.max(began).unwrap_or_default();
        if now.mono.since(heard) <= Millis(settings.collect_every.0.saturating_mul(2)) {
            return;
        }
        if let Some(weighed) = service.observed.weigh_silence(now.mono, settings) {
            self.apply(id, weighed, None, now);
        }
    }

    fn apply(&mut self, id: &ServiceId, weighed: Weighed, frame: Option<&Frame>, now: Now) {
        let Some(service) = self.services.get_mut(id) else { return };
        if service.latched {
            // A person was called; nothing more is begun by itself, but the ramp is held.
            return service.align_rollout(&mut self.core.ctx(now));
        }
        match weighed {
            Weighed::Milder(finding) => milder(service, finding, &mut self.core.ctx(now)),
            Weighed::RollBack(cause) => {
                service.streak = Streak::default();
                self.roll_back_or_hold_ramp(id, cause, frame, now);
            }
        }
    }

    fn roll_back_or_hold_ramp(&mut self, id: &ServiceId, cause: Cause, frame: Option<&Frame>, now: Now) {
        self.roll_back(id, &Wish::Own(cause, frame), now);
        self.hold_ramp_if_refused(id, now);
    }

    /// Where a guard said no, the ramp is held at least, also after a stop was lifted.
    pub(super) fn hold_ramp_if_refused(&mut self, id: &ServiceId, now: Now) {
        if let Some(service) = self.services.get_mut(id)
            && matches!(
                service.decision,
                Some(Decision::Escalate(Reason::Guard(_) | Reason::NoTarget | Reason::NoStrategy))
            )
        {
            service.align_rollout(&mut self.core.ctx(now));
        }
    }
}
