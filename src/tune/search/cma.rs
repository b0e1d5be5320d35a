//! CMA-ES: a cloud of points that moves, stretches and turns to where they are good (Hansen, "The CMA evolution strategy: a
//! tutorial", 2016, with its default constants). It goes by ranks alone, so that noise matters little and units not at all.
//!
//! The space is the unit cube; what falls outside is mirrored back into it.

use super::draw::Draws;

/// The cloud.
#[derive(Clone, Debug)]
pub struct Cma {
    /// Points of a generation.
    lambda: usize,
    weights: Vec<f64>,
    mu_eff: f64,
    mean: Vec<f64>,
    sigma: f64,
    covariance: Vec<Vec<f64>>,
    /// Columns are directions.
    axes: Vec<Vec<f64>>,
    lengths: Vec<f64>,
    path_sigma: Vec<f64>,
    path_c: Vec<f64>,
    generation: u32,
}

impl Cma {
    /// A cloud around a place, of this width; `lambda` points at a time, at least 4.
    pub fn new(mean: &[f64], sigma: f64, lambda: usize) -> Self {
        let n = mean.len();
        let lambda = lambda.max(4);
        let mu = lambda / 2;
        let raw: Vec<f64> = (0..mu)
            .map(|i| libm::log(f64::midpoint(lambda as f64, 1.0)) - libm::log(i as f64 + 1.0))
            .collect();
        let sum: f64 = raw.iter().sum();
        let weights: Vec<f64> = raw.iter().map(|w| w / sum).collect();
        let mu_eff = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
        Self {
            lambda,
            weights,
            mu_eff,
            mean: mean.to_vec(),
            sigma,
            covariance: identity(n),
            axes: identity(n),
            lengths: vec![1.0; n],
            path_sigma: vec![0.0; n],
            path_c: vec![0.0; n],
            generation: 0,
        }
    }

    /// The points of a generation that is usual for so many dimensions.
    pub fn usual_lambda(dimensions: usize) -> usize {
        (4 + (3.0 * libm::log(dimensions.max(1) as f64)) as usize).max(8)
    }

    /// How wide the cloud is.
    pub const fn sigma(&self) -> f64 {
        self.sigma
    }

    /// The next points, as they were drawn; [`mirrored`] brings them into the cube.
    pub fn ask(&self, draws: &mut Draws) -> Vec<Vec<f64>> {
        let n = self.mean.len();
        let one = |_| {
            let z: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
            (0..n)
                .map(|i| {
                    let step: f64 = (0..n).map(|j| self.axes[i][j] * self.lengths[j] * z[j]).sum();
                    self.mean[i] + self.sigma * step
                })
                .collect()
        };
        (0..self.lambda).map(one).collect()
    }

    /// Learns from points that were drawn, the best first.
    pub fn tell(&mut self, ranked: &[Vec<f64>]) {
        let n = self.mean.len();
        let dims = n as f64;
        let before = std::mem::take(&mut self.mean);
        let chosen = &ranked[..self.weights.len().min(ranked.len())];
        self.mean =
            (0..n).map(|i| chosen.iter().zip(&self.weights).map(|(x, w)| w * x[i]).sum::<f64>()).collect();
        let step: Vec<f64> = (0..n).map(|i| (self.mean[i] - before[i]) / self.sigma).collect();
        self.generation += 1;
        let c_sigma = (self.mu_eff + 2.0) / (dims + self.mu_eff + 5.0);
        let d_sigma = 1.0 + 2.0 * (libm::sqrt((self.mu_eff - 1.0) / (dims + 1.0)) - 1.0).max(0.0) + c_sigma;
        let chi = libm::sqrt(dims) * (1.0 - 1.0 / (4.0 * dims) + 1.0 / (21.0 * dims * dims));
        let whitened = self.whitened(&step);
        let keep = libm::sqrt(c_sigma * (2.0 - c_sigma) * self.mu_eff);
        for (path, white) in self.path_sigma.iter_mut().zip(&whitened) {
            *path = (1.0 - c_sigma) * *path + keep * white;
        }
        let length = libm::sqrt(self.path_sigma.iter().map(|p| p * p).sum::<f64>());
        let settled = 1.0 - libm::pow(1.0 - c_sigma, 2.0 * f64::from(self.generation));
        let stalled = length / libm::sqrt(settled) >= (1.4 + 2.0 / (dims + 1.0)) * chi;
        self.adapt(&step, chosen, &before, stalled);
        self.sigma *= libm::exp((c_sigma / d_sigma) * (length / chi - 1.0));
        self.sigma = self.sigma.clamp(1e-12, 1.0);
        (self.axes, self.lengths) = eigen(&self.covariance);
    }

    fn adapt(&mut self, step: &[f64], chosen: &[Vec<f64>], before: &[f64], stalled: bool) {
        let n = step.len();
        let dims = n as f64;
        let c_c = (4.0 + self.mu_eff / dims) / (dims + 4.0 + 2.0 * self.mu_eff / dims);
        let c_1 = 2.0 / ((dims + 1.3) * (dims + 1.3) + self.mu_eff);
        let c_mu = (2.0 * (self.mu_eff - 2.0 + 1.0 / self.mu_eff)
            / ((dims + 2.0) * (dims + 2.0) + self.mu_eff))
            .min(1.0 - c_1);
        let keep = if stalled { 0.0 } else { libm::sqrt(c_c * (2.0 - c_c) * self.mu_eff) };
        for (path, step) in self.path_c.iter_mut().zip(step) {
            *path = (1.0 - c_c) * *path + keep * step;
        }
        let lost = if stalled { c_1 * c_c * (2.0 - c_c) } else { 0.0 };
        for i in 0..n {
            for j in 0..=i {
                let many: f64 = chosen
                    .iter()
                    .zip(&self.weights)
                    .map(|(x, w)| w * (x[i] - before[i]) * (x[j] - before[j]) / (self.sigma * self.sigma))
                    .sum();
                let value = (1.0 - c_1 - c_mu + lost) * self.covariance[i][j]
                    + c_1 * self.path_c[i] * self.path_c[j]
                    + c_mu * many;
                self.covariance[i][j] = value;
                self.covariance[j][i] = value;
            }
        }
    }

    /// A step as it would be in a round cloud.
    fn whitened(&self, step: &[f64]) -> Vec<f64> {
        let n = step.len();
        let along: Vec<f64> = (0..n)
            .map(|j| (0..n).map(|i| self.axes[i][j] * step[i]).sum::<f64>() / self.lengths[j])
            .collect();
        (0..n).map(|i| (0..n).map(|j| self.axes[i][j] * along[j]).sum()).collect()
    }
}

/// A point brought into the unit cube, as if its walls were mirrors.
pub fn mirrored(point: &[f64]) -> Vec<f64> {
    let fold = |x: &f64| {
        let turn = x - 2.0 * libm::floor(x / 2.0);
        if turn > 1.0 { 2.0 - turn } else { turn }
    };
    point.iter().map(fold).collect()
}

fn identity(n: usize) -> Vec<Vec<f64>> {
    (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect()
}

/// Directions and lengths of a symmetric matrix, by Jacobi's rotations (1846): exact enough in a dozen sweeps, and the same
/// on every machine.
fn eigen(matrix: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let n = matrix.len();
    let mut a = matrix.to_vec();
    let mut v = identity(n);
    for _ in 0..SWEEPS {
        for p in 0..n {
            for q in p + 1..n {
                if libm::fabs(a[p][q]) > 1e-300 {
                    rotate(&mut a, &mut v, p, q);
                }
            }
        }
    }
    let lengths = (0..n).map(|i| libm::sqrt(a[i][i].max(LEAST))).collect();
    (v, lengths)
}

/// Sweeps over all pairs.
const SWEEPS: usize = 12;

/// A direction is never thinner than this, so that the cloud cannot become a sheet.
const LEAST: f64 = 1e-14;

fn rotate(a: &mut [Vec<f64>], v: &mut [Vec<f64>], p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let sign = if theta >= 0.0 { 1.0 } else { -1.0 };
    let t = sign / (libm::fabs(theta) + libm::sqrt(theta * theta + 1.0));
    let c = 1.0 / libm::sqrt(t * t + 1.0);
    let s = t * c;
    for row in a.iter_mut() {
        let (left, right) = (row[p], row[q]);
        row[p] = c * left - s * right;
        row[q] = s * left + c * right;
    }
    // The same for the rows.
    let (mut row_p, mut row_q) = (std::mem::take(&mut a[p]), std::mem::take(&mut a[q]));
    for (left, right) in row_p.iter_mut().zip(&mut row_q) {
        (*left, *right) = (c * *left - s * *right, s * *left + c * *right);
    }
    (a[p], a[q]) = (row_p, row_q);
    for row in v.iter_mut() {
        let (left, right) = (row[p], row[q]);
        row[p] = c * left - s * right;
        row[q] = s * left + c * right;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least value that was found within so many evaluations.
    fn least(dimensions: usize, evaluations: usize, f: impl Fn(&[f64]) -> f64) -> f64 {
        let mut draws = Draws::new(3, "cma");
        let mut cma = Cma::new(&vec![0.3; dimensions], 0.3, Cma::usual_lambda(dimensions));
        let mut best = f64::INFINITY;
        let mut done = 0;
        while done < evaluations {
            let points = cma.ask(&mut draws);
            done += points.len();
            let mut ranked: Vec<(f64, Vec<f64>)> =
                points.into_iter().map(|point| (f(&mirrored(&point)), point)).collect();
            ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
            best = best.min(ranked[0].0);
            cma.tell(&ranked.into_iter().map(|(_, point)| point).collect::<Vec<_>>());
        }
        best
    }

    #[test]
    fn the_sphere_is_found() {
        let sphere = |x: &[f64]| x.iter().map(|x| (x - 0.7) * (x - 0.7)).sum();
        assert!(least(10, 3000, sphere) < 1e-9);
    }

    #[test]
    fn a_needle_of_a_valley_is_followed() {
        let ellipsoid = |x: &[f64]| {
            x.iter().enumerate().map(|(i, x)| libm::pow(1e4, i as f64 / 5.0) * (x - 0.6) * (x - 0.6)).sum()
        };
        assert!(least(6, 5000, ellipsoid) < 1e-8);
    }

    #[test]
    fn rosenbrock_is_found() {
        let rosenbrock = |x: &[f64]| {
            let at = |i: usize| x[i] * 4.0 - 2.0;
            (0..x.len() - 1)
                .map(|i| {
                    let (a, b) = (1.0 - at(i), at(i + 1) - at(i) * at(i));
                    a * a + 100.0 * b * b
                })
                .sum()
        };
        assert!(least(5, 12_000, rosenbrock) < 1e-6);
    }

    #[test]
    fn a_minimum_on_the_wall_is_reached() {
        assert!(least(4, 3000, |x: &[f64]| x.iter().sum()) < 1e-3);
    }

    #[test]
    fn mirrors_fold() {
        let folded = mirrored(&[-0.25, 1.25, 0.5, 2.5, -3.5]);
        for (found, expected) in folded.iter().zip([0.25, 0.75, 0.5, 0.5, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{folded:?}");
        }
    }

    #[test]
    fn directions_rebuild_the_matrix() {
        let matrix = vec![vec![2.0, 0.5, 0.1], vec![0.5, 1.0, -0.3], vec![0.1, -0.3, 0.5]];
        let (axes, lengths) = eigen(&matrix);
        for i in 0..3 {
            for j in 0..3 {
                let sum: f64 = (0..3).map(|k| axes[i][k] * lengths[k] * lengths[k] * axes[j][k]).sum();
                assert!((sum - matrix[i][j]).abs() < 1e-12);
            }
        }
    }
}
