//! What goes wrong in a scenario: what the world does, what a connection does, and who works against the engine.

use super::Arms;
use backspin_domain::id::{FlagKey, ServiceId};
use backspin_domain::service::InfraChange;
use backspin_domain::time::{Millis, MonoTime};

/// A cause in the world.
#[derive(Clone, Debug, PartialEq)]
pub enum WorldEvent {
    /// The candidate does harm from `onset` on.
    BadVersion(BadVersion),
    /// Like it, but only while the flag is on.
    BadFlag {
        /// The flag.
        flag: FlagKey,
        /// The harm.
        harm: BadVersion,
    },
    /// Infrastructure that was changed for the candidate does harm to every version, until it is set back.
    BadInfrastructure {
        /// What was changed.
        change: InfraChange,
        /// The harm.
        harm: BadVersion,
    },
    /// The dependency fails.
    DependencyOutage {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Share of calls to it that fail, `0..=1`.
        error_ratio: f64,
        /// Factor on the response times of requests that call it.
        latency_factor: f64,
    },
    /// More users come.
    Surge {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Factor on the demand.
        factor: f64,
    },
    /// Something else on the same machines slows every pod of both versions.
    NoisyNeighbour {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Factor on response times.
        latency_factor: f64,
    },
    /// The database's replicas replay more slowly.
    ReplicaLag {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Factor on the writes per second that a replica can replay, `0..=1`.
        replay_factor: f64,
    },
    /// Somebody rewrites the data: writes that replicas have to replay besides.
    HeavyMigration {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Its writes per second.
        writes_per_s: f64,
    },
    /// One pod of an arm, or one of each, is slow or fails: its machine, not its version.
    NoisyPod {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Whose pod.
        arm: Arms,
        /// Extra share of its requests that fail, `0..=1`.
        error_ratio: f64,
        /// Factor on its response times.
        latency_factor: f64,
    },
    /// Somebody else's deploy of a service below turns bad, until they take it back.
    OtherDeploy {
        /// Which.
        service: ServiceId,
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Extra share of tries that fail, `0..=1`.
        error_ratio: f64,
        /// Factor on its response times.
        latency_factor: f64,
        /// Factor on the work per try.
        cost_factor: f64,
    },
    /// One pod of an arm, or one of each, is out.
    PodOut {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Whose pod.
        arm: Arms,
        /// Its container dies whenever it is up, so that it is mostly not listed; else it stays listed and fails all that it
        /// is sent.
        crash_loops: bool,
    },
    /// A scanner reports findings in the candidate.
    SecurityFinding {
        /// When.
        at: MonoTime,
        /// How many.
        findings: u32,
    },
    /// An audit finds that the candidate breaks rules that the service is held to.
    ComplianceFinding {
        /// When.
        at: MonoTime,
        /// How many.
        findings: u32,
    },
}

/// What a bad version does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BadVersion {
    /// From when on.
    pub onset: MonoTime,
    /// Until it has its full strength, it grows linearly for this long.
    pub grows_for: Millis,
    /// Extra share of requests that fail at once, `0..=1`.
    pub error_ratio: f64,
    /// Factor on response times.
    pub latency_factor: f64,
    /// Extra share of requests in the latency tail, `0..=1`.
    pub tail_share: f64,
    /// Extra share of requests that hang until the time-out, `0..=1`.
    pub hang_ratio: f64,
    /// Factor on conversion of requests that went well, `0..=1`.
    pub conversion_factor: f64,
    /// Factor on the work per request: a pod saturates at `capacity / cost_factor`.
    pub cost_factor: f64,
    /// Factor on the calls per request to the dependency.
    pub calls_factor: f64,
    /// Factor on the writes per request to the database.
    pub writes_factor: f64,
    /// Memory that a pod of it loses per hour, share of the limit.
    pub memory_leak_per_hour: f64,
}

impl Default for BadVersion {
    fn default() -> Self {
        Self {
            onset: MonoTime::ZERO,
            grows_for: Millis::ZERO,
            error_ratio: 0.0,
            latency_factor: 1.0,
            tail_share: 0.0,
            hang_ratio: 0.0,
            conversion_factor: 1.0,
            cost_factor: 1.0,
            calls_factor: 1.0,
            writes_factor: 1.0,
            memory_leak_per_hour: 0.0,
        }
    }
}

/// What goes wrong between the engine and the world. Every fault has an end, and is lifted at it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Metrics of these arms are not scraped.
    MetricsGap {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
        /// Whose.
        arms: Arms,
    },
    /// The metrics server does not answer at all.
    MetricsDown {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
    },
    /// The router accepts weights but does not put them in force.
    RouterStuck {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
    },
    /// The flag service refuses.
    FlagsDown {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
    },
    /// Effects are carried out, but the engine is not told what came of them.
    ReplyLost {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
    },
    /// Nothing that changes or reads the platform gets through.
    ActuatorsDown {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
    },
    /// The engine's process dies and is started again on its journal.
    EngineDown {
        /// When.
        at: MonoTime,
        /// How long.
        lasts: Millis,
    },
}

/// Somebody else who acts on the service's Deployments and routes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rival {
    /// GitOps with self-heal: what the rollout last put in place is written again wherever it was changed.
    GitOps {
        /// From when on.
        at: MonoTime,
        /// How long; none: to the end.
        lasts: Option<Millis>,
        /// Between two syncs.
        every: Millis,
    },
    /// A person who edits the routes, and gives the candidate pods for them, once.
    Operator {
        /// When.
        at: MonoTime,
        /// The share that the candidate gets, `0..=1`.
        share: f64,
    },
    /// Another leader of the rollout's controller, which goes on with the ramp whatever was asked of the first.
    SecondLeader {
        /// From when on.
        at: MonoTime,
        /// How long; none: to the end.
        lasts: Option<Millis>,
        /// Between two looks.
        every: Millis,
    },
}
