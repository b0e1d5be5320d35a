//! backspin: a wind tunnel for automated rollback.
//!
//! One engine decides and acts; around it stand a simulated world, recorded incidents, mock endpoints or a
//! real cluster, and the engine cannot tell which it is in. `ARCHITECTURE.md` says where things are.

pub mod campaign;
pub mod chaos;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod judge;
pub mod plane;
pub mod platform;
pub mod policy;
pub mod record;
pub mod report;
pub mod scenario;
pub mod score;
pub mod world;
