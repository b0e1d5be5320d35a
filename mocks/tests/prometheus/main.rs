//! Prometheus' HTTP API against what a real 3.5.3 answered to the same requests over the same data.

mod conformance;
mod golden;
mod metamorphic;
