//! Frames of raw samples: what counts, what is missing, and what is new.

use backspin_plane::http::metrics::{RawSeries, Sample};

use super::served::{START, deploy, metrics, span};
use crate::frames::{APPEARS_WITHIN, Framed, GONE_AFTER, frames};
use crate::pieces::Window;
use backspin_domain::signal::Quality;
use backspin_domain::time::Millis;

const STEP_MS: i64 = 15_000;

/// The window of a deploy one hour after [`START`].
fn window() -> Window {
    span().window(&deploy("a", 60)).expect("it is in the range")
}

/// Requests of a version: one counter, with samples at these scrapes, counted from [`START`], and their values.
fn requests(
    version: &str,
    code: &str,
    pod: &str,
    samples: impl IntoIterator<Item = (i64, f64)>,
) -> RawSeries {
    let labels = [
        ("__name__", "http_requests_total"),
        ("code", code),
        ("pod", pod),
        ("service", "a"),
        ("version", version),
    ];
    RawSeries {
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        // A target is scraped some time within the interval.
        samples: samples
            .into_iter()
            .map(|(n, value)| Sample { at_ms: START.0 + n * STEP_MS - 4_000, value })
            .collect(),
    }
}

fn framed(series: &[RawSeries]) -> Framed {
    frames(&metrics(), &deploy("a", 60), window(), series)
}

/// Ten requests each scrape.
fn steady(from: i64, to: i64) -> impl Iterator<Item = (i64, f64)> {
    (from..=to).map(|n| (n, 1000.0 + n as f64 * 10.0))
}

#[test]
fn counts_are_increments_and_the_first_sample_is_where_counting_begins() {
    let framed = framed(&[
        requests("v1", "200", "a-1", steady(1, 480)),
        requests("v2", "500", "b-1", steady(244, 480)),
    ]);
    assert_eq!(framed.frames.len(), 480);
    let stable = |n: usize| framed.frames[n].stable.expect("it is there");
    assert_eq!((stable(0).quality, stable(0).requests), (Quality::Fresh, 0));
    assert_eq!((stable(1).requests, stable(479).requests), (10, 10));
    // The deploy is at scrape 240; its first pod is seen at 244, and counted from zero, since its service was being scraped.
    assert!(framed.frames[242].candidate.is_none());
    let first = framed.frames[243].candidate.expect("it appears");
    assert_eq!((first.requests, first.errors), (1000 + 2440, 1000 + 2440));
    assert_eq!(framed.coverage.first_seen, Some(Millis(60_000)));
    assert_eq!((framed.coverage.before, framed.coverage.after), ((240, 240), (237, 240)));
    assert_eq!(framed.frames[300].rollout.candidate_share, 0.5);
    assert_eq!(framed.frames[300].pods.len(), 2);
    assert!(
        framed.frames[239].rollout.since_deploy.is_none()
            && framed.frames[240].rollout.since_deploy.is_some()
    );
}

#[test]
fn a_gap_is_missing_and_what_it_hid_comes_after_it() {
    let gap = |(n, _): &(i64, f64)| !(100..110).contains(n) && !(300..310).contains(n);
    let framed = framed(&[
        requests("v1", "200", "a-1", steady(1, 480).filter(gap)),
        requests("v2", "200", "b-1", steady(241, 480).filter(gap)),
    ]);
    let arms = |n: usize| (framed.frames[n - 1].candidate, framed.frames[n - 1].stable.expect("it is there"));
    assert_eq!(arms(105).1.quality, Quality::Missing);
    assert_eq!((arms(110).1.quality, arms(110).1.requests), (Quality::Fresh, 110));
    let (candidate, stable) = arms(305);
    assert_eq!(
        (candidate.expect("it was seen").quality, stable.quality),
        (Quality::Missing, Quality::Missing)
    );
    assert_eq!((candidate.expect("it was seen").requests, stable.requests), (0, 0));
    assert_eq!(framed.coverage.before, (230, 240));
}

#[test]
fn after_a_long_silence_nobody_knows_when_a_new_series_began() {
    let framed = framed(&[
        requests("v1", "200", "a-1", steady(1, 10)),
        // Everything is silent for ten minutes; then another pod is there, which may have counted long before.
        requests("v1", "200", "a-2", steady(51, 480)),
    ]);
    assert_eq!(framed.frames[50].stable.expect("it is there").requests, 0);
    assert_eq!(framed.frames[51].stable.expect("it is there").requests, 10);
}

#[test]
fn an_old_version_that_ends_is_missing_first_and_then_gone() {
    let framed = framed(&[
        requests("v1", "200", "a-1", steady(1, 260)),
        requests("v2", "200", "b-1", steady(241, 480)),
    ]);
    let last = 260 + (GONE_AFTER.0.cast_signed() / STEP_MS) as usize;
    assert_eq!(framed.frames[last - 1].stable.expect("it may come back").quality, Quality::Missing);
    assert!(framed.frames[last].stable.is_none());
    // Without the candidate nobody can tell that from a scrape that failed.
    let alone =
        frames(&metrics(), &deploy("a", 60), window(), &[requests("v1", "200", "a-1", steady(1, 260))]);
    assert_eq!(alone.frames[479].stable.expect("nobody knows").quality, Quality::Missing);
}

#[test]
fn a_candidate_that_is_never_seen_is_missing_after_a_while() {
    let framed = framed(&[requests("v1", "200", "a-1", steady(1, 480))]);
    let last = 240 + (APPEARS_WITHIN.0.cast_signed() / STEP_MS) as usize;
    assert!(framed.frames[last - 1].candidate.is_none());
    assert_eq!(framed.frames[last].candidate.expect("it should be there").quality, Quality::Missing);
    assert_eq!(framed.coverage.first_seen, None);
}

#[test]
fn a_counter_that_begins_anew_counts_what_it_shows() {
    let reset = (1..=480).map(|n: i64| (n, if n < 100 { n as f64 * 10.0 } else { (n - 99) as f64 * 10.0 }));
    let framed = framed(&[requests("v1", "200", "a-1", reset)]);
    assert!(framed.frames[1..].iter().all(|frame| frame.stable.expect("it is there").requests == 10));
}

#[test]
fn a_version_that_served_before_its_deploy_is_told() {
    assert!(framed(&[requests("v2", "200", "a-1", steady(1, 480))]).coverage.served_before);
    assert!(!framed(&[requests("v2", "200", "a-1", steady(241, 480))]).coverage.served_before);
}
