//! Increments of a counter between the samples of it that were seen.

use super::answer::Sample;

/// The newest sample of a series that was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counter(Sample);

/// What a series that was never seen before is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSample {
    /// It began since its arm was last looked at, at zero.
    Counts,
    /// It may have counted before: it is where counting begins.
    IsTheStart,
}

/// Takes samples of a counter, oldest first, and gives what it counted since the last one that was seen. A sample that is
/// not newer was counted already. A counter that falls began anew in between: what it shows is what it counted
/// since, and what it counted before it fell is lost, as it is for Prometheus' `increase`. What is no count (negative,
/// not a number, infinite) is passed over.
pub fn increment(last: &mut Option<Counter>, samples: &[Sample], first: FirstSample) -> f64 {
    let mut sum = 0.0;
    for &sample in samples.iter().filter(|sample| sample.value.is_finite() && sample.value >= 0.0) {
        sum += match last {
            None => match first {
                FirstSample::Counts => sample.value,
                FirstSample::IsTheStart => 0.0,
            },
            Some(Counter(seen)) if sample.at_ms <= seen.at_ms => continue,
            Some(Counter(seen)) if sample.value < seen.value => sample.value,
            Some(Counter(seen)) => sample.value - seen.value,
        };
        *last = Some(Counter(sample));
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What becomes of a counter in one interval.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Counts(u32),
        /// It begins anew, then counts.
        Resets(u32),
    }

    /// How a scrape is seen.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Seen {
        Once,
        Twice,
        /// Together with the one after it.
        Late,
        Never,
    }

    fn events() -> impl Strategy<Value = Vec<(Event, Seen)>> {
        let event = prop_oneof![
            8 => (0..1000_u32).prop_map(Event::Counts),
            1 => (0..1000_u32).prop_map(Event::Resets),
        ];
        let seen = prop_oneof![
            6 => Just(Seen::Once), 1 => Just(Seen::Twice), 1 => Just(Seen::Late), 1 => Just(Seen::Never)
        ];
        proptest::collection::vec((event, seen), 1..60)
    }

    /// What is looked at, and what is so.
    struct Played {
        /// Samples by look.
        looks: Vec<Vec<Sample>>,
        /// All that was counted up to the last look.
        truth: f64,
    }

    fn play(events: &[(Event, Seen)]) -> Played {
        let (mut value, mut total, mut waiting) = (0.0, 0.0, Vec::new());
        let mut played = Played { looks: Vec::new(), truth: 0.0 };
        for (&(event, seen), at_ms) in events.iter().zip((1..).map(|scrape| scrape * 15_000)) {
            let (from, n) = match event {
                Event::Counts(n) => (value, f64::from(n)),
                Event::Resets(n) => (0.0, f64::from(n)),
            };
            value = from + n;
            total += n;
            if seen == Seen::Never {
                continue;
            }
            waiting.push(Sample { at_ms, value });
            let looks = match seen {
                Seen::Late | Seen::Never => continue,
                Seen::Once => 1,
                Seen::Twice => 2,
            };
            played.looks.extend(vec![std::mem::take(&mut waiting); looks]);
            played.truth = total;
        }
        played
    }

    fn increments(played: &Played, first: FirstSample) -> Vec<f64> {
        let mut last = None;
        played.looks.iter().map(|samples| increment(&mut last, samples, first)).collect()
    }

    proptest! {
        #[test]
        fn whatever_is_missed_late_or_seen_twice_nothing_is_lost_or_counted_twice(events in events()) {
            let calm = |(event, seen)| match event {
                Event::Counts(n) | Event::Resets(n) => (Event::Counts(n), seen),
            };
            let played = play(&events.into_iter().map(calm).collect::<Vec<_>>());
            prop_assert_eq!(increments(&played, FirstSample::Counts).iter().sum::<f64>(), played.truth);
        }

        #[test]
        fn a_reset_loses_what_came_before_it_and_nothing_else(events in events()) {
            let played = play(&events);
            let counted = increments(&played, FirstSample::Counts);
            prop_assert!(counted.iter().all(|&n| n >= 0.0));
            prop_assert!(counted.iter().sum::<f64>() <= played.truth);
            // Where every interval is seen, only a reset hides anything, and only if as much was counted after it.
            let seen: Vec<_> = events.iter().map(|&(event, _)| (event, Seen::Once)).collect();
            let mut value = 0.0;
            let mut hidden = 0.0;
            for &(event, _) in &seen {
                match event {
                    Event::Counts(n) => value += f64::from(n),
                    Event::Resets(n) => {
                        hidden += if f64::from(n) < value { 0.0 } else { value };
                        value = f64::from(n);
                    }
                }
            }
            let played = play(&seen);
            let sum: f64 = increments(&played, FirstSample::Counts).iter().sum();
            prop_assert_eq!(sum, played.truth - hidden);
        }

        #[test]
        fn a_counter_that_is_joined_counts_from_there(events in events()) {
            let played = play(&events);
            let joined = increments(&played, FirstSample::IsTheStart);
            let whole = increments(&played, FirstSample::Counts);
            let start = played.looks.first().map_or(0.0, |samples| samples[0].value);
            prop_assert_eq!(whole.iter().sum::<f64>() - joined.iter().sum::<f64>(), start);
        }
    }

    #[test]
    fn what_is_no_count_is_passed_over() {
        let mut last = None;
        let samples = [1.0, f64::NAN, -1.0, f64::INFINITY, 3.0];
        let samples: Vec<Sample> =
            samples.iter().zip(1..).map(|(&value, at_ms)| Sample { at_ms, value }).collect();
        assert_eq!(increment(&mut last, &samples, FirstSample::Counts), 3.0);
        assert_eq!(last, Some(Counter(Sample { at_ms: 5, value: 3.0 })));
    }
}
