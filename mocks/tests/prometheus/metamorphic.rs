//! The recorded cases again with other names and at another time: nothing can be known by heart.

use std::collections::BTreeMap;

use regex::{Captures, Regex};

use super::golden::{Case, Scope, cases, data, settings, store};

/// Thirteen weeks, so that days of the week and times of the day stay.
const SHIFT_S: i64 = 13 * 7 * 86_400;

/// Other names of the same length in the same order, so that positions and the sorting of results stay.
struct Renamer {
    words: Regex,
    times: Regex,
}

impl Renamer {
    fn new() -> Self {
        let labels = "case|kind|pod|service|status|v|version";
        let names = "http_request|lab_|process_|stale_demo_total";
        // A name is part of a word, a label all of it.
        let words = Regex::new(&format!(r"\b(?:(?:{labels})\b|{names})")).expect("a pattern");
        // Times in seconds and, in the samples of markers, in milliseconds, from an hour before the data to an hour after.
        let times = Regex::new(r"\b17672[0-9]{5}(?:[0-9]{3})?\b").expect("a pattern");
        Self { words, times }
    }

    fn renamed(&self, text: &str) -> String {
        let text = self.words.replace_all(text, |found: &Captures<'_>| {
            let word = &found[0];
            let first = word.as_bytes()[0] - 1;
            format!("{}{}", char::from(first), &word[1..])
        });
        let text = self.times.replace_all(&text, |found: &Captures<'_>| {
            let (seconds, rest) = found[0].split_at(10);
            let seconds: i64 = seconds.parse().expect("digits");
            format!("{}{rest}", seconds + SHIFT_S)
        });
        // The one time that is written as a date.
        text.replace("2026-01-01T01:00:30Z", "2026-04-02T01:00:30Z")
    }

    fn pairs(&self, pairs: &[(String, String)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.clone(), self.renamed(value))).collect()
    }

    fn case(&self, case: &Case) -> Case {
        let mut renamed = case.clone();
        renamed.request.path = self.path(&case.request.path);
        renamed.request.query = self.pairs(&case.request.query);
        renamed.request.form = self.pairs(&case.request.form);
        renamed.response.body = self.body(&case.response.body);
        renamed
    }

    /// Only the label's name in a path is data; a query in it is data too.
    fn path(&self, path: &str) -> String {
        if path.starts_with("/api/v1/label/") {
            self.renamed(path).replace("/ui/", "/v1/")
        } else {
            self.shifted(path)
        }
    }

    fn shifted(&self, path: &str) -> String {
        match path.split_once('?') {
            Some((path, query)) => format!("{path}?{}", self.renamed(query)),
            None => path.to_owned(),
        }
    }

    /// The words of the envelope are not data.
    fn body(&self, body: &str) -> String {
        body.strip_prefix("{\"status\"")
            .map_or_else(|| body.to_owned(), |rest| format!("{{\"status\"{}", self.renamed(rest)))
    }
}

#[test]
fn other_names_and_times_give_the_same_answers() {
    let renamer = Renamer::new();
    let (text, more) = data();
    let original = store(&text, &more);
    let text = text.lines().map(|line| renamer.renamed(line) + "\n").collect::<String>();
    let more: Vec<_> = more
        .into_iter()
        .map(|(labels, samples)| {
            let labels: BTreeMap<String, String> =
                labels.iter().map(|(name, value)| (renamer.renamed(name), renamer.renamed(value))).collect();
            let samples = samples.into_iter().map(|(t_ms, value)| (t_ms + SHIFT_S * 1000, value)).collect();
            (labels, samples)
        })
        .collect();
    let (store, settings) = (store(&text, &more), settings());
    let claimed: Vec<Case> =
        cases().into_iter().filter(|(scope, _)| *scope != Scope::Out).map(|(_, case)| case).collect();
    let differences: Vec<String> = claimed
        .iter()
        .filter_map(|case| {
            let difference = renamer.case(case).difference(&store, &settings)?;
            Some(format!("{}: {difference}", case.name))
        })
        .collect();
    println!("{} of {} renamed and shifted cases agree", claimed.len() - differences.len(), claimed.len());
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    // The same requests find nothing in the other store, so the renaming does rename.
    let unchanged = claimed.iter().filter(|case| case.difference(&original, &settings).is_some()).count();
    let confused = claimed.iter().filter(|case| case.difference(&store, &settings).is_some()).count();
    assert!(
        unchanged == 0 && confused > claimed.len() / 2,
        "{confused} of {} depend on names",
        claimed.len()
    );
}
