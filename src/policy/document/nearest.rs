//! The valid word that a writer probably meant.

/// The nearest of `words` to `found`, unless all are too far to be what was meant: more than a third of the
/// letters, at least one edit, would have to change; or unless it is the beginning of one.
pub fn nearest<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = normal(found);
    if found.len() > LONGEST {
        return None;
    }
    let rate = |word: &str| {
        let word = normal(word);
        if found.len() >= ABBREVIATION_MIN && word.starts_with(&found) {
            return Some(1);
        }
        let edits = distance(&found, &word);
        (edits <= (word.len().max(found.len()) / 3).max(1)).then_some(edits)
    };
    words.into_iter().filter_map(|word| Some((rate(word)?, word))).min().map(|(_, word)| word)
}

/// A word's beginning of this many letters counts as one slip, as `prod` for `production`.
const ABBREVIATION_MIN: usize = 3;

/// Longer words are never a slip of the pen; bounds the work.
const LONGEST: usize = 64;

fn normal(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment; Damerau 1964).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// A list of words for a message: `` `a`, `b` or `c` ``.
pub fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &str, expected: Option<&str>) {
        assert_eq!(nearest(found, ["error_ratio", "latency_factor", "onset"]), expected, "{found}");
    }

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        check("eror_ratio", Some("error_ratio"));
        check("error-ratio", Some("error_ratio"));
        check("Error_Ratio", Some("error_ratio"));
        check("onste", Some("onset"));
        check("error_rate", Some("error_ratio"));
        check("lat", Some("latency_factor"));
        check("la", None);
        check("threshold", None);
        check("", None);
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(one_of(["a"]), "`a`");
    }
}
