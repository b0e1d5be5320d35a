//! Which object or list a path is about.

use super::params::decoded;
use super::store::{KindIndex, Store};

/// What a path is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Objects or one of them.
    Resource(Target),
    /// `/api`, `/apis`, and what is below them without objects.
    Discovery(Discovery),
    /// A review, which stores nothing; the plural of its kind.
    Review(String),
    /// `/healthz` and its like.
    Health,
    /// Objects of a group that there is not.
    NoGroup(Asked),
    /// Below a known group, but unknown there.
    NoResource(Asked),
    /// Nothing at all.
    Unknown,
}

/// What discovery is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Discovery {
    Version,
    CoreVersions,
    Groups,
    Group(String),
    Resources { group: String, version: String },
    OpenApi(String),
}

/// The words of a path, whether there is such a thing or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
    /// None for all namespaces, and for kinds without.
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

/// Objects of a kind, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: KindIndex,
    pub(super) asked: Asked,
    pub(super) sub: Sub,
}

/// A subresource that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sub {
    None,
    Status,
    Scale,
    Eviction,
}

impl Target {
    /// The namespace, empty for kinds without.
    pub(super) fn namespace(&self) -> &str {
        self.asked.namespace.as_deref().unwrap_or("")
    }

    /// The name, empty for lists.
    pub(super) fn name(&self) -> &str {
        self.asked.name.as_deref().unwrap_or("")
    }
}

const REVIEWS: &[(&str, &str)] = &[
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

/// Finds what `path` is about.
pub(super) fn route(store: &Store, path: &str) -> Route {
    let parts: Vec<String> = path.split('/').skip(1).map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => Route::Health,
        ["version"] => Route::Discovery(Discovery::Version),
        ["api"] => Route::Discovery(Discovery::CoreVersions),
        ["apis"] => Route::Discovery(Discovery::Groups),
        ["openapi", rest @ ..] => Route::Discovery(Discovery::OpenApi(rest.join("/"))),
        ["api", version, rest @ ..] => in_version(store, "", version, rest),
        ["apis", group] if has_group(store, group) => Route::Discovery(Discovery::Group((*group).to_owned())),
        ["apis", group, version, rest @ ..] if has_group(store, group) => {
            in_version(store, group, version, rest)
        }
        ["apis", group, version, rest @ ..] if !rest.is_empty() => {
            Route::NoGroup(asked(group, version, rest))
        }
        _ => Route::Unknown,
    }
}

fn has_group(store: &Store, group: &str) -> bool {
    REVIEWS.iter().any(|(known, _)| *known == group)
        || store.shelves().iter().any(|shelf| {
            let served = &shelf.served;
            served.kind.group == group || served.aliases.iter().any(|(alias, _)| *alias == group)
        })
}

fn in_version(store: &Store, group: &str, version: &str, rest: &[&str]) -> Route {
    let asked = asked(group, version, rest);
    if asked.plural.is_empty() {
        let is_known = store.shelves().iter().any(|shelf| shelf.served.is_at(group, version))
            || (version == "v1" && REVIEWS.iter().any(|(known, _)| *known == group));
        if !is_known {
            return Route::NoResource(asked);
        }
        return Route::Discovery(Discovery::Resources {
            group: group.to_owned(),
            version: version.to_owned(),
        });
    }
    if version == "v1" && asked.name.is_none() && REVIEWS.contains(&(group, asked.plural.as_str())) {
        return Route::Review(asked.plural);
    }
    let Some(kind) = store.by_plural(&asked.plural) else { return Route::NoResource(asked) };
    let served = &store.shelf(kind).served;
    let is_placed = if served.kind.namespaced {
        asked.name.is_none() || asked.namespace.is_some()
    } else {
        asked.namespace.is_none()
    };
    if !served.is_at(group, version) || !is_placed {
        return Route::NoResource(asked);
    }
    let sub = match asked.subresource.as_deref() {
        None => Sub::None,
        Some("status") if served.kind.has_status => Sub::Status,
        Some("scale") if served.has_scale => Sub::Scale,
        Some("eviction") if served.kind.plural == "pods" => Sub::Eviction,
        Some(_) => return Route::NoResource(asked),
    };
    Route::Resource(Target { kind, asked, sub })
}

fn asked(group: &str, version: &str, rest: &[&str]) -> Asked {
    let asked = Asked { group: group.to_owned(), version: version.to_owned(), ..Asked::default() };
    let own = |part: &str| Some(part.to_owned());
    let namespaces = || "namespaces".to_owned();
    match rest {
        ["namespaces", name] => Asked { plural: namespaces(), name: own(name), ..asked },
        ["namespaces", name, sub @ ("status" | "finalize")] => {
            Asked { plural: namespaces(), name: own(name), subresource: own(sub), ..asked }
        }
        ["namespaces", namespace, plural] => {
            Asked { plural: (*plural).to_owned(), namespace: own(namespace), ..asked }
        }
        ["namespaces", namespace, plural, name] => {
            Asked { plural: (*plural).to_owned(), namespace: own(namespace), name: own(name), ..asked }
        }
        ["namespaces", namespace, plural, name, sub @ ..] => Asked {
            plural: (*plural).to_owned(),
            namespace: own(namespace),
            name: own(name),
            subresource: Some(sub.join("/")),
            ..asked
        },
        [plural] => Asked { plural: (*plural).to_owned(), ..asked },
        [plural, name] => Asked { plural: (*plural).to_owned(), name: own(name), ..asked },
        [plural, name, sub @ ..] => {
            Asked { plural: (*plural).to_owned(), name: own(name), subresource: Some(sub.join("/")), ..asked }
        }
        [] => asked,
    }
}
