//! Prometheus' HTTP API against what a real 3.5.3 answered to the same requests over the same data, and against a real
//! server of the system's packages; and that no bytes make it panic.

#![expect(clippy::print_stdout, reason = "the tests say how many cases they compared")]

mod client;
mod conformance;
mod differential;
mod fuzz;
mod golden;
mod grammar;
mod malformed;
mod metamorphic;
mod real;
mod server;
mod world;
