//! The words for what a replayed recording cannot say for certain.

use backspin_domain::time::MonoTime;
use backspin_domain::truth::ReplaySensitivity;

/// What other decays of the version's damage would have meant, by the same decisions; none where nothing was told.
pub fn sensitivity(onset: Option<MonoTime>, found: &[ReplaySensitivity]) -> Option<String> {
    let onset = onset?;
    let parts: Vec<String> = found
        .iter()
        .map(|one| {
            let mitigated = one.mitigated.map_or_else(
                || "not mitigated".to_owned(),
                |at| format!("mitigated after {}", at.since(onset)),
            );
            format!("{}: {mitigated}, {:.0} users harmed", one.residual, one.harmed)
        })
        .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "by how fast damage decays that the version leaves behind (A3), same decisions: {}",
            parts.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::time::Millis;

    #[test]
    fn each_decay_is_told_and_nothing_is_told_of_nothing() {
        let one = |secs, mitigated| ReplaySensitivity {
            residual: Millis::from_secs(secs),
            mitigated,
            harmed: 12.4,
        };
        let found = [one(0, Some(MonoTime(70_000))), one(300, None)];
        assert_eq!(
            sensitivity(Some(MonoTime(10_000)), &found).as_deref(),
            Some(
                "by how fast damage decays that the version leaves behind (A3), same decisions: 0s: mitigated after 1m, \
                 12 users harmed; 5m: not mitigated, 12 users harmed"
            )
        );
        assert_eq!(sensitivity(Some(MonoTime(10_000)), &[]), None);
        assert_eq!(sensitivity(None, &found), None);
    }
}
