//! Creating a journal, and opening one that is there: verified, repaired, locked.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::disk::{Disk, DiskFile, Os};
use super::error::{Doing, JournalError};
use super::folder::{Lock, head_path, last_segment, read_head, segment_path};
use super::head::{Head, SLOT_BYTES, SLOTS};
use super::reader::{Cut, JournalReader, Position};
use super::writer::{State, Writer};
use super::{Files, Journal, JournalOptions};
use crate::course::Course;
use crate::flaw::Chain;
use backspin_domain::entry::{Entry, RECORD_VERSION, RunHeader};

/// A journal that was opened to be continued.
#[derive(Debug)]
pub struct Opened {
    /// The journal, which goes on after its last whole entry.
    pub journal: Journal,
    /// Its entries so far, from the header on. They were verified; reading them once more can only fail if the disk
    /// does.
    pub entries: JournalReader,
    /// What was cut off: a torn batch that was never acknowledged. None if there was none.
    pub cut: Option<Cut>,
    /// Whole entries that were found beyond the head: their commit was durable, but the process died before it could
    /// acknowledge it, or a power cut put the head back. They count. No signature covers them until now.
    pub beyond_head: u64,
}

impl Journal {
    /// Creates a journal in a folder, which is made if need be, and makes its header durable.
    ///
    /// Errs if there is a journal already (except one of which nothing was ever acknowledged), if another engine holds
    /// the folder, if the header is not of this build's version, or if the disk does.
    pub fn create(folder: &Path, header: &RunHeader, options: JournalOptions) -> Result<Self, JournalError> {
        Self::create_on(Box::new(Os), folder, header, options)
    }

    pub(super) fn create_on(
        disk: Box<dyn Disk>,
        folder: &Path,
        header: &RunHeader,
        options: JournalOptions,
    ) -> Result<Self, JournalError> {
        if header.version != RECORD_VERSION {
            return Err(JournalError::Version { folder: folder.to_owned(), found: header.version.into() });
        }
        let failed = |source| JournalError::io(Doing::Create, folder, source);
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = Lock::take(folder)?;
        clear_unacknowledged(folder)?;
        let head = Head::start();
        let mut head_file = disk.create(&head_path(folder)).map_err(failed)?;
        let mut slots = [b' '; SLOT_BYTES * SLOTS as usize];
        slots[..SLOT_BYTES].copy_from_slice(&head.slot(options.key.as_ref()));
        slots[SLOT_BYTES * SLOTS as usize - 1] = b'\n';
        head_file.write_at(0, &slots).and_then(|()| head_file.sync()).map_err(failed)?;
        let segment = disk.create(&segment_path(folder, head.segment)).map_err(failed)?;
        disk.sync_folder(folder).map_err(failed)?;
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_folder(parent).map_err(failed)?;
        }
        let writer =
            Writer { folder: folder.to_owned(), options, disk, segment, head_file, head, state: State::Good };
        let mut journal = Self::assemble(writer, lock, Course::start());
        journal.append(&Entry::Header(Box::new(header.clone())))?;
        journal.commit()?;
        // From here on a head that acknowledges nothing means that nothing was, power cut or not.
        journal.sync_head()?;
        Ok(journal)
    }

    /// Opens a journal to continue it: takes the lock, verifies everything, cuts a torn batch off that was never
    /// acknowledged, and makes durable what is left.
    ///
    /// Errs, and changes nothing, if another engine writes to it, if anything that was acknowledged is missing, damaged or
    /// changed, if the journal is of a newer version, or if key and signature do not fit.
    pub fn open(folder: &Path, options: JournalOptions) -> Result<Opened, JournalError> {
        Self::open_on(Box::new(Os), folder, options)
    }

    pub(super) fn open_on(
        disk: Box<dyn Disk>,
        folder: &Path,
        options: JournalOptions,
    ) -> Result<Opened, JournalError> {
        if !super::holds_journal(folder) {
            return Err(JournalError::NotAJournal { folder: folder.to_owned() });
        }
        let lock = Lock::take(folder)?;
        let public = options.key.as_ref().map(super::HeadKey::public);
        if public.is_none() && read_head(folder)?.is_some_and(|slot| slot.is_signed()) {
            return Err(JournalError::KeyNeeded { folder: folder.to_owned() });
        }
        let mut found = JournalReader::open(folder, public.as_ref())?;
        for entry in &mut found {
            entry.map_err(|source| JournalError::Record { folder: folder.to_owned(), source })?;
        }
        if found.chain.next == 0 {
            return Err(JournalError::NothingAcknowledged { folder: folder.to_owned() });
        }
        if found.course.version > RECORD_VERSION {
            return Err(JournalError::Newer { folder: folder.to_owned(), found: found.course.version });
        }
        let end = found.last_line_end();
        let path = segment_path(folder, end.segment);
        let repair = |source| JournalError::io(Doing::Repair, &path, source);
        let mut segment = disk.open(&path).map_err(repair)?;
        settle(&mut *segment, &path, &found, end).map_err(repair)?;
        if found.segments > end.segment {
            let empty = segment_path(folder, found.segments);
            disk.remove(&empty).and_then(|()| disk.sync_folder(folder)).map_err(repair)?;
        }
        let old = found.head;
        let head = Head { commit: old.commit + 1, segment: end.segment, bytes: end.byte, chain: found.chain };
        let path = head_path(folder);
        let repair = |source| JournalError::io(Doing::Repair, &path, source);
        let mut head_file = disk.open(&path).map_err(repair)?;
        let slot = head.slot(options.key.as_ref());
        head_file.write_at(head.offset(), &slot).and_then(|()| head_file.sync()).map_err(repair)?;
        let writer =
            Writer { folder: folder.to_owned(), options, disk, segment, head_file, head, state: State::Good };
        let course = found.course.clone();
        Ok(Opened {
            journal: Self::assemble(writer, lock, course),
            entries: JournalReader::start(folder, head, head.segment)?,
            cut: found.cut().cloned(),
            beyond_head: head.chain.next - old.chain.next,
        })
    }

    fn assemble(writer: Writer, lock: Lock, course: Course) -> Self {
        Self {
            folder: writer.folder.clone(),
            acknowledged: writer.head.chain.next,
            chain: writer.head.chain,
            files: Files::new(writer),
            failed: false,
            committer: None,
            course,
            batch: Vec::with_capacity(BATCH_CAPACITY),
            spare: Vec::new(),
            entry: Vec::with_capacity(ENTRY_CAPACITY),
            _lock: lock,
        }
    }
}

/// Cuts off what does not belong to the journal, and makes durable what the head did not cover.
///
/// That part is written once more before it is synced: after a sync that failed, the system's cache shows data as
/// clean that never reached the disk, and another sync would say so without doing anything (Rebello et al., *Can
/// Applications Recover from fsync Failures?*, USENIX ATC 2020).
fn settle(segment: &mut dyn DiskFile, path: &Path, found: &JournalReader, end: Position) -> io::Result<()> {
    if found.cut().is_some() {
        segment.cut(end.byte)?;
    }
    let covered = if found.head.segment == end.segment { found.head.bytes } else { 0 };
    let mut rest = Vec::new();
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(covered))?;
    file.take(end.byte - covered).read_to_end(&mut rest)?;
    segment.write_at(covered, &rest)?;
    segment.sync()
}

/// Makes room for a new journal where one was begun, but nothing of it acknowledged.
fn clear_unacknowledged(folder: &Path) -> Result<(), JournalError> {
    let exists = || JournalError::Exists { folder: folder.to_owned() };
    let segments = last_segment(folder)?;
    let acknowledged = match read_head(folder) {
        Ok(None) => return if segments == 0 { Ok(()) } else { Err(exists()) },
        Ok(Some(slot)) => slot.head.chain != Chain::start(),
        // Written before the first segment was: its maker died in the middle of it.
        Err(JournalError::HeadDamaged { .. }) => segments > 0,
        Err(other) => return Err(other),
    };
    if acknowledged || segments > 1 {
        return Err(exists());
    }
    for path in [segment_path(folder, 1), head_path(folder)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(JournalError::io(Doing::Create, &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Room for a batch of a few dozen entries before it must grow.
const BATCH_CAPACITY: usize = 64 * 1024;
/// Room for an entry.
const ENTRY_CAPACITY: usize = 4 * 1024;
