//! From what the chaos room found to what the report room tells.

use super::campaign::Asked;
use crate::chaos::examine::{Breach, Depth, Examined, examine, says};
use crate::chaos::findings::{Failure, Findings};
use crate::chaos::states::EngineState;
use crate::chaos::{Runner, marks};
use crate::report::chaos::{
    BreachTold, CHAOS_VERSION, ChaosReport, Counted, FailureTold, KindRow, Line, Run, timeline,
};

/// A campaign's report. Plays runs that broke something once more, to tell what happened.
pub(super) fn report(asked: &Asked<'_>, findings: &Findings, runner: &mut Runner) -> ChaosReport {
    let counted = |name: &str, says: &str, runs: u64| Counted { name: name.into(), says: says.into(), runs };
    let kind = |count: &crate::chaos::findings::KindCount| KindRow {
        id: count.kind.id().to_owned(),
        says: count.kind.words().to_owned(),
        planned: count.planned,
        effective: count.effective,
        effects: count.effects,
        states: count.states.to_vec(),
    };
    ChaosReport {
        version: CHAOS_VERSION,
        build: format!("backspin {}", env!("CARGO_PKG_VERSION")),
        command: asked.command(),
        played: asked.choice.words(),
        first_seed: findings.first_seed,
        runs: findings.runs,
        passed: findings.passed,
        broken: findings.broken,
        invalid: findings.invalid,
        sampled: findings.sampled,
        ended_early: findings.runs < asked.seeds,
        digest: findings.digest.clone(),
        invariants: findings.invariants.iter().map(|(id, runs)| counted(id, says(id), *runs)).collect(),
        excuses: findings
            .excuses
            .iter()
            .map(|(excuse, runs)| counted(&name(*excuse), excuse.words(), *runs))
            .collect(),
        marks: marks::ALL
            .iter()
            .zip(&findings.marks)
            .map(|(m, runs)| counted(m.name, m.says, *runs))
            .collect(),
        states: EngineState::ALL.iter().map(|state| state.word().to_owned()).collect(),
        kinds: findings.kinds.iter().map(kind).collect(),
        failures: findings.failures.iter().map(|found| failure(asked, found, runner)).collect(),
    }
}

fn name(excuse: crate::chaos::invariants::Excuse) -> String {
    let name = serde_json::to_value(excuse).ok();
    name.and_then(|name| name.as_str().map(|name| name.replace('_', "-"))).unwrap_or_default()
}

fn failure(asked: &Asked<'_>, found: &Failure, runner: &mut Runner) -> FailureTold {
    // What cannot be played has no time line and no case to keep; its breach says why.
    let case = found.played.then(|| asked.choice.case(found.seed));
    let played = case.as_ref().and_then(|case| examine(runner, case, Depth::Once).ok());
    FailureTold {
        seed: found.seed,
        breaches: found.breaches.iter().map(breach).collect(),
        replay: format!("backspin chaos replay --seed {}{}", found.seed, asked.choice.options()),
        timeline: played.map(|examined| lines(&examined, &found.breaches)).unwrap_or_default(),
        case: case.map(|case| case.to_yaml()).unwrap_or_default(),
    }
}

/// A breach, with what its invariant says.
pub(super) fn breach(breach: &Breach) -> BreachTold {
    BreachTold {
        id: breach.id.to_owned(),
        says: says(breach.id).to_owned(),
        at_ms: breach.at.0,
        words: breach.words.clone(),
    }
}

/// The time line of a run.
pub(super) fn lines(examined: &Examined, breaches: &[Breach]) -> Vec<Line> {
    let trace = &examined.trace;
    let versions: Vec<&str> =
        trace.facts.scenario.service.versions.iter().map(|version| version.id.as_str()).collect();
    let broken: Vec<_> =
        breaches.iter().map(|breach| (breach.at, format!("{}: {}.", breach.id, breach.words))).collect();
    timeline(&Run {
        record: &trace.record,
        calls: &trace.calls,
        world: &trace.world,
        faults: &trace.faults,
        versions: &versions,
        healed: trace.ended.healed,
        broken: &broken,
    })
}
