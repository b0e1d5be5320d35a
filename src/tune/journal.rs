//! What was played, kept in a file, so that a search that was interrupted goes on where it was.
//!
//! A search asks the same questions in the same order each time, so the answers are all that has to be kept: JSON Lines, first
//! what they belong to, then one line per candidate and stretch of runs. A line that was torn by a crash is not an answer and is
//! cut off. What belongs to another task, policy or build is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use backspin_score::{Class, CostParts};

use crate::worth::Worth;

/// The version of the file.
const VERSION: u32 = 1;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be opened, read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It belongs to something else.
    #[error("`{}` holds runs of another task: {what} differs", path.display())]
    Another {
        /// The file.
        path: PathBuf,
        /// What is not the same.
        what: &'static str,
    },
    /// A line in the middle is not one of ours.
    #[error("line {line} of `{}` cannot be read", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// What a journal belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belongs {
    /// [`VERSION`].
    version: u32,
    /// The build, since another may play otherwise.
    pub build: String,
    /// SHA-256 of the tune file.
    pub task: String,
    /// Hash of the policy that is changed.
    pub policy: String,
    /// SHA-256 of the scenarios.
    pub scenarios: String,
}

impl Belongs {
    /// To these.
    pub fn new(build: &str, task: &str, policy: &str, scenarios: &str) -> Self {
        let own = str::to_owned;
        Self {
            version: VERSION,
            build: own(build),
            task: own(task),
            policy: own(policy),
            scenarios: own(scenarios),
        }
    }

    fn difference(&self, other: &Self) -> Option<&'static str> {
        [
            (self.version != other.version, "its version"),
            (self.build != other.build, "the build"),
            (self.task != other.task, "the tune file"),
            (self.policy != other.policy, "the policy"),
            (self.scenarios != other.scenarios, "a scenario"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

/// One answer. Runs are short lists of numbers, since there are hundreds of thousands of them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    values: String,
    from: usize,
    /// None for values that make no policy.
    worths: Option<Vec<[f64; 8]>>,
}

/// Answers that are known.
#[derive(Debug, Default)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    known: BTreeMap<(String, usize, usize), Option<Vec<Worth>>>,
    refused: BTreeSet<String>,
}

impl Journal {
    /// None, and nothing is kept.
    pub fn none() -> Self {
        Self::default()
    }

    /// Opens a file or begins it.
    pub fn open(path: &Path, belongs: &Belongs) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_path_buf(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let mut journal = Self { path: path.to_path_buf(), ..Self::default() };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = text[..whole].lines().enumerate();
        let damaged = |line: usize| JournalError::Damaged { path: path.to_path_buf(), line: line + 1 };
        match lines.next() {
            None => {
                file.set_len(0).map_err(io)?;
                file.rewind().map_err(io)?;
                let head = serde_json::to_string(belongs).expect("texts are JSON");
                writeln!(file, "{head}").map_err(io)?;
            }
            Some((n, head)) => {
                let head: Belongs = serde_json::from_str(head).map_err(|_| damaged(n))?;
                if let Some(what) = head.difference(belongs) {
                    return Err(JournalError::Another { path: path.to_path_buf(), what });
                }
                for (n, line) in lines {
                    let line: Line = serde_json::from_str(line).map_err(|_| damaged(n))?;
                    journal.take(line).ok_or_else(|| damaged(n))?;
                }
                file.set_len(whole as u64).map_err(io)?;
                file.seek(SeekFrom::End(0)).map_err(io)?;
            }
        }
        journal.file = Some(file);
        Ok(journal)
    }

    fn take(&mut self, line: Line) -> Option<()> {
        match line.worths {
            None => {
                self.refused.insert(line.values);
            }
            Some(all) => {
                let worths = all.iter().map(worth).collect::<Option<Vec<_>>>()?;
                self.known.insert((line.values, line.from, line.from + worths.len()), Some(worths));
            }
        }
        Some(())
    }

    /// How many answers are known.
    pub fn len(&self) -> usize {
        self.known.len() + self.refused.len()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What these values are worth on these runs, if it is known; `Some(None)` if they make no policy.
    pub fn find(&self, values: &str, runs: &Range<usize>) -> Option<Option<Vec<Worth>>> {
        if self.refused.contains(values) {
            return Some(None);
        }
        self.known.get(&(values.to_owned(), runs.start, runs.end)).cloned()
    }

    /// Keeps an answer.
    pub fn keep(&mut self, values: &str, from: usize, worths: Option<&[Worth]>) -> Result<(), JournalError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let numbers = worths.map(|all| all.iter().map(numbers).collect());
        let line = Line { values: values.to_owned(), from, worths: numbers };
        let mut text = serde_json::to_string(&line).expect("finite numbers are JSON");
        text.push('\n');
        // One write, so that a crash tears the last line at most.
        let done = file.write_all(text.as_bytes());
        done.map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }
}

const CLASSES: [Class; 6] = [
    Class::TruePositive,
    Class::FalseNegative,
    Class::FalsePositive,
    Class::TrueNegative,
    Class::Escalated,
    Class::Inconclusive,
];

fn numbers(worth: &Worth) -> [f64; 8] {
    let flags = [
        worth.cost.rolled_back,
        worth.cost.needless,
        worth.cost.failed,
        worth.bad,
        worth.caught,
        worth.reached,
    ];
    let bits: u32 = flags.iter().enumerate().map(|(n, flag)| u32::from(*flag) << n).sum();
    let class = CLASSES.iter().position(|class| *class == worth.class).unwrap_or(0) as f64;
    let [low, medium, high, critical] = worth.cost.harmed;
    [low, medium, high, critical, f64::from(bits), class, worth.delay_s.unwrap_or(-1.0), worth.users]
}

fn worth(numbers: &[f64; 8]) -> Option<Worth> {
    let [low, medium, high, critical, bits, class, delay, users] = *numbers;
    let flag = |n: u32| bits as u32 >> n & 1 == 1;
    Some(Worth {
        cost: CostParts {
            harmed: [low, medium, high, critical],
            rolled_back: flag(0),
            needless: flag(1),
            failed: flag(2),
        },
        class: *CLASSES.get(class as usize)?,
        bad: flag(3),
        caught: flag(4),
        delay_s: (delay >= 0.0).then_some(delay),
        reached: flag(5),
        users,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn belongs(task: &str) -> Belongs {
        Belongs::new("0.1.0", task, "p", "s")
    }

    fn example(harm: f64) -> Worth {
        Worth {
            cost: CostParts {
                harmed: [harm, 0.1, 0.0, 7.0],
                rolled_back: true,
                needless: false,
                failed: true,
            },
            class: Class::Escalated,
            bad: true,
            caught: false,
            delay_s: Some(15.5),
            reached: true,
            users: 0.1 + 0.2,
        }
    }

    #[test]
    fn what_was_kept_is_found_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("evaluated.jsonl");
        let mut journal = Journal::open(&path, &belongs("t")).expect("new");
        journal.keep("[1]", 0, Some(&[example(1.0), example(2.0)])).expect("kept");
        journal.keep("[2]", 0, None).expect("kept");
        journal.keep("[3]", 0, Some(&[example(3.0)])).expect("kept");
        drop(journal);
        let text = std::fs::read(&path).expect("there");
        let whole = text.len();
        for cut in [whole, whole - 1, whole - 20] {
            std::fs::write(&path, &text[..cut]).expect("written");
            let mut journal = Journal::open(&path, &belongs("t")).expect("good");
            assert_eq!(journal.find("[1]", &(0..2)), Some(Some(vec![example(1.0), example(2.0)])));
            assert_eq!(journal.find("[1]", &(0..3)), None);
            assert_eq!(journal.find("[2]", &(5..9)), Some(None));
            let third = (cut == whole).then(|| Some(vec![example(3.0)]));
            assert_eq!(journal.find("[3]", &(0..1)), third);
            journal.keep("[4]", 2, Some(&[example(4.0)])).expect("kept");
            let again = Journal::open(&path, &belongs("t")).expect("good");
            assert_eq!(again.find("[4]", &(2..3)), Some(Some(vec![example(4.0)])));
        }
    }

    #[test]
    fn what_belongs_elsewhere_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("evaluated.jsonl");
        Journal::open(&path, &belongs("t")).expect("new");
        let error = Journal::open(&path, &belongs("other")).expect_err("another");
        assert!(error.to_string().ends_with("the tune file differs"), "{error}");
        std::fs::write(&path, "{}\n").expect("written");
        assert!(matches!(Journal::open(&path, &belongs("t")), Err(JournalError::Damaged { line: 1, .. })));
    }

    proptest! {
        #[test]
        fn runs_come_back_bit_by_bit(harm in 0.0_f64..1e9, users in 0.0_f64..1e9, bits in 0_u32..64, class in 0_usize..6) {
            let flag = |n: u32| bits >> n & 1 == 1;
            let mut before = example(harm);
            (before.users, before.class) = (users, CLASSES[class]);
            (before.bad, before.caught, before.reached) = (flag(0), flag(1), flag(2));
            (before.cost.rolled_back, before.cost.needless, before.cost.failed) = (flag(3), flag(4), flag(5));
            before.delay_s = before.reached.then_some(harm);
            let text = serde_json::to_string(&numbers(&before)).expect("JSON");
            let read: [f64; 8] = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(worth(&read), Some(before));
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,200}") {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("evaluated.jsonl");
            std::fs::write(&path, text).expect("written");
            let _ = Journal::open(&path, &belongs("t"));
        }
    }
}
