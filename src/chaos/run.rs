//! Plays a case and gives its trace.

use std::sync::Arc;

use super::case::{Case, CasePolicy};
use super::trace::{Ended, Facts, Trace};
use backspin_domain::entry::PlaneKind;
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::time::Millis;
use backspin_engine::mutation::Broken;
#[cfg(any(test, feature = "broken"))]
use backspin_engine::mutation::Mutation;
use backspin_engine::settings::Settings;
use backspin_plane::PlaneError;
use backspin_plane::direct::WALL_START;
use backspin_plane::http::HttpError;
use backspin_plane::unreliable::{Play, Played, Queries, play, play_over_http};
use backspin_policy::Policy;
use backspin_scenario::model::Scenario;

/// Why a case could not be played at all. That an engine cannot go on is no error of a run: its trace says so.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plane could not be set up.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// The endpoints of a run over HTTP could not be set up.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// More versions than can be observed.
    #[error("the scenario has {found} versions; at most {max} can be observed", max = super::trace::VERSIONS_MAX)]
    Versions {
        /// How many.
        found: usize,
    },
    /// There is no such run on that plane.
    #[error("cases are not played on a recording")]
    NoPlane,
}

/// Plays cases one after the other; what they have in common is prepared once. Each thread has its own.
#[derive(Debug, Default)]
pub struct Runner {
    policies: Vec<Loaded>,
    queries: Vec<Compiled>,
    /// How the engines of all runs are broken on purpose.
    broken: Broken,
    /// What their policies have otherwise.
    #[cfg(test)]
    settings: Option<fn(&mut Settings)>,
}

#[derive(Debug)]
struct Loaded {
    name: CasePolicy,
    policy: Arc<Policy>,
    settings: Arc<Settings>,
}

/// Queries of a policy for worlds with the same series.
#[derive(Debug)]
struct Compiled {
    policy: CasePolicy,
    shape: Shape,
    queries: Queries,
}

/// What decides which series a world has.
#[derive(Debug, PartialEq)]
struct Shape {
    service: ServiceId,
    versions: Vec<VersionId>,
    candidate: VersionId,
    dependency: Option<ServiceId>,
    scrape: Millis,
    cache: bool,
    queue: bool,
    database: bool,
}

impl Shape {
    fn of(scenario: &Scenario) -> Self {
        Self {
            service: scenario.service.id.clone(),
            versions: scenario.service.versions.iter().map(|version| version.id.clone()).collect(),
            candidate: scenario.deploy.version.clone(),
            dependency: scenario.dependency.as_ref().map(|dependency| dependency.id.clone()),
            scrape: scenario.timing.scrape,
            cache: scenario.cache.is_some(),
            queue: scenario.queue.is_some(),
            database: scenario.database.is_some(),
        }
    }
}

impl Runner {
    /// Nothing is prepared yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its engines are broken on purpose.
    #[cfg(any(test, feature = "broken"))]
    pub fn broken(rule: Mutation) -> Self {
        Self { broken: Broken::by(rule), ..Self::default() }
    }

    /// Plays one case.
    pub fn run(&mut self, case: &Case) -> Result<Trace, RunError> {
        let scenario = case.world();
        let found = scenario.service.versions.len();
        if found > super::trace::VERSIONS_MAX {
            return Err(RunError::Versions { found });
        }
        let (policy, settings) = self.policy(case.policy);
        let queries = self.queries(case.policy, &policy, &scenario)?;
        let order = Play {
            scenario: &scenario,
            policy: &policy,
            queries: &queries,
            seed: case.seed,
            plan: &case.faults.faults,
            heals: case.heals_at(),
            end: case.ends_at(),
            end_max: case.ends_at(),
        };
        let played = match case.plane {
            PlaneKind::Direct => play(&order),
            PlaneKind::Http => play_over_http(&order)?,
            PlaneKind::Recorded => return Err(RunError::NoPlane),
        };
        Ok(trace(case, scenario, settings, played))
    }

    /// One whose engines are broken on purpose, and whose policies have something otherwise.
    #[cfg(test)]
    pub(super) fn of_broken(broken: Broken, settings: Option<fn(&mut Settings)>) -> Self {
        Self { broken, settings, ..Self::default() }
    }

    /// The policy that a case is played with.
    pub(super) fn policy_of(&mut self, case: &Case) -> Arc<Policy> {
        self.policy(case.policy).0
    }

    fn policy(&mut self, name: CasePolicy) -> (Arc<Policy>, Arc<Settings>) {
        if let Some(loaded) = self.policies.iter().find(|loaded| loaded.name == name) {
            return (loaded.policy.clone(), loaded.settings.clone());
        }
        let mut policy = name.load();
        policy.settings.broken = self.broken;
        #[cfg(test)]
        if let Some(change) = self.settings {
            change(&mut policy.settings);
        }
        let policy = Arc::new(policy);
        let settings = Arc::new(policy.settings.clone());
        self.policies.push(Loaded { name, policy: policy.clone(), settings: settings.clone() });
        (policy, settings)
    }

    fn queries(
        &mut self,
        name: CasePolicy,
        policy: &Policy,
        scenario: &Scenario,
    ) -> Result<Queries, RunError> {
        let shape = Shape::of(scenario);
        let same = |compiled: &&Compiled| compiled.policy == name && compiled.shape == shape;
        if let Some(compiled) = self.queries.iter().find(same) {
            return Ok(compiled.queries.clone());
        }
        let queries = Queries::new(scenario, policy)?;
        self.queries.push(Compiled { policy: name, shape, queries: queries.clone() });
        Ok(queries)
    }
}

fn trace(case: &Case, scenario: Scenario, settings: Arc<Settings>, played: Played) -> Trace {
    let place =
        |id: &VersionId| scenario.service.versions.iter().position(|version| version.id == *id).unwrap_or(0);
    let (candidate, from) = (place(&scenario.deploy.version), place(&scenario.deploy.from));
    Trace {
        record: played.record,
        calls: played.calls,
        world: played.world,
        faults: played.faults,
        facts: Facts {
            scenario: Arc::new(scenario),
            settings,
            plan: case.faults.faults.as_slice().into(),
            candidate,
            from,
            wall_start: WALL_START,
        },
        ended: Ended {
            at: played.end,
            healed: case.heals_at(),
            broke_off: played.gone,
            emergencies: played.emergencies,
        },
    }
}

/// Plays one case alone.
pub fn run(case: &Case) -> Result<Trace, RunError> {
    Runner::new().run(case)
}
