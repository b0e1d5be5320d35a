//! Requests, each sent once, and what their failures mean.

use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::Value;

use super::Kubernetes;
use crate::http::words::{Kind, NAMESPACE};
use backspin_domain::execution::FailureReason;

/// Who writes, in `managedFields`.
const MANAGER: &str = "backspin";

impl Kubernetes {
    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, &kind.resource())
    }

    /// Waits for an answer, but not for ever.
    fn answer<T>(&self, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Failed> {
        let limit = self.timeouts.request;
        let answered = self.runtime.block_on(async { tokio::time::timeout(limit, call).await });
        answered.map_err(|_| Failed::Silent)?.map_err(|error| Failed::Error(Box::new(error)))
    }

    /// Changes an object by a merge patch; what it answers is known at once.
    pub(super) fn patch(&mut self, kind: Kind, name: &str, patch: &Value) -> Result<(), FailureReason> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(kind);
        self.wrote = true;
        let object = self.answer(api.patch(name, &params, &Patch::Merge(patch)))?;
        self.cache.put_answer(kind, object);
        Ok(())
    }

    /// Makes an object; whether it is new.
    pub(super) fn create(&mut self, kind: Kind, object: &Value) -> Result<bool, FailureReason> {
        let object: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| FailureReason::Refused(format!("not an object: {error}")))?;
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let api = self.api(kind);
        self.wrote = true;
        match self.answer(api.create(&params, &object)) {
            Ok(_) => Ok(true),
            Err(failed) if failed.is_already_there() => Ok(false),
            Err(failed) => Err(failed.into()),
        }
    }

    /// An object as it is now, past the cache.
    pub(super) fn read(&self, kind: Kind, name: &str) -> Result<Option<DynamicObject>, FailureReason> {
        let api = self.api(kind);
        Ok(self.answer(api.get_opt(name))?)
    }

    /// All objects with these labels as they are now, past the cache.
    pub(super) fn all(&self, kind: Kind, labels: &str) -> Result<Vec<DynamicObject>, FailureReason> {
        let params = ListParams::default().labels(labels);
        let api = self.api(kind);
        Ok(self.answer(api.list(&params))?.items)
    }

    /// Whether there is any object with these labels.
    pub(super) fn is_any(&self, kind: Kind, labels: &str) -> Result<bool, FailureReason> {
        let params = ListParams::default().labels(labels).limit(1);
        let api = self.api(kind);
        Ok(!self.answer(api.list(&params))?.items.is_empty())
    }
}

/// Why there is no answer that can be used.
enum Failed {
    /// Nothing came in time.
    Silent,
    /// The client's error.
    Error(Box<kube::Error>),
}

impl Failed {
    fn is_already_there(&self) -> bool {
        matches!(self, Self::Error(error)
            if matches!(&**error, kube::Error::Api(status) if status.reason == "AlreadyExists"))
    }
}

/// Whether the server said no, or could not be asked. Where a reply was lost nobody knows whether the request was carried
/// out.
impl From<Failed> for FailureReason {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Silent => Self::Unreachable("no answer in time".to_owned()),
            Failed::Error(error) => match *error {
                kube::Error::Api(status) => match status.code {
                    404 => Self::NotFound(status.message),
                    429 | 500.. => Self::Unreachable(status.message),
                    _ => Self::Refused(status.message),
                },
                other => Self::Unreachable(root_words(&other)),
            },
        }
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
