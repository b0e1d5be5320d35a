//! Who am I, and what may I do: reviews, which store nothing.

use serde_json::{Value, json};

use super::access::{Caller, Wish};
use super::respond::full;
use super::route::Asked;
use super::status::{Cause, Refusal};
use super::{Cluster, Reply, Request};

/// Answers a review of the caller.
pub(super) fn answer(
    cluster: &Cluster,
    request: &Request,
    caller: &Caller,
    plural: &str,
) -> Result<Reply, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::method_not_allowed());
    }
    let accounts = &cluster.settings.accounts;
    let group = if plural == "selfsubjectreviews" { "authentication.k8s.io" } else { "authorization.k8s.io" };
    if !caller.may_discover() {
        let asked = Asked {
            group: group.to_owned(),
            version: "v1".to_owned(),
            plural: plural.to_owned(),
            ..Asked::default()
        };
        return Err(caller.forbidden(accounts, &Wish::of("create", &asked), &asked));
    }
    let mut body: Value = serde_json::from_slice(&request.body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::bad_request(format!("the body is no review of {plural}")))?;
    let (user, kind) = (caller.user(accounts), plural);
    let status = match kind {
        "selfsubjectreviews" => {
            json!({ "userInfo": { "username": user, "groups": ["system:authenticated"] } })
        }
        "selfsubjectrulesreviews" => rules(caller, cluster),
        _ => {
            let resource = body.get("spec").and_then(|spec| spec.get("resourceAttributes")).cloned();
            let path = body.get("spec").and_then(|spec| spec.get("nonResourceAttributes")).is_some();
            if resource.is_none() && !path {
                return Err(unspecified());
            }
            let allowed = resource.is_none_or(|resource| is_allowed(caller, cluster, &resource));
            if allowed { json!({ "allowed": true, "reason": "" }) } else { json!({ "allowed": false }) }
        }
    };
    if plural == "selfsubjectrulesreviews" {
        body["spec"] = json!({});
    }
    let attributes = body.get_mut("spec").and_then(|spec| spec.get_mut("resourceAttributes"));
    if let Some(attributes) = attributes.and_then(Value::as_object_mut) {
        attributes.retain(|_, value| value != "");
    }
    body["kind"] = Value::from(match plural {
        "selfsubjectreviews" => "SelfSubjectReview",
        "selfsubjectrulesreviews" => "SelfSubjectRulesReview",
        _ => "SelfSubjectAccessReview",
    });
    body["apiVersion"] = Value::from(format!("{group}/v1"));
    if body.get("metadata").is_none() {
        body["metadata"] = json!({});
    }
    body["status"] = status;
    Ok(full(201, "application/json", body.to_string().into()))
}

fn is_allowed(caller: &Caller, cluster: &Cluster, resource: &Value) -> bool {
    let text = |key: &str| resource.get(key).and_then(Value::as_str).unwrap_or("");
    let name = match text("subresource") {
        "" => text("resource").to_owned(),
        sub => format!("{}/{sub}", text("resource")),
    };
    let namespace = Some(text("namespace")).filter(|namespace| !namespace.is_empty());
    let wish = Wish { verb: text("verb"), group: text("group"), resource: name, namespace };
    caller.may(&cluster.settings.accounts, &wish)
}

fn rules(caller: &Caller, cluster: &Cluster) -> Value {
    let all = json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]);
    let rules = match caller {
        Caller::Admin => all,
        Caller::Anonymous => json!([]),
        Caller::Account(index) => {
            let rules = cluster.settings.accounts[*index].rules.iter();
            rules
                .map(|rule| json!({ "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources }))
                .collect()
        }
    };
    json!({ "resourceRules": rules, "nonResourceRules": [], "incomplete": false })
}

fn unspecified() -> Refusal {
    let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
    let cause = Cause::invalid("spec.resourceAttributes", &Value::Null, why);
    let message = format!(".authorization.k8s.io \"\" is invalid: {}: {}", cause.field, cause.message);
    let details = json!({ "group": "authorization.k8s.io", "causes": [cause.to_json()] });
    Refusal::new(422, "Invalid", message).with_details(details)
}
