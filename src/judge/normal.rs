//! The standard normal law, on `libm`.

/// Probability that a standard normal number is above `z`.
pub(super) fn above(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// The `z` that is exceeded with this probability, by halving; `probability` is between 0 and 1.
pub(super) fn quantile_above(probability: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if above(middle) > probability { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        for (probability, z) in
            [(0.5, 0.0), (0.01, 2.326_347_874), (0.025, 1.959_963_985), (0.99, -2.326_347_874)]
        {
            assert!((quantile_above(probability) - z).abs() < 1e-8, "{probability}");
        }
    }
}
