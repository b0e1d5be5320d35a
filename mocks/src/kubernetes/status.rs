//! `Status` objects: how the API says no.

use serde_json::{Map, Value, json};

use super::kind::Kind;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) code: u16,
    /// Empty for a few.
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) details: Option<Box<Value>>,
    pub(super) continue_at: Option<String>,
}

/// One cause of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) field: String,
}

impl Cause {
    pub(super) fn new(reason: &'static str, message: impl Into<String>, field: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: field.into() }
    }

    pub(super) fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        Self::new("FieldValueInvalid", format!("Invalid value: {value}: {why}"), field)
    }

    pub(super) fn required(field: impl Into<String>, why: &str) -> Self {
        let message =
            if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        Self::new("FieldValueRequired", message, field)
    }

    pub(super) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new("FieldValueForbidden", format!("Forbidden: {why}"), field)
    }
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, continue_at: None }
    }

    fn with(self, details: Value) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// An unknown path below a known group.
    pub(super) fn no_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with(json!({}))
    }

    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Self::new(404, "NotFound", message).with(details(kind, name, &kind.plural))
    }

    pub(super) fn exists(kind: &Kind, name: &str, is_ending: bool) -> Self {
        let before = if is_ending { "object is being deleted: " } else { "" };
        let message = format!("{before}{} \"{name}\" already exists", kind.resource());
        Self::new(409, "AlreadyExists", message).with(details(kind, name, &kind.plural))
    }

    pub(super) fn modified(kind: &Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(super) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.resource());
        Self::new(409, "Conflict", message).with(details(kind, name, &kind.plural))
    }

    /// A precondition of a deletion, which names the kind instead of the plural.
    pub(super) fn precondition(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        Self::new(409, "Conflict", message).with(details(kind, name, &kind.kind))
    }

    pub(super) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let message = format!("{} \"{name}\" is invalid: {}", kind.qualified(), listed(causes));
        let mut details = details(kind, name, &kind.kind);
        details["causes"] = causes_json(causes);
        Self::new(422, "Invalid", message).with(details)
    }

    /// Options of a request that do not go together.
    pub(super) fn invalid_options(options: &str, cause: &Cause) -> Self {
        let causes = std::slice::from_ref(cause);
        let message = format!("{options}.meta.k8s.io \"\" is invalid: {}", listed(causes));
        let details = json!({ "group": "meta.k8s.io", "kind": options, "causes": causes_json(causes) });
        Self::new(422, "Invalid", message).with(details)
    }

    /// A patch that cannot be applied, without a word why.
    pub(super) fn unprocessable() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request")
            .with(json!({}))
    }

    /// A patch that gives what is no such object.
    pub(super) fn invalid_patch(shown: &str, why: &str) -> Self {
        let quoted = Value::String(shown.to_owned());
        let cause = Cause::new("FieldValueInvalid", format!("Invalid value: {quoted}: {why}"), "patch");
        let causes = std::slice::from_ref(&cause);
        Self::new(422, "Invalid", format!(" \"\" is invalid: {}", listed(causes)))
            .with(json!({ "causes": causes_json(causes) }))
    }

    pub(super) fn unsupported_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with(json!({}))
    }

    pub(super) fn too_large_version(version: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {version}, current: {current}");
        let cause = json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
        Self::new(504, "Timeout", message).with(json!({ "causes": [cause], "retryAfterSeconds": 1 }))
    }

    pub(super) fn with_details(self, details: Value) -> Self {
        self.with(details)
    }

    /// The object.
    pub(super) fn to_json(&self) -> Value {
        let mut meta = Map::new();
        if let Some(continue_at) = &self.continue_at {
            meta.insert("continue".to_owned(), Value::String(continue_at.clone()));
        }
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": meta,
            "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = Value::from(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = (**details).clone();
        }
        status["code"] = Value::from(self.code);
        status
    }
}

/// `details` about an object; `kind` is its plural or its kind.
fn details(about: &Kind, name: &str, kind: &str) -> Value {
    let mut details = Map::new();
    if !name.is_empty() {
        details.insert("name".to_owned(), Value::from(name));
    }
    if !about.group.is_empty() {
        details.insert("group".to_owned(), Value::from(about.group.as_str()));
    }
    details.insert("kind".to_owned(), Value::from(kind));
    Value::Object(details)
}

fn causes_json(causes: &[Cause]) -> Value {
    let one = |Cause { reason, message, field }: &Cause| json!({ "reason": reason, "message": message, "field": field });
    causes.iter().map(one).collect()
}

/// `field: message`, several in brackets.
fn listed(causes: &[Cause]) -> String {
    let mut all: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    // What two layers found is said once, though both are causes.
    all.dedup();
    if let [one] = all.as_slice() { one.clone() } else { format!("[{}]", all.join(", ")) }
}

impl Refusal {
    /// A new object in a namespace that is being deleted.
    pub(super) fn terminating(kind: &Kind, namespace: &str, name: &str) -> Self {
        let message = format!(
            "{} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being \
             terminated",
            kind.resource()
        );
        let mut details = details(kind, name, &kind.plural);
        details["causes"] = causes_json(&[Cause::new(
            "NamespaceTerminating",
            format!("namespace {namespace} is being terminated"),
            "metadata.namespace",
        )]);
        Self::new(403, "Forbidden", message).with(details)
    }

    /// A `PUT` without a version where one is needed.
    pub(super) fn version_needed(kind: &Kind, name: &str) -> Self {
        let why = "must be specified for an update";
        let cause = Cause::invalid("metadata.resourceVersion", &Value::from(0), why);
        let mut details = details(kind, name, &kind.plural);
        details["causes"] = causes_json(std::slice::from_ref(&cause));
        let message =
            format!("{} \"{name}\" is invalid: {}", kind.resource(), listed(std::slice::from_ref(&cause)));
        Self::new(422, "Invalid", message).with(details)
    }
}

impl Cause {
    pub(super) fn to_json(&self) -> Value {
        json!({ "reason": self.reason, "message": self.message, "field": self.field })
    }
}
