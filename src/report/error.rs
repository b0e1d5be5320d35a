//! What can go wrong when a report is written.

use std::io;
use std::path::PathBuf;

use backspin_record::RecordError;

use super::write::MARKER;
use backspin_score::ScoreError;

/// What can go wrong when a report is written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is something in the folder that is not a report of ours; nothing was touched.
    #[error("`{}` exists and is not a report (it holds no `{MARKER}`), so it is left alone", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// A record could not be written beside the page.
    #[error("cannot write a record of the report")]
    Record(#[source] RecordError),
    /// A folder cannot be named so.
    #[error("`{}` cannot hold a report: it has no name of its own", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// There is no room for it.
    #[error("no space left to write `{}`", path.display())]
    NoSpace {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It may not be written there.
    #[error("`{}` may not be written: read-only or no permission", path.display())]
    NotAllowed {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Anything else about a file.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A run that was to be shown cannot be scored.
    #[error("run {index} of those to be shown cannot be reported")]
    Shown {
        /// Which, from 0.
        index: usize,
        /// Why.
        #[source]
        source: ScoreError,
    },
    /// A picture could not be drawn.
    #[error("the picture of `{scenario}` cannot be drawn: {reason}")]
    Chart {
        /// The scenario.
        scenario: String,
        /// The drawing library's words.
        reason: String,
    },
    /// A template is missing or broken.
    #[error("template `{name}` cannot be rendered")]
    Template {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: minijinja::Error,
    },
    /// The figures cannot be written as JSON.
    #[error("`report.json` cannot be encoded")]
    Json(#[source] serde_json::Error),
    /// The figures cannot be written as CSV.
    #[error("`figures.csv` cannot be encoded")]
    Csv(#[source] csv::Error),
}

impl ReportError {
    /// Sorts an error of the file system into those that a person can do something about.
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotAllowed { path, source }
            }
            _ => Self::Write { path, source },
        }
    }
}
