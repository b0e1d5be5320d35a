//! Get, list and watch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::params::{base64, unbase64};
use super::respond::{Answer, Call, full};
use super::selector::Selector;
use super::status::{Cause, Refusal};
use super::watch::WatchStart;
use super::{Body, Reply};

/// One object.
pub(super) fn get(call: &Call<'_>) -> Result<Answer, Refusal> {
    let object = match stale(call) {
        Some(past) => {
            let target = &call.target;
            let key = (target.namespace().into(), target.name().into());
            let kind = call.cluster.store.kind(target.kind);
            past.get(&key).cloned().ok_or_else(|| Refusal::not_found(kind, target.name()))?
        }
        None => existing(call)?,
    };
    Ok(Answer::Object { status: 200, object, warnings: Vec::new() })
}

/// The objects as they were when the read is to be behind; none if it is not, or if nobody knows any more.
fn stale(call: &Call<'_>) -> Option<Objects> {
    let (store, back) = (&call.cluster.store, call.cluster.read_back);
    if back == 0 {
        return None;
    }
    store.at(call.target.kind, call.target.asked.namespace.as_deref(), store.version().saturating_sub(back))
}

/// The object that a request names.
pub(super) fn existing(call: &Call<'_>) -> Result<Arc<Value>, Refusal> {
    let target = &call.target;
    let store = &call.cluster.store;
    let object = store.get(target.kind, target.namespace(), target.name());
    object.cloned().ok_or_else(|| Refusal::not_found(store.kind(target.kind), target.name()))
}

/// Where a list goes on.
struct Continue {
    /// 0 for "whatever there is now".
    version: u64,
    /// After this namespace and name.
    after: (String, String),
}

impl Continue {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = |why: &str| Refusal::bad_request(format!("invalid continue token: {why}"));
        let bytes = unbase64(text).map_err(|at| {
            bad(&format!("continue key is not valid: illegal base64 data at input byte {at}"))
        })?;
        let token: Value =
            serde_json::from_slice(&bytes).map_err(|_| bad("continue key is not valid: invalid JSON"))?;
        let start = token["start"].as_str().unwrap_or("").trim_end_matches('\0');
        let version = token["rv"].as_i64().unwrap_or(0);
        let (namespace, name) = start.split_once('/').unwrap_or(("", start));
        Ok(Self { version: version.max(0).unsigned_abs(), after: (namespace.to_owned(), name.to_owned()) })
    }

    fn token(version: i64, namespace: &str, name: &str) -> String {
        let start = format!("{namespace}/{name}\0");
        base64(json!({ "v": "meta.k8s.io/v1", "rv": version, "start": start }).to_string().as_bytes())
    }
}

/// The version that a list is asked for.
enum At {
    Now,
    Exactly(u64),
}

fn list_version(call: &Call<'_>) -> Result<At, Refusal> {
    let (version, how) = (call.params.get("resourceVersion"), call.params.get("resourceVersionMatch"));
    let forbidden = |why| {
        let cause = Cause::forbidden("resourceVersionMatch", why);
        Err(Refusal::invalid_options("ListOptions", &cause))
    };
    if version.is_empty() {
        if !how.is_empty() {
            return forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        return Ok(At::Now);
    }
    let number =
        parsed(version).map_err(|why| Refusal::bad_request(format!("invalid resource version: {why}")))?;
    match how {
        "Exact" if number == 0 => {
            forbidden("resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"")
        }
        "Exact" => Ok(At::Exactly(number)),
        "" | "NotOlderThan" if number > call.cluster.store.version() => {
            Err(Refusal::too_large_version(number, call.cluster.store.version()))
        }
        "" | "NotOlderThan" => Ok(At::Now),
        _ => {
            let message =
                format!("Unsupported value: \"{how}\": supported values: \"Exact\", \"NotOlderThan\", \"\"");
            let cause = Cause::new("FieldValueNotSupported", message, "resourceVersionMatch");
            Err(Refusal::invalid_options("ListOptions", &cause))
        }
    }
}

fn parsed(version: &str) -> Result<u64, String> {
    version.parse().map_err(|_| {
        format!("resourceVersion: Invalid value: \"{version}\": strconv.ParseUint: parsing \"{version}\": invalid syntax")
    })
}

/// Objects of a kind.
pub(super) fn list(call: &Call<'_>) -> Result<Reply, Refusal> {
    let selector = selector(call)?;
    let limit = call.params.get("limit").parse::<usize>().ok().filter(|&limit| limit > 0);
    let (at, after) = match call.params.get("continue") {
        "" => (list_version(call)?, None),
        text => {
            let token = Continue::parse(text)?;
            let at = if token.version == 0 { At::Now } else { At::Exactly(token.version) };
            (at, Some(token.after))
        }
    };
    let store = &call.cluster.store;
    let kind = call.target.kind;
    let namespace = call.target.asked.namespace.as_deref();
    let past = match at {
        At::Now => {
            stale(call).map(|objects| (call.cluster.store.version() - call.cluster.read_back, objects))
        }
        At::Exactly(version) if version > store.version() => {
            return Err(Refusal::too_large_version(version, store.version()));
        }
        At::Exactly(version) => {
            Some((version, store.at(kind, namespace, version).ok_or_else(|| expired(after.as_ref()))?))
        }
    };
    let version = past.as_ref().map_or(store.version(), |(version, _)| *version);
    let mut page = Page { limit, after, selector: &selector, ..Page::default() };
    match &past {
        Some((_, objects)) => objects.iter().for_each(|((ns, name), object)| page.take(ns, name, object)),
        None => store.list(kind, namespace).for_each(|(ns, name, object)| page.take(ns, name, object)),
    }
    let mut meta = json!({ "resourceVersion": version.to_string() });
    if page.rest > 0 {
        let (ns, name) = &page.last;
        let ns = if namespace.is_some() { "" } else { ns.as_ref() };
        meta["continue"] = Value::from(Continue::token(i64::try_from(version).unwrap_or(i64::MAX), ns, name));
        if selector.is_empty() {
            meta["remainingItemCount"] = Value::from(page.rest);
        }
    }
    let served = &store.shelf(kind).served;
    let body = call.view.list(served, &meta, &page.objects, call.cluster.now_ms);
    Ok(full(200, "application/json", body.into()))
}

/// Objects of one page.
#[derive(Default)]
struct Page<'a> {
    limit: Option<usize>,
    after: Option<(String, String)>,
    selector: &'a Selector,
    objects: Vec<&'a Arc<Value>>,
    last: (Arc<str>, Arc<str>),
    /// Objects that did not fit.
    rest: usize,
}

impl<'a> Page<'a> {
    fn take(&mut self, namespace: &'a Arc<str>, name: &'a Arc<str>, object: &'a Arc<Value>) {
        let is_before = self.after.as_ref().is_some_and(|(after_namespace, after_name)| {
            // Within one namespace the token leaves it out.
            let key = (if after_namespace.is_empty() { "" } else { &**namespace }, &**name);
            key <= (after_namespace.as_str(), after_name.as_str())
        });
        if is_before || !self.selector.matches(object) {
            return;
        }
        if self.limit.is_some_and(|limit| self.objects.len() >= limit) {
            self.rest += 1;
            return;
        }
        self.objects.push(object);
        self.last = (Arc::clone(namespace), Arc::clone(name));
    }
}

impl Default for &Selector {
    fn default() -> Self {
        static EVERYTHING: std::sync::LazyLock<Selector> = std::sync::LazyLock::new(Selector::default);
        &EVERYTHING
    }
}

fn expired(after: Option<&(String, String)>) -> Refusal {
    let Some((namespace, name)) = after else {
        return Refusal::new(410, "Expired", "The resourceVersion for the provided list is too old.");
    };
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a \
                   new list without the continue parameter, or use the continue token in this response to retrieve \
                   the remainder of the results. Continuing with the provided token results in an inconsistent list \
                   - objects that were created, modified, or deleted between the time the first chunk was returned \
                   and now may show up in the list.";
    let mut refusal = Refusal::new(410, "Expired", message);
    refusal.continue_at = Some(Continue::token(-1, namespace, name));
    refusal
}

fn selector(call: &Call<'_>) -> Result<Selector, Refusal> {
    let plural = &call.cluster.store.kind(call.target.kind).plural;
    Selector::parse(call.params.get("labelSelector"), call.params.get("fieldSelector"), plural)
}

/// A stream of changes.
pub(super) fn watch(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let selector = selector(call)?;
    let settings = &call.cluster.settings;
    let (text, how) = (call.params.get("resourceVersion"), call.params.get("resourceVersionMatch"));
    let streams = call.params.is_set("sendInitialEvents");
    let forbidden = |field: &'static str, why: &str| {
        Err(Refusal::invalid_options("ListOptions", &Cause::forbidden(field, why)))
    };
    if streams && !settings.streaming_lists {
        return forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
        );
    }
    if streams && how != "NotOlderThan" {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return forbidden("resourceVersionMatch", why);
    }
    if !how.is_empty() && call.params.get("sendInitialEvents").is_empty() {
        let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        return forbidden("resourceVersionMatch", why);
    }
    let version = if text.is_empty() { 0 } else { parsed(text).map_err(|why| Refusal::new(500, "", why))? };
    let seconds = call.params.get("timeoutSeconds").parse::<i64>().ok().filter(|&seconds| seconds > 0);
    let timeout_ms = seconds.map_or(settings.watch_timeout_ms, |seconds| seconds.saturating_mul(1_000));

    let namespace = call.target.asked.namespace.clone();
    let store = &call.cluster.store;
    let begins_with_all = streams || version == 0;
    let initial: VecDeque<Arc<Value>> = if begins_with_all {
        let objects = store.list(call.target.kind, namespace.as_deref()).map(|(_, _, object)| object);
        objects.filter(|object| selector.matches(object)).cloned().collect()
    } else {
        VecDeque::new()
    };
    let start = WatchStart {
        kind: call.target.kind,
        namespace,
        selector,
        view: call.view.clone(),
        cursor: if begins_with_all { store.version() } else { version },
        initial,
        marks_initial_end: streams,
        has_bookmarks: call.params.is_set("allowWatchBookmarks"),
        now_ms: call.cluster.now_ms,
        timeout_ms,
    };
    let id = call.cluster.open_watch(start);
    let mut reply = full(200, "application/json", axum::body::Bytes::new());
    reply.body = Body::Watch(id);
    Ok(reply)
}

/// Objects by namespace and name.
pub(super) type Objects = BTreeMap<(Arc<str>, Arc<str>), Arc<Value>>;
