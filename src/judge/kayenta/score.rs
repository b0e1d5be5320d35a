//! From labels to a score.

use super::Params;

/// The groups, by number, and the weight of each.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    /// The group of each metric.
    of_metric: Box<[usize]>,
    /// Percent.
    weights: Box<[f64]>,
    passed: Box<[f64]>,
    counted: Box<[f64]>,
}

/// What a metric does to the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// It has no data.
    pub nodata: bool,
    /// It is critical and did not pass.
    pub zeroes: bool,
}

/// Whether the whole is 0: a critical metric did not pass, or half of all have no data.
pub(super) fn zeroed(metrics: impl Iterator<Item = Counted>) -> bool {
    let (mut all, mut nodata, mut zeroes) = (0_u32, 0_u32, false);
    for metric in metrics {
        all += 1;
        nodata += u32::from(metric.nodata);
        zeroes |= metric.zeroes;
    }
    zeroes || 2 * nodata >= all && all > 0
}

impl Groups {
    pub(super) fn new(params: &Params) -> Self {
        let mut names: Vec<&str> = Vec::new();
        let mut of_metric = Vec::new();
        for metric in &params.metrics {
            let known = names.iter().position(|name| *name == metric.group);
            of_metric.push(known.unwrap_or_else(|| {
                // A group of muted metrics alone has no score, and takes no part of the weights.
                names.push(&metric.group);
                names.len() - 1
            }));
        }
        let counts = |group: &str| params.metrics.iter().any(|metric| metric.group == group && !metric.muted);
        let given =
            |name: &str| params.groups.iter().find(|group| group.name == name).map(|group| group.weight);
        let listed: f64 = params.groups.iter().map(|group| group.weight).sum();
        let others = names.iter().filter(|name| given(name).is_none() && counts(name)).count();
        let share = (100.0 - listed) / others.max(1) as f64;
        let weights = names.iter().map(|name| match given(name) {
            Some(weight) => weight,
            None if counts(name) => share,
            None => 0.0,
        });
        let weights: Box<[f64]> = weights.collect();
        let zeros: Box<[f64]> = vec![0.0; weights.len()].into();
        Self { of_metric: of_metric.into(), weights, passed: zeros.clone(), counted: zeros }
    }

    /// The weighted sum of the groups' scores, to two decimals. Of each metric: its number, whether it counts, whether it passed.
    pub(super) fn sum(&mut self, metrics: impl Iterator<Item = (usize, bool, bool)>) -> f64 {
        self.passed.fill(0.0);
        self.counted.fill(0.0);
        for (metric, counts, passed) in metrics {
            let group = self.of_metric[metric];
            self.counted[group] += f64::from(u8::from(counts));
            self.passed[group] += f64::from(u8::from(passed));
        }
        let groups = self.weights.iter().zip(self.passed.iter().zip(&self.counted));
        let sum: f64 = groups
            .map(|(weight, (passed, counted))| {
                // A group in which nothing has data scores 100.
                let score = if *counted > 0.0 { 100.0 * passed / counted } else { 100.0 };
                score * weight / 100.0
            })
            .sum();
        (sum * 100.0).round() / 100.0
    }
}
