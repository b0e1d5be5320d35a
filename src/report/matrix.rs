//! The matrix of judges and families.

use serde::Serialize;

use super::group::Group;
use super::model::REFERENCE_JUDGE;
use super::summary::Summary;
use super::words;
use backspin_score::Figures;

/// A judge's row of the matrix.
#[derive(Serialize)]
pub(super) struct MatrixRow {
    judge: String,
    note: &'static str,
    cells: Vec<Cell>,
}

/// A family under a judge.
#[derive(Default, Serialize)]
struct Cell {
    /// `good`, `part`, `bad` or `none`; the words say the same.
    tone: &'static str,
    caught: Option<Count>,
    missed: u64,
    escalated: u64,
    inconclusive: u64,
    wrong: Option<Count>,
    infeasible: Option<String>,
}

#[derive(Serialize)]
struct Count {
    k: u64,
    n: u64,
    interval: String,
}

/// The rows, one per judge.
pub(super) fn matrix(summary: &Summary<'_>) -> Vec<MatrixRow> {
    summary.judges.iter().map(|judge| matrix_row(judge, summary)).collect()
}

fn matrix_row(judge: &str, summary: &Summary<'_>) -> MatrixRow {
    let of_family = |family: &&str| cell(summary.in_group(Group::Family(family), judge));
    let mut cells = vec![cell(summary.of_judge(judge))];
    cells.extend(summary.families.iter().map(of_family));
    let note = if judge == REFERENCE_JUDGE { "reference" } else { "" };
    MatrixRow { judge: judge.to_owned(), note, cells }
}

fn cell(figures: Option<&Figures>) -> Cell {
    let Some(f) = figures else { return Cell { tone: "none", ..Cell::default() } };
    let count = |share: &backspin_score::Share| {
        (share.n > 0).then(|| Count { k: share.k, n: share.n, interval: words::interval(share) })
    };
    // A false rollback of a bad deploy is already among those not caught; here only what good deploys suffered,
    // or all of it where a family has no good deploys.
    let wrong = count(&f.false_rollbacks).filter(|c| c.k > 0 || f.confusion.true_negative > 0);
    let caught = f.caught.value();
    let share_wrong = if wrong.is_some() { f.false_rollbacks.value().unwrap_or(0.0) } else { 0.0 };
    let tone = match caught {
        _ if share_wrong > FALSE_BAD => "bad",
        Some(share) if share < CAUGHT_BAD => "bad",
        Some(share) if share < CAUGHT_GOOD => "part",
        _ if share_wrong > FALSE_GOOD => "part",
        None if wrong.is_none() => "none",
        _ => "good",
    };
    Cell {
        tone,
        missed: f.confusion.false_negative,
        escalated: f.confusion.escalated_bad + f.confusion.escalated_good,
        inconclusive: f.confusion.inconclusive_bad + f.confusion.inconclusive_good,
        caught: count(&f.caught),
        wrong,
        infeasible: (f.infeasible.n > 0).then(|| format!("{} of {}", f.infeasible.k, f.infeasible.n)),
    }
}

/// Shading of the matrix only; targets of the product are 95 % caught and 1 % false.
const CAUGHT_GOOD: f64 = 0.95;
const CAUGHT_BAD: f64 = 0.5;
const FALSE_GOOD: f64 = 0.01;
const FALSE_BAD: f64 = 0.1;
