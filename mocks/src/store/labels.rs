//! Label sets.

use std::sync::Arc;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

type Text = Arc<str>;

/// A set of labels, sorted by name, none with an empty value; cheap to clone, ordered as Prometheus orders label sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Text, Text)]>);

impl Labels {
    /// The labels of `pairs`; of a name that comes twice the last counts, and an empty value is no label.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self::of(
            pairs.into_iter().map(|(name, value)| (name.as_ref().into(), value.as_ref().into())).collect(),
        )
    }

    fn of(mut pairs: Vec<(Text, Text)>) -> Self {
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|a, b| a.0 == b.0);
        pairs.retain(|(_, value)| !value.is_empty());
        Self(pairs.into())
    }

    /// The value of `name`; empty if there is none, as PromQL takes it.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| &**known == name).map_or("", |(_, value)| value)
    }

    /// The metric's name; empty if there is none.
    pub fn name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    pub(super) fn name_shared(&self) -> Text {
        self.0
            .iter()
            .find(|(name, _)| &**name == METRIC_NAME)
            .map_or_else(|| "".into(), |(_, value)| value.clone())
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those whose name `keeps` says to keep.
    pub fn keep(&self, keeps: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keeps(name)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|(name, _)| keeps(name)).cloned().collect())
    }

    /// All but the metric's name.
    pub fn without_name(&self) -> Self {
        self.keep(|name| name != METRIC_NAME)
    }

    /// With `name` set to `value`; an empty value removes it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs = self.0.to_vec();
        pairs.push((name.into(), value.into()));
        Self::of(pairs)
    }
}

/// As Prometheus prints a label set in messages: `{a="b", c="d"}`.
impl std::fmt::Display for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={}", quoted(value))?;
        }
        f.write_str("}")
    }
}

/// Go's `strconv.Quote`, as far as text in messages needs it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_ascii_control() => {
                let code = u32::from(c);
                quoted.push_str("\\x");
                quoted.extend([code / 16, code % 16].iter().filter_map(|&digit| char::from_digit(digit, 16)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
