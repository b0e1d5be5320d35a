//! Which runs are shown in full: one per scenario, played by the policy's own judge.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::{Campaign, CampaignError, RunKey, Subject};
use backspin_domain::entry::Entry;
use backspin_score::{Class, RunOutcome};

/// A run with its full record.
#[derive(Clone, Debug)]
pub struct ChosenRun {
    /// The record.
    pub entries: Vec<Entry>,
    /// Expected users harmed on the same seed if nobody had acted, from a second, paired run; none for a
    /// recording, which cannot say.
    pub users_harmed_untouched: Option<f64>,
}

/// For each scenario one run by the first policy: the first seed whose expectation was not met, since that is what
/// somebody will want to look at, else the first seed. Of recordings, which may be hundreds, the first of each source
/// that was answered in one way: bad or not, rolled back or not. `played` are those of [`Campaign::play`].
pub fn chosen(
    campaign: &Campaign<'_>,
    played: &[(RunKey, RunOutcome)],
) -> Result<Vec<ChosenRun>, CampaignError> {
    let mut first: Vec<Option<RunKey>> = vec![None; campaign.subjects.len()];
    let mut unmet: Vec<Option<RunKey>> = first.clone();
    let mut ways: BTreeSet<(&str, bool, Class)> = BTreeSet::new();
    for (key, outcome) in played.iter().filter(|(key, _)| key.policy == 0) {
        let another = match campaign.subjects[key.subject] {
            Subject::Scenario(_) => true,
            Subject::Recorded(case) => ways.insert((&case.source, outcome.truth.bad, outcome.class)),
        };
        if another {
            first[key.subject].get_or_insert(*key);
        }
        if outcome.met.as_ref().is_some_and(|met| !met.is_met()) {
            unmet[key.subject].get_or_insert(*key);
        }
    }
    let picked: Vec<RunKey> = first.into_iter().zip(unmet).filter_map(|(f, u)| u.or(f)).collect();
    picked
        .into_par_iter()
        .map(|key| {
            Ok(match campaign.subjects[key.subject] {
                Subject::Scenario(scenario) => {
                    let prepared = campaign.prepared(&key, scenario)?;
                    let mut world = prepared.world_for_one(campaign.run_id(&key));
                    let entries = prepared.run_in(&mut world);
                    let untouched = campaign.scored(&key, &prepared.untouched(&mut world))?;
                    ChosenRun { entries, users_harmed_untouched: Some(untouched.harm.users) }
                }
                Subject::Recorded(case) => {
                    ChosenRun { entries: campaign.recorded(&key, case)?, users_harmed_untouched: None }
                }
            })
        })
        .collect()
}
