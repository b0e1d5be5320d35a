//! Rules that a suite must keep beyond its shape, with their stable numbers.

/// A rule. Numbers below 30 are those of `policy::document::shape`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Rule {
    /// A limit is `METRIC <= VALUE` or `METRIC >= VALUE`.
    BadLimit = 30,
    /// A limit can be kept, and does not contradict another.
    Contradiction = 31,
    /// A scenario that is named is played.
    UnknownScenario = 32,
    /// A family that is named is played.
    UnknownFamily = 33,
    /// A quarantine ends on a day.
    BadDate = 34,
    /// The baseline can be read and is of this suite.
    BadBaseline = 35,
    /// Prices are prices.
    BadCost = 36,
    /// Something is checked.
    NothingChecked = 37,
}

impl Rule {
    /// The stable number.
    pub const fn number(self) -> u16 {
        self as u16
    }
}
