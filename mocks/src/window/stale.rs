//! The stale marker: one NaN bit pattern that ends a series.

/// Bits of the NaN that Prometheus writes when a series or its target disappears (`model/value/value.go`, `StaleNaN`).
pub const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The stale marker as a sample value.
pub fn stale_marker() -> f64 {
    f64::from_bits(STALE_MARKER_BITS)
}

/// Whether `value` is the stale marker. Any other NaN is an ordinary value.
pub fn is_stale_marker(value: f64) -> bool {
    value.to_bits() == STALE_MARKER_BITS
}
