//! Delta debugging: Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, IEEE TSE 28(2), 2002.

/// Of these items some that still fail, and of which none can be left out alone (1-minimal). All of them together are
/// taken to fail. `fails` is asked about ever smaller lists, in the order of the items.
pub fn ddmin<T: Clone>(items: Vec<T>, fails: &mut dyn FnMut(&[T]) -> bool) -> Vec<T> {
    if items.is_empty() || fails(&[]) {
        return Vec::new();
    }
    let mut kept = items;
    let mut parts = 2;
    while kept.len() >= 2 {
        parts = parts.min(kept.len());
        let size = kept.len().div_ceil(parts);
        // With two parts, each is the other's rest.
        let alone = || kept.chunks(size).map(<[T]>::to_vec);
        let rest = |n: usize| -> Vec<T> {
            let others = kept.chunks(size).enumerate().filter(|(other, _)| *other != n);
            others.flat_map(|(_, part)| part.to_vec()).collect()
        };
        if let Some(part) = alone().find(|part| fails(part)) {
            (kept, parts) = (part, 2);
        } else if let Some(rest) =
            (0..if parts > 2 { kept.len().div_ceil(size) } else { 0 }).map(rest).find(|rest| fails(rest))
        {
            (kept, parts) = (rest, (parts - 1).max(2));
        } else if size == 1 {
            break;
        } else {
            parts *= 2;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_left_fails_and_nothing_of_it_can_go(
            n in 0_usize..40,
            needed in proptest::collection::vec(proptest::collection::btree_set(0_usize..40, 0..5), 1..4),
        ) {
            // Fails where all of one of these sets is there: several causes, each of several parts.
            let fails = |items: &[usize]| {
                needed.iter().any(|set| set.iter().all(|item| items.contains(item)))
            };
            let items: Vec<usize> = (0..n).collect();
            prop_assume!(fails(&items));
            let mut asked = 0;
            let kept = ddmin(items, &mut |items| { asked += 1; fails(items) });
            prop_assert!(fails(&kept));
            prop_assert!(kept.is_sorted());
            for place in 0..kept.len() {
                let mut fewer = kept.clone();
                fewer.remove(place);
                prop_assert!(!fails(&fewer), "{place} of {kept:?} can go");
            }
            prop_assert!(asked <= 2 + n * n + 3 * n, "{asked}");
        }

        #[test]
        fn a_failure_that_is_not_monotone_stays_one(n in 1_usize..30, odd in 2_usize..5) {
            // Fails where the number of items is no multiple of `odd`.
            let fails = |items: &[usize]| !items.len().is_multiple_of(odd);
            let items: Vec<usize> = (0..n).collect();
            prop_assume!(fails(&items));
            let kept = ddmin(items, &mut |items| fails(items));
            prop_assert!(fails(&kept));
            for place in 0..kept.len() {
                let mut fewer = kept.clone();
                fewer.remove(place);
                prop_assert!(!fails(&fewer));
            }
        }
    }
}
