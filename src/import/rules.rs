//! Prometheus: rule files, and the objects that hold their groups.

use std::collections::BTreeMap;

use super::alarms::{Alert, Calls, EVALUATION_MS};
use super::building::{Building, length_ms};
use super::promql::inlined;
use super::tree::At;
use backspin_domain::signal::Worse;

/// How often recorded series are looked through for further ones.
const INLINE_MAX: usize = 10;

/// Longest query that replacing recorded series may make.
const QUERY_MAX: usize = 16_000;

/// What rule groups hold.
#[derive(Debug, Default)]
pub(crate) struct Rules<'a> {
    pub(crate) alerts: Vec<Alert<'a>>,
    recorded: Vec<Recorded<'a>>,
}

#[derive(Debug)]
struct Recorded<'a> {
    at: At<'a>,
    name: String,
    query: String,
    /// Whether labels are put on what it records.
    labelled: bool,
}

/// Reads the groups of a rule file or of an object's `spec`.
pub(crate) fn read<'a>(building: &mut Building<'_>, spec: At<'a>, rules: &mut Rules<'a>) {
    for group in spec.list("groups") {
        let name = group.word("name").unwrap_or("without a name").to_owned();
        let beside = [
            ("limit", "bounds what one rule may give; nothing here gives so much"),
            ("labels", "go to whoever is told"),
            ("source_tenants", "which tenants a Cortex or Thanos asks"),
            ("partial_response_strategy", "how a Thanos answers when a store is away"),
            ("concurrency", "how fast vmalert works"),
            ("namespace", "a ruler's own grouping"),
            ("ownership", "a remark"),
            ("tenant", "which tenant a vmalert asks"),
            ("params", "how vmalert asks"),
        ];
        let label = format!("group `{name}`");
        building.findings.fields(
            group,
            &label,
            &["name", "interval", "rules", "query_offset", "eval_offset"],
            &beside,
        );
        if let Some(offset) = group.either(&["query_offset", "eval_offset"]) {
            building.findings.lost(
                offset,
                &label,
                "evaluated as of another time; the policy's signals are as of now",
            );
        }
        let mut every_ms = EVALUATION_MS;
        if let Some(interval) = group.get("interval") {
            match interval.text().and_then(length_ms).filter(|ms| *ms > 0) {
                Some(ms) => every_ms = ms,
                None => building.findings.lost(interval, &label, "its interval is no length of time"),
            }
        }
        for rule in group.list("rules") {
            read_rule(building, rule, every_ms, rules);
        }
    }
}

fn read_rule<'a>(building: &mut Building<'_>, rule: At<'a>, every_ms: u64, rules: &mut Rules<'a>) {
    let (alert, record) = (rule.get("alert").and_then(At::scalar), rule.get("record").and_then(At::scalar));
    let name = alert.clone().or_else(|| record.clone()).unwrap_or_default();
    let label = format!("rule `{name}`");
    let beside = [
        ("keep_firing_for", "how long it is told after it is over; the first time decides"),
        ("annotations", "go to whoever is told"),
        ("debug", "vmalert's own log"),
        ("update_entries_limit", "vmalert's own history"),
    ];
    building.findings.fields(
        rule,
        &label,
        &["alert", "record", "expr", "for", "labels"],
        match alert {
            Some(_) => &beside,
            None => &beside[2..],
        },
    );
    let Some(query) = rule.get("expr").and_then(At::scalar) else {
        building.findings.lost(rule, &label, "it has no `expr`");
        return;
    };
    let at = rule.get("expr").unwrap_or(rule);
    match (alert, record) {
        (Some(_), None) => {
            let lasts = rule.get("for");
            let lasts_ms = lasts.and_then(At::scalar).map(|text| length_ms(&text));
            if lasts_ms == Some(None) {
                building.findings.lost(lasts.unwrap_or(rule), &label, "its `for` is no length of time");
            }
            let severity = rule.path(&["labels", "severity"]).and_then(At::text);
            let calls = Calls::of(severity);
            rules.alerts.push(Alert {
                at,
                name,
                query,
                lasts_ms: lasts_ms.flatten().unwrap_or(0),
                every_ms,
                calls,
            });
        }
        (None, Some(_)) => {
            if let Some(wrong) = rule.get("for") {
                building.findings.lost(wrong, &label, "Prometheus refuses a recording rule with `for`");
            }
            let labelled = rule.get("labels").is_some_and(|labels| labels.fields().next().is_some());
            rules.recorded.push(Recorded { at, name, query, labelled });
        }
        _ => building.findings.lost(rule, &label, "a rule has either `alert` or `record`"),
    }
}

/// Replaces recorded series by what is recorded under their names, where that means the same. What is recorded and asked
/// by no alert becomes a signal that is shown and judged by nothing.
pub(crate) fn link(building: &mut Building<'_>, rules: &mut Rules<'_>) {
    let mut known: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for recorded in &rules.recorded {
        let text = (!recorded.labelled).then_some(recorded.query.as_str());
        // Two rules that record one name make one series of two; neither stands for it alone.
        known.entry(recorded.name.as_str()).and_modify(|before| *before = None).or_insert(text);
    }
    let lookup = |name: &str| known.get(name).copied().flatten().map(str::to_owned);
    for alert in &mut rules.alerts {
        for _ in 0..INLINE_MAX {
            match inlined(&alert.query, lookup) {
                Some(query) if query.len() <= QUERY_MAX => alert.query = query,
                _ => break,
            }
        }
        if let Some((name, _)) =
            super::promql::metrics(&alert.query).iter().find(|(name, _)| known.contains_key(name.as_str()))
        {
            let why = format!(
                "asks the recorded series `{name}` as it stands; a Prometheus with these rules has it"
            );
            building.findings.changed(alert.at, &format!("alert `{}`", alert.name), why);
        }
    }
    for Recorded { at, name, query, .. } in &rules.recorded {
        let mut query = query.clone();
        for _ in 0..INLINE_MAX {
            match inlined(&query, |other| if other == name { None } else { lookup(other) }) {
                Some(text) if text.len() <= QUERY_MAX => query = text,
                _ => break,
            }
        }
        building.signal(*at, name, &query, Worse::Higher);
    }
}
