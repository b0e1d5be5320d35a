//! Requests to a cluster, and the recordings.

use backspin_mocks::kubernetes::{Account, Body, Cluster, Reply, Request, Rule, Settings};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

/// Seconds since 1970 at which tests begin: 2026-11-23T02:00:00Z.
pub(crate) const START_MS: i64 = 1_795_399_200_000;

/// A recorded exchange.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) id: String,
    pub(crate) request: Recorded,
    pub(crate) response: Response,
    #[serde(default)]
    pub(crate) trimmed: Value,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(rename = "as")]
    pub(crate) who: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
    pub(crate) body_text: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
    pub(crate) body_text: Option<String>,
    #[serde(default)]
    pub(crate) events: Vec<Value>,
}

#[derive(Deserialize)]
struct Topic {
    exchanges: Vec<Exchange>,
}

pub(crate) fn topic(text: &str) -> Vec<Exchange> {
    serde_json::from_str::<Topic>(text).expect("a fixture is JSON").exchanges
}

fn rule(verbs: &str, group: &str, resources: &str) -> Rule {
    let list = |text: &str| text.split(' ').map(str::to_owned).collect();
    Rule {
        verbs: list(verbs),
        groups: vec![group.to_owned()],
        resources: list(resources),
        namespaces: list("shop"),
    }
}

/// The accounts of the recordings.
pub(crate) fn accounts() -> Vec<Account> {
    let account =
        |token: &str, user: &str, rules| Account { token: token.to_owned(), user: user.to_owned(), rules };
    let engine = "system:serviceaccount:shop:rollback-engine";
    let viewer = "system:serviceaccount:shop:rollback-viewer";
    let read = "get list watch";
    vec![
        account("admin", "admin", vec![Rule::all()]),
        account(
            "rollback-engine",
            engine,
            vec![
                rule("get list watch patch update", "apps", "deployments deployments/scale"),
                rule(read, "apps", "replicasets"),
                rule(read, "", "pods services"),
                rule("patch", "", "services"),
                rule("get list watch patch", "", "configmaps"),
                rule("create patch", "", "events"),
                rule("get create update patch", "coordination.k8s.io", "leases"),
                rule("get list patch", "gateway.networking.k8s.io", "httproutes"),
                rule("create get list watch delete", "batch", "jobs"),
            ],
        ),
        account("rollback-viewer", viewer, vec![rule(read, "apps", "deployments replicasets")]),
    ]
}

/// A cluster with the accounts of the recordings and the namespace `shop`.
pub(crate) fn cluster() -> Cluster {
    let mut cluster = Cluster::new(Settings { accounts: accounts(), ..Settings::default() });
    cluster.set_now(START_MS);
    cluster.apply(json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": { "name": "shop" } }));
    cluster
}

/// A cluster where everybody may do everything, with the namespace `shop`.
pub(crate) fn open_cluster() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.set_now(START_MS);
    cluster.apply(json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": { "name": "shop" } }));
    cluster
}

/// A query from names and values.
fn query(parameters: &BTreeMap<String, String>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

impl Recorded {
    pub(crate) fn request(&self) -> Request {
        let mut headers: Vec<(String, String)> = self.headers.clone().into_iter().collect();
        headers.push(("user-agent".to_owned(), "lab-recorder/1.0".to_owned()));
        if self.who != "anonymous" {
            headers.push(("authorization".to_owned(), format!("Bearer {}", self.who)));
        }
        let body = match (&self.body, &self.body_text) {
            (Some(body), _) => body.to_string(),
            (None, Some(text)) => text.clone(),
            (None, None) => String::new(),
        };
        Request {
            method: self.method.clone(),
            path: self.path.clone(),
            query: query(&self.query),
            headers,
            body: body.into(),
        }
    }
}

/// One request of an open cluster; status and body.
pub(crate) fn ask(
    cluster: &mut Cluster,
    method: &str,
    path: &str,
    content: &str,
    body: &Value,
) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = cluster.handle(&Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: vec![
            ("content-type".to_owned(), content.to_owned()),
            ("user-agent".to_owned(), "tester/1".to_owned()),
        ],
        body: body.into(),
    });
    (reply.status, json_of(&reply))
}

/// The body of a reply; null if it is no JSON.
pub(crate) fn json_of(reply: &Reply) -> Value {
    match &reply.body {
        Body::Full(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        Body::Watch(_) => Value::Null,
    }
}

/// Prints figures of a test, which nothing is decided by.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
