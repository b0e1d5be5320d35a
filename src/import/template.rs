//! Placeholders in queries: `{{ name }}` of Argo, Flagger, Sloth and Keptn, `${name}` of Kayenta.

/// Replaces each placeholder by what `value` gives for its name. Names that it gives nothing for are returned, each once,
/// and stay in the text.
pub(crate) fn filled(
    text: &str,
    marks: (&str, &str),
    mut value: impl FnMut(&str) -> Option<String>,
) -> (String, Vec<String>) {
    let (open, close) = marks;
    let (mut out, mut missing) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find(open) {
        let Some(len) = rest[at + open.len()..].find(close) else { break };
        let inside = &rest[at + open.len()..at + open.len() + len];
        let end = at + open.len() + len + close.len();
        let name = inside.trim().trim_start_matches('.').trim();
        out.push_str(&rest[..at]);
        if let Some(value) = value(name) {
            out.push_str(&value);
        } else {
            out.push_str(&rest[at..end]);
            if !missing.iter().any(|known| known == name) {
                missing.push(name.to_owned());
            }
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    (out, missing)
}

/// Marks of Argo, Flagger, Sloth and Keptn.
pub(crate) const BRACES: (&str, &str) = ("{{", "}}");

/// Marks of Kayenta.
pub(crate) const DOLLAR: (&str, &str) = ("${", "}");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_unknown_ones_are_told_once() {
        let value = |name: &str| (name == "a").then(|| "1".to_owned());
        assert_eq!(
            filled("{{a}}+{{ .a }}+{{ b }}{{b}}", BRACES, value),
            ("1+1+{{ b }}{{b}}".to_owned(), vec!["b".to_owned()])
        );
        assert_eq!(filled("${a} {a} ${a", DOLLAR, value), ("1 {a} ${a".to_owned(), vec![]));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "[{}$a. \u{e9}]{0,40}") {
            filled(&text, BRACES, |_| None);
            filled(&text, DOLLAR, |name| Some(name.to_owned()));
        }
    }
}
