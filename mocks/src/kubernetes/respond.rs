//! Which request does what.

use super::status::Refusal;
use super::{Body, Cluster, Reply, Request};

/// Answers a request.
pub(super) fn answer(_cluster: &mut Cluster, _request: &Request) -> Reply {
    refused(&Refusal::no_resource())
}

fn refused(refusal: &Refusal) -> Reply {
    Reply {
        status: refusal.code,
        headers: vec![("content-type", "application/json".to_owned())],
        body: Body::Full(refusal.to_json().to_string().into()),
    }
}
