//! Canary configurations to `kayenta`.

use crate::building::Building;
use crate::kayenta::{Config, Metric};
use backspin_judge::kayenta::{
    Direction, EffectSize, GroupWeight, Metric as Judged, NanStrategy, Outliers, Params,
};
use backspin_judge::metric::Reads;
use backspin_policy::file::JudgeEntry;

/// The judge of the first configuration; none if nothing of it is compared.
pub(super) fn judge(building: &mut Building<'_>, configs: Vec<Config<'_>>) -> Option<JudgeEntry> {
    let mut configs = configs.into_iter();
    let config = configs.next()?;
    for other in configs {
        building.findings.lost(other.at, "configuration", "a policy has one judge; import this by itself");
    }
    let metrics: Vec<Judged> = config.metrics.iter().map(|metric| judged(building, metric)).collect();
    if metrics.is_empty() {
        return None;
    }
    let total: f64 = config.weights.iter().map(|(_, weight)| weight).sum();
    if config.weights.iter().any(|(_, weight)| !(0.0..=100.0).contains(weight)) || total > 100.0 {
        building.findings.lost(
            config.at,
            "weights of groups",
            format!("they must be 100 together at most, got {total}"),
        );
        return None;
    }
    for (name, _) in &config.weights {
        if !metrics.iter().any(|metric| metric.group == *name) {
            let why = "a group without a metric that is carried: its weight is lost, and the score cannot reach 100";
            building.findings.doubtful(config.at, &format!("group `{name}`"), why);
        }
    }
    let defaults = Params::default();
    let (pass, marginal) =
        (config.pass.unwrap_or(defaults.pass), config.marginal.unwrap_or(defaults.marginal));
    if !(0.0..=100.0).contains(&pass) || !(0.0..=pass).contains(&marginal) {
        let why = format!("0 ≤ marginal ≤ pass ≤ 100 is wanted, got {marginal} and {pass}");
        building.findings.lost(config.at, "score thresholds", why);
        return None;
    }
    let why = "how long and how often it is analysed stands in the pipeline's stage: three hours, every ten minutes, or change `judge.kayenta`";
    building.findings.changed(config.at, "stage", why);
    building.findings.carried(
        config.at,
        "score thresholds",
        format!("passes from {pass}, marginal from {marginal}"),
    );
    let groups = config.weights.into_iter().map(|(name, weight)| GroupWeight { name, weight }).collect();
    Some(JudgeEntry::Kayenta(Params { metrics, groups, pass, marginal, ..defaults }))
}

fn judged(building: &mut Building<'_>, metric: &Metric<'_>) -> Judged {
    let label = format!("metric `{}`", metric.name);
    let canary = &metric.canary;
    if metric.groups.len() > 1 {
        building.findings.lost(metric.at, &label, "it is in several groups; it counts in the first");
    }
    let mut unknown = |field: &str, found: &str| {
        building.findings.lost(metric.at, &label, format!("`{field}` of `{found}` is not known"));
    };
    let direction = match canary.direction.as_deref() {
        Some("increase") => Direction::Increase,
        Some("decrease") => Direction::Decrease,
        None | Some("either") => Direction::Either,
        Some(other) => {
            unknown("direction", other);
            Direction::Either
        }
    };
    let nan = match canary.nan_strategy.as_deref() {
        Some("replace") => NanStrategy::Replace,
        None | Some("remove") => NanStrategy::Remove,
        Some(other) => {
            unknown("nanStrategy", other);
            NanStrategy::Remove
        }
    };
    let effect_size = match canary.measure.as_deref() {
        Some("cles") => EffectSize::Cles,
        None | Some("meanRatio") => EffectSize::MeanRatio,
        Some(other) => {
            unknown("measure", other);
            EffectSize::MeanRatio
        }
    };
    let outliers = match canary.outliers.as_deref() {
        Some("remove") => Outliers::Remove,
        None | Some("keep") => Outliers::Keep,
        Some(other) => {
            unknown("outliers", other);
            Outliers::Keep
        }
    };
    building.findings.carried(metric.at, &label, "compared by Kayenta's rules");
    let [candidate, control] = metric.signals.clone().map(Reads::Query);
    let defaults = Judged::new(metric.name.clone(), candidate, control);
    Judged {
        group: metric.groups.first().cloned().unwrap_or_else(|| defaults.group.clone()),
        direction,
        nan,
        outliers,
        outlier_factor: canary.outlier_factor.unwrap_or(defaults.outlier_factor),
        critical: canary.critical,
        muted: canary.muted,
        must_have_data: canary.must_have_data,
        effect_size,
        allowed_increase: canary.allowed_increase,
        allowed_decrease: canary.allowed_decrease,
        critical_increase: canary.critical_increase,
        critical_decrease: canary.critical_decrease,
        ..defaults
    }
}
