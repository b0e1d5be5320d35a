//! One HTTP request over a socket, without keeping the connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// Status, head and body of the answer.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    head: &str,
    body: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    // HTTP/1.0, so that bodies are not chunked.
    let request = format!(
        "{method} {target} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {length}\r\n{head}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    (status, head.to_owned(), body.to_owned())
}

/// Status and body of a GET with a query.
pub(crate) fn get(address: SocketAddr, path: &str, query: &[(&str, &str)]) -> (u16, String) {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let (status, _, body) = send(address, "GET", &format!("{path}?{query}"), "", "");
    (status, body)
}
