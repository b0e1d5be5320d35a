//! The engine's process: it is fed and drained, dies, stands still, is superseded, and comes back on its journal.

use std::error::Error as _;

use super::lease::{LEASE, Lease};
use super::{Aftermath, Course, Crash, CrashPoint, DriveError, Mishap, Point, Surroundings};
use crate::ledger::Ledger;
use crate::resume::{Resumed, resume};
use backspin_domain::engine_io::{Input, Output, RunClock};
use backspin_domain::entry::Entry;
use backspin_domain::time::{Millis, MonoTime, Now};
use backspin_domain::truth::TruthEntry;
use backspin_engine::Engine;
use backspin_engine::mutation::Mutation;

/// The process, and all that it stands in.
pub(super) struct Process<'a> {
    course: &'a Course<'a>,
    around: &'a mut dyn Surroundings,
    ledger: &'a mut dyn Ledger,
    state: State,
    /// An engine that was superseded and does not know it.
    stale: Option<Stale>,
    lease: Lease,
    /// By when who leads must have renewed the lease, while it cannot.
    renew_by: Option<MonoTime>,
    now: MonoTime,
    /// Up to when planned deaths were looked for.
    looked: MonoTime,
    clock: RunClock,
    /// Effects that came out of any engine of this run.
    effects: u64,
}

enum State {
    Up(Box<Engine>),
    /// It stands still, work perhaps in its hands: what it had to write is written, as of the moment it stopped at.
    Still {
        engine: Box<Engine>,
        in_hand: Vec<Output>,
        since: MonoTime,
        until: MonoTime,
    },
    Down {
        since: MonoTime,
        until: MonoTime,
    },
    /// No engine comes any more.
    Gone,
}

struct Stale {
    engine: Box<Engine>,
    in_hand: Option<Output>,
    token: u64,
    wakes: MonoTime,
}

impl<'a> Process<'a> {
    /// An engine that begins.
    pub(super) fn new(
        course: &'a Course<'a>,
        around: &'a mut dyn Surroundings,
        ledger: &'a mut dyn Ledger,
    ) -> Self {
        Self {
            state: State::Up(Box::new((course.engine)())),
            stale: None,
            lease: Lease::first(),
            renew_by: None,
            now: MonoTime::ZERO,
            looked: MonoTime::ZERO,
            clock: RunClock::from(course.wall_start),
            effects: 0,
            course,
            around,
            ledger,
        }
    }

    /// The present.
    pub(super) fn now(&self) -> MonoTime {
        self.now
    }

    /// Goes on to the end, to where `stop` says so, or to where the engine cannot go on.
    pub(super) fn play(&mut self, stop: &mut impl FnMut(&Engine) -> bool) -> Result<(), DriveError> {
        loop {
            self.settle()?;
            if let State::Up(engine) = &self.state
                && stop(engine)
            {
                return Ok(());
            }
            let Some((next, due)) = self.next() else { return Ok(()) };
            self.advance_to(next, due)?;
        }
    }

    /// The engine cannot go on: people are told, and the run goes on without it, or ends.
    pub(super) fn give_up(&mut self, error: DriveError) -> Result<(), DriveError> {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        self.around.emergency(&format!("{error}{cause}"));
        match self.around.after(&error) {
            Aftermath::Ends => return Err(error),
            Aftermath::StartsAgain(down) => self.die(down),
            Aftermath::GoesOnAlone => {
                self.die(Millis::ZERO);
                self.state = State::Gone;
            }
        }
        Ok(())
    }

    fn wall(&self) -> Now {
        self.clock.at(self.now)
    }

    /// The next moment, if the run has one, and when the engine or its return is due.
    fn next(&mut self) -> Option<(MonoTime, Option<MonoTime>)> {
        let due = match &self.state {
            State::Up(engine) => engine.poll_timeout(),
            State::Down { until, .. } => Some(*until),
            State::Still { since, until, .. } => Some((*until).min(self.lease.free_from(*since + LEASE))),
            State::Gone => None,
        };
        let executing = || match &self.state {
            State::Up(engine) => engine.is_executing(),
            State::Still { .. } | State::Down { .. } => true,
            State::Gone => false,
        };
        let crashes = self.course.crashes.iter().filter_map(|crash| match crash.point {
            CrashPoint::At(at) => (at > self.now).then_some(at),
            CrashPoint::Unwritten(_) | CrashPoint::Before(_) | CrashPoint::After(_) => None,
        });
        let stale = self.stale.as_ref().map(|stale| stale.wakes);
        if due.is_none() && matches!(self.state, State::Up(_)) {
            self.around.rests();
        }
        let own = due.into_iter().chain(crashes).chain(stale).chain(self.renew_by).min();
        let all = own.into_iter().chain(self.around.next_moment(own));
        let next = all.min()?.max(self.now);
        let super::Span { end, end_max } = self.course.span;
        (next <= end_max && (next <= end || executing())).then_some((next, due))
    }

    /// Lets time pass. Nothing moved the engine since it was asked when it is `due`, unless something happens to it now.
    fn advance_to(&mut self, next: MonoTime, due: Option<MonoTime>) -> Result<(), DriveError> {
        self.now = next;
        self.around.advance_to(next);
        if let Some(mishap) = self.strikes(Point::Instant) {
            self.suffer(mishap, None)?;
        }
        if self.renew_by.take_if(|by| *by <= next).is_some() {
            self.stop_leading(next)?;
        }
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Down { since, until } if until <= next => {
                let down = next.since(since);
                self.come_back(down)?;
            }
            State::Still { engine, in_hand, until, .. } if until <= next => {
                self.state = State::Up(engine);
                self.commit_with(|ledger| ledger.commit())?;
                for work in in_hand {
                    self.hand_over(work);
                }
                self.wake(next)?;
            }
            State::Still { engine, in_hand, since, until } if self.lease.free_from(since + LEASE) <= next => {
                // With what it would write next it learns that it leads no more: only the work in its hand gets out.
                let in_hand = in_hand.into_iter().next();
                let stale = Stale { engine, in_hand, token: self.lease.token(), wakes: until };
                self.supersede(stale, next.since(since))?;
            }
            State::Up(engine) => {
                self.state = State::Up(engine);
                if due.is_some_and(|due| due <= next) {
                    self.wake(next)?;
                }
            }
            other => self.state = other,
        }
        if self.stale.as_ref().is_some_and(|stale| stale.wakes <= next) {
            self.wake_stale();
        }
        Ok(())
    }

    /// The engine's deadline has come, or it finds that time has passed.
    fn wake(&mut self, at: MonoTime) -> Result<(), DriveError> {
        let now = self.wall();
        if let State::Up(engine) = &mut self.state {
            self.ledger.push(Entry::Woken(at))?;
            engine.handle_timeout(now);
        }
        Ok(())
    }

    /// Feeds and drains until nothing moves at this instant, then writes the truth of it.
    fn settle(&mut self) -> Result<(), DriveError> {
        while self.pass_outputs()? | self.pass_input()? {}
        match self.state {
            State::Up(_) => self.commit_with(|ledger| ledger.submit())?,
            State::Still { .. } | State::Down { .. } | State::Gone => self.ledger.submit()?,
        }
        while let Some(truth) = self.around.poll_truth() {
            self.ledger.push_truth(Entry::Truth(self.now, truth));
        }
        Ok(())
    }

    /// Takes all work; whether there was any.
    fn pass_outputs(&mut self) -> Result<bool, DriveError> {
        let mut moved = false;
        loop {
            let State::Up(engine) = &mut self.state else { return Ok(moved) };
            let Some(output) = engine.poll_output() else { return Ok(moved) };
            moved = true;
            match output {
                Output::Journal(entry) => self.ledger.push(Entry::Journal(self.now, entry))?,
                work if is_effect(&work) => self.pass_effect(work)?,
                work => self.hand_over(work),
            }
        }
    }

    /// What leads to an effect is durable before the effect is carried out.
    fn pass_effect(&mut self, work: Output) -> Result<(), DriveError> {
        let number = self.effects;
        self.effects += 1;
        if let Some(mishap) = self.strikes_at(Point::Unwritten, number) {
            return self.suffer(mishap, Some(work));
        }
        if !matches!(&self.state, State::Up(engine) if engine.broken().is(Mutation::EffectBeforeCommit)) {
            self.commit_with(|ledger| ledger.commit())?;
        }
        if let Some(mishap) = self.strikes_at(Point::Written, number) {
            return self.suffer(mishap, Some(work));
        }
        self.hand_over(work);
        if let Some(mishap) = self.strikes_at(Point::Done, number) {
            self.suffer(mishap, None)?;
        }
        Ok(())
    }

    fn commit_with(
        &mut self,
        commit: impl FnOnce(&mut dyn Ledger) -> Result<(), backspin_record::JournalError>,
    ) -> Result<(), DriveError> {
        if self.around.strikes(Point::Commit) == Some(Mishap::DiskFull) {
            self.ledger.fill_disk();
        }
        Ok(commit(self.ledger)?)
    }

    fn hand_over(&mut self, work: Output) {
        self.around.hear_from(self.lease.token(), self.ledger.durable());
        self.around.carry_out(work);
    }

    /// Takes one input; whether there was one. Outputs are drained after every input, so that journal entries stand
    /// before what follows them.
    fn pass_input(&mut self) -> Result<bool, DriveError> {
        // What comes for one that stands still waits for it.
        if let State::Still { .. } = self.state {
            return Ok(false);
        }
        let Some(input) = self.around.poll_input() else { return Ok(false) };
        // An engine that is not there hears nothing.
        self.tell(input)?;
        Ok(true)
    }

    /// What is planned to happen at this moment.
    fn strikes(&mut self, point: Point) -> Option<Mishap> {
        let (before, now) = (std::mem::replace(&mut self.looked, self.now), self.now);
        let planned = self.course.crashes.iter().find(|crash| match crash.point {
            CrashPoint::At(at) => before < at && at <= now,
            CrashPoint::Unwritten(_) | CrashPoint::Before(_) | CrashPoint::After(_) => false,
        });
        planned.map(|crash| Mishap::Dies(crash.down)).or_else(|| self.around.strikes(point))
    }

    /// What is planned to happen at a point of the effect of this number.
    fn strikes_at(&mut self, point: Point, number: u64) -> Option<Mishap> {
        let is_meant = |crash: &&Crash| match (point, crash.point) {
            (Point::Unwritten, CrashPoint::Unwritten(n))
            | (Point::Written, CrashPoint::Before(n))
            | (Point::Done, CrashPoint::After(n)) => n == number,
            _ => false,
        };
        let planned = self.course.crashes.iter().find(is_meant);
        planned.map(|crash| Mishap::Dies(crash.down)).or_else(|| self.around.strikes(point))
    }

    /// Something happens to the process, an effect perhaps in its hands.
    fn suffer(&mut self, mishap: Mishap, in_hand: Option<Output>) -> Result<(), DriveError> {
        match mishap {
            Mishap::Dies(down) => self.die(down),
            Mishap::Terminates(down) => {
                self.commit_with(|ledger| ledger.commit())?;
                if let Some(work) = in_hand {
                    self.hand_over(work);
                }
                self.die(down);
            }
            Mishap::StandsStill(lasts) => match std::mem::replace(&mut self.state, State::Gone) {
                State::Up(mut engine) => {
                    let mut in_hand: Vec<Output> = in_hand.into_iter().collect();
                    while let Some(output) = engine.poll_output() {
                        match output {
                            Output::Journal(entry) => self.ledger.push(Entry::Journal(self.now, entry))?,
                            work => in_hand.push(work),
                        }
                    }
                    self.state = State::Still { engine, in_hand, since: self.now, until: self.now + lasts };
                }
                other => self.state = other,
            },
            Mishap::Superseded => match std::mem::replace(&mut self.state, State::Gone) {
                State::Up(engine) => {
                    let (token, wakes) = (self.lease.token(), self.now);
                    self.supersede(Stale { engine, in_hand, token, wakes }, Millis::ZERO)?;
                }
                other => self.state = other,
            },
            Mishap::LeaseDown(lasts) => {
                self.lease.is_down_until(self.now + lasts);
                self.renew_by = Some(self.now + LEASE);
                if let Some(work) = in_hand {
                    self.hand_over(work);
                }
            }
            Mishap::DiskFull | Mishap::BitFlips | Mishap::OtherBuild => {
                unreachable!("these are asked for where the journal is written or taken over")
            }
        }
        Ok(())
    }

    fn die(&mut self, down: Millis) {
        self.ledger.die();
        self.around.lose_engine();
        self.ledger.push_truth(Entry::Truth(self.now, TruthEntry::EngineLost));
        self.state = State::Down { since: self.now, until: self.now + down };
    }

    /// Another engine takes over from one that does not know it.
    fn supersede(&mut self, stale: Stale, unwatched: Millis) -> Result<(), DriveError> {
        self.stale = Some(stale);
        self.die(Millis::ZERO);
        self.come_back(unwatched)
    }

    /// Who could not renew the lease in time stops before somebody else might begin, and comes back when there is one to be
    /// had.
    fn stop_leading(&mut self, now: MonoTime) -> Result<(), DriveError> {
        let free = self.lease.free_from(now);
        if free > now && matches!(self.state, State::Up(_)) {
            self.commit_with(|ledger| ledger.commit())?;
            self.die(free.since(now));
        }
        Ok(())
    }

    /// A fresh engine takes lease and journal over.
    fn come_back(&mut self, down: Millis) -> Result<(), DriveError> {
        let free = self.lease.free_from(self.now);
        if free > self.now {
            self.state = State::Down { since: self.now - down, until: free };
            return Ok(());
        }
        let token = self.lease.take();
        // Before anything can go wrong: who led until now is refused from here on.
        self.around.hear_from(token, self.ledger.durable());
        let mut build = self.course.engine;
        match self.around.strikes(Point::TakeOver) {
            Some(Mishap::BitFlips) => self.ledger.flip_bit(),
            Some(Mishap::OtherBuild) => build = self.course.other_build.unwrap_or(build),
            _ => {}
        }
        let mut engine = build();
        let entries = self.ledger.take_over()?;
        let Resumed { missing, clock } =
            resume(&mut engine, &entries, self.course.wall_start).map_err(DriveError::Resume)?;
        for (at, entry) in missing {
            self.ledger.push(Entry::Journal(at, entry))?;
        }
        #[cfg(any(test, feature = "broken"))]
        if engine.broken().is(Mutation::ActWhileReading) {
            for work in asked_for(&entries) {
                self.hand_over(work);
            }
        }
        // Until it is told otherwise it goes by what its journal says of the calendar.
        self.clock = clock;
        self.state = State::Up(Box::new(engine));
        self.around.hear_from(token, self.ledger.durable());
        for stands in self.around.standing() {
            self.tell(stands)?;
            while self.pass_outputs()? {}
            if !matches!(self.state, State::Up(_)) {
                // It died of what it did about that, and will be told again.
                return Ok(());
            }
        }
        self.tell(Input::Restarted { down })?;
        self.around.reintroduce();
        Ok(())
    }

    /// Tells the engine, if there is one to hear it.
    fn tell(&mut self, input: Input) -> Result<(), DriveError> {
        self.clock.hear(&input);
        let now = self.wall();
        if let State::Up(engine) = &mut self.state {
            self.ledger.push(Entry::Input(self.now, input.clone()))?;
            engine.handle_input(now, input);
        }
        Ok(())
    }

    /// An engine whose lease is over goes on as if it were not. Its effects are the platform's to refuse; with the first
    /// thing that it cannot write down it learns that it leads no more, and ends.
    fn wake_stale(&mut self) {
        let Some(Stale { mut engine, in_hand, token, .. }) = self.stale.take() else { return };
        if self.lease.admits(token) {
            // Nobody could take over yet. That its lease is over it sees by its own clock, and ends.
            return;
        }
        let durable = self.ledger.durable();
        let shown = if engine.broken().is(Mutation::ForgetLease) { self.lease.token() } else { token };
        self.around.hear_from(shown, durable);
        if let Some(work) = in_hand {
            self.around.carry_out(work);
        }
        engine.handle_timeout(self.wall());
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Journal(_) => break,
                work => self.around.carry_out(work),
            }
        }
        self.around.hear_from(self.lease.token(), durable);
    }
}

/// Every effect that a journal tells of: what a broken driver asks for again.
#[cfg(any(test, feature = "broken"))]
fn asked_for(entries: &[Entry]) -> Vec<Output> {
    use backspin_domain::engine_io::{Input, JournalEntry};
    let service = entries.iter().find_map(|entry| match entry {
        Entry::Input(_, Input::Inventory(inventory)) => Some(&inventory.service),
        _ => None,
    });
    let intents = entries.iter().filter_map(|entry| match entry {
        Entry::Journal(_, JournalEntry::Intent { attempt, action }) if action.actuator().is_some() => {
            let (attempt, action) = (*attempt, action.clone());
            Some(Output::StartStep { attempt, service: service?.clone(), action })
        }
        _ => None,
    });
    intents.collect()
}

/// Whether a piece of work changes something outside, or reaches a person.
pub(super) const fn is_effect(output: &Output) -> bool {
    match output {
        Output::StartStep { .. }
        | Output::CancelStep { .. }
        | Output::PauseRollout { .. }
        | Output::ResumeRollout { .. }
        | Output::AbortRollout { .. }
        | Output::AskApproval { .. }
        | Output::Page { .. }
        | Output::SuppressAlerts { .. }
        | Output::LiftSuppression { .. }
        | Output::Annotate { .. } => true,
        Output::Journal(_) | Output::Collect { .. } | Output::ReadStep { .. } | Output::List { .. } => false,
    }
}
