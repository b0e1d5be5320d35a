//! The outcomes of a campaign against a suite: every check, passed or not, with its reason and place.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::baseline::Baseline;
use super::load::Suite;
use super::measure::measure;
use backspin_policy::document::Step;
use backspin_report::ci::{Check, CheckKind, CheckStatus, PlaceTold};
use backspin_report::words;
use backspin_score::{
    Comparison, ExpectationStatus, Flip, Measure, RunOutcome, SeedsExpectation, Standing, flips, over_seeds,
};

/// What was played for a suite.
#[derive(Clone, Copy, Debug)]
pub struct Played<'a> {
    /// Every run's outcome, in the order of scenarios, then seeds.
    pub outcomes: &'a [RunOutcome],
    /// Where each scenario's expectation stands, by `family/name`; those without a file of their own are left out.
    pub places: &'a BTreeMap<String, PlaceTold>,
    /// The accepted baseline, if there is one to hold them against.
    pub baseline: Option<&'a Baseline>,
    /// The day.
    pub today: Date,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Evaluated {
    /// Every check, in the order of the suite.
    pub checks: Vec<Check>,
    /// The comparison with the baseline, if there is one.
    pub comparison: Option<Comparison>,
    /// Runs that count otherwise than in the baseline.
    pub flips: Vec<Flip>,
    /// What the reader must know besides.
    pub notes: Vec<String>,
}

/// Holds outcomes against a suite.
pub fn checks(suite: &Suite, played: &Played<'_>) -> Evaluated {
    let mut evaluated = Evaluated::default();
    let counted: Vec<&RunOutcome> =
        played.outcomes.iter().filter(|run| suite.quarantined(&name(run), played.today).is_none()).collect();
    if suite.file.expectations {
        expectations(suite, played, &mut evaluated);
    }
    limits(suite, &counted, &mut evaluated);
    if let Some(baseline) = played.baseline {
        against(suite, baseline, &counted, &mut evaluated);
    }
    quarantine(suite, played, &mut evaluated);
    evaluated
}

fn name(run: &RunOutcome) -> String {
    format!("{}/{}", run.family, run.scenario)
}

/// What each scenario expects, over its seeds.
fn by_scenario(outcomes: &[RunOutcome]) -> Vec<(String, Option<SeedsExpectation>)> {
    let same = |a: &RunOutcome, b: &RunOutcome| a.family == b.family && a.scenario == b.scenario;
    outcomes.chunk_by(same).map(|runs| (name(&runs[0]), over_seeds(runs))).collect()
}

fn expectations(suite: &Suite, played: &Played<'_>, evaluated: &mut Evaluated) {
    let file = || suite_place(suite, suite.place(&[]));
    for (name, expectation) in by_scenario(played.outcomes) {
        let Some(expectation) = expectation else { continue };
        let place = played.places.get(&name).cloned().unwrap_or_else(file);
        let mut status = match expectation.status {
            ExpectationStatus::Met => CheckStatus::Passed,
            ExpectationStatus::Missed => CheckStatus::Failed,
            ExpectationStatus::Unknown => CheckStatus::Unknown,
        };
        let mut why = expectation.why.clone();
        if !expectation.unmet.is_empty() {
            let parts = expectation.unmet.iter().map(|(part, n)| format!("{part} in {n}"));
            why.push_str("; not met: ");
            why.push_str(&parts.collect::<Vec<_>>().join(", "));
        }
        if let Some(quarantined) = suite.quarantined(&name, played.today) {
            if status == CheckStatus::Passed {
                evaluated
                    .notes
                    .push(format!("`{name}` is in quarantine and meets its expectation: let it out"));
            }
            status = CheckStatus::Skipped;
            why = format!("in quarantine until {}: {}; else {why}", quarantined.expires, quarantined.reason);
        }
        let first_seed = expectation.first_unmet;
        evaluated.checks.push(Check { kind: CheckKind::Expectation, name, status, why, place, first_seed });
    }
}

fn suite_place(suite: &Suite, (line, column): (usize, usize)) -> PlaceTold {
    PlaceTold { file: suite.file_name().to_owned(), line, column }
}

fn limits(suite: &Suite, counted: &[&RunOutcome], evaluated: &mut Evaluated) {
    for scoped in &suite.limits {
        let runs: Vec<&RunOutcome> = counted
            .iter()
            .copied()
            .filter(|run| scoped.family.as_ref().is_none_or(|family| *family == run.family))
            .collect();
        let measured = measure(&scoped.limit, &runs, &suite.weights);
        let scope = scoped.family.as_ref().map(|family| format!("{family}: ")).unwrap_or_default();
        evaluated.checks.push(Check {
            kind: CheckKind::Limit,
            name: format!("{scope}{}", scoped.limit),
            status: measured.status,
            why: measured.why,
            place: suite_place(suite, scoped.place),
            first_seed: None,
        });
    }
}

/// Not worse than the accepted baseline by more than the noise: one check over all, one per family.
fn against(suite: &Suite, baseline: &Baseline, counted: &[&RunOutcome], evaluated: &mut Evaluated) {
    let pairs = baseline.pairs(counted.iter().copied(), &suite.weights);
    let place = suite_place(suite, suite.place(&[Step::Field("baseline")]));
    let unpaired = counted.len() - pairs.len();
    if unpaired > 0 {
        let runs = words::plural(unpaired as u64, "run is", "runs are");
        evaluated.notes.push(format!("{runs} not in the baseline and cannot be held against it"));
    }
    let known = |family: &str, scenario: &str| {
        counted.iter().any(|run| run.family == family && run.scenario == scenario)
    };
    let gone: Vec<String> = baseline
        .scenarios
        .iter()
        .map(|runs| (runs.family.as_str(), runs.scenario.as_str()))
        .filter(|(family, scenario)| !known(family, scenario))
        .map(|(family, scenario)| format!("{family}/{scenario}"))
        .filter(|name| suite.quarantine.iter().all(|quarantined| quarantined.scenario != *name))
        .collect();
    if !gone.is_empty() {
        evaluated.notes.push(format!("in the baseline and not played any more: {}", gone.join(", ")));
    }
    let comparison = Comparison::of(&pairs);
    let losses = comparison.losses();
    let check = |family: Option<&str>, pairs: u64, changed: u64, few: bool| {
        let lost: Vec<Measure> =
            losses.iter().filter(|(of, _)| *of == family).map(|(_, measure)| *measure).collect();
        let (status, why) = match (lost.is_empty(), pairs, few) {
            (false, ..) => (CheckStatus::Failed, worse(&comparison, family, &lost)),
            (true, 0, _) => (CheckStatus::Unknown, "no run is in the baseline".to_owned()),
            (true, _, true) => (
                CheckStatus::Unknown,
                format!("{changed} of {pairs} runs count otherwise: too few to tell chance from more"),
            ),
            (true, _, false) => (
                CheckStatus::Passed,
                format!("{changed} of {pairs} runs count otherwise, no more than chance makes"),
            ),
        };
        let name = family.map_or_else(|| "not worse".to_owned(), |family| format!("not worse in {family}"));
        Check { kind: CheckKind::Baseline, name, status, why, place: place.clone(), first_seed: None }
    };
    let all = &comparison.all;
    let few = all.cost.is_some_and(|cost| cost.standing() == Standing::TooFew);
    evaluated.checks.push(check(None, all.pairs, all.changed, few));
    for (family, compared) in &comparison.families {
        evaluated.checks.push(check(Some(family), compared.pairs, compared.changed, false));
    }
    evaluated.flips = flips(&pairs);
    evaluated.comparison = Some(comparison);
}

/// In what, and by how much.
fn worse(comparison: &Comparison, family: Option<&str>, lost: &[Measure]) -> String {
    let compared = family.and_then(|family| comparison.families.get(family)).unwrap_or(&comparison.all);
    let one = |measure: &Measure| match measure {
        Measure::Caught => format!(
            "caught {} instead of {} of {}",
            compared.caught.after, compared.caught.before, compared.caught.n
        ),
        Measure::FalseRollbacks => format!(
            "{} false rollbacks instead of {} in {}",
            compared.false_rollbacks.after, compared.false_rollbacks.before, compared.false_rollbacks.n
        ),
        Measure::Cost => compared.cost.map_or_else(String::new, |cost| {
            format!("a mean cost of {} instead of {}", words::number(cost.after), words::number(cost.before))
        }),
    };
    format!("worse by more than chance makes: {}", lost.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn quarantine(suite: &Suite, played: &Played<'_>, evaluated: &mut Evaluated) {
    for quarantined in &suite.quarantine {
        let expired = quarantined.is_expired(played.today);
        let (status, since) =
            if expired { (CheckStatus::Failed, "expired on") } else { (CheckStatus::Passed, "until") };
        evaluated.checks.push(Check {
            kind: CheckKind::Quarantine,
            name: quarantined.scenario.clone(),
            status,
            why: format!("{since} {}: {}", quarantined.expires, quarantined.reason),
            place: suite_place(suite, quarantined.place),
            first_seed: None,
        });
    }
}
