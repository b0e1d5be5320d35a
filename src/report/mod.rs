//! From scored runs to something worth opening: a page, a JSON file and terminal tables.
//!
//! [`mod@chaos`] reports what a chaos campaign tried and found, [`mod@backtest`] what judges would have made of a history, in the same look. A [`CampaignReport`] is what a campaign hands over. [`write`] makes a folder of it, whole or not at all:
//! `index.html` (one file, no script, nothing fetched from elsewhere, readable in light and dark, on a phone and
//! without colours), `report.json` (versioned), `figures.md` and `figures.csv`. [`table`] holds the terminal's tables. What a
//! figure is called and how it is written is said once, for all of them.
//!
//! Nothing here reads a clock: the same outcomes give the same bytes. Templates live in `reports/templates/` and
//! are carried in the binary.

mod advice;
pub mod backtest;
pub mod chaos;
mod chart;
pub mod ci;
mod columns;
pub mod compare;
mod error;
mod execution;
mod figure;
mod figure_tables;
mod files;
mod group;
mod headline;
mod html;
mod ink;
mod json;
mod matrix;
mod model;
pub mod models;
mod notice;
mod plan;
mod recommend;
mod replayed;
pub mod selection;
mod series;
mod story;
mod summary;
pub mod table;
#[cfg(test)]
mod tests;
mod told;
pub mod verdicts;
pub mod words;
mod wrap;
mod write;

pub use error::ReportError;
pub use execution::{EXECUTION_REPORT_VERSION, ExecutionReport, executions};
pub use group::By;
pub use json::{REPORT_VERSION, ReadReport, read_report, report_schema};
pub use model::{CampaignReport, Commands, Limits, REFERENCE_JUDGE, REFERENCE_WHY, Shown, SourceCredit};
pub use notice::Notice;
pub use plan::{PLAN_VERSION, plan_text};
pub use replayed::sensitivity;
pub use story::forecast_facts;
pub use told::{Told, seen, told};
pub use wrap::wrapped;
pub use write::{MARKER, Written, check, write};
