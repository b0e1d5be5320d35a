//! A real Prometheus of the system's packages, over given data, for the time of a test.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::client::get;

/// A running server; ended when dropped.
pub(crate) struct Real {
    server: Child,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Real {
    /// Starts it on a port that the system chooses, with the samples of an OpenMetrics text.
    pub(crate) fn start(openmetrics: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (text, data, configuration) =
            (folder.path().join("data.om"), folder.path().join("data"), folder.path().join("prometheus.yml"));
        std::fs::write(&text, openmetrics).expect("written");
        std::fs::write(&configuration, "global: {scrape_interval: 15s, evaluation_interval: 15s}\n")
            .expect("written");
        backfill(&text, &data);
        let mut server = Command::new("prometheus")
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .args([
                "--storage.tsdb.retention.time=100y",
                "--web.listen-address=127.0.0.1:0",
                "--log.level=info",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`prometheus` runs; it is in the system's package of that name");
        let mut lines = BufReader::new(server.stderr.take().expect("it was piped")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.split("msg=\"Listening on\"").nth(1)?;
            rest.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
        });
        // Its log must be read on, or it would stand still when the pipe is full; the thread ends with the server.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let Some(address) = address else {
            let _ = server.kill();
            let _ = server.wait();
            panic!("`prometheus` ended before it listened");
        };
        let real = Self { server, address, _folder: folder };
        while get(real.address, "/-/ready", &[]).0 != 200 {
            std::thread::yield_now();
        }
        real
    }
}

fn backfill(text: &Path, data: &Path) {
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([text, data])
        .output()
        .expect("`promtool` runs; it is in the system's package `prometheus`");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
