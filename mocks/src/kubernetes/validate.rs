//! What the API server refuses to store.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::kind::Served;
use super::object::{meta, meta_str};
use super::status::{Cause, Refusal};

/// Longest ConfigMap, in bytes.
const CONFIG_MAP_MAX: usize = 1 << 20;

const NAME_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
                         must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation \
                         is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const LABEL_KEY_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
                              an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                              validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
                                must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
                                '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// What is wrong with a name.
pub(super) fn name_error(name: &str) -> Option<Cause> {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_end) && part.ends_with(is_end) && part.chars().all(|c| is_end(c) || c == '-')
    };
    let is_name = name.len() <= 253 && name.split('.').all(is_part);
    (!is_name).then(|| Cause::invalid("metadata.name", &Value::from(name), NAME_RULE))
}

/// Refuses what breaks a rule, with all that is wrong.
pub(super) fn check(served: &Served, old: Option<&Value>, new: &Value) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    labels(new, &mut causes);
    finalizers(old, new, &mut causes);
    match served.kind.kind.as_str() {
        "Deployment" => deployment(old, new, &mut causes),
        "ConfigMap" => config_map(old, new, &mut causes),
        "Service" => service(old, new, &mut causes),
        "Lease" => lease(new, &mut causes),
        "HorizontalPodAutoscaler" => autoscaler(new, &mut causes),
        "Event" => event(new, &mut causes),
        "Pod" => pod(old, new, &mut causes),
        "Job" => job(old, new, &mut causes),
        "HTTPRoute" => route(new, &mut causes),
        _ => {}
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(&served.kind, meta_str(new, "name"), &causes))
    }
}

fn labels(object: &Value, causes: &mut Vec<Cause>) {
    let labels = meta(object).and_then(|meta| meta.get("labels")).and_then(Value::as_object);
    let is_word = |text: &str| {
        let is_end = |c: char| c.is_ascii_alphanumeric();
        text.len() <= 63
            && text.starts_with(is_end)
            && text.ends_with(is_end)
            && text.chars().all(|c| is_end(c) || "-_.".contains(c))
    };
    for (key, value) in labels.into_iter().flatten() {
        let name = key.rsplit('/').next().unwrap_or("");
        if !is_word(name) {
            // Three layers of the API server look at it.
            let cause = Cause::invalid("metadata.labels", &Value::from(key.as_str()), LABEL_KEY_RULE);
            causes.extend([cause.clone(), cause.clone(), cause]);
        }
        let text = value.as_str().unwrap_or("");
        if !text.is_empty() && !is_word(text) {
            causes.push(Cause::invalid("metadata.labels", value, LABEL_VALUE_RULE));
        }
    }
}

/// No finalizer is added to what is being deleted.
fn finalizers(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let list = |object: &Value| -> BTreeSet<String> {
        let list = meta(object).and_then(|meta| meta.get("finalizers")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let Some(old) = old.filter(|old| meta(old).is_some_and(|meta| meta.contains_key("deletionTimestamp")))
    else {
        return;
    };
    let before = list(old);
    let added: Vec<String> = list(new).into_iter().filter(|name| !before.contains(name)).collect();
    if !added.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{\"{}\"}}",
            added.join("\", \"")
        );
        // Two layers of the API server look at it.
        causes.extend([0, 1].map(|_| Cause::forbidden("metadata.finalizers", &why)));
    }
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

fn not_negative(object: &Value, fields: &[&str], causes: &mut Vec<Cause>) {
    for &field in fields {
        if let Some(value) =
            at(object, &["spec", field]).filter(|value| value.as_i64().is_some_and(|n| n < 0))
        {
            causes.push(Cause::invalid(format!("spec.{field}"), value, "must be greater than or equal to 0"));
        }
    }
}

fn deployment(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    not_negative(new, &["replicas"], causes);
    let selector = at(new, &["spec", "selector"]);
    let labels = at(new, &["spec", "template", "metadata", "labels"]);
    let wanted = selector.and_then(|selector| selector.get("matchLabels")).and_then(Value::as_object);
    let empty = Map::new();
    if selector.is_none_or(|selector| selector.as_object().is_none_or(Map::is_empty)) {
        causes.push(Cause::required("spec.selector", ""));
    }
    let has = |key: &str, value: &Value| labels.and_then(|labels| labels.get(key)) == Some(value);
    let is_matched = wanted.is_some_and(|wanted| wanted.iter().all(|(key, value)| has(key, value)));
    if !is_matched {
        let shown = labels.cloned().unwrap_or(Value::Null);
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &shown, why));
    }
    containers(new, causes);
    strategy(new, causes);
    not_negative(new, &["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"], causes);
    let seconds = |field: &str| at(new, &["spec", field]).and_then(Value::as_i64).unwrap_or(0);
    let is_too_short = |deadline: &&Value| deadline.as_i64().is_some_and(|s| s <= seconds("minReadySeconds"));
    if let Some(deadline) = at(new, &["spec", "progressDeadlineSeconds"]).filter(is_too_short) {
        let why = "must be greater than minReadySeconds";
        causes.push(Cause::invalid("spec.progressDeadlineSeconds", deadline, why));
    }
    if let Some(old) = old.and_then(|old| at(old, &["spec", "selector"])) {
        let new = selector.cloned().unwrap_or(Value::Object(empty));
        if *old != new {
            causes.push(Cause::invalid("spec.selector", &new, "field is immutable"));
        }
    }
}

fn containers(new: &Value, causes: &mut Vec<Cause>) {
    let field = "spec.template.spec.containers";
    let list = at(new, &["spec", "template", "spec", "containers"]).and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        causes.push(Cause::required(field, ""));
        return;
    };
    let mut names = BTreeSet::new();
    for (index, container) in list.iter().enumerate() {
        let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or("");
        if text("name").is_empty() {
            causes.push(Cause::required(format!("{field}[{index}].name"), ""));
        } else if !names.insert(text("name")) {
            let message = format!("Duplicate value: \"{}\"", text("name"));
            causes.push(Cause::new("FieldValueDuplicate", message, format!("{field}[{index}].name")));
        }
        if text("image").is_empty() {
            causes.push(Cause::required(format!("{field}[{index}].image"), ""));
        }
    }
}

fn strategy(new: &Value, causes: &mut Vec<Cause>) {
    let Some(strategy) = at(new, &["spec", "strategy"]) else { return };
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").and_then(Value::as_str) {
        Some("Recreate") if rolling.is_some() => causes.push(Cause::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        )),
        Some("Recreate") => {}
        Some("RollingUpdate") => {
            let is_zero = |value: Option<&Value>| {
                value.is_some_and(|value| value.as_i64() == Some(0) || value.as_str() == Some("0%"))
            };
            let unavailable = rolling.and_then(|rolling| rolling.get("maxUnavailable"));
            if is_zero(unavailable) && is_zero(rolling.and_then(|rolling| rolling.get("maxSurge"))) {
                causes.push(Cause::invalid(
                    "spec.strategy.rollingUpdate.maxUnavailable",
                    unavailable.unwrap_or(&Value::Null),
                    "may not be 0 when `maxSurge` is 0",
                ));
            }
        }
        other => {
            let message = format!(
                "Unsupported value: {}: supported values: \"Recreate\", \"RollingUpdate\"",
                Value::from(other.unwrap_or(""))
            );
            causes.push(Cause::new("FieldValueNotSupported", message, "spec.strategy.type"));
        }
    }
}

fn config_map(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let is_frozen = |object: &Value| object.get("immutable") == Some(&Value::Bool(true));
    if let Some(old) = old.filter(|old| is_frozen(old)) {
        let why = "field is immutable when `immutable` is set";
        if !is_frozen(new) {
            causes.push(Cause::forbidden("immutable", why));
        }
        for field in ["data", "binaryData"] {
            if old.get(field) != new.get(field) {
                causes.push(Cause::forbidden(field, why));
            }
        }
    }
    let data = new.get("data").and_then(Value::as_object);
    let size: usize = data.into_iter().flatten().map(|(_, value)| value.as_str().unwrap_or("").len()).sum();
    if size > CONFIG_MAP_MAX {
        let message = format!("Too long: may not be more than {CONFIG_MAP_MAX} bytes");
        causes.push(Cause::new("FieldValueTooLong", message, "[]"));
    }
}

/// A Service keeps its address.
fn service(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let address = |object: &Value| at(object, &["spec", "clusterIP"]).cloned();
    let Some(before) = old.and_then(address) else { return };
    let after = address(new).unwrap_or_default();
    if before != "" && before != after {
        causes.push(Cause::invalid("spec.clusterIPs[0]", &json!([after]), "may not change once set"));
    }
}

fn lease(new: &Value, causes: &mut Vec<Cause>) {
    let seconds = at(new, &["spec", "leaseDurationSeconds"]);
    if let Some(seconds) = seconds.filter(|seconds| seconds.as_i64().is_some_and(|seconds| seconds <= 0)) {
        causes.push(Cause::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
    }
    let transitions = at(new, &["spec", "leaseTransitions"]);
    if let Some(transitions) = transitions.filter(|number| number.as_i64().is_some_and(|number| number < 0)) {
        causes.push(Cause::invalid(
            "spec.leaseTransitions",
            transitions,
            "must be greater than or equal to 0",
        ));
    }
}

fn autoscaler(new: &Value, causes: &mut Vec<Cause>) {
    let number = |field: &str| at(new, &["spec", field]).and_then(Value::as_i64);
    let (min, max) = (number("minReplicas"), number("maxReplicas").unwrap_or(0));
    if let Some(min) = min.filter(|&min| min < 1) {
        causes.push(Cause::invalid(
            "spec.minReplicas",
            &Value::from(min),
            "must be greater than or equal to 1",
        ));
    }
    if max < 1 {
        causes.push(Cause::invalid("spec.maxReplicas", &Value::from(max), "must be greater than 0"));
    } else if min.is_some_and(|min| max < min) {
        let why = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &Value::from(max), why));
    }
}

fn event(new: &Value, causes: &mut Vec<Cause>) {
    let about = at(new, &["involvedObject", "namespace"]).and_then(Value::as_str).unwrap_or("");
    if !about.is_empty() && about != meta_str(new, "namespace") {
        let why = "does not match event.namespace";
        causes.push(Cause::invalid("involvedObject.namespace", &Value::from(about), why));
    }
}

fn pod(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let Some(old) = old else { return };
    let fixed = |object: &Value| {
        let mut spec = object.get("spec").cloned().unwrap_or(Value::Null);
        for list in ["containers", "initContainers"] {
            let containers = spec.get_mut(list).and_then(Value::as_array_mut);
            containers
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
                .for_each(|map| drop(map.remove("image")));
        }
        if let Some(spec) = spec.as_object_mut() {
            for key in ["activeDeadlineSeconds", "tolerations"] {
                spec.remove(key);
            }
        }
        spec
    };
    if fixed(old) != fixed(new) {
        causes.push(Cause::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing toleration...",
        ));
    }
}

fn job(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let template = |object: &Value| at(object, &["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    if old.is_some_and(|old| template(old) != template(new)) {
        causes.push(Cause::invalid("spec.template", &template(new), "field is immutable"));
    }
    let policy =
        at(new, &["spec", "template", "spec", "restartPolicy"]).and_then(Value::as_str).unwrap_or("");
    if !matches!(policy, "OnFailure" | "Never") {
        let message = format!("Required value: valid values: \"OnFailure\", \"Never\", got \"{policy}\"");
        causes.push(Cause::new("FieldValueRequired", message, "spec.template.spec.restartPolicy"));
    }
}

fn route(new: &Value, causes: &mut Vec<Cause>) {
    let rules = at(new, &["spec", "rules"]).and_then(Value::as_array);
    for (rule, backends) in
        rules.into_iter().flatten().enumerate().map(|(i, rule)| (i, rule.get("backendRefs")))
    {
        for (index, backend) in backends.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let field = format!("spec.rules[{rule}].backendRefs[{index}]");
            match backend.get("weight") {
                Some(weight) if weight.as_i64().is_none() => {
                    let why = format!("{field}.weight in body must be of type integer: \"string\"");
                    let message = format!("Invalid value: \"string\": {why}");
                    causes.push(Cause::new("FieldValueTypeInvalid", message, format!("{field}.weight")));
                    let message = "Invalid value: null: some validation rules were not checked because the object was \
                                   invalid; correct the existing errors to complete validation";
                    causes.push(Cause::new("FieldValueInvalid", message, "<nil>"));
                }
                Some(weight) if weight.as_i64().is_some_and(|weight| weight < 0) => {
                    let why = format!("{field}.weight in body should be greater than or equal to 0");
                    causes.push(Cause::invalid(format!("{field}.weight"), weight, &why));
                }
                _ => {}
            }
            let is_service = backend.get("kind").is_none_or(|kind| kind == "Service");
            if is_service && backend.get("port").is_none() {
                let message = "Invalid value: Must have port for Service reference";
                causes.push(Cause::new("FieldValueInvalid", message, field.clone()));
            }
        }
    }
}
