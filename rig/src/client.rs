//! A small HTTP client: what the load generator, a pod and the exporter need.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Longest answer that is waited for.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps connections open between requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Pooled<HttpConnector, Full<Bytes>>);

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Pooled::builder(TokioExecutor::new()).build(connector))
    }
}

impl Client {
    /// Asks for a path; the status and the whole body.
    pub async fn get(&self, at: SocketAddr, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        self.send(Request::get(format!("http://{at}{path}")).body(Full::default())?).await
    }

    /// Posts a form; the body of a good answer.
    pub async fn post(&self, at: SocketAddr, path: &str, form: &[(&str, &str)]) -> anyhow::Result<Bytes> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{at}{path}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(body))?;
        let (status, body) = self.send(request).await?;
        if !status.is_success() {
            bail!("`{path}` answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let answer = async {
            let response = self.0.request(request).await?;
            let status = response.status();
            anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, answer).await.context("no answer in time")?
    }
}
