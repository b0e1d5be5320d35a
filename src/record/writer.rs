//! Writing a record into a file, whole or not at all.

use std::borrow::Borrow;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::codec::encode_line;
use super::error::RecordError;
use backspin_domain::entry::Entry;

/// Writes the entries' lines. Flushing is the caller's.
pub fn write_lines<E: Borrow<Entry>>(
    entries: impl IntoIterator<Item = E>,
    to: &mut impl Write,
) -> Result<(), RecordError> {
    let mut line = Vec::with_capacity(1024);
    for (seq, entry) in (0..).zip(entries) {
        line.clear();
        encode_line(seq, entry.borrow(), &mut line)?;
        to.write_all(&line)
            .map_err(|source| RecordError::Write { path: PathBuf::from("<stream>"), source })?;
    }
    Ok(())
}

/// Writes a record to `path`: into `path` + `.partial` first, which then takes its name. A file that was there
/// before stays as it was until then, and if anything fails.
pub fn write_record<E: Borrow<Entry>>(
    path: &Path,
    entries: impl IntoIterator<Item = E>,
) -> Result<(), RecordError> {
    let failed = |source: io::Error| RecordError::Write { path: path.to_owned(), source };
    let mut name = OsString::from(path);
    name.push(".partial");
    let partial = PathBuf::from(name);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&partial).map_err(failed)?);
        write_lines(entries, &mut file).map_err(|error| match error {
            RecordError::Write { source, .. } => failed(source),
            other => other,
        })?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        fs::rename(&partial, path).map_err(failed)
    })();
    if written.is_err() {
        // The error that counts is the first; a left-over partial file is only untidy.
        let _ = fs::remove_file(&partial);
    }
    written
}
