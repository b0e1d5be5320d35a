//! The truth of a simulated or recorded incident. Kept aside for scoring; no judge or engine can reach it.

use serde::{Deserialize, Serialize};

use super::id::{Attempt, FlagKey, VersionId};
use super::service::InfraChange;
use super::time::{Millis, MonoTime};

/// What is really the matter with a deploy.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing.
    None,
    /// The candidate itself.
    Candidate,
    /// A flag that came with the candidate.
    Flag,
    /// Infrastructure that was changed for the candidate: every version suffers from it.
    Infrastructure,
    /// Something outside the deploy.
    External,
}

/// What is known of an incident before it is played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The cause that a decision should answer; the candidate's when both it and an outside cause are there.
    pub cause: Cause,
    /// The version that does harm, if one does.
    pub bad_version: Option<VersionId>,
    /// When users first feel harm that this deploy does.
    pub onset: Option<MonoTime>,
    /// Whether going back to another version ends that harm.
    pub rollback_helps: bool,
    /// Whether instances of the old version serve beside the candidate after the onset, if nobody acts.
    pub concurrent_baseline: bool,
    /// When the deploy begins.
    pub deployed: MonoTime,
    /// How long it is watched.
    pub watch: Millis,
    /// Time between scrapes.
    pub scrape: Millis,
    /// Whether recovery can be told at all; a recording cannot say what would have followed.
    pub recovery_known: bool,
}

impl Truth {
    /// Whether a rollback (or a flag switched off) is the right answer.
    pub const fn is_bad(&self) -> bool {
        match self.cause {
            Cause::Candidate | Cause::Flag | Cause::Infrastructure => true,
            Cause::None | Cause::External => false,
        }
    }
}

/// What really happened between two scrapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TruthTick {
    /// The scrape.
    pub at: MonoTime,
    /// Requests offered by users, retries not counted.
    pub demand: f64,
    /// Share of requests that the candidate really answered, `0..=1`.
    pub candidate_share: f64,
    /// Expected share of requests that failed, over all versions.
    pub error_ratio: f64,
    /// Expected share of requests slower than the history's 99th percentile.
    pub slow_ratio: f64,
    /// Expected users harmed by this deploy: requests that failed, were slow, were kept from converting or left
    /// behind work that is done late, and would not have been.
    pub harmed: f64,
    /// Expected users harmed by anything else.
    pub harmed_external: f64,
    /// Information about the fault in this scrape if nobody acted, nats: divergence of the law with the fault
    /// from the law without (`research: KL(post || pre)`), two arms, noise floor included.
    pub information: f64,
    /// The reverse divergence, KL(pre || post), nats.
    pub information_reverse: f64,
}

/// Moments the world saw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// Less than 1 % of users met the harm of this deploy, and it stayed so until the end.
    Mitigated,
    /// The target serves all and users' signals are within their margins for three minutes.
    Recovered,
}

/// An effect that the world took up, as the world counts it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorldEffect {
    /// The key that it came under.
    pub attempt: Attempt,
    /// Whether it changed anything, or was recognised as one that was there before.
    pub new: bool,
}

/// The world when the run ended, as far as effects reach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorldState {
    /// Share of traffic by version, as it really goes, `0..=1`, in the order of the service's versions.
    pub shares: Vec<(VersionId, f64)>,
    /// Pods that there should be by version.
    pub pods: Vec<(VersionId, u32)>,
    /// Flags that clients see off.
    pub flags_off: Vec<FlagKey>,
    /// The version whose schema the database has; none where no version changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<VersionId>,
    /// Infrastructure that is back at its recorded state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverted: Vec<InfraChange>,
    /// What service discovery was told last, if anything.
    pub discovery: Option<VersionId>,
    /// Messages that were delivered on the channels of a step.
    pub notices: u32,
    /// Calls that reached a person, repeated ones counted once.
    pub pages: u32,
    /// Whether alerts are still kept quiet.
    pub alerts_quiet: bool,
}

/// What comes of a replayed recording if damage that the version leaves behind decays so fast, by the same decisions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplaySensitivity {
    /// The decay's time constant.
    pub residual: Millis,
    /// From when on fewer than 1 % of users met the harm; none if to the end more did.
    pub mitigated: Option<MonoTime>,
    /// Expected users harmed by the deploy.
    pub harmed: f64,
}

/// An entry of the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TruthEntry {
    /// Known before the run.
    Known(Truth),
    /// One scrape interval.
    Tick(TruthTick),
    /// A moment reached.
    Reached(Milestone),
    /// An effect was taken up.
    Effect(WorldEffect),
    /// The engine went away; nothing that it was told from here on reached it.
    EngineLost,
    /// How the world was left.
    Left(WorldState),
    /// Of a replayed recording: what another decay of damage that the version leaves behind would have meant.
    Sensitivity(ReplaySensitivity),
    /// Of a replayed recording: from this moment on something that was shown was held over from before.
    Extrapolated(MonoTime),
}
