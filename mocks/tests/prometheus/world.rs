//! Random series whose answers do not depend on rules that changed after Prometheus 2.42.
//!
//! What 3.x does otherwise, and how data and queries avoid it:
//! - windows, look-back and sub-queries are left-open: samples are never at whole seconds, queries only there, and never
//!   at multiples of a sub-query's step;
//! - the threshold of extrapolation comes before the cap at zero: counters have no gaps and are older than any window;
//! - sums are compensated: values are compared to 1e-9, and nothing that magnifies rounding is asked for;
//! - `stddev` and `stdvar` of one infinity or NaN are NaN and not 0: taken of counters only;
//! - `atan2` drops the name: not asked for;
//! - `label_replace` looks for equal labels over all steps at once: where it makes them, they are equal at all steps;
//! - `timestamp` of a selector with `@`, which is empty in 2.42: not asked for;
//! - annotations: not compared.
//!
//! Calendars of infinite times are whatever Go's overflow makes of them, and are not asked for.

use std::fmt::Write as _;

/// When the data begins, in seconds since 1970.
pub(crate) const START_S: i64 = 1_767_225_600;
/// How long it goes on.
pub(crate) const LENGTH_S: i64 = 4 * 3600;
const SCRAPE_MS: i64 = 15_000;

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn ratio(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// An OpenMetrics text.
pub(crate) fn openmetrics(seed: u64) -> String {
    let mut draws = Draws(seed);
    let mut text = String::new();
    let samples = |draws: &mut Draws,
                   series: &str,
                   text: &mut String,
                   value: &mut dyn FnMut(&mut Draws) -> Option<f64>| {
        let phase_ms = 1 + draws.below(900).cast_signed();
        for scrape in 0..LENGTH_S * 1000 / SCRAPE_MS {
            // Between 1 ms and 998 ms after a whole second.
            let t_ms = START_S * 1000 + scrape * SCRAPE_MS + phase_ms + draws.below(98).cast_signed();
            if let Some(value) = value(draws) {
                let _ = writeln!(text, "{series} {value} {}.{:03}", t_ms / 1000, t_ms % 1000);
            }
        }
    };
    text.push_str("# TYPE requests counter\n");
    for pod in ["a", "b", "c"] {
        for code in ["200", "404", "500"] {
            let mut total = draws.below(1000);
            let series = format!("requests_total{{pod=\"{pod}\",code=\"{code}\"}}");
            samples(&mut draws, &series, &mut text, &mut |draws| {
                total = if draws.below(300) == 0 { draws.below(5) } else { total + draws.below(40) };
                Some(total as f64)
            });
        }
    }
    text.push_str("# TYPE latency_bucket gauge\n");
    for pod in ["a", "b"] {
        let mut counts = [0u64; 4];
        let bounds = ["0.1", "0.5", "2.5", "+Inf"];
        // All buckets of a scrape share its time, so that they are in order at any moment.
        let phase_ms = 1 + draws.below(900).cast_signed();
        let mut lines = vec![String::new(); bounds.len()];
        for scrape in 0..LENGTH_S * 1000 / SCRAPE_MS {
            let t_ms = START_S * 1000 + scrape * SCRAPE_MS + phase_ms;
            let mut sum = 0;
            for ((count, bound), lines) in counts.iter_mut().zip(bounds).zip(&mut lines) {
                *count += draws.below(20);
                sum += *count;
                let _ = writeln!(
                    lines,
                    "latency_bucket{{pod=\"{pod}\",le=\"{bound}\"}} {sum} {}.{:03}",
                    t_ms / 1000,
                    t_ms % 1000
                );
            }
        }
        text.extend(lines);
    }
    for name in ["load", "level"] {
        let _ = writeln!(text, "# TYPE {name} gauge");
        for (pod, zone) in [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")] {
            let series = format!("{name}{{pod=\"{pod}\",zone=\"{zone}\"}}");
            let mut gap = 0;
            samples(&mut draws, &series, &mut text, &mut |draws| {
                if draws.below(60) == 0 {
                    gap = draws.below(40);
                }
                gap = gap.saturating_sub(1);
                if gap > 0 {
                    return None;
                }
                if draws.below(50) == 0 { Some(f64::NAN) } else { Some((draws.ratio() - 0.3) * 100.0) }
            });
        }
    }
    text.push_str("# EOF\n");
    text
}
