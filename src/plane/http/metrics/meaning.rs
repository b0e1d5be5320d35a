//! What a series says, by its name and labels. The list is told in `docs/prometheus.md`.

use super::answer::Labels;
use backspin_domain::frame::{LATENCY_BOUNDS_MS, LATENCY_BUCKETS};

/// What one series says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// Whether an arm was scraped.
    Up(ArmLabel),
    /// Something about a version or one of its pods.
    Says { version: String, pod: Option<String>, what: What },
}

/// The label `arm` of `up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArmLabel {
    Candidate,
    Stable,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Counter(Counted),
    Gauge(Gauge),
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Counted {
    /// Requests whose status begins with another digit than 5.
    Good,
    /// The others.
    Failed,
    /// Requests that took at most so many milliseconds; infinite for all.
    Within {
        bound_ms: f64,
    },
    /// Seconds that all requests took together.
    Seconds,
    Conversions,
    Restarts,
}

/// What a gauge shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gauge {
    PodsReady,
    PodsDesired,
    /// Share of the limit.
    Cpu,
    /// Share of the limit.
    Memory,
}

/// Names of the series of versions, which the mesh and the platform count.
const OF_VERSIONS: &[&str] = &[
    "http_requests_total",
    "http_request_duration_seconds_bucket",
    "http_request_duration_seconds_sum",
    "conversions_total",
    "container_restarts_total",
    "pods_ready",
    "pods_desired",
    "container_cpu_ratio",
    "container_memory_ratio",
];

/// Names of the series of pods, which the application counts: other names, so that no sum over versions counts twice.
pub(super) mod of_pods {
    pub(in super::super) const REQUESTS: &str = "pod_requests_total";
    pub(in super::super) const BUCKETS: &str = "pod_request_duration_seconds_bucket";
    pub(in super::super) const CONVERSIONS: &str = "pod_conversions_total";
    pub(in super::super) const RESTARTS: &str = "pod_restarts_total";
    pub(in super::super) const CPU: &str = "pod_cpu_ratio";
    pub(in super::super) const MEMORY: &str = "pod_memory_ratio";
    pub(super) const ALL: &[&str] = &[REQUESTS, BUCKETS, CONVERSIONS, RESTARTS, CPU, MEMORY];
}

/// All names, as a pattern.
pub(super) fn names() -> String {
    [&["up"], OF_VERSIONS, of_pods::ALL].concat().join("|")
}

impl Meaning {
    /// What a series says; none if labels are missing that tell whose it is.
    pub(super) fn of(labels: &Labels<'_>) -> Option<Self> {
        let get = |wanted: &str| {
            let label = labels.iter().find(|(name, _)| name.0 == wanted);
            label.map(|(_, value)| value.0.as_ref()).filter(|value| !value.is_empty())
        };
        let name = get("__name__")?;
        if name == "up" {
            return match get("arm")? {
                "candidate" => Some(Self::Up(ArmLabel::Candidate)),
                "stable" => Some(Self::Up(ArmLabel::Stable)),
                _ => None,
            };
        }
        let what = match name {
            "http_requests_total" | of_pods::REQUESTS => What::Counter(status(get("code")?)),
            "http_request_duration_seconds_bucket" | of_pods::BUCKETS => {
                What::Counter(Counted::Within { bound_ms: bound_ms(get("le")?)? })
            }
            "http_request_duration_seconds_sum" => What::Counter(Counted::Seconds),
            "conversions_total" | of_pods::CONVERSIONS => What::Counter(Counted::Conversions),
            "container_restarts_total" | of_pods::RESTARTS => What::Counter(Counted::Restarts),
            "pods_ready" => What::Gauge(Gauge::PodsReady),
            "pods_desired" => What::Gauge(Gauge::PodsDesired),
            "container_cpu_ratio" | of_pods::CPU => What::Gauge(Gauge::Cpu),
            "container_memory_ratio" | of_pods::MEMORY => What::Gauge(Gauge::Memory),
            _ => return None,
        };
        let pod = if of_pods::ALL.contains(&name) { Some(get("pod")?.to_owned()) } else { None };
        Some(Self::Says { version: get("version")?.to_owned(), pod, what })
    }
}

fn status(code: &str) -> Counted {
    if code.starts_with('5') { Counted::Failed } else { Counted::Good }
}

/// A bucket's bound, from seconds as text.
fn bound_ms(le: &str) -> Option<f64> {
    let seconds: f64 = le.parse().ok()?;
    (!seconds.is_nan()).then_some(seconds * 1000.0)
}

/// The bucket of a frame that holds response times up to this bound: where the service has the frame's own bounds the
/// same bucket, else the one in which the bound lies, so that no time is told shorter than it was.
pub fn bucket(bound_ms: f64) -> usize {
    // Seconds as text, times a thousand, are off by a rounding.
    let slack = 1.0 - 1e-9;
    LATENCY_BOUNDS_MS.iter().position(|&bound| bound >= bound_ms * slack).unwrap_or(LATENCY_BUCKETS - 1)
}

/// A pod's number in frames: what its name ends with, where that is a number, else a hash of the name (FNV-1a).
pub fn pod_number(name: &str) -> u32 {
    let tail = name.rsplit('-').next().unwrap_or_default();
    let is_number = !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit());
    tail.parse().ok().filter(|_| is_number).unwrap_or_else(|| {
        name.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::answer::Text;
    use super::*;

    fn meaning(labels: &[(&'static str, &'static str)]) -> Option<Meaning> {
        let text = |text| Text(Cow::Borrowed(text));
        Meaning::of(&labels.iter().map(|&(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn a_series_without_its_labels_says_nothing() {
        let what = What::Counter(Counted::Failed);
        let says = |pod: Option<&str>| Meaning::Says { version: "v2".into(), pod: pod.map(Into::into), what };
        let whole = [("__name__", "pod_requests_total"), ("code", "503"), ("pod", "a-1"), ("version", "v2")];
        assert_eq!(meaning(&whole), Some(says(Some("a-1"))));
        for left_out in 0..whole.len() {
            let mut labels = whole.to_vec();
            labels.remove(left_out);
            assert_eq!(meaning(&labels), None);
        }
        let of_version =
            [("__name__", "http_requests_total"), ("code", "5xx"), ("pod", "a-1"), ("version", "v2")];
        assert_eq!(meaning(&of_version), Some(says(None)));
        assert_eq!(meaning(&[("__name__", "up"), ("arm", "baseline")]), None);
        assert_eq!(meaning(&[("__name__", "up"), ("arm", "stable")]), Some(Meaning::Up(ArmLabel::Stable)));
    }

    #[test]
    fn bounds_fall_into_the_bucket_that_holds_them() {
        for (index, bound) in LATENCY_BOUNDS_MS.iter().enumerate() {
            let text = (bound / 1000.0).to_string();
            assert_eq!(bucket(bound_ms(&text).expect("a number")), index, "{text}");
        }
        assert_eq!(bucket(f64::INFINITY), LATENCY_BUCKETS - 1);
        assert_eq!([1.0, 5.1, 250.0, 20_000.0].map(bucket), [0, 1, 11, LATENCY_BUCKETS - 1]);
    }

    #[test]
    fn pods_have_the_number_of_their_name_or_one_of_their_own() {
        assert_eq!(pod_number("checkout-v42-17"), 17);
        assert_ne!(pod_number("checkout-6d5f-x7k2p"), pod_number("checkout-6d5f-x7k2q"));
        assert_ne!(pod_number("checkout-99999999999"), pod_number("checkout-99999999998"));
    }
}
