//! The words of the project: plain data that every room may use and that uses no room.

pub mod engine_io;
pub mod entry;
pub mod event;
pub mod execution;
pub mod expectation;
pub mod fault;
pub mod forecast;
pub mod frame;
pub mod id;
pub mod observed;
pub mod plan;
pub mod pod;
pub mod seed;
pub mod service;
pub mod signal;
pub mod time;
pub mod truth;
pub mod units;
pub mod verdict;
