//! Each of the seven strategies where it is the best and where it makes things worse: every shipped scenario of the family
//! is played with each strategy insisted on, on several seeds, and what users felt is compared.
//!
//! Nothing here says what a strategy does: pods that start cold, standbys that were scaled down, schemas, flags,
//! settings and the time that each of them takes come from the world.

use std::collections::BTreeMap;
use std::path::Path;

use backspin::domain::engine_io::JournalEntry;
use backspin::domain::entry::Entry;
use backspin::domain::plan::Strategy;
use backspin::domain::plan::Strategy::{
    BlueGreenSwitch, CanaryRollback, DatabaseRevert, FeatureFlagDisable, Gradual, Immediate,
    InfrastructureRollback,
};
use backspin::domain::truth::TruthEntry;
use backspin::plane::RunId;
use backspin::plane::direct::Prepared;
use backspin::policy::default_policy;
use backspin::scenario;
use backspin::scenario::model::Scenario;
use backspin::score::score_entries;

const SEEDS: u64 = 5;

/// Users harmed are within this part of each other: a tie.
const TIE: f64 = 0.02;

/// What came of insisting on one strategy, over all seeds.
#[derive(Clone, Debug)]
enum Outcome {
    /// It cannot be planned; why.
    Cannot(String),
    /// Users harmed from the plan on, by whatever it was (what cold pods do to users is not booked as the deploy's), those
    /// harmed by the deploy in the whole run, and seconds until its harm was gone, summed over the seeds.
    Played { users: f64, by_deploy: f64, mitigated_s: f64 },
}

impl Outcome {
    /// Strictly worse: more users, or as many and for longer. What cannot be done is not compared.
    fn is_worse_than(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Played { users, mitigated_s, .. },
                Self::Played { users: other_users, mitigated_s: other_s, .. },
            ) => {
                let tie = (users - other_users).abs() <= TIE * other_users.max(1.0);
                if tie { *mitigated_s > other_s * (1.0 + TIE) } else { users > other_users }
            }
            (Self::Cannot(_), _) | (_, Self::Cannot(_)) => false,
        }
    }
}

fn load(name: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/strategy").join(format!("{name}.yaml"));
    scenario::load(&file).unwrap_or_else(|problems| panic!("{name}: {problems}"))
}

/// Plays a scenario with a strategy insisted on.
fn insisted(scenario: &Scenario, strategy: Strategy) -> Outcome {
    let mut policy = default_policy().expect("it loads");
    policy.settings.planning.strategy = Some(strategy);
    let prepared = Prepared::new(scenario, &policy).expect("it can be played");
    let (mut users, mut by_deploy, mut mitigated_s) = (0.0, 0.0, 0.0);
    for seed_index in 0..SEEDS {
        let entries = prepared.run(RunId { campaign_seed: 20_260_105, seed_index });
        let first = entries.iter().find_map(|entry| match entry {
            Entry::Journal(at, JournalEntry::Planned { plan, .. }) => Some((*at, plan)),
            _ => None,
        });
        let Some((planned, plan)) = first else {
            return Outcome::Cannot(format!("nothing is rolled back with seed {seed_index}"));
        };
        if plan.strategy != strategy {
            let rejected = plan.rejected.iter().find(|r| r.strategy == strategy).expect("it says why");
            return Outcome::Cannot(rejected.reason.clone());
        }
        let outcome = score_entries(&entries).expect("a whole run");
        let ticks = entries.iter().filter_map(|entry| match entry {
            Entry::Truth(at, TruthEntry::Tick(tick)) if *at > planned => Some(tick),
            _ => None,
        });
        users += ticks.map(|tick| tick.harmed + tick.harmed_external).sum::<f64>();
        by_deploy += outcome.harm.users;
        // What was never mitigated lasted until the end of the watch, at least.
        mitigated_s += outcome.ttm.reached().unwrap_or(scenario.timing.watch).as_secs_f64();
    }
    Outcome::Played { users, by_deploy, mitigated_s }
}

/// What is played: a scenario with all seven strategies, and without anybody acting.
struct Compared {
    name: &'static str,
    outcomes: BTreeMap<Strategy, Outcome>,
    untouched: f64,
}

impl Compared {
    #[expect(clippy::print_stdout, reason = "the table, for who runs it with --nocapture")]
    fn play(name: &'static str) -> Self {
        let scenario = load(name);
        let outcomes: BTreeMap<_, _> =
            Strategy::ALL.into_iter().map(|strategy| (strategy, insisted(&scenario, strategy))).collect();
        let policy = default_policy().expect("it loads");
        let prepared = Prepared::new(&scenario, &policy).expect("it can be played");
        let untouched = (0..SEEDS)
            .map(|seed_index| {
                prepared.untouched(&mut prepared.world(RunId { campaign_seed: 20_260_105, seed_index }))
            })
            .map(|entries| score_entries(&entries).expect("a whole run").harm.users)
            .sum();
        println!("{name}: {untouched:.0} users if nobody acts");
        for (strategy, outcome) in &outcomes {
            match outcome {
                Outcome::Cannot(why) => println!("  {strategy:<24} cannot: {why}"),
                Outcome::Played { users, by_deploy, mitigated_s } => {
                    println!(
                        "  {:<24} {users:>9.0} users ({by_deploy:>9.0} by the deploy), mitigated in {:>5.0} s",
                        strategy.to_string(),
                        mitigated_s / SEEDS as f64
                    );
                }
            }
        }
        Self { name, outcomes, untouched }
    }

    /// No other strategy is better, and at least three that can be played are strictly worse.
    #[track_caller]
    fn best(&self, strategy: Strategy) {
        let own = &self.outcomes[&strategy];
        assert!(matches!(own, Outcome::Played { .. }), "{}: {strategy}: {own:?}", self.name);
        let mut worse = 0;
        for (other, outcome) in &self.outcomes {
            assert!(!own.is_worse_than(outcome), "{}: {other} is better than {strategy}", self.name);
            worse += usize::from(outcome.is_worse_than(own));
        }
        assert!(worse >= 3, "{}: only {worse} are worse than {strategy}: {:?}", self.name, self.outcomes);
    }

    /// Strictly worse than another strategy.
    #[track_caller]
    fn worse(&self, strategy: Strategy, other: Strategy) {
        let (own, other_outcome) = (&self.outcomes[&strategy], &self.outcomes[&other]);
        assert!(
            own.is_worse_than(other_outcome),
            "{}: {strategy} {own:?}, {other} {other_outcome:?}",
            self.name
        );
    }

    /// Harms more users than doing nothing.
    #[track_caller]
    fn worse_than_nothing(&self, strategy: Strategy) {
        let Outcome::Played { by_deploy: users, .. } = &self.outcomes[&strategy] else {
            panic!("{}: {strategy} cannot", self.name);
        };
        assert!(*users > self.untouched * (1.0 + TIE), "{}: {strategy} {users}", self.name);
    }
}

#[test]
fn loud_harm_on_a_target_with_all_its_pods_is_for_an_immediate_rollback() {
    let compared = Compared::play("loud-harm-cannot-wait");
    compared.best(Immediate);
    // Each wait leaves users on a version that fails every second request.
    compared.worse(CanaryRollback, Immediate);
    // What did not come with the fault is switched off, and found not to help.
    compared.worse(FeatureFlagDisable, Immediate);
    compared.worse(InfrastructureRollback, Immediate);
}

#[test]
fn small_harm_and_pods_that_start_cold_are_for_a_gradual_rollback() {
    let compared = Compared::play("small-harm-cold-pods");
    compared.best(Gradual);
    compared.worse(Immediate, Gradual);
}

#[test]
fn a_loud_rolling_deploy_is_no_place_for_batches() {
    Compared::play("loud-rolling").worse(Gradual, Immediate);
}

#[test]
fn a_cold_target_beside_a_candidate_that_can_wait_is_for_a_canary_rollback() {
    let compared = Compared::play("cold-target");
    compared.best(CanaryRollback);
    compared.worse(Immediate, CanaryRollback);
}

#[test]
fn a_standby_that_is_up_is_for_a_switch() {
    Compared::play("standby-up").best(BlueGreenSwitch);
}

#[test]
fn a_standby_that_was_scaled_down_is_not() {
    Compared::play("standby-gone").worse(BlueGreenSwitch, Gradual);
}

#[test]
fn a_flag_at_fault_is_switched_off() {
    Compared::play("flag-at-fault").best(FeatureFlagDisable);
}

#[test]
fn a_schema_that_the_target_cannot_work_with_goes_back_first() {
    let compared = Compared::play("contracted-schema");
    compared.best(DatabaseRevert);
    // The application alone meets a schema that lacks what it needs.
    compared.worse_than_nothing(Immediate);
    compared.worse_than_nothing(BlueGreenSwitch);
}

#[test]
fn a_schema_that_the_target_can_work_with_stays() {
    let compared = Compared::play("long-locks");
    compared.worse(DatabaseRevert, Immediate);
    compared.worse_than_nothing(DatabaseRevert);
}

#[test]
fn settings_at_fault_are_set_back() {
    Compared::play("bad-config-map").best(InfrastructureRollback);
}

/// What the verb says, and its exit code.
fn strategies(args: &[&str]) -> (String, i32) {
    let mut command = assert_cmd::Command::cargo_bin("backspin").expect("built");
    let command = command.env_remove("BACKSPIN_POLICY").env("COLUMNS", "100").arg("strategies");
    let output = command.args(args).output().expect("runs");
    (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code().expect("ended"))
}

#[test]
fn what_choosing_is_worth_is_told_with_where_the_rules_lost() {
    let (lost, code) = strategies(&["strategy/small-harm-cold-pods", "--seeds", "3"]);
    assert_eq!(code, 1, "a fixed strategy would have done better: {lost}");
    for words in ["The rules regret ", "the best fixed strategy", "database revert", "the rules lost in"] {
        assert!(lost.contains(words), "no `{words}`:\n{lost}");
    }
    let (kept, code) = strategies(&["strategy/standby-up", "--seeds", "3", "--format", "json"]);
    assert_eq!(code, 0, "{kept}");
    let report: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    let ways = report["selection"]["ways"].as_array().expect("a list");
    assert_eq!((report["version"].as_u64(), ways.len()), (Some(1), 8));
    let regret = |way: usize| ways[way]["regret"]["mean"].as_f64().expect("a number");
    assert!((1..8).all(|fixed| regret(fixed) + 1.0 > regret(0)), "{ways:?}");
    assert_eq!(strategies(&["--filter", "nothing/like/this"]), (String::new(), 2));
}
