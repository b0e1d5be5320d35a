//! Candidates that no other beats in everything at once, and how much of the possible they cover.

/// Objectives: false rollbacks, delay, cost; less is better in each.
pub type Goals = [f64; 3];

/// Whether `left` is no worse in anything and better in something.
fn beats(left: &Goals, right: &Goals) -> bool {
    left.iter().zip(right).all(|(l, r)| l <= r) && left.iter().zip(right).any(|(l, r)| l < r)
}

/// The places of those that nothing beats; of equals the first.
pub fn front(points: &[Goals]) -> Vec<usize> {
    let kept = |n: &usize| {
        let point = &points[*n];
        let beaten = points.iter().any(|other| beats(other, point));
        let again = points[..*n].contains(point);
        !beaten && !again
    };
    (0..points.len()).filter(kept).collect()
}

/// The volume that points beat, up to a worst point; what is worse than that in anything adds nothing. By slices along the
/// third objective.
pub fn hypervolume(points: &[Goals], worst: &Goals) -> f64 {
    let mut inside: Vec<Goals> =
        points.iter().filter(|point| point.iter().zip(worst).all(|(x, w)| x < w)).copied().collect();
    inside.sort_by(|a, b| a[2].total_cmp(&b[2]));
    let mut volume = 0.0;
    for n in 0..inside.len() {
        let depth = inside.get(n + 1).map_or(worst[2], |next| next[2]) - inside[n][2];
        volume += depth * area(&inside[..=n], worst);
    }
    volume
}

/// The area that points beat in the first two objectives.
fn area(points: &[Goals], worst: &Goals) -> f64 {
    let mut by_first: Vec<(f64, f64)> = points.iter().map(|point| (point[0], point[1])).collect();
    by_first.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut sum, mut lowest) = (0.0, worst[1]);
    for (first, second) in by_first {
        if second < lowest {
            sum += (worst[0] - first) * (lowest - second);
            lowest = second;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn volumes_are_those_worked_by_hand() {
        let worst = [1.0, 1.0, 1.0];
        assert!((hypervolume(&[[0.5, 0.5, 0.5]], &worst) - 0.125).abs() < 1e-12);
        // Two boxes of 0.25 · 0.75 · 0.5 that share 0.25 · 0.25 · 0.5.
        let two = [[0.75, 0.25, 0.5], [0.25, 0.75, 0.5]];
        assert!((hypervolume(&two, &worst) - (2.0 * 0.25 * 0.75 - 0.0625) * 0.5).abs() < 1e-12);
        assert_eq!(hypervolume(&[[0.5, 1.5, 0.5]], &worst), 0.0);
        assert_eq!(hypervolume(&[], &worst), 0.0);
    }

    #[test]
    fn the_beaten_and_the_equal_are_left_out() {
        let points = [[1.0, 2.0, 3.0], [1.0, 2.0, 4.0], [2.0, 1.0, 3.0], [1.0, 2.0, 3.0]];
        assert_eq!(front(&points), [0, 2]);
    }

    proptest! {
        /// Against counting cells of a grid.
        #[test]
        fn volumes_match_counting(cells in proptest::collection::vec([0_u8..8, 0_u8..8, 0_u8..8], 1..12)) {
            let points: Vec<Goals> =
                cells.iter().map(|cell| cell.map(|x| f64::from(x) / 8.0)).collect();
            let counted = (0..512_u32).filter(|n| {
                let at = [n % 8, n / 8 % 8, n / 64];
                cells.iter().any(|cell| cell.iter().zip(at).all(|(x, a)| u32::from(*x) <= a))
            });
            let volume = hypervolume(&points, &[1.0; 3]);
            prop_assert!((volume - counted.count() as f64 / 512.0).abs() < 1e-9);
            let kept: Vec<Goals> = front(&points).into_iter().map(|n| points[n]).collect();
            prop_assert!((hypervolume(&kept, &[1.0; 3]) - volume).abs() < 1e-9);
        }
    }
}
