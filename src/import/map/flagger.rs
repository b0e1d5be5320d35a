//! Canaries to `flagger`.

use crate::building::Building;
use crate::flagger::{Analysis, Metric, Source};
use crate::scale::{Limit, Scale, doubt, scale};
use backspin_judge::flagger::{Metric as Judged, Params};
use backspin_judge::metric::{Arm, LatencyOver, Over, Reads};
use backspin_policy::file::JudgeEntry;

/// Flagger asks no more often, milliseconds.
const FLOOR_MS: u64 = 10_000;

/// The judge of the first canary; none if it checks nothing.
pub(super) fn judge(building: &mut Building<'_>, analyses: Vec<Analysis<'_>>) -> Option<JudgeEntry> {
    let mut analyses = analyses.into_iter();
    let analysis = analyses.next()?;
    let label = format!("canary `{}`", analysis.name);
    for other in analyses {
        let why =
            format!("a policy has one judge, and it is that of `{}`; import this by itself", analysis.name);
        building.findings.lost(other.at, &format!("canary `{}`", other.name), why);
    }
    let mut metrics: Vec<Judged> = Vec::new();
    for metric in &analysis.metrics {
        let Some(judged) = judged(building, metric) else { continue };
        if metrics.iter().any(|known| known.name == judged.name) {
            building.findings.lost(
                metric.at,
                &format!("metric `{}`", metric.name),
                "there is already one of this name",
            );
            continue;
        }
        metrics.push(judged);
    }
    if metrics.is_empty() {
        building.findings.beside(analysis.at, &label, "it checks no metric: nothing to judge");
        return None;
    }
    if analysis.interval_ms < FLOOR_MS {
        building.findings.changed(
            analysis.at,
            &label,
            "an interval below 10 s: Flagger itself takes 10 s then",
        );
    }
    let most = 3_600_000;
    if analysis.interval_ms > most {
        building.findings.lost(analysis.at, &label, "an interval above an hour");
        return None;
    }
    if analysis.threshold == 0 {
        let why = "a threshold of 0 rolls back at the first tick, whatever is measured; 1 is carried";
        building.findings.doubtful(analysis.at, &label, why);
    }
    if let Some(ticks) = analysis.ticks.filter(|ticks| *ticks < analysis.threshold) {
        let why = format!(
            "a rollout without a failure has {ticks} ticks, and only {} failed ones roll back",
            analysis.threshold
        );
        building.findings.doubtful(analysis.at, &label, why);
    }
    building.findings.carried(
        analysis.at,
        &label,
        format!("every {} s, {} failed checks roll back", analysis.interval_ms / 1000, analysis.threshold),
    );
    Some(JudgeEntry::Flagger(Params {
        interval_ms: analysis.interval_ms.max(FLOOR_MS),
        failed_checks_max: analysis.threshold.clamp(1, 1000),
        metrics,
        ..Params::default()
    }))
}

fn judged(building: &mut Building<'_>, metric: &Metric<'_>) -> Option<Judged> {
    let label = format!("metric `{}`", metric.name);
    let (min, max) = (metric.min, metric.max);
    if min.is_none() && max.is_none() {
        building.findings.lost(metric.at, &label, "it has neither `min` nor `max`");
        return None;
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        building.findings.lost(
            metric.at,
            &label,
            format!("`min` {min} is above `max` {max}: no value passes"),
        );
        return None;
    }
    let passes = |x: f64| min.is_none_or(|min| x >= min) && max.is_none_or(|max| x <= max);
    let scale = match &metric.source {
        Source::SuccessRate => Some(Scale::Percent),
        Source::Duration => Some(Scale::Millis),
        Source::Signal { query, .. } => scale(query),
    };
    if let Some(why) = scale.and_then(|scale| doubt(Limit { name: &metric.name, scale }, &passes)) {
        building.findings.doubtful(metric.at, &label, why);
    }
    let window_ms = metric.window_ms.clamp(1000, 86_400_000);
    let (reads, factor, how) = match &metric.source {
        Source::SuccessRate => {
            let reads = Reads::SuccessRatio(Over { of: Arm::Candidate, window_ms });
            (reads, 0.01, "the candidate's share of good answers; percent there, a ratio here")
        }
        Source::Duration => {
            let over = LatencyOver { of: Arm::Candidate, quantile: 0.99, window_ms };
            (Reads::Latency(over), 1.0, "the candidate's p99 in milliseconds")
        }
        Source::Signal { name, .. } => (Reads::Query(name.clone()), 1.0, "the answer of its query"),
    };
    building.findings.carried(metric.at, &label, how);
    let tidy = |limit: f64| crate::sloth::tidy(limit * factor);
    Some(Judged { name: metric.name.clone(), reads, min: min.map(tidy), max: max.map(tidy) })
}
