//! Demand: how many requests users want to make. A non-homogeneous Poisson process: mean rate, daily wave,
//! slow noise, surges.
//!
//! Left out: weekdays, and users who stay away because of earlier errors.

use std::f64::consts::TAU;

use super::draw::Draw;
use super::noise::{Ar1, DEMAND_TAU_S, log_factor};
use backspin_domain::seed::Seed;
use backspin_domain::time::MonoTime;
use backspin_scenario::model::TrafficModel;

/// The demand of one run. It never depends on how the service answers.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    model: TrafficModel,
    phase: f64,
    noise: Ar1<1>,
}

impl Demand {
    /// The demand of a run; its place in the day is drawn.
    pub(crate) fn new(model: TrafficModel, seed: Seed, step_s: f64) -> Self {
        let phase = TAU * Draw::at(seed.stream("demand/phase"), 0).uniform();
        Self { model, phase, noise: Ar1::new(seed.stream("demand/noise"), DEMAND_TAU_S, step_s) }
    }

    /// Moves the noise to the next step.
    pub(crate) fn step(&mut self, step: u64) {
        self.noise.step(step);
    }

    /// Requests per second at `now`, with the surges' factor.
    pub(crate) fn rate_rps(&self, now: MonoTime, surge: f64) -> f64 {
        let wave = 1.0 + self.model.daily_amplitude * libm::sin(TAU * now.as_secs_f64() / DAY_S + self.phase);
        self.model.rate_rps * wave * surge * libm::exp(log_factor(self.model.noise_sd, self.noise.z()[0]))
    }
}

const DAY_S: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_over_days_is_the_models() {
        let model = TrafficModel { rate_rps: 200.0, daily_amplitude: 0.3, noise_sd: 0.15 };
        let mut demand = Demand::new(model, Seed(11), 60.0);
        let steps = 30 * 1440;
        let mut sum = 0.0;
        for step in 1..=steps {
            demand.step(step);
            sum += demand.rate_rps(MonoTime(step * 60_000), 1.0);
        }
        assert!((sum / steps as f64 - 200.0).abs() < 2.0, "{}", sum / steps as f64);
        assert!((demand.rate_rps(MonoTime(0), 3.0) / demand.rate_rps(MonoTime(0), 1.0) - 3.0).abs() < 1e-12);
    }
}
