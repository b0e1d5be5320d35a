//! Fetching: once, resumed wherever it was interrupted, at its rate, and in the face of whatever a server does.

use std::collections::BTreeSet;

use backspin_mocks::faults::{Calls, Fault, Rule};
use backspin_plane::http::metrics::{ErrorKind, Prometheus, QueryError, Settings};

use super::served::{Counted, address, count, deploy, empty, fetched, manner, metrics, runtime, serve, span};
use crate::fetch::{FetchError, Manner, fetch};
use crate::pieces::Piece;
use crate::store::{Kept, Store};
use backspin_domain::time::Millis;

const SERVICES: [&str; 4] = ["a", "b", "c.d", "e"];

fn pieces() -> BTreeSet<Piece> {
    let deploys: Vec<_> =
        SERVICES.iter().zip([70, 75, 200, 430]).map(|(service, at)| deploy(service, at)).collect();
    span().all_pieces(&deploys, metrics().scrape())
}

/// All pieces as they are kept.
fn all(kept: &Store) -> Vec<Kept> {
    pieces().iter().map(|piece| kept.get(&metrics(), piece).expect("it can be read")).collect()
}

fn call(fault: Fault, from: u64, to: u64) -> Rule {
    Rule { calls: Calls::Range { from, to }, ..Rule::new("POST /api/v1/query", fault) }
}

#[test]
fn a_range_is_fetched_once_and_services_share_a_question() {
    let store = empty();
    for service in SERVICES {
        count(&store, service, 0, 600);
    }
    let folder = tempfile::tempdir().expect("a folder");
    runtime().block_on(async {
        let server = serve(&store, Vec::new()).await;
        let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
        let (first, waited) = fetched(&server, &kept, &pieces(), manner(1)).await;
        let first = first.expect("it answers");
        // `a` and `b` need the same three hours, and `c.d` one of them.
        assert_eq!((first.pieces, first.requests), (12, 8));
        // Ten in a second: 100 ms between two.
        assert_eq!(waited, 700);
        let whole = all(&kept);
        for kept in &whole {
            let Kept::Whole(answer) = kept else { panic!("{kept:?}") };
            assert_eq!((answer.series.len(), answer.series[0].samples.len()), (1, 240));
        }
        let (again, _) = fetched(&server, &kept, &pieces(), manner(1)).await;
        assert_eq!(again.expect("nothing is asked").requests, 0);
        assert_eq!(server.requests(), 8);
        server.end().await.expect("it served");
    });
}

#[test]
fn an_interruption_at_every_request_is_gone_on_from() {
    let store = empty();
    for service in SERVICES {
        count(&store, service, 0, 600);
    }
    runtime().block_on(async {
        let (reference, mut total) = (tempfile::tempdir().expect("a folder"), 0);
        let mut expected = Vec::new();
        for interrupted in 0..=8 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = if interrupted == 0 { reference.path() } else { folder.path() };
            let rules = if interrupted == 0 {
                Vec::new()
            } else {
                vec![call(Fault::Refused, interrupted, interrupted)]
            };
            let server = serve(&store, rules).await;
            let kept = Store::open(path, &address(&server)).expect("a folder");
            let (first, _) = fetched(&server, &kept, &pieces(), manner(1)).await;
            if interrupted == 0 {
                total = first.expect("nothing is wrong").requests;
                expected = all(&kept);
                continue;
            }
            assert!(matches!(first, Err(FetchError::NoAnswer { attempts: 1, .. })), "{first:?}");
            assert_eq!(server.requests(), interrupted);
            let (second, _) = fetched(&server, &kept, &pieces(), manner(1)).await;
            // What was answered before is not asked again.
            assert_eq!(second.expect("it goes on").requests, total - (interrupted - 1));
            assert_eq!(all(&kept), expected);
            server.end().await.expect("it served");
        }
    });
}

#[test]
fn a_server_that_wants_to_be_left_alone_is() {
    let store = empty();
    count(&store, "a", 0, 300);
    let folder = tempfile::tempdir().expect("a folder");
    let pieces = span().all_pieces(&[deploy("a", 70)], metrics().scrape());
    runtime().block_on(async {
        let server = serve(&store, vec![call(Fault::TooManyRequests { retry_after_s: 7 }, 1, 2)]).await;
        let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
        let (done, waited) = fetched(&server, &kept, &pieces, manner(5)).await;
        let done = done.expect("it answers in the end");
        assert_eq!((done.pieces, done.requests), (3, 5));
        assert_eq!(waited, 14_000 + 2 * 100, "twice seven seconds, and the rate");
        server.end().await.expect("it served");

        let server = serve(&store, vec![call(Fault::TooManyRequests { retry_after_s: 3600 }, 1, 1)]).await;
        let other = tempfile::tempdir().expect("a folder");
        let kept = Store::open(other.path(), &address(&server)).expect("a folder");
        let (done, _) = fetched(&server, &kept, &pieces, manner(5)).await;
        assert!(matches!(done, Err(FetchError::TooLong { .. })), "{done:?}");
    });
}

#[test]
fn what_passes_is_waited_for_and_what_does_not_ends_it() {
    let store = empty();
    count(&store, "a", 0, 300);
    let pieces = span().all_pieces(&[deploy("a", 70)], metrics().scrape());
    runtime().block_on(async {
        for fault in [
            Fault::InternalError,
            Fault::Unavailable,
            Fault::Reset,
            Fault::Refused,
            Fault::TruncatedBody,
            Fault::MalformedBody,
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let server = serve(&store, vec![call(fault, 2, 3)]).await;
            let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
            let (done, _) = fetched(&server, &kept, &pieces, manner(3)).await;
            assert_eq!(done.expect("it passes").requests, 5, "{fault:?}");
            // A third time in a row is once too often; what was answered before stays.
            let folder = tempfile::tempdir().expect("a folder");
            let server = serve(&store, vec![call(fault, 2, 4)]).await;
            let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
            let (done, _) = fetched(&server, &kept, &pieces, manner(3)).await;
            let error = done.expect_err("it does not pass");
            assert!(matches!(error, FetchError::NoAnswer { attempts: 3, .. }), "{error:?}");
            assert!(!error.is_bad_input());
            let (again, _) = fetched(&server, &kept, &pieces, manner(3)).await;
            assert_eq!(again.expect("it goes on").requests, 2, "{fault:?}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let server = serve(&store, vec![Rule::new("*", Fault::Unauthorized)]).await;
        let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
        let (done, _) = fetched(&server, &kept, &pieces, manner(5)).await;
        let told = matches!(
            done,
            Err(FetchError::NoAnswer { attempts: 1, error: QueryError::Status { status: 401, .. }, .. })
        );
        assert!(told, "it is not asked again");
    });
}

#[test]
fn an_answer_that_is_too_large_is_asked_for_in_halves() {
    let store = empty();
    for service in SERVICES {
        count(&store, service, 0, 600);
    }
    runtime().block_on(async {
        let reference = tempfile::tempdir().expect("a folder");
        let server = serve(&store, Vec::new()).await;
        let kept = Store::open(reference.path(), &address(&server)).expect("a folder");
        fetched(&server, &kept, &pieces(), manner(1)).await.0.expect("it answers");
        let expected = all(&kept);

        // Half of what a piece of one service takes: services first, then time.
        let small = Settings { timeout: Millis(30_000), body_max: 3_000, ..Settings::at(&address(&server)) };
        let small = Prometheus::new(&small).expect("a client");
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
        let clock = Counted::default();
        let done = fetch(&small, &metrics(), &kept, &pieces(), manner(2), clock, &mut |_| {}).await;
        let done = done.expect("in halves it is small enough");
        assert!(done.requests > 2 * done.pieces as u64, "{done:?}");
        assert_eq!(all(&kept), expected);
    });
}

#[test]
fn a_question_that_the_server_does_not_take_is_bad_input() {
    runtime().block_on(async {
        let answer = r#"{"status":"error","errorType":"bad_data","error":"1:7: parse error: unexpected"}"#;
        let base = one_answer("400 Bad Request", answer);
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Store::open(folder.path(), &base).expect("a folder");
        let client = Prometheus::new(&Settings::at(&base)).expect("a client");
        let clock = Counted::default();
        let done = fetch(&client, &metrics(), &kept, &pieces(), manner(5), clock, &mut |_| {}).await;
        let error = done.expect_err("it is refused");
        assert!(error.is_bad_input());
        let FetchError::BadQuery { query, error: QueryError::Status { kind, message, .. } } = error else {
            panic!("{error:?}")
        };
        assert!(query.contains("http_requests_total") && message.contains("parse error"));
        assert_eq!(kind, Some(ErrorKind::BadData));
    });
}

/// A server that gives one answer, and is gone.
fn one_answer(status: &'static str, body: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let mut seen = [0; 8192];
        let _ = stream.read(&mut seen);
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    });
    base
}

#[test]
fn an_answer_that_does_not_come_in_time_is_an_error_of_the_environment() {
    runtime().block_on(async {
        let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let base = format!("http://{}", silent.local_addr().expect("bound"));
        let settings = Settings { timeout: Millis(20), ..Settings::at(&base) };
        let client = Prometheus::new(&settings).expect("a client");
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Store::open(folder.path(), &base).expect("a folder");
        // The shortest piece that there is cannot be halved for ever.
        let one: BTreeSet<Piece> = pieces()
            .into_iter()
            .take(1)
            .map(|piece| Piece { to: piece.from.ahead(15_000), ..piece })
            .collect();
        let manner = Manner { group_max: 1, ..manner(1) };
        let clock = Counted::default();
        let done = fetch(&client, &metrics(), &kept, &one, manner, clock, &mut |_| {}).await;
        assert!(
            matches!(done, Err(FetchError::NoAnswer { error: QueryError::Timeout { .. }, .. })),
            "{done:?}"
        );
    });
}
