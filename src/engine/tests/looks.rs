//! A look at the service before a rollback is planned, where a schema may have changed without anybody having told.

use super::driver::{Bench, Say, actor, inventory, service};
use crate::look::LOOK_MAX;
use crate::settings::Settings;
use backspin_domain::engine_io::{Command, Input, JournalEntry, Output};
use backspin_domain::event::Decision;
use backspin_domain::plan::Strategy;
use backspin_domain::service::{Inventory, KnownSchema, RevertScript, SchemaChange};
use backspin_domain::time::{Millis, MonoTime};

/// The candidate takes away what the target needs; a script puts it back.
fn contracts(inventory: &mut Inventory, applied: bool) {
    let revert = RevertScript { takes: Millis::from_secs(10), lock: Millis::from_secs(2), rows_at_risk: 0 };
    inventory.versions[2].schema =
        Some(KnownSchema { change: SchemaChange::Contract, applied, revert: Some(revert) });
    inventory.versions[2].flags.clear();
}

/// How it is really.
fn applied() -> Inventory {
    let mut listed = inventory();
    contracts(&mut listed, true);
    listed
}

/// The engine was told of a schema that is not applied; it is, and only a list shows that.
fn bench(lists: bool) -> Bench {
    let mut bench = Bench::deployed(Settings::default(), |inventory| contracts(inventory, false));
    bench.world.listed = lists.then(applied);
    (bench.world.say, bench.world.bad) = (Say::FailConcurrent, 0.4);
    bench
}

fn planned(bench: &Bench) -> Vec<Strategy> {
    let strategy = |entry: &JournalEntry| match entry {
        JournalEntry::Planned { plan, .. } => Some(plan.strategy),
        _ => None,
    };
    bench.journal().filter_map(strategy).collect()
}

/// When a list was asked for.
fn asked(bench: &Bench) -> Vec<MonoTime> {
    bench.log.iter().filter(|(_, output)| matches!(output, Output::List { .. })).map(|(at, _)| *at).collect()
}

#[test]
fn what_a_list_shows_is_planned_by() {
    let mut bench = bench(true);
    bench.run_for(30);
    assert_eq!(asked(&bench).len(), 1);
    assert_eq!(planned(&bench), [Strategy::DatabaseRevert]);
}

#[test]
fn who_is_given_no_list_goes_by_what_is_known_once_the_wait_is_over() {
    let mut bench = bench(false);
    bench.run_for(15);
    let [asked_at] = asked(&bench)[..] else { panic!("{:?}", asked(&bench)) };
    assert!(planned(&bench).is_empty() && bench.engine.is_executing(), "it is about to be planned");
    bench.run_for(LOOK_MAX.as_secs_f64() as u64);
    assert_eq!(planned(&bench), [Strategy::Immediate]);
    let decided = bench.log.iter().find_map(|(at, output)| match output {
        Output::Journal(JournalEntry::Decided { decision: Decision::RollBack(_), .. }) => Some(*at),
        _ => None,
    });
    assert_eq!(decided, Some(asked_at + LOOK_MAX));
}

#[test]
fn one_that_cannot_be_listed_is_not_waited_for() {
    let mut bench = bench(false);
    bench.run_for(15);
    bench.input(Input::Listed { service: service(), inventory: None });
    assert_eq!(planned(&bench), [Strategy::Immediate]);
}

#[test]
fn a_list_that_was_on_its_way_is_asked_for_again_after_a_restart() {
    let mut bench = bench(false);
    bench.run_for(15);
    bench.world.listed = Some(applied());
    bench.input(Input::Restarted { down: Millis::from_secs(5) });
    bench.run_for(1);
    assert_eq!((asked(&bench).len(), planned(&bench)), (2, vec![Strategy::DatabaseRevert]));
}

#[test]
fn a_stop_that_comes_meanwhile_counts() {
    let mut bench = bench(false);
    bench.run_for(15);
    bench.input(Input::Commanded { command: Command::Stop, by: actor("ada") });
    bench.run_for(30);
    assert!(planned(&bench).is_empty() && bench.effects().is_empty());
    assert!(!bench.pages().is_empty(), "a person is told");
}

#[test]
fn a_persons_wish_takes_the_place_of_the_engines_own() {
    let mut bench = bench(false);
    bench.run_for(15);
    let command = Command::RollBack { service: service(), target: None, reason: "it hurts".to_owned() };
    bench.input(Input::Commanded { command, by: actor("ada") });
    assert_eq!(asked(&bench).len(), 1, "one look is enough");
    bench.input(Input::Listed { service: service(), inventory: None });
    let by = bench.journal().find_map(|entry| match entry {
        JournalEntry::Planned { plan, .. } => Some(plan.event.initiated_by.clone()),
        _ => None,
    });
    assert_eq!(by, Some(actor("ada")));
}

#[test]
fn a_service_without_changes_of_a_schema_is_not_looked_at() {
    let mut bench = Bench::deployed(Settings::default(), |_| ());
    (bench.world.say, bench.world.bad) = (Say::FailConcurrent, 0.4);
    bench.run_for(60);
    assert!(asked(&bench).is_empty() && !planned(&bench).is_empty());
}
