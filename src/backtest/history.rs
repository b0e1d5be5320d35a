//! The samples of a service over a window: out of kept pieces, or out of range answers that somebody saved.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::fetch::join;
use super::metrics::Metrics;
use super::pieces::{Span, Window};
use super::store::{Kept, Store, StoreError, within};
use backspin_domain::id::ServiceId;
use backspin_plane::http::metrics::{QueryError, RawAnswer, RawSeries, read_raw};

/// Largest saved answer that is read, bytes.
const ANSWER_MAX: u64 = 1 << 30;

/// Where samples come from.
#[derive(Debug)]
pub enum History {
    /// Pieces that were fetched.
    Kept {
        /// Their folder.
        store: Store,
        /// How they were cut.
        span: Span,
    },
    /// Saved answers, by service.
    Saved(BTreeMap<String, RawAnswer>),
}

/// Why samples cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The folder failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A piece is not there.
    #[error("`{}` is not there, or is no whole piece ({why})", path.display())]
    Lacking {
        /// Where it would be.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A saved answer is none.
    #[error("`{}` is no answer of a range query", path.display())]
    NoAnswer {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: QueryError,
    },
    /// A saved answer is too large.
    #[error("`{}` has {bytes} bytes, at most {ANSWER_MAX} are read", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// There is nothing in the folder that can be read.
    #[error("`{}` holds neither pieces nor `.json` answers", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
}

impl History {
    /// Reads a folder: pieces as they were fetched, else every `.json` file in it as an answer of a range query.
    ///
    /// # Errors
    /// When it holds neither, or a file is no answer.
    pub fn open(folder: &Path, metrics: &Metrics, span: Span) -> Result<Self, HistoryError> {
        if Store::is_one(folder) {
            return Ok(Self::Kept { store: Store::read_only(folder), span });
        }
        let failed =
            |path: &Path, source| HistoryError::Store(StoreError::Io { path: path.to_owned(), source });
        let entries = fs::read_dir(folder).map_err(|error| failed(folder, error))?;
        let mut paths: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        // The order of a folder is the system's.
        paths.sort();
        if paths.is_empty() {
            return Err(HistoryError::Nothing { path: folder.to_owned() });
        }
        let mut by_service: BTreeMap<String, RawAnswer> = BTreeMap::new();
        for path in paths {
            let bytes = fs::metadata(&path).map_err(|error| failed(&path, error))?.len();
            if bytes > ANSWER_MAX {
                return Err(HistoryError::TooLarge { path, bytes });
            }
            let body = fs::read(&path).map_err(|error| failed(&path, error))?;
            let answer = read_raw(&body).map_err(|error| HistoryError::NoAnswer { path, error })?;
            let mut parts: BTreeMap<String, RawAnswer> = BTreeMap::new();
            for series in answer.series {
                if let Some(service) = series.label(metrics.service_label()).map(str::to_owned) {
                    parts.entry(service).or_default().series.push(series);
                }
            }
            for (service, part) in parts {
                join(by_service.entry(service).or_default(), part);
            }
        }
        for series in by_service.values_mut().flat_map(|answer| &mut answer.series) {
            series.samples.sort_by_key(|sample| sample.at_ms);
            series.samples.dedup_by_key(|sample| sample.at_ms);
        }
        Ok(Self::Saved(by_service))
    }

    /// The series of a service in a window, each with at least one sample in it, oldest first.
    ///
    /// # Errors
    /// When a piece is not there whole.
    pub fn series(
        &self,
        metrics: &Metrics,
        service: &ServiceId,
        window: Window,
    ) -> Result<Vec<RawSeries>, HistoryError> {
        let mut all = RawAnswer::default();
        match self {
            Self::Kept { store, span } => {
                for piece in span.pieces(service, window, metrics.scrape()) {
                    let lacking = |why| HistoryError::Lacking { path: store.path(metrics, &piece), why };
                    match store.get(metrics, &piece)? {
                        Kept::Whole(part) => join(&mut all, part),
                        Kept::Nothing => return Err(lacking("it was not fetched")),
                        Kept::Damaged(why) => return Err(lacking(why)),
                    }
                }
            }
            Self::Saved(by_service) => all = by_service.get(service.as_str()).cloned().unwrap_or_default(),
        }
        within(&mut all, window.start, window.end);
        Ok(all.series)
    }
}
