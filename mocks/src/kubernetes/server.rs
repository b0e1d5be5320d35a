//! A server on the loopback interface, in a thread of its own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use futures_core::Stream;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::respond::BODY_MAX;
use super::watch::WatchId;
use super::{Body, Cluster, Reply, Request, respond};
use crate::faults::socket::{Cut, Listener, spoilt};
use crate::faults::{Fault, Faults};

/// Longest body that is read, in bytes; one more than what is taken, so that it is refused in the API's words.
const READ_MAX: usize = BODY_MAX + 1;

/// A server cannot start.
#[derive(Debug, Error)]
#[error("cannot serve on the loopback interface")]
pub struct StartError(#[from] std::io::Error);

/// An API server over a shared cluster, until it is dropped.
///
/// Watches are woken by whatever changes the cluster, also from another thread.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    faults: Arc<Mutex<Option<Faults>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    cluster: Arc<Mutex<Cluster>>,
    requests: Arc<AtomicU64>,
    faults: Arc<Mutex<Option<Faults>>>,
}

impl Server {
    /// Listens on a port of 127.0.0.1 that the system chooses, with a thread and a runtime of its own.
    ///
    /// # Errors
    /// When it cannot listen or start a thread.
    pub fn start(cluster: Arc<Mutex<Cluster>>) -> Result<Self, StartError> {
        Self::start_with(cluster, None)
    }

    /// The same with faults: each request is first shown to them.
    ///
    /// # Errors
    /// When it cannot listen or start a thread.
    pub fn start_with(cluster: Arc<Mutex<Cluster>>, faults: Option<Faults>) -> Result<Self, StartError> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let faults = Arc::new(Mutex::new(faults));
        let shared = Shared { cluster, requests: Arc::clone(&requests), faults: Arc::clone(&faults) };
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                let router = Router::new().fallback(answer).with_state(shared);
                let router = router.into_make_service_with_connect_info::<Cut>();
                let serving = tokio::spawn(axum::serve(Listener(listener), router).into_future());
                // A dropped sender ends it as well. Open watches would hold a graceful end up for ever.
                let _ = ended.await;
                serving.abort();
            });
        };
        let thread = std::thread::Builder::new().name("mock-kubernetes".to_owned()).spawn(serve)?;
        Ok(Self { address, requests, faults, end: Some(end), thread: Some(thread) })
    }

    /// The faults with what they have counted.
    pub fn faults(&self) -> Option<Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other faults from now on; what the ones before have counted is forgotten.
    pub fn set_faults(&self, faults: Option<Faults>) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Requests that were received so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Cuts all connections and waits for the thread. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already, and there is nothing left to save.
            let _ = thread.join();
        }
    }
}

/// The cluster; a writer that panicked leaves whole objects behind.
fn locked(cluster: &Mutex<Cluster>) -> MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: axum::extract::Request,
) -> axum::response::Response {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    // Longer bodies stand for themselves as one that is just too long; a broken one is empty.
    let body = match to_bytes(body, READ_MAX).await {
        Ok(body) => body,
        Err(_) if head.headers.get("content-length").is_some_and(is_too_long) => vec![b' '; READ_MAX].into(),
        Err(_) => Bytes::new(),
    };
    let headers = head.headers.iter();
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or("").to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body,
    };
    let fault = {
        let mut faults = shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.as_mut().and_then(|faults| faults.decide(&format!("{} {}", request.method, request.path)))
    };
    if let Some(refusal) = fault.and_then(Fault::refusal) {
        return sent(respond::injected(&refusal), &shared.cluster, None);
    }
    match fault {
        // Whatever is answered now is never written.
        Some(Fault::Refused) => cut.cut(),
        Some(Fault::Reset) => {
            let reply = locked(&shared.cluster).handle(&request);
            cut.cut();
            return sent(reply, &shared.cluster, None);
        }
        Some(Fault::StaleRead { versions }) => {
            let reply = locked(&shared.cluster).handle_stale(&request, versions);
            return sent(reply, &shared.cluster, None);
        }
        _ => {
            let reply = locked(&shared.cluster).handle(&request);
            return sent(reply, &shared.cluster, fault);
        }
    }
    axum::response::Response::new(axum::body::Body::empty())
}

fn is_too_long(length: &HeaderValue) -> bool {
    length.to_str().ok().and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > BODY_MAX)
}

fn sent(reply: Reply, cluster: &Arc<Mutex<Cluster>>, fault: Option<Fault>) -> axum::response::Response {
    let (body, full) = match reply.body {
        Body::Full(bytes) => (axum::body::Body::from(bytes.clone()), bytes),
        Body::Watch(id) => {
            let mut lines = Lines::of(Arc::clone(cluster), id);
            lines.copies = match fault {
                Some(Fault::LostEvent) => Some(0),
                Some(Fault::DuplicatedEvent) => Some(2),
                _ => None,
            };
            return with_head(axum::body::Body::from_stream(lines), reply.status, reply.headers);
        }
    };
    spoilt(with_head(body, reply.status, reply.headers), &full, fault)
}

fn with_head(
    body: axum::body::Body,
    status: u16,
    headers: Vec<(&'static str, String)>,
) -> axum::response::Response {
    let mut sent = axum::response::Response::new(body);
    *sent.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        // A value that no header can have comes only from what a client sent.
        if let Ok(value) = HeaderValue::from_str(&value) {
            sent.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    sent
}

type Changed = Pin<Box<dyn Future<Output = watch::Receiver<u64>> + Send>>;

/// The lines of a watch as a stream; dropping it, as when the client is gone, closes the watch.
struct Lines {
    cluster: Arc<Mutex<Cluster>>,
    id: WatchId,
    ready: VecDeque<Bytes>,
    is_ended: bool,
    /// How often the next event is given, if a fault says so.
    copies: Option<usize>,
    changes: Option<watch::Receiver<u64>>,
    waiting: Option<Changed>,
}

impl Lines {
    fn of(cluster: Arc<Mutex<Cluster>>, id: WatchId) -> Self {
        let changes = Some(locked(&cluster).changes());
        Self { cluster, id, ready: VecDeque::new(), is_ended: false, copies: None, changes, waiting: None }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        locked(&self.cluster).close_watch(self.id);
    }
}

impl Stream for Lines {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(line)));
            }
            if self.is_ended {
                return Poll::Ready(None);
            }
            if let Some(waiting) = self.waiting.as_mut() {
                match waiting.as_mut().poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(changes) => {
                        self.changes = Some(changes);
                        self.waiting = None;
                    }
                }
            }
            // Marked as seen before the look, so that no change falls between the two.
            if let Some(changes) = self.changes.as_mut() {
                changes.borrow_and_update();
            }
            let said = locked(&self.cluster).poll_watch(self.id);
            self.is_ended = said.is_ended;
            for line in said.lines {
                let copies = self.copies.take().unwrap_or(1);
                self.ready.extend(std::iter::repeat_n(line, copies));
            }
            if self.ready.is_empty() && !self.is_ended {
                let Some(mut changes) = self.changes.take() else { return Poll::Ready(None) };
                self.waiting = Some(Box::pin(async move {
                    // The sender lives as long as the cluster, which this stream holds.
                    let _ = changes.changed().await;
                    changes
                }));
            }
        }
    }
}
