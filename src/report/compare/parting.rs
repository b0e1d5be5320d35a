//! Where two runs of one seed part, in words.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::words;
use backspin_domain::time::MonoTime;

/// Where two runs of one seed part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartingTold {
    /// Index of the seed.
    pub seed_index: u64,
    /// When, milliseconds since the run's beginning.
    pub at_ms: u64,
    /// When the deploy began, likewise.
    pub deployed_ms: u64,
    /// `verdict`, `decision` or `execution`.
    pub parted_in: String,
    /// The first run then.
    pub before: SideTold,
    /// The second run then.
    pub after: SideTold,
}

/// One run at the parting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SideTold {
    /// The last verdict by then.
    pub verdict: Option<String>,
    /// The judge's own statistic.
    pub score: Option<f64>,
    /// Where it fails a candidate.
    pub threshold: Option<f64>,
    /// Why, in words.
    pub evidence: Option<String>,
    /// What it decided then, in words.
    pub decided: Option<String>,
    /// What it decided first after that, in words, and when: milliseconds since the run's beginning.
    pub next: Option<(u64, String)>,
    /// What it wrote down that the other did not, where they part in what is done.
    pub wrote: Option<String>,
}

impl PartingTold {
    /// `seed 3, 12m 15s after the deploy, by the verdict`.
    pub(super) fn when(&self) -> String {
        let how = match self.parted_in.as_str() {
            "verdict" => "by the verdict",
            "decision" => "by the decision on the same verdicts",
            _ => "in what is done about the same decision",
        };
        format!("seed {}, {}, {how}", self.seed_index, self.since(self.at_ms))
    }

    /// `12m 15s after the deploy`.
    pub(crate) fn since(&self, at_ms: u64) -> String {
        let (at, deployed) = (MonoTime(at_ms), MonoTime(self.deployed_ms));
        if at < deployed {
            format!("{} before the deploy", words::whole(deployed.since(at)))
        } else {
            format!("{} after the deploy", words::whole(at.since(deployed)))
        }
    }

    /// What one side thought and did: `fail, 11.2 of 10.5 (errors …): roll back …`.
    pub(crate) fn side(&self, side: &SideTold) -> String {
        let mut words = side.verdict.clone().unwrap_or_else(|| "no verdict yet".to_owned());
        if let (Some(score), Some(threshold)) = (side.score, side.threshold) {
            let _ = write!(words, ", {} of {}", words::number(score), words::number(threshold));
        }
        if let Some(evidence) = &side.evidence {
            let _ = write!(words, " ({})", evidence.trim_end_matches('.'));
        }
        if let Some(wrote) = &side.wrote {
            let _ = write!(words, "; {wrote}");
        }
        if let Some(decided) = &side.decided {
            let _ = write!(words, "; {decided}");
        } else if let Some((at, decided)) = &side.next {
            let _ = write!(words, "; {} {decided}", self.since(*at));
        } else {
            words += "; decides nothing more";
        }
        words
    }
}
