//! Rules that a policy must keep beyond its shape, with their stable numbers.

/// A rule. Numbers below 30 are those of [`super::document::shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Rule {
    /// A query is PromQL.
    BadQuery = 30,
    /// A query has a shape that compiles.
    UnknownShape = 31,
    /// A judge's parameter is within its range.
    JudgeParameter = 32,
    /// Limits of severities fall from critical to medium.
    SeverityOrder = 33,
    /// Stages of a canary rollback fall.
    StagesNotFalling = 34,
    /// A standing approval for anything real ends.
    ApprovalForEver = 35,
    /// A freeze ends after it begins.
    EmptyFreeze = 36,
    /// A user-defined signal has a name of its own.
    CustomName = 37,
    /// Waits are in order and not zero.
    Waits = 38,
    /// A window ends after it begins, on the same day.
    EmptyWindow = 39,
    /// Batches of a gradual rollback rise.
    BatchesNotRising = 40,
    /// A rule beside the judge names signals that are there, and can come true.
    SignalRule = 41,
    /// Of plans no more reached their end than were begun, and like ones stand together.
    Success = 42,
}

impl Rule {
    /// The stable number.
    pub const fn number(self) -> u16 {
        self as u16
    }
}
