//! What a server can do wrong: each has its typed error, a frame that says failed, and never health.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use backspin_mocks::prometheus::{self, Server, system_now_ms};
use backspin_mocks::store::{Labels, Store};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::{
    Became, Begin, Collector, ErrorKind, Known, Prometheus, QueryError, Settings, SetupError, Timing,
};
use super::runtime;
use backspin_domain::frame::{Frame, RolloutView};
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::signal::{Quality, QueryValue, SignalKind};
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_policy::Policy;
use backspin_policy::document::{FileKind, Source};

const BODY_MAX: usize = 4096;

fn a_policy() -> Policy {
    let text = "version: 1\ncustom:\n  - { name: carts, query: 'sum(rate(carts_total{service=\"$service\"}[5m]))', \
                worse: higher, threshold: 2 }\n";
    backspin_policy::parse(&Source::new(FileKind::Policy, "policy.yaml", text)).expect("it is one")
}

/// Queries of a collection: the policy's, and the one for raw samples.
fn asked() -> usize {
    a_policy().queries.len() + 1
}

fn version(name: &str) -> VersionId {
    VersionId::new(name).expect("a name")
}

fn collector(base: &str, begin: Begin) -> Collector {
    let settings = Settings { timeout: Millis(100), body_max: BODY_MAX, ..Settings::at(base) };
    let prometheus = Prometheus::new(&settings).expect("a client");
    let service = ServiceId::new("checkout").expect("a name");
    let timing = Timing { wall_start: WallTime(1_000_000), interval: Millis(15_000) };
    Collector::new(prometheus, &service, &a_policy(), timing, begin)
}

async fn collect(collector: &mut Collector, at_ms: u64) -> Frame {
    let (candidate, versions) = (version("v2"), [version("v1"), version("v2")]);
    let rollout = RolloutView { since_deploy: Some(Millis(60_000)), candidate_share: 0.1 };
    let known = Known { rollout, candidate: Some(&candidate), versions: &versions };
    collector.collect(MonoTime(at_ms), &known).await
}

/// Collects once, and checks that nothing in the frame says health. Gives the error, which all queries had.
#[track_caller]
fn failed(frame: &Frame, collector: &Collector) -> QueryError {
    let arms = [frame.candidate, frame.stable].map(|arm| arm.expect("it is shown"));
    for arm in arms {
        assert_eq!((arm.quality, arm.requests, arm.pods_ready), (Quality::Failed, 0, 0));
    }
    for kind in SignalKind::ALL {
        let sample = frame.signals.get(kind);
        assert_eq!((sample.quality, sample.usable()), (Quality::Failed, None), "{kind}");
    }
    assert_eq!(frame.queries, [QueryValue::Failed]);
    assert!(frame.pods.is_empty());
    let troubles = collector.troubles();
    assert_eq!(troubles.len(), asked());
    let Became::Failed(error) = &troubles[0].what else { panic!("{troubles:?}") };
    assert!(troubles.iter().all(|trouble| trouble.what == troubles[0].what), "{troubles:?}");
    error.clone()
}

/// What becomes of an answer that all queries get.
fn of_answer(answer: ResponseTemplate) -> QueryError {
    runtime().block_on(async {
        let server = MockServer::start().await;
        let asked = asked() as u64;
        let mock = Mock::given(method("POST")).and(path("/prefix/api/v1/query")).respond_with(answer);
        mock.expect(asked).mount(&server).await;
        let mut collector = collector(&format!("{}/prefix/", server.uri()), Begin::WithTheRun);
        let frame = collect(&mut collector, 15_000).await;
        let error = failed(&frame, &collector);
        server.verify().await;
        error
    })
}

fn status(status: u16, kind: Option<ErrorKind>, message: &str) -> QueryError {
    QueryError::Status { status, kind, message: message.to_owned() }
}

#[test]
fn a_status_comes_with_prometheus_words_or_without() {
    let error = |status: u16, kind: &str| {
        let body =
            format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":\"it \\\"cannot\\\"\"}}");
        of_answer(ResponseTemplate::new(status).set_body_raw(body, "application/json"))
    };
    let words = "it \"cannot\"";
    for (code, kind, known) in [
        (400, "bad_data", ErrorKind::BadData),
        (422, "execution", ErrorKind::Execution),
        (503, "timeout", ErrorKind::Timeout),
        (503, "canceled", ErrorKind::Canceled),
        (500, "internal", ErrorKind::Internal),
        (418, "teapot", ErrorKind::Other),
    ] {
        assert_eq!(error(code, kind), status(code, Some(known), words));
    }
    for code in [401, 404, 429, 500, 502, 503] {
        let plain = ResponseTemplate::new(code).set_body_string("<html>no");
        assert_eq!(of_answer(plain), status(code, None, "<html>no"));
    }
    let long = of_answer(ResponseTemplate::new(502).set_body_string("é".repeat(1000)));
    assert_eq!(long, status(502, None, &"é".repeat(150)));
    let huge = of_answer(ResponseTemplate::new(502).set_body_string("n".repeat(2 * BODY_MAX)));
    assert_eq!(huge, status(502, None, ""));
    let moved = ResponseTemplate::new(302).insert_header("location", "/elsewhere");
    assert_eq!(of_answer(moved), status(302, None, ""));
    assert_eq!(of_answer(ResponseTemplate::new(204)), QueryError::Truncated { bytes: 0 });
}

#[test]
fn an_answer_that_is_late_is_none() {
    let late = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    assert_eq!(of_answer(late), QueryError::Timeout { within: Millis(600) });
}

#[test]
fn a_body_that_is_no_answer_is_malformed_cut_or_too_large() {
    let body = |text: &str| of_answer(ResponseTemplate::new(200).set_body_raw(text, "application/json"));
    assert!(matches!(body("<html>"), QueryError::Malformed { .. }));
    let wrong = body("{\"status\":\"error\",\"errorType\":\"internal\",\"error\":\"x\"}");
    assert!(matches!(wrong, QueryError::Malformed { .. }));
    let cut = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[";
    assert_eq!(body(cut), QueryError::Truncated { bytes: cut.len() });
    assert_eq!(body(&" ".repeat(BODY_MAX + 1)), QueryError::TooLarge { max: BODY_MAX });
}

#[test]
fn an_answer_of_another_kind_is_not_taken() {
    // A string is neither raw samples nor a number; the words differ by what was asked for.
    runtime().block_on(async {
        let server = MockServer::start().await;
        let text = "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1,\"x\"]}}";
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_string(text))
            .mount(&server)
            .await;
        let mut collector = collector(&server.uri(), Begin::WithTheRun);
        let frame = collect(&mut collector, 15_000).await;
        assert_eq!(frame.stable.expect("it is shown").quality, Quality::Failed);
        let expected: Vec<&str> = collector
            .troubles()
            .iter()
            .map(|trouble| match &trouble.what {
                Became::Failed(QueryError::Unexpected { found, expected }) if found == "a string" => {
                    *expected
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(expected[..2], ["a range vector", "a number"]);
    });
}

/// A server of few words: for each connection it reads one request, writes these bytes and closes. Ends by itself after
/// as many connections as a collection has queries, so that it would be missed if more came.
struct Blunt {
    address: SocketAddr,
    served: JoinHandle<()>,
}

impl Blunt {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("it has one");
        let served = std::thread::spawn(move || {
            for _ in 0..asked() {
                let (mut stream, _) = listener.accept().expect("somebody connects");
                read_request(&mut stream);
                stream.write_all(answer.as_bytes()).expect("it is read");
            }
        });
        Self { address, served }
    }
}

fn read_request(stream: &mut TcpStream) {
    let (mut request, mut room) = (String::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut room).expect("it is written");
        request.push_str(std::str::from_utf8(&room[..n]).expect("it is text"));
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.expect("it has one").parse().expect("a number") {
            return;
        }
    }
}

fn of_bytes(answer: &'static str) -> QueryError {
    let server = Blunt::start(answer);
    let error = runtime().block_on(async {
        let mut collector = collector(&format!("http://{}", server.address), Begin::WithTheRun);
        let frame = collect(&mut collector, 15_000).await;
        failed(&frame, &collector)
    });
    server.served.join().expect("each query had one connection");
    error
}

#[test]
fn a_connection_that_breaks_is_told_by_how_far_it_came() {
    assert!(matches!(of_bytes(""), QueryError::Reset { .. }));
    assert!(matches!(of_bytes("HTTP/1.1 200"), QueryError::Reset { .. }));
    assert!(matches!(of_bytes("SMTP ready\r\n\r\n"), QueryError::Reset { .. }));
    assert_eq!(
        of_bytes("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"st"),
        QueryError::Truncated { bytes: 4 }
    );
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"st\r\n";
    assert_eq!(of_bytes(chunked), QueryError::Truncated { bytes: 4 });
    let status_cut = of_bytes("HTTP/1.1 503 No\r\ncontent-length: 99\r\n\r\nno");
    assert_eq!(status_cut, status(503, None, ""));
}

#[test]
fn a_server_that_is_not_there_is_refused() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("it has one");
    drop(listener);
    runtime().block_on(async {
        let mut collector = collector(&format!("http://{address}"), Begin::WithTheRun);
        let frame = collect(&mut collector, 15_000).await;
        assert!(matches!(failed(&frame, &collector), QueryError::Refused { .. }));
    });
}

#[test]
fn an_address_is_one_of_http() {
    for base in ["", "prometheus:9090", "/api", "ftp://host", "http://", "http://host?x"] {
        let refused = Prometheus::new(&Settings::at(base)).expect_err("it is none");
        assert!(matches!(refused, SetupError::Address { base: given } if given == base));
    }
}

fn success(kind: &str, result: &str, more: &str) -> ResponseTemplate {
    let body = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":[{result}]}}{more}}}"
    );
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

#[test]
fn a_part_is_no_more_than_a_part() {
    runtime().block_on(async {
        let server = MockServer::start().await;
        let up = |arm| {
            format!("{{\"metric\":{{\"__name__\":\"up\",\"arm\":\"{arm}\"}},\"values\":[[1015,\"1\"]]}}")
        };
        let on = |part| Mock::given(method("POST")).and(body_string_contains(part));
        // The raw samples have one arm; of the queries one fails, one answers two elements, one nothing, the others a number.
        on("__name__")
            .respond_with(success("matrix", &up("stable"), ",\"warnings\":[\"partial\"]"))
            .mount(&server)
            .await;
        on("security_findings").respond_with(ResponseTemplate::new(500)).mount(&server).await;
        let element = "{\"metric\":{},\"value\":[1015,\"0.25\"]}";
        on("compliance_findings")
            .respond_with(success("vector", &[element; 2].join(","), ""))
            .mount(&server)
            .await;
        on("complaints_total").respond_with(success("vector", "", "")).mount(&server).await;
        on("carts_total").respond_with(success("scalar", "1015,\"NaN\"", "")).mount(&server).await;
        let number = success("vector", element, ",\"infos\":[\"a hint\"]");
        Mock::given(method("POST")).respond_with(number).with_priority(9).mount(&server).await;
        let mut collector = collector(&server.uri(), Begin::WithTheRun);
        let frame = collect(&mut collector, 15_000).await;
        assert_eq!(frame.candidate.expect("its deploy has begun").quality, Quality::Missing);
        assert_eq!(frame.stable, None, "fresh, and nothing is there");
        let quality = |kind| frame.signals.get(kind).quality;
        assert_eq!(quality(SignalKind::SecurityFindings), Quality::Failed);
        assert_eq!(quality(SignalKind::ComplianceFindings), Quality::Failed);
        assert_eq!(quality(SignalKind::ComplaintsPerHour), Quality::Missing);
        assert_eq!(frame.signals.get(SignalKind::ErrorRatio).usable(), Some(0.25));
        assert_eq!(frame.queries, [QueryValue::Nan]);
        let noted = collector.troubles().iter().filter(|trouble| matches!(trouble.what, Became::Noted(_)));
        assert_eq!(noted.count(), 1 + asked() - 5);
        let two = QueryError::Unexpected { found: "2 elements".into(), expected: "one element at most" };
        assert!(collector.troubles().iter().any(|trouble| trouble.what == Became::Failed(two.clone())));
    });
}

/// A mock Prometheus whose store is written by hand.
struct Written {
    store: Arc<RwLock<Store>>,
    server: Server,
}

impl Written {
    async fn start() -> Self {
        let store = Arc::default();
        let server = Server::start(Arc::clone(&store), prometheus::Settings::default(), system_now_ms).await;
        Self { store, server: server.expect("it listens") }
    }

    fn write(&self, at_ms: i64, name: &str, labels: &[(&str, &str)], value: f64) {
        let all = [("__name__", name), ("service", "checkout")].into_iter().chain(labels.iter().copied());
        let mut store = self.store.write().expect("no writer panics");
        store.append(&Labels::new(all), 1_000_000 + at_ms, value).expect("in order");
    }

    /// Both arms up, and what v1 counted.
    fn scrape(&self, at_ms: i64, requests: f64) {
        for arm in ["candidate", "stable"] {
            self.write(at_ms, "up", &[("arm", arm)], 1.0);
        }
        self.write(at_ms, "http_requests_total", &[("code", "200"), ("version", "v1")], requests);
        self.write(at_ms, "pods_ready", &[("version", "v1")], 2.0);
        let pod = [("code", "200"), ("version", "v1"), ("pod", "checkout-v1-0")];
        self.write(at_ms, "pod_requests_total", &pod, requests / 2.0);
    }
}

#[test]
fn counters_that_counted_before_are_only_where_counting_begins() {
    runtime().block_on(async {
        let written = Written::start().await;
        let mut collector = collector(&format!("http://{}", written.server.address()), Begin::Amid);
        written.scrape(15_000, 1e6);
        let first = collect(&mut collector, 15_000).await;
        let [candidate, stable] = [first.candidate, first.stable].map(|arm| arm.expect("it is shown"));
        assert_eq!(
            (candidate.quality, stable.quality, stable.requests),
            (Quality::Missing, Quality::Missing, 0)
        );
        assert!(first.pods.is_empty());
        // A version and a pod that come later began at zero.
        written.scrape(30_000, 1e6 + 40.0);
        written.write(30_000, "http_requests_total", &[("code", "200"), ("version", "v2")], 3.0);
        let second = collect(&mut collector, 30_000).await;
        let [candidate, stable] = [second.candidate, second.stable].map(|arm| arm.expect("it is shown"));
        assert_eq!((candidate.quality, candidate.requests), (Quality::Fresh, 3));
        assert_eq!((stable.requests, stable.pods_ready, second.pods[0].requests), (40, 2, 20));
        // Asked again, nothing is counted twice; without a newer sample, nothing is fresh.
        let again = collect(&mut collector, 30_000).await.stable.expect("it is shown");
        assert_eq!((again.quality, again.requests, again.pods_ready), (Quality::Fresh, 0, 2));
        let later = collect(&mut collector, 45_000).await.stable.expect("it is shown");
        assert_eq!((later.quality, later.requests), (Quality::Missing, 0));
        written.scrape(60_000, 1e6 + 100.0);
        let whole = collect(&mut collector, 60_000).await;
        assert_eq!(whole.stable.expect("it is shown").requests, 60, "the whole gap");
        written.server.end().await.expect("it served");
    });
}

#[test]
fn what_is_gone_for_a_day_is_forgotten() {
    runtime().block_on(async {
        let written = Written::start().await;
        let mut collector = collector(&format!("http://{}", written.server.address()), Begin::WithTheRun);
        written.scrape(15_000, 10.0);
        written.write(15_000, "http_requests_total", &[("code", "200"), ("version", "v0")], 7.0);
        collector.keep_at_least(0);
        collect(&mut collector, 15_000).await;
        assert_eq!(collector.kept(), [6, 3]);
        let day = 86_400_000;
        written.scrape(day, 11.0);
        collector.keep_at_least(0);
        collect(&mut collector, day as u64).await;
        assert_eq!(collector.kept(), [6, 3]);
        written.scrape(day + 30_000, 12.0);
        collector.keep_at_least(0);
        let frame = collect(&mut collector, day as u64 + 30_000).await;
        assert_eq!(collector.kept(), [5, 2]);
        assert_eq!(frame.stable.expect("it is shown").requests, 1);
        written.server.end().await.expect("it served");
    });
}
