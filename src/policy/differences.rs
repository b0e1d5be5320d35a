//! In what two policies differ, field by field, with every default spelled out.

use serde_json::{Map, Value};

use super::Policy;

/// One field that two policies say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDifference {
    /// The field, as a dotted path: `judge.e_detector.alpha`.
    pub field: String,
    /// What the first says, as JSON; a dash where it says nothing.
    pub before: String,
    /// What the second says.
    pub after: String,
}

/// Every field in which two effective policies differ, in the order of the file. Comments, order and spelled-out defaults
/// are no differences.
pub fn differences(before: &Policy, after: &Policy) -> Vec<PolicyDifference> {
    let mut found = Vec::new();
    compare("", &before.to_json(), &after.to_json(), &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<PolicyDifference>) {
    match (before, after) {
        (Value::Object(left), Value::Object(right)) if !another_choice(left, right) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            for name in names {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let of = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                compare(&below, &of(left), &of(right), found);
            }
        }
        (left, right) if left == right => {}
        (Value::Object(left), Value::Object(right)) => found.push(PolicyDifference {
            field: path.to_owned(),
            before: left.keys().next().cloned().unwrap_or_default(),
            after: right.keys().next().cloned().unwrap_or_default(),
        }),
        (left, right) => {
            found.push(PolicyDifference { field: path.to_owned(), before: words(left), after: words(right) });
        }
    }
}

/// Whether both hold one choice and not the same, as two judges: their fields have nothing to do with each other.
fn another_choice(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    left.len() == 1 && right.len() == 1 && left.keys().ne(right.keys())
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{FileKind, Source};
    use crate::{JudgeName, parse};

    fn policy(text: &str) -> Policy {
        parse(&Source::new(FileKind::Policy, "p.yaml", format!("version: 1\n{text}"))).expect("good")
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str, &str)]) {
        let found = differences(&policy(""), &policy(text));
        let found: Vec<_> =
            found.iter().map(|d| (d.field.as_str(), d.before.as_str(), d.after.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_changed_field_has_its_path() {
        check("collect_every: 30s", &[("collect_every", "15s", "30s")]);
        check("execution: { cool_down: 20m }", &[("execution.cool_down", "15m", "20m")]);
        check("planning: { stage_factors: [0.7, 0.3] }", &[("planning.stage_factors", "[0.5]", "[0.7,0.3]")]);
    }

    #[test]
    fn spelled_out_defaults_and_order_are_no_differences() {
        check("execution: { cool_down: 15m }\ncollect_every: 15s", &[]);
    }

    #[test]
    fn another_judge_is_one_difference() {
        check("judge: { flagger: {} }", &[("judge", "e_detector", "flagger")]);
        let other = policy("").with_judge(JudgeName::Weighted);
        assert!(differences(&policy(""), &other).iter().any(|d| d.field == "attribution"));
    }
}
