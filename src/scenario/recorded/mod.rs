//! Recorded incidents: a folder of sources, each a `cases.json` beside one CSV per case.
//!
//! `cases.json` says per case when the change went live, which service it changed, and what experts say was
//! true. A CSV has `t_seconds` (when the row's averaging interval was complete), the entry service's
//! `error_rate`, `latency_…_ms`, `requests_per_second`, `cpu_percent`, `memory_percent`, and any other columns.
//!
//! Reading checks every row of every file as a stream; nothing of a table stays in memory, and
//! [`RecordedCase::frames`] streams it again. Only the metric columns and the moment of the change reach a
//! frame; id, family, label, notes and onset are for scoring alone. A recording cannot react: what would have
//! followed another decision is unknown here, so its truth says that recovery cannot be told.

mod arms;
mod cases;
mod frames;
mod shipped;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use backspin_domain::expectation::Expectation;
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::signal::CustomSignal;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Cause, Truth};
use backspin_policy::document::source::{UNREADABLE, unplaced};
use backspin_policy::document::{FileKind, Problem, Problems};

pub use frames::{Frames, together};
pub use shipped::shipped;
pub use table::{CSV_BYTES_MAX, Columns, Place};

/// Rules of recorded files beyond their shape, with their stable numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Rule {
    /// A table has a header and at least one row.
    EmptyTable = 30,
    /// A row has as many fields as the header.
    RowLength = 31,
    /// A field is a finite number or empty.
    NotANumber = 32,
    /// Time rises from row to row.
    TimeNotRising = 33,
    /// No column twice. Of components a warning: their names may have been shortened to the same.
    DuplicateColumn = 34,
    /// A ratio is between 0 and 1.
    RatioRange = 35,
    /// Counts, latencies and uses are not negative.
    Negative = 36,
    /// There is a `t_seconds`, and something beside it.
    MissingColumn = 37,
    /// Change and onset lie within the record.
    OutsideRecord = 38,
    /// The label and the onset agree.
    LabelContradicts = 39,
    /// No case twice, and the listed counts are right.
    CaseList = 40,
    /// A case's file is a plain name in its source's folder.
    FileName = 41,
    /// No gap longer than 1000 sampling periods.
    GapTooLong = 42,
    /// The watch is cut where the record ends: a warning.
    WatchCut = 43,
    /// No source in the folder.
    NoSource = 44,
}

/// One recorded incident, or a stretch without one.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCase {
    /// Its name, unique within the source. Never reaches a judge.
    pub id: String,
    /// The source's name.
    pub source: String,
    /// The kind of fault, `none` for healthy ones.
    pub family: String,
    /// What it shows, in a sentence; empty if the list does not say.
    pub shows: String,
    /// Whether experts say that users were harmed by the change.
    pub bad: bool,
    /// Whether something outside did harm.
    pub external: bool,
    /// When the change went live.
    pub change: MonoTime,
    /// First harm; none without any.
    pub onset: Option<MonoTime>,
    /// The service that was changed.
    pub service: ServiceId,
    /// How long after the change a verdict is scored, cut at the record's end.
    pub watch: Millis,
    /// Time between samples.
    pub period: Millis,
    /// The record's last sample.
    pub end: MonoTime,
    /// Leading rows that come from an earlier or other healthy stretch.
    pub spliced_rows: u32,
    /// Whom to name when the data is shown.
    pub attribution: String,
    /// Under which licence it is used.
    pub licence: String,
    /// Where it comes from.
    pub origin: String,
    /// What the columns are.
    pub columns: Columns,
    /// When the record's own rollback took the candidate's traffic, if there was one. From then on nothing is known
    /// of the candidate.
    pub rolled_back: Option<MonoTime>,
    /// How fast damage decays that outlives the version: the time constant, zero if there is none.
    pub residual: Millis,
    /// What is expected of a policy.
    pub expect: Option<Expectation>,
    /// The table.
    pub place: Place,
}

impl RecordedCase {
    /// What is known to be true. The changed version is called `changed`, as recordings do not name it.
    ///
    /// There is no concurrent baseline, whether a rollback helped is taken from the label, and recovery is
    /// unknown.
    pub fn truth(&self) -> Truth {
        Truth {
            cause: match (self.bad, self.external) {
                (true, _) => Cause::Candidate,
                (false, true) => Cause::External,
                (false, false) => Cause::None,
            },
            bad_version: if self.bad { VersionId::new("changed").ok() } else { None },
            onset: self.onset,
            rollback_helps: self.bad,
            concurrent_baseline: self.columns.has_arms(),
            deployed: self.change,
            watch: self.watch,
            scrape: self.period,
            recovery_known: false,
        }
    }

    /// The signals of the other columns, in the order of `Frame::queries`.
    pub fn signals(&self) -> &[CustomSignal] {
        &self.columns.custom
    }

    /// The quiet stretch before what went wrong, as a good case of its own: nothing is changed at a nominal moment, which leaves `history` rows
    /// before it and the rest up to the onset for a watch. None where nothing went wrong, fewer rows lie before it, or the versions are
    /// recorded apart, since then there is no candidate before the change.
    pub fn before_the_harm(&self, history: usize) -> Result<Option<Self>, Problems> {
        let harm = self.onset.unwrap_or(self.change).min(self.change);
        if !self.bad || self.columns.has_arms() {
            return Ok(None);
        }
        let mut quiet = Vec::new();
        for frame in self.frames()? {
            let frame = frame.map_err(|problem| Problems::new(vec![problem], Vec::new()))?;
            if frame.at > harm {
                break;
            }
            quiet.push(frame.at);
        }
        let Some((change, last)) = history.checked_sub(1).and_then(|n| quiet.get(n)).zip(quiet.last()) else {
            return Ok(None);
        };
        if change >= last {
            return Ok(None);
        }
        Ok(Some(Self {
            bad: false,
            external: false,
            change: *change,
            onset: None,
            watch: last.since(*change),
            rolled_back: None,
            expect: None,
            ..self.clone()
        }))
    }

    /// What a judge sees, row by row, history first, until the watch ends. The table is read again.
    pub fn frames(&self) -> Result<Frames, Problems> {
        Frames::open(self)
    }
}

/// All cases of a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// By source and id.
    pub cases: Vec<RecordedCase>,
    /// What was taken as it stands but is worth knowing.
    pub warnings: Vec<Problem>,
}

/// Reads a folder of sources, or one source. Either every case is sound or every problem is reported.
pub fn read(folder: &Path) -> Result<Recorded, Problems> {
    let sources = sources(folder)?;
    let mut recorded = Recorded::default();
    let mut problems = Problems::new(Vec::new(), Vec::new());
    for source in sources {
        match cases::read_folder(&source) {
            Ok(found) => {
                recorded.cases.extend(found.cases);
                recorded.warnings.extend(found.warnings);
            }
            Err(found) => problems.append(found),
        }
    }
    recorded.cases.sort_by(|a, b| (&a.source, &a.id).cmp(&(&b.source, &b.id)));
    if problems.list.is_empty() { Ok(recorded) } else { Err(problems) }
}

/// Folders that hold a `cases.json`: the folder itself, or those in it, by name.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Problems> {
    let name = folder.display().to_string();
    let fail = |number, message: String, hint: &str| {
        let problem = unplaced(FileKind::Recorded, number, &name, message).with_hint(hint);
        Problems::new(vec![problem], Vec::new())
    };
    if folder.join(cases::LIST).is_file() {
        return Ok(vec![folder.to_path_buf()]);
    }
    let unreadable = |_| fail(UNREADABLE, format!("cannot read the folder `{name}`"), "check the path");
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join(cases::LIST).is_file() {
            sources.push(path);
        }
    }
    sources.sort();
    if sources.is_empty() {
        let message = format!("no source in `{name}`");
        return Err(fail(Rule::NoSource as u16, message, "a source is a folder with a `cases.json`"));
    }
    Ok(sources)
}
