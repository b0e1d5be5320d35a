//! Rules that a scenario file must keep beyond its shape, with their stable numbers.

/// A rule. Numbers below 30 are those of [`backspin_policy::document::shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Rule {
    /// A run is at most [`super::check::RUN_MAX`] long.
    RunTooLong = 30,
    /// A run has time to watch, and at least one scrape in it.
    NothingToWatch = 31,
    /// Scrapes fall on ticks.
    ScrapeOffTick = 32,
    /// There is traffic.
    NoTraffic = 33,
    /// `deploy.at` and `timing.history` are the same moment.
    TwoDeployTimes = 34,
    /// What happens, happens within the run.
    OutsideRun = 35,
    /// Versions that are named are listed.
    UnknownVersion = 36,
    /// A deploy changes the version.
    SameVersion = 37,
    /// Versions are listed once, oldest first, the deploy's two at the end.
    VersionOrder = 38,
    /// A canary's steps rise in time and share.
    StepsNotRising = 39,
    /// Steps belong to a canary, and a rollout to what the service can do.
    RolloutImpossible = 40,
    /// No service calls itself, not even through others.
    Cycle = 41,
    /// A bad version or flag does some harm.
    NoHarm = 42,
    /// Stated truth agrees with the timeline.
    TruthContradicts = 43,
    /// What is expected can happen.
    ExpectationImpossible = 44,
    /// Flags that are named came with the candidate.
    UnknownFlag = 45,
    /// A dependency that fails is there.
    NoDependency = 46,
    /// A range has its smaller end first.
    EmptyRange = 47,
    /// The run's folder or selection holds a scenario.
    NothingSelected = 48,
    /// What is drawn is a place of the file that may be.
    CannotVary = 49,
    /// An autoscaler has room, and Deployments to scale.
    AutoscalerImpossible = 50,
    /// Replicas that lag are there.
    NoDatabase = 51,
}

impl Rule {
    /// The stable number.
    pub const fn number(self) -> u16 {
        self as u16
    }
}
