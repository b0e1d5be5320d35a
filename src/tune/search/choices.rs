//! Which choices to try next: those that are more common among the better candidates than among the rest (the tree-structured
//! Parzen estimator of Bergstra et al., NeurIPS 2011, for words). What has no meaning under the other choices of a candidate
//! is not counted there, which is all that the tree is.

use super::draw::Draws;

/// Share of candidates that count as better.
const BETTER: f64 = 0.25;

/// Proposals of which the best is taken. More of them would leave nothing to chance where choices are few.
const PROPOSALS: usize = 2;

/// How often each choice of one part was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    better: Vec<f64>,
    rest: Vec<f64>,
}

impl Choices {
    /// `taken`: the choice of each candidate, the best first; none where the part had no meaning.
    pub fn of(choices: usize, taken: &[Option<usize>]) -> Self {
        let cut = ((taken.len() as f64 * BETTER) as usize).max(1);
        // One of each beforehand, so that what was never tried can be.
        let mut counts = Self { better: vec![1.0; choices], rest: vec![1.0; choices] };
        for (n, choice) in taken.iter().enumerate() {
            let Some(choice) = choice else { continue };
            let into = if n < cut { &mut counts.better } else { &mut counts.rest };
            into[*choice] += 1.0;
        }
        counts
    }

    /// A choice for the next candidate.
    pub fn draw(&self, draws: &mut Draws) -> usize {
        let sum: f64 = self.better.iter().sum();
        let of_rest: f64 = self.rest.iter().sum();
        let mut best = (0, f64::NEG_INFINITY);
        for _ in 0..PROPOSALS {
            let mut left = draws.uniform() * sum;
            let mut choice = self.better.len() - 1;
            for (n, count) in self.better.iter().enumerate() {
                left -= count;
                if left < 0.0 {
                    choice = n;
                    break;
                }
            }
            let ratio = (self.better[choice] / sum) / (self.rest[choice] / of_rest);
            if ratio > best.1 {
                best = (choice, ratio);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_better_is_tried_more_and_nothing_never() {
        let taken: Vec<Option<usize>> =
            (0..40).map(|n| Some(if n < 10 { 2 } else { n % 3 })).chain([None; 5]).collect();
        let choices = Choices::of(3, &taken);
        let mut draws = Draws::new(1, "choices");
        let mut counts = [0; 3];
        for _ in 0..1000 {
            counts[choices.draw(&mut draws)] += 1;
        }
        assert!(counts[2] > 700 && counts[0] > 0 && counts[1] > 0, "{counts:?}");
    }

    #[test]
    fn without_candidates_all_are_alike() {
        let choices = Choices::of(4, &[]);
        let mut draws = Draws::new(1, "choices");
        let mut counts = [0; 4];
        for _ in 0..4000 {
            counts[choices.draw(&mut draws)] += 1;
        }
        assert!(counts.iter().all(|&n| n > 800), "{counts:?}");
    }
}
