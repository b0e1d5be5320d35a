//! When and how much: the run, its ticks and scrapes, its traffic.

use super::Check;
use crate::rule::Rule;
use backspin_domain::time::Millis;
use backspin_policy::document::Step;

/// The longest run: two days. Rollouts of weeks are not simulated second by second.
pub const RUN_MAX: Millis = Millis::from_mins(48 * 60);

/// The shortest tick.
pub const TICK_MIN: Millis = Millis(100);

impl Check<'_> {
    pub(super) fn timing(&mut self) {
        let timing = self.scenario.timing;
        let field = |name| [Step::Field("timing"), Step::Field(name)];
        if timing.history + timing.watch > RUN_MAX {
            let longer = if timing.history > timing.watch { "history" } else { "watch" };
            let total = timing.history + timing.watch;
            let message = format!("a run is at most {RUN_MAX} long, got {total} of history and watch");
            self.report(Rule::RunTooLong, &field(longer), message, "play the hours around the deploy");
        }
        if timing.tick < TICK_MIN {
            let message = format!("`tick` must be at least {TICK_MIN}, got {}", timing.tick);
            self.report(Rule::ScrapeOffTick, &field("tick"), message, "write `1s`");
        } else if timing.scrape == Millis::ZERO || !timing.scrape.0.is_multiple_of(timing.tick.0) {
            let message =
                format!("`scrape` must be a multiple of the tick of {}, got {}", timing.tick, timing.scrape);
            let below = (timing.scrape.0 / timing.tick.0).max(1) * timing.tick.0;
            self.report(Rule::ScrapeOffTick, &field("scrape"), message, format!("write `{}`", Millis(below)));
        }
        if timing.watch < timing.scrape.max(Millis(1)) {
            let message =
                format!("`watch` must hold at least one scrape of {}, got {}", timing.scrape, timing.watch);
            self.report(Rule::NothingToWatch, &field("watch"), message, "write `60m`");
        }
        if let (Some(history), Some(at)) = (self.file().timing.history, self.file().deploy.at)
            && history != at
        {
            let message = format!("the history ends at {history} but the deploy begins at {at}");
            let path = [Step::Field("deploy"), Step::Field("at")];
            self.report(Rule::TwoDeployTimes, &path, message, "give one of `deploy.at` and `timing.history`");
        }
        let propagation = self.file().pods.propagation;
        if propagation.min > propagation.max {
            let message =
                format!("`min` must be at most `max` of {}, got {}", propagation.max, propagation.min);
            let path = [Step::Field("pods"), Step::Field("propagation"), Step::Field("min")];
            self.report(Rule::EmptyRange, &path, message, "swap the two");
        }
    }

    pub(super) fn traffic(&mut self) {
        if self.scenario.traffic.rate_rps <= 0.0 {
            let path = [Step::Field("traffic"), Step::Field("rps")];
            let message = "`rps` must be more than 0: without requests nothing can be judged";
            self.report(Rule::NoTraffic, &path, message, "write `0.2` for a service that is hardly used");
        }
    }
}
