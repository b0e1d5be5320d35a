//! Analyses to `argo`.

use crate::argo::Metric;
use crate::building::Building;
use crate::scale::{Limit, doubt, scale};
use crate::tree::At;
use backspin_judge::argo::{Metric as Judged, Params};
use backspin_judge::expr::{Expr, Value};
use backspin_judge::metric::Reads;
use backspin_policy::file::JudgeEntry;

/// The judge of all metrics; none if there are none.
pub(super) fn judge(building: &mut Building<'_>, metrics: Vec<Metric<'_>>) -> Option<JudgeEntry> {
    let metrics: Vec<Judged> = metrics.into_iter().filter_map(|metric| judged(building, metric)).collect();
    if metrics.is_empty() { None } else { Some(JudgeEntry::Argo(Params { metrics })) }
}

fn judged(building: &mut Building<'_>, metric: Metric<'_>) -> Option<Judged> {
    let label = format!("metric `{}`", metric.name);
    let success = condition(building, metric.success.as_ref(), &label).ok()?;
    let failure = condition(building, metric.failure.as_ref(), &label).ok()?;
    check(building, &metric, success.as_ref(), failure.as_ref());
    if metric.count.is_some_and(|count| count > 1) && metric.interval_ms.is_none() {
        let why = "more than one measurement needs an `interval`; Argo refuses it";
        building.findings.lost(metric.at, &label, why);
        return None;
    }
    if let Some(ms) = metric.interval_ms.filter(|ms| !(1000..=86_400_000).contains(ms)) {
        building.findings.lost(
            metric.at,
            &label,
            format!("an interval of {ms} ms; from 1 s to a day can be carried"),
        );
        return None;
    }
    let limit = |given: Option<i64>, default: i64| {
        i32::try_from(given.unwrap_or(default)).unwrap_or(i32::MAX).clamp(-1, 1_000_000)
    };
    let whole = |given: Option<i64>, default: u32| given.map_or(default, |n| n.clamp(0, 1_000_000) as u32);
    building.findings.carried(metric.at, &label, "measured and judged by Argo's rules");
    Some(Judged {
        success_condition: metric.success.map(|(_, text)| text),
        failure_condition: metric.failure.map(|(_, text)| text),
        interval_ms: metric.interval_ms,
        initial_delay_ms: metric.initial_delay_ms.min(86_400_000),
        // A count of 0 is none.
        count: metric.count.filter(|n| *n > 0).map(|n| n.min(1_000_000) as u32),
        failure_limit: limit(metric.failure_limit, 0),
        inconclusive_limit: limit(metric.inconclusive_limit, 0),
        consecutive_error_limit: whole(metric.consecutive_error_limit, 4),
        consecutive_success_limit: whole(metric.consecutive_success_limit, 0),
        ..Judged::new(metric.name, Reads::Query(metric.signal))
    })
}

/// A condition cannot be carried, which was said.
struct Lost;

/// A condition, parsed, if there is one.
fn condition(
    building: &mut Building<'_>,
    given: Option<&(At<'_>, String)>,
    label: &str,
) -> Result<Option<Expr>, Lost> {
    let Some((at, text)) = given else { return Ok(None) };
    match Expr::parse(text) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error) => {
            building.findings.lost(*at, label, format!("condition `{text}`: {error}"));
            Err(Lost)
        }
    }
}

/// How a measurement ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Successful,
    Failed,
    Inconclusive,
    Error,
}

fn phase(success: Option<&Expr>, failure: Option<&Expr>, element: Option<f64>) -> Phase {
    let holds = |condition: &Expr| condition.holds(Value::Vector(element));
    let (good, bad) = (success.map(holds).transpose(), failure.map(holds).transpose());
    match (good, bad) {
        (Err(_), _) | (_, Err(_)) => Phase::Error,
        (Ok(None), Ok(None)) | (Ok(Some(true)), Ok(Some(false))) => Phase::Successful,
        (Ok(Some(good)), Ok(None)) => {
            if good {
                Phase::Successful
            } else {
                Phase::Failed
            }
        }
        (Ok(None), Ok(Some(bad))) => {
            if bad {
                Phase::Failed
            } else {
                Phase::Successful
            }
        }
        (Ok(Some(_)), Ok(Some(true))) => Phase::Failed,
        (Ok(Some(false)), Ok(Some(false))) => Phase::Inconclusive,
    }
}

fn check(building: &mut Building<'_>, metric: &Metric<'_>, success: Option<&Expr>, failure: Option<&Expr>) {
    let label = format!("metric `{}`", metric.name);
    let at = metric.success.as_ref().or(metric.failure.as_ref()).map_or(metric.at, |(at, _)| *at);
    let ends = |element| phase(success, failure, element);
    if success.is_none() && failure.is_none() {
        building.findings.doubtful(metric.at, &label, "it has no condition: every answer is a success");
        return;
    }
    if ends(Some(f64::NAN)) == Phase::Successful {
        let why = "an answer that is not a number, as without traffic, is a success";
        building.findings.doubtful(at, &label, why);
    }
    if let Some(scale) = scale(&metric.query) {
        let limit = Limit { name: &metric.name, scale };
        if let Some(why) = doubt(limit, &|x| ends(Some(x)) == Phase::Successful) {
            building.findings.doubtful(at, &label, why);
        }
    }
    let probes = [-1.0, 0.0, 1e-3, 0.5, 1.0, 2.0, 50.0, 95.0, 100.0, 1e3, 1e6];
    if probes.iter().all(|x| ends(Some(*x)) == Phase::Error) {
        building.findings.doubtful(at, &label, "the condition cannot be answered for any number");
    }
    let failures = metric.failure_limit.unwrap_or(0);
    if failures < 0 {
        building.findings.doubtful(metric.at, &label, "a failure limit below 0: it never fails");
        return;
    }
    let count = metric.count.filter(|n| *n > 0).or_else(|| metric.interval_ms.is_none().then_some(1));
    if let Some(count) = count.filter(|count| *count <= failures) {
        let why = format!(
            "it fails after {} failed measurements, and there are {count}: it never fails",
            failures + 1
        );
        building.findings.doubtful(metric.at, &label, why);
    }
    if let Some(steps_ms) = metric.steps_ms {
        let measured = steps_ms
            .checked_sub(metric.initial_delay_ms)
            .map_or(0, |left| metric.interval_ms.map_or(1, |interval| left / interval.max(1) + 1));
        if i64::try_from(measured).unwrap_or(i64::MAX) <= failures {
            let why = format!(
                "the rollout's steps take {} s, in which it is measured {measured} times; it fails after {} failures",
                steps_ms / 1000,
                failures + 1
            );
            building.findings.doubtful(metric.at, &label, why);
        }
    }
}
