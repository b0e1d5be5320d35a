//! What a plan of faults does to what the engine is told, and what people say by plan.

use std::sync::Arc;

use super::frames::{SPOILING, spoil};
use super::work::doubles_call;
use super::{Simulated, Unreliable, Waiting};
use backspin_domain::engine_io::{ApprovalAnswer, Command, Input, Output};
use backspin_domain::execution::{EffectState, StepOutcome};
use backspin_domain::fault::{FaultKind, PlannedFault};
use backspin_domain::frame::Frame;
use backspin_domain::id::{ActorId, Attempt, PlanHash, ServiceId};
use backspin_domain::observed::Answered;
use backspin_domain::time::{Millis, MonoTime};

impl<S: Simulated> Unreliable<S> {
    /// Takes something on its way to the engine.
    pub(super) fn receive(&mut self, input: Input) {
        match input {
            Input::Collected { service, frame } => self.collected(service, frame),
            Input::StepReported { attempt, outcome } => self.replied(attempt, outcome),
            Input::StepRead { attempt, state } => self.read(attempt, state),
            Input::ApprovalAnswered(answer) => self.answered(answer),
            Input::Paged { key } => {
                if self.armed.hit(&[FaultKind::ReceiptLost], self.now).is_none() {
                    self.inputs.push_back(Input::Paged { key });
                }
            }
            notice @ (Input::Inventory(_) | Input::RolloutChanged { .. }) => self.noticed(notice),
            trigger @ (Input::Deployed(_) | Input::Commanded { .. }) => self.triggered(trigger),
            other @ (Input::Listed { .. } | Input::Restarted { .. } | Input::ClockSet { .. }) => {
                self.inputs.push_back(other);
            }
        }
    }

    fn collected(&mut self, service: ServiceId, frame: Arc<Frame>) {
        self.past.keep(&frame);
        // What is measured before anything was has nothing in it to spoil.
        let measured = frame.at > MonoTime::ZERO;
        let late = if measured { self.armed.hit(&[FaultKind::SlowAnswer], self.now) } else { None };
        let mut frame = frame;
        if measured && let Some(fault) = self.armed.hit(&SPOILING, self.now) {
            frame = spoil(&frame, &fault, &self.past, self.now);
        }
        let told = Input::Collected { service, frame };
        match late {
            Some(fault) => self.wait_until(self.now + fault.by, Waiting::Told(told)),
            None => self.inputs.push_back(told),
        }
    }

    fn replied(&mut self, attempt: Attempt, outcome: StepOutcome) {
        let kinds =
            [FaultKind::ReplyLost, FaultKind::ReplyUnknown, FaultKind::ReplyLate, FaultKind::ReplyDoubled];
        let of_reply = |fault: &PlannedFault| !doubles_call(fault);
        let Some(fault) = self.armed.hit_if(&kinds, self.now, of_reply) else {
            self.inputs.push_back(Input::StepReported { attempt, outcome });
            return;
        };
        self.spoiled(|work| matches!(work, Output::StartStep { attempt: it, .. } if *it == attempt));
        match fault.kind {
            FaultKind::ReplyLost => {}
            FaultKind::ReplyUnknown => {
                self.inputs.push_back(Input::StepReported { attempt, outcome: StepOutcome::Unknown });
            }
            FaultKind::ReplyLate => {
                let told = Input::StepReported { attempt, outcome };
                self.wait_until(self.now + fault.by, Waiting::Told(told));
            }
            _ => {
                let told = Input::StepReported { attempt, outcome };
                self.inputs.extend([told.clone(), told]);
            }
        }
    }

    /// Who reads from a server that lags behind sees nothing of the effect yet.
    fn read(&mut self, attempt: Attempt, state: EffectState) {
        let shows = matches!(state, EffectState::Applied | EffectState::Underway);
        let stale = shows && self.armed.hit(&[FaultKind::StaleRead], self.now).is_some();
        let state = if stale { EffectState::NotApplied } else { state };
        if stale {
            self.spoiled(|work| matches!(work, Output::ReadStep { attempt: it, .. } if *it == attempt));
        }
        self.inputs.push_back(Input::StepRead { attempt, state });
    }

    /// The answer to the newest such call was not what it should have been.
    fn spoiled(&mut self, is_it: impl Fn(&Output) -> bool) {
        let call = self.seen.calls.iter_mut().rev().find(|call| is_it(&call.work));
        if let Some(call) = call.filter(|call| call.answer == Answered::CarriedOut) {
            call.answer = Answered::Spoiled;
        }
    }

    fn noticed(&mut self, notice: Input) {
        let kinds = [
            FaultKind::NoticesLost,
            FaultKind::WatchExpired,
            FaultKind::NoticesDoubled,
            FaultKind::NoticesReordered,
        ];
        // Who begins to watch lists first.
        let begins = self.now == MonoTime::ZERO;
        let fault = if begins { None } else { self.armed.hit(&kinds, self.now) };
        match fault.map(|fault| fault.kind) {
            None => {
                self.inputs.push_back(notice);
                self.inputs.extend(self.held.take());
            }
            Some(FaultKind::NoticesLost) => {}
            Some(FaultKind::WatchExpired) => self.expired = true,
            Some(FaultKind::NoticesDoubled) => self.inputs.extend([notice.clone(), notice]),
            Some(_) => {
                let before = self.held.replace(notice);
                self.inputs.extend(before);
            }
        }
    }

    /// A watch that has expired begins anew with a list of what there is.
    pub(super) fn list_anew(&mut self) {
        if self.expired && self.armed.holding(FaultKind::WatchExpired, self.now).is_none() {
            self.expired = false;
            self.around.reintroduce();
        }
    }

    fn triggered(&mut self, trigger: Input) {
        if self.armed.hit(&[FaultKind::TriggerDoubled], self.now).is_some() {
            self.inputs.push_back(trigger.clone());
        }
        self.inputs.push_back(trigger);
    }

    fn answered(&mut self, answer: ApprovalAnswer) {
        let kinds = [
            FaultKind::LateAnswer,
            FaultKind::Contradiction,
            FaultKind::WrongRole,
            FaultKind::OwnPlan,
            FaultKind::OlderPlan,
        ];
        let Some(fault) = self.armed.hit(&kinds, self.now) else {
            self.inputs.push_back(Input::ApprovalAnswered(answer));
            return;
        };
        match fault.kind {
            FaultKind::LateAnswer => {
                let told = Input::ApprovalAnswered(answer);
                self.wait_until(self.now + fault.by, Waiting::Said(told));
            }
            FaultKind::Contradiction => {
                let other = ApprovalAnswer { approved: !answer.approved, ..answer.clone() };
                self.inputs.extend([answer, other].map(Input::ApprovalAnswered));
            }
            FaultKind::WrongRole => {
                let answer = ApprovalAnswer { role: actor("intern"), by: actor("intern"), ..answer };
                self.inputs.push_back(Input::ApprovalAnswered(answer));
            }
            FaultKind::OwnPlan => {
                let by = self.asked_by.clone().unwrap_or_else(|| actor("backspin"));
                self.inputs.push_back(Input::ApprovalAnswered(ApprovalAnswer { by, ..answer }));
            }
            _ => {
                let other = |plan: &&PlanHash| **plan != answer.plan;
                let older = self.asked_plans.iter().rev().find(other).copied();
                let plan = older.unwrap_or(PlanHash([0; 32]));
                self.inputs.push_back(Input::ApprovalAnswered(ApprovalAnswer { plan, ..answer }));
            }
        }
    }

    /// People say what is planned for them to say; those of whom it `concerns` them now.
    pub(super) fn people_speak(&mut self, concerns: impl Fn(&PlannedFault) -> bool) {
        let kinds = [FaultKind::ManualRollback, FaultKind::KillSwitch, FaultKind::WrongResume];
        while let Some(fault) = self.armed.hit_if(&kinds, self.now, &concerns) {
            let command = match fault.kind {
                FaultKind::ManualRollback => {
                    self.asked_by = Some(operator());
                    let reason = "it does harm".to_owned();
                    Command::RollBack { service: self.service.clone(), target: None, reason }
                }
                FaultKind::KillSwitch => {
                    if !fault.never_heals {
                        let resume = Input::Commanded { command: Command::Resume, by: operator() };
                        self.wait_until(self.now + fault.lasts.max(TICK), Waiting::Said(resume));
                    }
                    Command::Stop
                }
                _ => Command::Resume,
            };
            self.triggered(Input::Commanded { command, by: operator() });
        }
    }
}

fn actor(name: &str) -> ActorId {
    ActorId::new(name).expect("letters are a valid name")
}

pub(super) fn operator() -> ActorId {
    actor("operator")
}

/// Nobody stops and resumes in the same moment.
const TICK: Millis = Millis(1);
