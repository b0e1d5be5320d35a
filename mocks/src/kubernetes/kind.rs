//! Kinds of objects: the built-in ones, and those that are registered.

/// A kind of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for the core.
    pub group: String,
    /// Version that is stored, such as `v1`.
    pub version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Such as `deployments`; unlike that of any other kind.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it has the subresource `status`: `spec` and `status` are then written apart, and the generation moves with
    /// everything but `status` and metadata.
    pub has_status: bool,
}

impl Kind {
    /// `group/version`, or only the version for the core.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `plural.group`, or only the plural for the core, as in messages.
    pub(super) fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Kind.group`, or only the kind for the core, as in messages.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }
}

/// What moves `metadata.generation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// There is none.
    None,
    /// Everything but metadata and status.
    Spec,
    /// Annotations as well, unless they come through the subresource `status`.
    SpecAndAnnotations,
}

/// A kind with what only the server knows about it.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) kind: Kind,
    /// `group/version`.
    pub(super) api_version: String,
    pub(super) generation: Generation,
    /// Registered or defined by a custom resource definition: no strategic merge, no `PUT` without a version.
    pub(super) is_custom: bool,
    pub(super) has_scale: bool,
    pub(super) singular: String,
    pub(super) short: &'static [&'static str],
    /// Other groups and versions under which the same objects are served.
    pub(super) aliases: &'static [(&'static str, &'static str)],
}

impl Served {
    pub(super) fn custom(kind: Kind) -> Self {
        let generation = Generation::Spec;
        Self {
            api_version: kind.api_version(),
            singular: kind.kind.to_lowercase(),
            kind,
            generation,
            is_custom: true,
            has_scale: false,
            short: &[],
            aliases: &[],
        }
    }
}

/// Rows: group, version, kind, plural, namespaced, has a status, generation, has a scale, custom, short names, aliases.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
    bool,
    Generation,
    bool,
    bool,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const BUILT_IN: &[Row] = &[
    ("", "v1", "Namespace", "namespaces", false, true, Generation::None, false, false, &["ns"], &[]),
    ("", "v1", "ConfigMap", "configmaps", true, false, Generation::None, false, false, &["cm"], &[]),
    (
        "",
        "v1",
        "Event",
        "events",
        true,
        false,
        Generation::None,
        false,
        false,
        &["ev"],
        &[("events.k8s.io", "v1")],
    ),
    ("", "v1", "Pod", "pods", true, true, Generation::Spec, false, false, &["po"], &[]),
    ("", "v1", "Service", "services", true, true, Generation::None, false, false, &["svc"], &[]),
    (
        "apps",
        "v1",
        "Deployment",
        "deployments",
        true,
        true,
        Generation::SpecAndAnnotations,
        true,
        false,
        &["deploy"],
        &[],
    ),
    ("apps", "v1", "ReplicaSet", "replicasets", true, true, Generation::Spec, true, false, &["rs"], &[]),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
        true,
        Generation::None,
        false,
        false,
        &["hpa"],
        &[],
    ),
    ("batch", "v1", "Job", "jobs", true, true, Generation::Spec, false, false, &[], &[]),
    ("coordination.k8s.io", "v1", "Lease", "leases", true, false, Generation::None, false, false, &[], &[]),
    (
        "discovery.k8s.io",
        "v1",
        "EndpointSlice",
        "endpointslices",
        true,
        false,
        Generation::Spec,
        false,
        false,
        &[],
        &[],
    ),
    (
        "gateway.networking.k8s.io",
        "v1",
        "HTTPRoute",
        "httproutes",
        true,
        true,
        Generation::Spec,
        false,
        true,
        &[],
        &[("gateway.networking.k8s.io", "v1beta1")],
    ),
];

/// The kinds that every cluster has.
pub(super) fn built_in() -> Vec<Served> {
    let served = |row: &Row| {
        let &(
            group,
            version,
            kind,
            plural,
            namespaced,
            has_status,
            generation,
            has_scale,
            is_custom,
            short,
            aliases,
        ) = row;
        let kind = Kind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            has_status,
        };
        Served { generation, is_custom, has_scale, short, aliases, ..Served::custom(kind) }
    };
    BUILT_IN.iter().map(served).collect()
}

impl Served {
    /// Whether its objects are also to be had under `group/version`.
    pub(super) fn is_served_as(&self, api_version: &str) -> bool {
        self.api_version == api_version
            || self.aliases.iter().any(|(group, version)| {
                api_version.strip_suffix(version).and_then(|rest| rest.strip_suffix('/')) == Some(group)
            })
    }
}

impl Served {
    /// Whether its objects are to be had under this group and version.
    pub(super) fn is_at(&self, group: &str, version: &str) -> bool {
        (self.kind.group == group && self.kind.version == version) || self.aliases.contains_at(group, version)
    }
}

trait Aliases {
    fn contains_at(&self, group: &str, version: &str) -> bool;
}

impl Aliases for &[(&'static str, &'static str)] {
    fn contains_at(&self, group: &str, version: &str) -> bool {
        self.iter().any(|&(known_group, known)| known_group == group && known == version)
    }
}
