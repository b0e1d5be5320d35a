//! What models say of a plan, and what that does to the choice.

use super::{CASE, plan_with};
use crate::settings::Settings;
use backspin_domain::forecast::{PlanClass, SchemaFit};
use backspin_domain::plan::{RiskLevel, Strategy};
use backspin_model::{Row, Success};

/// How canary rollbacks and immediate ones went, of a hundred each, where the target has all its pods.
fn learned(canary: u64, immediate: u64) -> Settings {
    let row = |(strategy, completed)| Row {
        class: PlanClass { strategy, capacity: RiskLevel::Low, schema: SchemaFit::Unknown },
        runs: 100,
        completed,
    };
    let rows = [(Strategy::CanaryRollback, canary), (Strategy::Immediate, immediate)].map(row);
    let mut settings = Settings::default();
    (settings.planning.success, settings.planning.success_min) = (Success::from_rows(rows), 0.5);
    settings
}

#[test]
fn a_plan_says_what_models_say_of_it() {
    let plan = plan_with(&CASE, &learned(90, 50), |_| ());
    let success = plan.forecast.success.expect("a hundred like it");
    assert!((success.likely - 0.9).abs() < 0.03 && success.lower > 0.8, "{success:?}");
    // 40 requests a second, 0.4 of them on the candidate, of which it fails 0.1 more.
    let harm = plan.forecast.harmed_per_min.expect("measured");
    assert!((harm.likely - 96.0).abs() < 1e-9, "{harm:?}");
    let mut knows_nothing = Settings::default();
    knows_nothing.planning.success = Success::default();
    let unknown = plan_with(&CASE, &knows_nothing, |_| ());
    assert_eq!((unknown.strategy, unknown.forecast.success), (Strategy::CanaryRollback, None));
}

#[test]
fn a_strategy_that_hardly_ever_reaches_its_end_is_passed_over() {
    let plan = plan_with(&CASE, &learned(20, 95), |_| ());
    assert_eq!(plan.strategy, Strategy::Immediate);
    let why = plan.rejected.iter().find(|r| r.strategy == Strategy::CanaryRollback).expect("passed over");
    assert!(why.reason.starts_with("plans like it reached their end in "), "{}", why.reason);
    let mut never = learned(20, 95);
    never.planning.success_min = 0.0;
    assert_eq!(
        plan_with(&CASE, &never, |_| ()).strategy,
        Strategy::CanaryRollback,
        "the policy does not mind"
    );
    let both = plan_with(&CASE, &learned(5, 5), |_| ());
    assert_eq!(both.strategy, Strategy::Immediate, "something is left");
}
