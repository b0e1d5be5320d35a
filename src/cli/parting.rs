//! Where two runs part, handed from the campaign to the report.

use super::what_if_words;
use crate::campaign::parting::{PartedIn, Parting, Side};
use crate::policy::{Policy, differences};
use crate::report::compare::{ChangeTold, PartingTold, PolicyChange, SideTold};
use crate::score::Flip;

/// Changes whose parting is looked for: it costs two runs each.
pub(super) const PARTINGS_MAX: usize = 40;

/// A change with its parting, or with what is said where runs that count otherwise do not part.
pub(super) fn told(flip: Flip, parting: Option<&Parting>) -> ChangeTold {
    let seed_index = flip.seeds.first().copied().unwrap_or_default();
    let parting = parting.map(|parting| in_words(parting, seed_index));
    let unknown = parting.is_none().then(|| "both judge, decide and act alike".to_owned());
    ChangeTold { flip, parting, unknown }
}

/// A change whose parting nobody looked for or could find.
pub(super) fn untold(flip: Flip, why: impl Into<String>) -> ChangeTold {
    ChangeTold { flip, parting: None, unknown: Some(why.into()) }
}

fn in_words(parting: &Parting, seed_index: u64) -> PartingTold {
    PartingTold {
        seed_index,
        at_ms: parting.at.0,
        deployed_ms: parting.deployed.0,
        parted_in: match parting.parted_in {
            PartedIn::Verdict => "verdict",
            PartedIn::Decision => "decision",
            PartedIn::Execution => "execution",
        }
        .to_owned(),
        before: side(&parting.before),
        after: side(&parting.after),
    }
}

fn side(side: &Side) -> SideTold {
    SideTold {
        verdict: side.verdict.map(|class| class.to_string()),
        score: side.score.map(|(score, _)| score),
        threshold: side.score.map(|(_, threshold)| threshold),
        evidence: side.evidence.clone(),
        decided: side.decided.as_ref().map(what_if_words::decision),
        next: side.next.as_ref().map(|(at, decision)| (at.0, what_if_words::decision(decision))),
        wrote: side.wrote.map(str::to_owned),
    }
}

/// In what two policies differ.
pub(super) fn policy_changes(before: &Policy, after: &Policy) -> Vec<PolicyChange> {
    let told = |found: crate::policy::PolicyDifference| PolicyChange {
        field: found.field,
        before: found.before,
        after: found.after,
    };
    differences(before, after).into_iter().map(told).collect()
}
