//! Time per query: of the request handler alone, of the server around it, and, where the system has one, of a real
//! Prometheus over the same data, one after the other within one run, each server asked over one connection that is kept.
//! How they compare is told per question by the medians of `server` and `prometheus`.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use backspin_mocks::prometheus::{Request, Server, Settings, handle, system_now_ms};
use backspin_mocks::store::{Limits, Store, read_openmetrics};
use criterion::{Criterion, criterion_group, criterion_main};
use flate2::read::GzDecoder;

const DATA: &[u8] = include_bytes!("../tests/fixtures/prometheus/incident.om.gz");

const ERROR_RATIO: &str = "sum(rate(http_requests_total{service=\"checkout\",version=\"v2\",status=~\"5..\"}[15m])) / \
                           sum(rate(http_requests_total{service=\"checkout\",version=\"v2\"}[15m]))";
const P99: &str = "histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{service=\"checkout\",\
                   version=\"v2\"}[15m])) by (le))";

/// Name, path, parameters.
type Question = (&'static str, &'static str, Vec<(&'static str, &'static str)>);

fn questions() -> Vec<Question> {
    let range = |step| vec![("start", "1767225600"), ("end", "1767232778"), ("step", step)];
    let with = |query, mut more: Vec<_>| {
        more.push(("query", query));
        more
    };
    vec![
        ("instant/error_ratio", "/api/v1/query", with(ERROR_RATIO, vec![("time", "1767231000")])),
        ("instant/p99", "/api/v1/query", with(P99, vec![("time", "1767231000")])),
        ("range/error_ratio/479_steps", "/api/v1/query_range", with(ERROR_RATIO, range("15"))),
        ("range/error_ratio/7179_steps", "/api/v1/query_range", with(ERROR_RATIO, range("1"))),
        ("range/p99/479_steps", "/api/v1/query_range", with(P99, range("15"))),
        ("range/p99/7179_steps", "/api/v1/query_range", with(P99, range("1"))),
    ]
}

fn text() -> String {
    let mut text = String::new();
    GzDecoder::new(DATA).read_to_string(&mut text).expect("compressed text");
    text
}

fn encoded(params: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

/// One connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self(BufReader::new(stream))
    }

    /// The body of the answer to a GET.
    fn get(&mut self, target: &str) -> Vec<u8> {
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).expect("it reads");
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let line = line.to_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().expect("a length");
            }
            is_chunked |= line == "transfer-encoding: chunked";
        }
        let mut body = Vec::new();
        if !is_chunked {
            self.take(length, &mut body);
            return body;
        }
        loop {
            let size = usize::from_str_radix(&self.line(), 16).expect("a size");
            self.take(size, &mut body);
            self.line();
            if size == 0 {
                return body;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }

    fn take(&mut self, length: usize, body: &mut Vec<u8>) {
        let start = body.len();
        body.resize(start + length, 0);
        self.0.read_exact(&mut body[start..]).expect("it answers");
    }
}

/// A real server; ended when dropped.
struct Real {
    server: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Real {
    /// None where the system has no Prometheus.
    fn start(text: &str) -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let (samples, data, configuration) =
            (folder.path().join("data.om"), folder.path().join("data"), folder.path().join("prometheus.yml"));
        std::fs::write(&samples, text).ok()?;
        std::fs::write(&configuration, "global: {scrape_interval: 15s}\n").ok()?;
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&samples, &data])
            .output()
            .ok()?;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new("prometheus")
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .args(["--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(server.stderr.take()?).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.split("msg=\"Listening on\"").nth(1)?;
            rest.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
        });
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let Some(address) = address else {
            let _ = server.kill();
            let _ = server.wait();
            return None;
        };
        let real = Self { server, address, _folder: folder };
        while !Client::to(real.address).get("/-/ready").starts_with(b"Prometheus Server is Ready") {
            std::thread::yield_now();
        }
        Some(real)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[expect(clippy::print_stderr, reason = "it tells what could not be compared")]
fn bench(criterion: &mut Criterion) {
    let text = text();
    let mut store = Store::new(Limits { retention_ms: i64::MAX, ..Limits::default() });
    read_openmetrics(&text, &mut store).expect("samples");
    let real = Real::start(&text);
    drop(text);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let shared = Arc::new(RwLock::new(store.clone()));
    let server =
        runtime.block_on(Server::start(shared, Settings::default(), system_now_ms)).expect("it listens");
    for (name, path, params) in questions() {
        let query = encoded(&params);
        let request = Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: query.clone(),
            ..Request::default()
        };
        let ours = handle(&store, &Settings::default(), &request);
        assert_eq!(ours.status, 200, "{}", String::from_utf8_lossy(&ours.body));
        let mut group = criterion.benchmark_group(format!("promql/{name}"));
        group.measurement_time(Duration::from_secs(3)).sample_size(20);
        group.bench_function("function", |b| {
            b.iter(|| black_box(handle(&store, &Settings::default(), &request)));
        });
        let target = format!("{path}?{query}");
        let mut client = Client::to(server.address());
        assert_eq!(client.get(&target), ours.body);
        group.bench_function("server", |b| b.iter(|| black_box(client.get(&target))));
        if let Some(real) = &real {
            let mut client = Client::to(real.address);
            assert!(client.get(&target).starts_with(b"{\"status\":\"success\""));
            group.bench_function("prometheus", |b| b.iter(|| black_box(client.get(&target))));
        }
        group.finish();
    }
    if real.is_none() {
        eprintln!("without a comparison: `prometheus` and `promtool` of the system's package are not there");
    }
    runtime.block_on(server.end()).expect("it ends");
}

criterion_group!(benches, bench);
criterion_main!(benches);
