//! The linked form of queries: a list of nodes, each after its inputs, that share windows and values.

use std::ops::Range;

use super::catalog::SeriesId;
use super::query::{Aggregation, Bound, Operator};
use crate::window::{Bucket, CounterTable, GaugeLookback, Stretch, quantile_of_sorted};

/// Index of a node in [`Program::nodes`].
pub(super) type NodeId = u32;

/// One step of an evaluation; its value is none when the vector has no such element.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Constant(f64),
    Gauge(usize),
    Window {
        slot: usize,
        range_ms: u64,
        per_second: bool,
    },
    /// Over [`Program::inputs`].
    Aggregate {
        aggregation: Aggregation,
        inputs: Range<usize>,
    },
    /// Over [`Program::buckets`].
    Quantile {
        phi: f64,
        buckets: Range<usize>,
    },
    Binary {
        operator: Operator,
        lhs: NodeId,
        rhs: NodeId,
    },
    Negate(NodeId),
    Clamp {
        bound: Bound,
        limit: f64,
        input: NodeId,
    },
    Or {
        first: NodeId,
        second: NodeId,
    },
}

/// Nodes, the series windows that feed them, and the values of the newest evaluation.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) nodes: Vec<Node>,
    pub(super) inputs: Vec<NodeId>,
    /// Buckets of quantiles, sorted by bound within each quantile.
    pub(super) buckets: Vec<(f64, NodeId)>,
    /// The series of each counter.
    pub(super) counters: Vec<SeriesId>,
    pub(super) windows: CounterTable,
    pub(super) gauges: Vec<(SeriesId, GaugeLookback)>,
    values: Vec<Option<f64>>,
    /// Epoch in which a node's value was computed.
    computed_in: Vec<u64>,
    /// Moves with every scrape and every new time of evaluation.
    epoch: u64,
    evaluated_at_ms: u64,
    /// Where each node's window began at the last evaluation, by node.
    cursors: Vec<usize>,
    /// Geometry of the window evaluated last.
    stretch: Stretch,
    scratch: Vec<Bucket>,
}

impl Program {
    /// Sizes the buffers of evaluation, after the last node is in.
    pub(super) fn seal(&mut self) {
        self.values = vec![None; self.nodes.len()];
        self.computed_in = vec![0; self.nodes.len()];
        self.cursors = vec![0; self.nodes.len()];
        self.scratch = Vec::with_capacity(self.buckets.len());
        self.epoch = 1;
    }

    /// Feeds one scrape.
    pub(super) fn ingest(&mut self, t_ms: u64, samples: &[Option<f64>]) {
        self.epoch += 1;
        for (index, series) in self.counters.iter().enumerate() {
            if let Some(value) = samples[series.0] {
                self.windows.push(index, t_ms, value);
            }
        }
        for (series, gauge) in &mut self.gauges {
            if let Some(value) = samples[series.0] {
                gauge.push(t_ms, value);
            }
        }
    }

    /// Computes the nodes of `order`, which must name inputs first, and returns the value of `result`.
    pub(super) fn eval(&mut self, order: &[NodeId], result: NodeId, t_ms: u64) -> Option<f64> {
        if t_ms != self.evaluated_at_ms {
            self.evaluated_at_ms = t_ms;
            self.epoch += 1;
        }
        for &node in order {
            let index = node as usize;
            if self.computed_in[index] != self.epoch {
                self.values[index] = self.compute(index, t_ms);
                self.computed_in[index] = self.epoch;
            }
        }
        self.values[result as usize]
    }

    fn compute(&mut self, index: usize, t_ms: u64) -> Option<f64> {
        let values = &self.values;
        let value = |node: NodeId| values[node as usize];
        match &self.nodes[index] {
            Node::Constant(number) => Some(*number),
            Node::Gauge(slot) => self.gauges[*slot].1.value(t_ms),
            Node::Window { slot, range_ms, per_second } => {
                let (cursor, stretch) = (&mut self.cursors[index], &mut self.stretch);
                self.windows.column(*slot).follow(t_ms, *range_ms, *per_second, cursor, stretch)
            }
            Node::Aggregate { aggregation, inputs } => {
                aggregation.of(self.inputs[inputs.clone()].iter().filter_map(|&node| value(node)))
            }
            Node::Quantile { phi, buckets } => {
                self.scratch.clear();
                let present = self.buckets[buckets.clone()].iter();
                self.scratch.extend(
                    present.filter_map(|&(le, node)| value(node).map(|cumulative| Bucket { le, cumulative })),
                );
                if self.scratch.is_empty() { None } else { Some(quantile_of_sorted(*phi, &mut self.scratch)) }
            }
            Node::Binary { operator, lhs, rhs } => Some(operator.apply(value(*lhs)?, value(*rhs)?)),
            Node::Negate(input) => value(*input).map(|value| -value),
            Node::Clamp { bound, limit, input } => value(*input).map(|value| bound.apply(value, *limit)),
            Node::Or { first, second } => value(*first).or(value(*second)),
        }
    }
}
