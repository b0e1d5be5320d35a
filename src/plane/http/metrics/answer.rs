//! An answer of the query API: typed, and read in place, since the answer of one scrape holds hundreds of series.
//!
//! Fields that are not known are passed over, as the API's promise of stability allows new ones. Native histograms
//! are left out.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::{ErrorKind, QueryError};

/// Most warnings and infos of one answer that are kept; Prometheus itself gives ten of each.
const NOTES_MAX: usize = 20;

/// A successful answer.
#[derive(Debug, PartialEq)]
pub(super) struct Answer<'a> {
    pub(super) value: Value<'a>,
    /// Warnings, then infos, in the server's words: the value may be a part of what was asked for.
    pub(super) notes: Vec<String>,
}

/// The result of a query.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Scalar(f64),
    /// One value per series.
    Vector(Vec<(Labels<'a>, f64)>),
    /// Raw samples per series, oldest first.
    Matrix(Vec<(Labels<'a>, Vec<Sample>)>),
    Text,
}

impl Value<'_> {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "a scalar",
            Self::Vector(_) => "an instant vector",
            Self::Matrix(_) => "a range vector",
            Self::Text => "a string",
        }
    }
}

/// Names and values, as the server orders them: by name.
pub(super) type Labels<'a> = Vec<(Text<'a>, Text<'a>)>;

/// A text, borrowed from the body where it holds no escape.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was taken, milliseconds since 1970.
    pub at_ms: i64,
    /// Its value; may be infinite or not a number.
    pub value: f64,
}

/// Reads the body of a successful answer.
pub(super) fn read(body: &[u8]) -> Result<Answer<'_>, QueryError> {
    let Success { data, notes } = serde_json::from_slice(body).map_err(|error| broken(&error, body))?;
    Ok(Answer { value: data, notes })
}

/// Prometheus' own words in the body of a failure, if it is Prometheus'.
pub(super) fn read_failure(body: &[u8]) -> Option<(ErrorKind, String)> {
    let Failure { status: Refused::Error, error_type, error } = serde_json::from_slice(body).ok()?;
    Some((error_type, error))
}

fn broken(error: &serde_json::Error, body: &[u8]) -> QueryError {
    if error.is_eof() {
        return QueryError::Truncated { bytes: body.len() };
    }
    QueryError::Malformed { reason: error.to_string() }
}

/// The body of an answer, whatever its order of fields.
struct Success<'a> {
    data: Value<'a>,
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "status")]
    _status: Accepted,
    #[serde(borrow)]
    data: Data<'a>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

/// A status of 200 never comes with another word.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Accepted {
    Success,
}

#[derive(Deserialize)]
struct Failure {
    status: Refused,
    #[serde(rename = "errorType")]
    error_type: ErrorKind,
    error: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refused {
    Error,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "resultType")]
    kind: Kind,
    #[serde(borrow)]
    result: Vec<Item<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Scalar,
    String,
    Vector,
    Matrix,
}

/// One item of `result`, which is a list of series, or time and value.
enum Item<'a> {
    Series(Series<'a>),
    Time,
    Value(Text<'a>),
}

#[derive(Deserialize)]
struct Series<'a> {
    #[serde(borrow)]
    metric: Metric<'a>,
    #[serde(default)]
    value: Option<Point>,
    #[serde(default)]
    values: Vec<Point>,
}

struct Metric<'a>(Labels<'a>);

/// `[seconds, "value"]`.
#[derive(Deserialize)]
struct Point(f64, Number);

/// A number as text, infinities and not-a-number among them.
struct Number(f64);

impl<'de: 'a, 'a> Deserialize<'de> for Success<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Body::deserialize(deserializer)?;
        let notes = body.warnings.into_iter().chain(body.infos).take(NOTES_MAX).collect();
        let items = body.data.result;
        let data = match body.data.kind {
            Kind::String => Ok(Value::Text),
            Kind::Scalar => scalar(&items).map(Value::Scalar),
            Kind::Vector => of_series(items, Series::instant).map(Value::Vector),
            Kind::Matrix => of_series(items, |series| Ok(series.raw())).map(Value::Matrix),
        };
        Ok(Self { data: data.map_err(D::Error::custom)?, notes })
    }
}

fn scalar(items: &[Item<'_>]) -> Result<f64, &'static str> {
    match items {
        [Item::Time, Item::Value(text)] => number(&text.0).ok_or("a scalar is a number"),
        _ => Err("a scalar is a time and a value"),
    }
}

fn of_series<'a, T>(
    items: Vec<Item<'a>>,
    read: impl Fn(Series<'a>) -> Result<T, &'static str>,
) -> Result<Vec<T>, &'static str> {
    let series = |item| match item {
        Item::Series(series) => Ok(series),
        Item::Time | Item::Value(_) => Err("a series is expected"),
    };
    items.into_iter().map(|item| series(item).and_then(&read)).collect()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

impl<'a> Series<'a> {
    fn instant(self) -> Result<(Labels<'a>, f64), &'static str> {
        let Point(_, Number(value)) = self.value.ok_or("an element has no value")?;
        Ok((self.metric.0, value))
    }

    fn raw(self) -> (Labels<'a>, Vec<Sample>) {
        let sample =
            |Point(seconds, Number(value))| Sample { at_ms: libm::round(seconds * 1000.0) as i64, value };
        (self.metric.0, self.values.into_iter().map(sample).collect())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series, a time or a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item<'de>, A::Error> {
        Series::deserialize(MapAccessDeserializer::new(map)).map(Item::Series)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Item<'de>, E> {
        Ok(Item::Time)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Item<'de>, E> {
        Ok(Item::Time)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Item<'de>, E> {
        Ok(Item::Time)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Item<'de>, E> {
        Ok(Item::Value(Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Item<'de>, E> {
        Ok(Item::Value(Text(Cow::Owned(text.to_owned()))))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Metric<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetricVisitor)
    }
}

struct MetricVisitor;

impl<'de> Visitor<'de> for MetricVisitor {
    type Value = Metric<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metric<'de>, A::Error> {
        let mut labels = Vec::with_capacity(8);
        while let Some(label) = map.next_entry()? {
            labels.push(label);
        }
        Ok(Metric(labels))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        number(&text.0).map(Self).ok_or_else(|| D::Error::custom(format!("`{}` is no number", text.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(body: &str) -> Result<Vec<f64>, QueryError> {
        match read(body.as_bytes())?.value {
            Value::Vector(elements) => Ok(elements.into_iter().map(|(_, value)| value).collect()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_kinds_are_read_in_any_order_of_fields() {
        let scalar = r#"{"data":{"result":[1.5,"+Inf"],"resultType":"scalar"},"status":"success"}"#;
        assert_eq!(read(scalar.as_bytes()).expect("it is one").value, Value::Scalar(f64::INFINITY));
        let text = r#"{"status":"success","data":{"resultType":"string","result":[1,"a"]}}"#;
        assert_eq!(read(text.as_bytes()).expect("it is one").value, Value::Text);
        let found = vector(
            r#"{"status":"success","data":{"resultType":"vector","result":[
                {"metric":{"a":"\u00e9\"b"},"value":[1767607215,"NaN"],"new":{}},{"metric":{},"value":[1.001,"-2e-3"]}]}}"#,
        )
        .expect("it is one");
        assert!(found[0].is_nan() && found[1] == -0.002);
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"up"},"values":[[1767607215.001,"1"],[1767607230,"0"]]}]},
            "warnings":["w"],"infos":["i"]}"#;
        let answer = read(matrix.as_bytes()).expect("it is one");
        let Value::Matrix(series) = answer.value else { panic!("a matrix") };
        let samples = [(1_767_607_215_001, 1.0), (1_767_607_230_000, 0.0)];
        assert_eq!(series[0].1, samples.map(|(at_ms, value)| Sample { at_ms, value }));
        assert!(matches!(series[0].0[0].1.0, Cow::Borrowed("up")));
        assert_eq!(answer.notes, ["w", "i"]);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let whole =
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#;
        assert_eq!(vector(whole), Ok(vec![2.0]));
        for end in 0..whole.len() {
            let cut = vector(&whole[..end]).expect_err("it is cut");
            assert!(matches!(cut, QueryError::Truncated { bytes } if bytes == end), "{cut}");
        }
        for (from, to) in [
            ("success", "error"),
            ("vector", "heap"),
            ("vector", "scalar"),
            ("[1,\"2\"]", "[1]"),
            ("[1,\"2\"]", "[1,2]"),
            ("[1,\"2\"]", "[\"1\",\"2\"]"),
            ("\"2\"", "\"two\""),
            ("\"metric\":{}", "\"metric\":[]"),
            ("\"value\"", "\"histogram\""),
            ("[{", "[3,{"),
            ("\"data\"", "\"date\""),
        ] {
            let wrong = vector(&whole.replacen(from, to, 1));
            assert!(matches!(wrong, Err(QueryError::Malformed { .. })), "{from} → {to}: {wrong:?}");
        }
        assert!(matches!(read(b"<html>"), Err(QueryError::Malformed { .. })));
        assert!(matches!(read(b"{\"status\":\"\xff\"}"), Err(QueryError::Malformed { .. })));
    }
}
