//! What goes to people and comes from them: calls and marks as Events, approvals as ConfigMaps that somebody fills in.

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::Kubernetes;
use super::view::{entry, label};
use crate::http::words::{self, APP, APPROVAL, EXECUTION, Kind, NAMESPACE, NOTE, Note, QUIET_UNTIL};
use backspin_domain::engine_io::ApprovalAnswer;
use backspin_domain::execution::FailureReason;
use backspin_domain::id::{ActorId, ExecutionId, PageKey, PlanHash};
use backspin_domain::time::{MonoTime, Now};

impl Kubernetes {
    /// Writes an Event, or counts one more of those that there are.
    pub(super) fn note(
        &mut self,
        name: &str,
        note: Note,
        message: &str,
        labels: &[(&str, String)],
        annotations: &Value,
        new: bool,
    ) -> Result<(), FailureReason> {
        let service = words::of_service(&self.service);
        let mut all = json!({ APP: service, NOTE: note.as_str() });
        for (name, value) in labels {
            all[*name] = json!(value);
        }
        let event = json!({
            "apiVersion": Kind::Event.api_version(),
            "kind": Kind::Event.kind(),
            "metadata": { "name": name, "namespace": NAMESPACE, "labels": all, "annotations": annotations },
            "involvedObject": {
                "apiVersion": Kind::Rollout.api_version(), "kind": Kind::Rollout.kind(), "name": service,
                "namespace": NAMESPACE,
            },
            "reason": "Rollback",
            "message": message,
            "type": if note == Note::Page { "Warning" } else { "Normal" },
            "source": { "component": "backspin" },
            "count": 1,
        });
        if new && self.create(Kind::Event, &event)? {
            return Ok(());
        }
        let count = self.read(Kind::Event, name)?.and_then(|known| known.data["count"].as_u64()).unwrap_or(1);
        self.patch(Kind::Event, name, &json!({ "count": count + 1 }))
    }

    /// Calls a person.
    pub(in crate::http) fn page(&mut self, key: PageKey, message: &str) -> Result<(), FailureReason> {
        let name = format!("{}-page-{}", words::of_service(&self.service), key.0);
        self.note(&name, Note::Page, message, &[], &json!({ words::EFFECT: key.0.to_string() }), true)
    }

    /// Marks this moment.
    pub(in crate::http) fn mark(&mut self, at: MonoTime, message: &str) -> Result<(), FailureReason> {
        let name = format!("{}-mark-{}", words::of_service(&self.service), at.0);
        self.note(&name, Note::Mark, message, &[], &json!({}), true)
    }

    /// Keeps alerts quiet until then, or lets them sound.
    pub(in crate::http) fn quiet(&mut self, until: Option<MonoTime>) -> Result<(), FailureReason> {
        let until = until.map(|until| Now::in_run(self.wall_start, until).wall.0.to_string());
        let annotations = json!({ QUIET_UNTIL: until });
        let name = words::of_service(&self.service);
        self.patch(Kind::Rollout, &name, &json!({ "metadata": { "annotations": annotations } }))
    }

    /// Stops the ramp, or lets it go on.
    pub(in crate::http) fn pause_rollout(&mut self, paused: bool) -> Result<(), FailureReason> {
        self.set_rollout("paused", paused)
    }

    /// Gives the rollout up.
    pub(in crate::http) fn abort_rollout(&mut self) -> Result<(), FailureReason> {
        self.set_rollout("aborted", true)
    }

    /// Asks somebody, or asks once more.
    pub(in crate::http) fn ask(
        &mut self,
        execution: ExecutionId,
        plan: PlanHash,
        role: &ActorId,
    ) -> Result<(), FailureReason> {
        let service = words::of_service(&self.service);
        let name = words::config(&self.service, &format!("approval-{}-{role}", execution.0));
        let config = json!({
            "apiVersion": Kind::ConfigMap.api_version(),
            "kind": Kind::ConfigMap.kind(),
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": { APP: service, APPROVAL: "true", EXECUTION: execution.0.to_string() },
            },
            "data": { "execution": execution.0.to_string(), "plan": plan, "role": role, "asked": "1" },
        });
        if self.create(Kind::ConfigMap, &config)? {
            return Ok(());
        }
        let known = self.read(Kind::ConfigMap, &name)?;
        let asked = known.as_ref().and_then(|known| entry(known, "asked")?.parse::<u32>().ok()).unwrap_or(1);
        let data = json!({ "plan": plan, "asked": (asked + 1).to_string() });
        self.patch(Kind::ConfigMap, &name, &json!({ "data": data }))
    }
}

/// What somebody wrote into a request for approval.
pub(super) fn answer(config: &DynamicObject) -> Option<ApprovalAnswer> {
    label(config, APPROVAL)?;
    let text = |key| entry(config, key);
    let approved = match text("answer")? {
        "approve" => true,
        "refuse" => false,
        _ => return None,
    };
    Some(ApprovalAnswer {
        execution: ExecutionId(text("execution")?.parse().ok()?),
        plan: PlanHash::try_from(text("answeredPlan")?.to_owned()).ok()?,
        approved,
        by: ActorId::new(text("by")?).ok()?,
        role: ActorId::new(text("role")?).ok()?,
        given: backspin_domain::time::WallTime(text("givenMs")?.parse().ok()?),
    })
}
