//! Builds a [`Program`]: equal nodes and equal series are made once and shared by all queries.

use std::collections::BTreeMap;

use super::catalog::SeriesId;
use super::program::{Node, NodeId, Program};
use super::query::{Aggregation, Bound, Operator};
use crate::window::{CounterTable, CounterWindow, GaugeLookback};

/// Collects nodes and the windows they need.
#[derive(Debug, Default)]
pub(super) struct Linker {
    scrape_interval_ms: u64,
    program: Program,
    /// Nodes by their content.
    known: BTreeMap<Vec<u64>, NodeId>,
    /// Longest range asked of each counter, by slot.
    ranges_ms: Vec<u64>,
    counter_slots: BTreeMap<SeriesId, usize>,
    gauge_slots: BTreeMap<SeriesId, usize>,
}

impl Linker {
    /// For scrapes every `scrape_interval_ms`.
    pub(super) fn new(scrape_interval_ms: u64) -> Self {
        Self { scrape_interval_ms, ..Self::default() }
    }

    /// Samples that a window of `range_ms` holds.
    pub(super) fn samples_in(&self, range_ms: u64) -> usize {
        CounterWindow::capacity_for(range_ms, self.scrape_interval_ms)
    }

    pub(super) fn constant(&mut self, number: f64) -> NodeId {
        self.intern(vec![0, number.to_bits()], |_| Node::Constant(number))
    }

    pub(super) fn gauge(&mut self, series: SeriesId) -> NodeId {
        let program = &mut self.program;
        let slot = *self.gauge_slots.entry(series).or_insert_with(|| {
            program.gauges.push((series, GaugeLookback::new()));
            program.gauges.len() - 1
        });
        self.intern(vec![1, slot as u64], |_| Node::Gauge(slot))
    }

    pub(super) fn window(&mut self, series: SeriesId, range_ms: u64, per_second: bool) -> NodeId {
        let (program, ranges_ms) = (&mut self.program, &mut self.ranges_ms);
        let slot = *self.counter_slots.entry(series).or_insert_with(|| {
            program.counters.push(series);
            ranges_ms.push(0);
            ranges_ms.len() - 1
        });
        self.ranges_ms[slot] = self.ranges_ms[slot].max(range_ms);
        let key = vec![2, slot as u64, range_ms, u64::from(per_second)];
        self.intern(key, |_| Node::Window { slot, range_ms, per_second })
    }

    pub(super) fn aggregate(&mut self, aggregation: Aggregation, inputs: &[NodeId]) -> NodeId {
        let mut key = vec![3, aggregation as u64];
        key.extend(inputs.iter().map(|&node| u64::from(node)));
        self.intern(key, |program| {
            let begin = program.inputs.len();
            program.inputs.extend_from_slice(inputs);
            Node::Aggregate { aggregation, inputs: begin..program.inputs.len() }
        })
    }

    /// `buckets` in any order.
    pub(super) fn quantile(&mut self, phi: f64, mut buckets: Vec<(f64, NodeId)>) -> NodeId {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut key = vec![4, phi.to_bits()];
        key.extend(buckets.iter().flat_map(|&(le, node)| [le.to_bits(), u64::from(node)]));
        self.intern(key, |program| {
            let begin = program.buckets.len();
            program.buckets.extend(buckets);
            Node::Quantile { phi, buckets: begin..program.buckets.len() }
        })
    }

    pub(super) fn binary(&mut self, operator: Operator, lhs: NodeId, rhs: NodeId) -> NodeId {
        let key = vec![5, operator as u64, u64::from(lhs), u64::from(rhs)];
        self.intern(key, |_| Node::Binary { operator, lhs, rhs })
    }

    pub(super) fn negate(&mut self, input: NodeId) -> NodeId {
        self.intern(vec![6, u64::from(input)], |_| Node::Negate(input))
    }

    pub(super) fn clamp(&mut self, bound: Bound, limit: f64, input: NodeId) -> NodeId {
        let key = vec![7, bound as u64, limit.to_bits(), u64::from(input)];
        self.intern(key, |_| Node::Clamp { bound, limit, input })
    }

    pub(super) fn or(&mut self, first: NodeId, second: NodeId) -> NodeId {
        self.intern(vec![8, u64::from(first), u64::from(second)], |_| Node::Or { first, second })
    }

    /// The nodes that `result` needs, inputs first, `result` last.
    pub(super) fn order(&self, result: NodeId) -> Vec<NodeId> {
        let mut is_needed = vec![false; result as usize + 1];
        is_needed[result as usize] = true;
        // A node comes after its inputs, so one walk backwards reaches all.
        for index in (0..=result as usize).rev().collect::<Vec<_>>() {
            if !is_needed[index] {
                continue;
            }
            match &self.program.nodes[index] {
                Node::Constant(_) | Node::Gauge(_) | Node::Window { .. } => {}
                Node::Aggregate { inputs, .. } => {
                    self.program.inputs[inputs.clone()]
                        .iter()
                        .for_each(|&node| is_needed[node as usize] = true);
                }
                Node::Quantile { buckets, .. } => {
                    self.program.buckets[buckets.clone()]
                        .iter()
                        .for_each(|&(_, node)| is_needed[node as usize] = true);
                }
                Node::Binary { lhs: first, rhs: second, .. } | Node::Or { first, second } => {
                    is_needed[*first as usize] = true;
                    is_needed[*second as usize] = true;
                }
                Node::Negate(input) | Node::Clamp { input, .. } => is_needed[*input as usize] = true,
            }
        }
        (0..=result).filter(|&node| is_needed[node as usize]).collect()
    }

    /// The program, with windows large enough for their longest range.
    pub(super) fn finish(mut self) -> Program {
        self.program.windows =
            CounterTable::new(self.ranges_ms.iter().map(|&range_ms| self.samples_in(range_ms)));
        self.program.seal();
        self.program
    }

    fn intern(&mut self, key: Vec<u64>, make: impl FnOnce(&mut Program) -> Node) -> NodeId {
        if let Some(&node) = self.known.get(&key) {
            return node;
        }
        let made = make(&mut self.program);
        self.program.nodes.push(made);
        let node = NodeId::try_from(self.program.nodes.len() - 1).expect("fewer than 2^32 nodes");
        self.known.insert(key, node);
        node
    }
}
