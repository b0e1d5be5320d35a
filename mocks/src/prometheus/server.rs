//! A server on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Request, Response, Settings, handle};
use crate::faults::socket::{Cut, Listener, spoilt};
use crate::faults::{Fault, Faults};
use crate::store::Store;

/// Longest body, in bytes; Go's limit for forms.
const BODY_MAX: usize = 10 << 20;

/// A server cannot listen.
#[derive(Debug, Error)]
#[error("cannot listen on the loopback interface")]
pub struct StartError(#[from] std::io::Error);

/// A Prometheus that answers from a store, until it is ended.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    door: Arc<Door>,
    faults: Arc<Mutex<Option<Faults>>>,
    end: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

/// What stands before the API.
#[derive(Debug, Default)]
struct Door {
    is_closed: AtomicBool,
    requests: AtomicU64,
}

#[derive(Clone)]
struct Shared {
    door: Arc<Door>,
    store: Arc<RwLock<Store>>,
    settings: Arc<Settings>,
    now_ms: fn() -> i64,
    faults: Arc<Mutex<Option<Faults>>>,
}

impl Server {
    /// Listens on a port that the system chooses. `now_ms` tells the time, in milliseconds since 1970.
    ///
    /// # Errors
    /// When it cannot listen. Must be called within a runtime of tokio.
    pub async fn start(
        store: Arc<RwLock<Store>>,
        settings: Settings,
        now_ms: fn() -> i64,
    ) -> Result<Self, StartError> {
        Self::start_with(store, settings, now_ms, None).await
    }

    /// The same with faults: each request is first shown to them.
    ///
    /// # Errors
    /// When it cannot listen. Must be called within a runtime of tokio.
    pub async fn start_with(
        store: Arc<RwLock<Store>>,
        settings: Settings,
        now_ms: fn() -> i64,
        faults: Option<Faults>,
    ) -> Result<Self, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let faults = Arc::new(Mutex::new(faults));
        let door = Arc::<Door>::default();
        let shared = Shared {
            door: Arc::clone(&door),
            store,
            settings: Arc::new(settings),
            now_ms,
            faults: Arc::clone(&faults),
        };
        let router = Router::new().fallback(answer).with_state(shared);
        let router = router.into_make_service_with_connect_info::<Cut>();
        let (end, ended) = oneshot::channel::<()>();
        let serving = axum::serve(Listener(listener), router).with_graceful_shutdown(async move {
            // A dropped sender ends it as well.
            let _ = ended.await;
        });
        let served = tokio::spawn(async move { serving.await });
        Ok(Self { address, door, faults, end, served })
    }

    /// The faults with what they have counted.
    pub fn faults(&self) -> Option<Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests that came through the socket so far, refused ones included.
    pub fn requests(&self) -> u64 {
        self.door.requests.load(Ordering::Relaxed)
    }

    /// Whether requests are turned away from now on with status 503 and no body of Prometheus', as by a proxy before a
    /// server that is away.
    pub fn set_away(&self, is_away: bool) {
        self.door.is_closed.store(is_away, Ordering::Relaxed);
    }

    /// Stops listening, lets open requests finish, and waits for that.
    ///
    /// # Errors
    /// When the server had failed before.
    pub async fn end(self) -> std::io::Result<()> {
        let _ = self.end.send(());
        self.served.await.map_err(std::io::Error::other)?
    }
}

/// The system's time, in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the adapter that reads the system's clock")]
pub fn system_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: axum::extract::Request,
) -> axum::response::Response {
    shared.door.requests.fetch_add(1, Ordering::Relaxed);
    if shared.door.is_closed.load(Ordering::Relaxed) {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n");
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "http: request body too large\n");
    };
    let headers = head.headers.iter();
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or("").to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
        now_ms: (shared.now_ms)(),
    };
    let fault = {
        let mut faults = shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.as_mut().and_then(|faults| faults.decide(&format!("{} {}", request.method, request.path)))
    };
    if let Some(refusal) = fault.and_then(Fault::refusal) {
        return refused(&refusal);
    }
    // A query changes nothing, so it is all the same whether it was carried out.
    if matches!(fault, Some(Fault::Refused | Fault::Reset)) {
        cut.cut();
        return plain(StatusCode::OK, "");
    }
    // Off the threads that serve connections: a query may take long.
    let handled = tokio::task::spawn_blocking(move || {
        // A writer that panicked cannot have left a sample half written.
        let store = shared.store.read().unwrap_or_else(PoisonError::into_inner);
        handle(&store, &shared.settings, &request)
    });
    match handled.await {
        Ok(response) => {
            let body = Bytes::from(response.body.clone());
            spoilt(sent(response), &body, fault)
        }
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n"),
    }
}

fn sent(response: Response) -> axum::response::Response {
    let mut sent = axum::response::Response::new(Body::from(response.body));
    *sent.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        // The only value that comes from outside is the origin, which was a header's value before.
        if let Ok(value) = HeaderValue::from_str(&value) {
            sent.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    sent
}

fn plain(status: StatusCode, body: &'static str) -> axum::response::Response {
    let mut response = axum::response::Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

fn refused(refusal: &crate::faults::Refusal) -> axum::response::Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, refusal.message);
    if let Some(seconds) = refusal.retry_after_s {
        response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
    }
    response
}
