use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, result: Value<'_>, expected: Result<bool, EvalError>) {
    let expr = Expr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(expr.holds(result), expected, "{text} of {result:?}");
}

const VECTOR: fn(f64) -> Value<'static> = |x| Value::Vector(Some(x));
const EMPTY: Value<'static> = Value::Vector(None);

#[test]
fn conditions_of_real_templates_are_answered() {
    check("result[0] >= 0.95", VECTOR(0.95), Ok(true));
    check("result[0] >= 0.95", VECTOR(0.94), Ok(false));
    check("result[0] >= 0.95", VECTOR(f64::NAN), Ok(false));
    check("result[0] >= 0.95", EMPTY, Err(EvalError::Index));
    check("result[0] >= 0.90 || len(result) == 0", EMPTY, Err(EvalError::Index));
    check("len(result) == 0 || result[0] >= 0.90", EMPTY, Ok(true));
    check("len(result) > 0", VECTOR(0.0), Ok(true));
    check("result >= 0.95", Value::Number(1.0), Ok(true));
    check("result >= 0.95", VECTOR(1.0), Err(EvalError::Type(">=")));
    check("result == true", Value::Number(1.0), Ok(false));
    check("result == 'true'", Value::Number(1.0), Ok(false));
    check("default(result, 0) < 10", Value::Nil, Ok(true));
    check("default(result, 0) < 10", Value::Number(10.0), Ok(false));
    check("isNaN(result[0]) || result[0] > 0.9", VECTOR(f64::NAN), Ok(true));
    check("isNaN(result)", VECTOR(1.0), Err(EvalError::Type("isNaN")));
    check("isInf(result)", Value::Number(f64::NEG_INFINITY), Ok(true));
    check("isNil(result)", Value::Nil, Ok(true));
    check("isNil(1)", Value::Nil, Ok(true));
    check("default(1, 0) == 7", Value::Number(7.0), Ok(true));
    check("default(result[0], 0) < 1", EMPTY, Err(EvalError::Index));
    check("asInt(result) == 2 and asFloat('2.5') == 2.5", Value::Number(2.9), Ok(true));
    check("result[1] > 0", VECTOR(1.0), Err(EvalError::Index));
    check("result", Value::Number(1.0), Err(EvalError::NotBool));
    check("result < 1", Value::Nil, Err(EvalError::Type("<")));
}

#[test]
fn precedence_is_that_of_the_original() {
    let one = Value::Number(1.0);
    check("true || false && false", one, Ok(true));
    check("!false && true", one, Ok(true));
    check("not result == 2", one, Err(EvalError::NotBool));
    check("not (result == 2)", one, Ok(true));
    check("1 + 2 * 3 == 7 && (1 + 2) * 3 == 9", one, Ok(true));
    check("-2 ** 2 == -4 && 2 ** 3 ** 2 == 512", one, Ok(true));
    check("10 - 4 - 3 == 3 && 7 % 4 == 3 && 1 / 4 == 0.25", one, Ok(true));
    check("1e3 == 1_000 && 1.5e-1 == .15", one, Ok(true));
}

#[test]
fn errors_have_a_place_and_say_what_is_allowed() {
    for (text, offset, len, found) in [
        ("result[0] >> 1", 11, 1, "`>`"),
        ("reslt[0] > 1", 0, 5, "`reslt`"),
        ("result[0] > ", 12, 0, "the end"),
        ("result[0 > 1", 12, 0, "the end"),
        ("result[0] > 1)", 13, 1, "`)`"),
        ("result = 1", 7, 1, "`=`"),
        ("result == 'x", 10, 2, "a text without an end"),
        ("default(result)", 14, 1, "`)`"),
        ("result[0] > 1.2.3", 12, 5, "`1.2.3`"),
        ("", 0, 0, "the end"),
    ] {
        let error = Expr::parse(text).expect_err(text);
        assert_eq!((error.offset, error.len, error.found.as_str()), (offset, len, found), "{text}: {error}");
    }
    let error = Expr::parse("result[0] > ").expect_err("no value");
    assert!(error.to_string().starts_with("found the end, allowed is a number, `result`"), "{error}");
}

#[test]
fn what_is_too_deep_is_refused() {
    assert!(Expr::parse(&"(".repeat(10_000)).is_err());
    assert!(Expr::parse(&format!("{}1 == 1", "-".repeat(200))).is_err());
    assert!(Expr::parse(&format!("1{} == 1", "+1".repeat(200))).is_err());
    assert!(Expr::parse(&format!("{}1{} == 1", "(".repeat(30), ")".repeat(30))).is_ok());
    assert!(Expr::parse(&format!("result{} == 1", "[0]".repeat(200))).is_err());
}

#[test]
fn the_limit_of_a_comparison_is_known() {
    for (text, limit) in [
        ("result[0] >= 0.95", Some(0.95)),
        ("0.95 < result[0]", Some(0.95)),
        ("len(result) == 0 || result[0] > 3", Some(3.0)),
        ("result[0] > 3 || len(result) == 0", Some(3.0)),
        ("isNaN(result)", None),
    ] {
        assert_eq!(Expr::parse(text).map(|expr| expr.limit()), Ok(limit), "{text}");
    }
}

/// A text, and what it comes to: computed beside the parser.
fn arithmetic() -> impl Strategy<Value = (String, f64)> {
    let leaf = prop_oneof![
        (0_u32..1000).prop_map(|n| (n.to_string(), f64::from(n))),
        Just(("result[0]".to_owned(), 0.25)),
        Just(("len(result)".to_owned(), 1.0)),
    ];
    leaf.prop_recursive(5, 32, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("({} + {})", a.0, b.0), a.1 + b.1)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("({}-{})", a.0, b.0), a.1 - b.1)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("({} * {})", a.0, b.0), a.1 * b.1)),
            inner.prop_map(|a| (format!("(-{})", a.0), -a.1)),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", number in any::<f64>()) {
        match Expr::parse(&text) {
            Ok(expr) => {
                for result in [Value::Nil, Value::Number(number), VECTOR(number), EMPTY] {
                    let _ = expr.holds(result);
                }
            }
            Err(error) => {
                prop_assert!(text.get(error.offset..error.offset + error.len).is_some(), "{error:?}");
            }
        }
    }

    #[test]
    fn no_mix_of_its_own_words_makes_it_panic(words in prop::collection::vec(
        prop::sample::select(vec!["result", "[", "0", "]", "(", ")", "&&", "!", "not", "-", "**", "<", "==", ",", "default", "len", "'a'", "nil"]),
        0..24,
    )) {
        let text = words.join(" ");
        if let Ok(expr) = Expr::parse(&text) {
            let _ = expr.holds(VECTOR(1.0));
        }
    }

    #[test]
    fn what_is_written_is_what_is_computed((left, a) in arithmetic(), (right, b) in arithmetic()) {
        for (sign, expected) in [("<", a < b), ("<=", a <= b), ("==", a == b), ("!=", a != b)] {
            let expr = Expr::parse(&format!("{left} {sign} {right}")).expect("it is written well");
            prop_assert_eq!(expr.holds(VECTOR(0.25)), Ok(expected));
        }
    }
}
