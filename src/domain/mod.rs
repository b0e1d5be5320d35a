//! The words of the project: plain data that every room may use and that uses no room.

pub mod frame;
pub mod id;
pub mod seed;
pub mod service;
pub mod signal;
pub mod time;
pub mod units;
pub mod verdict;
