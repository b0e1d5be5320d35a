//! Which request does what.

use axum::body::Bytes;
use serde_json::Value;

use super::access::{Caller, Wish};
use super::params::Params;
use super::route::{Route, Sub, Target, route};
use super::status::Refusal;
use super::view::{Shape, View};
use super::{Body, Cluster, Reply, Request, create, delete, discovery, patch, read, review, scale, update};

const JSON: &str = "application/json";
/// Longest body, in bytes; the API server's limit.
pub(super) const BODY_MAX: usize = 3 << 20;

const TEXT: &str = "text/plain; charset=utf-8";

/// A request to objects, taken apart.
pub(super) struct Call<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) request: &'a Request,
    pub(super) params: Params,
    pub(super) target: Target,
    pub(super) view: View,
}

/// What answers a request.
pub(super) enum Answer {
    /// One object, in the shape that was asked for.
    Object { status: u16, object: std::sync::Arc<Value>, warnings: Vec<String> },
    /// Something that has its shape already.
    Plain(Reply),
}

impl Answer {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::Plain(full(status, JSON, value.to_string().into()))
    }
}

/// Answers a request.
pub(super) fn answer(cluster: &mut Cluster, request: &Request) -> Reply {
    if request.body.len() > BODY_MAX {
        return refused(&too_large());
    }
    match Caller::of(&cluster.settings.accounts, request)
        .and_then(|caller| dispatch(cluster, request, &caller))
    {
        Ok(reply) => reply,
        Err(refusal) => refused(&refusal),
    }
}

fn dispatch(cluster: &mut Cluster, request: &Request, caller: &Caller) -> Result<Reply, Refusal> {
    let accounts = &cluster.settings.accounts;
    let params = Params::of(request);
    match route(&cluster.store, &request.path) {
        Route::Health => Ok(full(200, TEXT, "ok".into())),
        Route::Discovery(what) => {
            let is_open = what == super::route::Discovery::Version || caller.may_discover();
            if !is_open {
                return Err(caller.forbidden_path(accounts, &request.path));
            }
            Ok(discovery::answer(cluster, &what))
        }
        Route::Review(plural) => review::answer(cluster, request, caller, &plural),
        Route::NoGroup(asked) => {
            let wish = Wish::of(verb_of(request, &params, asked.name.is_some()).unwrap_or("get"), &asked);
            if !caller.may(accounts, &wish) {
                return Err(caller.forbidden(accounts, &wish, &asked));
            }
            Ok(full(404, TEXT, "404 page not found\n".into()))
        }
        Route::Unknown => {
            if !caller.is_admin(accounts) {
                return Err(caller.forbidden_path(accounts, &request.path));
            }
            Ok(full(404, TEXT, "404 page not found\n".into()))
        }
        Route::NoResource(asked) => {
            let verb = verb_of(request, &params, asked.name.is_some()).unwrap_or("get");
            let wish = Wish::of(verb, &asked);
            if !caller.may(accounts, &wish) {
                return Err(caller.forbidden(accounts, &wish, &asked));
            }
            Err(Refusal::no_resource())
        }
        Route::Resource(target) => {
            let Some(verb) = verb_of(request, &params, target.asked.name.is_some()) else {
                return Err(Refusal::method_not_allowed());
            };
            let wish = Wish::of(verb, &target.asked);
            if !caller.may(accounts, &wish) {
                return Err(caller.forbidden(accounts, &wish, &target.asked));
            }
            let shape = Shape::accepted(request.header("accept"), &params)?;
            let served = &cluster.store.shelf(target.kind).served;
            let version = View::version_of(served, &target.asked);
            resource(Call { cluster, request, params, target, view: View { shape, version } }, verb)
        }
    }
}

/// The verb of the API for a method; none where the method does not belong.
fn verb_of(request: &Request, params: &Params, is_named: bool) -> Option<&'static str> {
    Some(match (request.method.as_str(), is_named) {
        ("GET" | "HEAD", true) => "get",
        ("GET" | "HEAD", false) => {
            if params.is_set("watch") {
                "watch"
            } else {
                "list"
            }
        }
        ("POST", _) => "create",
        ("PUT", true) => "update",
        ("PATCH", true) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => return None,
    })
}

fn resource(mut call: Call<'_>, verb: &str) -> Result<Reply, Refusal> {
    let answer = match (verb, call.target.sub) {
        ("list", _) => Answer::Plain(read::list(&call)?),
        ("watch", _) => Answer::Plain(read::watch(&mut call)?),
        ("get", Sub::Scale) => scale::get(&call)?,
        ("get", Sub::None | Sub::Status) => read::get(&call)?,
        ("create", Sub::None) if call.target.asked.name.is_none() => create::create(&mut call)?,
        ("create", Sub::Eviction) => delete::evict(&mut call)?,
        ("update", Sub::None | Sub::Status) => update::put(&mut call)?,
        ("update", Sub::Scale) => scale::put(&mut call)?,
        ("patch", Sub::None | Sub::Status) => patch::patch(&mut call)?,
        ("patch", Sub::Scale) => scale::patch(&mut call)?,
        ("delete", Sub::None) => delete::delete(&mut call)?,
        ("deletecollection", _) => delete::collection(&mut call)?,
        _ => return Err(Refusal::method_not_allowed()),
    };
    Ok(match answer {
        Answer::Plain(reply) => reply,
        Answer::Object { status, object, warnings } => {
            let served = &call.cluster.store.shelf(call.target.kind).served;
            let shown = call.view.answer(served, &object, call.cluster.now_ms);
            let mut reply = full(status, JSON, written(&shown));
            reply.headers.extend(warnings.into_iter().map(|warning| ("warning", warning)));
            reply
        }
    })
}

fn too_large() -> Refusal {
    let message = format!("Request entity too large: limit is {BODY_MAX}");
    Refusal::new(413, "RequestEntityTooLarge", message).with_details(Value::Object(serde_json::Map::new()))
}

fn written(value: &Value) -> Bytes {
    serde_json::to_vec(value).expect("a JSON value is written to memory").into()
}

fn refused(refusal: &Refusal) -> Reply {
    let mut reply = full(refusal.code, JSON, refusal.to_json().to_string().into());
    let seconds = refusal.details.as_ref().and_then(|details| details.get("retryAfterSeconds"));
    reply.headers.extend(seconds.map(|seconds| ("retry-after", seconds.to_string())));
    reply
}

pub(super) fn full(status: u16, content: &str, body: Bytes) -> Reply {
    let headers =
        vec![("content-type", content.to_owned()), ("cache-control", "no-cache, private".to_owned())];
    Reply { status, headers, body: Body::Full(body) }
}

/// A refusal that a fault put in place of the answer. Flow control says it in plain text.
pub(super) fn injected(refusal: &crate::faults::Refusal) -> Reply {
    if refusal.status == 429 {
        let mut reply = full(429, TEXT, format!("{}\n", refusal.message).into());
        reply.headers.extend(refusal.retry_after_s.map(|seconds| ("retry-after", seconds.to_string())));
        return reply;
    }
    refused(&Refusal::new(refusal.status, refusal.reason, refusal.message))
}
