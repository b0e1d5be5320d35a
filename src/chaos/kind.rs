//! The faults that can be planned: a closed list. What each does is said where it is listed, in the domain, since planes
//! carry them out; `docs/faults.md` has the table.

pub use backspin_domain::fault::{Condition, FaultKind, FaultTarget, Part, Place, Planes, When};

#[cfg(test)]
mod tests {
    use super::*;

    /// The handbook's table is the list.
    #[test]
    fn the_handbook_tells_of_every_kind() {
        let page = include_str!("../../docs/faults.md");
        for kind in FaultKind::ALL {
            let name = serde_json::to_string(kind).expect("it can be written").replace('"', "");
            let planes = match kind.planes() {
                Planes::Both => "both",
                Planes::Direct => "direct",
            };
            let heals = if kind.part() == Part::Core { "yes" } else { "no" };
            let row = format!("| {} | `{name}` | {} |", kind.id(), kind.words());
            let line = page.lines().find(|line| line.starts_with(&row));
            let line = line.unwrap_or_else(|| panic!("no row `{row}`"));
            assert!(line.ends_with(&format!("| {planes} | {heals} |")), "{line}");
        }
    }
}
