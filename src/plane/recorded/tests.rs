use std::fmt::Write as _;
use std::path::Path;

use super::*;
use backspin_domain::frame::ArmIncrements;
use backspin_domain::signal::Quality;
use backspin_policy::default_policy;
use backspin_scenario::recorded::{read, shipped};

const ID: RunId = RunId { campaign_seed: 1, seed_index: 0 };

fn case(name: &str) -> RecordedCase {
    let all = shipped().unwrap_or_else(|problems| panic!("{problems}"));
    all.into_iter().find(|case| case.id == name).expect("it is shipped")
}

fn frames(case: &RecordedCase) -> Vec<(Frame, [Option<f64>; 2])> {
    let mut frames = case.frames().unwrap_or_else(|problems| panic!("{problems}"));
    let mut all = Vec::new();
    while let Some(frame) = frames.next() {
        all.push((frame.expect("it streams"), frames.load()));
    }
    all
}

/// Every scrape at the share that `share` makes of the recorded one.
fn replayed(case: &RecordedCase, share: impl Fn(&Frame) -> f64) -> (Vec<Frame>, Model) {
    let mut model = Model::new(case, mode(case).expect("it is read"), Seed(7));
    let all = frames(case).into_iter().map(|(mut frame, load)| {
        let share = share(&frame);
        model.replay(&mut frame, share, load);
        frame
    });
    (all.collect(), model)
}

/// Requests and errors of an arm over some scrapes.
fn totals<'a>(arms: impl IntoIterator<Item = &'a Option<ArmIncrements>>) -> (f64, f64) {
    let fresh = arms.into_iter().flatten().filter(|arm| arm.quality == Quality::Fresh);
    fresh.fold((0.0, 0.0), |(n, k), arm| (n + f64::from(arm.requests), k + f64::from(arm.errors)))
}

#[test]
fn at_the_recorded_shares_the_replay_is_the_record_to_the_bit() {
    let all = shipped().unwrap_or_else(|problems| panic!("{problems}"));
    assert!(all.len() >= 10);
    for case in all {
        let recorded: Vec<Frame> = frames(&case).into_iter().map(|(frame, _)| frame).collect();
        let (played, _) = replayed(&case, |frame| frame.rollout.candidate_share);
        assert!(played == recorded, "{}", case.id);
    }
}

#[test]
fn an_engine_that_does_nothing_is_shown_the_record() {
    let case = case("quiet");
    let entries = run(&case, &default_policy().expect("it loads"), ID).expect("it plays");
    let shown: Vec<&Frame> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Input(_, Input::Collected { frame, .. }) => Some(&**frame),
            _ => None,
        })
        .collect();
    let recorded = frames(&case);
    assert_eq!(shown.len(), recorded.len());
    assert!(shown.iter().zip(&recorded).all(|(shown, (frame, _))| *shown == frame));
}

#[test]
fn what_is_drawn_again_has_the_recorded_rates() {
    // A hair beside the recorded share, everything is drawn again and nothing else changes.
    for name in ["quiet", "errors", "dependency-outage", "slow-dependency"] {
        let case = case(name);
        let recorded: Vec<Frame> = frames(&case).into_iter().map(|(frame, _)| frame).collect();
        let (played, _) = replayed(&case, |frame| (frame.rollout.candidate_share - 1e-6).max(0.0));
        for arm in [|frame: &Frame| frame.stable, |frame: &Frame| frame.candidate] {
            let of = |frames: &[Frame]| totals(&frames.iter().map(arm).collect::<Vec<_>>());
            let ((n, k), (m, l)) = (of(&recorded), of(&played));
            assert!(
                (n - m).abs() <= n.sqrt() && (k - l).abs() <= k.sqrt().max(1.0),
                "{name}: {n} {k}, {m} {l}"
            );
        }
    }
}

#[test]
fn without_the_candidate_the_old_version_serves_all_with_its_own_rates() {
    let case = case("errors");
    let (recorded, (played, model)) = (frames(&case), replayed(&case, |_| 0.0));
    let late = |frame: &Frame| frame.rollout.since_deploy.is_some_and(|since| since > Millis::from_mins(2));
    let of = |arm: fn(&Frame) -> Option<ArmIncrements>, frames: &mut dyn Iterator<Item = &Frame>| {
        totals(&frames.filter(|frame| late(frame)).map(arm).collect::<Vec<_>>())
    };
    let (n, k) = of(|frame| frame.stable, &mut recorded.iter().map(|(frame, _)| frame));
    let (candidates, bad) = of(|frame| frame.candidate, &mut recorded.iter().map(|(frame, _)| frame));
    let (m, l) = of(|frame| frame.stable, &mut played.iter());
    assert_eq!(of(|frame| frame.candidate, &mut played.iter()), (0.0, 0.0));
    // All requests go to it; the doubled half is a Poisson draw.
    assert!((m - (n + candidates)).abs() < 4.0 * (n + candidates).sqrt(), "{m} of {n} + {candidates}");
    assert!(l / m < 0.25 * bad / candidates, "{l}/{m} against {bad}/{candidates}");
    assert!((l / m - k / n).abs() < 4.0 * (k.max(1.0) * 2.0).sqrt() / n, "{l}/{m} against {k}/{n}");
    assert_eq!(model.extrapolated, None);
}

#[test]
fn a_rollback_does_not_cure_what_comes_from_outside() {
    let case = case("dependency-outage");
    let errors = |frames: &[Frame]| {
        let (n, k) = totals(&frames.iter().map(|frame| frame.stable).collect::<Vec<_>>());
        k / n
    };
    let recorded: Vec<Frame> = frames(&case).into_iter().map(|(frame, _)| frame).collect();
    let (played, _) = replayed(&case, |_| 0.0);
    assert!(errors(&recorded) > 0.02, "{}", errors(&recorded));
    assert!(errors(&played) > 0.8 * errors(&recorded), "{}", errors(&played));
}

#[test]
fn damage_that_outlives_the_version_is_seen_after_it() {
    let mut lasting = case("errors");
    lasting.residual = Millis::from_mins(5);
    let gone = |frame: &Frame| {
        let late = frame.rollout.since_deploy.is_some_and(|since| since > Millis::from_secs(150));
        if late { 0.0 } else { frame.rollout.candidate_share }
    };
    let failed = |case: &RecordedCase| {
        let frames = replayed(case, gone).0;
        let late: Vec<_> =
            frames.iter().filter(|frame| frame.rollout.since_deploy > Some(Millis::from_secs(150))).collect();
        totals(&late.iter().map(|frame| frame.stable).collect::<Vec<_>>()).1
    };
    assert!(failed(&lasting) > 2.0 * failed(&case("errors")).max(1.0), "{}", failed(&lasting));
}

#[test]
fn beyond_the_records_own_rollback_the_candidate_is_extrapolated() {
    let case = case("errors-rolled-back");
    let back = case.rolled_back.expect("the record rolled back");
    let (played, model) = replayed(&case, |frame| if frame.at > case.change { 0.5 } else { 0.0 });
    assert!(model.extrapolated.is_some());
    let late: Vec<_> = played.iter().filter(|frame| frame.at > back + Millis::from_secs(10)).collect();
    let (n, k) = totals(&late.iter().map(|frame| frame.candidate).collect::<Vec<_>>());
    assert!(n > 500.0 && (0.04..0.14).contains(&(k / n)), "{k}/{n}");
    let entries = run(&case, &default_policy().expect("it loads"), ID).expect("it plays");
    let unknown =
        |entry: &Entry| matches!(entry, Entry::Truth(_, TruthEntry::Known(truth)) if !truth.recovery_known);
    assert!(entries.iter().any(unknown), "what recovery would have been is not claimed");
    let Some(Entry::Header(header)) = entries.first() else { panic!("no header") };
    assert!(header.assumptions.iter().any(|words| words.starts_with("extrapolated from")));
}

/// The whole of a recorded case, with the candidate's share times `times`, as a source of its own.
fn whole(name: &str, share: impl Fn(f64) -> f64) -> RecordedCase {
    let case = case(name);
    let mut table = "t_seconds,candidate_share,error_rate,requests_per_second\n".to_owned();
    for (frame, _) in frames(&case) {
        let (n, k) = totals(&[frame.stable, frame.candidate]);
        let at = frame.at.as_secs_f64();
        let share = share(frame.rollout.candidate_share);
        let _ = writeln!(table, "{at},{share},{},{}", k / n.max(1.0), n / 2.0);
    }
    let change = case.change.as_secs_f64();
    let list = serde_json::json!({
        "source": "whole", "licence": "MIT", "origin": "a test",
        "cases": [{
            "id": name, "attribution": "a test", "file": "whole.csv", "label": "bad", "service": "checkout",
            "change_s": change, "onset_s": change + 2.0, "horizon_s": 280.0, "sampling_period_s": 2.0,
        }],
    });
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    std::fs::write(folder.join("whole.csv"), table).expect("written");
    std::fs::write(folder.join("cases.json"), list.to_string()).expect("written");
    read(Path::new(&folder)).unwrap_or_else(|problems| panic!("{problems}")).cases.remove(0)
}

#[test]
fn from_the_whole_the_candidates_errors_are_found_by_its_share() {
    let whole = whole("errors", |share| share);
    assert_eq!(mode(&whole).expect("it is read"), Mode::Aggregate);
    let (played, _) = replayed(&whole, |frame| if frame.at > whole.change { 1.0 } else { 0.0 });
    let late: Vec<_> =
        played.iter().filter(|frame| frame.rollout.since_deploy > Some(Millis::from_mins(2))).collect();
    let (n, k) = totals(&late.iter().map(|frame| frame.candidate).collect::<Vec<_>>());
    let recorded = frames(&case("errors"));
    let (m, l) = totals(&recorded.iter().map(|(frame, _)| frame.candidate).collect::<Vec<_>>());
    // Twice the sampling error of the recorded candidate and as much for the mixture, clipped at zero.
    assert!((k / n - l / m).abs() < 0.02, "{k}/{n} against {l}/{m}");
}

#[test]
fn a_whole_with_a_tiny_share_is_refused_and_says_why() {
    let tiny = whole("errors", |share| share * 0.2);
    assert!(matches!(mode(&tiny).expect("it is read"), Mode::Open(why) if why.contains("below 5 %")));
    let entries = run(&tiny, &default_policy().expect("it loads"), ID).expect("it plays");
    let Some(Entry::Header(header)) = entries.first() else { panic!("no header") };
    assert!(header.assumptions[0].contains("open loop"), "{:?}", header.assumptions);
}
