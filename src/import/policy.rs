//! From what was read to the policy's file.

use serde::Serialize;

use super::building::Building;
use backspin_engine::settings::MissingAction;
use backspin_policy::document::{FileKind, Problems, Source};
use backspin_policy::file::{
    ApprovalsEntry, AttributionEntry, CustomEntry, ExecutionEntry, JudgeEntry, MissingDataEntry,
    SeverityEntry,
};

/// What is written of a policy: what differs from the defaults.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge: Option<&'a JudgeEntry>,
    /// No other tool tells a cause outside the deploy, or knows a rule for missing data beside its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<AttributionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_data: Option<MissingDataEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'a SeverityEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<&'a ExecutionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<&'a ApprovalsEntry>,
    #[serde(skip_serializing_if = "<[CustomEntry]>::is_empty")]
    custom: &'a [CustomEntry],
}

/// The policy's file, which its own loader takes; nothing if there is nothing to judge or to show.
pub(super) fn written(
    building: &Building<'_>,
    judge: Option<&JudgeEntry>,
) -> Result<Option<String>, Problems> {
    if judge.is_none() && building.custom.is_empty() {
        return Ok(None);
    }
    let file = Written {
        version: 1,
        judge,
        attribution: judge.map(|_| AttributionEntry::Off),
        missing_data: judge.map(|_| MissingDataEntry { then: MissingAction::Ignore, ..Default::default() }),
        severity: building.severity.as_ref(),
        execution: building.execution.as_ref(),
        approvals: building.approvals.as_ref(),
        custom: &building.custom,
    };
    let text = serde_saphyr::to_string(&file).expect("a policy file has nothing that YAML cannot say");
    backspin_policy::parse(&Source::new(FileKind::Policy, "the imported policy", text.as_str()))?;
    Ok(Some(text))
}
