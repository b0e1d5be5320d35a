//! Shapes of worlds: what is deployed and how, what comes with it, and who must agree. Small ones last ten minutes in ticks of
//! five seconds; full ones are like the shipped scenarios.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::case::CasePolicy;
use crate::kind::FaultKind;
use backspin_domain::id::{ActorId, FlagKey, VersionId};
use backspin_domain::service::{InfraChange, SchemaChange};
use backspin_domain::time::Millis;
use backspin_policy::document::{Length, OneOrMany};
use backspin_scenario::file::{
    BadFlag, BadInfrastructure, Capability, EnvironmentName, Event, FaultEntry, Gap, Harm, Interval,
    PersonEntry, Revert, Rollout, ScenarioFile, Schema, Version,
};
use backspin_scenario::model::{Answer, Arms};

/// How big a world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Ten minutes, a tick of five seconds, three pods.
    Small,
    /// 80 minutes, a tick of a second, ten pods.
    Full,
}

/// What is deployed and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A canary.
    Canary,
    /// One Deployment that is rolled.
    Rolling,
    /// A switch between two environments.
    BlueGreen,
    /// A rolling deploy with a flag that does the harm.
    Flag,
    /// A switch that takes a column away.
    Schema,
    /// A switch with a config map that does the harm.
    Infrastructure,
}

impl Shape {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Canary, Self::Rolling, Self::BlueGreen, Self::Flag, Self::Schema, Self::Infrastructure];
}

/// Who must agree before anything is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum People {
    /// Nobody: there is a standing approval.
    #[default]
    NotAsked,
    /// Somebody, who does.
    Agree,
    /// Somebody, who never answers, so that others are called.
    Silent,
    /// Somebody, who says no.
    Refuse,
}

/// What is out of the common about a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Odd {
    /// Nothing.
    #[default]
    Nothing,
    /// No version can be gone back to.
    NoTarget,
    /// There is room for few effects a minute.
    Tight,
}

/// What a kind of fault needs to be able to take effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// A shape; none if any will do.
    pub(super) shape: Option<Shape>,
    /// Who is asked.
    pub(super) people: People,
    /// Replies that are lost, so that the engine has to read.
    pub(super) reads: bool,
    /// Metrics of the candidate that are missing for so long that a person is called.
    pub(super) calls: bool,
}

/// What a kind needs.
pub(super) const fn needs(kind: FaultKind) -> Needs {
    let shape = match kind {
        FaultKind::FlagsDown | FaultKind::FlagsStale => Some(Shape::Flag),
        FaultKind::ScriptFails | FaultKind::ScriptSlow => Some(Shape::Schema),
        FaultKind::ImageGone | FaultKind::SlowPull | FaultKind::Quota => Some(Shape::Rolling),
        FaultKind::RouterStuck
        | FaultKind::StaleProxies
        | FaultKind::GitOps
        | FaultKind::SecondOperator
        | FaultKind::SecondLeader
        | FaultKind::DiscoveryLate
        | FaultKind::MixedCohorts => Some(Shape::Canary),
        _ => None,
    };
    let people = match kind {
        FaultKind::NoAnswer
        | FaultKind::LateAnswer
        | FaultKind::Contradiction
        | FaultKind::WrongRole
        | FaultKind::OwnPlan
        | FaultKind::OlderPlan
        | FaultKind::AskLost
        | FaultKind::AskDoubled => People::Agree,
        _ => People::NotAsked,
    };
    let calls = matches!(
        kind,
        FaultKind::PageFails | FaultKind::PageDoubled | FaultKind::PageLate | FaultKind::ReceiptLost
    );
    Needs { shape, people, reads: matches!(kind, FaultKind::StaleRead), calls }
}

/// A world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WorldDraw {
    pub(super) size: Size,
    pub(super) shape: Shape,
    /// Who must agree.
    pub(super) people: People,
    pub(super) reads: bool,
    pub(super) calls: bool,
    /// What else is out of the common.
    pub(super) odd: Odd,
    /// Extra share of requests that fail, `0..=1`; none if nothing is wrong with what is deployed.
    pub(super) error_ratio: Option<f64>,
    /// Requests per second.
    pub(super) rps: f64,
    pub(super) replicas: u32,
    /// Whether a freeze begins in the middle.
    pub(super) freeze: bool,
}

static SMALL: LazyLock<ScenarioFile> = LazyLock::new(|| read(include_str!("small.yaml")));
static FULL: LazyLock<ScenarioFile> = LazyLock::new(|| read(include_str!("full.yaml")));

fn read(text: &str) -> ScenarioFile {
    serde_saphyr::from_str(text).expect("the files of drawn worlds are good")
}

impl WorldDraw {
    /// The policy that suits it.
    pub(super) const fn policy(&self) -> CasePolicy {
        match (self.size, self.freeze) {
            (Size::Small, false) if matches!(self.odd, Odd::Tight) => CasePolicy::SwiftTight,
            (Size::Small, false) => CasePolicy::Swift,
            (Size::Small, true) => CasePolicy::SwiftFreeze,
            (Size::Full, false) => CasePolicy::Shipped,
            (Size::Full, true) => CasePolicy::ShippedFreeze,
        }
    }

    /// When the core heals, and how long after it the run ends.
    pub(super) const fn phases(&self) -> (Length, Length) {
        match self.size {
            Size::Small => (Length::mins(6), Length::mins(4)),
            Size::Full => (Length::mins(55), Length::mins(25)),
        }
    }

    /// For how long an engine must be gone that an execution is given up for it.
    pub(super) const fn too_long(&self) -> Millis {
        match self.size {
            Size::Small => Millis::from_secs(125),
            Size::Full => Millis::from_mins(16),
        }
    }

    /// When the deploy begins, in seconds.
    pub(super) const fn deployed_s(&self) -> u64 {
        match self.size {
            Size::Small => 120,
            Size::Full => 1800,
        }
    }

    /// Its scenario.
    pub(super) fn scenario(&self) -> Box<ScenarioFile> {
        let mut file = Box::new(match self.size {
            Size::Small => SMALL.clone(),
            Size::Full => FULL.clone(),
        });
        file.traffic.rps = self.rps;
        file.pods.replicas = self.replicas;
        self.deploy(&mut file);
        if let Some(error_ratio) = self.error_ratio {
            file.incident = OneOrMany(vec![self.incident(error_ratio)]);
        }
        if self.people != People::NotAsked {
            file.environment = EnvironmentName::Production;
        }
        let answer = match self.people {
            People::Agree => Some(Answer::Approve),
            People::Refuse => Some(Answer::Refuse),
            People::NotAsked | People::Silent => None,
        };
        if let Some(answer) = answer {
            file.people =
                ["on-call-engineer", "platform-lead"].map(|role| self.person(role, answer)).to_vec();
        }
        if self.reads {
            let (at, lasts) = match self.size {
                Size::Small => (Length::mins(2), Length::mins(3)),
                Size::Full => (Length::mins(30), Length::mins(20)),
            };
            file.faults = vec![FaultEntry::ReplyLost(Interval { at, lasts })];
        }
        if self.calls {
            let (at, lasts) = match self.size {
                Size::Small => (Length::secs(130), Length::secs(125)),
                Size::Full => (Length::mins(31), Length::mins(12)),
            };
            file.faults.push(FaultEntry::MetricsGap(Gap { at, lasts, arms: Arms::Candidate }));
        }
        if self.odd == Odd::NoTarget {
            for version in file.versions.iter_mut().filter(|version| version.name != candidate()) {
                version.marked_bad = true;
            }
        }
        file
    }

    fn person(&self, role: &str, answer: Answer) -> PersonEntry {
        let answers_after = match self.size {
            Size::Small => Length::secs(10),
            Size::Full => Length::secs(60),
        };
        let role = ActorId::new(role).expect("letters and dashes are a valid name");
        PersonEntry { role, answers_after, answer }
    }

    fn deploy(&self, file: &mut ScenarioFile) {
        let rollout = match self.shape {
            Shape::Canary => return,
            Shape::Rolling | Shape::Flag => Rollout::Rolling,
            Shape::BlueGreen | Shape::Schema | Shape::Infrastructure => Rollout::BlueGreen,
        };
        file.deploy.rollout = rollout;
        file.deploy.steps = None;
        file.capabilities = match rollout {
            Rollout::Canary => vec![Capability::TrafficSplit, Capability::RollingUpdate],
            Rollout::Rolling => vec![Capability::RollingUpdate, Capability::FeatureFlags],
            Rollout::BlueGreen => {
                vec![Capability::BlueGreen, Capability::TrafficSplit, Capability::RollingUpdate]
            }
        };
        let takes = match self.size {
            Size::Small => (Length::secs(10), Length::secs(2)),
            Size::Full => (Length::secs(20), Length::secs(5)),
        };
        let mut version = Version { name: candidate(), ..file.versions[0].clone() };
        (version.shipped_ago, version.healthy_for) = (None, None);
        match self.shape {
            Shape::Flag => {
                version.flags = vec![flag()];
                // Cold pods make the way back dearer than the flag.
                (file.pods.warm_up, file.pods.warm_up_tau) = (1.0, Length::secs(60));
            }
            Shape::Schema => {
                version.schema = Some(Schema {
                    change: SchemaChange::Contract,
                    touches: 0.8,
                    revert: Some(Revert { takes: takes.0, lock: takes.1, rows_at_risk: 0 }),
                });
            }
            Shape::Infrastructure => version.infrastructure = vec![InfraChange::ConfigMap],
            Shape::Canary | Shape::Rolling | Shape::BlueGreen => return,
        }
        file.versions.push(version);
    }

    fn incident(&self, error_ratio: f64) -> Event {
        // What goes wrong only once the candidate serves all is told apart from what the rollout does.
        let late = match (self.size, self.shape) {
            (_, Shape::Canary) | (Size::Small, Shape::Rolling | Shape::BlueGreen) => None,
            (Size::Small, Shape::Schema | Shape::Infrastructure | Shape::Flag) => Some(Length::secs(180)),
            (Size::Full, _) => Some(Length::mins(35)),
        };
        // Louder harm is not waited with until a flag is off.
        let error_ratio = if self.shape == Shape::Flag { 0.06 + 0.09 * error_ratio } else { error_ratio };
        let harm = Harm { onset: late, error_ratio, ..Harm::default() };
        match self.shape {
            Shape::Flag => Event::BadFlag(BadFlag { flag: flag(), harm }),
            Shape::Infrastructure => {
                Event::BadInfrastructure(BadInfrastructure { change: InfraChange::ConfigMap, harm })
            }
            Shape::Canary | Shape::Rolling | Shape::BlueGreen | Shape::Schema => Event::BadVersion(harm),
        }
    }
}

fn candidate() -> VersionId {
    VersionId::new("v42").expect("letters and digits are a valid name")
}

fn flag() -> FlagKey {
    FlagKey::new("express").expect("letters are a valid name")
}
