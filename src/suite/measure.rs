//! A limit held against runs: what is measured, with its interval, and whether that keeps the limit.

use super::limit::{Kept, Limit, Metric, Percentile, Unit};
use backspin_report::ci::CheckStatus;
use backspin_report::words;
use backspin_score::{
    Class, CostWeights, Elapsed, Estimate, Feasible, Figures, Observation, Quantile, RunOutcome, Share,
    estimate, quantile,
};

/// What a limit was held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Whether it is kept.
    pub status: CheckStatus,
    /// What was measured, of how many, and what follows, in words.
    pub why: String,
}

/// Holds a limit against runs. It is kept where the whole 95 % interval keeps it, broken where none of it does, and unknown
/// between. A percentile is held as a share: `ttr.p95 <= 6m` says that at least 95 % of the runs recover within 6 minutes, so
/// that runs which never got there count and need no number. Counts have no interval: they are of the runs that were played.
pub fn measure(limit: &Limit, outcomes: &[&RunOutcome], weights: &CostWeights) -> Measured {
    let figures = || Figures::of(outcomes.iter().copied(), weights);
    match limit.metric {
        Metric::Recall => share(limit, figures().caught),
        Metric::FalseRollbacks => share(limit, figures().false_rollbacks),
        Metric::Precision => {
            let confusion = figures().confusion;
            let right = confusion.true_positive;
            share(limit, Share::new(right, right + confusion.false_positive))
        }
        Metric::Escalations => {
            share(limit, Share::new(counted(outcomes, Class::Escalated), outcomes.len() as u64))
        }
        Metric::MissedCount => count(limit, figures().confusion.false_negative, outcomes),
        Metric::FalseRollbacksCount => count(limit, counted(outcomes, Class::FalsePositive), outcomes),
        Metric::EscalationsCount => count(limit, counted(outcomes, Class::Escalated), outcomes),
        Metric::InconclusiveCount => count(limit, counted(outcomes, Class::Inconclusive), outcomes),
        Metric::TimeToDetect(p) => time(limit, p, outcomes, |run| run.ttd.observation()),
        Metric::TimeToMitigate(p) => time(limit, p, outcomes, |run| run.ttm.observation()),
        Metric::TimeToRecover(p) => time(limit, p, outcomes, |run| run.ttr.observation()),
        Metric::OverBound(p) => time(limit, p, outcomes, RunOutcome::delay_ratio),
        Metric::CostMean => {
            let costs = outcomes.iter().filter_map(|run| Some((run.cost?.at(weights), run.family.as_str())));
            mean(limit, estimate(costs))
        }
        Metric::UsersHarmedMean => {
            let bad = outcomes.iter().filter(|run| run.truth.bad && run.ttm != Elapsed::Unknown);
            mean(limit, estimate(bad.map(|run| (run.harm.users, run.family.as_str()))))
        }
    }
}

fn counted(outcomes: &[&RunOutcome], class: Class) -> u64 {
    outcomes.iter().filter(|run| run.class == class).count() as u64
}

/// No run at all to tell it of.
fn nothing() -> Measured {
    Measured { status: CheckStatus::Unknown, why: "there is no run that it can be told of".to_owned() }
}

fn count(limit: &Limit, n: u64, outcomes: &[&RunOutcome]) -> Measured {
    if outcomes.is_empty() {
        return nothing();
    }
    let status = if limit.keeps(n as f64) { CheckStatus::Passed } else { CheckStatus::Failed };
    Measured { status, why: format!("{n} of {}", words::plural(outcomes.len() as u64, "run", "runs")) }
}

fn share(limit: &Limit, share: Share) -> Measured {
    let Some(value) = share.value() else { return nothing() };
    let status = status(limit.keeps(share.lower), limit.keeps(share.upper));
    let mut why =
        format!("{} of {}: {} ({})", share.k, share.n, words::percent(value), words::interval(&share));
    if status == CheckStatus::Unknown {
        why += &needed(share, limit.value, |share| limit.keeps(share.lower) && limit.keeps(share.upper));
    }
    Measured { status, why }
}

const fn status(lower_keeps: bool, upper_keeps: bool) -> CheckStatus {
    match (lower_keeps, upper_keeps) {
        (true, true) => CheckStatus::Passed,
        (false, false) => CheckStatus::Failed,
        (true, false) | (false, true) => CheckStatus::Unknown,
    }
}

/// How many runs would show it, were the share what it is now.
fn needed(share: Share, edge: f64, shown: impl Fn(Share) -> bool) -> String {
    let value = share.value().unwrap_or_default();
    let at = |n: u64| Share::new((value * n as f64).round() as u64, n);
    let mut n = share.n.max(1);
    while n < RUNS_MAX && !shown(at(n)) {
        n += n.div_ceil(50);
    }
    if value == edge || n >= RUNS_MAX {
        return ", too near to the limit to tell".to_owned();
    }
    format!(", too few runs to tell: about {n} would show it if the share stays")
}

/// More runs than anybody plays.
const RUNS_MAX: u64 = 1_000_000;

/// A percentile as the share of runs within the limit.
fn time(
    limit: &Limit,
    percentile: Percentile,
    outcomes: &[&RunOutcome],
    of: impl Fn(&RunOutcome) -> Option<Observation>,
) -> Measured {
    let catchable = |run: &&&RunOutcome| {
        run.truth.bad && run.truth.bound.feasible != Feasible::No && run.class != Class::Inconclusive
    };
    let seen: Vec<Observation> = outcomes.iter().filter(catchable).filter_map(|run| of(run)).collect();
    let within = |seen: &Observation| match limit.kept {
        Kept::AtMost => seen.at <= limit.value,
        Kept::AtLeast => seen.at < limit.value,
    };
    // Whoever was watched for less than the limit, and did not get there, tells nothing.
    let telling: Vec<&Observation> = seen.iter().filter(|seen| seen.reached || !within(seen)).collect();
    let share = Share::new(
        telling.iter().filter(|seen| seen.reached && within(seen)).count() as u64,
        telling.len() as u64,
    );
    let Some(value) = share.value() else { return nothing() };
    let wanted = percentile.share();
    let keeps = |bound: f64| match limit.kept {
        Kept::AtMost => bound >= wanted,
        Kept::AtLeast => bound <= wanted,
    };
    let status = status(keeps(share.lower), keeps(share.upper));
    let show = |value: f64| match limit.metric.unit() {
        Unit::Time => words::seconds(value),
        Unit::Ratio | Unit::Count | Unit::Number => words::number(value),
    };
    let measured = match quantile(&seen, wanted) {
        Quantile::At(at) => show(at),
        Quantile::NotReached(at) => format!("more than {}", show(at)),
        Quantile::NoData => return nothing(),
    };
    let side = match limit.kept {
        Kept::AtMost => "within",
        Kept::AtLeast => "below",
    };
    let mut why = format!(
        "{measured}; {} of {} {side} {}: {} ({})",
        share.k,
        share.n,
        show(limit.value),
        words::percent(value),
        words::interval(&share)
    );
    if status == CheckStatus::Unknown {
        why += &needed(share, wanted, |share| keeps(share.lower) && keeps(share.upper));
    }
    Measured { status, why }
}

fn mean(limit: &Limit, estimate: Option<Estimate>) -> Measured {
    let Some(estimate) = estimate else { return nothing() };
    let runs = words::plural(estimate.n, "run", "runs");
    match estimate.interval {
        None => Measured {
            status: CheckStatus::Unknown,
            why: format!("{} over {runs}: too few for an interval", words::number(estimate.mean)),
        },
        Some((lower, upper)) => Measured {
            status: status(limit.keeps(lower), limit.keeps(upper)),
            why: format!(
                "{} ({} to {}) over {runs}",
                words::number(estimate.mean),
                words::number(lower),
                words::number(upper)
            ),
        },
    }
}
