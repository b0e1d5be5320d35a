//! The candidates that nothing beats, as a picture: false rollbacks across, cost upward, delay as size.

use std::fmt::Write as _;

use super::number;
use crate::model::{FrontPoint, Tuned};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 46.0;
const TOP: f64 = 16.0;
const RIGHT: f64 = 150.0;

/// As SVG, in the colours of the page.
pub(super) fn chart(tuned: &Tuned) -> String {
    let points = &tuned.front;
    let of = |value: fn(&FrontPoint) -> f64| {
        let values = || points.iter().map(value);
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let pad = if high > low { (high - low) * 0.06 } else { libm::fabs(high).max(0.01) * 0.1 };
        ((low - pad).max(0.0), high + pad)
    };
    if points.is_empty() {
        return String::new();
    }
    let (x, y, size) = (of(|p| p.false_rollbacks), of(|p| p.cost), of(|p| p.delay_s));
    let across = |value: f64| LEFT + (value - x.0) / (x.1 - x.0) * (WIDTH - LEFT - RIGHT);
    let upward = |value: f64| HEIGHT - BOTTOM - (value - y.0) / (y.1 - y.0) * (HEIGHT - BOTTOM - TOP);
    let mut svg = format!(
        "<svg class=\"chart\" font-size=\"11\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"False rollbacks and cost of each \
         candidate that nothing beats\">\n"
    );
    grid(&mut svg, (x, y), across, upward);
    for point in points {
        let radius = 4.0 + 7.0 * (point.delay_s - size.0) / (size.1 - size.0).max(1e-9);
        let (px, py) = (across(point.false_rollbacks), upward(point.cost));
        let (fill, stroke) = match point.what.as_str() {
            "chosen" => ("var(--candidate)", "var(--mark)"),
            "start" => ("var(--limit)", "var(--mark)"),
            "search" => ("var(--candidate)", "none"),
            _ => ("var(--control)", "none"),
        };
        let _ = writeln!(
            svg,
            "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"{radius:.1}\" fill=\"{fill}\" stroke=\"{stroke}\" \
             fill-opacity=\"0.75\"><title>{}: {:.2} % false rollbacks, {:.0} s, cost {}</title></circle>",
            point.what,
            point.false_rollbacks * 100.0,
            point.delay_s,
            number(point.cost)
        );
        if matches!(point.what.as_str(), "chosen" | "start") {
            let words = if point.what == "start" { "what was" } else { "taken" };
            let _ =
                writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{words}</text>", px + radius + 3.0, py + 4.0);
        }
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">runs with a rollback without need</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 8.0
    );
    svg.push_str("</svg>\n");
    svg
}

/// Lines and numbers behind the points, for ranges `x` and `y`.
fn grid(
    svg: &mut String,
    (x, y): ((f64, f64), (f64, f64)),
    across: impl Fn(f64) -> f64,
    upward: impl Fn(f64) -> f64,
) {
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let (gx, gy) = (x.0 + share * (x.1 - x.0), y.0 + share * (y.1 - y.0));
        let (px, py) = (across(gx), upward(gy));
        let _ = writeln!(
            svg,
            "<line x1=\"{px:.1}\" x2=\"{px:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"var(--grid)\"/><text x=\"{px:.1}\" \
             y=\"{:.1}\" text-anchor=\"middle\">{:.2} %</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0,
            gx * 100.0
        );
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{py:.1}\" y2=\"{py:.1}\" stroke=\"var(--grid)\"/><text x=\"{:.1}\" \
             y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            py + 4.0,
            number(gy)
        );
    }
}
