use super::*;

fn version(name: &str) -> VersionId {
    VersionId::new(name).expect("valid")
}

fn scale(name: &str, replicas: u32) -> StepAction {
    StepAction::ScaleVersion { version: version(name), replicas }
}

fn shift(to_share: f64) -> StepAction {
    let to_share = TrafficShare::clamped(to_share);
    StepAction::ShiftTraffic { from: version("v42"), to: version("v41"), to_share }
}

#[track_caller]
fn check(action: StepAction, undo: Option<StepAction>, asked: &StepAction, expected: Purpose) {
    let step = Step {
        action,
        timeout: Millis::from_secs(30),
        critical: true,
        on_failure: OnFailure::UndoAndEscalate,
        undo,
        checks: Vec::new(),
    };
    assert_eq!(step.purpose(asked), expected);
}

#[test]
fn what_takes_a_step_back_is_told_from_what_repeats_it() {
    check(scale("v41", 10), Some(scale("v41", 3)), &scale("v41", 10), Purpose::Do);
    check(scale("v41", 10), Some(scale("v41", 3)), &scale("v41", 3), Purpose::Undo);
    check(scale("v41", 10), Some(scale("v42", 10)), &scale("v42", 10), Purpose::Undo);
    check(scale("v41", 10), Some(scale("v41", 10)), &scale("v41", 10), Purpose::Do);
}

#[test]
fn a_share_that_had_to_be_changed_still_carries_the_step_out() {
    check(shift(0.75), None, &shift(0.9), Purpose::Do);
    check(shift(0.75), Some(shift(0.5)), &shift(0.9), Purpose::Do);
    check(shift(0.75), Some(shift(0.5)), &shift(0.5), Purpose::Undo);
}

#[test]
fn a_stage_that_is_reversed_is_an_undo_of_the_watch_that_found_why() {
    check(
        StepAction::WatchHealth { hold: Millis::from_secs(30), warm_up: Millis::ZERO },
        None,
        &shift(0.75),
        Purpose::Undo,
    );
}
