//! Single exchanges: what each answer of a server means, and that every request is sent once.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use backspin_domain::execution::FailureReason;
use backspin_domain::id::{Attempt, ExecutionId};
use backspin_domain::plan::StepAction;
use backspin_platform::Platform;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/default/deployments/checkout";
const EVENTS: &str = "/api/v1/namespaces/default/events";

struct Exchange {
    server: MockServer,
    kubernetes: Kubernetes,
}

/// Longer than any answer takes that comes, however busy the machine.
const PATIENCE: Duration = Duration::from_mins(2);

impl Exchange {
    fn new(verb: &str, at: &str, answer: ResponseTemplate) -> Self {
        Self::within(PATIENCE, verb, at, answer)
    }

    /// A client that waits for so long.
    fn within(request: Duration, verb: &str, at: &str, answer: ResponseTemplate) -> Self {
        let runtime =
            Rc::new(tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&server).await;
            server
        });
        let service = ServiceId::new("checkout").expect("a name");
        let timeouts = Timeouts { request, ..Timeouts::default() };
        let kubernetes =
            Kubernetes::connect(Rc::clone(&runtime), &server.uri(), service, WallTime(0), timeouts)
                .expect("it connects");
        Self { server, kubernetes }
    }

    /// How often this was asked for.
    fn sent(&self, verb: &str, at: &str) -> usize {
        let received =
            self.kubernetes.runtime.block_on(self.server.received_requests()).expect("they are recorded");
        received.iter().filter(|it| it.method.as_str() == verb && it.url.path() == at).count()
    }
}

fn status(code: u16, reason: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_json(json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }))
}

fn pause(answer: ResponseTemplate) -> Result<(), FailureReason> {
    pause_within(PATIENCE, answer)
}

fn pause_within(request: Duration, answer: ResponseTemplate) -> Result<(), FailureReason> {
    let mut exchange = Exchange::within(request, "PATCH", DEPLOYMENT, answer);
    let paused = exchange.kubernetes.set_paused(true);
    assert_eq!(exchange.sent("PATCH", DEPLOYMENT), 1, "it is sent once, whatever comes back");
    paused
}

#[test]
fn what_the_server_says_is_told_apart_from_its_silence() {
    let words = |text: &str| text.to_owned();
    for (code, reason, expected) in [
        (400, "BadRequest", FailureReason::Refused(words("no"))),
        (401, "Unauthorized", FailureReason::Refused(words("no"))),
        (403, "Forbidden", FailureReason::Refused(words("no"))),
        (404, "NotFound", FailureReason::NotFound(words("no"))),
        (409, "Conflict", FailureReason::Refused(words("no"))),
        (410, "Expired", FailureReason::Refused(words("no"))),
        (422, "Invalid", FailureReason::Refused(words("no"))),
        (429, "TooManyRequests", FailureReason::Unreachable(words("no"))),
        (500, "InternalError", FailureReason::Unreachable(words("no"))),
        (503, "ServiceUnavailable", FailureReason::Unreachable(words("no"))),
        (504, "Timeout", FailureReason::Unreachable(words("no"))),
    ] {
        assert_eq!(pause(status(code, reason, "no")), Err(expected), "{code}");
    }
    let plain = ResponseTemplate::new(429).insert_header("retry-after", "1").set_body_string("slow down");
    assert!(matches!(pause(plain), Err(FailureReason::Unreachable(_))));
}

#[test]
fn nobody_knows_what_became_of_a_write_whose_answer_cannot_be_read() {
    for body in ["", "{", "{\"kind\":\"Deployment\",\"metadata\":{\"name\":", "[]", "\u{0}\u{1}"] {
        let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        assert!(matches!(pause(answer), Err(FailureReason::Unreachable(_))), "{body:?}");
    }
    let late = status(200, "", "").set_delay(Duration::from_mins(10));
    let paused = pause_within(Duration::from_secs(2), late);
    assert_eq!(paused, Err(FailureReason::Unreachable("no answer in time".to_owned())));
}

#[test]
fn a_dropped_connection_is_no_refusal() {
    let mut exchange = Exchange::new("PATCH", "/nowhere", ResponseTemplate::new(200));
    exchange.kubernetes.runtime.block_on(async {
        let dropped = |_: &wiremock::Request| std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        Mock::given(method("PATCH"))
            .and(path(DEPLOYMENT))
            .respond_with_err(dropped)
            .mount(&exchange.server)
            .await;
    });
    assert!(matches!(exchange.kubernetes.set_paused(true), Err(FailureReason::Unreachable(_))));
    assert_eq!(exchange.sent("PATCH", DEPLOYMENT), 1);
}

#[test]
fn a_write_that_was_accepted_is_seen_at_once() {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "checkout", "resourceVersion": "7", "generation": 2 },
        "spec": { "replicas": 3, "paused": true, "template": { "metadata": { "labels": { VERSION_LABEL: "v2" } } } },
    });
    let mut exchange = Exchange::new("PATCH", DEPLOYMENT, ResponseTemplate::new(200).set_body_json(object));
    exchange.kubernetes.set_paused(true).expect("it is accepted");
    let shared = exchange.kubernetes.shared().expect("it is known");
    assert!(shared.paused && shared.replicas == 3);
}

const VERSION_LABEL: &str = super::super::words::VERSION;

#[test]
fn an_effect_that_is_there_is_counted_and_not_made_again() {
    let attempt = Attempt { execution: ExecutionId(1), step: 2, attempt: 1 };
    let action = StepAction::Notify { message: "back".to_owned() };
    let there = status(409, "AlreadyExists", "events \"checkout-1-2-1\" already exists");
    let mut exchange = Exchange::new("POST", EVENTS, there);
    let at = format!("{EVENTS}/checkout-1-2-1");
    let event = json!({ "metadata": { "name": "checkout-1-2-1", "resourceVersion": "9" }, "count": 4 });
    exchange.kubernetes.runtime.block_on(async {
        for verb in ["GET", "PATCH"] {
            let answer = ResponseTemplate::new(200).set_body_json(&event);
            Mock::given(method(verb)).and(path(&at)).respond_with(answer).mount(&exchange.server).await;
        }
    });
    exchange.kubernetes.took(attempt, &action, true).expect("it is noted");
    assert_eq!([exchange.sent("POST", EVENTS), exchange.sent("PATCH", &at)], [1, 1]);
    let received =
        exchange.kubernetes.runtime.block_on(exchange.server.received_requests()).expect("recorded");
    let patch = received.iter().find(|it| it.method.as_str() == "PATCH").expect("one more was counted");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&patch.body).expect("JSON"),
        json!({ "count": 5 })
    );
}
