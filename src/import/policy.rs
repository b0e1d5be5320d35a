//! From what was read to the policy's file.

use serde::Serialize;

use super::building::Building;
use super::{Contents, alarms, kayenta, pyrra, rules, sloth};
use backspin_policy::file::{CustomEntry, JudgeEntry};

/// What is written of a policy: what differs from the defaults.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge: Option<JudgeEntry>,
    #[serde(skip_serializing_if = "<[CustomEntry]>::is_empty")]
    custom: &'a [CustomEntry],
}

/// The judge that the files come to.
pub(super) fn judge(building: &mut Building<'_>, contents: &Contents<'_>) -> Option<JudgeEntry> {
    let _ = contents.tools();
    let _ = contents.argo.metrics(building);
    let _ = contents.flagger.analyses(building);
    let _ = contents.keptn.read(building);
    for root in &contents.kayenta {
        let _ = kayenta::read(building, *root);
    }
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
    for alert in found.alerts {
        let _ = alarms::asked(building, alert);
    }
    None
}

/// The policy's file.
pub(super) fn written(building: &mut Building<'_>, judge: Option<JudgeEntry>) -> Option<String> {
    if judge.is_none() && building.custom.is_empty() {
        return None;
    }
    let file = Written { version: 1, judge, custom: &building.custom };
    Some(serde_saphyr::to_string(&file).expect("a policy file has nothing that YAML cannot say"))
}
