//! Alerts to `alarm`: each is a count of elements that must be above zero so many evaluations in a row.

use crate::alarms::{Asked, Calls};
use crate::building::Building;
use crate::promql::{bare, split};
use crate::scale::{Limit, doubt, scale};
use backspin_judge::alarm::{Alarm, Comparison, Missing, Params};
use backspin_judge::metric::{METRICS_MAX, Reads};
use backspin_policy::file::JudgeEntry;

/// Most datapoints that an alarm looks at.
const DATAPOINTS_MAX: u64 = 1000;

/// The alerts that page; if none does, all.
pub(super) fn judge(building: &mut Building<'_>, asked: &[Asked<'_>]) -> Option<JudgeEntry> {
    let some_page = asked.iter().any(|asked| asked.alert.calls == Calls::Page);
    let mut alarms: Vec<Alarm> = Vec::new();
    for Asked { alert, signal } in asked {
        let label = format!("alert `{}`", alert.name);
        check(building, alert.at, &alert.name, &alert.query);
        if some_page && alert.calls == Calls::Ticket {
            let why = "calls nobody at once, while others do: it is shown, and does not fail the candidate";
            building.findings.changed(alert.at, &label, why);
            continue;
        }
        let periods = alert.lasts_ms.div_ceil(alert.every_ms) + 1;
        if periods > DATAPOINTS_MAX {
            let why =
                format!("must hold for {periods} evaluations; an alarm looks at {DATAPOINTS_MAX} at most");
            building.findings.lost(alert.at, &label, why);
            continue;
        }
        if alarms.len() >= METRICS_MAX {
            building.findings.lost(alert.at, &label, format!("a policy has at most {METRICS_MAX} alarms"));
            continue;
        }
        let taken = alarms
            .iter()
            .filter(|alarm| alarm.name == alert.name || alarm.name.starts_with(&format!("{} #", alert.name)))
            .count();
        let name = if taken == 0 { alert.name.clone() } else { format!("{} #{}", alert.name, taken + 1) };
        alarms.push(Alarm {
            comparison: Comparison::Greater,
            period_ms: alert.every_ms.clamp(1000, 86_400_000),
            evaluation_periods: periods as u32,
            // An alert without data does not fire.
            missing: Missing::NotBreaching,
            ..Alarm::new(name, Reads::Query(signal.clone()), 0.0)
        });
        building.findings.carried(
            alert.at,
            &label,
            match periods {
                1 => "fails the candidate as soon as it holds".to_owned(),
                n => format!("fails the candidate when it holds {n} evaluations in a row"),
            },
        );
    }
    if !some_page && !alarms.is_empty() {
        let at = asked.first()?.alert.at;
        building.findings.changed(
            at,
            "severity",
            "no alert calls anybody at once, so all of them fail the candidate",
        );
    }
    let shortest = alarms.iter().map(|alarm| alarm.period_ms).min()?;
    let poll_ms = shortest.min(3_600_000);
    // A rule that cannot be evaluated does not fire.
    Some(JudgeEntry::Alarm(Params { alarms, poll_ms, ignore_poll_failure: true, ..Params::default() }))
}

/// Looks at a comparison of a query with a number.
fn check(building: &mut Building<'_>, at: crate::tree::At<'_>, name: &str, query: &str) {
    let Some(parts) = split(bare(query)) else { return };
    let Ok(limit) = bare(parts.right).parse::<f64>() else { return };
    let fires: fn(f64, f64) -> bool = match parts.sign {
        ">" => |x, limit| x > limit,
        ">=" => |x, limit| x >= limit,
        "<" => |x, limit| x < limit,
        "<=" => |x, limit| x <= limit,
        _ => return,
    };
    let Some(scale) = scale(parts.left) else { return };
    if let Some(why) = doubt(Limit { name, scale }, &|x| !fires(x, limit)) {
        building.findings.doubtful(at, &format!("alert `{name}`"), why);
    }
}
