//! Label and field selectors.
//!
//! Source: Kubernetes 1.36 `apimachinery/pkg/labels/selector.go` and `apimachinery/pkg/fields/selector.go`.

use serde_json::Value;

use super::object::meta;
use super::status::Refusal;

/// What objects a list or a watch shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<Field>,
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// One requirement on a field.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    path: String,
    value: String,
    is_equal: bool,
}

impl Selector {
    /// Parses both; either may be empty. `plural` says which fields there are.
    pub(super) fn parse(labels: &str, fields: &str, plural: &str) -> Result<Self, Refusal> {
        let labels = LabelParser { rest: labels }.all().map_err(Refusal::bad_request)?;
        Ok(Self { labels, fields: parse_fields(fields, plural)? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        if self.is_empty() {
            return true;
        }
        let labels = meta(object).and_then(|meta| meta.get("labels"));
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let is_labelled = self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                label(key).is_some_and(|value| values.iter().any(|other| other == value))
            }
            Requirement::NotIn(key, values) => {
                label(key).is_none_or(|value| values.iter().all(|other| other != value))
            }
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Missing(key) => label(key).is_none(),
        });
        is_labelled
            && self
                .fields
                .iter()
                .all(|field| (field_of(object, &field.path) == field.value) == field.is_equal)
    }
}

/// A field as text; empty if it is missing.
fn field_of(object: &Value, path: &str) -> String {
    let mut at = Some(object);
    // Events of the group events.k8s.io call it otherwise, but are stored as the core's.
    for part in path.split('.') {
        at = at.and_then(|at| at.get(part));
    }
    match at {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(is)) => is.to_string(),
        _ => String::new(),
    }
}

/// Fields besides name and namespace that can be selected by.
fn selectable(plural: &str) -> &'static [&'static str] {
    match plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "replicasets" => &["status.replicas"],
        "jobs" => &["status.successful"],
        "namespaces" => &["status.phase"],
        "services" => &["spec.clusterIP", "spec.type"],
        _ => &[],
    }
}

fn parse_fields(text: &str, plural: &str) -> Result<Vec<Field>, Refusal> {
    let mut fields = Vec::new();
    for term in text.split(',').filter(|term| !term.is_empty()) {
        let (path, value, is_equal) = if let Some((path, value)) = term.split_once("!=") {
            (path, value, false)
        } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (path, value, true)
        } else {
            return Err(Refusal::bad_request(format!(
                "invalid selector: '{text}'; can't understand '{term}'"
            )));
        };
        let others = selectable(plural);
        if !(path == "metadata.name" || path == "metadata.namespace" || others.contains(&path)) {
            return Err(Refusal::bad_request(format!(
                "\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            )));
        }
        fields.push(Field { path: path.to_owned(), value: value.to_owned(), is_equal });
    }
    Ok(fields)
}

struct LabelParser<'a> {
    rest: &'a str,
}

impl<'a> LabelParser<'a> {
    fn all(mut self) -> Result<Vec<Requirement>, String> {
        let mut found = Vec::new();
        self.space();
        while !self.rest.is_empty() {
            found.push(self.one()?);
            self.space();
            match self.token() {
                "" => break,
                "," => self.space(),
                other => {
                    return Err(format!(
                        "unable to parse requirement: found '{other}', expected: ',' or 'end of string'"
                    ));
                }
            }
        }
        Ok(found)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn token(&mut self) -> &'a str {
        self.space();
        let operator = ["!=", "==", "=", "!", ",", "(", ")", "<", ">"];
        let end = if let Some(found) = operator.iter().find(|operator| self.rest.starts_with(**operator)) {
            found.len()
        } else {
            let ends = |c: char| c.is_whitespace() || "=!,()<>".contains(c);
            self.rest.find(ends).unwrap_or(self.rest.len())
        };
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }

    fn one(&mut self) -> Result<Requirement, String> {
        let first = self.token();
        if first == "!" {
            return Ok(Requirement::Missing(key(self.token())?));
        }
        let key = key(first)?;
        let before = self.rest;
        match self.token() {
            "" => Ok(Requirement::Exists(key)),
            "," => {
                self.rest = before;
                Ok(Requirement::Exists(key))
            }
            "=" | "==" => Ok(Requirement::In(key, vec![self.value()?])),
            "!=" => Ok(Requirement::NotIn(key, vec![self.value()?])),
            "in" => Ok(Requirement::In(key, self.values()?)),
            "notin" => Ok(Requirement::NotIn(key, self.values()?)),
            other => Err(format!(
                "unable to parse requirement: found '{other}', expected: in, notin, =, ==, !=, gt, lt"
            )),
        }
    }

    fn value(&mut self) -> Result<String, String> {
        let before = self.rest;
        let token = self.token();
        if token == "," || token.is_empty() {
            self.rest = before;
            return Ok(String::new());
        }
        if "=!()<>".contains(token.chars().next().unwrap_or('=')) || token == "!=" || token == "==" {
            return Err(format!("unable to parse requirement: found '{token}', expected: identifier"));
        }
        Ok(token.to_owned())
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.token();
        if open != "(" {
            return Err(format!("unable to parse requirement: found '{open}' expected: '('"));
        }
        let mut values = Vec::new();
        loop {
            match self.token() {
                ")" => return Ok(values),
                "," => {}
                "" => return Err("unable to parse requirement: found '', expected: ',' or ')'".to_owned()),
                value if value.chars().all(|c| !"=!()<>".contains(c)) => values.push(value.to_owned()),
                other => {
                    return Err(format!(
                        "unable to parse requirement: found '{other}', expected: ',' or ')'"
                    ));
                }
            }
        }
    }
}

fn key(token: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if token.is_empty() || !token.chars().all(is_name) {
        return Err(format!("unable to parse requirement: found '{token}', expected: identifier"));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(selector: &str, expected: bool) {
        let object = json!({ "metadata": { "labels": { "app": "checkout", "tier": "backend" } } });
        let selector = Selector::parse(selector, "", "deployments").expect("it parses");
        assert_eq!(selector.matches(&object), expected, "{selector:?}");
    }

    #[test]
    fn labels_are_selected_by() {
        check("", true);
        check("app=checkout", true);
        check("app==checkout,tier!=frontend", true);
        check("app in (checkout, checkout-bg),tier notin (x),!canary,tier", true);
        check("canary", false);
        check("!app", false);
        check("app!=checkout", false);
        check("canary!=1", true);
        check("app=", false);
    }

    #[test]
    fn fields_are_selected_by() {
        let object = json!({ "metadata": { "name": "a" }, "status": { "phase": "Running" } });
        let select = |fields| Selector::parse("", fields, "pods").map(|selector| selector.matches(&object));
        assert_eq!(select("metadata.name=a,status.phase!=Failed"), Ok(true));
        assert_eq!(select("metadata.name=b"), Ok(false));
        assert!(select("spec.replicas=3").is_err());
    }
}
