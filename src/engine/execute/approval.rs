//! Waiting for somebody to agree (SPEC 3.7): one role after the other, each for a bounded time.

use crate::domain::engine_io::{JournalEntry, Output};
use crate::domain::execution::ExecutionStatus;
use crate::domain::id::ActorId;
use crate::domain::plan::Approval;
use crate::engine::guard;
use crate::engine::state::{Ctx, Service};

use super::{Phase, Run};

impl Run {
    /// Asks the next role; when all were asked in vain, the execution ends and a person is called.
    pub(super) fn ask_next(&mut self, asked: usize, ctx: &mut Ctx<'_>) {
        let escalation = &ctx.settings.approvals.escalation;
        let role = match (&self.execution.plan.approval, asked) {
            (Approval::Required { role, .. }, 0) => Some(role),
            (Approval::Required { .. }, n) => escalation.get(n),
            (Approval::NotRequired | Approval::Standing { .. }, _) => None,
        };
        let Some(role) = role.cloned() else {
            self.counts = true;
            return self.end_stopped("nobody answered the request for approval".to_owned(), ctx);
        };
        if asked == 0 {
            let status = ExecutionStatus::AwaitingApproval;
            ctx.out.journal(JournalEntry::Status { execution: self.execution.id, status, error: None });
        }
        ctx.out.push(Output::AskApproval { execution: self.execution.id, role });
        let until = ctx.now.mono + ctx.settings.approvals.wait;
        self.phase = Phase::Approval { asked: asked + 1, until };
    }

    /// The answer. A freeze may have begun since the plan was made.
    pub(super) fn answered(
        &mut self,
        approved: bool,
        by: &ActorId,
        service: &mut Service,
        ctx: &mut Ctx<'_>,
    ) {
        if !approved {
            self.counts = true;
            return self.end_stopped(format!("{by} refused it"), ctx);
        }
        let severity = self.execution.plan.event.severity;
        if let Some(guard) = guard::frozen(&ctx.settings.freezes, severity, ctx.now) {
            return self.end_stopped(guard.words(ctx.settings), ctx);
        }
        self.begin(service, ctx);
    }
}
