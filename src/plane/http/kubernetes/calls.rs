//! Requests, each sent once, and what their failures mean.

use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::Value;

use super::Kubernetes;
use crate::domain::execution::FailureReason;
use crate::plane::http::words::{Kind, NAMESPACE};

/// Who writes, in `managedFields`.
const MANAGER: &str = "backspin";

impl Kubernetes {
    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, &kind.resource())
    }

    /// Changes an object by a merge patch; what it answers is known at once.
    pub(super) fn patch(&mut self, kind: Kind, name: &str, patch: &Value) -> Result<(), FailureReason> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(kind);
        self.wrote = true;
        let answer = self.runtime.block_on(api.patch(name, &params, &Patch::Merge(patch)));
        self.cache.put_answer(kind, answer.map_err(|error| reason(&error))?);
        Ok(())
    }

    /// Makes an object; whether it is new.
    pub(super) fn create(&mut self, kind: Kind, object: &Value) -> Result<bool, FailureReason> {
        let object: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| FailureReason::Refused(format!("not an object: {error}")))?;
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let api = self.api(kind);
        self.wrote = true;
        match self.runtime.block_on(api.create(&params, &object)) {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(false),
            Err(error) => Err(reason(&error)),
        }
    }

    /// An object as it is now, past the cache.
    pub(super) fn read(&self, kind: Kind, name: &str) -> Result<Option<DynamicObject>, FailureReason> {
        self.runtime.block_on(self.api(kind).get_opt(name)).map_err(|error| reason(&error))
    }

    /// Whether there is any object with these labels.
    pub(super) fn is_any(&self, kind: Kind, labels: &str) -> Result<bool, FailureReason> {
        let params = ListParams::default().labels(labels).limit(1);
        let listed = self.runtime.block_on(self.api(kind).list(&params));
        listed.map(|list| !list.items.is_empty()).map_err(|error| reason(&error))
    }
}

/// What a failure means: whether the server said no, or could not be asked. Where a reply was lost nobody knows whether
/// the request was carried out.
fn reason(error: &kube::Error) -> FailureReason {
    match error {
        kube::Error::Api(status) => match status.code {
            404 => FailureReason::NotFound(status.message.clone()),
            429 | 500.. => FailureReason::Unreachable(status.message.clone()),
            _ => FailureReason::Refused(status.message.clone()),
        },
        other => FailureReason::Unreachable(root_words(other)),
    }
}

/// The innermost cause, which is the one that says something.
fn root_words(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
