//! Policies: the file that says how a rollback is decided and done, read and checked.
//!
//! [`load()`] reads a file into a [`Policy`] or reports every problem in it; what a file leaves out has the
//! default of [`mod@file`]. `policies/default.yaml` spells all defaults out, is carried by the binary, and is what
//! runs without a file. A policy's hash covers everything that is effective, so two files that differ in
//! comments, order or spelled-out defaults have the same.
//!
//! [`document`] is how every file of ours is read (scenarios too): one spanned tree, one schema, every problem
//! at once. A policy never reads a clock, a socket or the environment; only its loader opens files.

mod check;
mod convert;
mod differences;
pub mod document;
pub mod file;
mod judge_name;
mod load;
pub mod queries;
mod rule;
mod signal_rules;
mod success;
#[cfg(test)]
mod tests;

use backspin_mocks::promql::{self, Shape};
use sha2::{Digest, Sha256};

use backspin_domain::signal::{CustomSignal, SignalKind};
use backspin_engine::settings::Settings;
use backspin_judge::JudgeParams;

pub use differences::{PolicyDifference, differences};
pub use judge_name::{JudgeName, UnknownJudge};
pub use load::{default_policy, from_json, load, parse, schema};
pub use rule::Rule;

/// A checked policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which judge decides, with its parameters.
    pub judge: JudgeParams,
    /// Everything of the engine.
    pub settings: Settings,
    /// One query per named signal, in the order of [`SignalKind::ALL`], then one per user-defined signal.
    pub queries: Vec<NamedQuery>,
    /// The user-defined signals, in the order of `Frame::queries`.
    pub custom: Vec<CustomSignal>,
    /// SHA-256 of the effective policy's canonical JSON, hexadecimal.
    pub hash: String,
}

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A signal that has a name.
    Signal(SignalKind),
    /// The user-defined signal with this index.
    Custom(usize),
}

/// A query in PromQL, as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedQuery {
    /// What for.
    pub asks: Asks,
    /// The text, with `$service` where the service's name goes.
    pub text: String,
}

impl NamedQuery {
    /// The signal's name. `custom` are the policy's own signals.
    pub fn name<'a>(&self, custom: &'a [CustomSignal]) -> &'a str {
        match self.asks {
            Asks::Signal(kind) => kind.name(),
            Asks::Custom(index) => custom.get(index).map_or("unknown", |signal| &signal.name),
        }
    }

    /// As what the query compiles; none if it is interpreted instead, as a signal of the policy's own may be.
    pub fn shape(&self) -> Option<Shape> {
        promql::check(&self.text).ok()
    }

    /// The query for one service.
    pub fn for_service(&self, service: &backspin_domain::id::ServiceId) -> String {
        self.text.replace(queries::SERVICE, service.as_str())
    }
}

/// Whether a query that does not compile can be interpreted and gives numbers, at most one per series.
pub fn is_interpreted(text: &str) -> bool {
    use promql::eval::{Kinds, Plan};
    Plan::new(text).is_ok_and(|plan| matches!(plan.kind(), Kinds::Scalar | Kinds::Vector))
}

impl Policy {
    /// The same policy with the judge of another, the queries that it asks, and what that policy says of causes outside,
    /// missing data and severity.
    pub fn with_judge_of(&self, other: &Self) -> Self {
        let mut policy = Self {
            judge: other.judge.clone(),
            queries: other.queries.clone(),
            custom: other.custom.clone(),
            ..self.clone()
        };
        policy.settings.attribution = other.settings.attribution;
        policy.settings.rules.clone_from(&other.settings.rules);
        policy.settings.missing_data = other.settings.missing_data;
        policy.settings.severity = other.settings.severity;
        policy.hash = policy.compute_hash();
        policy
    }

    /// The same policy with other settings, for a plane that has to state them; its hash follows.
    pub fn with_settings(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut other = self.clone();
        change(&mut other.settings);
        other.hash = other.compute_hash();
        other
    }

    /// The effective policy as JSON, for a record's header; [`from_json`] reads it back.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self.to_file()).expect("a policy file has text keys and finite numbers only")
    }

    /// The effective policy as YAML, every default spelled out.
    pub fn show(&self) -> String {
        serde_saphyr::to_string(&self.to_file()).expect("a policy file has nothing that YAML cannot say")
    }

    /// JSON with sorted fields and no spaces: the same text for the same policy, whatever the file looked like.
    pub fn canonical_json(&self) -> String {
        let mut text = String::new();
        canonical(&self.to_json(), &mut text);
        text
    }

    /// SHA-256 of [`Policy::canonical_json`].
    fn compute_hash(&self) -> String {
        let digest = Sha256::digest(self.canonical_json().as_bytes());
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

fn canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (n, (name, value)) in fields.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}
