//! Numbers for people: three digits at most, with their unit.

use backspin_domain::signal::SignalKind;

/// A share as a percentage: `40.0 %`, `0.45 %`, `0.0031 %`.
pub(super) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    let size = percent.abs();
    if size >= 100.0 || size == 0.0 {
        format!("{percent:.0} %")
    } else if size >= 0.995 {
        format!("{percent:.1} %")
    } else if size >= 0.01 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.4} %")
    }
}

/// A count out of a total, with its share: `392 of 979 (40.0 %)`.
pub(super) fn of(hits: f64, total: f64) -> String {
    format!("{hits:.0} of {total:.0} ({})", percent(hits / total.max(1.0)))
}

/// A signal's value with its unit.
pub(super) fn value(kind: SignalKind, value: f64) -> String {
    match kind {
        SignalKind::ErrorRatio
        | SignalKind::Cpu
        | SignalKind::Memory
        | SignalKind::ConversionDrop
        | SignalKind::DependencyHealth => percent(value),
        SignalKind::LatencyP99
        | SignalKind::Throughput
        | SignalKind::RevenueImpact
        | SignalKind::ComplaintsPerHour
        | SignalKind::SecurityFindings
        | SignalKind::ComplianceFindings => kind.show(value),
    }
}

/// A signal as it is spoken of.
pub(super) const fn name(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::ErrorRatio => "errors",
        SignalKind::LatencyP99 => "p99",
        SignalKind::Throughput => "throughput",
        SignalKind::Cpu => "processor",
        SignalKind::Memory => "memory",
        SignalKind::ConversionDrop => "conversion drop",
        SignalKind::RevenueImpact => "revenue",
        SignalKind::ComplaintsPerHour => "complaints",
        SignalKind::DependencyHealth => "dependency health",
        SignalKind::SecurityFindings => "security findings",
        SignalKind::ComplianceFindings => "compliance findings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_digits_that_matter() {
        for (ratio, expected) in
            [(0.4, "40.0 %"), (1.0, "100 %"), (0.0, "0 %"), (0.0045, "0.45 %"), (0.000_031, "0.0031 %")]
        {
            assert_eq!(percent(ratio), expected);
        }
        assert_eq!(of(392.0, 979.0), "392 of 979 (40.0 %)");
        assert_eq!(of(0.0, 0.0), "0 of 0 (0 %)");
    }
}
