//! From a world behind a Prometheus to decisions: the frames are those that the world showed, and so are the decisions.

use backspin_domain::event::DecisionKind;
use backspin_domain::frame::Frame;
use backspin_domain::signal::SignalKind;
use backspin_domain::time::MonoTime;
use backspin_policy::{JudgeName, Policy, default_policy};

use super::served::{START, address, empty, fetched, manner, metrics, play, runtime, serve, span};
use crate::frames::{Framed, frames};
use crate::history::History;
use crate::judged::{Course, courses, failed_beyond};
use crate::pieces::Window;
use crate::store::Store;

fn policies() -> Vec<Policy> {
    let own = default_policy().expect("it loads");
    JudgeName::ALL.iter().map(|judge| own.with_judge(*judge)).collect()
}

struct Judged {
    window: Window,
    framed: Framed,
    courses: Vec<Course>,
    shown: Vec<Frame>,
}

/// Plays a scenario behind a Prometheus, fetches it, and judges it.
fn judged(name: &str, seed: u64) -> Judged {
    let store = empty();
    let (deploy, shown) = play(&store, name, 90, seed);
    let folder = tempfile::tempdir().expect("a folder");
    let window = span().window(&deploy).expect("it is in the range");
    let series = runtime().block_on(async {
        let server = serve(&store, Vec::new()).await;
        let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
        let pieces = span().all_pieces([&deploy], metrics().scrape());
        fetched(&server, &kept, &pieces, manner(1)).await.0.expect("it answers");
        let history = History::open(folder.path(), &metrics(), span()).expect("there are pieces");
        history.series(&metrics(), &deploy.service, window).expect("they are whole")
    });
    let framed = frames(&metrics(), &deploy, window, &series);
    let courses =
        courses(&policies(), &metrics(), &deploy, window, &series, &framed).expect("the queries fit");
    Judged { window, framed, courses, shown }
}

#[test]
fn frames_are_those_that_the_world_showed() {
    let judged = judged("half-of-requests-fail", 3);
    // Both clocks count from other moments.
    let offset = judged.window.start.0 - START.ahead(90 * 60_000).0;
    let mut compared = 0;
    // What a first scrape counts from, nobody knows.
    let first = judged.shown[0].at;
    for frame in &judged.framed.frames[1..] {
        let at = MonoTime((frame.at.0.cast_signed() + offset).cast_unsigned());
        if at <= first {
            continue;
        }
        let Some(shown) = judged.shown.iter().find(|shown| shown.at == at) else { continue };
        let counts = |arm: Option<backspin_domain::frame::ArmIncrements>| {
            arm.map_or((0, 0, [0; 24]), |arm| (arm.requests, arm.errors, arm.latency_buckets))
        };
        assert_eq!(counts(frame.candidate), counts(shown.candidate), "candidate at {at}");
        assert_eq!(counts(frame.stable), counts(shown.stable), "stable at {at}");
        compared += 1;
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn a_loud_failure_is_rolled_back_and_a_healthy_deploy_is_not() {
    let bad = judged("half-of-requests-fail", 3);
    let rolled_back = bad.courses[0].first(DecisionKind::RollBack).expect("the default judge sees it");
    assert!(rolled_back.after.0 < 20 * 60_000, "{rolled_back:?}");
    assert!(failed_beyond(&bad.framed, rolled_back.after) > 0.0);
    assert!(bad.courses.iter().all(Course::could_judge));
    let good = judged("plain-canary", 4);
    assert_eq!(good.courses[0].first(DecisionKind::RollBack), None, "{:?}", good.courses[0].decisions);
    assert_eq!(good.courses[0].first(DecisionKind::Escalate), None, "{:?}", good.courses[0].decisions);
}

#[test]
fn the_shipped_queries_answer_over_what_was_fetched() {
    let bad = judged("half-of-requests-fail", 3);
    let store = empty();
    let (deploy, _) = play(&store, "half-of-requests-fail", 90, 3);
    let window = span().window(&deploy).expect("it is in the range");
    let series = runtime().block_on(async {
        let server = serve(&store, Vec::new()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Store::open(folder.path(), &address(&server)).expect("a folder");
        let pieces = span().all_pieces([&deploy], metrics().scrape());
        fetched(&server, &kept, &pieces, manner(1)).await.0.expect("it answers");
        let history = History::open(folder.path(), &metrics(), span()).expect("there are pieces");
        history.series(&metrics(), &deploy.service, window).expect("they are whole")
    });
    let mut filled = bad.framed.frames.clone();
    crate::queries::fill(&policies()[0], &metrics(), &deploy, window, &series, &mut filled)
        .expect("they fit");
    for kind in [SignalKind::ErrorRatio, SignalKind::LatencyP99, SignalKind::Throughput, SignalKind::Cpu] {
        let answered = filled.iter().filter(|frame| frame.signals.get(kind).usable().is_some()).count();
        // The world began half an hour before its deploy, in the middle of the history.
        let shown = bad.shown.len();
        assert!(answered * 10 > shown * 9 && answered <= shown, "{kind}: {answered} of {shown}");
    }
}
