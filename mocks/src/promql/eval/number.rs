//! Numbers as Go writes them, each with the shortest digits that read back the same.

/// `NaN`, `+Inf` or `-Inf`; none for other numbers.
fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

/// Digits with an exponent of at least two digits: `1.5e+21`.
fn scientific(value: f64) -> String {
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if exponent.starts_with('-') => format!("{digits}e-{:0>2}", &exponent[1..]),
        Some((digits, exponent)) => format!("{digits}e+{exponent:0>2}"),
        None => text,
    }
}

/// `%f` with the shortest digits: never an exponent.
pub(crate) fn plain(value: f64) -> String {
    special(value).map_or_else(|| value.to_string(), str::to_owned)
}

/// `%g`: an exponent below 1e-4 and from 1e6 on.
pub(crate) fn general(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) { scientific(value) } else { value.to_string() }
}

/// As sample values stand in JSON: an exponent below 1e-6 and from 1e21 on.
pub(crate) fn sample(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) { scientific(value) } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_exponents_of_json() {
        let texts = [1e-6, 1e-7, -1.5e21, 1e20, -0.0, f64::NEG_INFINITY, 0.1, 5e-324].map(sample);
        let expected =
            ["0.000001", "1e-07", "-1.5e+21", "100000000000000000000", "-0", "-Inf", "0.1", "5e-324"];
        assert_eq!(texts, expected);
    }

    #[test]
    fn other_formats() {
        assert_eq!(
            [1e6, 123_456.0, 0.0001, 1e-5, -0.1].map(general),
            ["1e+06", "123456", "0.0001", "1e-05", "-0.1"]
        );
        assert_eq!([1e21, f64::INFINITY].map(plain), ["1000000000000000000000", "+Inf"]);
    }
}
