//! Definitions to `keptn`.

use crate::building::Building;
use crate::keptn::{Criterion, Definition, Objective};
use crate::scale::{Limit, doubt, scale};
use backspin_judge::keptn::{Criterion as Judged, Objective as JudgedObjective, Params, Range};
use backspin_judge::metric::Reads;
use backspin_policy::file::JudgeEntry;

/// The judge of the first definition; evaluations are one together, as each must pass.
pub(super) fn judge(building: &mut Building<'_>, definitions: Vec<Definition<'_>>) -> Option<JudgeEntry> {
    let mut definitions = definitions.into_iter().filter(|definition| !definition.objectives.is_empty());
    let mut first = definitions.next()?;
    for other in definitions {
        if first.is_evaluation && other.is_evaluation {
            first.objectives.extend(other.objectives);
        } else {
            let why =
                format!("a policy has one judge, and it is that of `{}`; import this by itself", first.name);
            building.findings.lost(other.at, &format!("definition `{}`", other.name), why);
        }
    }
    let mut objectives: Vec<JudgedObjective> = Vec::new();
    for objective in &first.objectives {
        let Some(mut judged) = judged(building, objective) else { continue };
        let taken = objectives.iter().filter(|known| known.reads == judged.reads).count();
        if taken > 0 {
            judged.name = format!("{} #{}", judged.name, taken + 1);
        }
        objectives.push(judged);
    }
    if objectives.is_empty() {
        return None;
    }
    let label = format!("definition `{}`", first.name);
    let (pass, warning) = (first.pass_percent, first.warning_percent);
    if !(0.0..=100.0).contains(&pass) || !(0.0..=pass).contains(&warning) {
        let why = format!("0 ≤ warning ≤ pass ≤ 100 is wanted, got {warning} and {pass}");
        building.findings.lost(first.at, &label, why);
        return None;
    }
    if objectives.iter().all(|objective| objective.weight == 0) {
        building.findings.doubtful(first.at, &label, "all weights are 0: it never passes");
    }
    building.findings.carried(first.at, &label, format!("passes from {pass} %, warns from {warning} %"));
    Some(JudgeEntry::Keptn(Params {
        objectives,
        pass_percentage: pass,
        warning_percentage: warning,
        // Keptn runs an analysis when it is asked to; here it is asked every minute.
        interval_ms: 60_000,
    }))
}

fn judged(building: &mut Building<'_>, objective: &Objective<'_>) -> Option<JudgedObjective> {
    let label = format!("objective `{}`", objective.name);
    if objective.weight.fract() != 0.0 || !(0.0..=1e6).contains(&objective.weight) {
        let why = format!("a weight is a whole number up to 1000000, got {}", objective.weight);
        building.findings.lost(objective.at, &label, why);
        return None;
    }
    for criterion in [objective.failure, objective.warning].into_iter().flatten() {
        if let Criterion::Within(low, high) | Criterion::Outside(low, high) = criterion
            && low > high
        {
            building.findings.lost(objective.at, &label, "a range whose bounds are the wrong way round");
            return None;
        }
    }
    if let (Some(scale), Some(failure)) = (scale(&objective.query), objective.failure)
        && let Some(why) = doubt(Limit { name: &objective.name, scale }, &|x| !failure.fits(x))
    {
        building.findings.doubtful(objective.at, &label, why);
    }
    if objective.failure.is_none() && objective.warning.is_none() {
        building.findings.doubtful(
            objective.at,
            &label,
            "it has no target: it is kept while there is a value",
        );
    }
    building.findings.carried(objective.at, &label, "judged by Keptn's rules");
    Some(JudgedObjective {
        failure: objective.failure.map(criterion),
        warning: objective.warning.map(criterion),
        weight: objective.weight as u32,
        key: objective.key,
        ..JudgedObjective::new(objective.name.clone(), Reads::Query(objective.signal.clone()))
    })
}

fn criterion(of: Criterion) -> Judged {
    match of {
        Criterion::Less(limit) => Judged::LessThan(limit),
        Criterion::LessOrEqual(limit) => Judged::LessThanOrEqual(limit),
        Criterion::Greater(limit) => Judged::GreaterThan(limit),
        Criterion::GreaterOrEqual(limit) => Judged::GreaterThanOrEqual(limit),
        Criterion::Equal(limit) => Judged::EqualTo(limit),
        Criterion::Within(low, high) => Judged::InRange(Range { low, high }),
        Criterion::Outside(low, high) => Judged::NotInRange(Range { low, high }),
    }
}
