//! Which version to go back to (SPEC 2.7). Never a guess: without a proven one there is none.

use crate::mutation::Mutation;
use crate::settings::Settings;
use backspin_domain::id::VersionId;
use backspin_domain::service::{Inventory, KnownVersion};

/// The newest version that may be gone back to. A person's wish is held to the same conditions.
pub(crate) fn choose<'a>(
    inventory: &'a Inventory,
    candidate: &VersionId,
    settings: &Settings,
    wished: Option<&VersionId>,
) -> Option<&'a KnownVersion> {
    inventory.versions.iter().rev().find(|version| {
        &version.id != candidate
            && (version.deployable || settings.broken.is(Mutation::LostTarget))
            && (!version.marked_bad || settings.broken.is(Mutation::MarkedTarget))
            && (version.healthy_for.is_some_and(|healthy| healthy >= settings.target.healthy_min)
                || settings.broken.is(Mutation::UnprovenTarget))
            && wished.is_none_or(|id| id == &version.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::driver::{inventory, version};
    use backspin_domain::time::Millis;

    #[track_caller]
    fn check(change: impl Fn(&mut Inventory), wished: Option<&str>, expected: Option<&str>) {
        let mut inventory = inventory();
        change(&mut inventory);
        let settings = Settings::default();
        assert_eq!(settings.target.healthy_min, Millis::from_mins(60));
        let wished = wished.map(version);
        let found = choose(&inventory, &version("v3"), &settings, wished.as_ref());
        assert_eq!(found.map(|v| v.id.clone()), expected.map(version));
    }

    #[test]
    fn the_newest_proven_version_is_taken() {
        check(|_| (), None, Some("v2"));
    }

    #[test]
    fn bad_lost_and_unproven_versions_are_passed_over() {
        check(|i| i.versions[1].marked_bad = true, None, Some("v1"));
        check(|i| i.versions[1].deployable = false, None, Some("v1"));
        check(|i| i.versions[1].healthy_for = None, None, Some("v1"));
        check(|i| i.versions[1].healthy_for = Some(Millis(3_599_999)), None, Some("v1"));
        check(|i| i.versions[1].healthy_for = Some(Millis(3_600_000)), None, Some("v2"));
    }

    #[test]
    fn there_may_be_none() {
        check(|i| i.versions.iter_mut().for_each(|v| v.marked_bad = true), None, None);
        check(|i| i.versions.clear(), None, None);
    }

    #[test]
    fn a_wish_is_held_to_the_same_conditions() {
        check(|_| (), Some("v1"), Some("v1"));
        check(|_| (), Some("v3"), None);
        check(|_| (), Some("v9"), None);
        check(|i| i.versions[0].marked_bad = true, Some("v1"), None);
    }
}
