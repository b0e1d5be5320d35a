//! A run that is given up where somebody knows already how it goes on.
//!
//! What a rollback comes to does not depend on the judge that asked for it. Who plays one scenario and seed under
//! many policies can remember the first run of each kind, and spare itself the rest of all others.

use std::cell::{Cell, RefCell};

use super::around::{Attention, DirectWorld};
use super::{FOLLOW_MAX, Prepared, SeedWorld, WALL_START, ended};
use crate::connection;
use crate::drive::{Course, DriveError, Mishap, Point, Span, Surroundings, drive};
use crate::ledger::Ledger;
use backspin_domain::engine_io::{Input, Output};
use backspin_domain::entry::Entry;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::TruthEntry;
use backspin_record::{JournalError, Recorder};

/// How far a run was played.
#[derive(Clone, Debug)]
pub enum Played {
    /// To its end: the record is that of [`Prepared::run_in`].
    Whole(Vec<Entry>),
    /// To the moment of its first step of a rollback, which was not taken: what follows is known.
    UpToKnown(Vec<Entry>),
}

impl Prepared<'_> {
    /// Plays a run. Before its first step of a rollback is carried out, `known` is shown all entries so far; if it
    /// knows what follows, the run ends there.
    pub fn run_unless_known(
        &self,
        world: &mut SeedWorld<'_>,
        known: &mut dyn FnMut(&[Entry]) -> bool,
    ) -> Played {
        self.unless_known(world, known, Attention::UntilRest)
            .or_else(|| self.unless_known(world, known, Attention::Always))
            .expect("who always looks misses nothing")
    }

    /// The same; none if something was missed.
    fn unless_known(
        &self,
        world: &mut SeedWorld<'_>,
        known: &mut dyn FnMut(&[Entry]) -> bool,
        attention: Attention,
    ) -> Option<Played> {
        let written = RefCell::new(Recorder::new(self.header(world)));
        let over = Cell::new(false);
        let SeedWorld { scenario, course, .. } = world;
        let end = scenario.timing.end();
        let span = Span { end: end + Millis(1), end_max: end + FOLLOW_MAX };
        let inner = DirectWorld::new(scenario, course, None, span.end, attention);
        let mut around = Asking { inner, written: &written, known, asked: false, over: &over };
        let course = Course {
            engine: &|| super::engine(self.policy, &self.policy.custom),
            span,
            wall_start: WALL_START,
            other_build: None,
            crashes: &connection::crashes(&scenario.faults),
        };
        let mut ledger = Shared(&written);
        let last = drive(&course, &mut around, &mut ledger, |_| over.get());
        let last = last.expect("memory takes everything");
        if around.inner.has_missed() {
            return None;
        }
        if over.get() {
            return Some(Played::UpToKnown(written.into_inner().into_entries()));
        }
        ended(around.inner, last, &mut ledger);
        let mut recorder = written.into_inner();
        recorder.end(last);
        Some(Played::Whole(recorder.into_entries()))
    }
}

/// The world, and the question before the first step.
struct Asking<'a, 'k> {
    inner: DirectWorld<'a>,
    written: &'k RefCell<Recorder>,
    known: &'k mut dyn FnMut(&[Entry]) -> bool,
    asked: bool,
    over: &'k Cell<bool>,
}

impl Surroundings for Asking<'_, '_> {
    fn advance_to(&mut self, now: MonoTime) {
        self.inner.advance_to(now);
    }

    fn next_moment(&mut self, due: Option<MonoTime>) -> Option<MonoTime> {
        self.inner.next_moment(due)
    }

    fn poll_input(&mut self) -> Option<Input> {
        if self.over.get() { None } else { self.inner.poll_input() }
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.inner.poll_truth()
    }

    fn carry_out(&mut self, output: Output) {
        // What followed after something was missed is not what would have been: nobody is asked about it.
        if !self.asked && !self.inner.has_missed() && matches!(output, Output::StartStep { .. }) {
            self.asked = true;
            self.over.set((self.known)(self.written.borrow().entries()));
        }
        if !self.over.get() {
            self.inner.carry_out(output);
        }
    }

    fn rests(&mut self) {
        self.inner.rests();
    }

    fn lose_engine(&mut self) {
        self.inner.lose_engine();
    }

    fn reintroduce(&mut self) {
        self.inner.reintroduce();
    }

    fn strikes(&mut self, point: Point) -> Option<Mishap> {
        self.inner.strikes(point)
    }

    fn emergency(&mut self, words: &str) {
        self.inner.emergency(words);
    }

    fn after(&mut self, error: &DriveError) -> crate::drive::Aftermath {
        self.inner.after(error)
    }
}

/// A recorder that can be looked at while it is written to.
struct Shared<'a>(&'a RefCell<Recorder>);

impl Ledger for Shared<'_> {
    fn push(&mut self, entry: Entry) -> Result<(), JournalError> {
        Ledger::push(&mut *self.0.borrow_mut(), entry)
    }

    fn push_truth(&mut self, entry: Entry) {
        self.0.borrow_mut().push_truth(entry);
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        Ledger::commit(&mut *self.0.borrow_mut())
    }

    fn submit(&mut self) -> Result<(), JournalError> {
        self.0.borrow_mut().submit()
    }

    fn durable(&self) -> usize {
        self.0.borrow().durable()
    }

    fn die(&mut self) {
        self.0.borrow_mut().die();
    }

    fn take_over(&mut self) -> Result<Vec<Entry>, JournalError> {
        self.0.borrow_mut().take_over()
    }
}
