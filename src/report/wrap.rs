//! Text for a terminal of a given width.

/// Breaks text between words so that no line is longer than `width`, where words allow. The first line begins
/// with `first`, the others with `rest`.
pub fn wrapped(text: &str, width: usize, first: &str, rest: &str) -> String {
    let mut out = first.to_owned();
    let mut used = first.chars().count();
    let mut begun = false;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let long = word.chars().count();
        if begun && used + 1 + long > width {
            out.push('\n');
            out.push_str(rest);
            used = rest.chars().count();
            begun = false;
        }
        if begun {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += long;
        begun = true;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn words_stay_whole_and_lines_stay_short() {
        assert_eq!(wrapped("one two three", 9, "- ", "  "), "- one two\n  three");
        assert_eq!(wrapped("one two", 9, "", ""), "one two");
        assert_eq!(wrapped("incomprehensible", 5, "> ", "  "), "> incomprehensible");
        assert_eq!(wrapped("", 5, "> ", ""), "> ");
    }
}
