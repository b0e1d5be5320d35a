//! A real Prometheus: started on a port that the system chooses, told its targets by file, asked for raw samples.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::client::Client;
use crate::supervise;

/// Something to scrape, with the labels that all of its series get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `host:port`, one.
    pub targets: [String; 1],
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    keeper: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its own words for its version.
    pub version: String,
    targets: PathBuf,
    client: Client,
}

/// How long it may take to start.
const START_MAX: Duration = Duration::from_mins(1);

impl Prometheus {
    /// Starts it with its data in `folder`, through a keeper which ends it when this process is gone.
    pub async fn start(rig: &Path, program: &str, folder: &Path, interval: Duration) -> anyhow::Result<Self> {
        let targets = folder.join("targets.json");
        write_targets(&targets, &[])?;
        let configuration = folder.join("prometheus.yml");
        std::fs::write(&configuration, configured(interval, &targets))?;
        let version = version(program).await?;
        let mut keeper = Command::new(rig)
            .args(["keep", "--", program])
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            // Not killed on drop: it ends by itself when its input closes, and ends Prometheus first.
            .spawn()
            .context("cannot start the keeper")?;
        let output = keeper.stderr.take().context("its output was not piped")?;
        let mut lines = BufReader::new(output).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(address) = listens(&line) {
                    return Ok(address);
                }
            }
            bail!("`{program}` ended before it listened")
        };
        let address =
            tokio::time::timeout(START_MAX, listening).await.context("it did not start in time")??;
        // Its log must be read on, or it would stand still when the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let prometheus = Self { keeper, address, version, targets, client: Client::default() };
        prometheus.until_ready().await?;
        Ok(prometheus)
    }

    async fn until_ready(&self) -> anyhow::Result<()> {
        let asked = async {
            while !matches!(self.client.get(self.address, "/-/ready").await, Ok((status, _)) if status.is_success())
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START_MAX, asked).await.context("Prometheus is not ready in time")
    }

    /// Says what to scrape from now on; it watches the file.
    pub fn scrape(&self, targets: &[Target]) -> anyhow::Result<()> {
        write_targets(&self.targets, targets)
    }

    /// The raw samples of the metrics whose name matches, of so many seconds up to a moment.
    pub async fn samples(&self, names: &str, seconds: u64, end_s: f64) -> anyhow::Result<Vec<Series>> {
        let query = format!("{{__name__=~\"{names}\"}}[{seconds}s]");
        let form = [("query", query.as_str()), ("time", &format!("{end_s:.3}"))];
        let body = self.client.post(self.address, "/api/v1/query", &form).await?;
        series(&body)
    }

    /// Ends it and waits for its end.
    pub async fn end(mut self) -> anyhow::Result<()> {
        supervise::end(&mut self.keeper).await
    }
}

/// The first line of what it says of its version.
async fn version(program: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .await
        .with_context(|| format!("cannot run `{program}`; it is in the package `prometheus`"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().next().unwrap_or_default();
    Ok(first.split(" (").next().unwrap_or(first).to_owned())
}

/// The configuration: one job, targets by file.
fn configured(interval: Duration, targets: &Path) -> String {
    let ms = interval.as_millis();
    format!(
        "global:\n  scrape_interval: {ms}ms\n  scrape_timeout: {}ms\nscrape_configs:\n- job_name: rig\n  \
         file_sd_configs:\n  - files: ['{}']\n    refresh_interval: 5s\n",
        ms * 3 / 4,
        targets.display()
    )
}

/// Written beside its place and moved there, so that it is never read half.
fn write_targets(path: &Path, targets: &[Target]) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, serde_json::to_vec(targets)?)?;
    Ok(std::fs::rename(fresh, path)?)
}

/// The address in its log line about it.
fn listens(line: &str) -> Option<SocketAddr> {
    let rest = line.split("msg=\"Listening on\"").nth(1)?;
    rest.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
}

/// Seconds since 1970.
pub fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A series as Prometheus holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, `__name__` among them.
    pub labels: BTreeMap<String, String>,
    /// When and what, by time, in seconds since 1970; markers of staleness are not among them.
    pub samples: Vec<(f64, f64)>,
}

impl Series {
    /// A label's value; empty if it is not there.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The metric's name.
    pub fn name(&self) -> &str {
        self.label("__name__")
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

/// Reads the answer to a range selector, series in the order of their labels.
pub fn series(body: &[u8]) -> anyhow::Result<Vec<Series>> {
    let answer: Answer = serde_json::from_slice(body).context("Prometheus did not answer with JSON")?;
    if answer.status != "success" {
        bail!("Prometheus refused the query: {}", answer.error);
    }
    let found = answer.data.context("Prometheus answered without data")?.result;
    let mut series = Vec::with_capacity(found.len());
    for one in found {
        let mut samples = Vec::with_capacity(one.values.len());
        for (at, text) in one.values {
            let value: f64 = text.parse().with_context(|| format!("`{text}` is not a number"))?;
            samples.push((at, value));
        }
        series.push(Series { labels: one.metric, samples });
    }
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_address_is_read_from_its_log() {
        let line = "ts=2026-01-05T10:00:00Z caller=tls_config.go:232 level=info component=web \
                    msg=\"Listening on\" address=127.0.0.1:43371";
        assert_eq!(listens(line), Some(SocketAddr::from(([127, 0, 0, 1], 43371))));
        let before = "msg=\"Start listening for connections\" address=127.0.0.1:0";
        assert_eq!(listens(before), None);
    }

    #[test]
    fn an_answer_that_is_no_success_is_an_error_with_its_words() {
        let refused = br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert!(series(refused).expect_err("refused").to_string().contains("parse error"));
        assert!(series(b"404 page not found").is_err());
    }

    #[test]
    fn special_values_are_numbers() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"x"},"values":[[1.5,"NaN"],[3.5,"+Inf"],[5.5,"1e-09"]]}]}}"#;
        let found = series(body).expect("reads");
        assert!(found[0].samples[0].1.is_nan());
        assert_eq!(found[0].samples[1..], [(3.5, f64::INFINITY), (5.5, 1e-9)]);
    }
}
