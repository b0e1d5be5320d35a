//! Simulated world: placeholder
mod cluster;
mod demand;
mod dependency;
mod deployment;
mod draw;
mod faults;
mod flags;
mod incident;
mod latency;
mod noise;
mod pods;
mod router;
mod service;
#[cfg(test)]
mod testing;
mod users;
