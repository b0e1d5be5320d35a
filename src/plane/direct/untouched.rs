//! The world of one seed while nobody acts in it: played once, for all engines that watch it.
//!
//! Until its first effect an engine sees what any other would see on the same seed, so the world's ticks, scrapes and
//! queries up to there need not be computed for each of them. What was seen is kept, and with it copies of the world in
//! steps of some scrapes. An engine that acts gets its own copy as of that moment, from the last one that was kept, and goes on
//! alone. The untouched course is played as far as somebody looks, and no further.

use std::sync::Arc;

use backspin_domain::engine_io::Input;
use backspin_domain::frame::Frame;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::TruthTick;

use super::measured::Measured;

/// Scrapes between two copies. A copy costs as much as some twenty scrapes, since the windows of fifteen minutes are copied too,
/// and the way from one to the moment that is wanted takes half of these on average; only who acts earlier than another before
/// him needs one at all.
const KEEP_EVERY: usize = 40;

/// What one scrape saw, and what was really so.
#[derive(Clone, Debug)]
pub(super) struct Scraped {
    pub(super) frame: Arc<Frame>,
    pub(super) truth: TruthTick,
}

/// The course of a world without effects, as far as it was played.
#[derive(Debug)]
pub(super) struct Untouched {
    edge: Measured,
    told: Vec<(MonoTime, Input)>,
    scrapes: Vec<Scraped>,
    /// Copies of the past, by time.
    kept: Vec<Measured>,
    /// From here on copies are kept; none: only the first moment is.
    keep_from: Option<MonoTime>,
}

impl Untouched {
    /// Begins with a world at its first moment. `keep_from`: from when on copies are kept for who acts earlier than another before
    /// him, the deploy as a rule, since nobody has a reason to act before; none where nobody comes after the first.
    pub(super) fn new(world: Measured, keep_from: Option<MonoTime>) -> Self {
        let mut untouched =
            Self { kept: vec![world.clone()], edge: world, told: Vec::new(), scrapes: Vec::new(), keep_from };
        untouched.tell();
        untouched
    }

    /// The world at its first moment.
    pub(super) fn first(&self) -> &Measured {
        self.kept.first().expect("the first moment is kept")
    }

    /// The first tick after a moment.
    pub(super) fn tick_after(&self, at: MonoTime) -> MonoTime {
        self.edge.tick_after(at)
    }

    /// The world as far as it was played.
    pub(super) fn edge(&self) -> &Measured {
        &self.edge
    }

    /// What was noticed from outside as the number `n`, with its time, if it was played so far.
    pub(super) fn told(&self, n: usize) -> Option<&(MonoTime, Input)> {
        self.told.get(n)
    }

    /// The scrape of number `n`, if it was played so far.
    pub(super) fn scrape(&self, n: usize) -> Option<&Scraped> {
        self.scrapes.get(n)
    }

    /// Plays up to this moment.
    pub(super) fn play_to(&mut self, until: MonoTime) {
        while self.edge.tick_after(self.edge.world.now()) <= until {
            self.step();
        }
    }

    /// When something happens next that is not among the first `told` notices and `scraped` scrapes; `until` if that is
    /// earlier.
    pub(super) fn next_moment(&mut self, told: usize, scraped: usize, until: MonoTime) -> MonoTime {
        while self.told.len() <= told
            && self.scrapes.len() <= scraped
            && self.edge.tick_after(self.edge.world.now()) <= until
        {
            self.step();
        }
        let notice = self.told.get(told).map(|(at, _)| *at);
        let scrape = self.scrapes.get(scraped).map(|scraped| scraped.frame.at);
        notice.into_iter().chain(scrape).chain([until]).min().unwrap_or(until)
    }

    /// A world of one's own, as it is at this moment. `again`: whether it was looked at since its last tick, which makes
    /// it compute what the tick left to the next one.
    pub(super) fn copy_at(&mut self, at: MonoTime, again: bool) -> Measured {
        self.play_to(at);
        let tick = self.edge.tick_before(at);
        let mut copy = if self.edge.world.now() == tick {
            self.edge.clone()
        } else {
            let before = self.kept.partition_point(|kept| kept.world.now() <= tick);
            self.kept[before.max(1) - 1].clone()
        };
        while copy.world.now() < tick {
            copy.advance_to(copy.tick_after(copy.world.now()));
        }
        while copy.world.poll_event().is_some() {}
        if again {
            copy.advance_to(tick);
        }
        copy
    }

    fn step(&mut self) {
        let scraped = self.edge.advance_to(self.edge.tick_after(self.edge.world.now()));
        self.tell();
        let Some(truth) = scraped else { return };
        self.scrapes.push(Scraped { frame: self.edge.frame(), truth });
        let keeps = self.keep_from.is_some_and(|from| self.edge.world.now() >= from);
        if keeps && self.scrapes.len().is_multiple_of(KEEP_EVERY) {
            self.kept.push(self.edge.clone());
        }
    }

    fn tell(&mut self) {
        while let Some(notice) = self.edge.world.poll_event() {
            let input = self.edge.input(notice);
            self.told.push((self.edge.world.now(), input));
        }
    }
}
