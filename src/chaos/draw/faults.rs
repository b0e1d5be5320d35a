//! When a fault begins, for how long and how strongly it holds.

use super::shape::{Size, WorldDraw};
use super::{log_uniform, pick};
use crate::kind::{Condition, FaultKind, FaultTarget, Part, Place, When};
use backspin_domain::fault::PlannedFault;
use backspin_domain::time::{Millis, MonoTime};
use backspin_world::Draw;

/// How a kind comes to take effect.
enum Rhythm {
    /// From any moment on, for a while.
    Stretch,
    /// With a piece of work; of so many first ones.
    Work(u32),
    /// At one moment, best in the middle of a rollback; then gone for a while.
    Stroke,
    /// From when a rollback begins, to be there when it matters.
    Rollback,
    /// From the deploy on: it hits pods that start.
    Deploy,
}

fn rhythm(kind: FaultKind) -> Rhythm {
    match kind {
        FaultKind::CrashUnwritten | FaultKind::CrashBefore | FaultKind::CrashAfter => Rhythm::Work(8),
        FaultKind::Quota | FaultKind::SlowPull | FaultKind::WatchExpired | FaultKind::TriggerDoubled => {
            Rhythm::Deploy
        }
        // These wait for something that comes once, or is rare: they are there for all of it.
        FaultKind::ImageGone
        | FaultKind::StaleRead
        | FaultKind::RouterStuck
        | FaultKind::StaleProxies
        | FaultKind::GitOps
        | FaultKind::SecondLeader
        | FaultKind::FlagsDown
        | FaultKind::FlagsStale
        | FaultKind::DiscoveryLate
        | FaultKind::ScriptFails
        | FaultKind::ScriptSlow => Rhythm::Rollback,
        FaultKind::DiskFull => Rhythm::Stretch,
        _ if kind.is_momentary() => Rhythm::Stroke,
        _ => match kind.place() {
            Place::Metrics | Place::World => Rhythm::Stretch,
            Place::Api => Rhythm::Work(2),
            // The first answer, the first call: mostly there is no second one.
            Place::Notification | Place::People => Rhythm::Work(1),
            Place::Process => Rhythm::Stroke,
        },
    }
}

/// A fault that takes effect for sure, as far as the world goes its usual way.
pub(super) fn sure(kind: FaultKind, world: &WorldDraw) -> PlannedFault {
    let deployed = MonoTime(world.deployed_s() * 1000);
    let when = match rhythm(kind) {
        Rhythm::Stretch => When::At(deployed + Millis::from_secs(20)),
        Rhythm::Work(_) => When::Call(0),
        Rhythm::Stroke | Rhythm::Rollback => When::Once(Condition::RollingBack),
        Rhythm::Deploy => When::At(deployed - Millis::from_secs(5)),
    };
    let lasts = match kind {
        FaultKind::GitOps | FaultKind::SecondLeader | FaultKind::Quota | FaultKind::SlowPull => {
            Millis::from_mins(3)
        }
        _ if kind.place() == Place::World || kind.place() == Place::Api => Millis::from_secs(40),
        _ => Millis::from_secs(30),
    };
    PlannedFault { lasts, ..PlannedFault::new(kind, when) }
}

/// Some kinds strike at moments only.
const fn at_moments(kind: FaultKind, when: When) -> When {
    match (kind, when) {
        (
            FaultKind::LeaseDown
            | FaultKind::TornTail
            | FaultKind::FlippedBit
            | FaultKind::OtherBuild
            | FaultKind::ClockJump
            | FaultKind::ClockBack,
            When::Call(_),
        ) => When::Once(Condition::RollingBack),
        (_, other) => other,
    }
}

/// How often a fault of this kind takes effect at most.
fn times(kind: FaultKind, dice: &mut Draw) -> u32 {
    let times = if dice.uniform() < 0.4 { 1 + pick(dice, 5) as u32 } else { u32::MAX };
    match kind {
        // The next who is asked mostly answers: where nobody does, nothing more is seen.
        FaultKind::NoAnswer | FaultKind::AskLost if dice.uniform() < 0.95 => 1,
        _ => times,
    }
}

/// Whether the engine's process is gone for as long as it lasts.
const fn kills(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::CrashUnwritten
            | FaultKind::CrashBefore
            | FaultKind::CrashAfter
            | FaultKind::TornTail
            | FaultKind::Terminated
    )
}

/// A fault of this kind.
pub(super) fn drawn(kind: FaultKind, world: &WorldDraw, dice: &mut Draw) -> PlannedFault {
    let scale = match world.size {
        Size::Small => 1.0,
        Size::Full => 4.0,
    };
    let seconds = |low: f64, high: f64, dice: &mut Draw| {
        Millis((libm::round(log_uniform(dice, low, high)) * 1000.0) as u64)
    };
    let deployed = MonoTime(world.deployed_s() * 1000);
    let any_time = |dice: &mut Draw| {
        // Not before there is anything of the candidate to be seen.
        When::At(deployed + Millis((libm::round((25.0 + dice.uniform() * 120.0) * scale) * 1000.0) as u64))
    };
    let when = match rhythm(kind) {
        Rhythm::Stretch => any_time(dice),
        Rhythm::Work(first) => When::Call(pick(dice, first as usize) as u32),
        Rhythm::Rollback => When::Once(Condition::RollingBack),
        Rhythm::Deploy => When::At(deployed - Millis::from_secs(5)),
        Rhythm::Stroke => match pick(dice, 4) {
            0 => any_time(dice),
            1 if kind.place() == Place::Process => When::Call(pick(dice, 5) as u32),
            _ => When::Once(Condition::RollingBack),
        },
    };
    // Long enough to meet what it is there for: a scrape, another look of a rival, the last step of a rollback.
    let lasts = match rhythm(kind) {
        Rhythm::Rollback => seconds(70.0, 200.0, dice),
        Rhythm::Deploy => seconds(20.0, 200.0, dice),
        Rhythm::Stretch => seconds(22.0, 90.0, dice),
        Rhythm::Work(_) | Rhythm::Stroke => seconds(5.0, 90.0, dice),
    };
    let lasts = match kind {
        // Shorter than a lease would be nothing at all.
        FaultKind::LongPause | FaultKind::LeaseDown => Millis(16_000 + lasts.0),
        // Now and then nobody starts it again for longer than it goes on after.
        _ if kills(kind) && dice.uniform() < 0.03 => world.too_long(),
        _ => lasts,
    };
    let when = at_moments(kind, when);
    // Now and then nobody can see any more whether a rollback helps.
    let blind = matches!(kind, FaultKind::MetricsDown | FaultKind::ScrapeGap) && dice.uniform() < 0.3;
    let (when, lasts) = match (blind, world.size) {
        (false, _) => (when, lasts),
        // Or not even at its end, for longer than its effect is waited for.
        (true, Size::Full) if dice.uniform() < 0.5 => {
            (When::Once(Condition::Closing), Millis(720_000 + lasts.0))
        }
        (true, _) => (When::Once(Condition::RollingBack), Millis(180_000 + lasts.0)),
    };
    let by = match kind {
        FaultKind::ClockJump | FaultKind::ClockBack => seconds(10.0, 7200.0, dice),
        // Past the wait of whoever is asked first, not past that of the next.
        FaultKind::LateAnswer => seconds(20.0, 65.0, dice),
        _ => seconds(2.0, 120.0, dice),
    };
    let share = libm::round((0.1 + 0.9 * dice.uniform()) * 100.0) / 100.0;
    let target = match pick(dice, 3) {
        0 => FaultTarget::Candidate,
        1 => FaultTarget::Stable,
        _ => FaultTarget::All,
    };
    let times = times(kind, dice);
    let never_heals = dice.uniform() < 0.05
        && (kind == FaultKind::Forbidden || (kind.part() == Part::Rest && kind.place() != Place::People));
    PlannedFault { kind, when, lasts, times, share, by, target, never_heals }
}
