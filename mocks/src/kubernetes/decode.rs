//! Bodies of requests to objects.

use serde_json::Value;

use super::kind::Served;
use super::params::FieldValidation;
use super::respond::Call;
use super::schema::{self, Type};
use super::status::Refusal;

const TYPES: &str = "the body of the request was in an unknown format - accepted media types include: \
                     application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The media type of a body, without its parameters.
pub(super) fn media_type<'a>(call: &'a Call<'_>) -> &'a str {
    call.request.header("content-type").split(';').next().unwrap_or("").trim()
}

/// The object in a body of a POST or PUT, and warnings about unknown fields.
pub(super) fn object(call: &Call<'_>, options: &'static str) -> Result<(Value, Vec<String>), Refusal> {
    let served = &call.cluster.store.shelf(call.target.kind).served;
    let kind = &served.kind.kind;
    if !matches!(media_type(call), "" | "application/json") {
        return Err(Refusal::unsupported_type(TYPES));
    }
    let validation = call.params.field_validation(options)?;
    let mut value = parse(&call.request.body, kind)?;
    let (version, given) = (text(&value, "apiVersion"), text(&value, "kind"));
    if given.is_empty() || version.is_empty() {
        let missing = if given.is_empty() { "Kind" } else { "apiVersion" };
        let shown = String::from_utf8_lossy(&call.request.body);
        return Err(Refusal::bad_request(format!("Object '{missing}' is missing in '{shown}'")));
    }
    if given != kind.as_str() || version != call.view.api_version(served) {
        let group = if version.contains('/') { "" } else { "core." };
        let short = version.rsplit('/').next().unwrap_or("");
        let message = format!(
            "{given} in version \"{short}\" cannot be handled as a {kind}: converting ({short}.{given}) to \
             ({group}{kind}): unknown conversion"
        );
        return Err(Refusal::bad_request(message));
    }
    call.view.to_stored(served, &mut value);
    let cannot = |why: &str| {
        let short = &served.kind.version;
        Refusal::bad_request(format!("{kind} in version \"{short}\" cannot be handled as a {kind}: {why}"))
    };
    let unknown = checked(served, &mut value).map_err(|why| cannot(&why))?;
    let warnings = match validation {
        FieldValidation::Strict if !unknown.is_empty() => return Err(cannot(&strict(&unknown))),
        FieldValidation::Warn => unknown.iter().map(|path| warning(path)).collect(),
        FieldValidation::Strict | FieldValidation::Ignore => Vec::new(),
    };
    Ok((value, warnings))
}

/// Drops unknown fields and says where they were.
///
/// # Errors
/// When a known field is of another type.
pub(super) fn checked(served: &Served, value: &mut Value) -> Result<Vec<String>, String> {
    let of = Type::of(&served.kind.kind);
    if let Some(wrong) = schema::type_error(&of, value) {
        return Err(wrong);
    }
    // Metadata are alike for all kinds, also for those of which nothing else is known.
    if of == Type::Any
        && let Some(wrong) =
            value.get("metadata").and_then(|meta| schema::type_error(&Type::of("ObjectMeta"), meta))
    {
        return Err(wrong);
    }
    schema::normalize_times(&of, value);
    Ok(schema::drop_unknown(&of, value))
}

pub(super) fn strict(unknown: &[String]) -> String {
    let fields: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    format!("strict decoding error: {}", fields.join(", "))
}

/// A value of the header `Warning`.
pub(super) fn warning(path: &str) -> String {
    format!("299 - \"unknown field \\\"{path}\\\"\"")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn parse(body: &[u8], kind: &str) -> Result<Value, Refusal> {
    let unrecognized = |why: &str| {
        let shown = if body.is_empty() { "<empty>".into() } else { String::from_utf8_lossy(body) };
        let shown: String = shown.chars().take(1024).collect();
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse \
             error: {why} ({shown})"
        ))
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        unrecognized(if error.is_eof() { "unexpected end of JSON input" } else { "invalid character" })
    })?;
    if value.is_object() { Ok(value) } else { Err(unrecognized("json: cannot unmarshal into an object")) }
}
