//! Pyrra: `ServiceLevelObjective`.
//!
//! Four alerts per objective, as `slo/rules.go` of pyrra-dev/pyrra makes them: windows scale with the objective's own, and
//! groups are evaluated every 30 s.

use super::alarms::{Alert, Calls};
use super::building::{Building, length_ms, promql_length};
use super::sloth::tidy;
use super::tree::At;

/// Pyrra's own interval between evaluations.
const EVERY_MS: u64 = 30_000;

/// What an objective counts.
enum Indicator {
    Ratio { errors: String, total: String },
    Latency { success: String, total: String },
    Gauge { metric: String },
}

/// Reads one object.
pub(crate) fn read<'a>(building: &mut Building<'_>, root: At<'a>, alerts: &mut Vec<Alert<'a>>) {
    let name = root.path(&["metadata", "name"]).and_then(At::text).unwrap_or("slo").to_owned();
    let label = format!("objective `{name}`");
    let Some(spec) = root.get("spec") else {
        return building.findings.lost(root, &label, "it has no `spec`");
    };
    let beside =
        [("description", "a remark"), ("performanceOverAccuracy", "how fast Pyrra's own pages load")];
    building.findings.fields(spec, &label, &["target", "window", "indicator", "alerting"], &beside);
    let target = spec.get("target");
    let Some(percent) = target.and_then(At::number).filter(|t| *t > 0.0 && *t < 100.0) else {
        return building.findings.lost(
            target.unwrap_or(spec),
            &label,
            "`target` must be a percentage between 0 and 100",
        );
    };
    if percent <= 1.0 {
        let why = format!("`target` is a percentage, got {percent}: did you mean {}?", percent * 100.0);
        building.findings.doubtful(target.unwrap_or(spec), &label, why);
    }
    let window = spec.get("window");
    let Some(window_ms) = window.and_then(At::text).and_then(length_ms).filter(|ms| *ms >= 3_600_000) else {
        return building.findings.lost(
            window.unwrap_or(spec),
            &label,
            "`window` must be a length of time of an hour at least",
        );
    };
    let Some((indicator, grouping)) = indicator(building, spec, &label) else { return };
    let at = spec.get("indicator").unwrap_or(spec);
    if let Some(alerting) = spec.get("alerting") {
        let known = ["name", "disabled", "burnrates", "absent", "severities"];
        building.findings.fields(alerting, &format!("{label} alerting"), &known, &[]);
        let off = |name: &str| alerting.get(name).and_then(At::truth) == Some(false);
        if alerting.says("disabled") || off("burnrates") {
            building.findings.beside(alerting, &label, "its alerts are off: nothing to judge");
            return;
        }
    }
    let budget = tidy(1.0 - percent / 100.0);
    for (short_ms, long_ms, lasts_ms, factor, calls) in windows(window_ms) {
        let rate = |ms| burn(&indicator, &grouping, &promql_length(ms));
        let limit = format!("({factor} * {budget})");
        alerts.push(Alert {
            at,
            name: format!("{name}-{factor}x"),
            query: format!("({} > {limit}) and ({} > {limit})", rate(short_ms), rate(long_ms)),
            lasts_ms,
            every_ms: EVERY_MS,
            calls,
        });
    }
    if spec.path(&["alerting", "absent"]).and_then(At::truth) != Some(false) {
        let why = "Pyrra also alerts when the metric is absent; here that is what `missing_data` of the policy says";
        building.findings.changed(at, &label, why);
    }
}

/// Short and long window, how long they must hold, factor, and whom it calls; scaled by the objective's window.
fn windows(window_ms: u64) -> [(u64, u64, u64, u32, Calls); 4] {
    // For 28 days: 5m and 1h for 2m; 30m and 6h for 15m; 2h and 1d for 1h; 6h and 4d for 3h.
    let part = |divisor: u64| {
        let ms = window_ms / divisor;
        ((ms + 30_000) / 60_000 * 60_000).max(60_000)
    };
    [
        (part(28 * 24 * 12), part(28 * 24), part(28 * 24 * 30), 14, Calls::Page),
        (part(28 * 24 * 2), part(28 * 4), part(28 * 24 * 4), 7, Calls::Page),
        (part(28 * 12), part(28), part(28 * 24), 2, Calls::Ticket),
        (part(28 * 4), part(7), part(28 * 8), 1, Calls::Ticket),
    ]
}

fn indicator(building: &mut Building<'_>, spec: At<'_>, label: &str) -> Option<(Indicator, Vec<String>)> {
    let Some(given) = spec.get("indicator") else {
        building.findings.lost(spec, label, "it has no `indicator`");
        return None;
    };
    let kinds = ["ratio", "latency", "bool_gauge", "boolGauge", "latencyNative"];
    building.findings.fields(given, &format!("{label} indicator"), &kinds, &[]);
    let metric = |at: At<'_>, side: &str| Some(at.path(&[side, "metric"])?.text()?.trim().to_owned());
    let (at, found) = if let Some(at) = given.get("ratio") {
        let found = metric(at, "errors").zip(metric(at, "total"));
        (at, found.map(|(errors, total)| Indicator::Ratio { errors, total }))
    } else if let Some(at) = given.get("latency") {
        let found = metric(at, "success").zip(metric(at, "total"));
        (at, found.map(|(success, total)| Indicator::Latency { success, total }))
    } else if let Some(at) = given.either(&["bool_gauge", "boolGauge"]) {
        let metric = at.word("metric").map(|metric| metric.trim().to_owned());
        (at, metric.map(|metric| Indicator::Gauge { metric }))
    } else {
        let (at, why) = match given.get("latencyNative") {
            Some(at) => (at, "native histograms are not read"),
            None => (given, "no `ratio`, `latency` or `bool_gauge`"),
        };
        building.findings.lost(at, label, why);
        return None;
    };
    if found.is_none() {
        building.findings.lost(at, label, "it lacks a `metric`");
    }
    let mut grouping: Vec<String> = at.list("grouping").filter_map(At::scalar).collect();
    grouping.sort();
    grouping.dedup();
    Some((found?, grouping))
}

/// The share that is bad over a window.
fn burn(indicator: &Indicator, grouping: &[String], window: &str) -> String {
    let by = if grouping.is_empty() { String::new() } else { format!(" by ({})", grouping.join(", ")) };
    let sum = |function: &str, metric: &str| format!("sum{by} ({function}({metric}[{window}]))");
    match indicator {
        Indicator::Ratio { errors, total } => format!("({} / {})", sum("rate", errors), sum("rate", total)),
        Indicator::Latency { success, total } => {
            let whole = sum("rate", total);
            format!("(({whole} - {}) / {whole})", sum("rate", success))
        }
        Indicator::Gauge { metric } => {
            let whole = sum("count_over_time", metric);
            format!("(({whole} - {}) / {whole})", sum("sum_over_time", metric))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_scale_with_the_objectives() {
        let minutes = |window_ms| {
            windows(window_ms).map(|(short, long, lasts, factor, _)| {
                [short / 60_000, long / 60_000, lasts / 60_000, factor.into()]
            })
        };
        assert_eq!(
            minutes(28 * 86_400_000),
            [[5, 60, 2, 14], [30, 360, 15, 7], [120, 1440, 60, 2], [360, 5760, 180, 1]]
        );
        assert_eq!(
            minutes(14 * 86_400_000),
            [[3, 30, 1, 14], [15, 180, 8, 7], [60, 720, 30, 2], [180, 2880, 90, 1]]
        );
    }
}
