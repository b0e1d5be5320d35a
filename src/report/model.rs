//! What a campaign hands over to be reported.

use std::collections::BTreeMap;

use backspin_domain::entry::Entry;
use backspin_score::{CostWeights, RunOutcome};

/// The judge that all others are compared with (SPEC 2.3). It stands last in every table.
pub const REFERENCE_JUDGE: &str = "weighted";

/// Why the reference judge misses what it misses (SPEC 2.3).
pub const REFERENCE_WHY: &str = "The reference judge adds up fixed weights and fails a candidate at 0.7. Errors (0.30) and latency (0.25) \
     together reach 0.55, so an outage that only fails fast never triggers it, however bad it is; with business \
     and complaints but without latency the sum is 0.65. It is here so that everything else can be compared \
     with it.";

/// The same in one line, for a terminal.
pub(super) const REFERENCE_SHORT: &str = "reference: errors (0.30) and latency (0.25) reach 0.55 of the 0.70 it needs, so it misses what only fails fast";

/// A campaign, ready to be reported.
#[derive(Clone, Debug, Default)]
pub struct CampaignReport {
    /// What was run, in a few words.
    pub title: String,
    /// The campaign's seed.
    pub seed: u64,
    /// SHA-256 of the effective policy, hexadecimal.
    pub policy_hash: String,
    /// The policy's own judge: headline, expectations and exit codes follow it.
    pub policy_judge: String,
    /// All judges, in the order in which they are shown; [`REFERENCE_JUDGE`] goes last wherever it stands.
    pub judges: Vec<String>,
    /// Every run's outcome.
    pub outcomes: Vec<RunOutcome>,
    /// Prices of harm and of rollbacks.
    pub weights: CostWeights,
    /// Limits of the policy, drawn where a run's own evidence names none.
    pub limits: Limits,
    /// Runs that get a picture and a story, in order.
    pub shown: Vec<Shown>,
    /// What the reader must know before anything else: what was skipped, what failed to run.
    pub warnings: Vec<String>,
    /// How to look at a run again.
    pub commands: Commands,
    /// Whom to name for recorded data, and under which licence it is used.
    pub sources: Vec<SourceCredit>,
}

/// How to look at a run of this campaign again, from the same folder.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// What to give `explain` for a scenario, by `family/name`: its name if it is shipped, else its file.
    pub subjects: BTreeMap<String, String>,
    /// Options that were not left at their defaults, each with a blank before it.
    pub options: String,
}

impl Commands {
    /// The command that explains one run; none for a recording.
    pub fn explain(&self, family: &str, scenario: &str, seed_index: u64) -> Option<String> {
        let subject = self.subjects.get(&format!("{family}/{scenario}"))?;
        let index = if seed_index == 0 { String::new() } else { format!(" --seed-index {seed_index}") };
        Some(format!("backspin explain {subject}{index}{}", self.options))
    }
}

/// A source of recorded incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct SourceCredit {
    /// Its name.
    pub source: String,
    /// How many of its incidents were played.
    pub cases: u64,
    /// Whom to name.
    pub attribution: String,
    /// Under which licence it is used.
    pub licence: String,
    /// Where it comes from.
    pub origin: String,
}

/// Limits of the policy that the pictures show.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// On the share of failed requests, `0..=1`.
    pub error_ratio: Option<f64>,
    /// On the 99th percentile of response times, milliseconds.
    pub latency_p99_ms: Option<f64>,
}

/// A run that is shown in full.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Its record.
    pub entries: Vec<Entry>,
    /// Expected users harmed if nobody had acted, from a paired run; none if there was no such run.
    pub users_harmed_untouched: Option<f64>,
}
