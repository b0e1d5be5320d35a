//! The recorded cases, the data that they are about, and how an answer is compared.

use std::collections::BTreeMap;
use std::io::Read as _;

use backspin_mocks::prometheus::{Request, Response, Settings, handle};
use backspin_mocks::promql::eval::Options;
use backspin_mocks::store::{Labels, Limits, Store, read_openmetrics};
use backspin_mocks::window::stale_marker;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

const DATA: &[u8] = include_bytes!("../fixtures/prometheus/incident.om.gz");
const STALE: &str = include_str!("../fixtures/prometheus/stale_samples.json");
const CASES: &str = include_str!("../fixtures/prometheus/golden-3.5.3.jsonl");
const LISTED: &str = include_str!("../fixtures/prometheus/cases.txt");

const LIMITS: &str = include_str!("../fixtures/prometheus/golden-limits-3.5.3.jsonl");

/// Numbers agree within this share.
const TOLERANCE: f64 = 1e-12;

/// One request and what the real server answered.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) request: GoldenRequest,
    pub(crate) response: GoldenResponse,
    /// What must not be compared: paths with `*`, a key at any depth, `status_code`.
    #[serde(default)]
    volatile: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GoldenRequest {
    method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) query: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) form: Vec<(String, String)>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    raw: Option<String>,
    #[serde(default)]
    ctype: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GoldenResponse {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What a case is to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Must agree.
    Core,
    /// Agrees as well.
    Wide,
    /// Not claimed.
    Out,
}

/// All cases with their scopes.
pub(crate) fn cases() -> Vec<(Scope, Case)> {
    let mut scopes: BTreeMap<&str, Scope> = BTreeMap::new();
    for line in LISTED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (scope, name) = line.split_once(' ').expect("a scope and a name");
        let scope = match scope {
            "core" => Scope::Core,
            "wide" => Scope::Wide,
            "out" => Scope::Out,
            other => panic!("`{other}` is no scope"),
        };
        assert!(scopes.insert(name, scope).is_none(), "`{name}` is listed twice");
    }
    let cases: Vec<(Scope, Case)> = CASES
        .lines()
        .map(|line| {
            let case: Case = serde_json::from_str(line).expect("a case");
            let scope = scopes.remove(case.name.as_str());
            (scope.unwrap_or_else(|| panic!("`{}` has no scope", case.name)), case)
        })
        .collect();
    assert!(scopes.is_empty(), "no such cases: {scopes:?}");
    cases
}

/// Cases of a server with `--query.max-samples=1000`.
pub(crate) fn limits() -> Vec<Case> {
    LIMITS.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

/// Labels, and samples with their times in milliseconds.
pub(crate) type More = (BTreeMap<String, String>, Vec<(i64, f64)>);

/// The recorded data as text, and the samples that text cannot say.
pub(crate) fn data() -> (String, Vec<More>) {
    #[derive(Deserialize)]
    struct Stale {
        labels: BTreeMap<String, String>,
        samples: Vec<(i64, Value)>,
    }
    let mut text = String::new();
    GzDecoder::new(DATA).read_to_string(&mut text).expect("compressed text");
    let stale: Vec<Stale> = serde_json::from_str(STALE).expect("samples");
    let value = |value: Value| match value {
        Value::Number(number) => number.as_f64().expect("a number"),
        Value::String(text) if text == "STALE" => stale_marker(),
        Value::String(text) => text.parse().expect("a number"),
        other => panic!("{other} is no value"),
    };
    let more = stale
        .into_iter()
        .map(|series| (series.labels, series.samples.into_iter().map(|(t_ms, v)| (t_ms, value(v))).collect()))
        .collect();
    (text, more)
}

/// A store with this data.
pub(crate) fn store(text: &str, more: &[More]) -> Store {
    let mut store = Store::new(Limits { retention_ms: i64::MAX, ..Limits::default() });
    assert_eq!(read_openmetrics(text, &mut store), Ok(78_192));
    for (labels, samples) in more {
        let labels = Labels::new(labels);
        for &(t_ms, value) in samples {
            store.append(&labels, t_ms, value).expect("in order");
        }
    }
    store
}

/// Set up as the recorded server.
pub(crate) fn settings() -> Settings {
    Settings { options: Options { subquery_step_ms: 15_000, ..Options::default() }, ..Settings::default() }
}

fn encoded(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl GoldenRequest {
    pub(crate) fn request(&self) -> Request {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let query = if query.is_empty() { encoded(&self.query) } else { query.to_owned() };
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        let mut body = Vec::new();
        if let Some(raw) = &self.raw {
            body = raw.clone().into_bytes();
        } else if !self.form.is_empty() {
            body = encoded(&self.form).into_bytes();
            headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        }
        if let Some(kind) = &self.ctype {
            headers.push(("content-type".to_owned(), kind.clone()));
        }
        Request {
            method: self.method.clone(),
            path: path.to_owned(),
            query,
            headers,
            body,
            now_ms: 1_800_000_000_000,
        }
    }
}

impl Case {
    /// What differs between our response and the recorded one.
    pub(crate) fn difference(&self, store: &Store, settings: &Settings) -> Option<String> {
        let response = handle(store, settings, &self.request.request());
        let may_be_any_error = self.volatile.iter().any(|path| path == "status_code");
        if may_be_any_error {
            let is_error = matches!(response.status, 400 | 422 | 503);
            return (!is_error).then(|| format!("status {} is no error", response.status));
        }
        if response.status != self.response.status {
            let body = String::from_utf8_lossy(&response.body).chars().take(300).collect::<String>();
            return Some(format!("status {} for {}: {body}", response.status, self.response.status));
        }
        for (name, value) in &self.response.headers {
            let ours = response.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            if ours != Some(value) {
                return Some(format!("header {name}: {ours:?} for {value}"));
            }
        }
        let body = body(&response);
        if !self.response.body.starts_with('{') {
            return (body != self.response.body).then(|| format!("`{body}` for `{}`", self.response.body));
        }
        let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let query = self.request.query.iter().chain(&self.request.form).find(|(name, _)| name == "query");
        let is_sorted = query
            .is_some_and(|(_, text)| ["sort", "topk", "bottomk"].iter().any(|word| text.starts_with(word)));
        self.unlike("", &parsed(&body), &parsed(&self.response.body), is_sorted)
    }

    fn is_volatile(&self, path: &str) -> bool {
        self.volatile.iter().any(|volatile| {
            let (volatile, path) = (volatile.split('/'), path.split('/'));
            volatile.clone().count() == path.clone().count()
                && volatile.zip(path).all(|(wanted, step)| wanted == "*" || wanted == step)
        })
    }

    fn unlike(&self, path: &str, ours: &Value, theirs: &Value, is_sorted: bool) -> Option<String> {
        if self.is_volatile(path) {
            return None;
        }
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let (our_keys, their_keys): (Vec<_>, Vec<_>) =
                    (ours.keys().collect(), theirs.keys().collect());
                let as_set = |keys: &[&String]| {
                    keys.iter().map(|key| (*key).clone()).collect::<std::collections::BTreeSet<_>>()
                };
                if as_set(&our_keys) != as_set(&their_keys) {
                    return Some(format!("{path}: keys {our_keys:?} for {their_keys:?}"));
                }
                ours.iter().find_map(|(key, value)| {
                    self.unlike(&format!("{path}/{key}"), value, &theirs[key], is_sorted)
                })
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                if ours.len() != theirs.len() {
                    return Some(format!(
                        "{path}: {} items for {}: {ours:?} for {theirs:?}",
                        ours.len(),
                        theirs.len()
                    ));
                }
                let is_set =
                    (path == "/data/result" && !is_sorted) || path == "/warnings" || path == "/infos";
                let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
                if is_set {
                    let key = |item: &Value| item.get("metric").unwrap_or(item).to_string();
                    ours.sort_by_key(key);
                    theirs.sort_by_key(key);
                }
                ours.iter().zip(&theirs).enumerate().find_map(|(index, (ours, theirs))| {
                    self.unlike(&format!("{path}/{index}"), ours, theirs, is_sorted)
                })
            }
            (Value::String(ours), Value::String(theirs)) if ours != theirs => {
                let close = match (ours.parse::<f64>(), theirs.parse::<f64>()) {
                    (Ok(ours), Ok(theirs)) => {
                        (ours - theirs).abs() <= TOLERANCE * ours.abs().max(theirs.abs())
                    }
                    _ => false,
                };
                (!close).then(|| format!("{path}: `{ours}` for `{theirs}`"))
            }
            (ours, theirs) => (ours != theirs).then(|| format!("{path}: {ours} for {theirs}")),
        }
    }
}

/// The body as text, decompressed if it is not.
fn body(response: &Response) -> String {
    let is_compressed = response.headers.iter().any(|(name, _)| *name == "content-encoding");
    if !is_compressed {
        return String::from_utf8(response.body.clone()).expect("text");
    }
    let mut text = String::new();
    GzDecoder::new(response.body.as_slice()).read_to_string(&mut text).expect("compressed text");
    text
}
