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
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use futures_core::Stream;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::status::Refusal;
use super::watch::WatchId;
use super::{Body, Cluster, Reply, Request};

/// Longest body, in bytes; the API server's limit.
const BODY_MAX: usize = 3 << 20;

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
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    cluster: Arc<Mutex<Cluster>>,
    requests: Arc<AtomicU64>,
}

impl Server {
    /// Listens on a port of 127.0.0.1 that the system chooses, with a thread and a runtime of its own.
    ///
    /// # Errors
    /// When it cannot listen or start a thread.
    pub fn start(cluster: Arc<Mutex<Cluster>>) -> Result<Self, StartError> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let shared = Shared { cluster, requests: Arc::clone(&requests) };
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                let router = Router::new().fallback(answer).with_state(shared);
                let serving = tokio::spawn(axum::serve(listener, router).into_future());
                // A dropped sender ends it as well. Open watches would hold a graceful end up for ever.
                let _ = ended.await;
                serving.abort();
            });
        };
        let thread = std::thread::Builder::new().name("mock-kubernetes".to_owned()).spawn(serve)?;
        Ok(Self { address, requests, end: Some(end), thread: Some(thread) })
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

async fn answer(State(shared): State<Shared>, request: axum::extract::Request) -> axum::response::Response {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        let message = format!("Request entity too large: limit is {BODY_MAX}");
        return sent(too_large(&Refusal::new(413, "RequestEntityTooLarge", message)), &shared.cluster);
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
    let reply = locked(&shared.cluster).handle(&request);
    sent(reply, &shared.cluster)
}

fn too_large(refusal: &Refusal) -> Reply {
    Reply {
        status: refusal.code,
        headers: vec![("content-type", "application/json".to_owned())],
        body: Body::Full(refusal.to_json().to_string().into()),
    }
}

fn sent(reply: Reply, cluster: &Arc<Mutex<Cluster>>) -> axum::response::Response {
    let body = match reply.body {
        Body::Full(bytes) => axum::body::Body::from(bytes),
        Body::Watch(id) => axum::body::Body::from_stream(Lines::of(Arc::clone(cluster), id)),
    };
    let mut sent = axum::response::Response::new(body);
    *sent.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
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
    changes: Option<watch::Receiver<u64>>,
    waiting: Option<Changed>,
}

impl Lines {
    fn of(cluster: Arc<Mutex<Cluster>>, id: WatchId) -> Self {
        let changes = Some(locked(&cluster).changes());
        Self { cluster, id, ready: VecDeque::new(), is_ended: false, changes, waiting: None }
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
            self.ready.extend(said.lines);
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
