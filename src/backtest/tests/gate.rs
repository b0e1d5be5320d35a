//! The evaluation at full size: thirty days, fifty services, two hundred deploys out of worlds, asked for at ten requests per second.
//!
//! Run with `cargo test --release -p backspin-backtest --lib gate -- --ignored --nocapture`. It waits on the real clock and prints what it took;
//! the mock Prometheus is in the same process, so its work counts as well. The data hold the time around the deploys only: thirty whole days of
//! fifty services would be half a billion samples.

use std::sync::{Arc, RwLock};

use backspin_domain::event::DecisionKind;
use backspin_domain::id::ServiceId;
use backspin_domain::time::Millis;
use backspin_mocks::store::{Limits, Store};
use backspin_plane::RunId;
use backspin_plane::http::metrics::Exporter;
use backspin_policy::{JudgeName, Policy, default_policy};
use backspin_scenario::model::Scenario;
use backspin_scenario::shipped;
use backspin_world::World;

use super::served::{START, address, client, manner, metrics, runtime, scrapes, serve};
use crate::deploys::{Outcome, PastDeploy};
use crate::fetch::fetch;
use crate::frames::frames;
use crate::history::History;
use crate::judged::courses;
use crate::pace::{Clock as _, SystemClock};
use crate::pieces::Span;
use crate::store::Store as Kept;

const DAYS: i64 = 30;
const SERVICES: usize = 50;
const DEPLOYS: usize = 200;
const DAY_MS: i64 = 86_400_000;

/// What is deployed: good and bad, in turn, three good for one bad.
const PLAYED: [(&str, Outcome); 8] = [
    ("plain-canary", Outcome::Good),
    ("half-of-requests-fail", Outcome::Bad),
    ("cold-start", Outcome::Good),
    ("rolling-daily-drift", Outcome::Good),
    ("plain-canary", Outcome::Good),
    ("five-points", Outcome::Bad),
    ("cold-start", Outcome::Good),
    ("plain-canary", Outcome::Good),
];

/// Plays one deploy of a service into the store.
fn play(store: &Arc<RwLock<Store>>, all: &[Scenario], number: usize) -> PastDeploy {
    let (name, outcome) = PLAYED[number % PLAYED.len()];
    let mut scenario = all.iter().find(|scenario| scenario.name == name).expect("it is shipped").clone();
    scenario.service.id = ServiceId::new(&format!("service-{:02}", number % SERVICES)).expect("a name");
    let id = RunId { campaign_seed: 1, seed_index: number as u64 };
    let mut world = World::new(&scenario, id.seed(scenario.draw));
    // Each service is deployed every week or so, at some time of a working day.
    let nth = number.cast_signed() as i64;
    let services = SERVICES.cast_signed() as i64;
    let day = nth / services * 7 + nth % services % 5;
    let minute = 9 * 60 + (nth * 37) % (8 * 60);
    let deployed = START.0.div_euclid(DAY_MS) * DAY_MS + DAY_MS + day * DAY_MS + minute * 60_000;
    let start = backspin_domain::time::WallTime(deployed - scenario.deploy.at.0.cast_signed());
    let mut exporter = Exporter::new(Arc::clone(store), &world, &scenario.service.id, start);
    let end = scenario.deploy.at + Millis::from_mins(60);
    scrapes(&mut world, scenario.timing.scrape, end, |world, frame| {
        exporter.write(world, &frame).expect("the store takes it");
    });
    PastDeploy {
        at: backspin_domain::time::WallTime(deployed),
        service: scenario.service.id.clone(),
        version: scenario.deploy.version.to_string(),
        pod_hash: None,
        ended: None,
        onset: None,
        outcome,
        note: String::new(),
        place: format!("deploys.csv:{}", number + 2),
    }
}

#[test]
#[ignore = "an evaluation that waits for minutes on the real clock"]
#[expect(clippy::print_stdout, reason = "what it took is its result")]
fn gate() {
    let all = shipped().expect("they load");
    let limits = Limits { retention_ms: i64::MAX / 4, series_max: 1_000_000, ..Limits::default() };
    let store = Arc::new(RwLock::new(Store::new(limits)));
    let deploys: Vec<PastDeploy> = (0..DEPLOYS).map(|number| play(&store, &all, number)).collect();
    let samples = store.read().expect("nobody panicked").samples_count();
    let from = backspin_domain::time::WallTime(START.0.div_euclid(DAY_MS) * DAY_MS);
    let span = Span {
        from,
        to: from.ahead(DAYS * DAY_MS),
        history: Millis::from_mins(120),
        watch: Millis::from_mins(60),
    };
    assert!(deploys.iter().all(|deploy| span.window(deploy).is_some()));
    let folder = tempfile::tempdir().expect("a folder");
    let pieces = span.all_pieces(&deploys, metrics().scrape());
    println!("{samples} samples, {} pieces", pieces.len());
    runtime().block_on(async {
        let server = serve(&store, Vec::new()).await;
        let kept = Kept::open(folder.path(), &address(&server)).expect("a folder");
        let (began, clock) = (SystemClock::start(), SystemClock::start());
        let (client, metrics, manner) = (client(&server), metrics(), manner(5));
        let done = fetch(&client, &metrics, &kept, &pieces, manner, clock, &mut |_| {}).await;
        let done = done.expect("it answers");
        println!("fetched with {} requests in {}", done.requests, Millis(began.now().0));
        assert!(done.requests <= 3_000);
        judge(&deploys, &History::Kept { store: kept, span }, span);
        println!("all in {}", Millis(began.now().0));
    });
}

#[expect(clippy::print_stdout, reason = "what came of it is the result")]
fn judge(deploys: &[PastDeploy], history: &History, span: Span) {
    let own = default_policy().expect("it loads");
    let policies: Vec<Policy> = JudgeName::ALL.iter().map(|judge| own.with_judge(*judge)).collect();
    let mut rolled_back = [[0_usize; 2]; JudgeName::ALL.len()];
    for deploy in deploys {
        let window = span.window(deploy).expect("it is in the range");
        let series = history.series(&metrics(), &deploy.service, window).expect("they are whole");
        let framed = frames(&metrics(), deploy, window, &series);
        let courses =
            courses(&policies, &metrics(), deploy, window, &series, &framed).expect("the queries fit");
        for (counts, course) in rolled_back.iter_mut().zip(courses) {
            let is_bad = usize::from(deploy.outcome == Outcome::Bad);
            counts[is_bad] += usize::from(course.first(DecisionKind::RollBack).is_some());
        }
    }
    let bad = deploys.iter().filter(|deploy| deploy.outcome == Outcome::Bad).count();
    for (judge, [good_ones, bad_ones]) in JudgeName::ALL.iter().zip(rolled_back) {
        println!("{}: {bad_ones} of {bad} bad, {good_ones} of {} good", judge.name(), deploys.len() - bad);
    }
}
