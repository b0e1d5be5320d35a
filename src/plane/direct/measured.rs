//! The world of a run and what is measured of it.

use std::sync::Arc;

use crate::windows::SignalWindows;
use backspin_domain::engine_io::Input;
use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::TruthTick;
use backspin_scenario::model::Scenario;
use backspin_world::{World, WorldNotice};

/// A world with the windows over its series. Scrapes are the world's own rhythm: they happen whether or not anybody asks, as
/// with a real server. A copy goes on as the original would.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) world: World,
    service: ServiceId,
    windows: SignalWindows,
    /// What the last scrape saw; the policy's queries are answered once somebody asks for it.
    frame: Frame,
    next_scrape: MonoTime,
    tick: Millis,
    scrape: Millis,
    /// Whether anybody looks at what is scraped.
    watched: bool,
}

impl Measured {
    /// The world of a scenario, already drawn for its seed, at its first moment.
    pub(super) fn new(scenario: &Scenario, windows: SignalWindows, seed: Seed) -> Self {
        let scrape = scenario.timing.scrape;
        Self {
            world: World::new(scenario, seed),
            service: scenario.service.id.clone(),
            windows,
            frame: Frame::default(),
            next_scrape: MonoTime::ZERO + scrape,
            tick: scenario.timing.tick,
            scrape,
            watched: true,
        }
    }

    /// The last tick up to a moment.
    pub(super) fn tick_before(&self, at: MonoTime) -> MonoTime {
        MonoTime(at.0 / self.tick.0 * self.tick.0)
    }

    /// The first tick after a moment.
    pub(super) fn tick_after(&self, at: MonoTime) -> MonoTime {
        self.tick_before(at) + self.tick
    }

    /// When the next scrape is due.
    pub(super) fn next_scrape(&self) -> MonoTime {
        self.next_scrape
    }

    /// Brings the world to its last tick at this moment, which is not beyond the next scrape: gives that scrape once it is
    /// due, as what was really so.
    pub(super) fn advance_to(&mut self, at: MonoTime) -> Option<TruthTick> {
        self.world.advance_to(self.tick_before(at));
        (at >= self.next_scrape).then(|| {
            if self.watched {
                self.world.scrape_into(&mut self.frame);
                self.windows.take(&self.world, self.frame.at);
            }
            self.next_scrape = self.next_scrape + self.scrape;
            self.world.take_truth_tick()
        })
    }

    /// Nobody looks at what is scraped from now on: only what is really so is worked out.
    pub(super) fn look_away(&mut self) {
        self.watched = false;
        self.world.look_away();
    }

    /// What the last scrape saw, the policy's queries answered.
    pub(super) fn frame(&mut self) -> Arc<Frame> {
        self.windows.fill(&mut self.frame);
        Arc::new(self.frame.clone())
    }

    /// How an engine is told of what was noticed now.
    pub(super) fn input(&self, notice: WorldNotice) -> Input {
        match notice {
            WorldNotice::Deployed(deploy) => Input::Deployed(deploy),
            WorldNotice::RolloutChanged(state) => {
                Input::RolloutChanged { service: self.service.clone(), state }
            }
            WorldNotice::StepDone { attempt, outcome } => Input::StepReported { attempt, outcome },
            WorldNotice::InventoryChanged => self.inventory(),
        }
    }

    /// The service and its versions as they stand now.
    pub(super) fn inventory(&self) -> Input {
        Input::Inventory(Box::new(self.world.inventory()))
    }
}
