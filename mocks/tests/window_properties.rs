//! The incremental windows equal a direct transcription of Prometheus' rules over random samples, resets and gaps.

use backspin_mocks::window::{CounterWindow, GaugeLookback, LOOKBACK_MS, is_stale_marker, stale_marker};
use proptest::prelude::*;

/// `extrapolatedRate` of Prometheus 3.5 over all samples, `is_rate` false: a plain loop over the window.
fn naive_increase(samples: &[(u64, f64)], now_ms: u64, range_ms: u64) -> Option<f64> {
    let (now, start) = (now_ms.cast_signed(), now_ms.cast_signed() - range_ms.cast_signed());
    let inside: Vec<(i64, f64)> = samples
        .iter()
        .filter(|(_, value)| !is_stale_marker(*value))
        .map(|&(t, value)| (t.cast_signed(), value))
        .filter(|&(t, _)| t > start && t <= now)
        .collect();
    if inside.len() < 2 {
        return None;
    }
    let (first, last) = (inside[0], inside[inside.len() - 1]);
    let mut result = last.1 - first.1;
    for pair in inside.windows(2) {
        if pair[1].1 < pair[0].1 {
            result += pair[0].1;
        }
    }
    let mut to_start = (first.0 - start) as f64 / 1000.0;
    let mut to_end = (now - last.0) as f64 / 1000.0;
    let sampled = (last.0 - first.0) as f64 / 1000.0;
    let average = sampled / (inside.len() - 1) as f64;
    if to_start >= average * 1.1 {
        to_start = average / 2.0;
    }
    let mut to_zero = to_start;
    if result > 0.0 && first.1 >= 0.0 {
        to_zero = sampled * (first.1 / result);
    }
    if to_zero < to_start {
        to_start = to_zero;
    }
    if to_end >= average * 1.1 {
        to_end = average / 2.0;
    }
    Some(result * ((sampled + to_start + to_end) / sampled))
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
        }
        _ => false,
    }
}

/// What one scrape does to a counter.
#[derive(Clone, Debug)]
enum Scrape {
    Grow(u32),
    Reset(u32),
    Gap,
    Stale,
    Nan,
    Infinity,
}

fn scrape() -> impl Strategy<Value = (u64, Scrape)> {
    let kind = prop_oneof![
        20 => (0u32..500).prop_map(Scrape::Grow),
        2 => (0u32..50).prop_map(Scrape::Reset),
        2 => Just(Scrape::Gap),
        1 => Just(Scrape::Stale),
        1 => Just(Scrape::Nan),
        1 => Just(Scrape::Infinity),
    ];
    let step = prop_oneof![10 => 14_990u64..15_010, 1 => 1u64..400_000];
    (step, kind)
}

fn samples_of(scrapes: &[(u64, Scrape)]) -> Vec<(u64, f64)> {
    let (mut t_ms, mut total) = (0, 0.0);
    let mut samples = Vec::new();
    for (step_ms, scrape) in scrapes {
        t_ms += step_ms;
        match scrape {
            Scrape::Grow(by) => total += f64::from(*by),
            Scrape::Reset(to) => total = f64::from(*to),
            Scrape::Gap => continue,
            Scrape::Stale => {
                samples.push((t_ms, stale_marker()));
                continue;
            }
            Scrape::Nan => {
                samples.push((t_ms, f64::NAN));
                continue;
            }
            Scrape::Infinity => {
                samples.push((t_ms, f64::INFINITY));
                continue;
            }
        }
        samples.push((t_ms, total));
    }
    samples
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn increase_and_rate_equal_the_plain_loop(
        scrapes in prop::collection::vec(scrape(), 1..120),
        ranges in prop::collection::vec(1u64..2_000_000, 1..4),
        late_ms in 0u64..400_000,
    ) {
        let samples = samples_of(&scrapes);
        let mut window = CounterWindow::new(samples.len());
        for (index, &(t_ms, value)) in samples.iter().enumerate() {
            window.push(t_ms, value);
            let seen = &samples[..=index];
            for &range_ms in &ranges {
                for now_ms in [t_ms, t_ms + late_ms, t_ms.saturating_sub(late_ms)] {
                    let expected = naive_increase(seen, now_ms, range_ms);
                    let increase = window.increase(now_ms, range_ms);
                    prop_assert!(close(increase, expected), "{increase:?} is not {expected:?} at {now_ms} over {range_ms}");
                    let rate = expected.map(|value| value / (range_ms as f64 / 1000.0));
                    prop_assert!(close(window.rate(now_ms, range_ms), rate));
                }
            }
        }
    }

    #[test]
    fn a_ring_sized_for_the_scrape_interval_loses_nothing_in_its_window(
        scrapes in prop::collection::vec((13_500u64..16_000, 0u32..100), 1..300),
        range_ms in 30_000u64..900_000,
    ) {
        let mut window = CounterWindow::new(CounterWindow::capacity_for(range_ms, 15_000));
        let mut samples = Vec::new();
        let (mut t_ms, mut total) = (0, 0.0);
        for (step_ms, by) in scrapes {
            t_ms += step_ms;
            total += f64::from(by);
            samples.push((t_ms, total));
            window.push(t_ms, total);
            prop_assert!(close(window.increase(t_ms, range_ms), naive_increase(&samples, t_ms, range_ms)));
        }
    }

    #[test]
    fn look_back_equals_a_search_for_the_newest_sample(
        scrapes in prop::collection::vec(scrape(), 1..60),
        late_ms in 0u64..700_000,
    ) {
        let samples = samples_of(&scrapes);
        let mut gauge = GaugeLookback::new();
        for &(t_ms, value) in &samples {
            gauge.push(t_ms, value);
            let expected = Some(value).filter(|value| late_ms < LOOKBACK_MS && !is_stale_marker(*value));
            prop_assert!(close(gauge.value(t_ms + late_ms), expected));
        }
    }
}
