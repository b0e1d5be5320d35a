//! What must hold in every run, whatever goes wrong in it. One function each, over a [`Trace`].
//!
//! The numbers are those of the catalogue in `docs/invariants.md`: S for safety, which holds at every moment; L for liveness,
//! which is asked for once the core has healed; V for the harness itself. Most read what the platform's side got and how
//! the world stood, and not a word of the engine's own: [`Invariant::trusts_engine`] tells which do. Those that compare
//! two runs are in [`again`]. What has no object in a simulated run is listed in [`NOT_COVERED`], with the reason.
//!
//! An invariant says what is meant, by what the engine could know: it was told by inputs, not by the truth. Where the
//! world moved on between two measurements the engine is not to blame, and the check looks back as far as that.

mod again;
mod effects;
mod evidence;
mod excuse;
mod harness;
mod liveness;
mod loops;
mod people;
pub(super) mod seen;
mod target;
mod traffic;

pub use again::{Repeated, repeated};
pub use excuse::Excuse;

use super::trace::Trace;
use backspin_domain::time::MonoTime;

/// Where an invariant looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What the engine wrote down.
    Journal,
    /// What the engine was told.
    Inputs,
    /// What the platform's side was asked for, as it noted it.
    Calls,
    /// How the world stood after each tick.
    World,
    /// What was so before the run: the scenario and the policy.
    Facts,
    /// What became of the plan of faults.
    Faults,
}

/// A breach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: MonoTime,
    /// What happened, in words.
    pub words: String,
}

/// Something that must hold.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Its number in the catalogue.
    pub id: &'static str,
    /// What must hold, in a sentence.
    pub says: &'static str,
    /// What it is read from.
    pub uses: &'static [Source],
    /// Finds the first breach, if there is one.
    pub check: fn(&Trace) -> Option<Violation>,
}

impl Invariant {
    /// Whether it reads anything that the engine says of itself.
    pub fn trusts_engine(&self) -> bool {
        self.uses.contains(&Source::Journal)
    }

    /// Whether it is asked only once the core has healed.
    pub fn is_liveness(&self) -> bool {
        self.id.starts_with('L')
    }
}

use Source::{Calls, Facts, Faults, Inputs, Journal, World};

/// All that are checked on one trace.
pub const ALL: &[Invariant] = &[
    Invariant {
        id: "S1",
        says: "a version that is gone back to was healthy for long enough, is kept, and nobody marked it bad",
        uses: &[Calls, Facts],
        check: target::s1,
    },
    Invariant {
        id: "S2",
        says: "a service has one execution at a time, and a lease that is over moves nothing",
        uses: &[Calls, World],
        check: effects::s2,
    },
    Invariant {
        id: "S3",
        says: "every call is about the service and names versions and flags that it has",
        uses: &[Calls, Facts],
        check: target::s3,
    },
    Invariant {
        id: "S4",
        says: "an intent with the same key and the same action is durable before its effect is asked for",
        uses: &[Journal, Calls],
        check: effects::s4,
    },
    Invariant {
        id: "S5",
        says: "an effect is asked for once per key, and what must not be done twice is repeated only where it was seen not done",
        uses: &[Inputs, Calls],
        check: effects::s5,
    },
    Invariant {
        id: "S6",
        says: "nothing is asked for while no engine runs: reading a journal makes no call",
        uses: &[Inputs, Calls],
        check: effects::s6,
    },
    Invariant {
        id: "S7",
        says: "configured shares are between 0 and 1 and add up to 1 after every tick",
        uses: &[World],
        check: traffic::s7,
    },
    Invariant {
        id: "S8",
        says: "no traffic is ordered to a version of which no pod was known to be ready",
        uses: &[Inputs, Calls, World],
        check: traffic::s8,
    },
    Invariant {
        id: "S9",
        says: "what needs approval waits for one that is valid, of a role that may, of another person, and for this plan",
        uses: &[Journal, Inputs, Calls, Facts],
        check: people::s9,
    },
    Invariant {
        id: "S10",
        says: "the journal's time never goes back, and a decision on a verdict names its evidence",
        uses: &[Journal],
        check: evidence::s10,
    },
    Invariant {
        id: "S11",
        says: "after the kill switch nothing new is begun until it is released",
        uses: &[Inputs, Calls, World],
        check: people::s11,
    },
    Invariant {
        id: "S12",
        says: "a candidate that cannot be measured is not healthy: the ramp stops, or a person is called, as the policy says",
        uses: &[Inputs, Calls, World, Facts],
        check: evidence::s12,
    },
    Invariant {
        id: "S13",
        says: "effects stay within their budgets, and no order gives the candidate more than it had",
        uses: &[Calls, World, Facts],
        check: traffic::s13,
    },
    Invariant {
        id: "S14",
        says: "no pods are taken away that still serve",
        uses: &[Calls, World],
        check: traffic::s14,
    },
    Invariant {
        id: "S15",
        says: "no traffic is ordered to a version that fails with the schema, and data are not given up without a person",
        uses: &[Inputs, Calls, World, Facts],
        check: target::s15,
    },
    Invariant {
        id: "S17",
        says: "the engine changes direction by itself only so often",
        uses: &[Inputs, Calls, Facts],
        check: loops::s17,
    },
    Invariant {
        id: "S18",
        says: "in a freeze only what is critical moves, or what a person allowed",
        uses: &[Journal, Inputs, Calls, Facts],
        check: people::s18,
    },
    Invariant {
        id: "S19",
        says: "a security or compliance finding is acted on, whatever the other signals say",
        uses: &[Inputs, Calls],
        check: evidence::s19,
    },
    Invariant {
        id: "S22",
        says: "a step is given up only after its time-out by the monotonic clock",
        uses: &[Journal, Inputs, Calls],
        check: loops::s22,
    },
    Invariant {
        id: "S23",
        says: "no plan outlives the deploy that it was made for",
        uses: &[Journal, Inputs],
        check: target::s23,
    },
    Invariant {
        id: "S24",
        says: "an outcome that nobody knows is read before anything follows, and `completed` is said only of what is so",
        uses: &[Journal, Inputs, Calls, World, Facts],
        check: effects::s24,
    },
    Invariant {
        id: "S27",
        says: "a call for a person that is written down is made, under one key; alerts are not left quiet",
        uses: &[Journal, Calls],
        check: people::s27,
    },
    Invariant {
        id: "S28",
        says: "a rollback that failed is not begun again by itself, and a target that is worse is not gone on to",
        uses: &[Journal, Inputs, Calls],
        check: loops::s28,
    },
    Invariant {
        id: "L1",
        says: "a rollback that moved something is through, or a person was called about it",
        uses: &[Calls, World],
        check: liveness::l1,
    },
    Invariant {
        id: "L2",
        says: "a release that plainly does harm, and is measured, is acted on in time",
        uses: &[Inputs, Calls, Facts],
        check: liveness::l2,
    },
    Invariant {
        id: "L3",
        says: "a ramp that was paused for nothing goes on, or a person was called",
        uses: &[Inputs, Calls, World],
        check: liveness::l3,
    },
    Invariant {
        id: "L4",
        says: "an execution ends in its time, or waits for a person with a timer that runs",
        uses: &[Journal, Calls, Facts],
        check: liveness::l4,
    },
    Invariant {
        id: "L5",
        says: "an engine that is started again says of each open execution what becomes of it",
        uses: &[Journal, Inputs],
        check: liveness::l5,
    },
    Invariant {
        id: "L6",
        says: "there is an engine again soon after the core has healed",
        uses: &[World],
        check: liveness::l6,
    },
    Invariant {
        id: "L7",
        says: "no rollback waits for a message that does not arrive",
        uses: &[Journal, Inputs, Calls],
        check: liveness::l7,
    },
    Invariant {
        id: "V2",
        says: "everything that was planned to go wrong took effect, or the run counts for nothing",
        uses: &[Faults],
        check: harness::v2,
    },
    Invariant {
        id: "V4",
        says: "a run breaks off only where a fault of the engine's own ground was planned",
        uses: &[Faults],
        check: harness::v4,
    },
];

/// What compares two runs, in [`repeated`].
pub const OF_TWO_RUNS: &[(&str, &str)] = &[
    ("S20", "strictly worse evidence is never answered later or more mildly"),
    ("S21", "the same inputs give the same journal, byte by byte"),
    ("S25", "what is learned of another service changes nothing"),
    ("V1", "two runs of a case leave one trace"),
];

/// What the catalogue has and no run of ours can break, with the reason.
pub const NOT_COVERED: &[(&str, &str)] = &[
    ("S16", "the world has one service whose versions change; no pair of services can be incompatible"),
    ("S26", "an engine is given no secret; what the platform says in words is written down as it was said"),
    ("L8", "one service per world leaves no backlog; `engine::tests::many` has several services"),
    ("V3", "nothing is injected into a live system"),
    ("V5", "the mocks' conformance tests hold them against real servers, once and not per run"),
];

/// Checks everything that is asked of one trace. Liveness is not asked of a run that broke off. Gives what was broken, in
/// the catalogue's order; empty, and nothing allocated, when all is well.
pub fn check(trace: &Trace) -> Vec<(&'static Invariant, Violation)> {
    let asked = ALL.iter().filter(|i| !i.is_liveness() || trace.ended.broke_off.is_none());
    asked.filter_map(|invariant| Some((invariant, (invariant.check)(trace)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        let mut ids: Vec<&str> = ALL.iter().map(|i| i.id).collect();
        ids.extend(OF_TWO_RUNS.iter().chain(NOT_COVERED).map(|(id, _)| *id));
        let numbers = |letter: char, n: usize| (1..=n).map(move |i| format!("{letter}{i}"));
        for id in numbers('S', 28).chain(numbers('L', 8)).chain(numbers('V', 5)) {
            assert_eq!(ids.iter().filter(|other| **other == id).count(), 1, "{id}");
        }
        assert_eq!(ids.len(), 41);
    }

    #[test]
    fn twenty_believe_no_word_of_the_engine() {
        let apart = ALL.iter().filter(|i| !i.trusts_engine()).count();
        assert!(apart >= 20, "{apart}");
    }
}
