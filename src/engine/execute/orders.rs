//! An order as it may be given now. Between planning and now, somebody else may have moved traffic or pods.

use backspin_domain::event::RollbackEvent;
use backspin_domain::id::VersionId;
use backspin_domain::plan::StepAction;
use backspin_domain::units::TrafficShare;

use super::compensate::NOBODY;
use crate::state::Service;

/// The action, so that it leaves the candidate no more than this `share` of the traffic and the target no fewer than these `pods`:
/// what they have by now.
pub(super) fn never_worse(action: &StepAction, target: &VersionId, share: f64, pods: u32) -> StepAction {
    let mut action = action.clone();
    match &mut action {
        StepAction::ShiftTraffic { to_share, .. } => {
            *to_share = TrafficShare::clamped(to_share.get().max(1.0 - share));
        }
        StepAction::ScaleVersion { version, replicas } if version == target => {
            *replicas = pods.max(*replicas);
        }
        _ => {}
    }
    action
}

/// Why the candidate's pods stay, in words: it is given traffic, whatever was done about that before. Somebody else moved it
/// back, or its rollout went on, while a step waited or was tried again.
pub(super) fn takes_what_serves(
    action: &StepAction,
    event: &RollbackEvent,
    service: &Service,
) -> Option<String> {
    let StepAction::ScaleVersion { version, replicas: 0 } = action else { return None };
    (*version == event.current && *version != event.target && service.share > NOBODY).then(|| {
        format!("{version} is given {:.0} % of the traffic again, so its pods stay", service.share * 100.0)
    })
}

/// Why traffic is not moved, in words: no pod is known that would answer it. They were there when it was planned, and went
/// while a step waited, or the engine was away.
pub(super) fn nobody_is_there(action: &StepAction, service: &Service) -> Option<String> {
    let to = match action {
        StepAction::ShiftTraffic { to, to_share, .. } if to_share.get() > 0.0 => to,
        StepAction::SwitchTraffic { to, .. } => to,
        _ => return None,
    };
    (service.ready_at_least(to) == 0)
        .then(|| format!("no pod of {to} is ready, so no traffic is moved to it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::driver::version;

    #[test]
    fn an_order_never_raises_the_share() {
        for (planned, has, given) in [(0.75, 0.5, 0.75), (0.75, 0.1, 0.9), (1.0, 0.0, 1.0), (0.5, 1.0, 0.5)] {
            let to_share = TrafficShare::clamped(planned);
            let (from, to) = (version("v3"), version("v2"));
            let action = StepAction::ShiftTraffic { from, to: to.clone(), to_share };
            let action = never_worse(&action, &to, has, 0);
            let StepAction::ShiftTraffic { to_share, .. } = action else { panic!("{action:?}") };
            assert!((to_share.get() - given).abs() < 1e-12, "{planned} {has}");
        }
    }

    #[test]
    fn an_order_never_takes_pods_of_the_target() {
        let scale = |name, replicas| StepAction::ScaleVersion { version: version(name), replicas };
        for (planned, has, given) in [(3, 5, 5), (3, 2, 3), (3, 3, 3)] {
            assert_eq!(never_worse(&scale("v2", planned), &version("v2"), 1.0, has), scale("v2", given));
        }
        assert_eq!(
            never_worse(&scale("v3", 0), &version("v2"), 1.0, 5),
            scale("v3", 0),
            "the candidate's may go"
        );
    }
}
