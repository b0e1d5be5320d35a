//! From what a tool asks to the parameters of the judge that follows its rules.

mod alarm;
mod argo;
mod flagger;
mod kayenta;
mod keptn;
mod reference;

use super::building::Building;
use super::{Contents, alarms, kayenta as canary, pyrra, rules, sloth};
use backspin_policy::file::JudgeEntry;

/// The judge that files come to. A policy has one: of several tools the first is carried.
pub(super) fn judge(building: &mut Building<'_>, contents: &Contents<'_>) -> Option<JudgeEntry> {
    let tools = contents.tools();
    if let [first, others @ ..] = &tools[..]
        && !others.is_empty()
    {
        for (name, at) in others {
            let why = format!("a policy has one judge, and it is that of {}; import this by itself", first.0);
            building.findings.lost(*at, name, why);
        }
    }
    match tools.first()?.0 {
        ARGO => {
            let metrics = contents.argo.metrics(building);
            argo::judge(building, metrics)
        }
        FLAGGER => {
            let analyses = contents.flagger.analyses(building);
            flagger::judge(building, analyses)
        }
        KAYENTA => {
            let configs = contents.kayenta.iter().map(|root| canary::read(building, *root)).collect();
            kayenta::judge(building, configs)
        }
        KEPTN => {
            let definitions = contents.keptn.read(building);
            keptn::judge(building, definitions)
        }
        REFERENCE => {
            let design = contents.reference.read(building)?;
            Some(reference::judge(building, &design))
        }
        _ => alerts(building, contents),
    }
}

/// Names of the tools in messages.
pub(super) const ARGO: &str = "Argo Rollouts";
/// Flagger.
pub(super) const FLAGGER: &str = "Flagger";
/// Kayenta.
pub(super) const KAYENTA: &str = "Kayenta";
/// Keptn.
pub(super) const KEPTN: &str = "Keptn";
/// The reference design.
pub(super) const REFERENCE: &str = "the reference design";
/// Prometheus rules, Sloth, OpenSLO and Pyrra.
pub(super) const ALERTS: &str = "alerts and objectives";

fn alerts(building: &mut Building<'_>, contents: &Contents<'_>) -> Option<JudgeEntry> {
    let mut found = rules::Rules::default();
    for spec in &contents.groups {
        rules::read(building, *spec, &mut found);
    }
    rules::link(building, &mut found);
    for spec in &contents.sloth {
        sloth::read(building, *spec, &mut found.alerts);
    }
    for root in &contents.openslo {
        sloth::read_openslo(building, *root, &mut found.alerts);
    }
    for root in &contents.pyrra {
        pyrra::read(building, *root, &mut found.alerts);
    }
    let asked: Vec<_> = found.alerts.into_iter().filter_map(|alert| alarms::asked(building, alert)).collect();
    alarm::judge(building, &asked)
}
