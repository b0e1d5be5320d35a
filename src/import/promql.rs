//! What can be told of a query from its text: its metrics, its matchers, and how its parts hang together.
//!
//! Whether a text is PromQL at all is decided by `backspin_mocks::promql`; here it is only cut into words, so any text is
//! taken, also one that is none.

use std::collections::BTreeSet;
use std::ops::Range;

/// A word of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Name,
    Number,
    Text,
    Sign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    kind: Kind,
    span: Range<usize>,
}

fn words(text: &str) -> Vec<Word> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (kind, end) = match bytes[at] {
            b'#' => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            quote @ (b'"' | b'\'' | b'`') => (Kind::Text, quoted_end(bytes, at, quote)),
            c if c.is_ascii_alphabetic() || c == b'_' || c == b':' => {
                (Kind::Name, run(bytes, at, |c| c.is_ascii_alphanumeric() || c == b'_' || c == b':'))
            }
            c if c.is_ascii_digit() || c == b'.' => {
                (Kind::Number, run(bytes, at, |c| c.is_ascii_alphanumeric() || c == b'.' || c == b'_'))
            }
            c if c.is_ascii_whitespace() || !c.is_ascii() => {
                at += 1;
                continue;
            }
            _ => {
                let two = bytes.get(at..at + 2).is_some_and(|two| {
                    [b"==", b"!=", b">=", b"<=", b"=~", b"!~"].iter().any(|sign| two == *sign)
                });
                (Kind::Sign, at + if two { 2 } else { 1 })
            }
        };
        words.push(Word { kind, span: at..end });
        at = end;
    }
    words
}

fn run(bytes: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|c| !fits(*c)).map_or(bytes.len(), |n| at + n)
}

fn quoted_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            return at + 1;
        }
        at += if bytes[at] == b'\\' && quote != b'`' { 2 } else { 1 };
    }
    bytes.len()
}

/// A condition on a label, `label op "value"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub(crate) sign: String,
    /// Without its quotes.
    pub(crate) value: String,
    pub(crate) span: Range<usize>,
}

/// All conditions on labels.
pub(crate) fn matchers(text: &str) -> Vec<Matcher> {
    let words = words(text);
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (n, word) in words.iter().enumerate() {
        match &text[word.span.clone()] {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            label if depth > 0 && word.kind == Kind::Name => {
                let (Some(sign), Some(value)) = (words.get(n + 1), words.get(n + 2)) else { continue };
                let name = &text[sign.span.clone()];
                if value.kind == Kind::Text && matches!(name, "=" | "!=" | "=~" | "!~") {
                    let quoted = &text[value.span.clone()];
                    found.push(Matcher {
                        label: label.to_owned(),
                        sign: name.to_owned(),
                        value: quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned(),
                        span: word.span.start..value.span.end,
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// Words that are not names of metrics where a name may stand.
const RESERVED: [&str; 27] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "and",
    "or",
    "unless",
    "atan2",
    "start",
    "end",
    "inf",
    "nan",
    "sum",
    "min",
    "max",
    "avg",
    "group",
    "count",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
];

/// Names of metrics, each with the place of its first use.
pub(crate) fn metrics(text: &str) -> Vec<(String, Range<usize>)> {
    let words = words(text);
    let at = |n: usize| words.get(n).map_or("", |word: &Word| &text[word.span.clone()]);
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    let (mut braces, mut brackets, mut labels) = (0_usize, 0_usize, false);
    for (n, word) in words.iter().enumerate() {
        match at(n) {
            "{" => braces += 1,
            "}" => braces = braces.saturating_sub(1),
            "[" => brackets += 1,
            "]" => brackets = brackets.saturating_sub(1),
            "(" => {
                let before = n.checked_sub(1).map_or("", at).to_ascii_lowercase();
                let lists = ["by", "without", "on", "ignoring", "group_left", "group_right"];
                labels = lists.contains(&before.as_str());
            }
            ")" => labels = false,
            name if word.kind == Kind::Name && braces == 0 && brackets == 0 && !labels => {
                let reserved = RESERVED.contains(&name.to_ascii_lowercase().as_str());
                if !reserved && at(n + 1) != "(" && !found.iter().any(|(known, _)| known == name) {
                    found.push((name.to_owned(), word.span.clone()));
                }
            }
            _ => {}
        }
    }
    for matcher in matchers(text) {
        if matcher.label == "__name__"
            && matcher.sign == "="
            && !found.iter().any(|(n, _)| *n == matcher.value)
        {
            found.push((matcher.value.clone(), matcher.span));
        }
    }
    found
}

/// Conditions on labels, replaced by `service="$service"` where a `--map` names them. Gives the text and the indices
/// of the maps that were used.
pub(crate) fn mapped(text: &str, maps: &[(String, String)]) -> (String, BTreeSet<usize>) {
    let mut out = String::with_capacity(text.len());
    let mut used = BTreeSet::new();
    let mut done = 0;
    for matcher in matchers(text) {
        if !matches!(matcher.sign.as_str(), "=" | "=~") {
            continue;
        }
        let fits = |(label, value): &(String, String)| *label == matcher.label && *value == matcher.value;
        let Some(n) = maps.iter().position(fits) else { continue };
        used.insert(n);
        out.push_str(&text[done..matcher.span.start]);
        out.push_str("service=\"$service\"");
        done = matcher.span.end;
    }
    out.push_str(&text[done..]);
    (out, used)
}

/// Replaces bare references to recorded series, those without matchers, range or shift, by what is recorded under
/// their names. Gives nothing if there was none.
pub(crate) fn inlined(text: &str, recorded: impl Fn(&str) -> Option<String>) -> Option<String> {
    let words = words(text);
    let mut out = String::new();
    let mut done = 0;
    for (name, _) in metrics(text) {
        if recorded(&name).is_none() {
            continue;
        }
        for (n, word) in words.iter().enumerate() {
            if text[word.span.clone()] != name {
                continue;
            }
            let next = words.get(n + 1).map_or("", |word| &text[word.span.clone()]);
            if matches!(next, "{" | "[" | "@" | "offset") {
                return None;
            }
        }
    }
    for word in words.iter().filter(|word| word.kind == Kind::Name) {
        let Some(expression) = recorded(&text[word.span.clone()]) else { continue };
        if done > word.span.start {
            continue;
        }
        out.push_str(&text[done..word.span.start]);
        out.push('(');
        out.push_str(expression.trim());
        out.push(')');
        done = word.span.end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}

/// A query's outermost operator with what stands on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    pub(crate) left: &'a str,
    pub(crate) sign: &'a str,
    pub(crate) right: &'a str,
}

/// The outermost operator: of those outside all brackets the one that binds least, the last of several.
pub(crate) fn split(text: &str) -> Option<Split<'_>> {
    let words = words(text);
    let mut depth = 0_usize;
    let mut best: Option<(u8, usize)> = None;
    let mut after_value = false;
    for (n, word) in words.iter().enumerate() {
        let raw = &text[word.span.clone()];
        match raw {
            "(" | "{" | "[" => {
                depth += 1;
                after_value = false;
                continue;
            }
            ")" | "}" | "]" => {
                depth = depth.saturating_sub(1);
                after_value = true;
                continue;
            }
            _ if depth > 0 => continue,
            _ => {}
        }
        let strength = match raw.to_ascii_lowercase().as_str() {
            "or" => 1,
            "and" | "unless" => 2,
            "==" | "!=" | ">" | "<" | ">=" | "<=" => 3,
            "+" | "-" if after_value => 4,
            "*" | "/" | "%" | "atan2" => 5,
            "^" => 6,
            _ => 0,
        };
        after_value = strength == 0 && raw != "-" && raw != "+" && !raw.eq_ignore_ascii_case("offset");
        if strength > 0 && best.is_none_or(|(least, _)| strength <= least) {
            best = Some((strength, n));
        }
    }
    let (_, at) = best?;
    let sign = words[at].span.clone();
    let mut right = at + 1;
    // What may stand between an operator and its right side.
    while let Some(word) = words.get(right) {
        match text[word.span.clone()].to_ascii_lowercase().as_str() {
            "bool" => right += 1,
            "on" | "ignoring" | "group_left" | "group_right" => {
                right += 1;
                if words.get(right).is_some_and(|word| &text[word.span.clone()] == "(") {
                    while right < words.len() && &text[words[right].span.clone()] != ")" {
                        right += 1;
                    }
                    right += 1;
                }
            }
            _ => break,
        }
    }
    let from = words.get(right)?.span.start;
    Some(Split { left: text[..sign.start].trim(), sign: &text[sign.clone()], right: text[from..].trim() })
}

/// A text without parentheses around the whole of it.
pub(crate) fn bare(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let words = words(text);
        let mut depth = 0_i32;
        let closes = words.iter().position(|word| {
            depth += match &text[word.span.clone()] {
                "(" => 1,
                ")" => -1,
                _ => 0,
            };
            depth == 0
        });
        let is_whole = words.first().is_some_and(|word| &text[word.span.clone()] == "(")
            && closes.is_some_and(|n| n + 1 == words.len());
        if !is_whole {
            return text;
        }
        text = text[words[0].span.end..words[words.len() - 1].span.start].trim();
    }
}

/// The function or aggregation that the whole text is a call of, with its arguments' text.
pub(crate) fn call(text: &str) -> Option<(&str, &str)> {
    let text = bare(text);
    if split(text).is_some() {
        return None;
    }
    let words = words(text);
    let name = words.first().filter(|word| word.kind == Kind::Name)?;
    let open = words.iter().position(|word| &text[word.span.clone()] == "(")?;
    let mut at = open;
    // `sum by (le) (…)`: the arguments are the second pair.
    if open > 1 {
        while at < words.len() && &text[words[at].span.clone()] != ")" {
            at += 1;
        }
        at += 1;
    }
    let first = words.get(at).filter(|word| &text[word.span.clone()] == "(")?;
    let mut depth = 0_i32;
    let close = words[at..].iter().find(|word| {
        depth += match &text[word.span.clone()] {
            "(" => 1,
            ")" => -1,
            _ => 0,
        };
        depth == 0
    })?;
    Some((&text[name.span.clone()], &text[first.span.end..close.span.start]))
}

/// The arguments of a call, cut at commas outside brackets.
pub(crate) fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for word in words(text) {
        match &text[word.span.clone()] {
            "(" | "{" | "[" => depth += 1,
            ")" | "}" | "]" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                found.push(text[start..word.span.start].trim());
                start = word.span.end;
            }
            _ => {}
        }
    }
    found.push(text[start..].trim());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        metrics(text).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn metrics_are_told_from_functions_labels_and_words() {
        assert_eq!(
            names(r#"sum by (le) (rate(a_bucket{x="b{c}"}[5m] offset 1h)) / on (pod) group_left (d) e"#),
            ["a_bucket", "e"]
        );
        assert_eq!(names("# a remark b\nsum(c) by (d) or vector(0)"), ["c"]);
        assert_eq!(names(r#"{__name__="up"}"#), ["up"]);
        assert_eq!(names("job:err:rate5m > 0.1"), ["job:err:rate5m"]);
    }

    #[test]
    fn a_mapped_condition_names_the_service() {
        let maps = [("app".to_owned(), "shop".to_owned()), ("ns".to_owned(), "x".to_owned())];
        let (text, used) = mapped(r#"a{app="shop",b="c"} / a{app=~"shop"} + a{app!="shop"}"#, &maps);
        assert_eq!(text, r#"a{service="$service",b="c"} / a{service="$service"} + a{app!="shop"}"#);
        assert_eq!(used.into_iter().collect::<Vec<_>>(), [0]);
    }

    #[track_caller]
    fn check_split(text: &str, expected: Option<(&str, &str, &str)>) {
        assert_eq!(split(text).map(|s| (s.left, s.sign, s.right)), expected, "{text}");
    }

    #[test]
    fn the_outermost_operator_is_found() {
        check_split("a / b * 100 > 5", Some(("a / b * 100", ">", "5")));
        check_split("a - b - c", Some(("a - b", "-", "c")));
        check_split("a * on (x) group_left (y) b", Some(("a", "*", "b")));
        check_split("a > bool -1", Some(("a", ">", "-1")));
        check_split("(a > 1)", None);
        check_split("-a", None);
        check_split("a and b or c", Some(("a and b", "or", "c")));
        check_split("sum(a) by (b)", None);
        check_split("a >", None);
    }

    #[test]
    fn parentheses_and_calls_are_seen_through() {
        assert_eq!(bare("((a) + (b))"), "(a) + (b)");
        assert_eq!(bare("( (a) )"), "a");
        assert_eq!(call("sum by (le) (rate(a[5m]))"), Some(("sum", "rate(a[5m])")));
        assert_eq!(
            call("histogram_quantile(0.9, sum(a) by (le))"),
            Some(("histogram_quantile", "0.9, sum(a) by (le)"))
        );
        assert_eq!(call("a{b=\"c\"}"), None);
        assert_eq!(arguments("0.9, sum(a, b)"), ["0.9", "sum(a, b)"]);
    }

    #[test]
    fn recorded_series_are_replaced_only_where_that_means_the_same() {
        let recorded = |name: &str| (name == "r:x").then(|| "sum(a)".to_owned());
        assert_eq!(inlined("r:x > 1", recorded).as_deref(), Some("(sum(a)) > 1"));
        assert_eq!(inlined("r:x{a=\"b\"} > 1", recorded), None);
        assert_eq!(inlined("r:x[5m]", recorded), None);
        assert_eq!(inlined("b", recorded), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "[ -~\\n\u{e9}\u{1f600}]{0,80}") {
            metrics(&text);
            mapped(&text, &[("a".to_owned(), "b".to_owned())]);
            split(&text);
            call(bare(&text));
            arguments(&text);
            inlined(&text, |name| (name.len() > 2).then(|| "x".to_owned()));
        }
    }
}
