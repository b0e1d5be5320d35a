//! Engines that are broken on purpose, one rule each, so that a test can show that the invariant meant for that rule
//! catches its breach. They exist in builds for tests only (the feature `broken`): elsewhere [`Broken::is`] is the
//! constant `false`, and nothing of a mutation is compiled.
//!
//! Each is a line or two at the place where its rule lives. The table of which invariant catches which is the test
//! `chaos::tests::mutations`.

/// Which rule an engine or its driver breaks on purpose: none, but in tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    #[cfg(any(test, feature = "broken"))]
    rule: Option<Mutation>,
}

impl Broken {
    /// Broken by this.
    #[cfg(any(test, feature = "broken"))]
    pub const fn by(rule: Mutation) -> Self {
        Self { rule: Some(rule) }
    }

    /// Whether it is broken in this way.
    #[cfg(any(test, feature = "broken"))]
    #[inline]
    pub fn is(self, rule: Mutation) -> bool {
        self.rule == Some(rule)
    }

    /// Outside tests no engine is broken.
    #[cfg(not(any(test, feature = "broken")))]
    #[inline]
    pub const fn is(self, _: Mutation) -> bool {
        false
    }
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// Asks for an effect before its intent is written.
    JournalAfterEffect,
    /// Makes a call for a person in the journal only.
    ForgetPage,
    /// Calls again under a new key after a restart.
    PageTwoKeys,
    /// Hears the kill switch and goes on.
    IgnoreStop,
    /// A new deploy does not end the execution that was planned before it.
    OutliveDeploy,
    /// Takes a candidate that cannot be measured for a healthy one.
    MissingIsHealthy,
    /// Passes security findings over where the judge is content.
    IgnoreSecurity,
    /// Takes a frame that is all errors for a glitch of the metrics.
    TooBadToBeTrue,
    /// Rolls the first service back, whichever failed.
    BlameFirstService,
    /// Never acts on a judge's failure.
    DeafToJudge,
    /// Never lets a ramp go on that it paused.
    HoldForEver,
    /// Goes back to a version that was not healthy for long.
    UnprovenTarget,
    /// Goes back to a version that somebody marked bad.
    MarkedTarget,
    /// Goes back to a version that cannot be started any more.
    LostTarget,
    /// Rolls back in spite of a freeze or a closed window.
    ActInFreeze,
    /// Opens an execution beside one that is open.
    TwoAtOnce,
    /// Begins anew after a failure, again and again.
    Loop,
    /// Tells nobody on what evidence it decided.
    DropEvidence,
    /// Goes back across a schema that the target fails with.
    IgnoreSchema,
    /// Plans by what it was told, however long ago, where a schema may have changed since.
    PlanBlind,
    /// Moves traffic to a version without giving it pods first.
    SkipReady,
    /// Takes the candidate's pods away before its traffic.
    RetireFirst,
    /// Gives the candidate what the target should get.
    RaiseCandidate,
    /// Names another service in its effects.
    OtherService,
    /// Tries a step again that must not be done twice.
    RepeatUnrepeatable,
    /// Tries again without end.
    RetryForEver,
    /// Waits a day before another attempt.
    BackOffForEver,
    /// Waits a time that depends on what the process did before.
    ChanceBackoff,
    /// Takes an outcome that nobody knows for success.
    AssumeDone,
    /// After a restart asks again for what was under way, without reading.
    ResumeBlind,
    /// Drops its open executions when it is started again.
    ForgetOpen,
    /// Says that it rolled back without looking.
    SkipValidation,
    /// Leaves alerts quiet when an execution ends.
    AlertsStayQuiet,
    /// Lets anybody approve.
    AnyRole,
    /// Takes an approval of another plan.
    OtherPlan,
    /// Takes an approval that has run out.
    ExpiredApproval,
    /// Lets who asked for a plan approve it.
    OwnApproval,
    /// Asks one person and waits for ever.
    AskOnce,
    /// Does nothing more until every call for a person is confirmed.
    AwaitPages,
    /// Measures time-outs with the wall clock.
    WallTimeouts,
    /// Its driver carries effects out before the journal is durable.
    EffectBeforeCommit,
    /// Its driver acts under the newest lease, whoever holds it.
    ForgetLease,
    /// Its driver asks again for everything that it reads in a journal.
    ActWhileReading,
}
