//! Tests of the world as a whole: change one cause and see all its consequences, and only those.

mod consequences;
mod deploys;
mod kept;
mod others;
mod pods;
mod steps;
mod truths;

use super::testing::{bad, healthy, version};
use super::{World, WorldNotice};
use backspin_domain::execution::StepOutcome;
use backspin_domain::frame::Frame;
use backspin_domain::id::{Attempt, ExecutionId};
use backspin_domain::plan::StepAction;
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::units::TrafficShare;
use backspin_scenario::model::Scenario;

/// A run under observation.
struct Watched {
    world: World,
    scrape: Millis,
    end: MonoTime,
    frames: Vec<Frame>,
    notices: Vec<(MonoTime, WorldNotice)>,
}

impl Watched {
    fn new(scenario: &Scenario) -> Self {
        Self {
            world: World::new(scenario, Seed(17)),
            scrape: scenario.timing.scrape,
            end: scenario.timing.end(),
            frames: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn to_end(scenario: &Scenario) -> Self {
        let mut run = Self::new(scenario);
        run.advance(run.end);
        run
    }

    fn advance(&mut self, until: MonoTime) {
        while self.world.now() < until {
            self.world.advance_to(MonoTime(self.world.now().0 + 1000));
            self.drain();
            if self.world.now().0.is_multiple_of(self.scrape.0) {
                let mut frame = Frame::default();
                self.world.scrape_into(&mut frame);
                self.frames.push(frame);
            }
        }
    }

    fn advance_mins(&mut self, until: u64) {
        self.advance(MonoTime(until * 60_000));
    }

    fn drain(&mut self) {
        while let Some(notice) = self.world.poll_event() {
            self.notices.push((self.world.now(), notice));
        }
    }

    /// Starts a step and gives its key.
    fn start(&mut self, action: &StepAction) -> Attempt {
        let step = self.notices.len() as u16;
        let attempt = Attempt { execution: ExecutionId(1), step, attempt: self.world.now().0 as u16 };
        self.world.start_step(attempt, action);
        self.drain();
        attempt
    }

    fn outcome(&self, of: Attempt) -> Option<(MonoTime, &StepOutcome)> {
        self.notices.iter().find_map(|(at, notice)| match notice {
            WorldNotice::StepDone { attempt, outcome } if *attempt == of => Some((*at, outcome)),
            _ => None,
        })
    }

    fn frames_between(&self, from_min: u64, to_min: u64) -> impl Iterator<Item = &Frame> {
        let range = MonoTime(from_min * 60_000)..=MonoTime(to_min * 60_000);
        self.frames.iter().filter(move |frame| range.contains(&frame.at))
    }
}

fn scale(name: &str, replicas: u32) -> StepAction {
    StepAction::ScaleVersion { version: version(name), replicas }
}

fn shift(from: &str, to: &str, share: f64) -> StepAction {
    let to_share = TrafficShare::new(share).expect("a share");
    StepAction::ShiftTraffic { from: version(from), to: version(to), to_share }
}
