//! What stands in a policy file. Every default is here or in the room whose parameters it is; the JSON Schema
//! is derived from these structs.

mod people;
mod rules;
mod signal_rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::{Length, Name};
use super::queries;
use backspin_domain::signal::Worse;
use backspin_engine::settings::Channel;
use backspin_judge::{
    alarm, argo, bocpd, breaker, burnrate, cusum, e_detector, flagger, glr, kayenta, keptn, mann_whitney,
    n_of_m, robust_z, sequential, weighted,
};

pub use people::{ApprovalsEntry, CalendarEntry, FreezeEntry, StandingEntry, WindowEntry};
pub use rules::{
    AttributionEntry, BreakerEntry, EffectEntry, ExecutionEntry, MissingDataEntry, OutsideCauses,
    PlanningEntry, ScoreEntry, SeverityEntry, SuccessEntry, TargetEntry, TurnsEntry,
};
pub use signal_rules::{ConditionEntry, RuleEntry, StepEntry};

/// How rollbacks are decided and done.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Which judge decides, with its parameters.
    #[serde(default)]
    pub judge: JudgeEntry,
    /// Queries of the named signals, in PromQL. `$service` stands for the service's name.
    #[serde(default)]
    pub signals: SignalQueries,
    /// Signals of your own.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub custom: Vec<CustomEntry>,
    /// Rules beside the judge: what rolls back or holds by itself. Default none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub rules: Vec<RuleEntry>,
    /// How often signals are collected. Default 15 s.
    #[serde(default = "collect_every")]
    pub collect_every: Length,
    /// From harm to severity.
    #[serde(default)]
    pub severity: SeverityEntry,
    /// What to do without data.
    #[serde(default)]
    pub missing_data: MissingDataEntry,
    /// How a cause outside the deploy is told.
    #[serde(default)]
    pub attribution: AttributionEntry,
    /// Which version may be gone back to.
    #[serde(default)]
    pub target: TargetEntry,
    /// How rollbacks are planned.
    #[serde(default)]
    pub planning: PlanningEntry,
    /// How plans are run.
    #[serde(default)]
    pub execution: ExecutionEntry,
    /// Who must agree.
    #[serde(default)]
    pub approvals: ApprovalsEntry,
    /// When rollbacks may run.
    #[serde(default)]
    pub calendar: CalendarEntry,
    /// Channels that are told of every rollback.
    #[serde(default)]
    pub notify: Vec<Channel>,
}

fn collect_every() -> Length {
    Length::secs(15)
}

/// A judge with its parameters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum JudgeEntry {
    /// The default: an anytime-valid comparison with the control, or with the past where there is none.
    EDetector(e_detector::Params),
    /// The reference judge: weighted thresholds.
    Weighted(weighted::Params),
    /// Flagger's cumulative failed checks.
    Flagger(flagger::Params),
    /// An analysis run of Argo Rollouts.
    Argo(argo::Params),
    /// Kayenta's canary analysis.
    Kayenta(kayenta::Params),
    /// CodeDeploy's stop on an alarm.
    Alarm(alarm::Params),
    /// The circuit breaker of Amazon ECS.
    Breaker(breaker::Params),
    /// Multi-window burn-rate alerts.
    #[serde(rename = "burnrate")]
    BurnRate(burnrate::Params),
    /// Keptn's weighted objectives.
    Keptn(keptn::Params),
    /// A confidence sequence around the difference of both arms.
    Sequential(sequential::Params),
    /// A baseline: fixed limits, N of M.
    NOfM(n_of_m::Params),
    /// A baseline: a cumulative sum.
    Cusum(cusum::Params),
    /// A baseline: a generalised likelihood ratio.
    Glr(glr::Params),
    /// A baseline: Bayesian change points.
    Bocpd(bocpd::Params),
    /// A baseline: a run of robust deviations.
    RobustZ(robust_z::Params),
    /// A baseline: a test of ranks.
    MannWhitney(mann_whitney::Params),
}

impl Default for JudgeEntry {
    fn default() -> Self {
        Self::EDetector(e_detector::Params::default())
    }
}

/// Queries of the named signals.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignalQueries {
    /// Share of requests that failed, `0..=1`.
    pub error_ratio: String,
    /// 99th percentile of response time, milliseconds.
    pub latency_p99: String,
    /// Requests per second.
    pub throughput: String,
    /// Processor use as a share of the limit.
    pub cpu: String,
    /// Memory use as a share of the limit.
    pub memory: String,
    /// Relative drop of the conversion rate against its history, `0..=1`.
    pub conversion_drop: String,
    /// Revenue lost in the window, in the business's currency.
    pub revenue_impact: String,
    /// Complaints per hour.
    pub complaints_per_hour: String,
    /// Share of calls to dependencies that succeed, `0..=1`.
    pub dependency_health: String,
    /// Open security findings that came with the candidate.
    pub security_findings: String,
    /// Open findings of audits against the candidate.
    pub compliance_findings: String,
}

impl Default for SignalQueries {
    fn default() -> Self {
        Self {
            error_ratio: queries::ERROR_RATIO.to_owned(),
            latency_p99: queries::LATENCY_P99.to_owned(),
            throughput: queries::THROUGHPUT.to_owned(),
            cpu: queries::CPU.to_owned(),
            memory: queries::MEMORY.to_owned(),
            conversion_drop: queries::CONVERSION_DROP.to_owned(),
            revenue_impact: queries::REVENUE_IMPACT.to_owned(),
            complaints_per_hour: queries::COMPLAINTS_PER_HOUR.to_owned(),
            dependency_health: queries::DEPENDENCY_HEALTH.to_owned(),
            security_findings: queries::SECURITY_FINDINGS.to_owned(),
            compliance_findings: queries::COMPLIANCE_FINDINGS.to_owned(),
        }
    }
}

/// A signal of your own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomEntry {
    /// Its name; not that of a named signal.
    #[schemars(with = "Name")]
    pub name: String,
    /// In PromQL. `$service` stands for the service's name.
    pub query: String,
    /// Which way is worse.
    #[schemars(with = "WorseName")]
    pub worse: Worse,
    /// Beyond this it counts, in its own unit. Without one it is shown and not weighed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// What it adds to a weighted score when it counts. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight: f64,
}

/// The schema of [`Worse`].
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum WorseName {
    /// A greater value is worse.
    Higher,
    /// A smaller value is worse.
    Lower,
}
