//! A client of a few lines, and clusters behind a socket.

use std::future::{Future, poll_fn};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;

use backspin_mocks::kubernetes::{Cluster, Controllers, PodSettings, Server};
use tokio::sync::watch;

/// What came back; none if the connection ended before an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// The body ended as it should.
    pub(crate) is_whole: bool,
}

fn sent(address: SocketAddr, method: &str, path: &str, body: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: mock\r\nUser-Agent: tester/1\r\nConnection: close\r\n\
         Content-Type: application/merge-patch+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the request is sent");
    BufReader::new(stream)
}

pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<Answer> {
    let mut reader = sent(address, method, path, body);
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") {
        if reader.read_line(&mut headers).ok()? == 0 {
            return None;
        }
    }
    let headers = headers.to_lowercase();
    let status = headers.split(' ').nth(1)?.parse().ok()?;
    let mut raw = Vec::new();
    let is_read = reader.read_to_end(&mut raw).is_ok();
    let length =
        headers.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
    let is_whole =
        is_read && length.map_or_else(|| raw.ends_with(b"0\r\n\r\n"), |length: usize| raw.len() == length);
    Some(Answer { status, headers, body: raw, is_whole })
}

/// The lines of a stream, without its chunk sizes, until `enough` came.
pub(crate) fn lines(address: SocketAddr, path: &str, enough: usize) -> Vec<String> {
    let reader = sent(address, "GET", path, "");
    let lines = reader.lines().map_while(Result::ok).filter(|line| line.starts_with('{'));
    lines.take(enough).collect()
}

pub(crate) fn locked(cluster: &Mutex<Cluster>) -> MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cluster with its controllers behind a socket. Virtual time goes on as fast as there is something to do: whatever falls
/// due does so at once, and nothing waits.
pub(crate) struct Standalone {
    pub(crate) cluster: Arc<Mutex<Cluster>>,
    pub(crate) server: Server,
    end: watch::Sender<bool>,
    driver: Option<JoinHandle<()>>,
}

impl Standalone {
    pub(crate) fn start(cluster: Cluster, pods: PodSettings) -> Self {
        let cluster = Arc::new(Mutex::new(cluster));
        let server = Server::start(Arc::clone(&cluster)).expect("it listens");
        let (end, ended) = watch::channel(false);
        let shared = Arc::clone(&cluster);
        let driver = std::thread::spawn(move || drive(&shared, pods, ended));
        Self { cluster, server, end, driver: Some(driver) }
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        self.end.send_replace(true);
        if let Some(driver) = self.driver.take() {
            driver.join().expect("the driver does not panic");
        }
    }
}

fn drive(cluster: &Mutex<Cluster>, pods: PodSettings, mut ended: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut controllers = Controllers::new(pods);
    let mut changes = locked(cluster).changes();
    runtime.block_on(async {
        loop {
            changes.borrow_and_update();
            {
                let mut cluster = locked(cluster);
                let now_ms = cluster.now_ms();
                controllers.run(&mut cluster, now_ms);
                // One moment at a time, so that clients come in between.
                if let Some(next_ms) = controllers.next_ms() {
                    controllers.run(&mut cluster, next_ms);
                    continue;
                }
            }
            if *ended.borrow() {
                return;
            }
            let (mut change, mut end) = (pin!(changes.changed()), pin!(ended.changed()));
            poll_fn(|context| {
                let is_ready =
                    change.as_mut().poll(context).is_ready() || end.as_mut().poll(context).is_ready();
                if is_ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    });
}
