//! What a part may be, and how it lies between 0 and 1.

use serde_json::{Value as Json, json};

use backspin_domain::time::Millis;

/// What a part may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// A number.
    Linear {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// A number above 0, where doubling matters as much anywhere.
    Log {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// A whole number.
    Whole {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// A length of time, in seconds.
    Length {
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// One of these.
    Choices(Vec<Json>),
}

/// Digits that a number of a policy is given. More could not be told apart, and nobody would want to read them.
const DIGITS: usize = 4;

impl Range {
    /// Whether it has no order.
    pub const fn is_choice(&self) -> bool {
        matches!(self, Self::Choices(_))
    }

    /// The value at a place, `0..=1`.
    pub fn at(&self, place: f64) -> Json {
        let place = place.clamp(0.0, 1.0);
        match self {
            Self::Linear { min, max } => json!(rounded(min + place * (max - min)).clamp(*min, *max)),
            Self::Log { min, max } => json!(rounded(between_logs(*min, *max, place)).clamp(*min, *max)),
            Self::Whole { min, max } => {
                let width = (max - min + 1) as f64;
                json!((min + (place * width) as i64).min(*max))
            }
            Self::Length { min, max } => {
                let seconds = between_logs(*min as f64, *max as f64, place);
                let seconds = (libm::round(seconds) as u64).clamp(*min, *max);
                json!(Millis::from_secs(seconds).to_string())
            }
            Self::Choices(all) => all[self.choice(place).unwrap_or(0)].clone(),
        }
    }

    /// Which choice a place is.
    pub fn choice(&self, place: f64) -> Option<usize> {
        let Self::Choices(all) = self else { return None };
        Some(((place.clamp(0.0, 1.0) * all.len() as f64) as usize).min(all.len() - 1))
    }

    /// The middle of a choice's places.
    pub fn place_of_choice(&self, choice: usize) -> f64 {
        let Self::Choices(all) = self else { return 0.5 };
        (choice as f64 + 0.5) / all.len() as f64
    }

    /// Where a value of a policy lies; none if it does not lie within, or is of another kind.
    pub fn place_of(&self, value: &Json) -> Option<f64> {
        let within = |place: f64| (0.0..=1.0).contains(&place).then_some(place);
        match self {
            Self::Linear { min, max } => within((value.as_f64()? - min) / (max - min)),
            Self::Log { min, max } => within(log_place(*min, *max, value.as_f64()?)),
            Self::Whole { min, max } => {
                let width = (max - min + 1) as f64;
                within(((value.as_i64()? - min) as f64 + 0.5) / width)
            }
            Self::Length { min, max } => {
                let length: Millis = value.as_str()?.parse().ok()?;
                within(log_place(*min as f64, *max as f64, length.as_secs_f64()))
            }
            Self::Choices(all) => {
                let choice = all.iter().position(|choice| choice == value)?;
                Some(self.place_of_choice(choice))
            }
        }
    }

    /// Whether a value stands at an end; choices have none.
    pub fn end(&self, value: &Json) -> Option<&'static str> {
        if self.is_choice() {
            return None;
        }
        let at = |place: f64| self.at(place) == *value;
        if at(0.0) {
            Some("lower")
        } else if at(1.0) {
            Some("upper")
        } else {
            None
        }
    }

    /// In words: `0.001 to 0.1, by doubling`.
    pub fn words(&self) -> String {
        match self {
            Self::Linear { min, max } => format!("{min} to {max}"),
            Self::Log { min, max } => format!("{min} to {max}, by doubling"),
            Self::Whole { min, max } => format!("{min} to {max}, whole"),
            Self::Length { min, max } => {
                format!("{} to {}", Millis::from_secs(*min), Millis::from_secs(*max))
            }
            Self::Choices(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        }
    }
}

/// A value as a file would have it.
pub fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn between_logs(min: f64, max: f64, place: f64) -> f64 {
    let (low, high) = (libm::log(min), libm::log(max));
    libm::exp(low + place * (high - low))
}

fn log_place(min: f64, max: f64, value: f64) -> f64 {
    if value <= 0.0 {
        return -1.0;
    }
    (libm::log(value) - libm::log(min)) / (libm::log(max) - libm::log(min))
}

/// To [`DIGITS`] digits, exactly as decimal text would be.
fn rounded(value: f64) -> f64 {
    format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_are_the_ends_and_middles_lie_between() {
        let log = Range::Log { min: 0.001, max: 0.1 };
        assert_eq!((log.at(0.0), log.at(0.5), log.at(1.0)), (json!(0.001), json!(0.01), json!(0.1)));
        let whole = Range::Whole { min: 1, max: 3 };
        let all: Vec<Json> = [0.0, 0.3, 0.34, 0.5, 0.67, 1.0].map(|place| whole.at(place)).to_vec();
        assert_eq!(json!(all), json!([1, 1, 2, 2, 3, 3]));
        let length = Range::Length { min: 15, max: 60 };
        assert_eq!(
            (length.at(0.0), length.at(0.5), length.at(1.0)),
            (json!("15s"), json!("30s"), json!("1m"))
        );
        let choices = Range::Choices(vec![json!("hold"), json!("roll_back")]);
        assert_eq!((choices.at(0.49), choices.at(0.5)), (json!("hold"), json!("roll_back")));
        assert_eq!(Range::Linear { min: 0.0, max: 1.0 }.at(0.123_456), json!(0.1235));
    }

    #[test]
    fn ends_are_noticed() {
        let range = Range::Linear { min: 0.1, max: 0.9 };
        assert_eq!(range.end(&json!(0.1)), Some("lower"));
        assert_eq!(range.end(&json!(0.9)), Some("upper"));
        assert_eq!(range.end(&json!(0.5)), None);
        assert_eq!(Range::Choices(vec![json!("a"), json!("b")]).end(&json!("a")), None);
    }

    proptest! {
        #[test]
        fn places_come_back(place in 0.0_f64..=1.0, low in 0.001_f64..1.0, factor in 1.5_f64..1000.0) {
            for range in [
                Range::Linear { min: low, max: low * factor },
                Range::Log { min: low, max: low * factor },
                Range::Whole { min: 3, max: 17 },
                Range::Length { min: 20, max: 4000 },
                Range::Choices(vec![json!("a"), json!("b"), json!(3)]),
            ] {
                let value = range.at(place);
                let back = range.place_of(&value).expect("within");
                prop_assert_eq!(range.at(back), value, "{:?}", range);
            }
        }
    }
}
