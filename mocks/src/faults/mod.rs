//! Faults at an endpoint, for both mock servers: what a call meets instead of, or besides, its answer.
//!
//! A rule says which calls of which routes meet what. Calls are counted for each rule; chance is a hash of seed, rule and
//! call, so that one rule's draws never move another's. [`Faults::decide`] is pure; the servers carry its decision out at
//! the socket.
//!
//! Invariants: nothing here sleeps. Latency is virtual: it is told to the client in the header [`LATENCY_HEADER`] and added
//! up in [`Faults::latency_ms`], and who drives virtual time makes something of it.
//!
//! Left out: slow bytes, faults below TCP.

mod rule;
pub(crate) mod socket;

pub use rule::{Calls, Rule};

/// Header of an answer that tells how many milliseconds later it would have come.
pub const LATENCY_HEADER: &str = "x-backspin-latency-ms";

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is right, but would have come this many milliseconds later.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is closed before the request is carried out.
    Refused,
    /// The request is carried out, and the connection is closed before the answer.
    Reset,
    /// 429 with `Retry-After`; not carried out.
    TooManyRequests {
        /// Seconds.
        retry_after_s: u32,
    },
    /// 500; not carried out.
    InternalError,
    /// 503; not carried out.
    Unavailable,
    /// Carried out, but the body ends in the middle, though its length says otherwise.
    TruncatedBody,
    /// Carried out, but the body is no JSON.
    MalformedBody,
    /// A list or object as it was this many versions ago; Kubernetes only, elsewhere nothing.
    StaleRead {
        /// Versions of the store.
        versions: u64,
    },
    /// The next event of a watch is left out; Kubernetes only, elsewhere nothing.
    LostEvent,
    /// The next event of a watch comes twice; Kubernetes only, elsewhere nothing.
    DuplicatedEvent,
    /// 409; not carried out.
    Conflict,
    /// 410; not carried out.
    Gone,
    /// 401, as for a token that has expired; not carried out.
    Unauthorized,
}

/// A refusal that stands in for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Kubernetes' reason.
    pub reason: &'static str,
    /// For people.
    pub message: &'static str,
    /// Seconds of the header `Retry-After`.
    pub retry_after_s: Option<u32>,
}

impl Fault {
    /// The refusal that this fault is; none if it is something else.
    pub fn refusal(self) -> Option<Refusal> {
        let refusal = |status, reason, message| Refusal { status, reason, message, retry_after_s: None };
        Some(match self {
            Self::TooManyRequests { retry_after_s } => Refusal {
                retry_after_s: Some(retry_after_s),
                ..refusal(429, "TooManyRequests", "Too many requests, please try again later.")
            },
            Self::InternalError => refusal(500, "InternalError", "Internal error occurred: injected"),
            Self::Unavailable => {
                refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request")
            }
            Self::Conflict => refusal(
                409,
                "Conflict",
                "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest \
                 version and try again",
            ),
            Self::Gone => refusal(410, "Expired", "The resourceVersion for the provided list is too old."),
            Self::Unauthorized => refusal(401, "Unauthorized", "Unauthorized"),
            Self::Latency { .. }
            | Self::Refused
            | Self::Reset
            | Self::TruncatedBody
            | Self::MalformedBody
            | Self::StaleRead { .. }
            | Self::LostEvent
            | Self::DuplicatedEvent => return None,
        })
    }
}

/// Rules with what they have counted.
#[derive(Clone, Debug)]
pub struct Faults {
    seed: u64,
    rules: Vec<(Rule, u64)>,
    latency_ms: u64,
    decided: u64,
}

impl Faults {
    /// No call was counted yet.
    pub fn new(seed: u64, rules: Vec<Rule>) -> Self {
        Self { seed, rules: rules.into_iter().map(|rule| (rule, 0)).collect(), latency_ms: 0, decided: 0 }
    }

    /// What a call of `route` meets: by the first rule that says something. `route` is the method and the path, as in
    /// `GET /api/v1/query`. Every rule whose pattern fits counts the call.
    pub fn decide(&mut self, route: &str) -> Option<Fault> {
        let mut found = None;
        for (index, (rule, calls)) in self.rules.iter_mut().enumerate() {
            if !rule.fits(route) {
                continue;
            }
            *calls += 1;
            if found.is_none() && rule.meets(*calls, draw(self.seed, index as u64, *calls)) {
                found = Some(rule.fault);
            }
        }
        if let Some(Fault::Latency { ms }) = found {
            self.latency_ms = self.latency_ms.saturating_add(ms);
        }
        self.decided += u64::from(found.is_some());
        found
    }

    /// Milliseconds by which answers would have been late, in all.
    pub fn latency_ms(&self) -> u64 {
        self.latency_ms
    }

    /// Calls that met something.
    pub fn decided(&self) -> u64 {
        self.decided
    }
}

/// A number in `0.0..1.0` for one call of one rule.
fn draw(seed: u64, rule: u64, call: u64) -> f64 {
    let mut z = seed;
    for part in [rule, call] {
        z = (z ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
    }
    // The 53 bits that a number holds.
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(faults: &mut Faults, route: &str, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| faults.decide(route).is_some()).collect()
    }

    #[test]
    fn calls_are_counted_for_each_rule() {
        let second = Rule { calls: Calls::Range { from: 2, to: 3 }, ..Rule::new("PATCH *", Fault::Conflict) };
        let mut faults = Faults::new(1, vec![second]);
        assert_eq!(met(&mut faults, "GET /api/v1/pods", 2), [false, false]);
        assert_eq!(met(&mut faults, "PATCH /apis/apps/v1/x", 4), [false, true, true, false]);
        assert_eq!(faults.decided(), 2);
    }

    #[test]
    fn the_first_rule_that_says_something_wins() {
        let latency =
            Rule { calls: Calls::Every { nth: 2 }, ..Rule::new("GET *", Fault::Latency { ms: 40 }) };
        let mut faults = Faults::new(1, vec![latency, Rule::new("* /a", Fault::Refused)]);
        let got: Vec<_> = (0..4).map(|_| faults.decide("GET /a")).collect();
        let (refused, late) = (Some(Fault::Refused), Some(Fault::Latency { ms: 40 }));
        assert_eq!(got, [refused, late, refused, late]);
        assert_eq!(faults.latency_ms(), 80);
    }

    #[test]
    fn chance_repeats_by_seed_and_comes_near_its_share() {
        let rule = || vec![Rule { share: 0.25, ..Rule::new("*", Fault::Reset) }];
        let (mut one, mut same, mut other) =
            (Faults::new(7, rule()), Faults::new(7, rule()), Faults::new(8, rule()));
        let first = met(&mut one, "GET /", 4_000);
        assert_eq!(first, met(&mut same, "GET /", 4_000));
        assert_ne!(first, met(&mut other, "GET /", 4_000));
        // Four standard deviations of a share of 4,000 draws.
        let share = one.decided() as f64 / 4_000.0;
        assert!((share - 0.25).abs() < 0.028, "{share}");
    }

    #[test]
    fn one_rule_does_not_move_the_draws_of_another() {
        let rare = Rule { share: 0.1, ..Rule::new("GET *", Fault::Reset) };
        let mut alone = Faults::new(3, vec![rare.clone()]);
        let mut together = Faults::new(3, vec![rare, Rule { share: 0.5, ..Rule::new("PUT *", Fault::Gone) }]);
        for _ in 0..200 {
            together.decide("PUT /x");
            assert_eq!(alone.decide("GET /x"), together.decide("GET /x"));
        }
    }
}
