//! The server around the function: listens, answers, ends.

use std::net::TcpStream;
use std::sync::{Arc, RwLock};

use backspin_mocks::prometheus::{Server, Settings};
use backspin_mocks::store::{Labels, Store};

use super::client::{get, send};

fn now_ms() -> i64 {
    1_767_225_600_000
}

#[test]
fn answers_over_sockets_and_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = Arc::new(RwLock::new(Store::default()));
        let server = Server::start(Arc::clone(&store), Settings::default(), now_ms).await.expect("it listens");
        let address = server.address();
        assert!(address.ip().is_loopback());
        let labels = Labels::new([("__name__", "up"), ("pod", "a")]);
        store.write().expect("nobody panicked").append(&labels, now_ms(), 1.0).expect("in order");
        let asked = tokio::task::spawn_blocking(move || {
            let form = "content-type: application/x-www-form-urlencoded\r\norigin: http://example.test\r\n";
            [
                send(address, "GET", "/-/ready", "", ""),
                send(address, "GET", "/api/v1/query?query=up", "", ""),
                send(address, "POST", "/api/v1/query", form, "query=up%3D%3D1"),
                send(address, "GET", "/nothing", "", ""),
                send(address, "POST", "/api/v1/query", form, &"x".repeat((10 << 20) + 1)),
            ]
        });
        let [ready, got, posted, missing, large] = asked.await.expect("it answers");
        assert_eq!((ready.0, ready.2.as_str()), (200, "Prometheus Server is Ready.\n"));
        let body = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\
                    \"pod\":\"a\"},\"value\":[1767225600,\"1\"]}]}}";
        assert_eq!((got.0, got.2.as_str()), (200, body));
        assert_eq!((posted.0, posted.2.as_str()), (200, body));
        assert!(posted.1.contains("access-control-allow-origin: http://example.test"), "{}", posted.1);
        assert_eq!(missing.0, 404);
        assert_eq!(large.0, 413);
        server.end().await.expect("it ends");
        assert!(TcpStream::connect(address).is_err(), "it still listens");
    });
}

#[test]
fn a_moment_without_a_time_is_now() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = Arc::new(RwLock::new(Store::default()));
        let server = Server::start(store, Settings::default(), now_ms).await.expect("it listens");
        let address = server.address();
        let asked =
            tokio::task::spawn_blocking(move || get(address, "/api/v1/query", &[("query", "time()")]));
        let (status, body) = asked.await.expect("it answers");
        assert_eq!(status, 200);
        assert!(body.contains("[1767225600,\"1767225600\"]"), "{body}");
        server.end().await.expect("it ends");
    });
}
