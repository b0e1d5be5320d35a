//! A rig that records incidents: a small real HTTP service in two versions, as several processes each, under a load
//! generator, scraped by a real Prometheus, with real faults; and the way from what Prometheus holds to a case that
//! backspin plays.
//!
//! Everything listens on loopback, on ports that the system chooses. Every process that is started is ended again: by
//! its owner, and by itself when its standard input closes, so that none survives a recorder that was killed. This is
//! the one place of the repository that lives in real time; no test waits for a fixed time.
#![expect(
    clippy::disallowed_methods,
    reason = "a recorder and its service read the real clock; nothing here enters a simulated run"
)]

pub mod bounds;
pub mod cases;
pub mod client;
pub mod dependency;
pub mod export;
pub mod faults;
pub mod keep;
pub mod pod;
pub mod prometheus;
pub mod record;
pub mod router;
pub mod supervise;

use std::io::Write as _;
use std::net::SocketAddr;

/// Tells whoever started this process where it listens: one line on standard output.
fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{READY} {address}")?;
    out.flush()
}

/// The word before the address in that line.
const READY: &str = "listening";

/// Returns when standard input closes: whoever started this process is gone, or wants it to end.
async fn parent_gone() {
    use tokio::io::AsyncReadExt as _;
    let mut input = tokio::io::stdin();
    let mut byte = [0; 64];
    while matches!(input.read(&mut byte).await, Ok(n) if n > 0) {}
}
