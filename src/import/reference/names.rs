//! The names that the design lists, and what does each here.

/// What a name is here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// This does it.
    Is(&'static str),
    /// The design has nothing behind the name, so it decides nothing there either.
    Empty(&'static str),
    /// Nothing here does it.
    Not(&'static str),
}

use Known::{Empty, Is, Not};

/// Tiers, in the order of a plan.
pub(super) const TIERS: [&str; 3] = ["application_tier", "database_tier", "infrastructure_tier"];

/// Switches of services, and the capability that each is.
pub(super) const CAPABILITIES: [(&str, &str); 2] =
    [("supports_blue_green", "blue_green"), ("supports_feature_flags", "feature_flags")];

/// Ways back, by tier.
pub(super) const STRATEGIES: [(&str, Known); 12] = [
    ("immediate_traffic_redirect", Is("the strategy `immediate`")),
    ("version_downgrade", Is("the strategy `gradual`")),
    ("feature_flag_disable", Is("the strategy `feature_flag_disable`")),
    (
        "container_restart",
        Not("a restart keeps the version that is at fault; nothing here restarts instead of rolling back"),
    ),
    ("schema_migration_revert", Is("the strategy `database_revert`")),
    ("read_replica_failover", Not("nothing here fails a database over")),
    ("transaction_rollback", Not("a transaction that was committed cannot be taken back")),
    (
        "backup_restore",
        Not("nothing here restores a backup; a plan says when data would be lost and asks a person"),
    ),
    ("infrastructure_version_revert", Is("the strategy `infrastructure_rollback`")),
    ("scaling_adjustment", Is("the strategy `infrastructure_rollback`")),
    ("network_configuration_rollback", Is("the strategy `infrastructure_rollback`")),
    ("security_policy_revert", Is("the strategy `infrastructure_rollback`")),
];

/// Checks, by tier.
pub(super) const CHECKS: [(&str, Known); 12] = [
    (
        "http_endpoint_check",
        Is("readiness of the target's pods, checked before, between and after the steps"),
    ),
    (
        "dependency_health_check",
        Is("the signal `dependency_health`: a cause outside is not answered with a rollback"),
    ),
    ("resource_utilization_check", Is("the signals `cpu` and `memory`")),
    ("business_metric_validation", Is("the signal `conversion_drop`")),
    ("connection_pool_health", Not("nothing here looks at connection pools")),
    ("query_performance_check", Not("nothing here looks at single queries")),
    ("replication_lag_check", Not("nothing waits for replicas; a plan names a stale read as a risk")),
    ("data_integrity_validation", Not("nothing here reads the data; a revert checks the schema's version")),
    ("resource_availability_check", Is("room for the target's pods, made before traffic moves to them")),
    ("network_connectivity_check", Not("nothing here looks at the network below the service")),
    ("security_compliance_check", Is("the signals `security_findings` and `compliance_findings`")),
    ("cost_impact_assessment", Not("nothing here knows what resources cost")),
];

/// How tiers are coordinated.
pub(super) const DEPENDENCIES: [(&str, Known); 4] = [
    ("validate_tier_dependencies", Is("a plan checks that the schema fits the target before traffic moves")),
    ("coordinate_cross_tier_rollbacks", Is("one plan holds the steps of all tiers")),
    ("manage_rollback_timing", Is("each step has its time-out, and the plan an expected length")),
    ("ensure_data_consistency", Not("nothing here reads the data")),
];

/// What must hold between and after the steps.
pub(super) const GATES: [(&str, Known); 8] = [
    ("health_check_validation", Is("the health gate after each step that moves traffic")),
    ("metric_stabilization", Is("`planning.settle` and the check after the whole")),
    (
        "user_impact_assessment",
        Empty("users affected are told by the report, and gate nothing in the design"),
    ),
    ("business_continuity_verification", Not("nothing here does it")),
    ("end_to_end_testing", Not("nothing here runs tests of yours")),
    ("integration_validation", Not("nothing here runs tests of yours")),
    ("performance_benchmarking", Not("nothing here runs a benchmark")),
    ("security_assessment", Is("the signal `security_findings`")),
];

/// Models, of which the design has the names.
pub(super) const MODELS: [(&str, Known); 4] = [
    ("anomaly_detection_model", Empty(NO_MODEL)),
    ("impact_prediction_model", Empty(NO_MODEL)),
    ("success_probability_model", Empty(NO_MODEL)),
    ("optimal_strategy_selector", Empty(NO_MODEL)),
];

const NO_MODEL: &str = "the design has a name here and no model behind it: its score decides alone";

/// Kinds of rules.
pub(super) const RULES: [(&str, Known); 4] = [
    ("threshold_based_rules", Is("the thresholds of the score")),
    ("pattern_matching_rules", Empty("the design has no such rule")),
    ("business_logic_rules", Empty("the design has no such rule")),
    ("compliance_rules", Is("any compliance finding rolls back by itself, whatever the score")),
];

/// What is asked for before it is done.
pub(super) const APPROVALS: [(&str, Known); 4] = [
    ("high_impact_rollbacks", Is(ALWAYS_ASKED)),
    ("cross_tier_rollbacks", Is(ALWAYS_ASKED)),
    ("production_rollbacks", Is(ALWAYS_ASKED)),
    ("customer_facing_changes", Is(ALWAYS_ASKED)),
];

const ALWAYS_ASKED: &str = "always asked, unless a standing approval covers it";

/// What keeps executions apart.
pub(super) const PARALLEL: [(&str, Known); 3] = [
    ("resource_isolation", Is("at most one execution per service")),
    ("failure_isolation", Is("an execution that fails ends alone")),
    ("progress_tracking", Is("every step is in the journal")),
];

/// What keeps an engine from doing harm.
pub(super) const SAFETY: [(&str, Known); 4] = [
    ("circuit_breakers", Is("`execution.breaker`")),
    ("rate_limiting", Is("`execution.effects_per_minute`")),
    ("resource_quotas", Is("`execution.effects_max`")),
    ("timeout_controls", Is("the time-out of each step, and `execution.timeout`")),
];

/// What is told while it runs.
pub(super) const MONITORING: [(&str, Known); 4] = [
    ("real_time_metrics", Empty("what is shown decides nothing")),
    ("alert_suppression", Empty("nothing here silences alerts")),
    ("dashboard_updates", Empty("what is shown decides nothing")),
    ("audit_logging", Is("the journal")),
];

/// What may be done about a trigger that has no factor.
pub(super) fn trigger_hint(name: &str) -> &'static str {
    match name {
        "availability" => "; as a limit on errors it stands under `error_rate`",
        "replication_lag" => {
            "; give it a weight of its own: a `custom` signal with the query `max(replica_lag_seconds{service=\"$service\"})`"
        }
        "connection_errors"
        | "query_timeout"
        | "deadlock_rate"
        | "network_latency"
        | "cost_spike"
        | "security_violations" => "; give it a query and a weight of its own under `custom`",
        _ => "; it is not a name of the design either",
    }
}
