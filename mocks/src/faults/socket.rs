//! Faults that are carried out at the socket, for both servers.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::serve::IncomingStream;
use futures_core::Stream;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::{Fault, LATENCY_HEADER};

/// A listener whose connections can be cut by who answers on them.
#[derive(Debug)]
pub(crate) struct Listener(pub(crate) TcpListener);

/// Cuts one connection: nothing more is written to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    /// Cuts it before anything of the answer is written.
    pub(crate) fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::SeqCst) { Err(Error::from(ErrorKind::ConnectionReset)) } else { Ok(()) }
    }
}

/// A connection that can be cut.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    cut: Cut,
}

impl axum::serve::Listener for Listener {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The standard listener retries what can be retried.
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        (Line { stream, cut: Cut::default() }, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().cut.clone()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        if let Err(error) = self.cut.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// An answer whose body is spoilt, or that tells of its latency; unchanged for all other faults. `body` is the body that
/// the answer has.
pub(crate) fn spoilt(mut answer: Response, body: &Bytes, fault: Option<Fault>) -> Response {
    match fault {
        Some(Fault::TruncatedBody) => {
            answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            *answer.body_mut() = Body::from_stream(Half::of(body));
        }
        Some(Fault::MalformedBody) => {
            let mut broken = b"<html>".to_vec();
            broken.extend_from_slice(&body[..body.len() / 2]);
            *answer.body_mut() = Body::from(broken);
        }
        Some(Fault::Latency { ms }) => {
            answer.headers_mut().insert(HeaderName::from_static(LATENCY_HEADER), HeaderValue::from(ms));
        }
        _ => {}
    }
    answer
}

/// The first half of a body, and then no end.
struct Half {
    items: VecDeque<Result<Bytes, Error>>,
    /// The next item waits for one more call, in which the server writes out what it has.
    is_waiting: bool,
}

impl Half {
    fn of(body: &Bytes) -> Self {
        let half = body.slice(..body.len() / 2);
        let items = [Ok(half), Err(Error::from(ErrorKind::ConnectionReset))].into();
        Self { items, is_waiting: false }
    }
}

impl Stream for Half {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.is_waiting) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_waiting = true;
        Poll::Ready(self.items.pop_front())
    }
}
