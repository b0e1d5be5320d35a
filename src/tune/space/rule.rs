//! Rules that a tune file must keep beyond its shape, with their stable numbers.

/// A rule. Numbers below 30 are those of [`backspin_policy::document::shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Rule {
    /// A path leads to a single value of a policy.
    Path = 30,
    /// A range has its smaller end first, and a doubling one lies above 0.
    EmptyRange = 31,
    /// What a part may be is of the kind that the policy has there, and the policy accepts it.
    Refused = 32,
    /// A part is tuned once.
    Twice = 33,
    /// A constraint is a figure, a comparison and a number.
    Constraint = 34,
    /// A threshold by order statistic belongs to a judge that has one, and is not searched for as well.
    Threshold = 35,
    /// Scenarios that are named are there.
    UnknownScenario = 36,
    /// What is held out is not trained on.
    HeldOutAndTrained = 37,
    /// Rungs rise.
    RungsNotRising = 38,
    /// Prices are names and numbers.
    Prices = 39,
    /// A choice is given once.
    SameChoice = 40,
}

impl Rule {
    /// The stable number.
    pub const fn number(self) -> u16 {
        self as u16
    }
}
