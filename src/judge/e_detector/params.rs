//! Parameters of the e-detector. "DS" as a source is the design study that chose them: 5,500 deploys simulated at 10 s,
//! with the generator that `deploys.rs` repeats at 15 s. Real services differ; what their history shows raises noise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ParamError, check_range};

/// Everything that can be tuned. Noise and margins are on the natural-log scale: 0.1 is about 10 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Probability of a false alarm that one watch may have, `1e-6..=0.5`; default 0.01.
    pub alpha: f64,
    /// Length of a watch, milliseconds, `60000..=86400000`; default one hour. With the frame interval it gives
    /// the number of frames H, at least 12, and the threshold `ln(H / alpha)`.
    pub watch_ms: u64,
    /// Share of the threshold from which a verdict is marginal, `0..=1`; default 0.7.
    pub marginal_share: f64,
    /// Ratio of candidate to control error ratio that a healthy release may have, `1..=10`; default 1.25 (DS).
    pub error_margin: f64,
    /// Rise of the error ratio that is never held against a candidate, `0..=0.1`; default 0.0005. Keeps a
    /// service that never fails from rolling back for one failure in ten thousand.
    pub error_points_margin: f64,
    /// Shift of log latency that a healthy release may have, `0..=1`; default 0.05 (DS).
    pub latency_margin: f64,
    /// How much slower new pods may be at first, log scale, `0..=4`; default 1.4, four times: DS has 1.0, but its own
    /// generator starts pods up to that cold.
    pub warmup_latency: f64,
    /// Error ratio that new pods may add at first, `0..=1`; default 0.02 (DS).
    pub warmup_errors: f64,
    /// Time constant with which pods warm up, seconds, `1..=3600`; default 90, in the middle of the 20 to 120 that pods
    /// take.
    pub warmup_s: f64,
    /// Whether a verdict must stand whichever single pod is left out; default true.
    pub leave_one_out: bool,
    /// Ratio of control to candidate conversion that a healthy release may have, `1..=10`; default 1.05 (DS).
    pub conversion_margin: f64,
    /// Noise of one arm's log conversion beyond counting, `0..=2`; default 0.02.
    pub conversion_arm_noise: f64,
    /// Difference of memory, as a share of the limit, that a healthy release may have; `0..=1`, default 0.04 (DS).
    pub memory_margin: f64,
    /// Memory, as a share of the limit, below which more of it is nobody's pain whatever the difference; `0..=1`, default
    /// 0.72: a release may need more, and what matters is what is left.
    pub memory_harmless: f64,
    /// The same difference against the past, where nothing tells what else changed; default 0.15.
    pub history_memory_margin: f64,
    /// Compared with history, the ratio of its conversion to the candidate's that may be anyone's, `1..=10`; default 1.3: what
    /// people want changes with the hour.
    pub history_conversion_margin: f64,
    /// Ratio of processor time per request that a healthy release may take, `1..=100`; default 1.5. Wide: what it costs is
    /// nobody's pain, and pods at little load spend most on being there.
    pub cpu_margin: f64,
    /// Noise of one arm's log error ratio beyond counting, standard deviation, `0..=2`; default 0.10 (DS). A
    /// floor: the service's history can raise it.
    pub error_arm_noise: f64,
    /// The same of log latency; default 0.02 (DS).
    pub latency_arm_noise: f64,
    /// Noise of the log error ratio that both arms share, `0..=2`; default 0.15 (DS). Enters comparisons with
    /// history, and splits what history shows into shared and own.
    pub error_shared_noise: f64,
    /// The same of log latency; default 0.10: DS has 0.06, and traffic that wanders by 15 % adds 0.07 at half load.
    pub latency_shared_noise: f64,
    /// Correlation time of an arm's own noise, seconds, `0..=3600`; default 67 (0.8 from frame to frame at 15 s).
    pub arm_correlation_s: f64,
    /// Correlation time of shared noise, seconds, `0..=3600`; default 142 (0.9 at 15 s).
    pub shared_correlation_s: f64,
    /// Compared with history, the ratio of error ratios that may be anyone's, `1..=100`; default 1.5.
    pub history_error_margin: f64,
    /// Compared with history, the shift of log latency that may be anyone's, `0..=2`; default 0.15.
    pub history_latency_margin: f64,
    /// Compared with history, the shift of log latency allowed per unit of log throughput above the past's,
    /// `0..=5`; default 1.0: more load is slower, and that is nobody's fault. Only where processor use is not
    /// recorded; where it is, the past's own tells how much slower the old version would be.
    pub history_load_elasticity: f64,
    /// How far back the old version's past counts, seconds (at least 24 frames), `60..=604800`; default 7200.
    pub history_s: f64,
    /// Dependency health below which comparisons with history are muted, `0..=1`; default 0.8 (DS).
    pub gate_dependency_health: f64,
    /// Multiple of the past throughput above which they are muted where processor use is not recorded,
    /// `1..=100`; default 1.8 (DS).
    pub gate_surge: f64,
    /// Utilisation from which they are muted where it is: of the old version at the candidate's load, as the past
    /// tells, and of pods that are still cold, as measured. `0..=1`; default 0.85: what is fuller sheds load in
    /// bursts shorter than a frame.
    pub gate_utilisation: f64,
    /// How long they stay muted after the cause is gone, milliseconds, `0..=600000`; default 60000 (DS).
    pub gate_after_ms: u64,
    /// How long one deploy may be muted at a stretch, milliseconds, `0..=3600000`; default 300000 (DS). Time that
    /// is judged gives a quarter of itself back.
    pub gate_max_ms: u64,
    /// Error ratio of a total outage, which is never muted, `0..=1`; default 0.9.
    pub total_outage: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            watch_ms: 3_600_000,
            marginal_share: 0.7,
            error_margin: 1.25,
            error_points_margin: 0.0005,
            latency_margin: 0.05,
            warmup_latency: 1.4,
            warmup_errors: 0.02,
            warmup_s: 90.0,
            leave_one_out: true,
            conversion_margin: 1.05,
            conversion_arm_noise: 0.02,
            memory_margin: 0.04,
            memory_harmless: 0.72,
            history_memory_margin: 0.15,
            history_conversion_margin: 1.3,
            cpu_margin: 1.5,
            error_arm_noise: 0.10,
            latency_arm_noise: 0.02,
            error_shared_noise: 0.15,
            latency_shared_noise: 0.10,
            arm_correlation_s: 67.0,
            shared_correlation_s: 142.0,
            history_error_margin: 1.5,
            history_latency_margin: 0.15,
            history_load_elasticity: 1.0,
            history_s: 7200.0,
            gate_dependency_health: 0.8,
            gate_surge: 1.8,
            gate_utilisation: 0.85,
            gate_after_ms: 60_000,
            gate_max_ms: 300_000,
            total_outage: 0.9,
        }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        for (name, got, min, max) in [
            ("alpha", self.alpha, 1e-6, 0.5),
            ("watch_ms", self.watch_ms as f64, 60_000.0, 86_400_000.0),
            ("marginal_share", self.marginal_share, 0.0, 1.0),
            ("error_margin", self.error_margin, 1.0, 10.0),
            ("error_points_margin", self.error_points_margin, 0.0, 0.1),
            ("latency_margin", self.latency_margin, 0.0, 1.0),
            ("warmup_latency", self.warmup_latency, 0.0, 4.0),
            ("warmup_errors", self.warmup_errors, 0.0, 1.0),
            ("warmup_s", self.warmup_s, 1.0, 3600.0),
            ("conversion_margin", self.conversion_margin, 1.0, 10.0),
            ("conversion_arm_noise", self.conversion_arm_noise, 0.0, 2.0),
            ("memory_margin", self.memory_margin, 0.0, 1.0),
            ("memory_harmless", self.memory_harmless, 0.0, 1.0),
            ("history_memory_margin", self.history_memory_margin, 0.0, 1.0),
            ("history_conversion_margin", self.history_conversion_margin, 1.0, 10.0),
            ("cpu_margin", self.cpu_margin, 1.0, 100.0),
            ("error_arm_noise", self.error_arm_noise, 0.0, 2.0),
            ("latency_arm_noise", self.latency_arm_noise, 0.0, 2.0),
            ("error_shared_noise", self.error_shared_noise, 0.0, 2.0),
            ("latency_shared_noise", self.latency_shared_noise, 0.0, 2.0),
            ("arm_correlation_s", self.arm_correlation_s, 0.0, 3600.0),
            ("shared_correlation_s", self.shared_correlation_s, 0.0, 3600.0),
            ("history_error_margin", self.history_error_margin, 1.0, 100.0),
            ("history_latency_margin", self.history_latency_margin, 0.0, 2.0),
            ("history_load_elasticity", self.history_load_elasticity, 0.0, 5.0),
            ("history_s", self.history_s, 60.0, 604_800.0),
            ("gate_dependency_health", self.gate_dependency_health, 0.0, 1.0),
            ("gate_surge", self.gate_surge, 1.0, 100.0),
            ("gate_utilisation", self.gate_utilisation, 0.0, 1.0),
            ("gate_after_ms", self.gate_after_ms as f64, 0.0, 600_000.0),
            ("gate_max_ms", self.gate_max_ms as f64, 0.0, 3_600_000.0),
            ("total_outage", self.total_outage, 0.0, 1.0),
        ] {
            check_range(name, got, min, max)?;
        }
        Ok(())
    }
}
