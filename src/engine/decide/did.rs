//! Difference in differences: by how much more the candidate changed than its concurrent control did.
//!
//! Two forms, because a shared cause may multiply what fails or add to it, and each form is blind under the other's:
//!
//! - **ratio**: `(ln p1' - ln p1) - (ln p0' - ln p0)`, with variance `sum 1 / x + 2 tau^2`. A shared cause that multiplies
//!   cancels. Five points of the candidate's own errors on top of an outage of forty are a ratio of little more than one.
//! - **additive**: `(p1' - p1) - (p0' - p0)`. A shared cause that adds to both cancels, and the five points stay five points
//!   at any level; but where a cause multiplies, arms that differ from the beginning seem to part.
//!
//! Both assume that the arms would have moved alike (parallel trends) and that neither harms the other. What was there from
//! the candidate's first request on is in its past too and cancels as well: so a difference in differences may *accuse*
//! a candidate that got worse than its control did, and never excuses one.

use super::counts::Counts;
use super::stat::{Difference, OVER_DISPERSION, Share, Z};

/// Fewer requests than this in any of the four cells tell nothing.
const REQUESTS_MIN: u64 = 50;

/// Both forms, each with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parted {
    /// Share of requests by which the candidate got worse beyond its control.
    pub(crate) additive: Difference,
    /// Logarithm of the ratio of the two changes.
    pub(crate) ratio: Difference,
}

/// One arm before and after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// Before.
    pub(crate) before: Share,
    /// After.
    pub(crate) after: Share,
}

impl Parted {
    /// Of failed and of slow requests, whichever are counted. `arms` are candidate and control, each before and after.
    pub(crate) fn of_counts(candidate: [Counts; 2], control: [Counts; 2]) -> impl Iterator<Item = Self> {
        let course =
            |arm: [Counts; 2], of: fn(Counts) -> Share| Course { before: of(arm[0]), after: of(arm[1]) };
        [Counts::failed as fn(Counts) -> Share, Counts::slow]
            .into_iter()
            .filter_map(move |of| Self::between(course(candidate, of), course(control, of)))
    }

    /// Of one share; none if a cell holds too little.
    pub(crate) fn between(candidate: Course, control: Course) -> Option<Self> {
        let cells = [candidate.after, candidate.before, control.after, control.before];
        if cells.iter().any(|cell| cell.of < REQUESTS_MIN) {
            return None;
        }
        // Half a hit and one request more: no cell is empty, and none is certain (Haldane 1956, Anscombe 1956).
        let hits = cells.map(|cell| cell.hits.min(cell.of) as f64 + 0.5);
        let of = cells.map(|cell| cell.of as f64 + 1.0);
        let shares = [0, 1, 2, 3].map(|i| hits[i] / of[i]);
        let contrast = |of: [f64; 4]| (of[0] - of[1]) - (of[2] - of[3]);
        let tau2 = OVER_DISPERSION * OVER_DISPERSION;
        let counting: f64 = shares.iter().zip(of).map(|(p, n)| p * (1.0 - p) / n).sum();
        let noise = tau2 * (shares[0] * shares[0] + shares[2] * shares[2]);
        let additive = interval(contrast(shares), counting + noise);
        let counting: f64 = hits.iter().map(|x| 1.0 / x).sum();
        let ratio = interval(contrast(shares.map(libm::log)), counting + 2.0 * tau2);
        Some(Self { additive, ratio })
    }
}

fn interval(estimate: f64, variance: f64) -> Difference {
    let half = Z * libm::sqrt(variance);
    Difference { estimate, lower: estimate - half, upper: estimate + half }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(before: (u64, u64), after: (u64, u64)) -> Course {
        let share = |(hits, of)| Share { hits, of };
        Course { before: share(before), after: share(after) }
    }

    fn parted(candidate: Course, control: Course) -> Parted {
        Parted::between(candidate, control).expect("counted")
    }

    #[test]
    fn a_cause_that_adds_cancels_in_the_additive_form() {
        // 2 and 4 in a thousand, and 80 points on both.
        let found = parted(course((40, 10_000), (840, 10_000)), course((20, 10_000), (820, 10_000)));
        assert!(found.additive.lower < 0.0 && found.additive.upper > 0.0, "{found:?}");
        assert!(found.ratio.upper < 0.0, "the ratio form takes the worse arm for the better one: {found:?}");
    }

    #[test]
    fn a_cause_that_multiplies_cancels_in_the_ratio_form() {
        let found = parted(course((400, 10_000), (4000, 10_000)), course((100, 10_000), (1000, 10_000)));
        assert!(found.ratio.lower < 0.0 && found.ratio.upper > 0.0, "{found:?}");
        assert!(found.additive.lower > 0.1, "the additive form does not: {found:?}");
    }

    #[test]
    fn five_points_in_an_outage_stay_five_points() {
        let found =
            parted(course((200, 100_000), (45_000, 100_000)), course((200, 100_000), (25_000, 100_000)));
        assert!((found.additive.estimate - 0.2).abs() < 0.001 && found.additive.lower > 0.05, "{found:?}");
        let small = parted(course((2, 1000), (60, 1000)), course((2, 1000), (2, 1000)));
        assert!(small.additive.lower > 0.03 && small.ratio.lower > libm::log(2.0), "{small:?}");
    }

    #[test]
    fn what_was_there_from_the_first_cancels() {
        let found = parted(course((500, 10_000), (500, 10_000)), course((20, 10_000), (20, 10_000)));
        assert!(found.additive.estimate.abs() < 1e-9 && found.ratio.estimate.abs() < 1e-9);
    }

    #[test]
    fn a_cell_with_too_little_tells_nothing() {
        let full = course((1, 50), (1, 50));
        assert!(Parted::between(full, full).is_some());
        for thin in [course((1, 49), (1, 50)), course((1, 50), (0, 49))] {
            assert_eq!(Parted::between(thin, full), None);
            assert_eq!(Parted::between(full, thin), None);
        }
    }
}
