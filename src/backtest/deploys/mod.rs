//! When what was shipped: CSV, the history of a cluster, annotations of dashboards.
//!
//! What a file does not tell stays unknown; nothing is guessed. What a controller decided about a deploy is not what was
//! so: it ends the deploy, and its outcome stays unknown unless somebody wrote it down.

mod annotations;
mod cluster;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::path::Path;

use serde::{Deserialize, Serialize};

use backspin_domain::id::ServiceId;
use backspin_domain::time::WallTime;
use backspin_policy::document::node::{self, Value};
use backspin_policy::document::{FileKind, Problem, Problems, Source};

/// Largest file of deploys that is read, bytes.
const BYTES_MAX: u64 = 64 << 20;

/// Deploys of one backtest, at most.
pub const DEPLOYS_MAX: usize = 100_000;

/// A moment that is none, or not in order.
const BAD_MOMENT: u16 = 30;
/// A column, a tag or a field that must be there is not.
const INCOMPLETE: u16 = 31;
/// The file is none of the known forms.
const UNKNOWN_FORM: u16 = 32;
/// More deploys than are read.
const TOO_MANY: u16 = 33;
/// A word that is none of those that are known.
const BAD_WORD: u16 = 34;

/// Whether a deploy did harm, as somebody found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did none.
    Good,
    /// It did.
    Bad,
    /// Nobody wrote it down.
    #[default]
    Unknown,
}

impl Outcome {
    /// The word in files and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }

    /// From the word; nothing written is unknown.
    fn read(word: &str) -> Option<Self> {
        match word.trim() {
            "good" => Some(Self::Good),
            "bad" => Some(Self::Bad),
            "unknown" | "" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// One deploy of the past.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PastDeploy {
    /// When it began.
    pub at: WallTime,
    /// Of which service.
    pub service: ServiceId,
    /// What was shipped, as it is called: an image's tag, a number, a name.
    pub version: String,
    /// The hash that the names of its pods have, where that is known.
    pub pod_hash: Option<String>,
    /// When it was over: taken back, promoted, or followed by another.
    pub ended: Option<WallTime>,
    /// When its harm began, if it is known and did any.
    pub onset: Option<WallTime>,
    /// Whether it did harm.
    pub outcome: Outcome,
    /// What else its source tells of its end, in words; empty: nothing.
    pub note: String,
    /// Where it stands: file and line.
    pub place: String,
}

impl PastDeploy {
    /// Whether this value of the label that tells versions apart is of this deploy's version.
    pub fn is_of(&self, label: &str) -> bool {
        label == self.version || self.pod_hash.as_deref() == Some(label)
    }
}

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deploys {
    /// By time, service and version, each once; those that are followed by another of their service end there at the latest.
    pub list: Vec<PastDeploy>,
    /// What was passed over, in words.
    pub notes: Vec<String>,
}

/// Reads files of deploys.
///
/// # Errors
/// Every problem in them, with its place.
pub fn load(paths: &[&Path]) -> Result<Deploys, Problems> {
    let mut sources = Vec::new();
    for path in paths {
        sources.push(Source::open(FileKind::Deploys, path, BYTES_MAX)?);
    }
    parse(&sources)
}

/// The same of texts.
///
/// # Errors
/// Every problem in them, with its place.
pub fn parse(sources: &[Source]) -> Result<Deploys, Problems> {
    let mut all = Deploys::default();
    let mut problems = Problems { list: Vec::new(), texts: Vec::new() };
    for source in sources {
        match read(source) {
            Ok(found) => {
                all.list.extend(found.list);
                all.notes.extend(found.notes);
            }
            Err(list) => problems.append(source.fail(list)),
        }
    }
    if let (true, Some(source)) = (all.list.len() > DEPLOYS_MAX, sources.first()) {
        let words = format!("{} deploys, at most {DEPLOYS_MAX} are read", all.list.len());
        problems.append(source.fail(vec![source.problem(TOO_MANY, 0..0, words)]));
    }
    if !problems.list.is_empty() {
        return Err(problems);
    }
    all.list.sort();
    all.list.dedup_by(|a, b| a.at == b.at && a.service == b.service && a.version == b.version);
    end_at_the_next(&mut all.list);
    Ok(all)
}

/// A deploy is over when the next one of its service begins.
fn end_at_the_next(list: &mut [PastDeploy]) {
    let mut next = std::collections::BTreeMap::new();
    for deploy in list.iter_mut().rev() {
        if let Some(at) = next.insert(deploy.service.clone(), deploy.at) {
            // Two at the same moment do not end each other.
            let follows = (at > deploy.at).then_some(at);
            deploy.ended = deploy.ended.into_iter().chain(follows).min();
        }
    }
}

fn read(source: &Source) -> Result<Deploys, Vec<Problem>> {
    let beginning = source.text.trim_start();
    let ending = Path::new(&source.name).extension().and_then(|ending| ending.to_str());
    let is_tree = matches!(ending, Some("json" | "yaml" | "yml")) || beginning.starts_with(['{', '[']);
    if ending == Some("csv") || (!is_tree && beginning.lines().next().is_some_and(|line| line.contains(',')))
    {
        return table::read(source);
    }
    let root = node::parse(source).map_err(|problem| vec![problem])?;
    match &root.value {
        Value::List(items) => annotations::read(source, items),
        Value::Map(_) if root.has(&["annotations"]) => match &tree::field(&root, "annotations").value {
            Value::List(items) => annotations::read(source, items),
            _ => Err(vec![unknown(source)]),
        },
        Value::Map(_) if root.has(&["kind"]) => cluster::read(source, &root),
        Value::Map(_) | Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {
            Err(vec![unknown(source)])
        }
    }
}

fn unknown(source: &Source) -> Problem {
    source.problem(UNKNOWN_FORM, 0..0, "this is no list of deploys").with_hint(
        "write CSV with the columns service,time,version[,outcome,ended,onset,pod_hash], or give a list of ReplicaSets, an Argo \
         Rollout, a Flagger Canary or a list of dashboard annotations, as JSON or YAML",
    )
}

/// A moment: RFC 3339, or seconds or milliseconds since 1970.
pub fn moment(text: &str) -> Option<WallTime> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().and_then(of_number);
    }
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(WallTime(at.as_millisecond()))
}

/// What is small enough to be seconds is taken for seconds: 1e11 of them end in the year 5138, as milliseconds in 1973.
fn of_number(number: i64) -> Option<WallTime> {
    match number {
        0..100_000_000_000 => Some(WallTime(number * 1000)),
        100_000_000_000..100_000_000_000_000 => Some(WallTime(number)),
        _ => None,
    }
}

/// A moment in words: RFC 3339, whole seconds.
pub fn written(at: WallTime) -> String {
    let seconds = at.0.div_euclid(1000);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| format!("{seconds} s"), |at| at.to_string())
}
