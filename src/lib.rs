//! backspin: a wind tunnel for automated rollback.
//!
//! One engine decides and acts; around it stand a simulated world, recorded incidents, mock endpoints or a
//! real cluster, and the engine cannot tell which it is in. `ARCHITECTURE.md` says where things are.
//!
//! Each room is a crate; here they stand together under their names.

pub mod cli;

pub use backspin_backtest as backtest;
pub use backspin_campaign as campaign;
pub use backspin_chaos as chaos;
pub use backspin_domain as domain;
pub use backspin_engine as engine;
pub use backspin_import as import;
pub use backspin_judge as judge;
pub use backspin_model as model;
pub use backspin_plane as plane;
pub use backspin_policy as policy;
pub use backspin_record as record;
pub use backspin_report as report;
pub use backspin_rules as rules;
pub use backspin_scenario as scenario;
pub use backspin_score as score;
pub use backspin_suite as suite;
pub use backspin_tune as tune;
pub use backspin_world as world;
