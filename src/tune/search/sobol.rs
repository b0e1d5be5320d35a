//! An even spread: Sobol's sequence (1967) with the direction numbers of Joe and Kuo (2008, `new-joe-kuo-6`), scrambled as Owen
//! (1995) has it by the hash of Laine and Karras in the form of Burley (2020), and shuffled in the same way, so that each group of
//! dimensions is a sequence of its own.

/// Degree of the polynomial, its coefficients, and the first direction numbers, from the second dimension on.
const DIRECTIONS: [(u32, u32, &[u32]); 20] = [
    (1, 0, &[1]),
    (2, 1, &[1, 3]),
    (3, 1, &[1, 3, 1]),
    (3, 2, &[1, 1, 1]),
    (4, 1, &[1, 1, 3, 3]),
    (4, 4, &[1, 3, 5, 13]),
    (5, 2, &[1, 1, 5, 5, 17]),
    (5, 4, &[1, 1, 5, 5, 5]),
    (5, 7, &[1, 1, 7, 11, 19]),
    (5, 11, &[1, 1, 5, 1, 1]),
    (5, 13, &[1, 1, 1, 3, 11]),
    (5, 14, &[1, 3, 5, 5, 31]),
    (6, 1, &[1, 3, 3, 9, 7, 49]),
    (6, 13, &[1, 1, 1, 15, 21, 21]),
    (6, 16, &[1, 3, 1, 13, 27, 49]),
    (6, 19, &[1, 1, 1, 15, 7, 5]),
    (6, 22, &[1, 3, 1, 15, 13, 25]),
    (6, 25, &[1, 1, 5, 5, 19, 61]),
    (7, 1, &[1, 3, 7, 11, 23, 15, 103]),
    (7, 4, &[1, 3, 7, 13, 13, 15, 69]),
];

/// Dimensions of one sequence.
pub const DIMENSIONS: usize = DIRECTIONS.len() + 1;

/// A scrambled sequence.
#[derive(Clone, Debug)]
pub struct Sobol {
    columns: Vec<[u32; 32]>,
    seed: u32,
}

impl Sobol {
    /// Of so many dimensions, at most [`DIMENSIONS`]; more of them repeat the first ones, in another order.
    pub fn new(dimensions: usize, seed: u64) -> Self {
        let columns = (0..dimensions).map(|d| columns(d % DIMENSIONS)).collect();
        Self { columns, seed: hash(seed as u32 ^ hash((seed >> 32) as u32)) }
    }

    /// The point of this number, each coordinate in `0..1`.
    pub fn point(&self, n: u32) -> Vec<f64> {
        let coordinate = |(d, columns): (usize, &[u32; 32])| {
            let group = hash(self.seed ^ hash((d / DIMENSIONS) as u32 + 1));
            let index = scrambled(n, group);
            let raw = (0..32).filter(|bit| index >> bit & 1 == 1).fold(0, |sum, bit| sum ^ columns[bit]);
            let own = hash(group ^ hash(d as u32 + 0x51ed_270b));
            f64::from(scrambled(raw, own)) / 4_294_967_296.0
        };
        self.columns.iter().enumerate().map(coordinate).collect()
    }
}

/// Direction numbers of one dimension: bit `i` of an index contributes entry `i`.
fn columns(dimension: usize) -> [u32; 32] {
    let Some(before) = dimension.checked_sub(1) else {
        return std::array::from_fn(|i| 1 << (31 - i));
    };
    let (degree, coefficients, first) = DIRECTIONS[before];
    let degree = degree as usize;
    let mut columns = [0_u32; 32];
    for (i, m) in first.iter().enumerate() {
        columns[i] = m << (31 - i);
    }
    for i in degree..32 {
        let mut value = columns[i - degree] ^ (columns[i - degree] >> degree);
        for k in 1..degree {
            if coefficients >> (degree - 1 - k) & 1 == 1 {
                value ^= columns[i - k];
            }
        }
        columns[i] = value;
    }
    columns
}

/// A nested uniform scramble: each bit is flipped by a hash of the bits above it.
const fn scrambled(value: u32, seed: u32) -> u32 {
    let mut x = value.reverse_bits();
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^= x.wrapping_mul(0x53a2_2864);
    x.reverse_bits()
}

/// The finaliser of MurmurHash3.
const fn hash(value: u32) -> u32 {
    let mut x = value ^ (value >> 16);
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In every dimension the first 2^m points fall into the 2^m intervals of that length, one each.
    #[test]
    fn every_dimension_is_stratified() {
        for dimensions in [3, DIMENSIONS, 40] {
            for seed in [1, 77, u64::MAX] {
                let sobol = Sobol::new(dimensions, seed);
                for m in [3_u32, 6] {
                    let n = 1_u32 << m;
                    let points: Vec<Vec<f64>> = (0..n).map(|i| sobol.point(i)).collect();
                    for d in 0..dimensions {
                        let mut cells: Vec<usize> =
                            points.iter().map(|point| (point[d] * f64::from(n)) as usize).collect();
                        cells.sort_unstable();
                        assert_eq!(cells, (0..n as usize).collect::<Vec<_>>(), "dimension {d}, seed {seed}");
                    }
                }
            }
        }
    }

    /// The first two dimensions are a (0, 2)-sequence: every elementary box of 2^m points holds one.
    #[test]
    fn the_first_two_dimensions_fill_every_box() {
        let sobol = Sobol::new(2, 5);
        let m = 6_u32;
        let points: Vec<Vec<f64>> = (0..1 << m).map(|i| sobol.point(i)).collect();
        for across in 0..=m {
            let mut boxes: Vec<(usize, usize)> = points
                .iter()
                .map(|p| {
                    let cell = |x: f64, bits: u32| (x * f64::from(1_u32 << bits)) as usize;
                    (cell(p[0], across), cell(p[1], m - across))
                })
                .collect();
            boxes.sort_unstable();
            boxes.dedup();
            assert_eq!(boxes.len(), 1 << m, "2^{across} across");
        }
    }

    /// The integral of a smooth function of ten dimensions comes out far closer than by independent draws.
    #[test]
    fn integrals_come_out() {
        let sobol = Sobol::new(10, 9);
        let n = 1024;
        let value = |point: Vec<f64>| point.iter().map(|x| 1.0 + 0.5 * (x - 0.5)).product::<f64>();
        let mean = (0..n).map(|i| value(sobol.point(i))).sum::<f64>() / f64::from(n);
        // Independent draws would stray by 0.015.
        assert!((mean - 1.0).abs() < 0.002, "{mean}");
    }

    #[test]
    fn seeds_give_other_points() {
        assert_ne!(Sobol::new(4, 1).point(0), Sobol::new(4, 2).point(0));
        assert_eq!(Sobol::new(4, 1).point(7), Sobol::new(4, 1).point(7));
    }
}
