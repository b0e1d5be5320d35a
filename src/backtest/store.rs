//! What was fetched is kept: one file per piece, written whole or not at all, with a checksum over all of it.
//!
//! A file is a line of JSON (what was asked, of whom, and the SHA-256 of the rest) and the answer as Prometheus gives it,
//! compressed with gzip. A file that was cut, changed, or is of something else is no piece: it is fetched anew.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::metrics::Metrics;
use super::pieces::Piece;
use backspin_domain::time::WallTime;
use backspin_plane::http::metrics::{RawAnswer, read_raw};

/// The version of the files.
const VERSION: u32 = 1;

/// How the names of pieces end.
const ENDING: &str = "piece";

/// Largest body that is unpacked, bytes.
const BODY_MAX: u64 = 1 << 30;

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: u32,
    query: String,
    from_ms: i64,
    to_ms: i64,
    scrape_ms: u64,
    server: String,
    sha256: String,
}

/// A folder of pieces.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    /// Whom the pieces are asked of; none where any will do.
    server: Option<String>,
}

/// What is kept of a piece.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// All of it.
    Whole(RawAnswer),
    /// Nothing.
    Nothing,
    /// A file that is no whole piece, and why.
    Damaged(&'static str),
}

/// What can go wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or the folder cannot be read or written.
    #[error("cannot keep or read `{}`", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds pieces of another server.
    #[error("`{}` was fetched from `{found}`, and not from `{asked}`", path.display())]
    OtherServer {
        /// A piece.
        path: PathBuf,
        /// Where it came from.
        found: String,
        /// Who is asked now.
        asked: String,
    },
}

impl Store {
    /// A folder, which is made if it is not there, of pieces of this server.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path, server: &str) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        let server = Some(server.trim_end_matches('/').to_owned());
        Ok(Self { folder: folder.to_owned(), server })
    }

    /// A folder that is only read, whoever its pieces are of.
    pub fn read_only(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), server: None }
    }

    /// Whether there is a piece in a folder.
    pub fn is_one(folder: &Path) -> bool {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.path().extension().is_some_and(|ending| ending == ENDING))
    }

    /// Where a piece is kept: named by service and time, and told apart by a hash over what is asked.
    pub fn path(&self, metrics: &Metrics, piece: &Piece) -> PathBuf {
        let (from, to, scrape) = (piece.from.0, piece.to.0, metrics.scrape().0);
        let query = metrics.selector(&[&piece.service]);
        let key = hex(&Sha256::digest(format!("{VERSION}\n{query}\n{from}\n{to}\n{scrape}").as_bytes()));
        self.folder.join(format!("{}-{}-{}.{ENDING}", piece.service, from / 1000, &key[..16]))
    }

    /// What is kept of a piece.
    ///
    /// # Errors
    /// When a file that is there cannot be read, or is another server's.
    pub fn get(&self, metrics: &Metrics, piece: &Piece) -> Result<Kept, StoreError> {
        let path = self.path(metrics, piece);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::Nothing),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        let Some(line) = bytes.iter().position(|b| *b == b'\n') else {
            return Ok(Kept::Damaged("it has no head"));
        };
        let (head, body) = (&bytes[..line], &bytes[line + 1..]);
        let Ok(head) = serde_json::from_slice::<Head>(head) else {
            return Ok(Kept::Damaged("its head is broken"));
        };
        if head.sha256 != sum(&head, body) {
            return Ok(Kept::Damaged("its checksum is wrong"));
        }
        let wanted = self.head(metrics, piece);
        if let Some(asked) = self.server.clone().filter(|asked| *asked != head.server) {
            return Err(StoreError::OtherServer { path, found: head.server, asked });
        }
        if (&head.query, head.from_ms, head.to_ms) != (&wanted.query, wanted.from_ms, wanted.to_ms) {
            return Ok(Kept::Damaged("it is of something else"));
        }
        Ok(unpacked(body).map_or(Kept::Damaged("it cannot be unpacked"), Kept::Whole))
    }

    /// Keeps a piece. It is there whole when this comes back, or as it was before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, metrics: &Metrics, piece: &Piece, answer: &RawAnswer) -> Result<(), StoreError> {
        let path = self.path(metrics, piece);
        let failed = |source| StoreError::Io { path: path.clone(), source };
        let body = packed(answer).map_err(failed)?;
        let mut head = self.head(metrics, piece);
        head.sha256 = sum(&head, &body);
        let mut bytes = serde_json::to_vec(&head).expect("text and numbers");
        bytes.push(b'\n');
        bytes.extend_from_slice(&body);
        let partial = path.with_extension("partial");
        let written = File::create(&partial).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&partial, &path)).map_err(failed)
    }

    fn head(&self, metrics: &Metrics, piece: &Piece) -> Head {
        Head {
            version: VERSION,
            query: metrics.selector(&[&piece.service]),
            from_ms: piece.from.0,
            to_ms: piece.to.0,
            scrape_ms: metrics.scrape().0,
            server: self.server.clone().unwrap_or_default(),
            sha256: String::new(),
        }
    }
}

/// Over the body and what the head says of it.
fn sum(head: &Head, body: &[u8]) -> String {
    let mut bare = head.clone();
    bare.sha256.clear();
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(&bare).expect("text and numbers"));
    digest.update(body);
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The answer as Prometheus' API gives it, compressed.
fn packed(answer: &RawAnswer) -> std::io::Result<Vec<u8>> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(written(answer).as_bytes())?;
    out.finish()
}

/// The answer as Prometheus' API gives it.
pub(crate) fn written(answer: &RawAnswer) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[");
    for (n, series) in answer.series.iter().enumerate() {
        let metric: serde_json::Map<_, _> =
            series.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{{\"metric\":{},\"values\":[", serde_json::Value::Object(metric));
        for (n, sample) in series.samples.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            let (sign, ms) = (if sample.at_ms < 0 { "-" } else { "" }, sample.at_ms.unsigned_abs());
            let _ = write!(text, "{comma}[{sign}{}.{:03},\"{}\"]", ms / 1000, ms % 1000, sample.value);
        }
        text.push_str("]}");
    }
    let _ = write!(text, "]}},\"warnings\":{}}}", serde_json::Value::from(answer.notes.clone()));
    text
}

fn unpacked(body: &[u8]) -> Option<RawAnswer> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(body).take(BODY_MAX).read_to_end(&mut text).ok()?;
    read_raw(&text).ok()
}

/// The samples of an answer after `from` up to `to`: servers before 3.0 give the sample at `from` as well.
pub(crate) fn within(answer: &mut RawAnswer, from: WallTime, to: WallTime) {
    for series in &mut answer.series {
        series.samples.retain(|sample| sample.at_ms > from.0 && sample.at_ms <= to.0);
    }
    answer.series.retain(|series| !series.samples.is_empty());
}
