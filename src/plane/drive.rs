//! The loop that every in-process plane shares: inputs in, work out, time forward.

use crate::domain::engine_io::{Input, Output};
use crate::domain::entry::Entry;
use crate::domain::time::{MonoTime, Now, WallTime};
use crate::domain::truth::TruthEntry;
use crate::engine::Engine;
use crate::record::Recorder;

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
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The last moment, if nothing is being executed then.
    pub(super) end: MonoTime,
    /// The last moment whatever happens.
    pub(super) end_max: MonoTime,
}

/// Runs the engine in its surroundings until the span is over or `stop` says so after an instant. Gives the run's
/// last moment.
pub(super) fn drive(
    engine: &mut Engine,
    around: &mut dyn Surroundings,
    recorder: &mut Recorder,
    span: Span,
    wall_start: WallTime,
    mut stop: impl FnMut(&Engine) -> bool,
) -> MonoTime {
    let mut now = MonoTime::ZERO;
    loop {
        settle(engine, around, recorder, Now::in_run(wall_start, now));
        while let Some(truth) = around.poll_truth() {
            recorder.push(Entry::Truth(now, truth));
        }
        if stop(engine) {
            break;
        }
        let next = match (engine.poll_timeout(), around.next_moment()) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) => a,
            (None, Some(b)) => b,
            (None, None) => break,
        };
        let next = next.max(now);
        if next > span.end_max || (next > span.end && !engine.is_executing()) {
            break;
        }
        now = next;
        around.advance_to(now);
        if engine.poll_timeout().is_some_and(|due| due <= now) {
            recorder.push(Entry::Woken(now));
            engine.handle_timeout(Now::in_run(wall_start, now));
        }
    }
    now
}

/// Feeds and drains until nothing moves at this instant.
fn settle(engine: &mut Engine, around: &mut dyn Surroundings, recorder: &mut Recorder, now: Now) {
    loop {
        let mut moved = false;
        while let Some(output) = engine.poll_output() {
            moved = true;
            match output {
                Output::Journal(entry) => recorder.push(Entry::Journal(now.mono, entry)),
                work => around.carry_out(work),
            }
        }
        while let Some(input) = around.poll_input() {
            moved = true;
            recorder.push(Entry::Input(now.mono, input.clone()));
            engine.handle_input(now, input);
            // Outputs are drained after every input, so that journal entries stand before what follows them.
            if engine.has_output() {
                break;
            }
        }
        if !moved {
            return;
        }
    }
}
