//! Deploys as annotations of dashboards: a list of `{time, timeEnd, tags, text}`, times in milliseconds.
//!
//! Service, version and what else is known stand in the tags, as `service:checkout` or `service=checkout`. An annotation
//! without a tag `service` is about something else, and passed over.

use super::tree::{get, items, place, wrong};
use super::{BAD_MOMENT, BAD_WORD, Deploys, INCOMPLETE, Outcome, PastDeploy, moment};
use backspin_domain::id::ServiceId;
use backspin_domain::time::WallTime;
use backspin_policy::document::node::{Node, Value};
use backspin_policy::document::shape::BAD_NAME;
use backspin_policy::document::{Problem, Source};

pub(super) fn read(source: &Source, list: &[Node]) -> Result<Deploys, Vec<Problem>> {
    let mut found = Deploys::default();
    let mut problems = Vec::new();
    let mut others = 0;
    for node in list {
        match annotation(source, node) {
            Ok(Some(deploy)) => found.list.push(deploy),
            Ok(None) => others += 1,
            Err(problem) => problems.push(problem),
        }
    }
    if others > 0 {
        found.notes.push(format!(
            "{}: {others} annotations have no tag `service` and were passed over",
            source.name
        ));
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn annotation(source: &Source, node: &Node) -> Result<Option<PastDeploy>, Problem> {
    let tag = |name: &str| {
        items(node, &["tags"]).iter().find_map(|tag| match &tag.value {
            Value::Text(text) => {
                let (known, value) = text.split_once([':', '='])?;
                (known.trim() == name).then(|| value.trim())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_) => None,
        })
    };
    let Some(service) = tag("service") else { return Ok(None) };
    let service =
        ServiceId::new(service).map_err(|error| wrong(source, node, BAD_NAME, error.to_string()))?;
    let version = tag("version").filter(|version| !version.is_empty()).ok_or_else(|| {
        wrong(source, node, INCOMPLETE, format!("the annotation of `{service}` has no tag `version`"))
            .with_hint("tag deploys as `service:checkout` and `version:v42`")
    })?;
    let at = time(source, node, "time")?.ok_or_else(|| {
        wrong(source, node, INCOMPLETE, format!("the annotation of `{service}` has no `time`"))
    })?;
    // A point in time has its own end, or 0.
    let ended = time(source, node, "timeEnd")?.filter(|end| *end > at);
    let word = tag("outcome").unwrap_or_default();
    let outcome = Outcome::read(word).ok_or_else(|| {
        wrong(source, node, BAD_WORD, format!("outcome must be `good`, `bad` or `unknown`, got `{word}`"))
    })?;
    Ok(Some(PastDeploy {
        at,
        service,
        version: version.to_owned(),
        pod_hash: tag("pod_hash").map(str::to_owned),
        ended,
        onset: None,
        outcome,
        note: String::new(),
        place: place(source, node),
    }))
}

fn time(source: &Source, node: &Node, name: &str) -> Result<Option<WallTime>, Problem> {
    let Some(found) = get(node, &[name]) else { return Ok(None) };
    let at = match &found.value {
        // Always milliseconds, as Grafana's API has them.
        Value::Int(ms) => {
            i64::try_from(*ms).ok().filter(|ms| (0..100_000_000_000_000).contains(ms)).map(WallTime)
        }
        Value::Text(text) => moment(text),
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
    };
    at.map(Some).ok_or_else(|| {
        wrong(
            source,
            found,
            BAD_MOMENT,
            format!("`{name}` must be milliseconds since 1970, got {}", found.describe()),
        )
    })
}
