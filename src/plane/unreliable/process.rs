//! What a plan of faults does to the engine's own process, and to the clock on its wall.

use super::{Simulated, Unreliable};
use crate::drive::{LEASE, Mishap, Point};
use backspin_domain::engine_io::Input;
use backspin_domain::fault::{FaultKind, When};

impl<S: Simulated> Unreliable<S> {
    /// What happens at this point, if anything does.
    pub(super) fn happens_to_process(&mut self, point: Point) -> Option<Mishap> {
        let now = self.now;
        match point {
            Point::Instant if self.moment.engines == 0 => None,
            Point::Instant => {
                let struck = self.armed.strike(
                    &[
                        FaultKind::TornTail,
                        FaultKind::Terminated,
                        FaultKind::LongPause,
                        FaultKind::TwoLeaders,
                        FaultKind::FlippedBit,
                        FaultKind::OtherBuild,
                    ],
                    now,
                );
                let struck = struck.or_else(|| {
                    let lease = self.armed.holding(FaultKind::LeaseDown, now)?;
                    // Who can renew in time notices nothing.
                    (lease.lasts > LEASE).then(|| self.armed.strike(&[FaultKind::LeaseDown], now))?
                });
                struck.map(|fault| self.mishap(fault.kind, fault.lasts))
            }
            Point::Unwritten => {
                let fault = self.armed.hit(&[FaultKind::CrashUnwritten], now)?;
                Some(self.mishap(fault.kind, fault.lasts))
            }
            Point::Written => {
                let fault = self.armed.hit(&[FaultKind::CrashBefore], now).or_else(|| {
                    let kinds = [FaultKind::LongPause, FaultKind::TwoLeaders, FaultKind::Terminated];
                    self.armed.hit_if(&kinds, now, |fault| matches!(fault.when, When::Call(_)))
                })?;
                Some(self.mishap(fault.kind, fault.lasts))
            }
            Point::Done => {
                let fault = self.armed.hit(&[FaultKind::CrashAfter], now)?;
                Some(self.mishap(fault.kind, fault.lasts))
            }
            Point::Commit => self.armed.hit(&[FaultKind::DiskFull], now).map(|_| Mishap::DiskFull),
            Point::TakeOver => self.take_over.take(),
        }
    }

    fn mishap(&mut self, kind: FaultKind, lasts: backspin_domain::time::Millis) -> Mishap {
        match kind {
            FaultKind::Terminated => Mishap::Terminates(lasts),
            FaultKind::LongPause => Mishap::StandsStill(lasts),
            FaultKind::TwoLeaders => Mishap::Superseded,
            FaultKind::LeaseDown => Mishap::LeaseDown(lasts),
            FaultKind::FlippedBit => {
                self.take_over = Some(Mishap::BitFlips);
                Mishap::Dies(lasts)
            }
            FaultKind::OtherBuild => {
                self.take_over = Some(Mishap::OtherBuild);
                Mishap::Terminates(lasts)
            }
            _ => Mishap::Dies(lasts),
        }
    }

    /// Somebody sets the calendar clock.
    pub(super) fn set_clock(&mut self) {
        let kinds = [FaultKind::ClockJump, FaultKind::ClockBack];
        while let Some(fault) = self.armed.strike(&kinds, self.now) {
            let by = fault.by.0.cast_signed();
            self.ahead_ms += if fault.kind == FaultKind::ClockJump { by } else { -by };
            self.inputs.push_back(Input::ClockSet { ahead_ms: self.ahead_ms });
        }
    }
}
