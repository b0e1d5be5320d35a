//! Configuration of other tools, read into a policy of ours, with a list of what cannot be carried over.
//!
//! ```text
//! files ─ tree ─▶ documents ─ sorted by kind ─▶ argo | flagger | kayenta | rules, sloth, pyrra | keptn
//!                                                    │ placeholders, queries, places
//!                                                    └─▶ judge + signals ─▶ policy.yaml, findings
//! ```
//!
//! One file per tool reads what the tool reads, by its rules; whatever decides there and cannot decide here is named with
//! file and line. Nothing is guessed silently: a name that is assumed is a finding, a limit that can hardly be what was meant
//! is one too, and neither changes what is carried.
//!
//! Invariants: any text gives a list and maybe a policy, never a panic; a policy that is given passes the policy's own
//! loader; the same files give the same bytes. Never read: clusters, secrets, the network.

mod alarms;
mod argo;
mod building;
mod finding;
mod flagger;
mod kayenta;
mod keptn;
mod policy;
mod promql;
mod pyrra;
mod rules;
mod scale;
mod sloth;
mod template;
mod tree;

use std::collections::BTreeMap;

use backspin_policy::document::Source;

use building::Building;
use tree::{At, File};

pub use finding::{Fate, Finding};

/// What a user says beside the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Conditions on labels that name the service: `label="value"` becomes `service="$service"`.
    pub maps: Vec<(String, String)>,
    /// Values of arguments and placeholders.
    pub arguments: BTreeMap<String, String>,
}

/// What files came to.
#[derive(Clone, Debug)]
pub struct Import {
    /// The policy as a file of ours; none if nothing in the files can be judged or shown.
    pub policy: Option<String>,
    /// What became of each part, in the order of the files.
    pub findings: Vec<Finding>,
    /// Queries that were read, carried or not.
    pub queries: usize,
}

impl Import {
    /// Whether all that decides there decides here.
    pub fn is_whole(&self) -> bool {
        self.policy.is_some() && self.findings.iter().all(|finding| finding.fate != Fate::Lost)
    }
}

/// What the files hold, by tool.
#[derive(Debug, Default)]
struct Contents<'a> {
    argo: argo::Objects<'a>,
    flagger: flagger::Objects<'a>,
    keptn: keptn::Objects<'a>,
    kayenta: Vec<At<'a>>,
    /// Rule files and the `spec` of objects that hold groups.
    groups: Vec<At<'a>>,
    sloth: Vec<At<'a>>,
    openslo: Vec<At<'a>>,
    pyrra: Vec<At<'a>>,
}

/// How deep lists of objects are looked into.
const LISTS_MAX: usize = 4;

impl<'a> Contents<'a> {
    fn take(&mut self, building: &mut Building<'_>, root: At<'a>, depth: usize) {
        let kind = root.word("kind").unwrap_or_default();
        let api = root.word("apiVersion").unwrap_or_default();
        if kind.ends_with("List") && depth < LISTS_MAX && root.get("items").is_some() {
            for item in root.list("items") {
                self.take(building, item, depth + 1);
            }
            return;
        }
        match kind {
            "PrometheusRule" | "VMRule" => self.groups.extend(root.get("spec")),
            "PrometheusServiceLevel" => self.sloth.extend(root.get("spec")),
            "ServiceLevelObjective" => self.pyrra.push(root),
            "SLO" if api.starts_with("openslo") => self.openslo.push(root),
            "" if root.get("groups").is_some() => self.groups.push(root),
            "" if root.word("version") == Some("prometheus/v1") => self.sloth.push(root),
            "" if kayenta::is_config(root) => self.kayenta.push(root),
            _ if self.argo.take(kind, root) || self.flagger.take(kind, root) || self.keptn.take(kind, root) => {}
            _ => {
                let what = if kind.is_empty() { "a document".to_owned() } else { format!("`{kind}`") };
                building.findings.beside(root, &what, "nothing that judges");
            }
        }
    }

    /// Tools whose objects are here, by name.
    fn tools(&self) -> Vec<&'static str> {
        let alerts = !(self.groups.is_empty() && self.sloth.is_empty() && self.openslo.is_empty() && self.pyrra.is_empty());
        [
            (!self.argo.is_empty(), "Argo Rollouts"),
            (!self.flagger.is_empty(), "Flagger"),
            (!self.kayenta.is_empty(), "Kayenta"),
            (!self.keptn.is_empty(), "Keptn"),
            (alerts, "alerts and objectives"),
        ]
        .into_iter()
        .filter_map(|(is_here, name)| is_here.then_some(name))
        .collect()
    }
}

/// Reads files of other tools as one policy.
pub fn import(sources: &[Source], options: &Options) -> Import {
    let files: Vec<File> = sources.iter().map(File::read).collect();
    let mut building = Building::new(options);
    let mut contents = Contents::default();
    for file in &files {
        for (at, words) in &file.broken {
            building.findings.at_byte(Fate::Lost, file, *at, "a document", words.as_str());
        }
        for node in &file.documents {
            contents.take(&mut building, At { file, node }, 0);
        }
    }
    let judge = policy::judge(&mut building, &contents);
    let policy = policy::written(&mut building, judge);
    let mut findings = building.findings.0;
    let order = |name: &str| sources.iter().position(|source| source.name == name);
    findings.sort_by(|a, b| (order(&a.file), a.line, a.column, a).cmp(&(order(&b.file), b.line, b.column, b)));
    findings.dedup();
    Import { policy, findings, queries: building.queries }
}
