//! Parameters of a request: of the URL and of a form, which count as one list.

use jiff::Timestamp;
use promql_parser::util::parse_duration;

use super::Request;
use super::error::ApiError;
use crate::store::quoted;

/// Most parameters of one request.
const PARAMS_MAX: usize = 10_000;
/// Times are kept this far from the ends of what they are stored in, so that windows can be added, in milliseconds.
const TIME_MAX_MS: i64 = i64::MAX / 4;

/// Names and values, those of a form first.
#[derive(Clone, Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(request: &Request) -> Result<Self, ApiError> {
        let is_form = request.header("content-type").split(';').next().unwrap_or("").trim()
            == "application/x-www-form-urlencoded";
        let form = if request.method == "POST" && is_form { request.body.as_slice() } else { &[] };
        let pairs = form_urlencoded::parse(form).chain(form_urlencoded::parse(request.query.as_bytes()));
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        if pairs.len() > PARAMS_MAX {
            return Err(ApiError::BadData(format!("more than {PARAMS_MAX} parameters")));
        }
        Ok(Self(pairs))
    }

    /// The first value of a name; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A time that must be there, in milliseconds since 1970.
    pub(super) fn time(&self, name: &'static str) -> Result<i64, ApiError> {
        let text = self.get(name);
        time(text).ok_or_else(|| {
            ApiError::parameter(name, format!("cannot parse {} to a valid timestamp", quoted(text)))
        })
    }

    /// A time, in milliseconds since 1970; `default` if there is none.
    pub(super) fn time_or(&self, name: &'static str, default_ms: i64) -> Result<i64, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(default_ms);
        }
        time(text).ok_or_else(|| {
            let reason = format!(
                "invalid time value for '{name}': cannot parse {} to a valid timestamp",
                quoted(text)
            );
            ApiError::parameter(name, reason)
        })
    }

    /// How many results are wanted at most; none is all.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        let text = self.get("limit");
        if text.is_empty() {
            return Ok(None);
        }
        let limit: i64 = text.parse().map_err(|_| {
            ApiError::parameter("limit", format!("cannot parse {} to a valid limit", quoted(text)))
        })?;
        match usize::try_from(limit) {
            Ok(0) => Ok(None),
            Ok(limit) => Ok(Some(limit)),
            Err(_) => Err(ApiError::parameter("limit", "limit must be non-negative")),
        }
    }

    /// A duration that must be there, in nanoseconds.
    pub(super) fn duration_ns(&self, name: &'static str) -> Result<i64, ApiError> {
        duration_ns(self.get(name)).map_err(|reason| ApiError::parameter(name, reason))
    }
}

/// Seconds since 1970 with a fraction, or RFC 3339; to the millisecond.
fn time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        return Some((ms as i64).clamp(-TIME_MAX_MS, TIME_MAX_MS));
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Seconds with a fraction, or Prometheus' notation, in nanoseconds.
pub(super) fn duration_ns(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ns = seconds * 1e9;
        return if ns.abs() <= i64::MAX as f64 {
            Ok(ns as i64)
        } else {
            Err(format!("cannot parse {} to a valid duration. It overflows int64", quoted(text)))
        };
    }
    let duration = parse_duration(text).ok().and_then(|duration| i64::try_from(duration.as_nanos()).ok());
    duration.ok_or_else(|| format!("cannot parse {} to a valid duration", quoted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_dates() {
        assert_eq!(time("1.0005"), Some(1001));
        assert_eq!(time("-1.5"), Some(-1500));
        assert_eq!(time("1e300"), Some(TIME_MAX_MS));
        assert_eq!(time("1970-01-01T00:00:01.5Z"), Some(1500));
        assert_eq!(time("1970-01-01T01:00:01+01:00"), Some(1000));
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn durations_are_seconds_or_units() {
        assert_eq!(duration_ns("0.5"), Ok(500_000_000));
        assert_eq!(duration_ns("1m30s"), Ok(90_000_000_000));
        assert_eq!(duration_ns("-1"), Ok(-1_000_000_000));
        assert!(duration_ns("1e300").is_err_and(|reason| reason.ends_with("It overflows int64")));
        assert_eq!(duration_ns("soon"), Err("cannot parse \"soon\" to a valid duration".to_owned()));
    }
}
