//! What each deploy would have cost had an oracle decided, as the measure of regret.
//!
//! The oracle knows the truth from the record of a run that was played before, never from within one: whether the deploy
//! is bad, when its harm began, and whether a rollback ends it. Where it does, a second run of the same seed is played
//! in which a person asks for a rollback at that moment; the engine plans and carries it out as for anybody, under a policy
//! whose judge never fails a candidate. Where it does not, and of all good deploys, nobody acts. One such run per scenario
//! and seed serves all judges.
//!
//! How bad the harm will be cannot be measured at its onset, and yet the strategy follows from it. So the oracle asks as for
//! the severity that the policy's own engine found in its run of the same seed, and where that did not roll back, as for
//! critical harm. What an oracle is not: the least possible cost. Letting slight harm go can be cheaper.

use super::PlaneError;
use backspin_domain::entry::Entry;
use backspin_domain::event::Severity;
use backspin_domain::time::MonoTime;
use backspin_engine::settings::{Attribution, MissingAction, SeverityRule};
use backspin_judge::{JudgeParams, weighted};
use backspin_plane::direct::{Prepared, SeedWorld};
use backspin_policy::Policy;
use backspin_score::RunOutcome;

/// Who decides by the truth, for all scenarios: a policy for each severity that it may ask for.
#[derive(Clone, Debug)]
pub(super) struct Oracle([Policy; Severity::ALL.len()]);

impl Oracle {
    /// Beside a policy, whose engine carries out what it asks for.
    pub(super) fn new(own: &Policy) -> Self {
        Self(Severity::ALL.map(|severity| commanded_only(own, severity)))
    }

    /// Made ready for a scenario, where its own policy is.
    pub(super) fn prepared<'a>(&'a self, own: &Prepared<'a>) -> Result<Stage<'a>, PlaneError> {
        Ok(Stage(self.0.iter().map(|policy| own.with_policy(policy)).collect::<Result<_, _>>()?))
    }
}

/// An oracle, ready to be played on a scenario.
#[derive(Clone, Debug)]
pub(super) struct Stage<'a>(Vec<Prepared<'a>>);

impl<'a> Stage<'a> {
    /// Plays it on a seed of which the policy's own run is known, in the world that serves a policy.
    pub(super) fn play<'w>(
        &self,
        own: &RunOutcome,
        world_for: impl FnOnce(&Prepared<'a>) -> &'w mut SeedWorld<'a>,
    ) -> Vec<Entry>
    where
        'a: 'w,
    {
        let wish = wish(own);
        let prepared = &self.0[wish.map_or(Severity::Low, |wish| wish.severity) as usize];
        let world = world_for(prepared);
        match wish {
            Some(wish) => prepared.run_commanded(world, wish.at),
            None => prepared.untouched(world),
        }
    }
}

/// A rollback that an oracle asks for.
#[derive(Clone, Copy, Debug)]
struct Wish {
    at: MonoTime,
    severity: Severity,
}

/// What an oracle asks for, if anything.
fn wish(outcome: &RunOutcome) -> Option<Wish> {
    let truth = &outcome.truth;
    let at = truth.onset.filter(|_| truth.bad && truth.rollback_helps)?;
    Some(Wish { at, severity: outcome.rollback.as_ref().map_or(Severity::Critical, |r| r.severity) })
}

/// The same policy, whose engine rolls back for a person only, and then as for this severity.
fn commanded_only(policy: &Policy, severity: Severity) -> Policy {
    let mut policy = policy.clone();
    policy.judge = JudgeParams::Weighted(weighted::Params {
        error_weight: 0.0,
        latency_weight: 0.0,
        business_weight: 0.0,
        user_weight: 0.0,
        system_weight: 0.0,
        ..weighted::Params::default()
    });
    for signal in &mut policy.custom {
        signal.weight = 0.0;
    }
    policy.with_settings(|settings| {
        settings.attribution = Attribution::Off;
        settings.missing_data.then = MissingAction::Ignore;
        // Any effect reaches the least number, unmeasured ones too, and none the greatest.
        let from = |band| if severity >= band { f64::MIN } else { f64::MAX };
        settings.severity = SeverityRule::Effect {
            critical_points: from(Severity::Critical),
            high_points: from(Severity::High),
            medium_points: from(Severity::Medium),
        };
    })
}
