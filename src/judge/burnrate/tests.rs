use super::*;
use backspin_domain::frame::{ArmIncrements, RolloutView};
use backspin_domain::signal::Quality;

/// Fifteen seconds of the service: of 100000 requests, so many failed.
fn frame(n: u64, errors: u32, deployed: bool) -> Frame {
    let arm =
        ArmIncrements { quality: Quality::Fresh, requests: 100_000, errors, ..ArmIncrements::default() };
    Frame {
        at: MonoTime((n + 1) * 15_000),
        interval: Millis::from_secs(15),
        rollout: RolloutView { since_deploy: deployed.then_some(Millis(n)), candidate_share: 0.1 },
        stable: Some(arm),
        ..Frame::default()
    }
}

/// Seconds from the onset of a constant error ratio, after a clean history of six hours, to the first verdict of this class.
fn delay(params: &Params, ratio: f64, class: VerdictClass) -> Option<u64> {
    let mut judge = BurnRate::new(params);
    let clean = 6 * 240;
    for n in 0..clean {
        judge.observe(&frame(n, 0, false));
    }
    let errors = (ratio * 100_000.0) as u32;
    (0..4000).find(|n| judge.observe(&frame(clean + n, errors, true)).class == class).map(|n| (n + 1) * 15)
}

#[test]
fn detection_takes_as_long_as_the_workbook_says() {
    // factor · budget · long / e, rounded up to the next scrape: 1036.8 s, 518.4, 172.8 and 51.84.
    for (ratio, expected) in [(0.05, 1050), (0.1, 525), (0.3, 180), (1.0, 60)] {
        assert_eq!(delay(&Params::default(), ratio, VerdictClass::Fail), Some(expected), "{ratio}");
    }
}

#[test]
fn pyrra_waits_until_it_has_held() {
    // On 28 days: 14 · 0.001 · 1 h / 0.1 = 504 s, next scrape 510, then two minutes more.
    let pyrra = Params { windows: Windows::Pyrra, period_ms: 28 * 86_400_000, ..Params::default() };
    assert_eq!(delay(&pyrra, 0.1, VerdictClass::Fail), Some(630));
}

#[test]
fn slow_burns_are_tickets() {
    // Above 3 and 1, below 6: no page ever. The history is shorter than the windows, so it counts for all of them.
    assert_eq!(delay(&Params::default(), 0.005, VerdictClass::Fail), None);
    assert!(delay(&Params::default(), 0.005, VerdictClass::Marginal).is_some());
}

#[test]
fn an_alert_resolves_when_its_short_window_has_forgotten() {
    let page =
        Rule { severity: Severity::Page, short_ms: 300_000, long_ms: 3_600_000, factor: 14.4, for_ms: 0 };
    let params = Params { windows: Windows::Rules(vec![page]), ..Params::default() };
    let mut judge = BurnRate::new(&params);
    for n in 0..240 {
        judge.observe(&frame(n, 0, false));
    }
    let mut n = 240;
    while judge.observe(&frame(n, 100_000, true)).class != VerdictClass::Fail {
        n += 1;
    }
    let fired = n;
    while judge.observe(&frame(n + 1, 0, true)).class == VerdictClass::Fail {
        n += 1;
    }
    // Four scrapes of twenty were all errors: it clears when the last of them leaves the five minutes.
    assert_eq!(fired - 240, 3);
    assert_eq!(n - fired, 19);
}

#[test]
fn one_failed_call_in_few_is_a_page() {
    // At 99.9 % an hour of fewer than 1 / 0.0144 = 69.4 requests.
    for (requests, expected) in [(69, VerdictClass::Fail), (70, VerdictClass::Pass)] {
        let page =
            Params { windows: Windows::Rules(vec![Params::default().rules()[0]]), ..Params::default() };
        let mut judge = BurnRate::new(&page);
        let mut quiet = frame(0, 0, true);
        if let Some(arm) = &mut quiet.stable {
            (arm.requests, arm.errors) = (requests, 1);
        }
        assert_eq!(judge.observe(&quiet).class, expected, "{requests}");
    }
}

#[test]
fn no_requests_are_no_verdict() {
    let mut judge = BurnRate::new(&Params::default());
    let bare = Frame { stable: None, ..frame(0, 0, true) };
    assert_eq!(judge.observe(&bare).class, VerdictClass::Inconclusive);
    let mut idle = frame(1, 0, true);
    if let Some(arm) = &mut idle.stable {
        arm.requests = 0;
    }
    assert_eq!(judge.observe(&idle).class, VerdictClass::Inconclusive);
}

#[test]
fn windows_grow_with_the_period() {
    let week = Params { period_ms: 7 * 86_400_000, windows: Windows::Pyrra, ..Params::default() };
    assert_eq!((week.rules()[0].short_ms, week.rules()[0].long_ms), (75_000, 900_000));
    assert_eq!(Params::default().rules()[0].long_ms, 3_600_000);
}

#[test]
fn evidence_names_the_burn_rates() {
    let mut judge = BurnRate::new(&Params::default());
    judge.observe(&frame(0, 2000, true));
    let evidence = judge.evidence(&frame(0, 2000, true));
    assert!(
        evidence
            .words
            .starts_with("budget 0.10 %; page above 14.4 over 5m and 1h: fires at 20.00 and 20.00;"),
        "{}",
        evidence.words
    );
    assert_eq!(evidence.factors.len(), 4);
    assert!((evidence.factors[0].value - 20.0).abs() < 1e-9);
}

#[test]
fn parameters_outside_their_ranges_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    assert!(Params { objective: 99.9, ..Params::default() }.check().is_err());
    assert!(Params { windows: Windows::Rules(vec![]), ..Params::default() }.check().is_err());
    let upside_down =
        Rule { severity: Severity::Page, short_ms: 2000, long_ms: 1000, factor: 1.0, for_ms: 0 };
    let error = Params { windows: Windows::Rules(vec![upside_down]), ..Params::default() }.check();
    assert_eq!(error.expect_err("long below short").path().len(), 4);
}
