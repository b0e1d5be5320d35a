//! Exit codes, as documented in the handbook. A code never changes its meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 0: everything as expected.
    Good,
    /// 1: an expectation was missed, or a replay differed.
    Missed,
    /// 2: usage, bad input, or nothing selected.
    BadInput,
    /// 3: the environment: a file, a folder, a port.
    Environment,
    /// 4: nobody can tell: too few seeds, or inputs missing.
    Unknown,
    /// 5: what was asked for cannot be done here.
    Impossible,
    /// 10: a safety invariant was broken.
    Safety,
    /// 11: a liveness invariant was broken.
    Liveness,
    /// 12: the same inputs gave other decisions.
    Nondeterminism,
    /// 20: a fault of backspin itself.
    Fault,
}

impl Code {
    /// The number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Missed => 1,
            Self::BadInput => 2,
            Self::Environment => 3,
            Self::Unknown => 4,
            Self::Impossible => 5,
            Self::Safety => 10,
            Self::Liveness => 11,
            Self::Nondeterminism => 12,
            Self::Fault => 20,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}
