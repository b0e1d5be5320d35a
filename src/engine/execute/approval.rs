//! Waiting for somebody to agree (SPEC 3.7): one role after the other, each for a bounded time. Before the first
//! step, and in the middle where an approval has run out or the calendar has closed.

use crate::guard::calendar;
use crate::mutation::Mutation;
use crate::plan;
use crate::settings::{Approvals, WhenClosing};
use crate::state::{Ctx, Service};
use backspin_domain::engine_io::{ApprovalAnswer, JournalEntry, VoidAnswer, Wait};
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::id::ActorId;
use backspin_domain::plan::{Actuator, StepAction};
use backspin_domain::time::{MonoTime, WallTime};

use super::{Phase, Run, Then};

/// The `n`th role to ask; none when all were.
fn role(approvals: &Approvals, n: usize) -> Option<ActorId> {
    match approvals.escalation.get(n) {
        None if n == 0 => Some(plan::on_call()),
        role => role.cloned(),
    }
}

impl Run {
    /// Asks the next role; when all were asked in vain, the execution ends and a person is called.
    pub(super) fn ask_next(&mut self, asked: usize, then: Then, opens: Option<MonoTime>, ctx: &mut Ctx<'_>) {
        let Some(role) = role(&ctx.settings.approvals, asked) else {
            self.counts = true;
            return self.end_stopped("nobody answered the request for approval".to_owned(), ctx);
        };
        if asked == 0 && then == Then::Begin {
            let status = ExecutionStatus::AwaitingApproval;
            let execution = self.execution.id;
            ctx.out.journal(JournalEntry::Status { execution, status, error: None, left: None });
        }
        ctx.out.ask_approval(self.execution.id, self.execution.plan.hash(), &role);
        let mut until = ctx.now.mono + ctx.settings.approvals.wait;
        if ctx.settings.broken.is(Mutation::AskOnce) {
            until = MonoTime(u64::MAX);
        }
        self.phase = Phase::Approval { asked: asked + 1, then, until, opens };
    }

    /// Nobody answered in time, or nobody needs to any more.
    pub(super) fn approval_overdue(
        &mut self,
        asked: usize,
        then: Then,
        opens: Option<MonoTime>,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        match then {
            Then::Attempt(attempt) if opens.is_some_and(|opens| opens <= ctx.now.mono) => {
                self.start_attempt(super::Doing::Step, attempt, service, ctx);
            }
            Then::Attempt(_) | Then::Begin => self.ask_next(asked, then, opens, ctx),
        }
    }

    /// Somebody answered. What does not count is written down with the reason and changes nothing.
    pub(crate) fn answer(&mut self, answer: &ApprovalAnswer, service: &mut Service, ctx: &mut Ctx<'_>) {
        let Phase::Approval { then, .. } = self.phase else {
            return void(answer, VoidAnswer::NotAwaited, ctx);
        };
        let approvals = &ctx.settings.approvals;
        let given =
            if ctx.settings.broken.is(Mutation::ExpiredApproval) { ctx.now.wall } else { answer.given };
        let until = WallTime(given.0.saturating_add(approvals.valid.0.cast_signed()));
        let mut roles = (0..=approvals.escalation.len()).filter_map(|n| role(approvals, n));
        let why = if answer.plan != self.execution.plan.hash() && !ctx.settings.broken.is(Mutation::OtherPlan)
        {
            Some(VoidAnswer::OtherPlan)
        } else if answer.by == self.execution.plan.event.initiated_by
            && !ctx.settings.broken.is(Mutation::OwnApproval)
        {
            Some(VoidAnswer::OwnPlan)
        } else if !roles.any(|role| role == answer.role) && !ctx.settings.broken.is(Mutation::AnyRole) {
            Some(VoidAnswer::WrongRole)
        } else if until <= ctx.now.wall {
            Some(VoidAnswer::Expired)
        } else {
            None
        };
        if let Some(why) = why {
            return void(answer, why, ctx);
        }
        if !answer.approved {
            self.counts = true;
            return self.end_stopped(format!("{} refused it", answer.by), ctx);
        }
        let (execution, by) = (self.execution.id, answer.by.clone());
        ctx.out.journal(JournalEntry::Approved { execution, by, until });
        self.approved_until = Some(until);
        let severity = self.execution.plan.event.severity;
        let closed = calendar::closed_for(ctx.settings, severity, ctx.now);
        match (then, closed) {
            // A freeze has begun since the plan was made: agreeing to the plan did not mean to override it.
            (Then::Begin, Some(closed)) => {
                self.end_stopped(closed.words(&ctx.settings.calendar.freezes), ctx);
            }
            (Then::Begin, None) => self.begin(service, ctx),
            (Then::Attempt(attempt), closed) => {
                self.overridden |= closed.is_some();
                self.start_attempt(super::Doing::Step, attempt, service, ctx);
            }
        }
    }

    /// Whether an attempt has to wait for somebody to agree (again): the approval has run out, or the calendar has
    /// closed since the execution began. Telling people and service discovery what is already so needs nobody.
    pub(super) fn needs_leave(&mut self, action: &StepAction, attempt: u16, ctx: &mut Ctx<'_>) -> bool {
        match action.actuator() {
            Some(
                Actuator::Cluster
                | Actuator::Traffic
                | Actuator::Flags
                | Actuator::Database
                | Actuator::Infrastructure,
            ) => {}
            Some(Actuator::Discovery | Actuator::Notification) | None => return false,
        }
        let calendar = &ctx.settings.calendar;
        let severity = self.execution.plan.event.severity;
        let closed = calendar::closed_for(ctx.settings, severity, ctx.now)
            .filter(|_| !self.overridden && calendar.when_closing == WhenClosing::Hold);
        let expired = self.approved_until.is_some_and(|until| until <= ctx.now.wall);
        let (wait, opens) = match closed {
            Some(closed) => {
                let words = closed.words(&calendar.freezes);
                (Wait::Calendar(words), Some(calendar::opens(calendar, ctx.now)))
            }
            None if expired => (Wait::Approval, None),
            None => return false,
        };
        let words = format!("{} waits in the middle: {wait}", self.execution.id);
        ctx.out.page(self.service(), words);
        self.waits(wait, opens.unwrap_or(ctx.now.mono + ctx.settings.approvals.wait), ctx);
        self.ask_next(0, Then::Attempt(attempt), opens, ctx);
        true
    }

    /// Writes down what it waits for.
    pub(super) fn waits(&self, wait: Wait, until: MonoTime, ctx: &mut Ctx<'_>) {
        ctx.out.journal(JournalEntry::Waiting { execution: self.execution.id, wait, until });
    }
}

/// Writes down that an answer does not count.
pub(crate) fn void(answer: &ApprovalAnswer, why: VoidAnswer, ctx: &mut Ctx<'_>) {
    let (execution, by) = (answer.execution, answer.by.clone());
    ctx.out.journal(JournalEntry::Void { execution, by, why });
}
