//! From a wish to roll back to an execution: guards, target, event, plan; and what follows when one ends.
//!
//! A person's wish goes the same way as the engine's own (SPEC 2.6).

use backspin_domain::event::{Decision, Reason, RollbackEvent, Severity};
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::frame::Frame;
use backspin_domain::id::{ActorId, ExecutionId, ServiceId, VersionId};
use backspin_domain::plan::{RollbackPlan, Strategy};
use backspin_domain::signal::SignalKind;
use backspin_domain::time::Now;
use backspin_domain::units::Ratio;
use backspin_domain::verdict::{Evidence, Factor};

use super::Engine;
use super::decide::severity::{Cause, severity, trigger};
use super::decide::{attribution, rules, target};
use super::execute::Run;
use super::guard::{self, Guard};
use super::look::{Look, Whose};
use super::mutation::Mutation;
use super::plan;
use super::settings::Settings;
use super::state::{Ctx, Service, next_on_grid};

/// Executions that ended and are still listed; older ones are in the journal.
const ENDED_MAX: usize = 256;

/// Why somebody wants a rollback.
pub(super) enum Wish<'a> {
    /// The engine itself; the frame, if one came, tells why.
    Own(Cause, Option<&'a Frame>),
    /// A person.
    Person { by: &'a ActorId, target: Option<&'a VersionId>, reason: &'a str },
    /// The next strategy, after one that did not help.
    Next(&'a RollbackEvent),
    /// Any of these, after the service was looked at for it.
    Looked(&'a Look),
}

impl Engine {
    /// The plan that would be made now if this person asked for a rollback; nothing is done and nothing written down.
    ///
    /// Errs, in words, where there would be none.
    pub fn propose(&self, id: &ServiceId, by: &ActorId, now: Now) -> Result<RollbackPlan, String> {
        let service = self.services.get(id).ok_or_else(|| format!("service `{id}` is not known"))?;
        let wish = Wish::Person { by, target: None, reason: "asked for a plan" };
        let settings = &self.core.settings;
        if let Some(guard) = self.guarded(service, &wish, now) {
            return Err(guard.words(settings));
        }
        match self.plan(id, &wish, now) {
            Ok((_, plan)) => Ok(plan),
            Err(Obstacle::Guard(guard)) => Err(guard.words(settings)),
            Err(Obstacle::Reason(reason)) => Err(reason.to_string()),
        }
    }

    fn guarded(&self, service: &Service, wish: &Wish<'_>, now: Now) -> Option<Guard> {
        let open = self.runs.values().filter(|run| !run.is_over()).count();
        let facts = guard::Facts {
            stopped: self.core.stopped,
            busy: service.active.is_some(),
            open,
            last_end: service.last_end,
            continuation: wish.whose() == Whose::Next,
            turns: (!wish.is_a_persons())
                .then(|| service.turns(now.mono, self.core.settings.execution.turns.window)),
        };
        let no = if service.deploy.is_none() { Some(Guard::NoDeploy) } else { None };
        no.or_else(|| guard::check(facts, &self.core.settings, now))
    }

    /// Rolls back, or says why not.
    pub(super) fn roll_back(&mut self, id: &ServiceId, wish: &Wish<'_>, now: Now) {
        let Some(service) = self.services.get(id) else { return };
        if service.look.is_some() && !wish.is_a_persons() {
            // It is wished for already.
            return;
        }
        if let Some(guard) = self.guarded(service, wish, now) {
            return self.refuse(id, wish, guard, now);
        }
        match self.plan(id, wish, now) {
            Ok((event, _)) if self.waits_for_a_look(id, wish) => self.look(id, event, wish, now),
            Ok((event, plan)) => self.open(id, event, plan, wish, now),
            Err(Obstacle::Guard(guard)) => self.refuse(id, wish, guard, now),
            Err(Obstacle::Reason(reason)) => self.escalate(id, reason, wish, now),
        }
    }

    fn plan(
        &self,
        id: &ServiceId,
        wish: &Wish<'_>,
        now: Now,
    ) -> Result<(RollbackEvent, RollbackPlan), Obstacle> {
        let settings = &self.core.settings;
        let service = self.services.get(id).ok_or(Obstacle::Guard(Guard::NoDeploy))?;
        let deploy = service.deploy.as_ref().ok_or(Obstacle::Guard(Guard::NoDeploy))?;
        let wished = match wish {
            Wish::Person { target, .. } => *target,
            Wish::Looked(Look { whose: Whose::Person(target), .. }) => target.as_ref(),
            Wish::Own(..) | Wish::Next(_) | Wish::Looked(_) => None,
        };
        let chosen = target::choose(&service.inventory, &deploy.candidate, settings, wished)
            .ok_or(Obstacle::Reason(Reason::NoTarget))?;
        // Before anything is built: a freeze says the same no at every frame.
        let severity = severity_of(service, wish, settings);
        if let Some(closed) = guard::calendar::closed_for(settings, severity, now) {
            return Err(Obstacle::Guard(Guard::Closed(closed)));
        }
        let event = event(service, &deploy.candidate, &chosen.id, wish, self, now);
        let (error_limit, slow_limit) = service.recovery_limits(&settings.planning);
        let callers = self.services.values().filter(|other| other.inventory.depends_on.contains(id));
        let request = plan::Request {
            inventory: &service.inventory,
            target: chosen,
            target_ready: service.ready_at_least(&chosen.id),
            target_had: service.ready_at_most(&chosen.id),
            candidate_ready: service.ready(&deploy.candidate).unwrap_or(0),
            shipped: deploy.kind,
            candidate_share: service.share,
            error_limit,
            slow_limit,
            tried: &service.tried,
            requests_per_sec: service.observed.requests_per_sec(),
            callers: callers.map(|other| other.inventory.service.clone()).collect(),
            settings,
            now,
            event: event.clone(),
        };
        plan::make(request).map(|plan| (event, plan)).ok_or(Obstacle::Reason(Reason::NoStrategy))
    }

    fn open(&mut self, id: &ServiceId, event: RollbackEvent, plan: RollbackPlan, wish: &Wish<'_>, now: Now) {
        let Some(service) = self.services.get_mut(id) else { return };
        let mut ctx = self.core.ctx(now);
        let number = ExecutionId(self.last_execution.saturating_add(1));
        self.last_execution = number.0;
        service.decide(Decision::RollBack(Box::new(event)), None, &mut ctx);
        service.active = Some(number);
        if !plan.strategy.keeps_version() && !wish.is_a_persons() {
            service.turned(now.mono, ctx.settings);
        }
        service.next_collect.get_or_insert(next_on_grid(now.mono, ctx.settings.collect_every));
        let run = Run::open(number, plan, service, &mut ctx);
        self.runs.insert(number, run);
        self.settle(number, now);
    }

    /// A guard says no. Said once; a person who asked is always answered.
    fn refuse(&mut self, id: &ServiceId, wish: &Wish<'_>, guard: Guard, now: Now) {
        let Some(service) = self.services.get_mut(id) else { return };
        if service.blocked == Some(guard) && !wish.is_a_persons() {
            return;
        }
        let words = guard.words(&self.core.settings);
        if service.active.is_some() || service.deploy.is_none() {
            // The decision that stands is not touched by a wish that comes to nothing.
            self.core.out.page(id, Reason::Guard(words).to_string());
            return;
        }
        self.escalate(id, Reason::Guard(words), wish, now);
        if let Some(service) = self.services.get_mut(id) {
            service.blocked = Some(guard);
        }
    }

    fn escalate(&mut self, id: &ServiceId, reason: Reason, wish: &Wish<'_>, now: Now) {
        let Some(service) = self.services.get_mut(id) else { return };
        let mut ctx = self.core.ctx(now);
        let decision = Decision::Escalate(reason);
        if wish.is_a_persons()
            && service.decision.as_ref() == Some(&decision)
            && let Decision::Escalate(reason) = &decision
        {
            ctx.out.page(id, reason.to_string());
        }
        service.decide(decision, None, &mut ctx);
        if service.watching {
            service.align_rollout(&mut ctx);
        }
    }

    /// Draws the consequences when an execution has ended.
    pub(super) fn settle(&mut self, number: ExecutionId, now: Now) {
        let Some(run) = self.runs.get(&number).filter(|run| run.is_over()) else { return };
        let id = run.service().clone();
        let Some(service) = self.services.get_mut(&id).filter(|s| s.active == Some(number)) else { return };
        let mut ctx = self.core.ctx(now);
        service.active = None;
        if run.counts {
            service.last_end = Some(now.mono);
        }
        let plan = &run.execution.plan;
        let mut next = None;
        match run.execution.status {
            ExecutionStatus::Completed | ExecutionStatus::CompletedWithWarnings => {
                service.watching = false;
                if !plan.strategy.keeps_version() {
                    service.taken_back(now.mono);
                }
                let decision = if run.is_unverified() {
                    Decision::Escalate(Reason::DataMissing)
                } else {
                    Decision::Hold(Reason::Cleared)
                };
                service.decide(decision, None, &mut ctx);
            }
            ExecutionStatus::Failed => {
                service.latched = true;
                #[cfg(any(test, feature = "broken"))]
                if ctx.settings.broken.is(Mutation::Loop) {
                    service.begin_anew();
                }
                if plan.strategy.keeps_version() && !ctx.stopped {
                    service.tried.push(plan.strategy);
                    next = Some(plan.event.clone());
                } else {
                    service.decide(Decision::Escalate(Reason::ExecutionFailed), None, &mut ctx);
                    service.align_rollout(&mut ctx);
                }
            }
            ExecutionStatus::Stopped => {
                service.latched = run.counts;
                let words = run.execution.error.clone().unwrap_or_default();
                service.decide(Decision::Escalate(Reason::Guard(words)), None, &mut ctx);
            }
            ExecutionStatus::AwaitingApproval | ExecutionStatus::Running => {}
        }
        if !service.wants_frames() {
            service.next_collect = None;
        }
        self.forget_ended();
        if let Some(event) = next {
            self.roll_back(&id, &Wish::Next(&event), now);
        }
    }

    fn forget_ended(&mut self) {
        let ended = self.runs.values().filter(|run| run.is_over()).count();
        if ended > ENDED_MAX
            && let Some(oldest) = self.runs.iter().find(|(_, run)| run.is_over()).map(|(&id, _)| id)
        {
            self.runs.remove(&oldest);
        }
    }
}

/// Why there is no plan.
enum Obstacle {
    Guard(Guard),
    Reason(Reason),
}

impl Wish<'_> {
    const fn cause(&self) -> Cause {
        match self {
            Self::Own(cause, _) => *cause,
            Self::Person { .. } => Cause::Manual,
            Self::Next(_) | Self::Looked(_) => Cause::Judge,
        }
    }

    /// Whose it is.
    pub(super) fn whose(&self) -> Whose {
        match self {
            Self::Own(..) => Whose::Own,
            Self::Person { target, .. } => Whose::Person(target.cloned()),
            Self::Next(_) => Whose::Next,
            Self::Looked(look) => look.whose.clone(),
        }
    }

    fn is_a_persons(&self) -> bool {
        matches!(self, Self::Person { .. } | Self::Looked(Look { whose: Whose::Person(_), .. }))
    }
}

fn severity_of(service: &Service, wish: &Wish<'_>, settings: &Settings) -> Severity {
    if let Wish::Next(before) = wish {
        return before.severity;
    }
    if let Wish::Looked(look) = wish {
        return look.event.severity;
    }
    let cause = wish.cause();
    let verdict = service.verdict.filter(|_| cause == Cause::Judge);
    severity(settings.severity, cause, &service.observed.effect(service.share), verdict.as_ref())
}

fn event(
    service: &Service,
    candidate: &VersionId,
    target: &VersionId,
    wish: &Wish<'_>,
    engine: &Engine,
    now: Now,
) -> RollbackEvent {
    if let Wish::Next(before) = wish {
        let tried = if service.tried.last() == Some(&Strategy::InfrastructureRollback) {
            "setting its infrastructure back"
        } else {
            "switching its flags off"
        };
        let reason = format!("{}; {tried} did not help", before.reason);
        return RollbackEvent { reason, at: now.mono, wall: now.wall, ..(*before).clone() };
    }
    if let Wish::Looked(look) = wish {
        return RollbackEvent {
            target: target.clone(),
            at: now.mono,
            wall: now.wall,
            ..(*look.event).clone()
        };
    }
    let cause = wish.cause();
    let (frame, by) = match wish {
        Wish::Own(_, frame) => (*frame, None),
        Wish::Person { by, .. } => (None, Some((*by).clone())),
        Wish::Next(_) | Wish::Looked(_) => (None, None),
    };
    let verdict = service.verdict.filter(|_| cause == Cause::Judge);
    let effect = service.observed.effect(service.share);
    let frame = frame.filter(|_| !engine.core.settings.broken.is(Mutation::DropEvidence));
    let evidence = evidence(service, cause, frame, &engine.core.settings);
    let reason = match wish {
        Wish::Person { reason, .. } => (*reason).to_owned(),
        Wish::Own(..) | Wish::Next(_) | Wish::Looked(_) => {
            words(service, candidate, cause, &evidence, engine)
        }
    };
    RollbackEvent {
        trigger: trigger(cause, verdict.as_ref()),
        severity: severity_of(service, wish, &engine.core.settings),
        service: service.inventory.service.clone(),
        current: candidate.clone(),
        target: target.clone(),
        reason,
        verdict,
        evidence,
        effect,
        automated: by.is_none(),
        initiated_by: by.unwrap_or_else(own_name),
        at: now.mono,
        wall: now.wall,
        attribution: attribution::confidence(&service.observed.ring).map(Ratio::clamped),
    }
}

/// Why, number by number.
fn evidence(service: &Service, cause: Cause, frame: Option<&Frame>, settings: &Settings) -> Evidence {
    let direct = |signal: &str, value: f64, threshold: f64| Evidence {
        words: format!("{signal} is {value:.0}"),
        factors: vec![Factor { signal: signal.to_owned(), value, threshold, impact: 1.0, contribution: 1.0 }],
    };
    match (cause, frame) {
        (Cause::Judge, Some(frame)) => service.judge.evidence(frame),
        (Cause::Security, Some(frame)) => {
            direct("security_findings", frame.signals.get(SignalKind::SecurityFindings).value, 0.0)
        }
        (Cause::Compliance, Some(frame)) => {
            direct("compliance_findings", frame.signals.get(SignalKind::ComplianceFindings).value, 0.0)
        }
        (Cause::NotReady, Some(frame)) => {
            direct("pods_ready", frame.candidate.map_or(0.0, |arm| f64::from(arm.pods_ready)), 1.0)
        }
        (Cause::Restarting, Some(frame)) => {
            direct("restarts", frame.candidate.map_or(0.0, |arm| f64::from(arm.restarts)), 0.0)
        }
        (Cause::Rule { index, .. }, Some(frame)) => {
            settings.rules.get(index).map(|rule| rules::evidence(rule, frame)).unwrap_or_default()
        }
        (Cause::Silent | Cause::Manual, _) | (_, None) => Evidence::default(),
    }
}

fn words(
    service: &Service,
    candidate: &VersionId,
    cause: Cause,
    evidence: &Evidence,
    engine: &Engine,
) -> String {
    match cause {
        Cause::Security => format!("security findings came with {candidate}"),
        Cause::Compliance => format!("compliance findings came with {candidate}"),
        Cause::NotReady => format!("no pod of {candidate} becomes ready"),
        Cause::Restarting => format!("containers of {candidate} keep restarting"),
        Cause::Silent => {
            format!("no metrics of {candidate} for more than {}", engine.core.settings.missing_data.tolerate)
        }
        Cause::Rule { index, .. } => {
            let name = engine.core.settings.rules.get(index).map_or("", |rule| rule.name.as_str());
            format!("rule `{name}` on {candidate}: {}", evidence.words)
        }
        Cause::Judge | Cause::Manual => {
            format!("judge `{}` failed {candidate}: {}", service.judge.name(), evidence.words)
        }
    }
}

/// Who acts when nobody was asked.
fn own_name() -> ActorId {
    ActorId::new("backspin").expect("letters are a valid name")
}

/// Applies one weighed frame.
pub(super) fn milder(service: &mut Service, finding: super::decide::stance::Finding, ctx: &mut Ctx<'_>) {
    use super::decide::stance;
    let next = stance::next(&mut service.streak, finding, service.decision.as_ref());
    if let Some(decision) = next {
        let outside = Decision::Escalate(Reason::ExternalCause);
        if decision == outside && matches!(service.decision, None | Some(Decision::Hold(_))) {
            // Both are decided: the ramp is held, and a person is called.
            service.decide(Decision::Pause(Reason::ExternalCause), None, ctx);
        }
        service.decide(decision, None, ctx);
    }
    service.align_rollout(ctx);
}
