//! What was expected beside what came.

use backspin_mocks::promql::rules::Firing;
use backspin_mocks::store::Labels;

/// Answers agree within this share: above the last bits of sums in another order, far below what a test means.
const TOLERANCE: f64 = 1e-12;

/// Lines of a difference: `-` what was expected and is not there, `+` what is there and was not expected.
pub(super) fn alerts(mut expected: Vec<Firing>, mut got: Vec<Firing>) -> Option<Vec<String>> {
    expected.sort();
    got.sort();
    if expected == got {
        return None;
    }
    let mut lines = Vec::new();
    let mut missing: Vec<Firing> = Vec::new();
    for alert in expected {
        if let Some(at) = got.iter().position(|found| *found == alert) {
            got.remove(at);
        } else {
            missing.push(alert);
        }
    }
    for alert in missing {
        // The alert with the same labels, or else the one that has most of them.
        let nearest = (0..got.len()).max_by_key(|&at| (likeness(&alert, &got[at]), usize::MAX - at));
        if let Some(at) = nearest.filter(|&at| likeness(&alert, &got[at]) > 0) {
            let found = got.remove(at);
            lines.push(format!("  alert {}", alert.labels));
            differing("label", &alert.labels, &found.labels, &mut lines);
            differing("annotation", &alert.annotations, &found.annotations, &mut lines);
        } else {
            lines.push(format!("- alert {}", alert.labels));
            lines.extend(alert.annotations.iter().map(|(name, value)| format!("-   {name}: {value}")));
        }
    }
    for alert in got {
        lines.push(format!("+ alert {}", alert.labels));
        lines.extend(alert.annotations.iter().map(|(name, value)| format!("+   {name}: {value}")));
    }
    Some(lines)
}

/// How many labels agree, the alert's name not counted; equal labels most of all.
fn likeness(a: &Firing, b: &Firing) -> usize {
    if a.labels == b.labels {
        return usize::MAX;
    }
    let own = a.labels.iter().filter(|(name, _)| *name != "alertname");
    own.filter(|(name, value)| b.labels.get(name) == *value).count()
}

fn differing(what: &str, expected: &Labels, got: &Labels, lines: &mut Vec<String>) {
    for (name, value) in expected.iter() {
        if got.get(name) != value {
            lines.push(format!("-   {what} {name}: {value}"));
            if !got.get(name).is_empty() {
                lines.push(format!("+   {what} {name}: {}", got.get(name)));
            }
        }
    }
    for (name, value) in got.iter().filter(|(name, _)| expected.get(name).is_empty()) {
        lines.push(format!("+   {what} {name}: {value}"));
    }
}

/// The same for the elements of an answer.
pub(super) fn samples(expected: &[(Labels, f64)], got: &[(Labels, f64)]) -> Option<Vec<String>> {
    let sorted = |samples: &[(Labels, f64)]| {
        let mut samples = samples.to_vec();
        samples.sort_by(|a, b| a.0.cmp(&b.0));
        samples
    };
    let (expected, got) = (sorted(expected), sorted(got));
    let agree = expected.len() == got.len()
        && expected.iter().zip(&got).all(|(a, b)| a.0 == b.0 && is_close(a.1, b.1));
    if agree {
        return None;
    }
    let mut lines = Vec::new();
    let mut got = got;
    for (labels, value) in expected {
        match got.iter().position(|(known, _)| *known == labels) {
            Some(at) => {
                let (_, found) = got.remove(at);
                if is_close(value, found) {
                    lines.push(format!("  {labels} {value}"));
                } else {
                    lines.push(format!("- {labels} {value}"));
                    lines.push(format!("+ {labels} {found}"));
                }
            }
            None => lines.push(format!("- {labels} {value}")),
        }
    }
    lines.extend(got.into_iter().map(|(labels, value)| format!("+ {labels} {value}")));
    Some(lines)
}

/// NaN is close to nothing, as to promtool.
fn is_close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
