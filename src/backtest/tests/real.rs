//! The same against the Prometheus of the system's packages: what it answers is what the mock answers.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use backspin_plane::http::metrics::{Prometheus, Settings};

use super::served::{
    Counted, START, address, count, deploy, empty, fetched, manner, metrics, runtime, serve, span,
};
use crate::fetch::fetch;
use crate::store::Store;

/// A running server; ended when dropped.
struct Real {
    server: Child,
    base: String,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Real {
    /// Starts it on a port that the system chooses, over the samples of an OpenMetrics text.
    fn start(folder: &Path, openmetrics: &str) -> Self {
        let at = |name: &str| folder.join(name);
        std::fs::write(at("data.om"), openmetrics).expect("written");
        std::fs::write(at("prometheus.yml"), "global: {scrape_interval: 15s}\n").expect("written");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([at("data.om"), at("data")])
            .output()
            .expect("`promtool` runs; it is in the system's package `prometheus`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new("prometheus")
            .arg(format!("--config.file={}", at("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", at("data").display()))
            .args([
                "--storage.tsdb.retention.time=100y",
                "--web.listen-address=127.0.0.1:0",
                "--log.level=info",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`prometheus` runs; it is in the system's package of that name");
        let mut lines = BufReader::new(server.stderr.take().expect("it was piped")).lines();
        // It listens before it is ready, and answers 503 until then: the fetching asks again.
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.split("msg=\"Listening on\"").nth(1)?;
            Some(rest.split("address=").nth(1)?.split_whitespace().next()?.to_owned())
        });
        let real = Self { server, base: format!("http://{}", address.expect("it listens")) };
        // It answers what it is asked, and its log must be read on, or it would stand still when the pipe is full.
        for line in lines.by_ref().map_while(Result::ok) {
            if line.contains("Server is ready to receive web requests") {
                break;
            }
        }
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        real
    }
}

#[test]
fn a_real_prometheus_gives_the_same_pieces() {
    let store = empty();
    let mut text = String::from("# TYPE http_requests counter\n");
    for service in ["a", "b"] {
        count(&store, service, 0, 200);
        for n in 0..=800 {
            let at_s = START.0 / 1000 + n * 15;
            let _ = writeln!(
                text,
                "http_requests_total{{code=\"200\",service=\"{service}\",version=\"v1\"}} {} {at_s}",
                n * 10
            );
        }
    }
    text.push_str("# EOF\n");
    let pieces = span().all_pieces(&[deploy("a", 70), deploy("b", 75)], metrics().scrape());
    let [real_folder, mock_folder, data] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let real = Real::start(data.path(), &text);
    runtime().block_on(async {
        let kept = Store::open(real_folder.path(), &real.base).expect("a folder");
        let client = Prometheus::new(&Settings::at(&real.base)).expect("a client");
        let done =
            fetch(&client, &metrics(), &kept, &pieces, manner(5), Counted::default(), &mut |_| {}).await;
        assert_eq!(done.expect("it answers").pieces, 6);
        let server = serve(&Arc::clone(&store), Vec::new()).await;
        let mocked = Store::open(mock_folder.path(), &address(&server)).expect("a folder");
        fetched(&server, &mocked, &pieces, manner(1)).await.0.expect("it answers");
        for piece in &pieces {
            let [got, expected] = [&kept, &mocked].map(|kept| kept.get(&metrics(), piece).expect("readable"));
            assert_eq!(got, expected, "{piece:?}");
        }
    });
}
