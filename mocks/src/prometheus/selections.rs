//! Series and labels that there are.

use std::collections::BTreeSet;

use super::error::ApiError;
use super::params::Params;
use super::{json, parse_error};
use crate::promql::eval::Plan;
use crate::store::{Labels, Matcher, Store};

/// Which series, and when they must have samples, in milliseconds since 1970.
struct Selection {
    selectors: Vec<Vec<Matcher>>,
    start_ms: i64,
    end_ms: i64,
}

impl Selection {
    fn of(params: &Params) -> Result<Self, ApiError> {
        let start_ms = params.time_or("start", i64::MIN)?;
        let end_ms = params.time_or("end", i64::MAX)?;
        let selectors = params.all("match[]").map(selector).collect::<Result<_, _>>()?;
        Ok(Self { selectors, start_ms, end_ms })
    }

    /// Labels of the series, each once; without selectors of all, at whatever time, since Prometheus then reads the
    /// index of its newest block.
    fn labels<'a>(&self, store: &'a Store) -> BTreeSet<&'a Labels> {
        if self.selectors.is_empty() {
            return store.select(&[], i64::MIN, i64::MAX).map(|(labels, _)| labels).collect();
        }
        let mut found = BTreeSet::new();
        for matchers in &self.selectors {
            found.extend(store.select(matchers, self.start_ms, self.end_ms).map(|(labels, _)| labels));
        }
        found
    }
}

fn selector(text: &str) -> Result<Vec<Matcher>, ApiError> {
    let refused = |reason: String| ApiError::parameter("match[]", reason);
    let plan = Plan::new(text).map_err(|error| refused(parse_error::of(text, &error)))?;
    match plan.selector() {
        Some(matchers) => Ok(matchers.to_vec()),
        None => Err(refused("1:1: parse error: unexpected character: not a series selector".to_owned())),
    }
}

/// The first of `items`, and a warning if there were more.
fn cut<T>(items: impl IntoIterator<Item = T>, limit: Option<usize>) -> (Vec<T>, Vec<String>) {
    let mut items: Vec<T> = items.into_iter().collect();
    let is_cut = limit.is_some_and(|limit| items.len() > limit);
    items.truncate(limit.unwrap_or(usize::MAX));
    (items, if is_cut { vec![json::TRUNCATED.to_owned()] } else { Vec::new() })
}

/// `/api/v1/series`.
pub(super) fn series(store: &Store, params: &Params) -> Result<String, ApiError> {
    if params.all("match[]").next().is_none() {
        return Err(ApiError::BadData("no match[] parameter provided".to_owned()));
    }
    let limit = params.limit()?;
    let selection = Selection::of(params)?;
    let (found, warnings) = cut(selection.labels(store), limit);
    Ok(json::success(&json::list(found.into_iter().map(json::labels)), &warnings, &[]))
}

/// `/api/v1/labels`.
pub(super) fn labels(store: &Store, params: &Params) -> Result<String, ApiError> {
    let limit = params.limit()?;
    let selection = Selection::of(params)?;
    let names: BTreeSet<&str> =
        selection.labels(store).into_iter().flat_map(Labels::iter).map(|(name, _)| name).collect();
    let (names, warnings) = cut(names, limit);
    Ok(json::success(&json::strings(names), &warnings, &[]))
}

/// `/api/v1/label/<name>/values`.
pub(super) fn label_values(store: &Store, name: &str, params: &Params) -> Result<String, ApiError> {
    let limit = params.limit()?;
    let selection = Selection::of(params)?;
    let values: BTreeSet<&str> = selection
        .labels(store)
        .into_iter()
        .map(|labels| labels.get(name))
        .filter(|value| !value.is_empty())
        .collect();
    let (values, warnings) = cut(values, limit);
    Ok(json::success(&json::strings(values), &warnings, &[]))
}
