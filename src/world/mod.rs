//! Simulated world: placeholder
mod demand;
mod dependency;
mod draw;
mod faults;
mod flags;
mod incident;
mod latency;
mod noise;
mod router;
mod service;
#[cfg(test)]
mod testing;
mod users;
