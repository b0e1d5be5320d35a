//! Plainer values in place of drawn ones.

use serde_json::Value;

use backspin_domain::fault::{FaultTarget, PlannedFault, When};
use backspin_domain::time::{Millis, MonoTime};

/// Lengths that people use, the shortest first.
const LENGTHS: [Millis; 9] = [
    Millis::from_secs(1),
    Millis::from_secs(5),
    Millis::from_secs(10),
    Millis::from_secs(30),
    Millis::from_mins(1),
    Millis::from_mins(2),
    Millis::from_mins(5),
    Millis::from_mins(10),
    Millis::from_mins(30),
];

/// Counts that people use.
const COUNTS: [u32; 6] = [0, 1, 2, 3, 5, 10];

/// Faults that differ from this one in one value, which is plainer; the plainest first. Whoever takes one and asks again
/// comes to an end: every value moves in one direction only.
pub(super) fn simpler(fault: &PlannedFault) -> Vec<PlannedFault> {
    let plain = PlannedFault::new(fault.kind, fault.when);
    let mut found = Vec::new();
    if fault.never_heals {
        found.push(PlannedFault { never_heals: false, ..*fault });
    }
    if fault.target != FaultTarget::All {
        found.push(PlannedFault { target: FaultTarget::All, ..*fault });
    }
    if fault.share.to_bits() != plain.share.to_bits() {
        found.push(PlannedFault { share: plain.share, ..*fault });
    }
    if fault.by != plain.by {
        let shorter = LENGTHS.into_iter().filter(|by| *by < fault.by && *by != plain.by);
        found.extend([plain.by].into_iter().chain(shorter).map(|by| PlannedFault { by, ..*fault }));
    }
    let shorter = LENGTHS.into_iter().filter(|lasts| *lasts < fault.lasts);
    found.extend(shorter.map(|lasts| PlannedFault { lasts, ..*fault }));
    let fewer = COUNTS.into_iter().filter(|times| (1..fault.times).contains(times));
    found.extend(fewer.map(|times| PlannedFault { times, ..*fault }));
    found.extend(earlier(fault.when).into_iter().map(|when| PlannedFault { when, ..*fault }));
    found
}

fn earlier(when: When) -> Vec<When> {
    match when {
        When::At(at) => {
            let whole = [60_000, 30_000, 10_000, 1000].map(|unit| at.0 / unit * unit);
            whole.into_iter().filter(|ms| *ms < at.0).map(|ms| When::At(MonoTime(ms))).collect()
        }
        When::Call(nth) => COUNTS.into_iter().filter(|fewer| *fewer < nth).map(When::Call).collect(),
        When::Once(_) => Vec::new(),
    }
}

/// A rounder number or length in a file; none if it is round, or no number.
pub(super) fn rounded(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if number.is_f64() => {
            let exact = number.as_f64()?;
            let round = one_digit(exact);
            (round.to_bits() != exact.to_bits()).then(|| round.into())
        }
        Value::String(text) => {
            let exact: Millis = text.parse().ok()?;
            let unit = match exact.0 {
                0..1000 => return None,
                1000..60_000 => 5000,
                60_000..600_000 => 30_000,
                _ => 60_000,
            };
            let round = Millis((exact.0 + unit / 2) / unit * unit);
            (round != exact && !round.is_zero()).then(|| round.to_string().into())
        }
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// To one digit that is not zero: `0.3471` is `0.3`, `87.2` is `90`.
fn one_digit(exact: f64) -> f64 {
    // Through its text, which is what a file shows: no error of a power of ten comes in.
    format!("{exact:.0e}").parse().unwrap_or(exact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::FaultKind;

    #[test]
    fn numbers_and_lengths_get_round() {
        let round = |value: Value| rounded(&value);
        assert_eq!(round(0.3471.into()), Some(0.3.into()));
        assert_eq!(round(87.2.into()), Some(90.0.into()));
        assert_eq!(round(0.5.into()), None);
        assert_eq!(round(0.0.into()), None);
        assert_eq!(round("2m 47s".into()), Some("3m".into()));
        assert_eq!(round("17s".into()), Some("15s".into()));
        assert_eq!(round("1m".into()), None);
        assert_eq!(round("checkout".into()), None);
    }

    #[test]
    fn whoever_takes_what_is_simpler_comes_to_an_end() {
        let drawn = PlannedFault {
            lasts: Millis(123_456),
            times: 17,
            share: 0.37,
            by: Millis(77_000),
            target: FaultTarget::Stable,
            never_heals: true,
            ..PlannedFault::new(FaultKind::TrafficSurge, When::At(MonoTime(222_222)))
        };
        // Whichever of them is taken.
        for choice in 0..7 {
            let mut fault = drawn;
            let mut steps = 0;
            while let Some(next) = {
                let all = simpler(&fault);
                (!all.is_empty()).then(|| all[choice % all.len()])
            } {
                fault = next;
                steps += 1;
                assert!(steps < 100, "{fault:?}");
            }
            assert_eq!(fault.share.to_bits(), 1.0_f64.to_bits());
            assert_eq!((fault.times, fault.lasts), (1, Millis::from_secs(1)));
        }
    }
}
