//! A thread that makes batches durable, one after the other, while the next ones are being encoded.
//!
//! Each batch keeps its own write and sync, as if somebody had waited for it: files do not depend on how fast the disk
//! was. A few batches may be under way, so that the disk finds the next one when it is done with one.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};

use super::writer::Writer;
use crate::flaw::Chain;

/// A journal's files, which its own thread and the committer's write in turn.
#[derive(Debug, Clone)]
pub(super) struct Files(Arc<Mutex<Writer>>);

impl Files {
    pub(super) fn new(writer: Writer) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    /// The files. Errs if the other thread died in the middle of writing.
    pub(super) fn take(&self) -> io::Result<MutexGuard<'_, Writer>> {
        self.0.lock().map_err(|_| gone())
    }
}

/// A batch that came back: its memory, and how many entries are acknowledged.
pub(super) struct Written {
    pub(super) lines: Vec<u8>,
    pub(super) acknowledged: io::Result<u64>,
}

/// The thread. Dropping it waits until the batches that are under way are written.
#[derive(Debug)]
pub(super) struct Committer {
    /// None only while it is dropped.
    batches: Option<SyncSender<(Vec<u8>, Chain)>>,
    written: Receiver<Written>,
    under_way: usize,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Errs if the system gives no thread.
    pub(super) fn start(files: &Files) -> io::Result<Self> {
        let (batches, todo) = sync_channel::<(Vec<u8>, Chain)>(UNDER_WAY_MAX);
        let (done, written) = sync_channel(UNDER_WAY_MAX);
        let files = files.clone();
        let work = move || {
            for (lines, chain) in todo {
                let acknowledged = files.take().and_then(|mut writer| writer.write(&lines, chain));
                // Nobody listens when the journal is dropped meanwhile; the batch is as durable as it is.
                let _ = done.send(Written { lines, acknowledged });
            }
        };
        let thread = Builder::new().name("journal".into()).spawn(work)?;
        Ok(Self { batches: Some(batches), written, under_way: 0, thread: Some(thread) })
    }

    /// Hands a batch over; there must be room for it. `chain` is where it leads to. Errs if the thread is gone.
    pub(super) fn begin(&mut self, lines: Vec<u8>, chain: Chain) -> io::Result<()> {
        let batches = self.batches.as_ref().expect("only gone while dropped");
        batches.send((lines, chain)).map_err(|_| gone())?;
        self.under_way += 1;
        Ok(())
    }

    /// A batch that has come back, if any; waits for one while there is no `room` for as many more. Errs if the thread is
    /// gone.
    pub(super) fn poll(&mut self, room: usize) -> io::Result<Option<Written>> {
        let written = if self.under_way + room > UNDER_WAY_MAX && self.under_way > 0 {
            self.written.recv().map_err(|_| gone())?
        } else {
            match self.written.try_recv() {
                Ok(written) => written,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(gone()),
            }
        };
        self.under_way -= 1;
        Ok(Some(written))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it was already found by whoever waited.
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that writes the journal has ended")
}

/// Batches that may be under way: one at the disk, one that waits for it, one whose end nobody has looked at yet.
pub(super) const UNDER_WAY_MAX: usize = 3;
