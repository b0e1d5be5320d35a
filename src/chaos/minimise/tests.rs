//! With made-up runs: what a case must have to break something is said by a function of the case.

use proptest::prelude::*;

use super::*;
use crate::draw::{Size, draw};
use crate::kind::FaultKind;
use crate::tree::tree;

fn kinds(case: &Case) -> Vec<FaultKind> {
    let mut kinds: Vec<_> = case.faults.faults.iter().map(|fault| fault.kind).collect();
    kinds.sort_unstable();
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_matters_stays_and_nothing_else_does(seed in 0_u64..10_000, pick in 0_usize..6) {
        let case = draw(Seed(seed), Size::Small);
        let needed: Vec<FaultKind> = kinds(&case).into_iter().skip(pick).take(2).collect();
        let breaks = |case: &Case| needed.iter().all(|kind| kinds(case).contains(kind));
        let mut runs = 0;
        let found = minimise(&case, 2000, &mut |case| { runs += 1; breaks(case) });
        prop_assert!(breaks(&found.case));
        prop_assert_eq!(kinds(&found.case), needed, "one of each kind is drawn");
        prop_assert_eq!(parts(&found.case), found.case.faults.faults.len());
        prop_assert!(!found.exhausted && found.runs == runs);
        // Nothing that can be left out, or made plainer, is left.
        for fault in &found.case.faults.faults {
            prop_assert!(simpler(fault).is_empty(), "{fault:?}");
        }
        let slim = slim(&found.case);
        let scenario = slim["scenario"].as_object().expect("a map");
        let left: Vec<_> = scenario.keys().map(String::as_str).collect();
        prop_assert!(left.len() <= 4, "{left:?}");
        prop_assert_eq!(found.case.seed.0.min(SEEDS + 1), found.case.seed.0);
        // And it is a case that can be written and read.
        let read = Case::from_yaml(&found.case.to_yaml()).expect("it can be read");
        prop_assert_eq!(tree(&read), tree(&found.case));
    }

    #[test]
    fn a_magnitude_that_matters_stays_big_enough(seed in 0_u64..10_000) {
        let case = draw(Seed(seed), Size::Full);
        let Some(longest) = case.faults.faults.iter().map(|fault| fault.lasts).max() else { return Ok(()) };
        let enough = backspin_domain::time::Millis(longest.0 / 3);
        let breaks = |case: &Case| case.faults.faults.iter().any(|fault| fault.lasts >= enough);
        let found = minimise(&case, 2000, &mut |case| breaks(case));
        prop_assert!(breaks(&found.case));
        prop_assert_eq!(found.case.faults.faults.len(), 1);
        let fault = &found.case.faults.faults[0];
        for less in simpler(fault).into_iter().filter(|less| less.lasts < fault.lasts) {
            prop_assert!(less.lasts < enough, "{less:?}");
        }
    }
}

#[test]
fn it_stops_when_there_are_too_many_runs() {
    let case = draw(Seed(3), Size::Small);
    let mut runs = 0;
    let found = minimise(&case, 5, &mut |_| {
        runs += 1;
        false
    });
    assert_eq!((found.runs, runs, found.exhausted), (5, 5, true));
    assert_eq!(tree(&found.case), tree(&case), "nothing smaller was found");
}
