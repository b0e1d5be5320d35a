//! Small worlds in which a rule of the engine matters, and what has to go wrong in them for it.

use crate::case::{CASE_VERSION, Case, CasePolicy};
use crate::kind::{Condition, FaultKind, FaultTarget, When};
use crate::plan::FaultPlan;
use backspin_domain::entry::PlaneKind;
use backspin_domain::fault::PlannedFault;
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::document::Length;

/// What all small worlds have in common; what differs is put in.
fn file(extra: &str, versions: &str, incident: &str) -> String {
    format!(
        "version: 1
service: checkout
capabilities: [traffic_split, rolling_update]
timing: {{ history: 2m, watch: 8m, tick: 5s, scrape: 10s }}
traffic: {{ rps: 60 }}
pods: {{ replicas: 3, pull: 4s, init: 4s, warm_up: 0.5, warm_up_tau: 10s, drain: 5s }}
{extra}
versions:
{versions}
deploy:
  version: v42
  from: v41
  steps: [{{ after: 0s, share: 0.25 }}, {{ after: 1m, share: 0.5 }}, {{ after: 3m, share: 1.0 }}]
incident: {incident}
"
    )
}

const VERSIONS: &str = "  - { name: v40, shipped_ago: 21d }\n  - { name: v41, shipped_ago: 7d }";

/// A case in the world of a file.
fn case(seed: u64, text: &str, policy: CasePolicy, faults: Vec<PlannedFault>) -> Case {
    Case {
        version: CASE_VERSION,
        shows: None,
        plane: PlaneKind::Direct,
        policy,
        seed: Seed(seed),
        heals: Length::mins(6),
        bound: Length::mins(4),
        scenario: Box::new(serde_saphyr::from_str(text).expect("the file is good")),
        faults: FaultPlan { faults },
    }
}

/// Half of the candidate's requests fail: it is taken back at once.
pub(crate) const BAD: &str = "{ bad_version: { error_ratio: 0.5 } }";

/// One in eight fails: its traffic is taken off in stages.
pub(crate) const MILD: &str = "{ bad_version: { error_ratio: 0.125 } }";

/// Nothing is wrong.
pub(crate) const HEALTHY: &str = "[]";

/// A small world with such an incident, and such a plan of faults.
pub(crate) fn small(seed: u64, incident: &str, faults: Vec<PlannedFault>) -> Case {
    case(seed, &file("", VERSIONS, incident), CasePolicy::Swift, faults)
}

/// The same in a freeze, from the fourth to the eighth minute.
pub(crate) fn frozen(seed: u64) -> Case {
    let incident = "{ bad_version: { error_ratio: 0.125, onset: 4m 30s } }";
    case(seed, &file("", VERSIONS, incident), CasePolicy::SwiftFreeze, Vec::new())
}

/// The version that serves has something about it, so that the one before it has to be gone back to.
pub(crate) fn with_last_version(seed: u64, what: &str) -> Case {
    let versions =
        format!("  - {{ name: v40, shipped_ago: 21d }}\n  - {{ name: v41, shipped_ago: 7d, {what} }}");
    case(seed, &file("", &versions, BAD), CasePolicy::Swift, Vec::new())
}

/// No version can be gone back to: a person is called.
pub(crate) fn no_target(seed: u64, faults: Vec<PlannedFault>) -> Case {
    let versions = "  - { name: v41, shipped_ago: 7d, marked_bad: true }";
    case(seed, &file("", versions, BAD), CasePolicy::Swift, faults)
}

/// The candidate's schema takes away what the version before it needs, once it serves all; with or without a script that
/// reverts it. Its harm begins after that.
pub(crate) fn contracted(seed: u64, script: &str, faults: Vec<PlannedFault>) -> Case {
    let schema = format!("schema: {{ change: contract, touches: 0.1{script} }}");
    let versions = format!("{VERSIONS}\n  - {{ name: v42, {schema} }}");
    let late = "{ bad_version: { error_ratio: 0.5, onset: 5m 40s } }";
    Case { heals: Length::mins(8), ..case(seed, &file("", &versions, late), CasePolicy::Swift, faults) }
}

/// A service whose rollbacks somebody has to agree to, and who does.
pub(crate) fn gated(seed: u64, incident: &str, faults: Vec<PlannedFault>) -> Case {
    let people = "environment: production
people:
  - { role: on-call-engineer, answers_after: 10s }
  - { role: platform-lead, answers_after: 10s }";
    case(seed, &file(people, VERSIONS, incident), CasePolicy::Swift, faults)
}

/// A fault that strikes once, with the first effect of a rollback.
pub(crate) fn first_effect(kind: FaultKind) -> PlannedFault {
    PlannedFault { times: 1, lasts: Millis::from_secs(20), ..once(kind, Condition::RollingBack) }
}

/// A fault from the moment at which something comes to be so.
pub(crate) fn once(kind: FaultKind, condition: Condition) -> PlannedFault {
    PlannedFault::new(kind, When::Once(condition))
}

/// A fault from this second of the run on, for so many.
pub(crate) fn at(kind: FaultKind, secs: u64, lasts: u64) -> PlannedFault {
    let when = When::At(MonoTime::ZERO + Millis::from_secs(secs));
    PlannedFault { lasts: Millis::from_secs(lasts), ..PlannedFault::new(kind, when) }
}

/// The candidate cannot be measured for so long.
pub(crate) fn blind(secs: u64, lasts: u64) -> PlannedFault {
    PlannedFault { target: FaultTarget::Candidate, ..at(FaultKind::ScrapeGap, secs, lasts) }
}

/// It stays, also when the core heals.
pub(crate) fn for_good(fault: PlannedFault) -> PlannedFault {
    PlannedFault { never_heals: true, ..fault }
}

/// It comes late, or jumps, by so much.
pub(crate) fn by(fault: PlannedFault, secs: u64) -> PlannedFault {
    PlannedFault { by: Millis::from_secs(secs), ..fault }
}
