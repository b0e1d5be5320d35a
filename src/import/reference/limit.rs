//! Limits as the design writes them: a sign, a number, a unit.

/// Which side is worse, how much, and of what.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Limit {
    above: bool,
    value: f64,
    unit: String,
}

/// What a factor counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A share, `0..=1`.
    Ratio,
    /// Milliseconds.
    Millis,
    /// A number per hour.
    PerHour,
}

impl Limit {
    /// More than a number without a unit.
    pub(super) fn above(value: f64) -> Self {
        Self { above: true, value, unit: String::new() }
    }

    /// `> 5%`, `< 99.9 %`, `>2s`, `> 50/hour`; none for anything else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (above, rest) = match text.strip_prefix('>') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('<')?),
        };
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let value: f64 = rest[..end].parse().ok()?;
        Some(Self { above, value, unit: rest[end..].trim().to_owned() })
    }

    /// The number in the unit of a factor, which counts above it.
    pub(super) fn as_unit(&self, wanted: Unit) -> Result<f64, String> {
        if !self.above {
            return Err("a factor counts above its threshold, so `>` is wanted".to_owned());
        }
        let unit = self.unit.as_str();
        let scale = match (wanted, unit) {
            (Unit::Ratio, "%") => Some(0.01),
            (Unit::Ratio, "") | (Unit::Millis, "ms") | (Unit::PerHour, "" | "/hour" | "/h") => Some(1.0),
            (Unit::Millis, "s") => Some(1000.0),
            (Unit::PerHour, "/minute" | "/min" | "/m") => Some(60.0),
            _ => None,
        };
        scale.map(|scale| self.value * scale).ok_or_else(|| {
            let allowed = match wanted {
                Unit::Ratio => "`%`, or none for a share of 1",
                Unit::Millis => "`ms` or `s`",
                Unit::PerHour => "`/hour` or `/minute`",
            };
            let found = if unit.is_empty() { "no unit" } else { unit };
            format!("`{found}` is not what it counts in; allowed is {allowed}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_in_the_unit_of_their_factor() {
        for (text, unit, expected) in [
            ("> 5%", Unit::Ratio, Some(0.05)),
            (">0.05", Unit::Ratio, Some(0.05)),
            ("> 2s", Unit::Millis, Some(2000.0)),
            ("> 250 ms", Unit::Millis, Some(250.0)),
            ("> 50/hour", Unit::PerHour, Some(50.0)),
            ("> 2/min", Unit::PerHour, Some(120.0)),
            ("> 5%", Unit::Millis, None),
            ("> 2", Unit::Millis, None),
            ("< 5%", Unit::Ratio, None),
        ] {
            let read = Limit::read(text).expect("it is a limit");
            let got = read.as_unit(unit).ok();
            assert_eq!(got.map(|x| (x * 1e9).round()), expected.map(|x: f64| (x * 1e9).round()), "{text}");
        }
        for text in ["", "5%", ">", "> x", "= 5", "> 1.2.3"] {
            assert_eq!(Limit::read(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[<>= 0-9.%smh/-]{0,12}") {
            if let Some(limit) = Limit::read(&text) {
                let _ = limit.as_unit(Unit::Ratio);
            }
        }
    }
}
