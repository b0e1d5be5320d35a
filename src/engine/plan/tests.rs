//! Plans as data: which strategy, which steps, which approval.

use super::{Request, make};
use crate::settings::{Settings, StandingApproval};
use crate::tests::driver::{actor, inventory, service, version};
use backspin_domain::event::{Effect, RollbackEvent, Severity, Trigger};
use backspin_domain::id::ActorId;
use backspin_domain::plan::{Approval, Check, RiskKind, RiskLevel, RollbackPlan, StepAction, Strategy};
use backspin_domain::service::{
    Capabilities, Environment, InfraChange, Inventory, KnownSchema, RevertScript, RolloutKind, SchemaChange,
};
use backspin_domain::time::{Millis, MonoTime, Now, WallTime};
use backspin_domain::verdict::Evidence;

mod forecast;

const NOTHING: Capabilities =
    Capabilities { traffic_split: false, blue_green: false, feature_flags: false, rolling_update: false };
const ALL: Capabilities =
    Capabilities { traffic_split: true, blue_green: true, feature_flags: true, rolling_update: true };

struct Case {
    severity: Severity,
    trigger: Trigger,
    can: Capabilities,
    tried: &'static [Strategy],
    share: f64,
    ready: u32,
    shipped: RolloutKind,
    /// Share of the candidate's users that are harmed at least.
    harm: f64,
}

const CASE: Case = Case {
    severity: Severity::High,
    trigger: Trigger::ErrorRateThreshold,
    can: Capabilities { traffic_split: true, ..NOTHING },
    tried: &[],
    share: 0.4,
    ready: 10,
    shipped: RolloutKind::Canary,
    harm: 0.1,
};

fn event(severity: Severity, trigger: Trigger) -> RollbackEvent {
    RollbackEvent {
        trigger,
        severity,
        service: service(),
        current: version("v3"),
        target: version("v2"),
        reason: "it fails".to_owned(),
        verdict: None,
        evidence: Evidence::default(),
        effect: Effect::default(),
        initiated_by: actor("backspin"),
        at: MonoTime::ZERO,
        wall: WallTime(0),
        automated: true,
        attribution: None,
    }
}

fn plan_with(case: &Case, settings: &Settings, change: impl Fn(&mut Inventory)) -> RollbackPlan {
    try_plan(case, settings, change).expect("immediate is always possible")
}

fn try_plan(case: &Case, settings: &Settings, change: impl Fn(&mut Inventory)) -> Option<RollbackPlan> {
    let mut known = inventory();
    known.capabilities = case.can;
    change(&mut known);
    make(Request {
        event: RollbackEvent {
            effect: Effect { harm: case.harm, harm_lower: case.harm, exposure: case.share },
            ..event(case.severity, case.trigger)
        },
        inventory: &known,
        target: &known.versions[1],
        target_ready: case.ready,
        target_had: case.ready,
        candidate_ready: 4,
        shipped: case.shipped,
        candidate_share: case.share,
        error_limit: 0.002,
        slow_limit: None,
        tried: case.tried,
        requests_per_sec: Some(40.0),
        callers: vec![service(), service()],
        settings,
        now: Now { mono: MonoTime::ZERO, wall: WallTime(1000) },
    })
}

fn plan(case: &Case) -> RollbackPlan {
    plan_with(case, &Settings::default(), |_| ())
}

#[track_caller]
fn chosen(case: &Case, strategy: Strategy, rejected: &[Strategy]) {
    let plan = plan(case);
    let passed_over: Vec<_> = plan.rejected.iter().map(|r| r.strategy).collect();
    assert_eq!(plan.strategy, strategy);
    assert!(passed_over.starts_with(rejected), "{passed_over:?} {rejected:?}");
    assert_eq!(plan.rejected.len(), 6, "each other strategy has its reason");
}

#[test]
fn each_severity_has_its_list() {
    use Strategy::{BlueGreenSwitch, CanaryRollback, FeatureFlagDisable, Gradual, Immediate};
    let security =
        Case { severity: Severity::Critical, trigger: Trigger::SecurityIncident, can: ALL, ..CASE };
    chosen(&security, Immediate, &[]);
    let critical = Case { severity: Severity::Critical, can: ALL, ..CASE };
    chosen(&critical, BlueGreenSwitch, &[]);
    chosen(&Case { can: ALL, ready: 7, ..critical }, Immediate, &[BlueGreenSwitch]);
    chosen(&Case { can: ALL, ..CASE }, BlueGreenSwitch, &[]);
    chosen(&Case { can: ALL, ready: 0, ..CASE }, FeatureFlagDisable, &[BlueGreenSwitch]);
    chosen(&CASE, CanaryRollback, &[BlueGreenSwitch, FeatureFlagDisable]);
    let again = Case { can: ALL, ready: 0, tried: &[FeatureFlagDisable], ..CASE };
    chosen(&again, CanaryRollback, &[BlueGreenSwitch, FeatureFlagDisable]);
    chosen(&Case { severity: Severity::Low, can: ALL, ready: 9, ..CASE }, Gradual, &[]);
    chosen(&Case { severity: Severity::Low, can: ALL, ..CASE }, CanaryRollback, &[Gradual]);
    chosen(&Case { severity: Severity::Low, ..CASE }, CanaryRollback, &[Gradual]);
    let bare = Case { severity: Severity::Medium, can: NOTHING, ..CASE };
    chosen(&bare, Immediate, &[Gradual, CanaryRollback]);
    chosen(&Case { can: NOTHING, ..CASE }, Immediate, &[BlueGreenSwitch, FeatureFlagDisable, CanaryRollback]);
}

#[test]
fn what_is_passed_over_says_why() {
    let words =
        |case: &Case, n| plan(case).rejected.into_iter().take(n).map(|r| r.reason).collect::<Vec<_>>();
    let cold = Case { can: ALL, ready: 7, ..CASE };
    assert_eq!(words(&cold, 1), ["the standby has 7 ready pods and needs 8: it would start cold"]);
    let rolled = Case { can: ALL, shipped: RolloutKind::Rolling, ..CASE };
    assert_eq!(words(&rolled, 1), ["one Deployment holds both versions: there is no standby"]);
    let can = Capabilities { blue_green: true, rolling_update: true, ..NOTHING };
    let apart = Case { severity: Severity::Low, can, ..CASE };
    assert_eq!(words(&apart, 1)[0], "the service cannot split traffic between its environments");
    let no_flags = plan_with(&cold, &Settings::default(), |i| i.versions[2].flags.clear());
    assert_eq!(no_flags.rejected[1].reason, "no flags came with the version");
}

fn steps(plan: &RollbackPlan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|s| {
            format!("{} ({}, {})", s.action, s.timeout, if s.critical { "critical" } else { "optional" })
        })
        .collect()
}

#[test]
fn a_canary_rollback_has_the_steps_of_the_specification() {
    assert_eq!(
        steps(&plan(&CASE)),
        [
            "move traffic from v3: 80 % to v2 (30s, critical)",
            "watch health until it has held for 30s (5m, critical)",
            "move traffic from v3: 100 % to v2 (30s, critical)",
            "scale v3 to 0 replicas (2m, optional)",
            "update service discovery to v2 (30s, optional)",
            "notify (10s, optional)",
        ]
    );
}

#[test]
fn a_blue_green_switch_has_the_steps_of_the_specification() {
    let case = Case { can: ALL, ..CASE };
    let switch = [
        "validate that the standby v2 has at least 8 ready pods (1m, critical)",
        "switch all traffic from v3 to v2 (30s, critical)",
        "verify that all traffic goes to v2 (1m, critical)",
        "scale v3 to 0 replicas (2m, optional)",
        "update service discovery to v2 (30s, optional)",
        "notify (10s, optional)",
    ];
    assert_eq!(steps(&plan(&case)), switch);
    let cold = insisting(&Case { ready: 0, ..case }, Strategy::BlueGreenSwitch);
    assert_eq!(steps(&cold)[0], "scale v2 to 10 replicas (3m, critical)", "a cold standby is started first");
    assert_eq!(steps(&cold)[1..], switch);
}

#[test]
fn a_gradual_rollback_replaces_pods_in_batches_with_a_gate_after_each() {
    let low = Case { severity: Severity::Low, can: ALL, ..CASE };
    let shared = Case { shipped: RolloutKind::Rolling, ready: 0, share: 1.0, ..low };
    assert_eq!(
        steps(&plan(&shared)),
        [
            "scale v2 to 3 replicas (3m, critical)",
            "watch health until it has held for 30s; pods may warm up for 1m 30s (5m, critical)",
            "scale v2 to 5 replicas (3m, critical)",
            "watch health until it has held for 30s; pods may warm up for 1m 30s (5m, critical)",
            "scale v2 to 10 replicas (3m, critical)",
            "move traffic from v3: 100 % to v2 (30s, critical)",
            "scale v3 to 0 replicas (2m, optional)",
            "update service discovery to v2 (30s, optional)",
            "notify (10s, optional)",
        ]
    );
    assert_eq!(
        steps(&plan(&Case { ready: 0, ..low }))[..9],
        [
            "scale v2 to 7 replicas (3m, critical)",
            "move traffic from v3: 70 % to v2 (30s, critical)",
            "watch health until it has held for 30s; pods may warm up for 1m 30s (5m, critical)",
            "scale v3 to 3 replicas (2m, optional)",
            "scale v2 to 10 replicas (3m, critical)",
            "move traffic from v3: 80 % to v2 (30s, critical)",
            "watch health until it has held for 30s; pods may warm up for 1m 30s (5m, critical)",
            "scale v3 to 2 replicas (2m, optional)",
            "move traffic from v3: 100 % to v2 (30s, critical)",
        ],
        "the target has pods for what a third version serves until then"
    );
    let whole = Case { ready: 0, share: 1.0, ..low };
    let scaled: Vec<String> =
        steps(&plan(&whole)).into_iter().filter(|step| step.starts_with("scale v2")).collect();
    assert_eq!(
        scaled,
        ["scale v2 to 5 replicas (3m, critical)", "scale v2 to 10 replicas (3m, critical)"],
        "the target's pods are one batch ahead of its traffic"
    );
}

fn insisting(case: &Case, strategy: Strategy) -> RollbackPlan {
    let mut settings = Settings::default();
    settings.planning.strategy = Some(strategy);
    plan_with(case, &settings, |_| ())
}

#[test]
fn what_a_policy_insists_on_is_taken_with_what_speaks_against_it() {
    let loud = Case { severity: Severity::Critical, can: ALL, harm: 0.5, ..CASE };
    let plan = insisting(&loud, Strategy::Gradual);
    assert_eq!(plan.strategy, Strategy::Gradual);
    assert_eq!(
        plan.objections,
        [
            "the target has all its pods: nothing is to be replaced, and stages need fewer waits",
            "at critical severity the rules choose blue-green switch",
        ]
    );
    assert_eq!(plan.rejected[0].reason, "the policy insists on gradual");
    assert!(insisting(&loud, Strategy::BlueGreenSwitch).objections.is_empty(), "the rules agree");
}

fn schema(change: SchemaChange, rows_at_risk: u64) -> KnownSchema {
    let (takes, lock) = (Millis::from_secs(20), Millis::from_secs(4));
    KnownSchema { change, applied: true, revert: Some(RevertScript { takes, lock, rows_at_risk }) }
}

/// A plan for a candidate that came with this schema change.
fn with_schema(strategy: Option<Strategy>, schema: &KnownSchema) -> Option<RollbackPlan> {
    let mut settings = Settings::default();
    settings.planning.strategy = strategy;
    try_plan(&Case { can: ALL, ..CASE }, &settings, |i| i.versions[2].schema = Some(schema.clone()))
}

#[test]
fn no_version_that_serves_meets_a_schema_that_it_cannot_work_with() {
    for change in [SchemaChange::Expand, SchemaChange::Contract] {
        let plan = with_schema(Some(Strategy::DatabaseRevert), &schema(change, 0)).expect("it can be done");
        assert_eq!(plan.strategy, Strategy::DatabaseRevert);
        let (mut applied, mut candidate, mut target) = (true, 0.4, 0.6);
        for step in &plan.steps {
            match &step.action {
                StepAction::RevertSchema { .. } => applied = false,
                StepAction::ShiftTraffic { to_share, .. } => {
                    (candidate, target) = (1.0 - to_share.get(), to_share.get());
                }
                _ => {}
            }
            let broken = if applied {
                change.breaks_older() && target > 0.6
            } else {
                change.is_needed() && candidate > 0.0
            };
            assert!(!broken, "{change:?}: {}", step.action);
        }
        assert!(!applied && target == 1.0, "both went back");
    }
    let breaking = schema(SchemaChange::Breaking, 0);
    assert!(with_schema(None, &breaking).is_some_and(|plan| plan.strategy == Strategy::FeatureFlagDisable));
    let forced = with_schema(Some(Strategy::DatabaseRevert), &breaking).expect("flags are left");
    assert!(forced.rejected[0].reason.contains("in any order some version would meet"), "{forced:?}");
    let no_flags = try_plan(&CASE, &Settings::default(), |i| i.versions[2].schema = Some(breaking.clone()));
    assert!(no_flags.is_none(), "a person decides");
}

#[test]
fn a_target_that_fails_with_the_schema_is_not_gone_to_alone() {
    let contract = schema(SchemaChange::Contract, 0);
    let plan = try_plan(&CASE, &Settings::default(), |i| i.versions[2].schema = Some(contract.clone()));
    let plan = plan.expect("the schema can go back");
    assert_eq!(plan.strategy, Strategy::DatabaseRevert);
    assert_eq!(
        steps(&plan)[..3],
        [
            "revert the schema from v3 to v2 (5m, critical)",
            "verify that v2 works with the schema (1m, critical)",
            "move traffic from v3: 100 % to v2 (30s, critical)",
        ]
    );
    let immediate = plan.rejected.iter().find(|r| r.strategy == Strategy::Immediate).expect("told");
    assert!(immediate.reason.starts_with("the target fails with the schema"), "{immediate:?}");
    let unapplied = KnownSchema { applied: false, ..contract.clone() };
    let plan = try_plan(&CASE, &Settings::default(), |i| i.versions[2].schema = Some(unapplied.clone()));
    assert_eq!(plan.map(|plan| plan.strategy), Some(Strategy::CanaryRollback), "nothing went yet");
    let scriptless = KnownSchema { revert: None, ..contract };
    let none = try_plan(&CASE, &Settings::default(), |i| i.versions[2].schema = Some(scriptless.clone()));
    assert!(none.is_none(), "nobody wrote a script");
}

#[test]
fn losing_data_needs_a_person_and_is_named() {
    let plan = with_schema(Some(Strategy::DatabaseRevert), &schema(SchemaChange::Contract, 1200));
    let plan = plan.expect("it can be done");
    assert!(matches!(&plan.approval, Approval::Required { reason, .. } if reason.contains("1200 rows")));
    let data = plan.risks.iter().find(|r| r.kind == RiskKind::DataLoss).expect("named");
    assert_eq!(data.level, RiskLevel::High);
    assert!(data.reason.contains("1200 rows") && data.reason.contains("4s"), "{data:?}");
    let lossless = with_schema(None, &schema(SchemaChange::Contract, 0)).expect("it can be done");
    assert!(matches!(lossless.approval, Approval::Standing { .. }));
}

#[test]
fn infrastructure_comes_first_unless_an_old_version_does_well_on_it() {
    let changed = |case: &Case| {
        plan_with(case, &Settings::default(), |i| i.versions[2].infrastructure = vec![InfraChange::ConfigMap])
    };
    let whole = Case { share: 1.0, shipped: RolloutKind::BlueGreen, can: ALL, ..CASE };
    let plan = changed(&whole);
    assert_eq!(plan.strategy, Strategy::InfrastructureRollback);
    assert_eq!(steps(&plan)[0], "set config map back to the state recorded before v3 (1m, critical)");
    assert_eq!(plan.post_checks.len(), 1, "no traffic moves");
    let beside = changed(&Case { shipped: RolloutKind::Canary, share: 0.4, ..whole });
    assert_eq!(beside.strategy, Strategy::BlueGreenSwitch);
    assert!(beside.rejected[0].reason.contains("serves beside it"), "{:?}", beside.rejected);
    let tried = Case { tried: &[Strategy::InfrastructureRollback], ..whole };
    assert_eq!(changed(&tried).strategy, Strategy::BlueGreenSwitch);
    let security = Case { severity: Severity::Critical, trigger: Trigger::SecurityIncident, ..whole };
    assert_eq!(changed(&security).strategy, Strategy::Immediate);
}

#[test]
fn what_the_service_cannot_do_is_not_done_even_if_a_policy_insists() {
    for strategy in [Strategy::BlueGreenSwitch, Strategy::FeatureFlagDisable, Strategy::DatabaseRevert] {
        let plan = insisting(&CASE, strategy);
        assert_eq!(plan.strategy, Strategy::CanaryRollback);
        assert!(plan.rejected[0].reason.starts_with("the policy insists on it, but "), "{plan:?}");
    }
}

#[test]
fn stages_are_for_a_harm_that_can_wait_or_a_target_that_needs_them() {
    use Strategy::{CanaryRollback, Immediate};
    for (harm, ready, expected) in [
        (0.0, 10, CanaryRollback),
        (0.199, 10, CanaryRollback),
        (0.2, 10, Immediate),
        (1.0, 10, Immediate),
        (1.0, 9, CanaryRollback),
    ] {
        for severity in [Severity::High, Severity::Medium, Severity::Low] {
            let plan = plan(&Case { severity, ready, harm, ..CASE });
            assert_eq!(plan.strategy, expected, "{harm} {ready} {severity}");
            let said = plan.rejected.iter().find(|r| r.strategy == CanaryRollback);
            assert_eq!(said.is_some_and(|r| r.reason.contains("too often")), expected == Immediate);
        }
    }
}

#[test]
fn a_target_that_lacks_pods_is_scaled_first_and_undone() {
    let plan = plan(&Case { ready: 9, can: NOTHING, ..CASE });
    assert_eq!(steps(&plan)[0], "scale v2 to 10 replicas (3m, critical)");
    let undo = plan.steps[0].undo.clone();
    let shared = StepAction::ScaleVersion { version: version("v3"), replicas: 10 };
    assert_eq!(undo, Some(shared), "what serves gets its pods back");
    let apart = self::plan(&Case { ready: 9, ..CASE }).steps[0].undo.clone();
    assert_eq!(apart, Some(StepAction::ScaleVersion { version: version("v2"), replicas: 9 }));
    assert!(plan.pre_checks.is_empty(), "readiness is checked after the step instead");
}

#[test]
fn the_candidates_share_never_rises() {
    for factors in [vec![0.5], vec![0.9, 0.95, 0.1], vec![2.0, 1.0], vec![f64::NAN, -3.0], vec![0.5; 40]] {
        for share in [0.0, 0.01, 0.4, 1.0, f64::NAN] {
            let mut settings = Settings::default();
            settings.planning.stage_factors.clone_from(&factors);
            settings.planning.batches.clone_from(&factors);
            let gradual = Case { severity: Severity::Low, can: ALL, ready: 2, ..CASE };
            for plan in [CASE, gradual].map(|case| plan_with(&Case { share, ..case }, &settings, |_| ())) {
                let mut left = if share.is_nan() { 0.0 } else { share };
                for step in &plan.steps {
                    if let StepAction::ShiftTraffic { to_share, .. } = step.action {
                        assert!(1.0 - to_share.get() <= left + 1e-12, "{factors:?} {share}");
                        left = 1.0 - to_share.get();
                    }
                }
                assert!(left.abs() < 1e-12, "all traffic is off in the end");
            }
        }
    }
}

#[test]
fn checks_and_estimate_follow_the_steps() {
    let moved = plan(&CASE);
    assert_eq!(moved.pre_checks, [Check::TargetReady { pods_min: 8 }]);
    assert_eq!(moved.post_checks.len(), 2);
    assert_eq!(moved.dependencies, [service()], "each once");
    assert!(moved.estimated > Millis::from_mins(2) && moved.estimated < Millis::from_mins(5));
    let flags = plan(&Case { can: ALL, ready: 0, ..CASE });
    assert_eq!(flags.post_checks, [Check::ErrorRatioAtMost { limit: 0.002 }]);
    assert!(flags.pre_checks.is_empty() && flags.estimated < moved.estimated);
}

#[test]
fn risks_are_named_with_a_level() {
    let level = |case: &Case, kind: RiskKind| {
        plan(case).risks.iter().find(|r| r.kind == kind).map(|r| r.level).expect("named")
    };
    assert_eq!(level(&CASE, RiskKind::Capacity), RiskLevel::Low);
    assert_eq!(level(&Case { ready: 1, ..CASE }, RiskKind::Capacity), RiskLevel::Medium);
    assert_eq!(level(&Case { ready: 0, ..CASE }, RiskKind::Capacity), RiskLevel::High);
    assert_eq!(level(&Case { share: 0.5, ..CASE }, RiskKind::BlastRadius), RiskLevel::High);
    assert_eq!(level(&Case { share: 0.09, ..CASE }, RiskKind::BlastRadius), RiskLevel::Low);
    assert_eq!(level(&CASE, RiskKind::StaleTarget), RiskLevel::Low);
    assert_eq!(level(&CASE, RiskKind::DataLoss), RiskLevel::Medium);
}

#[track_caller]
fn approval(environment: Environment, expires: Option<i64>, services: &[&str], standing: bool) {
    let mut settings = Settings::default();
    settings.approvals.standing = vec![StandingApproval {
        environment,
        services: services.iter().map(|s| backspin_domain::id::ServiceId::new(s).expect("valid")).collect(),
        expires: expires.map(WallTime),
        approver: ActorId::new("ada").expect("valid"),
    }];
    let plan = plan_with(&CASE, &settings, |i| i.environment = environment);
    let expected = Approval::Standing { approver: actor("ada"), expires: expires.map(WallTime) };
    assert_eq!(plan.approval == expected, standing, "{:?}", plan.approval);
}

#[test]
fn a_standing_approval_covers_its_services_until_it_expires() {
    approval(Environment::Production, Some(1001), &[], true);
    approval(Environment::Production, Some(1000), &[], false);
    approval(Environment::Production, None, &[], false);
    approval(Environment::Simulated, None, &[], true);
    approval(Environment::Production, Some(1001), &["checkout"], true);
    approval(Environment::Production, Some(1001), &["search"], false);
    approval(Environment::Staging, Some(1001), &[], false);
}

#[test]
fn staging_needs_nobody_and_production_a_person() {
    let at = |environment| plan_with(&CASE, &Settings::default(), |i| i.environment = environment).approval;
    assert_eq!(at(Environment::Staging), Approval::NotRequired);
    assert!(matches!(at(Environment::Production), Approval::Required { .. }));
    assert!(matches!(at(Environment::Simulated), Approval::Standing { .. }));
}
