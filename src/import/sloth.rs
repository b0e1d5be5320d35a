//! Sloth: `prometheus/v1`, `PrometheusServiceLevel`, and the OpenSLO that it reads.
//!
//! Sloth makes four burn-rate alerts of an objective, two that page and two that open a ticket (windows and factors of
//! `internal/alert/windows` in slok/sloth; Google's SRE workbook, chapter 5). The alerts are written out here as Sloth
//! writes them, with its queries in place of its recorded series.

use super::alarms::{Alert, Calls, EVALUATION_MS};
use super::building::{Building, promql_length};
use super::template::{BRACES, filled};
use super::tree::At;
use backspin_domain::signal::Worse;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Two windows and the share of the period's budget that the longer one may spend.
struct Windows {
    short_ms: u64,
    long_ms: u64,
    budget_percent: f64,
    calls: Calls,
}

/// `internal/alert/windows/google-30d.yaml`, and 28d alike.
const WINDOWS: [Windows; 4] = [
    Windows { short_ms: 5 * MINUTE, long_ms: HOUR, budget_percent: 2.0, calls: Calls::Page },
    Windows { short_ms: 30 * MINUTE, long_ms: 6 * HOUR, budget_percent: 5.0, calls: Calls::Page },
    Windows { short_ms: 2 * HOUR, long_ms: DAY, budget_percent: 10.0, calls: Calls::Ticket },
    Windows { short_ms: 6 * HOUR, long_ms: 3 * DAY, budget_percent: 10.0, calls: Calls::Ticket },
];

/// An objective with the ratio of what is bad.
struct Objective<'a> {
    at: At<'a>,
    name: String,
    /// Share that must be good.
    target: f64,
    /// With a placeholder for the window.
    bad_ratio: String,
    period_ms: u64,
    /// Whether pages and tickets are made.
    wants: [bool; 2],
}

/// Reads a `prometheus/v1` file or the `spec` of a `PrometheusServiceLevel`.
pub(crate) fn read<'a>(building: &mut Building<'_>, spec: At<'a>, alerts: &mut Vec<Alert<'a>>) {
    let service = spec.word("service").unwrap_or_default().to_owned();
    let beside = [
        ("labels", "go to whoever is told"),
        ("sloPlugins", "change the rules that Sloth writes, not what they ask"),
        ("slo_plugins", "change the rules that Sloth writes, not what they ask"),
    ];
    building.findings.fields(spec, "service level", &["version", "service", "slos"], &beside);
    for slo in spec.list("slos") {
        let name = slo.word("name").unwrap_or("slo").to_owned();
        let label = format!("objective `{name}`");
        let beside = [
            ("description", "a remark"),
            ("labels", "go to whoever is told"),
            ("plugins", "change the rules that Sloth writes, not what they ask"),
        ];
        building.findings.fields(slo, &label, &["name", "objective", "sli", "alerting"], &beside);
        let Some(target) = target(building, slo, "objective", &label, 100.0) else { continue };
        let Some(bad_ratio) = slo.get("sli").and_then(|sli| bad_ratio(building, sli, &label)) else {
            if slo.get("sli").is_none() {
                building.findings.lost(slo, &label, "it has no `sli`");
            }
            continue;
        };
        let alerting = slo.get("alerting");
        let off = |names: &[&str]| {
            alerting.and_then(|a| a.either(names)).is_some_and(|alert| alert.says("disable"))
        };
        let wants = [!off(&["page_alert", "pageAlert"]), !off(&["ticket_alert", "ticketAlert"])];
        let at = slo.get("sli").unwrap_or(slo);
        let name = format!("{service}-{name}");
        let objective = Objective { at, name, target, bad_ratio, period_ms: 30 * DAY, wants };
        expand(building, &objective, alerts);
    }
}

/// Reads an OpenSLO `SLO`.
pub(crate) fn read_openslo<'a>(building: &mut Building<'_>, root: At<'a>, alerts: &mut Vec<Alert<'a>>) {
    let Some(spec) = root.get("spec") else { return };
    let name = root.path(&["metadata", "name"]).and_then(At::text).unwrap_or("slo");
    let mut period_ms = 30 * DAY;
    if let Some(window) = spec.list("timeWindows").next() {
        let count = window.figure("count").unwrap_or(30.0);
        let unit = window.word("unit").unwrap_or("Day");
        if unit.eq_ignore_ascii_case("day") && (1.0..=365.0).contains(&count) {
            period_ms = count as u64 * DAY;
        } else {
            building.findings.lost(window, "time window", format!("days are read, got {count} {unit}"));
        }
    }
    if let Some(method) = spec.get("budgetingMethod").filter(|m| m.text() != Some("Occurrences")) {
        building.findings.lost(method, "budgeting method", "only `Occurrences` can be carried");
    }
    for (n, objective) in spec.list("objectives").enumerate() {
        let label = format!("objective {} of `{name}`", n + 1);
        let Some(target) = target(building, objective, "target", &label, 1.0) else { continue };
        let Some(metrics) = objective.get("ratioMetrics") else {
            building.findings.lost(objective, &label, "only `ratioMetrics` can be carried");
            continue;
        };
        let query = |side: &str| metrics.path(&[side, "query"]).and_then(At::text).map(str::trim);
        let bad_ratio = match (query("good"), query("bad"), query("total")) {
            (Some(good), _, Some(total)) => format!("1 - ((({good}) / ({total})))"),
            (None, Some(bad), Some(total)) => format!("({bad}) / ({total})"),
            _ => {
                building.findings.lost(metrics, &label, "it lacks `good` or `bad`, or `total`");
                continue;
            }
        };
        let name = if n == 0 { name.to_owned() } else { format!("{name}-{n}") };
        let objective = Objective { at: metrics, name, target, bad_ratio, period_ms, wants: [true; 2] };
        expand(building, &objective, alerts);
    }
}

/// A target between 0 and `whole`, as a share.
fn target(building: &mut Building<'_>, at: At<'_>, field: &str, label: &str, whole: f64) -> Option<f64> {
    let given = at.get(field);
    let Some(number) = given.and_then(At::number) else {
        building.findings.lost(given.unwrap_or(at), label, format!("it has no number as `{field}`"));
        return None;
    };
    if number <= 0.0 || number >= whole {
        let why = format!("`{field}` must be between 0 and {whole}, got {number}");
        building.findings.lost(given.unwrap_or(at), label, why);
        return None;
    }
    if whole > 1.0 && number <= 1.0 {
        let why = format!("`{field}` is a percentage, got {number}: did you mean {}?", number * 100.0);
        building.findings.doubtful(given.unwrap_or(at), label, why);
    }
    Some(number / whole)
}

fn bad_ratio(building: &mut Building<'_>, sli: At<'_>, label: &str) -> Option<String> {
    if let Some(events) = sli.get("events") {
        let query = |names: &[&str]| events.either(names).and_then(At::text).map(str::trim);
        let (error, total) = (query(&["error_query", "errorQuery"]), query(&["total_query", "totalQuery"]));
        let (Some(error), Some(total)) = (error, total) else {
            building.findings.lost(events, label, "`events` needs an error query and a total query");
            return None;
        };
        return Some(format!("({error})\n/\n({total})"));
    }
    if let Some(raw) = sli.get("raw") {
        let Some(query) = raw.either(&["error_ratio_query", "errorRatioQuery"]).and_then(At::text) else {
            building.findings.lost(raw, label, "`raw` needs an error ratio query");
            return None;
        };
        return Some(query.trim().to_owned());
    }
    if let Some(plugin) = sli.get("plugin") {
        let id = plugin.word("id").unwrap_or("without an id");
        let why =
            format!("the plugin `{id}` makes its query when Sloth runs; import what `sloth generate` writes");
        building.findings.lost(plugin, label, why);
        return None;
    }
    building.findings.lost(sli, label, "no `events`, `raw` or `plugin`");
    None
}

fn expand<'a>(building: &mut Building<'_>, objective: &Objective<'a>, alerts: &mut Vec<Alert<'a>>) {
    let budget = 1.0 - objective.target;
    let ratio = |ms: u64| {
        let window = promql_length(ms);
        filled(&objective.bad_ratio, BRACES, |name| (name == "window").then(|| window.clone()))
    };
    let (_, missing) = ratio(MINUTE);
    if let Some(name) = missing.first() {
        let why = format!("placeholder `{name}` is not one of Sloth's; it knows `window`");
        building.findings.lost(objective.at, &format!("objective `{}`", objective.name), why);
        return;
    }
    for (calls, wanted) in [Calls::Page, Calls::Ticket].into_iter().zip(objective.wants) {
        if !wanted {
            continue;
        }
        let parts: Vec<String> = WINDOWS
            .iter()
            .filter(|windows| windows.calls == calls)
            .map(|windows| {
                let share =
                    windows.budget_percent / 100.0 * objective.period_ms as f64 / windows.long_ms as f64;
                let limit = format!("({} * {})", tidy(share), tidy(budget));
                let (short, long) = (ratio(windows.short_ms).0, ratio(windows.long_ms).0);
                format!("((({short}) > {limit}) and (({long}) > {limit}))")
            })
            .collect();
        let kind = match calls {
            Calls::Page => "page",
            Calls::Ticket => "ticket",
        };
        alerts.push(Alert {
            at: objective.at,
            name: format!("{}-{kind}", objective.name),
            query: parts.join(" or "),
            lasts_ms: 0,
            every_ms: EVALUATION_MS,
            calls,
        });
    }
    if objective.wants == [false; 2] {
        let why = "both alerts are off: it is shown, and judged by nothing";
        building.findings.beside(objective.at, &format!("objective `{}`", objective.name), why);
        building.signal(objective.at, &objective.name, &ratio(5 * MINUTE).0, Worse::Higher);
    }
}

/// A number without the noise of its last digits.
pub(crate) fn tidy(x: f64) -> f64 {
    (x * 1e12).round() / 1e12
}
