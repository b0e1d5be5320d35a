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

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Campaign, CampaignError, RunKey, Subject};
use crate::domain::event::Severity;
use crate::domain::time::MonoTime;
use crate::engine::settings::{Attribution, MissingAction, SeverityRule};
use crate::judge::{JudgeParams, weighted};
use crate::plane::direct::Prepared;
use crate::policy::Policy;
use crate::scenario::model::Scenario;
use crate::score::{CostParts, RunOutcome};

impl Campaign<'_> {
    /// How many runs [`Campaign::compare_with_oracle`] plays.
    pub fn oracle_runs(&self) -> usize {
        let scenarios = self.subjects.iter().filter(|subject| matches!(subject, Subject::Scenario(_)));
        scenarios.count() * self.seeds as usize
    }

    /// Plays the oracle for every scenario and seed and notes what it cost beside each judge's run. `outcomes` are those of
    /// [`Campaign::play`]; `done` is told after each run, from any thread. Recordings have no oracle.
    pub fn compare_with_oracle(
        &self,
        outcomes: &mut [RunOutcome],
        done: impl Fn() + Sync,
    ) -> Result<(), CampaignError> {
        let keys = self.keys();
        let Some(own) = self.policies.first() else { return Ok(()) };
        let policies = Severity::ALL.map(|severity| commanded_only(own, severity));
        let wishes: Vec<(RunKey, Option<Wish>)> = keys
            .iter()
            .zip(outcomes.iter())
            .filter(|(key, _)| key.policy == 0 && matches!(self.subjects[key.subject], Subject::Scenario(_)))
            .map(|(key, outcome)| (*key, wish(outcome)))
            .collect();
        let costs: BTreeMap<(usize, u64), Option<CostParts>> = self.pool()?.install(|| {
            let of_scenario = |wishes: &[(RunKey, Option<Wish>)]| self.oracles(wishes, &policies, &done);
            let seeds = usize::try_from(self.seeds).unwrap_or(usize::MAX);
            let costs = wishes.par_chunks(seeds).map(of_scenario).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, CampaignError>(costs.into_iter().flatten().collect())
        })?;
        for (key, outcome) in keys.iter().zip(outcomes) {
            outcome.oracle = costs.get(&(key.subject, key.seed_index)).copied().flatten();
        }
        Ok(())
    }

    /// All seeds of one scenario.
    fn oracles(
        &self,
        wishes: &[(RunKey, Option<Wish>)],
        policies: &[Policy; Severity::ALL.len()],
        done: &(impl Fn() + Sync),
    ) -> Result<Vec<Costed>, CampaignError> {
        let Some((first, _)) = wishes.first() else { return Ok(Vec::new()) };
        let Subject::Scenario(scenario) = self.subjects[first.subject] else { return Ok(Vec::new()) };
        // Compiled once for all seeds, and only for severities that occur.
        let mut stages = [const { None }; Severity::ALL.len()];
        for (key, wish) in wishes {
            let severity = wish.map_or(Severity::Low, |wish| wish.severity) as usize;
            if stages[severity].is_none() {
                stages[severity] = Some(self.played(key, Prepared::new(scenario, &policies[severity]))?);
            }
        }
        wishes
            .par_iter()
            .map(|(key, wish)| {
                let stage = &stages[wish.map_or(Severity::Low, |wish| wish.severity) as usize];
                let cost = match stage {
                    Some(stage) => self.oracle(stage, key, wish.map(|wish| wish.at))?.cost,
                    None => None,
                };
                done();
                Ok(((key.subject, key.seed_index), cost))
            })
            .collect()
    }

    /// A run of this key in which nobody acts.
    pub(super) fn untouched(&self, key: &RunKey, scenario: &Scenario) -> Result<RunOutcome, CampaignError> {
        let prepared = self.played(key, Prepared::new(scenario, &self.policies[key.policy]))?;
        self.oracle(&prepared, key, None)
    }

    fn oracle(
        &self,
        prepared: &Prepared<'_>,
        key: &RunKey,
        at: Option<MonoTime>,
    ) -> Result<RunOutcome, CampaignError> {
        let id = self.run_id(key);
        let entries = at.map_or_else(|| prepared.untouched(id), |at| prepared.run_commanded(id, at));
        self.scored(key, &entries)
    }
}

/// Subject and seed, and what the oracle cost there.
type Costed = ((usize, u64), Option<CostParts>);

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
