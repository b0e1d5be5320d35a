//! That the invariants can fail, each by its own breach, and that an engine that is not broken keeps them.

mod edited;
mod honest;
mod mutations;
mod table;
pub(super) mod worlds;

#[test]
fn the_handbook_has_them_all() {
    use super::{invariants, marks};
    let handbook = include_str!("../../../docs/invariants.md");
    for invariant in invariants::ALL {
        let line = format!("| {} | {} |", invariant.id, invariant.says);
        assert!(handbook.contains(&line), "{line}");
    }
    for (id, words) in invariants::OF_TWO_RUNS.iter().chain(invariants::NOT_COVERED) {
        let line = format!("| {id} | {words} |");
        assert!(handbook.contains(&line), "{line}");
    }
    for mark in marks::ALL {
        let line = format!("| `{}` | {} |", mark.name, mark.says);
        assert!(handbook.contains(&line), "{line}");
    }
}
