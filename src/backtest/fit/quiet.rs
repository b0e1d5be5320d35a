//! Frames in which nothing was deployed.

use backspin_domain::frame::{ArmIncrements, LATENCY_BUCKETS};
use backspin_domain::id::ServiceId;
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, WallTime};

use super::{COVERED_MIN, FRAMES_MIN, Seen, Unfit};

/// Processor use of an idle pod in the world.
const CPU_IDLE: f64 = 0.03;

/// One scrape of the service before a deploy.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuietFrame {
    /// Its end, calendar time, milliseconds.
    pub(super) at_ms: i64,
    /// What was counted.
    pub(super) arm: ArmIncrements,
}

/// The quiet frames of a service, by deploy.
#[derive(Clone, Debug)]
pub(super) struct Quiet {
    pub(super) scrape: Millis,
    pub(super) from: WallTime,
    pub(super) to: WallTime,
    pub(super) windows: Vec<Vec<QuietFrame>>,
}

impl Quiet {
    pub(super) fn of(service: &ServiceId, seen: &[Seen<'_>]) -> Result<Self, Unfit> {
        let Some(first) = seen.first() else {
            return Err(Unfit::NoDeploy { service: service.to_string(), known: "others only".to_owned() });
        };
        let place = first.deploy.place.clone();
        let service = service.to_string();
        let scrape = first.framed.frames.first().map_or(Millis(1), |frame| frame.interval);
        let mut quiet = Self { scrape, from: first.window.start, to: first.window.end, windows: Vec::new() };
        let (mut found, mut wanted, mut worst) = (0, 0, (1.0, place.clone()));
        for seen in seen {
            quiet.from = quiet.from.min(seen.window.start);
            quiet.to = quiet.to.max(seen.window.end);
            let (there, all) = seen.framed.coverage.before;
            (found, wanted) = (found + there, wanted + all);
            let share = if all > 0 { there as f64 / all as f64 } else { 1.0 };
            if share < worst.0 {
                worst = (share, seen.deploy.place.clone());
            }
            quiet.windows.push(before(seen));
        }
        quiet.windows.retain(|window| !window.is_empty());
        let requests: u64 = quiet.all().map(|frame| u64::from(frame.arm.requests)).sum();
        if requests == 0 {
            return Err(Unfit::NoSeries { place, service });
        }
        if (found as f64) < COVERED_MIN * wanted as f64 {
            return Err(Unfit::Gaps { place: worst.1, service, found, wanted });
        }
        let frames = quiet.frames();
        if frames < FRAMES_MIN {
            return Err(Unfit::TooShort { place, service, frames });
        }
        Ok(quiet)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &QuietFrame> {
        self.windows.iter().flatten()
    }

    pub(super) fn frames(&self) -> usize {
        self.windows.iter().map(Vec::len).sum()
    }

    pub(super) fn interval_s(&self) -> f64 {
        self.scrape.as_secs_f64()
    }

    /// How busy pods were on average, from their processor use; none where that is not measured.
    pub(super) fn busy(&self) -> Option<f64> {
        let cpu = mean(self.all().filter_map(|frame| busy_of(&frame.arm)))?;
        (cpu > 0.0).then_some(cpu)
    }

    /// The usual number of pods; none where they are not told apart.
    pub(super) fn replicas(&self) -> Option<u32> {
        let mut counts: Vec<u16> = self.all().map(|frame| frame.arm.pods_ready).collect();
        counts.sort_unstable();
        let middle = *counts.get(counts.len() / 2)?;
        // An arm without pods of its own counts as one, and its processor use is not told.
        let told = middle > 1 || self.all().any(|frame| frame.arm.cpu_ratio > 0.0);
        told.then_some(u32::from(middle))
    }

    pub(super) fn memory(&self) -> Option<f64> {
        mean(self.all().map(|frame| f64::from(frame.arm.memory_ratio)).filter(|ratio| *ratio > 0.0))
    }

    pub(super) fn conversion(&self) -> Option<f64> {
        let (mut converted, mut good) = (0.0, 0.0);
        for QuietFrame { arm, .. } in self.all() {
            converted += f64::from(arm.conversions);
            good += f64::from(arm.requests.saturating_sub(arm.errors));
        }
        (converted > 0.0 && good > 0.0).then(|| converted / good)
    }

    /// Requests by response time over all frames.
    pub(super) fn buckets(&self) -> [f64; LATENCY_BUCKETS] {
        let mut sum = [0.0; LATENCY_BUCKETS];
        for frame in self.all() {
            for (sum, n) in sum.iter_mut().zip(frame.arm.latency_buckets) {
                *sum += f64::from(n);
            }
        }
        sum
    }
}

/// What was scraped of a service before a deploy. The first scrape is where counting begins, and says nothing.
fn before(seen: &Seen<'_>) -> Vec<QuietFrame> {
    let framed = seen.framed;
    let frames = framed.frames.iter().filter(|frame| frame.at <= framed.deployed);
    let fresh = frames.filter_map(|frame| {
        let arm = frame.stable.filter(|arm| arm.quality == Quality::Fresh)?;
        Some(QuietFrame { at_ms: seen.window.start.0 + frame.at.0.cast_signed(), arm })
    });
    fresh.skip(1).collect()
}

/// How busy an arm's pods were, from their processor use; none where it is not measured.
pub(super) fn busy_of(arm: &ArmIncrements) -> Option<f64> {
    let cpu = f64::from(arm.cpu_ratio);
    (cpu > 0.0).then(|| ((cpu - CPU_IDLE) / (1.0 - CPU_IDLE)).clamp(0.0, 0.95))
}

/// The mean; none of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u64), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}
