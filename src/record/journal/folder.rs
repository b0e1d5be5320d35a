//! A journal's folder: names of its files, which segments are there, and whose it is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::{Doing, JournalError};
use super::head::{Head, NoHead, SLOT_BYTES, SLOTS, Slot};
use crate::flaw::Unsound;

/// The file name of a segment, from 1.
pub(super) fn segment_name(number: u32) -> String {
    format!("{number:0NAME_DIGITS$}.jsonl")
}

/// The number in a segment's file name; none for any other name.
pub(super) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".jsonl")?;
    let plain = digits.len() == NAME_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && *number > 0)
}

/// Digits of a segment's number.
const NAME_DIGITS: usize = 8;
/// The largest number that these digits hold.
pub(super) const SEGMENTS_MAX: u32 = 99_999_999;

pub(super) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(segment_name(number))
}

pub(super) fn head_path(folder: &Path) -> PathBuf {
    folder.join("head.json")
}

/// Whether a folder looks like a journal's.
pub fn holds_journal(folder: &Path) -> bool {
    segment_path(folder, 1).is_file() || head_path(folder).is_file()
}

/// The number of the last segment, 0 if there is none. They must be numbered without a gap.
pub(super) fn last_segment(folder: &Path) -> Result<u32, JournalError> {
    let failed = |source| JournalError::io(Doing::List, folder, source);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(segment_number));
    }
    numbers.sort_unstable();
    for (expected, found) in (1..).zip(&numbers) {
        if expected != *found {
            return Err(Unsound::SegmentMissing { segment: segment_name(expected) }.into());
        }
    }
    Ok(numbers.last().copied().unwrap_or(0))
}

/// The slot of the head that counts; none if there is no head file.
pub(super) fn read_head(folder: &Path) -> Result<Option<Slot>, JournalError> {
    let path = head_path(folder);
    let failed = |source| JournalError::io(Doing::Read, &path, source);
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mut bytes = Vec::with_capacity(SLOT_BYTES * SLOTS as usize);
    file.take(SLOT_BYTES as u64 * SLOTS).read_to_end(&mut bytes).map_err(failed)?;
    match Head::read(&bytes) {
        Ok(slot) => Ok(Some(slot)),
        Err(NoHead::Damaged) => Err(JournalError::HeadDamaged { folder: folder.to_owned() }),
        Err(NoHead::Version(found)) => Err(JournalError::Version { folder: folder.to_owned(), found }),
    }
}

/// The right to write to a journal; given back when it is dropped, and by the operating system when the process
/// ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file alone would not do: a child process that another thread has just forked holds a copy of the
    /// descriptor until it begins its own program, and the lock with it.
    fn drop(&mut self) {
        // On failure, closing gives it back a moment later.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes it, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join("lock");
        let failed = |source| JournalError::io(Doing::Lock, &path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked { folder: folder.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // For people only: the lock is the operating system's, a stale number in the file locks nothing.
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }
}

/// The process that wrote its number into the lock file, if it can be read.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_free_even_while_a_forked_child_has_the_descriptor() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = Lock::take(folder.path()).expect("free");
        // What a fork leaves in the child until it calls exec.
        let _inherited = lock.file.try_clone().expect("copied");
        assert!(matches!(Lock::take(folder.path()), Err(JournalError::Locked { .. })));
        drop(lock);
        Lock::take(folder.path()).expect("free again");
    }
}
