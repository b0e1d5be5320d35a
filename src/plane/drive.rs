//! The loop that every in-process plane shares: inputs in, work out, time forward; and the engine's own death, where a
//! crash is planned.

use crate::domain::engine_io::{Input, Output};
use crate::domain::entry::Entry;
use crate::domain::time::{Millis, MonoTime, Now, WallTime};
use crate::domain::truth::TruthEntry;
use crate::engine::Engine;
use crate::record::Recorder;

use super::resume::resume;

/// What stands around the engine, in domain words.
pub(super) trait Surroundings {
    /// Brings the surroundings to this moment; never back.
    fn advance_to(&mut self, now: MonoTime);

    /// When something may happen by itself next, after the present; none when nothing will.
    fn next_moment(&self) -> Option<MonoTime>;

    /// What has happened up to now, in order.
    fn poll_input(&mut self) -> Option<Input>;

    /// What is really so, in order; for the record only.
    fn poll_truth(&mut self) -> Option<TruthEntry>;

    /// Carries one piece of work out. Answers come through [`Surroundings::poll_input`].
    fn carry_out(&mut self, output: Output);

    /// The engine went away: what was on its way to it is lost.
    fn lose_engine(&mut self);

    /// An engine is there again: what it has to know of the present comes as inputs.
    fn reintroduce(&mut self);
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The last moment, if nothing is being executed then.
    pub(super) end: MonoTime,
    /// The last moment whatever happens.
    pub(super) end_max: MonoTime,
}

/// When the engine's process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Before anything of this moment reaches it.
    At(MonoTime),
    /// When it is about to write down what leads to the effect of this number; effects count from 0.
    Unwritten(u64),
    /// When that is written, and the effect has not been carried out.
    Before(u64),
    /// When it has, and nothing of it has been heard.
    After(u64),
}

/// A crash, and for how long nobody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// When.
    pub point: CrashPoint,
    /// How long until the engine is started again.
    pub down: Millis,
}

/// How to drive.
pub(super) struct Course<'a> {
    /// Makes a fresh engine.
    pub(super) engine: &'a dyn Fn() -> Engine,
    pub(super) span: Span,
    pub(super) wall_start: WallTime,
    pub(super) crashes: &'a [Crash],
}

/// Runs the engine in its surroundings until the span is over or `stop` says so after an instant. Gives the run's
/// last moment.
pub(super) fn drive(
    course: &Course<'_>,
    around: &mut dyn Surroundings,
    recorder: &mut Recorder,
    mut stop: impl FnMut(&Engine) -> bool,
) -> MonoTime {
    let mut drive = Drive {
        course,
        around,
        recorder,
        state: State::Up(Box::new((course.engine)())),
        now: MonoTime::ZERO,
        effects: 0,
    };
    loop {
        drive.settle();
        if let State::Up(engine) = &drive.state
            && stop(engine)
        {
            return drive.now;
        }
        let Some(next) = drive.next() else { return drive.now };
        drive.advance_to(next);
    }
}

enum State {
    Up(Box<Engine>),
    Down { since: MonoTime, until: MonoTime },
}

struct Drive<'a> {
    course: &'a Course<'a>,
    around: &'a mut dyn Surroundings,
    recorder: &'a mut Recorder,
    state: State,
    now: MonoTime,
    /// Effects that came out of any engine of this run.
    effects: u64,
}

impl Drive<'_> {
    fn wall(&self) -> Now {
        Now::in_run(self.course.wall_start, self.now)
    }

    /// The next moment, if the run has one.
    fn next(&self) -> Option<MonoTime> {
        let (due, executing) = match &self.state {
            State::Up(engine) => (engine.poll_timeout(), engine.is_executing()),
            State::Down { until, .. } => (Some(*until), true),
        };
        let crashes = self.course.crashes.iter().filter_map(|crash| match crash.point {
            CrashPoint::At(at) => (at > self.now).then_some(at),
            CrashPoint::Unwritten(_) | CrashPoint::Before(_) | CrashPoint::After(_) => None,
        });
        let next = due.into_iter().chain(self.around.next_moment()).chain(crashes).min()?.max(self.now);
        let Span { end, end_max } = self.course.span;
        (next <= end_max && (next <= end || executing)).then_some(next)
    }

    fn advance_to(&mut self, next: MonoTime) {
        let before = self.now;
        self.now = next;
        self.around.advance_to(next);
        let planned = self.course.crashes.iter().find(|crash| match crash.point {
            CrashPoint::At(at) => before < at && at <= next,
            CrashPoint::Unwritten(_) | CrashPoint::Before(_) | CrashPoint::After(_) => false,
        });
        if let Some(crash) = planned {
            self.die(crash.down);
        }
        match &mut self.state {
            State::Down { since, until } if *until <= next => {
                let down = next.since(*since);
                self.come_back(down);
            }
            State::Down { .. } => {}
            State::Up(engine) => {
                if engine.poll_timeout().is_some_and(|due| due <= next) {
                    self.recorder.push(Entry::Woken(next));
                    engine.handle_timeout(Now::in_run(self.course.wall_start, next));
                }
            }
        }
    }

    /// Feeds and drains until nothing moves at this instant, then writes the truth of it.
    fn settle(&mut self) {
        while self.pass_outputs() | self.pass_input() {}
        self.recorder.commit();
        while let Some(truth) = self.around.poll_truth() {
            self.recorder.push(Entry::Truth(self.now, truth));
        }
    }

    /// Takes all work; whether there was any.
    fn pass_outputs(&mut self) -> bool {
        let mut moved = false;
        loop {
            let State::Up(engine) = &mut self.state else { return moved };
            let Some(output) = engine.poll_output() else { return moved };
            moved = true;
            match output {
                Output::Journal(entry) => self.recorder.push(Entry::Journal(self.now, entry)),
                work if is_effect(&work) => self.pass_effect(work),
                work => self.around.carry_out(work),
            }
        }
    }

    /// What leads to an effect is durable before the effect is carried out.
    fn pass_effect(&mut self, work: Output) {
        let number = self.effects;
        self.effects += 1;
        let planned = |point: fn(u64) -> CrashPoint| {
            self.course.crashes.iter().find(|crash| crash.point == point(number)).map(|crash| crash.down)
        };
        let (unwritten, before, after) =
            (planned(CrashPoint::Unwritten), planned(CrashPoint::Before), planned(CrashPoint::After));
        if let Some(down) = unwritten {
            return self.die(down);
        }
        self.recorder.commit();
        if let Some(down) = before {
            return self.die(down);
        }
        self.around.carry_out(work);
        if let Some(down) = after {
            self.die(down);
        }
    }

    /// Takes one input; whether there was one. Outputs are drained after every input, so that journal entries stand
    /// before what follows them.
    fn pass_input(&mut self) -> bool {
        let Some(input) = self.around.poll_input() else { return false };
        let now = self.wall();
        // An engine that is not there hears nothing.
        if let State::Up(engine) = &mut self.state {
            self.recorder.push(Entry::Input(self.now, input.clone()));
            engine.handle_input(now, input);
        }
        true
    }

    fn die(&mut self, down: Millis) {
        self.recorder.lose_uncommitted();
        self.around.lose_engine();
        self.recorder.push(Entry::Truth(self.now, TruthEntry::EngineLost));
        self.state = State::Down { since: self.now, until: self.now + down };
    }

    /// A fresh engine takes the journal over.
    fn come_back(&mut self, down: Millis) {
        let mut engine = (self.course.engine)();
        let missing = resume(&mut engine, self.recorder.entries(), self.course.wall_start)
            .expect("the same build and policy write what they wrote before");
        for (at, entry) in missing {
            self.recorder.push(Entry::Journal(at, entry));
        }
        let restarted = Input::Restarted { down };
        self.recorder.push(Entry::Input(self.now, restarted.clone()));
        engine.handle_input(self.wall(), restarted);
        self.state = State::Up(Box::new(engine));
        self.around.reintroduce();
    }
}

/// Whether a piece of work changes something outside, or reaches a person.
const fn is_effect(output: &Output) -> bool {
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
        Output::Journal(_) | Output::Collect { .. } | Output::ReadStep { .. } => false,
    }
}
