//! Configuration of other tools, read into a policy of ours, with a list of what cannot be carried over.
//!
//! ```text
//! files ─ tree ─▶ documents ─ sorted by kind ─▶ argo | flagger | kayenta | rules, sloth, pyrra | keptn | reference
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
#[cfg(test)]
mod cases;
mod finding;
mod flagger;
mod kayenta;
mod keptn;
mod map;
mod policy;
mod promql;
mod pyrra;
mod reference;
mod rules;
mod scale;
mod sloth;
#[cfg(test)]
mod survey;
mod template;
#[cfg(test)]
mod tests;
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
    /// What is to be known of the whole.
    pub notes: Vec<String>,
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
    reference: reference::Objects<'a>,
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
            _ if self.argo.take(kind, root)
                || self.flagger.take(kind, root)
                || self.reference.take(kind, root)
                || self.keptn.take(kind, root) => {}
            _ => {
                let what = if kind.is_empty() { "a document".to_owned() } else { format!("`{kind}`") };
                building.findings.beside(root, &what, "nothing that judges");
            }
        }
    }

    /// Tools whose objects are here, by name, each with its first object.
    fn tools(&self) -> Vec<(&'static str, At<'a>)> {
        let alerts = [&self.groups, &self.sloth, &self.openslo, &self.pyrra];
        let alerts = alerts.into_iter().find_map(|list| list.first().copied());
        [
            (map::ARGO, self.argo.first()),
            (map::FLAGGER, self.flagger.first()),
            (map::KAYENTA, self.kayenta.first().copied()),
            (map::KEPTN, self.keptn.first()),
            (map::REFERENCE, self.reference.first()),
            (map::ALERTS, alerts),
        ]
        .into_iter()
        .filter_map(|(name, first)| Some((name, first?)))
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
    let judge = map::judge(&mut building, &contents);
    let policy = policy::written(&building, judge.as_ref()).unwrap_or_else(|problems| {
        // What the policy's loader refuses was not seen above. Said of the first file, since the policy has no place in it.
        for (problem, file) in problems.list.iter().zip(files.iter().cycle()) {
            building.findings.at_byte(Fate::Lost, file, 0, "the policy", problem.message.as_str());
        }
        None
    });
    if building.findings.0.is_empty()
        && let Some(file) = files.first()
    {
        building.findings.at_byte(Fate::Beside, file, 0, "the file", "nothing in it asks for a metric");
    }
    let notes = notes(&building);
    let mut findings = building.findings.0;
    let order = |name: &str| sources.iter().position(|source| source.name == name);
    findings
        .sort_by(|a, b| (order(&a.file), a.line, a.column, a).cmp(&(order(&b.file), b.line, b.column, b)));
    findings.dedup();
    Import { policy, findings, queries: building.queries, notes }
}

/// Signals that are named in a note at most.
const NAMED_MAX: usize = 3;

fn notes(building: &Building<'_>) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let unanswered = &building.unanswered;
    if !unanswered.is_empty() {
        let mut reasons: Vec<&str> = unanswered.iter().map(|(_, why)| why.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let more = reasons.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!("; and {more} more reasons") } else { String::new() };
        notes.push(format!(
            "of {} signals, {} find nothing in a simulated world, only in a Prometheus that has these series: {}{more}",
            building.custom.len(),
            unanswered.len(),
            reasons[..reasons.len().min(NAMED_MAX)].join("; "),
        ));
    }
    for (label, value) in building.maps_unused() {
        notes.push(format!("`--map {label}={value}` fits no condition of any query"));
    }
    notes
}

/// Whether a text is a policy of ours rather than a file of another tool.
pub fn is_ours(source: &Source) -> bool {
    let file = File::read(source);
    let version = |node| At { file: &file, node }.get("version");
    file.documents.len() <= 1
        && file.documents.iter().all(|node| {
            version(node).is_none_or(|v| v.text().is_none())
                && At { file: &file, node }.get("apiVersion").is_none()
                && At { file: &file, node }.get("groups").is_none()
                && !kayenta::is_config(At { file: &file, node })
                && !reference::is_design(At { file: &file, node })
        })
}
