//! Queries.

use super::error::ApiError;
use super::params::{Params, duration_ns};
use super::{Settings, json, parse_error};
use crate::promql::eval::{Bounds, Kinds, Options, Plan, Range};
use crate::store::{Store, quoted};

/// Most steps of a range query, less the first (`queryRange` in `api.go`).
const STEPS_MAX: i64 = 11_000;

/// `/api/v1/query`.
pub(super) fn instant(
    store: &Store,
    settings: &Settings,
    params: &Params,
    now_ms: i64,
) -> Result<String, ApiError> {
    let limit = params.limit()?;
    let at_ms = params.time_or("time", now_ms)?;
    let options = options(settings, params)?;
    let plan = plan(params)?;
    let answer = plan.instant(store, at_ms, &options)?;
    Ok(json::answer(answer, at_ms, limit, !params.get("stats").is_empty()))
}

/// `/api/v1/query_range`.
pub(super) fn range(store: &Store, settings: &Settings, params: &Params) -> Result<String, ApiError> {
    let limit = params.limit()?;
    let (start_ms, end_ms) = (params.time("start")?, params.time("end")?);
    if end_ms < start_ms {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ns = params.duration_ns("step")?;
    if step_ns <= 0 {
        let reason = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", reason));
    }
    // Prometheus counts in nanoseconds here and evaluates in milliseconds.
    let step_ms = (step_ns / 1_000_000).max(1);
    let span_ns = i128::from(end_ms - start_ms) * 1_000_000;
    if span_ns / i128::from(step_ns) > i128::from(STEPS_MAX) || (end_ms - start_ms) / step_ms > STEPS_MAX {
        let reason = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
                      resolution (?step=XX)";
        return Err(ApiError::BadData(reason.to_owned()));
    }
    let options = options(settings, params)?;
    let plan = plan(params)?;
    let kind = match plan.kind() {
        Kinds::Scalar | Kinds::Vector => None,
        Kinds::Matrix => Some("range vector"),
        Kinds::Text => Some("string"),
    };
    if let Some(kind) = kind {
        let reason =
            format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector");
        return Err(ApiError::parameter("query", reason));
    }
    let answer = plan.range(store, Range { start_ms, end_ms, step_ms }, &options)?;
    Ok(json::answer(answer, end_ms, limit, !params.get("stats").is_empty()))
}

/// `/api/v1/format_query`.
pub(super) fn format(params: &Params) -> Result<String, ApiError> {
    let text = params.get("query");
    let expr = crate::promql::parse(text)
        .map_err(|error| ApiError::parameter("query", parse_error::of_parser(text, &error)))?;
    Ok(json::success(&json::string(&expr.ast().prettify()), &[], &[]))
}

/// `/api/v1/query_exemplars`: there are none.
pub(super) fn exemplars(params: &Params) -> Result<String, ApiError> {
    let start_ms = params.time_or("start", i64::MIN)?;
    let end_ms = params.time_or("end", i64::MAX)?;
    if end_ms < start_ms {
        return Err(ApiError::BadData("end timestamp must not be before start timestamp".to_owned()));
    }
    plan(params)?;
    Ok(json::success("[]", &[], &[]))
}

fn plan(params: &Params) -> Result<Plan, ApiError> {
    let text = params.get("query");
    Plan::new(text).map_err(|error| ApiError::parameter("query", parse_error::of(text, &error)))
}

/// The settings with what the request changes: time-out and look-back.
fn options(settings: &Settings, params: &Params) -> Result<Options, ApiError> {
    let mut timeout_ns = u128::from(settings.timeout_ms) * 1_000_000;
    if !params.get("timeout").is_empty() {
        timeout_ns = timeout_ns.min(u128::from(params.duration_ns("timeout")?.max(0).unsigned_abs()));
    }
    let mut options = settings.options;
    let work_max = timeout_ns * u128::from(settings.work_per_ms) / 1_000_000;
    let work_max = u64::try_from(work_max).unwrap_or(u64::MAX).min(options.bounds.work_max);
    options.bounds = Bounds { work_max, ..options.bounds };
    let lookback = params.get("lookback_delta");
    if !lookback.is_empty() {
        let ns = duration_ns(lookback).map_err(|_| {
            let reason = format!("cannot parse {} to a valid duration", quoted(lookback));
            ApiError::BadData(format!("error parsing lookback delta duration: {reason}"))
        })?;
        options.lookback_ms = match ns / 1_000_000 {
            ..=0 => options.lookback_ms,
            ms => ms,
        };
    }
    Ok(options)
}
