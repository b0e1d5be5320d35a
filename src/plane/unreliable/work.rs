//! What a plan of faults does to work on its way from the engine.

use super::{Simulated, Unreliable, Waiting};
use backspin_domain::engine_io::{Input, Output};
use backspin_domain::execution::{EffectState, FailureReason, StepOutcome};
use backspin_domain::fault::{Condition, FaultKind, PlannedFault, When};
use backspin_domain::observed::Answered;
use backspin_domain::plan::{Actuator, StepAction};

/// What the API answers to a write that it does not take.
const REFUSING: [FaultKind; 4] =
    [FaultKind::Conflict, FaultKind::Rejected, FaultKind::Forbidden, FaultKind::ApiDown];

impl<S: Simulated> Unreliable<S> {
    /// Takes a piece of work of the engine that leads.
    pub(super) fn take(&mut self, work: Output) {
        match &work {
            Output::StartStep { action, .. } => {
                self.armed.meet(Condition::RollingBack, self.now);
                if matches!(action, StepAction::UpdateServiceDiscovery { .. } | StepAction::Notify { .. }) {
                    self.armed.meet(Condition::Closing, self.now);
                }
                self.armed.concern_world(self.now);
                self.turn_world();
                let flags = action.actuator() == Some(Actuator::Flags);
                if flags {
                    self.armed.struck_if_holding(FaultKind::FlagsDown, self.now);
                }
                self.start(work);
                self.people_speak(|fault| matches!(fault.when, When::Call(_)));
            }
            Output::ReadStep { attempt, .. } => {
                let attempt = *attempt;
                let words = match self.armed.hit(&[FaultKind::ApiDown, FaultKind::Forbidden], self.now) {
                    Some(fault) if fault.kind == FaultKind::ApiDown => "the API does not answer",
                    Some(_) => "403 Forbidden",
                    None => return self.pass(work, Answered::CarriedOut),
                };
                self.note(work, Answered::Refused);
                let state = EffectState::Unreadable(words.to_owned());
                self.inputs.push_back(Input::StepRead { attempt, state });
            }
            Output::List { service } => {
                let service = service.clone();
                let kinds = [FaultKind::ApiDown, FaultKind::Forbidden, FaultKind::Throttled];
                match self.armed.hit(&kinds, self.now) {
                    None => self.pass(work, Answered::CarriedOut),
                    Some(fault) if fault.kind == FaultKind::Throttled => self.delay(work, fault.by),
                    Some(_) => {
                        self.note(work, Answered::Refused);
                        self.inputs.push_back(Input::Listed { service, inventory: None });
                    }
                }
            }
            Output::CancelStep { attempt } => {
                let attempt = *attempt;
                let same = |waiting: &Waiting| matches!(waiting, Waiting::Work(Output::StartStep { attempt: it, .. }) if *it == attempt);
                self.later.retain(|later| !same(&later.what));
                self.pass(work, Answered::CarriedOut);
            }
            Output::PauseRollout { .. }
            | Output::ResumeRollout { .. }
            | Output::AbortRollout { .. }
            | Output::SuppressAlerts { .. }
            | Output::LiftSuppression { .. } => self.write(work),
            Output::AskApproval { .. } => self.ask(work),
            Output::Page { .. } => self.page(work),
            Output::Annotate { .. } => match self.armed.hit(&[FaultKind::AuditDown], self.now) {
                Some(_) => self.note(work, Answered::Lost),
                None => self.pass(work, Answered::CarriedOut),
            },
            Output::Collect { .. } => self.pass(work, Answered::CarriedOut),
            Output::Journal(_) => unreachable!("the driver keeps journal entries"),
        }
    }

    fn pass(&mut self, work: Output, answer: Answered) {
        self.note(work.clone(), answer);
        self.around.carry_out(work);
    }

    fn delay(&mut self, work: Output, by: backspin_domain::time::Millis) {
        let due = self.now + by;
        self.note(work.clone(), Answered::Delayed(due));
        self.wait_until(due, Waiting::Work(work));
    }

    /// An effect that is waited for.
    fn start(&mut self, work: Output) {
        let Output::StartStep { attempt, action, .. } = &work else { return };
        let attempt = *attempt;
        let to_people = matches!(action, StepAction::Notify { .. });
        let refused = if to_people {
            self.armed.hit(&[FaultKind::PageFails], self.now)
        } else {
            self.armed.hit(&REFUSING, self.now)
        };
        if let Some(fault) = refused {
            let met = self.around.fails_at_the_endpoint(fault.kind, &work);
            self.note(work, Answered::Refused);
            if met {
                return;
            }
            let outcome = StepOutcome::Failed(words_of(fault.kind));
            self.inputs.push_back(Input::StepReported { attempt, outcome });
            return;
        }
        match self.armed.hit(&[FaultKind::Throttled], self.now) {
            Some(fault) => self.delay(work, fault.by),
            None if self.armed.hit_if(&[FaultKind::ReplyDoubled], self.now, doubles_call).is_some() => {
                self.around.carry_out(work.clone());
                self.pass(work, Answered::Doubled);
            }
            None => self.pass(work, Answered::CarriedOut),
        }
    }

    /// An effect that nobody waits for.
    fn write(&mut self, work: Output) {
        if self.armed.hit(&REFUSING, self.now).is_some() {
            self.note(work, Answered::Lost);
            return;
        }
        match self.armed.hit(&[FaultKind::Throttled], self.now) {
            Some(fault) => self.delay(work, fault.by),
            None => self.pass(work, Answered::CarriedOut),
        }
    }

    fn ask(&mut self, work: Output) {
        self.armed.meet(Condition::Asked, self.now);
        let kinds = [FaultKind::AskLost, FaultKind::NoAnswer, FaultKind::AskDoubled];
        match self.armed.hit(&kinds, self.now).map(|fault| fault.kind) {
            Some(FaultKind::AskLost) => self.note(work, Answered::Lost),
            // It is delivered, and nobody does anything about it.
            Some(FaultKind::NoAnswer) => self.note(work, Answered::CarriedOut),
            Some(_) => {
                self.around.carry_out(work.clone());
                self.pass(work, Answered::Doubled);
            }
            None => self.pass(work, Answered::CarriedOut),
        }
        if let Output::AskApproval { plan, .. } = &self.seen.calls.last().expect("it was noted").work {
            self.asked_plans.push(*plan);
        }
    }

    fn page(&mut self, work: Output) {
        self.armed.meet(Condition::Paged, self.now);
        let kinds = [FaultKind::PageFails, FaultKind::PageDoubled, FaultKind::PageLate];
        match self.armed.hit(&kinds, self.now) {
            Some(fault) if fault.kind == FaultKind::PageFails => self.note(work, Answered::Lost),
            Some(fault) if fault.kind == FaultKind::PageLate => self.delay(work, fault.by),
            Some(_) => {
                self.around.carry_out(work.clone());
                self.pass(work, Answered::Doubled);
            }
            None => self.pass(work, Answered::CarriedOut),
        }
    }
}

/// Whether such a fault doubles a call and not its reply.
pub(super) fn doubles_call(fault: &PlannedFault) -> bool {
    fault.kind == FaultKind::ReplyDoubled && fault.share < 0.5
}

/// In which words a call is refused; an API that is away or a channel that is down does not say whether it took it.
fn words_of(kind: FaultKind) -> FailureReason {
    match kind {
        FaultKind::Conflict => {
            FailureReason::Refused("409 Conflict: the object has been modified".to_owned())
        }
        FaultKind::Rejected => FailureReason::Refused("admission webhook denied the request".to_owned()),
        FaultKind::Forbidden => FailureReason::Refused("403 Forbidden: the role may not".to_owned()),
        _ => FailureReason::Unreachable("no answer".to_owned()),
    }
}
