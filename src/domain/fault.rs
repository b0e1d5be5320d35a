//! Faults that can be planned, each with the place where it sits. The numbers are those of the catalogue in
//! `docs/faults.md`; where one of its rows has several forms, a small letter tells them apart.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::time::{Millis, MonoTime};

/// Where a fault sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Between the engine and what measures.
    Metrics,
    /// Between the engine and the platform's API.
    Api,
    /// In the world: pods, routes, flags, the schema, and whoever else writes there.
    World,
    /// Between the engine and the people it calls.
    Notification,
    /// In the engine's own process, its journal and its lease.
    Process,
    /// In what people say.
    People,
}

/// On which planes a fault has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planes {
    /// In process and over HTTP.
    Both,
    /// In process only.
    Direct,
}

/// What is healed before liveness is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// API, metrics, leader, actuators: an engine cannot be asked for anything without them.
    Core,
    /// What may stay broken for good.
    Rest,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident: $id:literal $place:ident $planes:ident $part:ident;)+) => {
        /// A kind of fault. The name in files is the variant's in snake case.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FaultKind {
            /// All, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its number in the catalogue.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),+ }
            }

            /// What happens, in words.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),+ }
            }

            /// Where it sits.
            pub const fn place(self) -> Place {
                match self { $(Self::$name => Place::$place),+ }
            }

            /// Where it has a meaning.
            pub const fn planes(self) -> Planes {
                match self { $(Self::$name => Planes::$planes),+ }
            }

            /// Whether it ends before liveness is asked for.
            pub const fn part(self) -> Part {
                match self { $(Self::$name => Part::$part),+ }
            }
        }
    };
}

kinds! {
    /// Samples of an arm are missing.
    ScrapeGap: "M1" Metrics Both Core;
    /// The metrics server does not answer: every arm and every query failed.
    MetricsDown: "M2" Metrics Both Core;
    /// The answer to a collection comes late.
    SlowAnswer: "M3a" Metrics Both Core;
    /// An answer is cut short: no pods, and some queries failed.
    PartialAnswer: "M3b" Metrics Both Core;
    /// The last sample again and again, told as stale.
    FrozenSamples: "M4a" Metrics Both Core;
    /// The sample of some time ago, told as that of then.
    LateSamples: "M4b" Metrics Both Core;
    /// Queries answer NaN or an empty vector.
    EmptyVectors: "M5" Metrics Both Core;
    /// Counters begin anew: a part of the interval is not counted.
    CounterReset: "M6" Metrics Both Core;
    /// A label was renamed: one arm is not there any more.
    ArmLost: "M7" Metrics Both Core;
    /// A pair of servers is counted twice.
    CountedTwice: "M8" Metrics Both Core;
    /// The server's clock is behind.
    ServerClock: "M9" Metrics Both Core;
    /// More users come than the service was sized for.
    TrafficSurge: "M12a" World Both Rest;
    /// Something else on the same machines slows every pod.
    NoisyNeighbour: "M12b" World Both Rest;
    /// A part of the candidate's samples is counted as the stable version's.
    MixedCohorts: "M15" Metrics Both Core;
    /// One provider says that all is well, whatever the others say.
    LyingProvider: "M16" Metrics Both Core;
    /// The API answers 409: somebody else wrote at the same time.
    Conflict: "K1" Api Both Core;
    /// A watch expires: what happened meanwhile is not told, then all is listed anew.
    WatchExpired: "K2" Api Both Core;
    /// A watch loses events.
    NoticesLost: "K3" Api Both Core;
    /// Reads are answered as the world was before the effect.
    StaleRead: "K4" Api Both Core;
    /// Events come twice.
    NoticesDoubled: "K5a" Api Both Core;
    /// Events of different objects come in another order.
    NoticesReordered: "K5b" Api Both Core;
    /// The API answers 429: the call has to wait.
    Throttled: "K6" Api Both Core;
    /// The call is applied and the reply never comes.
    ReplyLost: "K7a" Api Both Core;
    /// The connection breaks: nobody knows whether the call was applied.
    ReplyUnknown: "K7b" Api Both Core;
    /// The reply comes late.
    ReplyLate: "K7c" Api Both Core;
    /// The reply comes twice; with a share below a half the call, sent again on its way.
    ReplyDoubled: "K7d" Api Both Core;
    /// The API answers 403 from then on: a role was revoked.
    Forbidden: "K8" Api Both Core;
    /// An admission webhook refuses the call.
    Rejected: "K9" Api Both Core;
    /// GitOps writes back what the rollout last put in place.
    GitOps: "K10a" World Both Rest;
    /// Another operator edits routes and replicas.
    SecondOperator: "K10b" World Both Rest;
    /// A second leader of the rollout's controller goes on with the ramp.
    SecondLeader: "K10c" World Both Rest;
    /// The old version's image is gone.
    ImageGone: "K12a" World Both Rest;
    /// Images are pulled slowly.
    SlowPull: "K12b" World Both Rest;
    /// The quota admits no more pods.
    Quota: "K13" World Both Rest;
    /// A node is lost, and its pods with it.
    NodeLost: "K17" World Both Rest;
    /// One pod is out: its container dies whenever it is up.
    PodOut: "T12" World Both Rest;
    /// The API does not answer at all.
    ApiDown: "K19" Api Both Core;
    /// Weights are accepted and not put in force.
    RouterStuck: "T1" World Both Core;
    /// A part of the proxies keeps the old weights.
    StaleProxies: "T2" World Both Core;
    /// The flag service does not answer.
    FlagsDown: "T5a" World Both Core;
    /// A flag is switched off and clients go on seeing it on.
    FlagsStale: "T5b" World Both Core;
    /// Service discovery spreads late.
    DiscoveryLate: "T9" World Both Core;
    /// A schema script fails.
    ScriptFails: "D2a" World Both Rest;
    /// A schema script waits for a lock and runs long.
    ScriptSlow: "D2b" World Both Rest;
    /// Calls to people fail.
    PageFails: "N1" Notification Both Rest;
    /// A call is delivered twice.
    PageDoubled: "N2a" Notification Both Rest;
    /// A request for approval is delivered twice.
    AskDoubled: "N2b" Notification Both Rest;
    /// Calls wait.
    PageLate: "N4" Notification Both Rest;
    /// A call is delivered, and the receipt is lost.
    ReceiptLost: "N5" Notification Both Rest;
    /// Requests for approval go to somebody who is not there.
    AskLost: "N6" Notification Both Rest;
    /// What is to be marked for the audit gets nowhere.
    AuditDown: "N7" Notification Both Rest;
    /// The process dies before what leads to an effect is written.
    CrashUnwritten: "E1" Process Direct Core;
    /// The process dies between the journal and the effect.
    CrashBefore: "E2" Process Direct Core;
    /// The process dies after the effect, before its outcome is written.
    CrashAfter: "E3" Process Direct Core;
    /// The process dies at any moment, and the journal's tail is torn off.
    TornTail: "E4a" Process Direct Core;
    /// A bit of the journal flips before a restart.
    FlippedBit: "E4b" Process Direct Core;
    /// The journal's disk is full.
    DiskFull: "E5" Process Direct Core;
    /// The process stands still for longer than its lease; another engine takes over.
    LongPause: "E6" Process Direct Core;
    /// Another engine's clock is ahead: it takes over while the first one works.
    TwoLeaders: "E7" Process Direct Core;
    /// The lease can be neither renewed nor taken.
    LeaseDown: "E8" Process Direct Core;
    /// The wall clock jumps forward.
    ClockJump: "E9a" Process Both Core;
    /// The wall clock jumps back.
    ClockBack: "E9b" Process Both Core;
    /// The engine that is started again is of another build.
    OtherBuild: "E10" Process Direct Core;
    /// The process is asked to end in the middle of a step, and is started again.
    Terminated: "E13" Process Direct Core;
    /// A trigger comes twice.
    TriggerDoubled: "E14" Process Both Core;
    /// Nobody answers a request for approval.
    NoAnswer: "H1" People Both Rest;
    /// Somebody answers after the answer has expired.
    LateAnswer: "H2" People Both Rest;
    /// Somebody approves and somebody refuses at the same time.
    Contradiction: "H3" People Both Rest;
    /// Somebody approves in a role that may not.
    WrongRole: "H4a" People Both Rest;
    /// Somebody approves what they asked for themselves.
    OwnPlan: "H4b" People Both Rest;
    /// Somebody approves an older plan.
    OlderPlan: "H5" People Both Rest;
    /// A person asks the engine for a rollback at the same time.
    ManualRollback: "H6" People Both Rest;
    /// The kill switch is used in the middle of a step, and released later.
    KillSwitch: "H7" People Both Rest;
    /// Somebody resumes what nobody stopped.
    WrongResume: "H8" People Both Rest;
}

impl FaultKind {
    /// Whether it strikes once, at one moment.
    pub const fn is_momentary(self) -> bool {
        matches!(
            self,
            Self::NodeLost
                | Self::SecondOperator
                | Self::CrashUnwritten
                | Self::CrashBefore
                | Self::CrashAfter
                | Self::TornTail
                | Self::FlippedBit
                | Self::LongPause
                | Self::TwoLeaders
                | Self::LeaseDown
                | Self::ClockJump
                | Self::ClockBack
                | Self::OtherBuild
                | Self::Terminated
                | Self::ManualRollback
                | Self::KillSwitch
                | Self::WrongResume
        )
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id(), self.words().trim_end_matches('.'))
    }
}

/// When a fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At this moment, milliseconds since the run's first one.
    At(#[schemars(with = "u64")] MonoTime),
    /// With the nth piece of work (from 0) of those that it concerns.
    Call(u32),
    /// As soon as this is so.
    Once(Condition),
}

/// Something that comes to be so in a run, as it is seen from outside the engine.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The deploy has begun.
    Deployed,
    /// The first effect of a rollback was asked for.
    RollingBack,
    /// Somebody was asked for approval.
    Asked,
    /// An engine was started again.
    Restarted,
    /// A person was called.
    Paged,
    /// A rollback moved what it is to move, and its last steps were asked for: discovery, a notice to the team.
    Closing,
}

/// Whose.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FaultTarget {
    /// Everybody's.
    #[default]
    All,
    /// The candidate's.
    Candidate,
    /// The stable version's.
    Stable,
}

/// A fault that is planned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// What.
    pub kind: FaultKind,
    /// From when on.
    pub when: When,
    /// How long, from then on. What strikes at one moment ignores it, or stays away so long.
    pub lasts: Millis,
    /// How often at most; what holds for a time counts once per piece of work, or per tick of the world.
    pub times: u32,
    /// How strongly, `0..=1`: the share of what is hit.
    pub share: f64,
    /// How late, how far behind, how far a clock jumps.
    pub by: Millis,
    /// Whose.
    pub target: FaultTarget,
    /// Whether it stays when the core heals.
    pub never_heals: bool,
}

impl PlannedFault {
    /// A fault of this kind from then on, as it is in files that leave the rest out: for a minute, without a limit, whole.
    pub const fn new(kind: FaultKind, when: When) -> Self {
        Self {
            kind,
            when,
            lasts: Millis::from_mins(1),
            times: u32::MAX,
            share: 1.0,
            by: Millis::from_secs(30),
            target: FaultTarget::All,
            never_heals: false,
        }
    }
}

/// What became of a planned fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTrace {
    /// Its kind.
    pub kind: FaultKind,
    /// How often it took effect: pieces of work, inputs or ticks that would have been otherwise.
    pub effects: u32,
    /// The first time.
    pub first: Option<MonoTime>,
    /// The last time.
    pub last: Option<MonoTime>,
}

impl FaultTrace {
    /// It has not taken effect yet.
    pub const fn new(kind: FaultKind) -> Self {
        Self { kind, effects: 0, first: None, last: None }
    }

    /// It takes effect now.
    pub fn strike(&mut self, now: MonoTime) {
        self.effects = self.effects.saturating_add(1);
        self.first.get_or_insert(now);
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique() {
        let mut ids: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), FaultKind::ALL.len());
        for kind in FaultKind::ALL {
            let text = serde_json::to_string(kind).expect("it can be written");
            assert_eq!(serde_json::from_str::<FaultKind>(&text).expect("it can be read"), *kind);
            assert!(kind.words().ends_with('.'), "{kind}");
        }
    }
}
