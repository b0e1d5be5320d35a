//! The queries of the named signals, over the series that the world and the mocks expose.
//!
//! All are of known shapes, so they compile to accumulators. The window is the reference's 15 minutes (SPEC
//! 2.2) wherever the reference reads the signal; throughput and dependency health, which it does not read, tell
//! outside causes apart and look at two minutes, or they would notice a surge when it is over.
//!
//! Conversion and revenue are compared with the service's own past in PromQL as well, so that a plane needs no
//! arithmetic of its own: the past are the three quarters of an hour before the window, as `increase[1h]` less
//! `increase[15m]`. Before an hour has passed there is less of it; both counters of a ratio are cut alike.

/// What stands for the service's name in a query.
pub const SERVICE: &str = "$service";

/// Share of requests that failed.
pub const ERROR_RATIO: &str = r#"(sum(rate(http_requests_total{service="$service",code="5xx"}[15m])) or vector(0)) / sum(rate(http_requests_total{service="$service"}[15m]))"#;

/// 99th percentile of response time, milliseconds.
pub const LATENCY_P99: &str = r#"1000 * histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service="$service"}[15m])))"#;

/// Requests per second.
pub const THROUGHPUT: &str = r#"sum(rate(http_requests_total{service="$service"}[2m]))"#;

/// Processor use of the version that uses most, as a share of its limit.
pub const CPU: &str = r#"max(container_cpu_ratio{service="$service"})"#;

/// Memory use of the version that uses most, as a share of its limit.
pub const MEMORY: &str = r#"max(container_memory_ratio{service="$service"})"#;

/// Relative drop of conversions per request against the three quarters of an hour before.
pub const CONVERSION_DROP: &str = r#"clamp_min(1 - (sum(increase(conversions_total{service="$service"}[15m])) / sum(increase(http_requests_total{service="$service"}[15m]))) / ((sum(increase(conversions_total{service="$service"}[1h])) - sum(increase(conversions_total{service="$service"}[15m]))) / (sum(increase(http_requests_total{service="$service"}[1h])) - sum(increase(http_requests_total{service="$service"}[15m])))), 0)"#;

/// Revenue that the window's requests would have brought at the rate of the three quarters of an hour before,
/// less what they brought.
pub const REVENUE_IMPACT: &str = r#"clamp_min(sum(increase(http_requests_total{service="$service"}[15m])) * ((sum(increase(revenue_total{service="$service"}[1h])) - sum(increase(revenue_total{service="$service"}[15m]))) / (sum(increase(http_requests_total{service="$service"}[1h])) - sum(increase(http_requests_total{service="$service"}[15m])))) - sum(increase(revenue_total{service="$service"}[15m])), 0)"#;

/// Complaints per hour.
pub const COMPLAINTS_PER_HOUR: &str = r#"3600 * sum(rate(complaints_total{service="$service"}[15m]))"#;

/// Share of calls to dependencies that succeed.
pub const DEPENDENCY_HEALTH: &str = r#"sum(rate(dependency_requests_total{service="$service",code="2xx"}[1m])) / sum(rate(dependency_requests_total{service="$service"}[1m]))"#;

/// Open security findings.
pub const SECURITY_FINDINGS: &str = r#"max(security_findings{service="$service"})"#;

/// Open compliance findings.
pub const COMPLIANCE_FINDINGS: &str = r#"max(compliance_findings{service="$service"})"#;
