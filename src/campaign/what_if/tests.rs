use super::*;
use backspin_domain::engine_io::RolloutAsk;
use backspin_domain::id::{Attempt, ExecutionId, VersionId};
use backspin_domain::plan::StepAction;
use backspin_policy::document::{FileKind, Source};
use backspin_policy::{JudgeName, default_policy};
use backspin_scenario::shipped;

const ID: RunId = RunId { campaign_seed: 20_260_105, seed_index: 0 };

/// A policy file with these lines.
fn with(lines: &str) -> Policy {
    let source = Source::new(FileKind::Policy, "other.yaml", format!("version: 1\n{lines}\n"));
    backspin_policy::parse(&source).unwrap_or_else(|problems| panic!("{problems}"))
}

fn own() -> Policy {
    default_policy().expect("the shipped policy is good")
}

fn scenario(name: &str) -> Scenario {
    let all = shipped().expect("the shipped scenarios are good");
    all.into_iter().find(|scenario| scenario.name == name).expect("it is shipped")
}

fn record(name: &str, policy: &Policy) -> Vec<Entry> {
    direct::run(&scenario(name), policy, ID).expect("plays")
}

fn header(record: &mut [Entry]) -> &mut RunHeader {
    match &mut record[0] {
        Entry::Header(header) => header,
        other => panic!("{other:?}"),
    }
}

fn without_scenario(mut record: Vec<Entry>) -> Vec<Entry> {
    header(&mut record).scenario_text = None;
    record
}

#[track_caller]
fn answer(record: Vec<Entry>, other: &Policy) -> WhatIf {
    match what_if(record.into_iter().map(Ok), |_| other.clone()).expect("it can be told") {
        Told::Answer(answer) => *answer,
        Told::Contradicted(replayed) => panic!("{:?}", replayed.difference),
    }
}

fn acted(at_s: u64, act: Act) -> Acted {
    Acted { at: MonoTime(Millis::from_secs(at_s).0), act, told: 0 }
}

fn start(step: u16, action: StepAction) -> Act {
    Act::Start { attempt: Attempt { execution: ExecutionId(1), step, attempt: 1 }, action }
}

fn notify(words: &str) -> Act {
    start(1, StepAction::Notify { message: words.to_owned() })
}

fn scale(replicas: u32) -> Act {
    let version = VersionId::new("v1").expect("a valid name");
    start(0, StepAction::ScaleVersion { version, replicas })
}

/// The effect that differs, from 0, and its second.
#[track_caller]
fn check(left: &[Acted], right: &[Acted], expected: Option<(usize, u64)>) {
    let found = first_otherwise(left, right).map(|(index, at)| (index, at.0 / 1000));
    assert_eq!(found, expected);
    let mirrored = first_otherwise(right, left).map(|(index, at)| (index, at.0 / 1000));
    assert_eq!(mirrored, expected, "either way round");
}

#[test]
fn effects_differ_in_kind_time_and_number() {
    let pause = || Act::Rollout(RolloutAsk::Pause);
    check(&[], &[], None);
    check(&[acted(5, pause())], &[acted(5, pause())], None);
    check(&[acted(5, pause())], &[], Some((0, 5)));
    check(&[acted(5, pause())], &[acted(6, pause())], Some((0, 5)));
    check(&[acted(5, pause())], &[acted(5, Act::Rollout(RolloutAsk::Abort))], Some((0, 5)));
    check(&[acted(5, pause()), acted(9, scale(3))], &[acted(5, pause()), acted(9, scale(4))], Some((1, 9)));
}

#[test]
fn what_is_said_to_people_is_no_difference() {
    check(&[acted(5, notify("errors"))], &[acted(5, notify("latency"))], None);
    check(&[acted(5, notify("errors"))], &[acted(6, notify("errors"))], Some((0, 5)));
    check(&[acted(5, notify("errors"))], &[acted(5, scale(3))], Some((0, 5)));
}

#[test]
fn the_same_policy_acts_the_same() {
    for name in ["half-of-requests-fail", "plain-canary", "old-version-cannot-start"] {
        let entries = record(name, &own());
        for entries in [entries.clone(), without_scenario(entries)] {
            let told = answer(entries, &own());
            assert_eq!(told.parting, None, "{name}");
            assert_eq!(told.record.decisions, told.other.decisions, "{name}");
        }
    }
}

/// Every shipped scenario with each of these policies beside the default one: the world that is built again gives the
/// record's inputs up to the difference, and the record's inputs alone tell the same difference.
#[test]
fn the_world_and_the_inputs_alone_tell_the_same_difference() {
    let others = [
        own().with_judge(JudgeName::Weighted),
        own().with_judge(JudgeName::Flagger),
        with("approvals: { standing: [], escalation: [on-call-engineer], wait: 5m }"),
        with("planning: { stage_factors: [0.3] }"),
        with("collect_every: 30s"),
        with("collect_every: 10s"),
    ];
    let mut parted = 0;
    for scenario in shipped().expect("the shipped scenarios are good") {
        let entries = direct::run(&scenario, &own(), ID).expect("plays");
        for (n, other) in others.iter().enumerate() {
            let name = format!("{}, policy {n}", scenario.name);
            let world = answer(entries.clone(), other);
            assert!(
                matches!(world.basis, Basis::World { inputs: 50.., unrecorded: 0..=2 }),
                "{name}: {:?}",
                world.basis
            );
            let fed = answer(without_scenario(entries.clone()), other);
            assert!(matches!(fed.basis, Basis::Inputs(NoWorld::NoScenario)), "{name}");
            let mut expected = world.parting.clone();
            if let Some(parting) = &mut expected {
                parted += 1;
                parting.other.next = None;
                assert!(world.record.outcome.is_some() && world.other.outcome.is_some(), "{name}");
            }
            assert_eq!(fed.parting, expected, "{name}");
            assert!(fed.other.outcome.is_none(), "{name}");
        }
    }
    assert!(parted >= 20, "only {parted} pairs part");
}

#[test]
fn another_judge_is_told_with_what_came_of_it() {
    let told = answer(record("half-slower", &own()), &own().with_judge(JudgeName::Weighted));
    let parting = told.parting.expect("they part");
    assert!(!parting.record.acts.is_empty() && parting.other.acts.is_empty());
    assert!(parting.record.decision.is_some_and(|decision| matches!(decision, Decision::RollBack(_))));
    let (record, other) = (told.record.outcome.expect("scored"), told.other.outcome.expect("scored"));
    assert!(record.caught && !other.caught);
    assert!(other.harm.users > record.harm.users);
}

#[test]
fn where_somebody_must_agree_the_request_is_the_difference() {
    let other = with("approvals: { standing: [], escalation: [on-call-engineer], wait: 5m }");
    let parting = answer(record("half-slower", &own()), &other).parting.expect("they part");
    let asks = |side: &Side| side.acts.iter().any(|act| matches!(act, Act::AskApproval { .. }));
    assert!(asks(&parting.other) && !asks(&parting.record));
    assert_eq!(parting.record.decision, parting.other.decision);
}

#[test]
fn other_stages_part_at_the_first_one() {
    let other = with("planning: { stage_factors: [0.3] }");
    let parting = answer(record("half-slower", &own()), &other).parting.expect("they part");
    let shifts =
        |side: &Side| matches!(side.acts[0], Act::Start { action: StepAction::ShiftTraffic { .. }, .. });
    assert!(shifts(&parting.record) && shifts(&parting.other), "{parting:?}");
}

#[test]
fn a_record_of_rare_frames_says_what_it_lacks() {
    let entries = record("half-of-requests-fail", &with("collect_every: 30s"));
    let told = answer(entries.clone(), &own());
    assert!(matches!(told.basis, Basis::World { inputs: 50.., unrecorded: 50.. }), "{:?}", told.basis);
    assert!(told.parting.is_some());
    let fed = answer(without_scenario(entries), &own());
    assert!(fed.other.collect_every < fed.record.collect_every);
}

#[test]
fn other_queries_are_asked_in_the_world_only() {
    let other =
        with("signals: { error_ratio: \"sum(rate(http_requests_total{service=\\\"$service\\\"}[1m]))\" }");
    let told = answer(record("half-of-requests-fail", &own()), &other);
    assert_eq!(told.asked_otherwise, ["error_ratio"]);
    assert!(matches!(told.basis, Basis::World { .. }), "{:?}", told.basis);
}

#[test]
fn a_cut_record_tells_no_further_than_it_goes() {
    let entries = record("half-of-requests-fail", &own());
    let other = own().with_judge(JudgeName::Flagger);
    let at = answer(entries.clone(), &other).parting.expect("they part").at;
    let before = |limit: MonoTime| -> Vec<Entry> {
        entries.iter().take_while(|e| refed::moment(e).is_none_or(|at| at < limit)).cloned().collect()
    };
    let cut = answer(before(at), &other);
    assert!(!cut.whole && cut.parting.is_none());
    assert!(cut.other.decisions.iter().all(|(made, _)| *made < at), "nothing is told beyond the cut");
    let early = answer(before(MonoTime(Millis::from_mins(5).0)), &other);
    assert_eq!(early.deployed, scenario("half-of-requests-fail").deploy.at, "cut before the deploy");
    let later = answer(before(at + Millis::from_mins(1)), &other);
    assert_eq!(later.parting.map(|parting| parting.at), Some(at));
    assert!(!later.whole && later.record.outcome.is_none() && later.other.outcome.is_some());
}

#[test]
fn another_world_is_found_out() {
    let other = own().with_judge(JudgeName::Flagger);
    let mut entries = record("half-of-requests-fail", &own());
    let text = header(&mut entries).scenario_text.clone().expect("the record carries it");
    header(&mut entries).scenario_text = Some(text.replace("draw:", "# draw:").into());
    let told = answer(entries.clone(), &other);
    let Basis::Inputs(NoWorld::AnotherWorld(difference)) = &told.basis else { panic!("{:?}", told.basis) };
    assert!(difference.record.is_some() && difference.world.is_some());
    assert!(told.parting.is_some() && told.other.outcome.is_none());
    header(&mut entries).scenario_text = Some("version: 1\nservice: [".into());
    assert!(matches!(answer(entries, &other).basis, Basis::Inputs(NoWorld::BadScenario(_))));
}

#[test]
fn a_recorded_incident_ends_at_the_difference() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/incidents");
    let cases = backspin_scenario::recorded::read(&dir).expect("own incidents are good").cases;
    let mut parted = 0;
    for case in cases {
        let entries = recorded::run(&case, &own(), ID).expect("plays");
        let same = answer(entries.clone(), &own());
        assert_eq!(same.parting, None, "{}", case.id);
        assert_eq!(same.record.policy_hash, same.other.policy_hash, "{}", case.id);
        let told = answer(entries, &own().with_judge(JudgeName::Weighted));
        assert!(matches!(told.basis, Basis::Inputs(NoWorld::Recording)), "{}", case.id);
        if let Some(parting) = told.parting {
            parted += 1;
            assert!(told.other.decisions.iter().all(|(at, _)| *at <= parting.at), "{}", case.id);
        }
    }
    assert!(parted > 0, "no incident is answered otherwise");
}

#[test]
fn a_record_that_contradicts_itself_tells_nothing() {
    let mut entries = record("half-of-requests-fail", &own());
    entries.retain(|entry| !matches!(entry, Entry::Journal(_, JournalEntry::Decided { .. })));
    let told = what_if(entries.into_iter().map(Ok), Clone::clone).expect("it can be told");
    assert!(matches!(told, Told::Contradicted(_)));
}
