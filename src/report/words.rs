//! Numbers in words, the same in every output: a number has its unit, an estimate its interval and n.

use backspin_domain::signal::SignalKind;
use backspin_domain::time::{Millis, MonoTime};
use backspin_score::{Quantile, Share};

/// What stands where there is nothing to say.
pub(super) const NOTHING: &str = "–";

/// A ratio as a percentage: `0 %`, `4.8 %`, `99.95 %`, `100 %`; never rounded up to 100 or down to 0.
pub fn percent(ratio: f64) -> String {
    let value = ratio * 100.0;
    if !value.is_finite() {
        return NOTHING.into();
    }
    if value > 0.0 && value < 0.005 {
        return "below 0.01 %".into();
    }
    if (99.995..100.0).contains(&value) {
        return "above 99.99 %".into();
    }
    let fine = (value > 0.0 && value < 0.1) || (value > 99.9 && value < 100.0);
    let text = if fine { format!("{value:.2}") } else { format!("{value:.1}") };
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// `83.5–98.6 %`: a 95 % interval.
pub fn interval(share: &Share) -> String {
    format!("{:.1}–{:.1} %", share.lower * 100.0, share.upper * 100.0)
}

/// Seconds as `45s` or `2m 30s`, whole seconds above ten.
pub fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return NOTHING.into();
    }
    let ms = (value.max(0.0) * 1000.0).round() as u64;
    Millis(if ms > 10_000 { ms.div_ceil(1000) * 1000 } else { ms }).to_string()
}

/// A quantile of times.
pub(super) fn quantile(value: Quantile, show: impl Fn(f64) -> String) -> String {
    match value {
        Quantile::NoData => NOTHING.into(),
        Quantile::NotReached(beyond) => format!("not in {}", show(beyond)),
        Quantile::At(at) => show(at),
    }
}

/// `1.5 ×`.
pub(super) fn times(value: f64) -> String {
    if value < 9.95 { format!("{value:.1} ×") } else { format!("{value:.0} ×") }
}

/// A count of users, rounded.
pub(super) fn users(value: f64) -> String {
    if !value.is_finite() {
        return NOTHING.into();
    }
    let whole = value.round().abs() as u64;
    if whole == 0 && value > 0.0 {
        return "below 1".into();
    }
    let digits = whole.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push('\u{202f}'); // narrow space: neither comma nor point, which mean different things abroad
        }
        out.push(digit);
    }
    out
}

/// A cost or a regret in its unit, rounded.
pub(super) fn cost(value: f64) -> String {
    let sign = if value <= -0.5 { "−" } else { "" };
    if value.abs() < 0.5 { "0".into() } else { format!("{sign}{}", users(value.abs())) }
}

/// A moment as told from the deploy, to the second: `+12m 45s`, `−5m`.
pub(super) fn since(at: MonoTime, deployed: MonoTime) -> String {
    if at >= deployed {
        format!("+{}", whole(at.since(deployed)))
    } else {
        format!("−{}", whole(deployed.since(at)))
    }
}

/// To the second; what is shorter than one is told as it is.
pub(super) fn whole(time: Millis) -> String {
    if time.0 < 1000 { time.to_string() } else { Millis((time.0 + 500) / 1000 * 1000).to_string() }
}

/// A signal's value with its unit, if it is one that we know.
pub(super) fn signal(name: &str, value: f64) -> String {
    match SignalKind::ALL.into_iter().find(|kind| kind.name() == name) {
        Some(kind) => kind.show(value),
        None => number(value),
    }
}

/// A number without a unit, at most three digits after the point.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "not a number" } else { "beyond all numbers" }.into();
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `runs` or `run`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_never_rounded_to_all_or_nothing() {
        for (ratio, expected) in [
            (0.0, "0 %"),
            (0.0004, "0.04 %"),
            (0.048, "4.8 %"),
            (0.29, "29 %"),
            (1e-6, "below 0.01 %"),
            (0.999_99, "above 99.99 %"),
            (0.9995, "99.95 %"),
            (1.0, "100 %"),
            (0.5, "50 %"),
        ] {
            assert_eq!(percent(ratio), expected);
        }
    }

    #[test]
    fn shares_carry_their_interval() {
        assert_eq!(interval(&Share::new(38, 40)), "83.5–98.6 %");
    }

    #[test]
    fn times_and_users_read_well() {
        assert_eq!(seconds(45.0), "45s");
        assert_eq!(seconds(150.4), "2m 31s");
        assert_eq!(users(1_234_567.2), "1\u{202f}234\u{202f}567");
        assert_eq!(users(0.2), "below 1");
        assert_eq!(since(MonoTime(5000), MonoTime(65_000)), "−1m");
        assert_eq!(number(0.7), "0.7");
        assert_eq!(number(f64::INFINITY), "beyond all numbers");
    }
}
