//! A tuning as files: the policy, what it was found by, and how far it can be trusted.
//!
//! Everything is made of [`Tuned`] alone. Each file is written beside its name and then takes it, so that none is ever half
//! there; the journal of what was played stays where it is.

mod front_chart;
mod markdown;
mod page;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use backspin_policy::Policy;

use crate::model::{Difference, HeldOut, Opening, Told, Tuned};

pub use markdown::markdown;
pub use page::page;

/// The file that tells a folder of ours from any other.
const MARKER: &str = ".backspin-tune";

/// Where what was played is kept.
pub const JOURNAL: &str = "evaluated.jsonl";

/// Where openings of what was locked away are kept.
const OPENINGS: &str = "holdout.json";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds something else.
    #[error("`{}` is not empty and was not made by `backspin tune`", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The list of openings is not one.
    #[error("`{}` cannot be read as a list of openings", path.display())]
    Openings {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// The folder of a tuning.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it or takes it up again; a folder that holds anything else is refused.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let io = |source| FolderError::Io { path: path.to_path_buf(), source };
        fs::create_dir_all(path).map_err(io)?;
        let folder = Self(path.to_path_buf());
        let empty = fs::read_dir(path).map_err(io)?.next().is_none();
        if !empty && !path.join(MARKER).is_file() {
            return Err(FolderError::NotOurs { path: path.to_path_buf() });
        }
        folder.put(MARKER, "This folder is kept by `backspin tune`.\n")?;
        Ok(folder)
    }

    /// Where a file of it is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn put(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let (path, partial) = (self.file(name), self.file(&format!(".{name}.partial")));
        let io = |source| FolderError::Io { path: path.clone(), source };
        fs::write(&partial, text).map_err(io)?;
        fs::rename(&partial, &path).map_err(io)
    }

    /// Each time that what was locked away was opened, the oldest first.
    pub fn openings(&self) -> Result<Vec<Opening>, FolderError> {
        let path = self.file(OPENINGS);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|source| FolderError::Openings { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(FolderError::Io { path, source }),
        }
    }

    /// Writes an opening down, before anything is looked at.
    pub fn keep_openings(&self, openings: &[Opening]) -> Result<(), FolderError> {
        let mut text = serde_json::to_string_pretty(openings).expect("texts are JSON");
        text.push('\n');
        self.put(OPENINGS, &text)
    }

    /// Writes what was found: `policy.yaml`, `tune.json`, `tune.md` and `index.html`.
    pub fn write(&self, tuned: &Tuned, policy: &Policy) -> Result<(), FolderError> {
        self.put("policy.yaml", &policy_file(tuned, policy))?;
        let mut json = serde_json::to_string_pretty(tuned).expect("finite numbers are JSON");
        json.push('\n');
        self.put("tune.json", &json)?;
        self.put("tune.md", &markdown(tuned))?;
        self.put("index.html", &page(tuned))
    }
}

/// The policy with, above it, where it came from.
fn policy_file(tuned: &Tuned, policy: &Policy) -> String {
    let changed = tuned.parts.iter().filter(|part| part.before != part.after);
    let mut text = format!(
        "# Tuned by backspin {} from a policy with hash {}; `tune.md` beside it says on what and how sure.\n",
        tuned.build,
        short(&tuned.before)
    );
    for part in changed {
        let was = part.before.as_deref().unwrap_or("without meaning");
        let is = part.after.as_deref().unwrap_or("without meaning");
        writeln!(text, "# {}: {is} (was {was})", part.path).expect("text takes everything");
    }
    if let Some(threshold) = &tuned.threshold {
        writeln!(text, "# {threshold} (worked out from good deploys)").expect("text takes everything");
    }
    text.push_str(&policy.show());
    text
}

/// In a sentence: what came of it.
pub fn headline(tuned: &Tuned) -> String {
    let gain = tuned.chosen.gain;
    if tuned.before == tuned.after {
        return "Nothing was found that is better than what was, beyond one standard error".to_owned();
    }
    let share = if tuned.start.objective == 0.0 { 0.0 } else { gain.mean / tuned.start.objective * 100.0 };
    format!(
        "The {} goes from {} to {}: {} less ({share:.1} %)",
        tuned.objective,
        number(tuned.start.objective),
        number(tuned.chosen.objective),
        with_interval(gain)
    )
}

/// `12.3 [4.5, 20.1]`.
fn with_interval(difference: Difference) -> String {
    let (low, high) = difference.interval();
    format!("{} [{}, {}]", number(difference.mean), number(low), number(high))
}

/// A gain in words: so much less, or more.
fn less(gain: Difference) -> String {
    if gain.mean >= 0.0 {
        format!("{} less", with_interval(gain))
    } else {
        let (low, high) = gain.interval();
        format!("{} [{}, {}] more", number(-gain.mean), number(-high), number(-low))
    }
}

/// Enough digits to tell things apart, no more.
fn number(value: f64) -> String {
    let size = libm::fabs(value);
    if size < 0.000_05 {
        "0".to_owned()
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

fn percent(share: backspin_score::Share) -> String {
    match share.value() {
        None => "–".to_owned(),
        Some(value) => format!(
            "{:.2} % [{:.2}, {:.2}] ({} of {})",
            value * 100.0,
            share.lower * 100.0,
            share.upper * 100.0,
            share.k,
            share.n
        ),
    }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// The rows of a table of candidates: a name, then a cell for each.
fn figure_rows(told: &[&Told]) -> Vec<(&'static str, Vec<String>)> {
    let row = |name, of: &dyn Fn(&Told) -> String| (name, told.iter().map(|told| of(told)).collect());
    vec![
        row("objective", &|told| number(told.objective)),
        row("better than what was", &|told| with_interval(told.gain)),
        row("mean cost", &|told| number(told.figures.cost)),
        row("false rollbacks", &|told| percent(told.figures.false_rollbacks)),
        row("people called for good deploys", &|told| percent(told.figures.escalations)),
        row("bad deploys missed", &|told| percent(told.figures.missed)),
        row("median delay", &|told| {
            let median = told.figures.median_delay_s;
            median.map_or_else(|| "half were missed".to_owned(), |seconds| format!("{seconds:.0} s"))
        }),
        row("mean users harmed", &|told| number(told.figures.users)),
        row("breaks", &|told| {
            if told.broken.is_empty() { "nothing".to_owned() } else { told.broken.join("; ") }
        }),
    ]
}

/// What opening of what was locked away came to, in sentences.
fn held_words(held: &HeldOut, on_training: Difference) -> Vec<String> {
    let mut words = vec![
        format!(
            "On families that the search never saw ({}), over {} runs: cost {} before, {} after; the objective is {}. In \
             training it was {}, so {} of the gain is not carried over.",
            held.names.join(", "),
            held.start.runs,
            number(held.start.cost),
            number(held.chosen.cost),
            less(held.gain),
            less(on_training),
            number(on_training.mean - held.gain.mean),
        ),
        format!(
            "False rollbacks there: {} before, {} after. Missed: {} before, {} after.",
            percent(held.start.false_rollbacks),
            percent(held.chosen.false_rollbacks),
            percent(held.start.missed),
            percent(held.chosen.missed),
        ),
    ];
    let last = held.openings.last();
    words.push(match (held.openings.len(), last) {
        (0 | 1, Some(first)) => format!("Opened once, on {}, for policy {}.", first.date, short(&first.policy)),
        (times, Some(last)) => format!(
            "Opened {times} times, last on {}: whoever chooses after the first look has trained on it, so these figures flatter.",
            last.date
        ),
        (_, None) => String::new(),
    });
    words
}
