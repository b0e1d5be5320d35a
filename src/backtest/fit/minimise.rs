//! The downhill simplex (Nelder, Mead 1965): the least of a smooth function of a few numbers, without its slopes. Nothing is drawn.

/// How often it is begun anew where it ended, with a fresh simplex.
const ROUNDS: usize = 3;

/// Where `f` is least, beginning at `start` with steps of `step`, after at most so many evaluations a round.
pub(super) fn least<const N: usize>(
    start: [f64; N],
    step: f64,
    evaluations: usize,
    f: impl Fn(&[f64; N]) -> f64,
) -> [f64; N] {
    let mut best = start;
    for _ in 0..ROUNDS {
        best = round(best, step, evaluations, &f);
    }
    best
}

fn round<const N: usize>(
    start: [f64; N],
    step: f64,
    evaluations: usize,
    f: &impl Fn(&[f64; N]) -> f64,
) -> [f64; N] {
    let mut corners: Vec<([f64; N], f64)> = Vec::with_capacity(N + 1);
    corners.push((start, f(&start)));
    for n in 0..N {
        let mut corner = start;
        corner[n] += step;
        corners.push((corner, f(&corner)));
    }
    let mut done = N + 1;
    while done < evaluations {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (least, worst) = (corners[0].1, corners[N].1);
        if worst - least <= 1e-10 * (1.0 + least.abs()) {
            break;
        }
        let mut centre = [0.0; N];
        for (corner, _) in &corners[..N] {
            for (sum, x) in centre.iter_mut().zip(corner) {
                *sum += x / N as f64;
            }
        }
        let from = corners[N].0;
        let towards = |times: f64| std::array::from_fn(|n| centre[n] + times * (centre[n] - from[n]));
        let mut look = |times: f64| {
            let place: [f64; N] = towards(times);
            done += 1;
            (place, f(&place))
        };
        let reflected = look(1.0);
        if reflected.1 < least {
            let further = look(2.0);
            corners[N] = if further.1 < reflected.1 { further } else { reflected };
        } else if reflected.1 < corners[N - 1].1 {
            corners[N] = reflected;
        } else {
            let nearer = if reflected.1 < worst { look(0.5) } else { look(-0.5) };
            if nearer.1 < worst.min(reflected.1) {
                corners[N] = nearer;
            } else {
                let kept = corners[0].0;
                for corner in &mut corners[1..] {
                    corner.0 = std::array::from_fn(|n| 0.5 * (corner.0[n] + kept[n]));
                    corner.1 = f(&corner.0);
                    done += 1;
                }
            }
        }
    }
    corners.sort_by(|a, b| a.1.total_cmp(&b.1));
    corners[0].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_bottom_of_a_bent_valley() {
        // Rosenbrock's function: least, 0, at (1, 1).
        let square = |x: f64| x * x;
        let f = |x: &[f64; 2]| 100.0 * square(x[1] - x[0] * x[0]) + square(1.0 - x[0]);
        let found = least([-1.2, 1.0], 0.5, 2000, f);
        assert!((found[0] - 1.0).abs() < 1e-3 && (found[1] - 1.0).abs() < 1e-3, "{found:?}");
    }
}
