//! What judges say of recordings, whatever an engine would make of it: each case under each policy's judge, and the quiet stretches before
//! harm as quiet time of their own.

use rayon::prelude::*;

use super::CampaignError;
use backspin_plane::{PlaneError, RunId, recorded};
use backspin_policy::Policy;
use backspin_scenario::recorded::RecordedCase;
use backspin_score::Watched;

/// Rows of history that a quiet stretch keeps: fewer, and no textbook baseline says anything.
const HISTORY_ROWS: usize = 12;

/// One case under all judges, in the order of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The case as it is labelled.
    pub case: Vec<Watched>,
    /// The quiet stretch before its harm; empty where there is none.
    pub before: Vec<Watched>,
}

/// Plays every case under every policy, `jobs` at once, and gives them in their order; `done` is told after each case.
pub fn hear(
    cases: &[RecordedCase],
    policies: &[Policy],
    jobs: usize,
    done: impl Fn() + Sync,
) -> Result<Vec<Heard>, CampaignError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .map_err(|source| CampaignError::Threads { jobs, source })?;
    pool.install(|| {
        cases
            .par_iter()
            .map(|case| {
                let quiet = case.before_the_harm(HISTORY_ROWS).map_err(|problems| CampaignError::Plane {
                    subject: name(case),
                    source: PlaneError::Recordings(problems),
                })?;
                let heard = Heard {
                    case: watched(case, policies)?,
                    before: quiet.map_or(Ok(Vec::new()), |quiet| watched(&quiet, policies))?,
                };
                done();
                Ok(heard)
            })
            .collect()
    })
}

fn watched(case: &RecordedCase, policies: &[Policy]) -> Result<Vec<Watched>, CampaignError> {
    let of_policy = |policy: &Policy| {
        let entries = recorded::run(case, policy, RunId { campaign_seed: 0, seed_index: 0 })
            .map_err(|source| CampaignError::Plane { subject: name(case), source })?;
        Watched::of(&entries).map_err(|source| CampaignError::Score { subject: name(case), source })
    };
    policies.iter().map(of_policy).collect()
}

fn name(case: &RecordedCase) -> String {
    format!("{}/{}", case.source, case.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_policy::{JudgeName, default_policy};
    use backspin_score::Told;

    #[test]
    fn shipped_recordings_are_heard_in_their_order_on_any_number_of_cores() {
        let cases = backspin_scenario::recorded::shipped().expect("sound");
        let own = default_policy().expect("sound");
        let policies = [own.clone(), own.with_judge(JudgeName::RobustZ)];
        let heard = hear(&cases, &policies, 1, || {}).expect("plays");
        assert_eq!(hear(&cases, &policies, 3, || {}).expect("plays"), heard);
        for (case, heard) in cases.iter().zip(&heard) {
            assert!(heard.case.iter().all(|watched| watched.bad == case.bad), "{}", case.id);
            // They keep the versions apart, so there is no candidate before the change.
            assert!(heard.before.is_empty(), "{}", case.id);
        }
        let at = cases.iter().position(|case| case.id == "errors").expect("shipped");
        assert_eq!(heard[at].case[0].told, Told::Detected);
    }
}
