//! Which ranges are needed: the time around each deploy, cut at the same places for all, so that deploys share them.

use std::collections::BTreeSet;

use super::deploys::PastDeploy;
use backspin_domain::id::ServiceId;
use backspin_domain::time::{Millis, WallTime};

/// Points per series that one question may have: what Prometheus allows a range query (`web/api/v1/api.go`).
pub const POINTS_MAX: u64 = 11_000;

/// Lengths of pieces, the longest first.
const LENGTHS_MS: [u64; 6] = [3_600_000, 1_800_000, 900_000, 300_000, 60_000, 30_000];

/// What is looked at around deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Nothing before this is asked for.
    pub from: WallTime,
    /// Nothing after this is asked for.
    pub to: WallTime,
    /// How much of the time before a deploy is learned from.
    pub history: Millis,
    /// How long a deploy is watched, unless it ends before.
    pub watch: Millis,
}

/// The time around one deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The last moment before it.
    pub start: WallTime,
    /// Its last moment.
    pub end: WallTime,
    /// Whether it ends before the watch does, because the deploy or the range was over.
    pub is_cut: bool,
}

/// A range of one service, as it is kept: after `from` up to `to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// The last moment before it.
    pub from: WallTime,
    /// Its last moment.
    pub to: WallTime,
    /// Whose series.
    pub service: ServiceId,
}

impl Span {
    /// The time around a deploy; none for a deploy outside the range.
    pub fn window(&self, deploy: &PastDeploy) -> Option<Window> {
        if deploy.at < self.from || deploy.at >= self.to {
            return None;
        }
        let whole = later(deploy.at, self.watch);
        let end = whole.min(self.to).min(deploy.ended.unwrap_or(whole));
        let start = WallTime(deploy.at.0.saturating_sub(self.history.0.cast_signed())).max(self.from);
        Some(Window { start, end, is_cut: end < whole })
    }

    /// The pieces that a window of a service is made of.
    pub fn pieces(&self, service: &ServiceId, window: Window, scrape: Millis) -> Vec<Piece> {
        let length = length(scrape).0.cast_signed();
        let mut from = window.start.0.div_euclid(length) * length;
        let mut pieces = Vec::new();
        while from < window.end.0 {
            // The range's ends are ends of pieces, since nothing beyond them may be asked for.
            let piece = Piece {
                from: WallTime(from.max(self.from.0)),
                to: WallTime((from + length).min(self.to.0)),
                service: service.clone(),
            };
            if piece.from < piece.to {
                pieces.push(piece);
            }
            from += length;
        }
        pieces
    }

    /// The pieces that all these deploys need, each once.
    pub fn all_pieces<'a>(
        &self,
        deploys: impl IntoIterator<Item = &'a PastDeploy>,
        scrape: Millis,
    ) -> BTreeSet<Piece> {
        let windows = deploys.into_iter().filter_map(|deploy| Some((deploy, self.window(deploy)?)));
        windows.flat_map(|(deploy, window)| self.pieces(&deploy.service, window, scrape)).collect()
    }
}

/// How long a piece is: as long as a question may be.
pub fn length(scrape: Millis) -> Millis {
    let fits = |length: &&u64| **length / scrape.0.max(1) <= POINTS_MAX;
    Millis(LENGTHS_MS.iter().find(fits).copied().unwrap_or(30_000))
}

fn later(at: WallTime, by: Millis) -> WallTime {
    at.ahead(i64::try_from(by.0).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::deploys::Outcome;

    fn deploy(at: i64, ended: Option<i64>) -> PastDeploy {
        PastDeploy {
            at: WallTime(at),
            service: ServiceId::new("a").expect("a name"),
            version: "v2".into(),
            pod_hash: None,
            ended: ended.map(WallTime),
            onset: None,
            outcome: Outcome::Unknown,
            note: String::new(),
            place: String::new(),
        }
    }

    #[test]
    fn as_much_is_asked_for_at_once_as_may_be() {
        for (scrape, expected) in [(15_000, 3_600_000), (1000, 3_600_000), (300, 1_800_000), (100, 900_000)] {
            assert_eq!(length(Millis(scrape)), Millis(expected));
            assert!(expected / scrape <= POINTS_MAX);
        }
    }

    proptest! {
        #[test]
        fn pieces_cover_a_window_without_gap_or_overlap_and_stay_in_the_range(
            from in 0_i64..10_000_000, length_ms in 1_i64..20_000_000, at in 0_i64..30_000_000,
            history in 0_u64..10_000_000, watch in 1_u64..10_000_000, ended in proptest::option::of(0_i64..9_000_000)
        ) {
            let span = Span { from: WallTime(from), to: WallTime(from + length_ms), history: Millis(history), watch: Millis(watch) };
            let deploy = deploy(at, ended.map(|after| at + after));
            let Some(window) = span.window(&deploy) else {
                prop_assert!(at < from || at >= from + length_ms);
                return Ok(());
            };
            prop_assert!(window.start >= span.from && window.start <= deploy.at && window.end <= span.to);
            let pieces = span.pieces(&deploy.service, window, Millis(15_000));
            prop_assert!(pieces.windows(2).all(|two| two[0].to == two[1].from));
            prop_assert!(pieces.iter().all(|it| it.from < it.to && it.from >= span.from && it.to <= span.to));
            if window.start < window.end {
                prop_assert!(pieces[0].from <= window.start && pieces[pieces.len() - 1].to >= window.end);
            }
        }
    }
}
