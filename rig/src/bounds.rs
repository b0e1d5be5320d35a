//! The buckets of the latency histogram. The same bounds as backspin's, which a test holds together, so that the service
//! does not depend on what judges it.

/// Upper bounds, milliseconds; the last bucket has none.
pub const LATENCY_BOUNDS_MS: [f64; LATENCY_BUCKETS - 1] = [
    5.0, 10.0, 20.0, 35.0, 50.0, 70.0, 90.0, 115.0, 145.0, 180.0, 225.0, 280.0, 350.0, 440.0, 550.0, 700.0,
    900.0, 1200.0, 1600.0, 2000.0, 3000.0, 5000.0, 10_000.0,
];

/// Number of buckets, the unbounded last one included.
pub const LATENCY_BUCKETS: usize = 24;

#[cfg(test)]
mod tests {
    #[test]
    fn buckets_are_those_of_the_judges() {
        assert_eq!(super::LATENCY_BOUNDS_MS, backspin::domain::frame::LATENCY_BOUNDS_MS);
    }
}
