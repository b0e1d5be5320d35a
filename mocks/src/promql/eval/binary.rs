//! Operators between scalars and vectors, and matching of vectors.

use std::collections::BTreeMap;

use super::super::query::Grouping;
use super::error::EvalError;
use super::grid::{Grid, Row, absent};
use super::machine::{Machine, Stepped, merged, nameless};
use super::plan::{Binary, BinaryOp, Comparison, OneSide};
use crate::store::Labels;

impl Comparison {
    fn holds(self, lhs: f64, rhs: f64) -> bool {
        match self {
            Self::Equal => lhs == rhs,
            Self::NotEqual => lhs != rhs,
            Self::Greater => lhs > rhs,
            Self::Less => lhs < rhs,
            Self::GreaterOrEqual => lhs >= rhs,
            Self::LessOrEqual => lhs <= rhs,
        }
    }
}

/// Which operand a comparison that holds passes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Left,
    Right,
}

impl Binary {
    fn drops_name(&self) -> bool {
        self.returns_bool || matches!(self.op, BinaryOp::Arithmetic(_))
    }

    /// The value of two; none where a comparison does not hold.
    fn of(&self, lhs: f64, rhs: f64, kept: Kept) -> Option<f64> {
        match self.op {
            BinaryOp::Arithmetic(operator) => Some(operator.apply(lhs, rhs)),
            BinaryOp::Compare(comparison) => {
                let holds = comparison.holds(lhs, rhs);
                if self.returns_bool {
                    return Some(f64::from(u8::from(holds)));
                }
                let value = if kept == Kept::Left { lhs } else { rhs };
                holds.then_some(value)
            }
            BinaryOp::Set(_) => None,
        }
    }

    /// Labels of a match (`resultMetric`): of the many side, cut to what matched where each has one, with labels of the one.
    fn labels_of(&self, many: &Labels, one: &Labels) -> Labels {
        let mut labels = match (self.matching.side, &self.matching.by) {
            (OneSide::Both, Grouping::By(names)) => many.keep(|name| names.iter().any(|kept| kept == name)),
            (OneSide::Both, Grouping::Without(names)) => {
                many.keep(|name| !names.iter().any(|dropped| dropped == name))
            }
            (OneSide::Left | OneSide::Right, _) => many.clone(),
        };
        if self.drops_name() {
            labels = labels.without_name();
        }
        for name in &self.matching.include {
            labels = labels.with(name, one.get(name));
        }
        labels
    }
}

impl Machine<'_> {
    pub(super) fn binary(&mut self, binary: &Binary, grid: Grid) -> Result<Stepped, EvalError> {
        let lhs = self.eval(&binary.lhs, grid)?;
        let rhs = self.eval(&binary.rhs, grid)?;
        let rows = match (lhs, rhs) {
            (Stepped::Scalar(mut lhs), Stepped::Scalar(rhs)) => {
                for (lhs, rhs) in lhs.iter_mut().zip(rhs) {
                    // Scalars are compared with `bool` only, so there is always a value.
                    *lhs = binary.of(*lhs, rhs, Kept::Left).unwrap_or(f64::NAN);
                }
                return Ok(Stepped::Scalar(lhs));
            }
            (Stepped::Vector(rows), Stepped::Scalar(scalars)) => {
                with_scalars(binary, rows, |step, value| binary.of(value, scalars[step], Kept::Left))?
            }
            (Stepped::Scalar(scalars), Stepped::Vector(rows)) => {
                with_scalars(binary, rows, |step, value| binary.of(scalars[step], value, Kept::Right))?
            }
            (Stepped::Vector(lhs), Stepped::Vector(rhs)) => {
                self.reserve(lhs.len() + rhs.len(), grid)?;
                match binary.op {
                    BinaryOp::Set(op) => super::sets::combined(op, &binary.matching.by, lhs, rhs)?,
                    BinaryOp::Arithmetic(_) | BinaryOp::Compare(_) => {
                        self.matched(binary, &lhs, &rhs, grid)?
                    }
                }
            }
        };
        Ok(Stepped::Vector(rows))
    }
}

fn with_scalars(
    binary: &Binary,
    rows: Vec<Row>,
    mut value: impl FnMut(usize, f64) -> Option<f64>,
) -> Result<Vec<Row>, EvalError> {
    let named = |row| if binary.drops_name() { nameless(row) } else { row };
    merged(rows.into_iter().map(|row| named(row).map(&mut value)).collect())
}

/// Rows of both sides with the same labels to match.
#[derive(Default)]
struct MatchGroup {
    many: Vec<usize>,
    one: Vec<usize>,
}

impl Machine<'_> {
    fn matched(
        &mut self,
        binary: &Binary,
        lhs: &[Row],
        rhs: &[Row],
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let one_is_left = binary.matching.side == OneSide::Left;
        let (many, one) = if one_is_left { (rhs, lhs) } else { (lhs, rhs) };
        let mut groups: BTreeMap<Labels, MatchGroup> = BTreeMap::new();
        for (index, row) in many.iter().enumerate() {
            groups.entry(binary.matching.by.of(&row.labels)).or_default().many.push(index);
        }
        for (index, row) in one.iter().enumerate() {
            groups.entry(binary.matching.by.of(&row.labels)).or_default().one.push(index);
        }
        // Where one side has nothing at all, nothing can be ambiguous.
        let is_empty_at = |rows: &[Row], step: usize| rows.iter().all(|row| row.at(step).is_none());
        let mut found = Vec::new();
        for (labels, group) in &groups {
            if group.one.len() > 1 {
                for step in 0..grid.steps {
                    let mut there = group.one.iter().filter(|&&row| one[row].at(step).is_some());
                    if let (Some(&first), Some(&second)) = (there.next(), there.next())
                        && !is_empty_at(many, step)
                    {
                        let side = if one_is_left { "left" } else { "right" };
                        return Err(EvalError::Execution(format!(
                            "found duplicate series for the match group {labels} on the {side} hand-side of the \
                             operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique \
                             on one side",
                            one[second].labels, one[first].labels
                        )));
                    }
                }
            }
            let pairs = group.many.len().saturating_mul(group.one.len()) as u64;
            self.charge(pairs.saturating_mul(grid.steps as u64))?;
            found.extend(matched_group(binary, group, (many, one), grid)?);
            self.check_room(found.len(), grid)?;
        }
        if binary.matching.side != OneSide::Both {
            return merged(found).map_err(|_| {
                ambiguous("multiple matches for labels: grouping labels must ensure unique matches")
            });
        }
        merged(found)
    }
}

fn matched_group(
    binary: &Binary,
    group: &MatchGroup,
    (many, one): (&[Row], &[Row]),
    grid: Grid,
) -> Result<Vec<Row>, EvalError> {
    let mut found = Vec::new();
    let mut is_taken = vec![false; if binary.matching.side == OneSide::Both { grid.steps } else { 0 }];
    for &row in &group.many {
        for &partner in &group.one {
            let (row, partner) = (&many[row], &one[partner]);
            let mut values = vec![absent(); grid.steps];
            for (step, slot) in values.iter_mut().enumerate() {
                let (Some(value), Some(other)) = (row.at(step), partner.at(step)) else { continue };
                let (lhs, rhs) =
                    if binary.matching.side == OneSide::Left { (other, value) } else { (value, other) };
                let Some(result) = binary.of(lhs, rhs, Kept::Left) else { continue };
                if let Some(taken) = is_taken.get_mut(step)
                    && std::mem::replace(taken, true)
                {
                    let must = "many-to-one matching must be explicit (group_left/group_right)";
                    return Err(ambiguous(&format!("multiple matches for labels: {must}")));
                }
                *slot = result;
            }
            let matched = Row { labels: binary.labels_of(&row.labels, &partner.labels), values };
            if !matched.is_empty() {
                found.push(matched);
            }
        }
    }
    Ok(found)
}

fn ambiguous(reason: &str) -> EvalError {
    EvalError::Execution(reason.to_owned())
}
