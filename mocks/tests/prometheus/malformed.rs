//! Queries that somebody mistyped are refused exactly when a real Prometheus refuses them, with the same status and type.

use std::cell::RefCell;

use backspin_mocks::store::Store;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::differential::{ours, theirs};
use super::grammar::vector;
use super::real::Real;
use serde_json::Value;

const QUERIES: u32 = 3_000;

/// What a slip does at some place of a text.
#[derive(Clone, Debug)]
enum Slip {
    Delete,
    Double,
    Insert(&'static str),
}

impl Slip {
    fn at(&self, text: &str, place: usize) -> String {
        let place =
            (0..=place.min(text.len())).rev().find(|&place| text.is_char_boundary(place)).unwrap_or(0);
        let (before, after) = text.split_at(place);
        let mut rest = after.chars();
        match self {
            Self::Delete => {
                rest.next();
                format!("{before}{}", rest.as_str())
            }
            Self::Double => {
                let first = rest.next().map_or_else(String::new, String::from);
                format!("{before}{first}{after}")
            }
            Self::Insert(word) => format!("{before}{word}{after}"),
        }
    }
}

fn slip() -> impl Strategy<Value = Slip> {
    let words = select(vec![
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "=",
        "~",
        "!",
        ">",
        " bool ",
        " by ",
        " and ",
        " offset ",
        " 5 ",
        "5m",
        "@",
        " x ",
        "-",
        ":",
        "#",
        "\\",
        ".",
        ";",
        "%",
        " on ",
        " group_left ",
        "rate",
        "[5m]",
    ]);
    prop_oneof![2 => Just(Slip::Delete), 1 => Just(Slip::Double), 4 => words.prop_map(Slip::Insert)]
}

/// Whether 3.x takes on purpose what 2.42 refuses, or the other way round: a number is a duration and a duration a number
/// (3.0), any text is a label's name (3.0), and 2.42 overlooks a word behind a duration.
fn is_known(ours: &Value, theirs: &Value) -> bool {
    let (ours, theirs) = (ours["error"].as_str().unwrap_or(""), theirs["error"].as_str().unwrap_or(""));
    let numbers = ["missing unit character in duration", "expected duration", "unexpected duration"];
    (ours.is_empty() && numbers.iter().any(|words| theirs.contains(words)))
        || (ours.is_empty() && theirs.contains("label name in label_"))
        || (theirs.is_empty() && ours.contains("bad number or duration syntax"))
}

#[test]
fn slips_are_refused_when_the_real_server_refuses_them() {
    let real = Real::start("# EOF\n");
    let config = Config { cases: QUERIES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (refused, alike, known) = (RefCell::new(0), RefCell::new(0), RefCell::new(0));
    let all = RefCell::new(Vec::new());
    let outcome = runner.run(&(vector(), slip(), any::<u16>()), |(query, slip, place)| {
        let query = slip.at(&query, usize::from(place) % (query.len() + 1));
        let asked = ("/api/v1/query", vec![("query", query), ("time", "1767232207".to_owned())]);
        let (ours, theirs) = (ours(&Store::default(), &asked), theirs(&real, &asked));
        if ours.0 == 400 {
            *refused.borrow_mut() += 1;
            *alike.borrow_mut() += usize::from(ours.1["error"] == theirs.1["error"]);
        }
        if (ours.0, &ours.1["errorType"]) != (theirs.0, &theirs.1["errorType"]) {
            if is_known(&ours.1, &theirs.1) {
                *known.borrow_mut() += 1;
                return Ok(());
            }
            all.borrow_mut().push(format!(
                "{}\n  ours {} {}\n  theirs {} {}",
                asked.1[0].1, ours.0, ours.1["error"], theirs.0, theirs.1["error"]
            ));
        }
        Ok(())
    });
    println!(
        "{QUERIES} slips: {} refused, {} of them in the words of 2.42; {} differ by the rules of 3.x",
        refused.borrow(),
        alike.borrow(),
        known.borrow()
    );
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let all = all.into_inner();
    assert!(all.is_empty(), "{} differ:\n{}", all.len(), all.join("\n"));
}
