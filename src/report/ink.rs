//! The inks of a picture. The drawing library only knows fixed colours: it is given a colour of its own for each
//! role, and these are replaced by CSS variables afterwards, so that one picture serves light and dark pages. Every
//! line differs from its neighbour by dashes and by a word in its legend, not by colour alone.

use plotters::style::RGBColor;

/// A role of ink: the colour drawn with, the CSS variable it becomes, and its dashes.
#[derive(Clone, Copy)]
pub(super) struct Role {
    pub(super) drawn: RGBColor,
    pub(super) variable: &'static str,
    dashes: Option<&'static str>,
}

pub(super) const INK: Role = Role { drawn: RGBColor(181, 1, 1), variable: "--ink", dashes: None };
pub(super) const FAINT: Role = Role { drawn: RGBColor(181, 1, 2), variable: "--faint", dashes: None };
pub(super) const GRID: Role = Role { drawn: RGBColor(181, 1, 3), variable: "--grid", dashes: None };
pub(super) const CANDIDATE: Role = Role { drawn: RGBColor(181, 1, 4), variable: "--candidate", dashes: None };
pub(super) const CONTROL: Role =
    Role { drawn: RGBColor(181, 1, 5), variable: "--control", dashes: Some("6 3") };
pub(super) const LIMIT: Role = Role { drawn: RGBColor(181, 1, 6), variable: "--limit", dashes: Some("2 3") };
pub(super) const MARK: Role = Role { drawn: RGBColor(181, 1, 7), variable: "--mark", dashes: Some("1 3") };
pub(super) const GAP: Role = Role { drawn: RGBColor(181, 1, 8), variable: "--gap", dashes: None };
pub(super) const ROLES: [Role; 8] = [INK, FAINT, GRID, CANDIDATE, CONTROL, LIMIT, MARK, GAP];

/// Colours to variables, dashes to lines, and a frame that scales and can be read out.
pub(super) fn finish(svg: &str, (width, height): (i32, i32), label: &str) -> String {
    let mut out = svg.to_owned();
    for role in ROLES {
        let RGBColor(r, g, b) = role.drawn;
        let drawn = format!("\"#{r:02X}{g:02X}{b:02X}\"");
        let variable = format!("\"var({})\"", role.variable);
        if let Some(dashes) = role.dashes {
            let stroke = format!("stroke={variable} stroke-dasharray=\"{dashes}\"");
            out = out.replace(&format!("stroke={drawn}"), &stroke);
        }
        out = out.replace(&drawn, &variable);
    }
    let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let body = out.split_once('>').map_or("", |(_, body)| body);
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\"><title>{label}</title>{body}"
    )
}
