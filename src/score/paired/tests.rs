//! Paired tests against values worked by hand or by others.

use super::*;
use backspin_domain::time::Millis;

fn brief(class: Class, ttd_s: Option<u64>, cost: f64) -> Brief {
    let bad = matches!(class, Class::TruePositive | Class::FalseNegative);
    Brief {
        class,
        decision: if matches!(class, Class::TruePositive | Class::FalsePositive) {
            DecisionKind::RollBack
        } else {
            DecisionKind::Hold
        },
        bad,
        catchable: bad,
        caught: class == Class::TruePositive,
        ttd: match (bad, ttd_s) {
            (false, _) => Elapsed::NotApplicable,
            (true, Some(s)) => Elapsed::After(Millis::from_secs(s)),
            (true, None) => Elapsed::NotReached(Millis::from_secs(3600)),
        },
        ttm: Elapsed::Unknown,
        ttr: Elapsed::Unknown,
        users: cost,
        cost: Some(cost),
    }
}

fn pairs(family: &'static str, n: u64, before: Brief, after: Brief) -> Vec<Pair<'static>> {
    (0..n).map(|seed_index| Pair { family, scenario: "s", seed_index, before, after }).collect()
}

#[test]
fn mcnemar_matches_values_worked_by_hand() {
    // 2·(C(n,0) + … + C(n,min)) / 2ⁿ.
    for (b, c, expected) in [
        (0, 0, 1.0),
        (0, 5, 2.0 / 32.0),
        (6, 0, 2.0 / 64.0),
        (1, 9, 2.0 * 11.0 / 1024.0),
        (5, 5, 1.0),
        (1, 14, 2.0 * 16.0 / 32768.0),
    ] {
        assert!((mcnemar(b, c) - expected).abs() < 1e-12, "{b}:{c} {}", mcnemar(b, c));
        assert_eq!(mcnemar(b, c).to_bits(), mcnemar(c, b).to_bits());
    }
    // Far beyond where 2⁻ⁿ is no number any more.
    assert!(mcnemar(2000, 2000) > 0.98 && mcnemar(1500, 2500) < 1e-50);
}

#[test]
fn holm_matches_values_worked_by_hand() {
    // 0.01·4, 0.02·3, 0.03·2 below the one before, 0.5.
    let adjusted = holm(&[0.02, 0.5, 0.01, 0.03]);
    for (got, expected) in adjusted.iter().zip([0.06, 0.5, 0.04, 0.06]) {
        assert!((got - expected).abs() < 1e-12, "{adjusted:?}");
    }
    assert_eq!(holm(&[]), Vec::<f64>::new());
    assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
}

#[test]
fn the_same_answers_are_even_and_nothing_flips() {
    let caught = brief(Class::TruePositive, Some(60), 10.0);
    let all = pairs("loud", 40, caught, caught);
    let comparison = Comparison::of(&all);
    assert_eq!((comparison.losses(), comparison.gains()), (vec![], vec![]));
    assert_eq!(comparison.all.cost.expect("known").difference.interval, Some((0.0, 0.0)));
    assert_eq!(flips(&all), []);
}

#[test]
fn a_family_that_is_missed_now_is_a_loss_there_and_over_all() {
    let (caught, missed) =
        (brief(Class::TruePositive, Some(60), 10.0), brief(Class::FalseNegative, None, 900.0));
    let mut all = pairs("loud", 20, caught, caught);
    all.extend(pairs("subtle", 20, caught, missed));
    let comparison = Comparison::of(&all);
    let losses = comparison.losses();
    assert_eq!(
        losses,
        [(None, Measure::Caught), (Some("subtle"), Measure::Caught), (None, Measure::Cost)],
        "{comparison:?}"
    );
    let subtle = comparison.families["subtle"];
    assert_eq!((subtle.caught.before, subtle.caught.after, subtle.caught.only_before), (20, 0, 20));
    // The loud family's test counts beside it; what cannot differ (no good deploys) does not.
    assert!((subtle.caught.adjusted / subtle.caught.p - 2.0).abs() < 1e-9);
    // A miss enters with what was watched.
    assert_eq!(subtle.detect_s.expect("known").difference.mean, 3540.0);
    let flipped = flips(&all);
    assert_eq!((flipped.len(), flipped[0].seeds.len(), flipped[0].of), (1, 20, 20));
    assert!(!flipped[0].is_better());
    let turned: Vec<Pair<'_>> =
        all.iter().map(|p| Pair { before: p.after, after: p.before, ..p.clone() }).collect();
    assert_eq!(Comparison::of(&turned).gains(), losses);
}

#[test]
fn five_flips_are_chance_and_six_are_not() {
    let (good, wrong) = (brief(Class::TrueNegative, None, 0.0), brief(Class::FalsePositive, None, 0.0));
    for (flipped, standing) in [(5, Standing::Even), (6, Standing::Worse)] {
        let mut all = pairs("healthy", flipped, good, wrong);
        all.extend(pairs("healthy", 100, good, good));
        assert_eq!(Comparison::of(&all).families["healthy"].false_standing(), standing, "{flipped}");
    }
}

#[test]
fn few_pairs_have_no_interval_and_say_so() {
    let (fast, slow) =
        (brief(Class::TruePositive, Some(60), 10.0), brief(Class::TruePositive, Some(90), 12.0));
    let comparison = Comparison::of(&pairs("loud", 9, fast, slow));
    assert_eq!(comparison.all.cost.expect("known").standing(), Standing::TooFew);
    assert_eq!(comparison.losses(), []);
    assert_eq!(comparison.all.mitigate_s, None, "nobody knows");
    assert_eq!(Comparison::of(&pairs("loud", 10, fast, slow)).losses(), [(None, Measure::Cost)]);
    assert_eq!(Comparison::of(&[]).all.pairs, 0);
}
