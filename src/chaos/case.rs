//! A case: all that one run is made of. A case file replays without the seed that it was drawn from.

use serde::{Deserialize, Serialize};

use super::plan::{FaultPlan, PlanError};
use backspin_domain::entry::PlaneKind;
use backspin_domain::seed::Seed;
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::Policy;
use backspin_policy::document::{FileKind, Length, Problems, Source};
use backspin_scenario::file::ScenarioFile;
use backspin_scenario::load::from_file;
use backspin_scenario::model::Scenario;

/// The version of case files that this build writes and reads.
pub const CASE_VERSION: u32 = 1;

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// [`CASE_VERSION`].
    pub version: u32,
    /// What it shows, in a sentence; none for one that was drawn and told nobody anything yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// Where it is played.
    #[serde(default = "direct", skip_serializing_if = "is_direct")]
    pub plane: PlaneKind,
    /// The policy.
    pub policy: CasePolicy,
    /// The seed of the world's draws: traffic, noise, how long pods take.
    pub seed: Seed,
    /// When the core heals.
    pub heals: Length,
    /// From then on, within this time the run must have come to an end.
    pub bound: Length,
    /// The scenario, as it stands in a scenario file.
    pub scenario: Box<ScenarioFile>,
    /// What goes wrong.
    #[serde(default, skip_serializing_if = "is_empty")]
    #[schemars(with = "Vec<super::plan::FaultEntry>")]
    pub faults: FaultPlan,
}

fn direct() -> PlaneKind {
    PlaneKind::Direct
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_direct(plane: &PlaneKind) -> bool {
    *plane == PlaneKind::Direct
}

fn is_empty(plan: &FaultPlan) -> bool {
    plan.faults.is_empty()
}

/// The policies that cases are played with: a closed list, so that their queries are compiled once.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CasePolicy {
    /// The shipped one.
    Shipped,
    /// The shipped one, with a freeze that begins in the middle.
    ShippedFreeze,
    /// The shipped one's rules with short waits.
    Swift,
    /// The same, with a freeze that begins in the middle.
    SwiftFreeze,
    /// The same as [`CasePolicy::Swift`], with room for few effects a minute.
    SwiftTight,
}

impl CasePolicy {
    /// All.
    pub const ALL: [Self; 5] =
        [Self::Shipped, Self::ShippedFreeze, Self::Swift, Self::SwiftFreeze, Self::SwiftTight];

    /// Reads it.
    ///
    /// # Panics
    /// Never: they are carried by the binary, and a test reads all.
    pub fn load(self) -> Policy {
        let text = match self {
            Self::Shipped => return backspin_policy::default_policy().expect("the shipped policy is good"),
            Self::ShippedFreeze => include_str!("policies/freeze.yaml"),
            Self::Swift => include_str!("policies/swift.yaml"),
            Self::SwiftFreeze => include_str!("policies/swift-freeze.yaml"),
            Self::SwiftTight => include_str!("policies/swift-tight.yaml"),
        };
        let source = Source::new(FileKind::Policy, "chaos policy", text.to_owned());
        backspin_policy::parse(&source).expect("policies of cases are good")
    }
}

/// Why a text is no case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It does not have the form of one.
    #[error("not a case file: {0}")]
    Form(String),
    /// It is of another version.
    #[error("this build reads case files of version {CASE_VERSION}, not {found}")]
    Version {
        /// What was found.
        found: u32,
    },
    /// Its scenario makes no sense.
    #[error("the case's scenario makes no sense")]
    Scenario(#[source] Problems),
    /// Its plan makes no sense.
    #[error("the case's faults make no sense")]
    Plan(#[from] PlanError),
    /// It ends before it heals.
    #[error("the case ends at {end} and heals only at {heals}")]
    Phases {
        /// Its end by the scenario.
        end: Millis,
        /// When it heals.
        heals: Millis,
    },
}

/// The JSON Schema of case files.
pub fn case_schema() -> serde_json::Value {
    schemars::schema_for!(Case).to_value()
}

impl Case {
    /// Reads and checks a case.
    pub fn from_yaml(text: &str) -> Result<Self, CaseError> {
        let case: Self =
            serde_saphyr::from_str(text).map_err(|error| CaseError::Form(in_a_line(&error.to_string())))?;
        case.check()?;
        Ok(case)
    }

    /// The text of its file, without what is as it is by default.
    ///
    /// # Panics
    /// Never: a case has nothing that YAML cannot say.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(&super::tree::slim(self)).expect("a case has nothing that YAML cannot say")
    }

    /// Finds what makes no sense. Reads the scenario as if it were a file of its own, which takes some time: a case that
    /// was drawn needs no check.
    pub fn check(&self) -> Result<(), CaseError> {
        if self.version != CASE_VERSION {
            return Err(CaseError::Version { found: self.version });
        }
        self.faults.check()?;
        let text =
            serde_saphyr::to_string(&self.scenario).expect("a scenario has nothing that YAML cannot say");
        let source = Source::new(FileKind::Scenario, "case", text);
        let scenario = backspin_scenario::parse(&source, NAME, FAMILY).map_err(CaseError::Scenario)?;
        let (end, heals) = (Millis(scenario.timing.end().0), self.heals.0);
        if heals > end {
            return Err(CaseError::Phases { end, heals });
        }
        Ok(())
    }

    /// The scenario to be played.
    pub fn world(&self) -> Scenario {
        from_file(&self.scenario, NAME, FAMILY, self.shows.clone().unwrap_or_default())
    }

    /// When the core heals.
    pub fn heals_at(&self) -> MonoTime {
        MonoTime(self.heals.0.0)
    }

    /// The run's last moment.
    pub fn ends_at(&self) -> MonoTime {
        self.heals_at() + self.bound.0
    }
}

/// The first line of a parser's message, without the lists of all words that would have been right.
fn in_a_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.trim_start_matches("error: ");
    line.split(", expected one of").next().unwrap_or(line).to_owned()
}

/// The name of a case's scenario in its record.
const NAME: &str = "case";

/// And its family.
const FAMILY: &str = "chaos";
