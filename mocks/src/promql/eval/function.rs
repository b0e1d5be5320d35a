//! Functions by name.

use super::super::query::Bound;

/// A function of the samples in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverTime {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear,
    Changes,
    Resets,
    Avg,
    Min,
    Max,
    Sum,
    Count,
    Stddev,
    Stdvar,
    Last,
    Present,
    Quantile,
}

impl OverTime {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "rate" => Self::Rate,
            "increase" => Self::Increase,
            "delta" => Self::Delta,
            "irate" => Self::Irate,
            "idelta" => Self::Idelta,
            "deriv" => Self::Deriv,
            "predict_linear" => Self::PredictLinear,
            "changes" => Self::Changes,
            "resets" => Self::Resets,
            "avg_over_time" => Self::Avg,
            "min_over_time" => Self::Min,
            "max_over_time" => Self::Max,
            "sum_over_time" => Self::Sum,
            "count_over_time" => Self::Count,
            "stddev_over_time" => Self::Stddev,
            "stdvar_over_time" => Self::Stdvar,
            "last_over_time" => Self::Last,
            "present_over_time" => Self::Present,
            "quantile_over_time" => Self::Quantile,
            _ => return None,
        })
    }
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elementwise {
    Abs,
    Ceil,
    Floor,
    Sgn,
    Sqrt,
    Exp,
    Ln,
    Log2,
    Log10,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Deg,
    Rad,
}

impl Elementwise {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "abs" => Self::Abs,
            "ceil" => Self::Ceil,
            "floor" => Self::Floor,
            "sgn" => Self::Sgn,
            "sqrt" => Self::Sqrt,
            "exp" => Self::Exp,
            "ln" => Self::Ln,
            "log2" => Self::Log2,
            "log10" => Self::Log10,
            "sin" => Self::Sin,
            "cos" => Self::Cos,
            "tan" => Self::Tan,
            "asin" => Self::Asin,
            "acos" => Self::Acos,
            "atan" => Self::Atan,
            "sinh" => Self::Sinh,
            "cosh" => Self::Cosh,
            "tanh" => Self::Tanh,
            "asinh" => Self::Asinh,
            "acosh" => Self::Acosh,
            "atanh" => Self::Atanh,
            "deg" => Self::Deg,
            "rad" => Self::Rad,
            _ => return None,
        })
    }

    pub(super) fn of(self, value: f64) -> f64 {
        match self {
            Self::Abs => value.abs(),
            Self::Ceil => value.ceil(),
            Self::Floor => value.floor(),
            // Zeros and NaN are their own sign.
            Self::Sgn if value > 0.0 => 1.0,
            Self::Sgn if value < 0.0 => -1.0,
            Self::Sgn => value,
            Self::Sqrt => value.sqrt(),
            Self::Exp => libm::exp(value),
            Self::Ln => libm::log(value),
            Self::Log2 => log2(value),
            Self::Log10 => log2(value) * std::f64::consts::LOG10_2,
            Self::Sin => libm::sin(value),
            Self::Cos => libm::cos(value),
            Self::Tan => libm::tan(value),
            Self::Asin => libm::asin(value),
            Self::Acos => libm::acos(value),
            Self::Atan => libm::atan(value),
            Self::Sinh => libm::sinh(value),
            Self::Cosh => libm::cosh(value),
            Self::Tanh => libm::tanh(value),
            Self::Asinh => libm::asinh(value),
            Self::Acosh => libm::acosh(value),
            Self::Atanh => libm::atanh(value),
            Self::Deg => value * 180.0 / std::f64::consts::PI,
            Self::Rad => value * std::f64::consts::PI / 180.0,
        }
    }
}

/// Go's `math.Log2`, of which its `Log10` is a multiple: exact for powers of two, and else with its last bits.
fn log2(value: f64) -> f64 {
    if !(value > 0.0 && value.is_finite()) {
        return libm::log(value);
    }
    let (fraction, exponent) = libm::frexp(value);
    if fraction == 0.5 {
        return f64::from(exponent - 1);
    }
    libm::log(fraction) * std::f64::consts::LOG2_E + f64::from(exponent)
}

/// A part of a time in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calendar {
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

impl Calendar {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day_of_week" => Self::DayOfWeek,
            "day_of_month" => Self::DayOfMonth,
            "day_of_year" => Self::DayOfYear,
            "days_in_month" => Self::DaysInMonth,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// The part of the time `seconds` after 1970; whole seconds count, as in Go's conversion.
    pub(super) fn of(self, seconds: f64) -> f64 {
        const DAY_S: i64 = 86_400;
        // Go's conversion of NaN and infinities gives the least integer.
        let seconds = if seconds.is_finite() { seconds as i64 } else { i64::MIN };
        let (day, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
        let (year, month, day_of_month) = civil(day);
        let part = match self {
            Self::Minute => second / 60 % 60,
            Self::Hour => second / 3600,
            Self::DayOfWeek => (day + 4).rem_euclid(7),
            Self::DayOfMonth => day_of_month,
            Self::DayOfYear => (1..month).map(|month| days_in_month(year, month)).sum::<i64>() + day_of_month,
            Self::DaysInMonth => days_in_month(year, month),
            Self::Month => month,
            Self::Year => year,
        };
        part as f64
    }
}

/// Year, month and day of the month, `days` after 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// What a bound of a clamp is named.
pub(super) fn bound_named(name: &str) -> Option<Bound> {
    match name {
        "clamp_min" => Some(Bound::Lower),
        "clamp_max" => Some(Bound::Upper),
        _ => None,
    }
}

/// Functions that give something for native histograms only, so nothing for float samples.
pub(super) fn needs_native_histograms(name: &str) -> bool {
    matches!(
        name,
        "histogram_avg" | "histogram_count" | "histogram_stddev" | "histogram_stdvar" | "histogram_sum"
    )
}

/// Functions that Prometheus 3.5 has behind a flag.
pub(super) fn is_experimental(name: &str) -> bool {
    matches!(
        name,
        "double_exponential_smoothing"
            | "info"
            | "mad_over_time"
            | "sort_by_label"
            | "sort_by_label_desc"
            | "ts_of_last_over_time"
            | "ts_of_max_over_time"
            | "ts_of_min_over_time"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: f64, expected: [f64; 8]) {
        let parts = [
            Calendar::Year,
            Calendar::Month,
            Calendar::DayOfMonth,
            Calendar::DayOfWeek,
            Calendar::DayOfYear,
            Calendar::DaysInMonth,
            Calendar::Hour,
            Calendar::Minute,
        ];
        assert_eq!(parts.map(|part| part.of(seconds)), expected);
    }

    #[test]
    fn knows_the_calendar() {
        check(0.0, [1970.0, 1.0, 1.0, 4.0, 1.0, 31.0, 0.0, 0.0]);
        check(-1.5, [1969.0, 12.0, 31.0, 3.0, 365.0, 31.0, 23.0, 59.0]);
        check(1_709_251_199.0, [2024.0, 2.0, 29.0, 4.0, 60.0, 29.0, 23.0, 59.0]);
        check(1_767_225_600.0, [2026.0, 1.0, 1.0, 4.0, 1.0, 31.0, 0.0, 0.0]);
        check(951_782_400.0, [2000.0, 2.0, 29.0, 2.0, 60.0, 29.0, 0.0, 0.0]);
    }

    #[test]
    fn times_out_of_range_do_not_panic() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert!(Calendar::Year.of(seconds).is_finite());
        }
    }
}
