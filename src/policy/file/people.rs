//! Who must agree, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{Length, Name};
use backspin_domain::id::{ActorId, ServiceId};
use backspin_domain::service::Environment;
use backspin_engine::settings::{Weekday, WhenClosing};

/// Who must agree.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalsEntry {
    /// Agreements given in advance. Default: for simulated services only.
    #[schemars(length(max = 500))]
    pub standing: Vec<StandingEntry>,
    /// Whom to ask, in order, each time the wait runs out.
    #[schemars(with = "Vec<Name>")]
    pub escalation: Vec<ActorId>,
    /// How long each is waited for. Default 5 minutes.
    pub wait: Length,
    /// How long an answer counts from when it was given. Default 30 minutes.
    pub valid: Length,
}

impl Default for ApprovalsEntry {
    fn default() -> Self {
        let actor = |name| ActorId::new(name).expect("a literal of valid characters");
        Self {
            standing: vec![StandingEntry {
                environment: Environment::Simulated,
                services: Vec::new(),
                expires: None,
                approver: actor("policy"),
            }],
            // SPEC 3.7.
            escalation: ["on-call-engineer", "platform-lead", "engineering-director", "cto"]
                .map(actor)
                .to_vec(),
            wait: Length::mins(5),
            valid: Length::mins(30),
        }
    }
}

/// An agreement given in advance.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingEntry {
    /// Where it holds.
    #[schemars(with = "EnvironmentName")]
    pub environment: Environment,
    /// For which services; empty means all of that environment.
    #[serde(default)]
    #[schemars(with = "Vec<Name>")]
    pub services: Vec<ServiceId>,
    /// Until when. Only simulated services may do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires: Option<String>,
    /// Who gave it.
    #[schemars(with = "Name")]
    pub approver: ActorId,
}

/// The schema of [`Environment`].
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum EnvironmentName {
    /// In the simulated world.
    Simulated,
    /// A real one that no customer sees.
    Staging,
    /// A real one that customers see.
    Production,
}

/// When rollbacks below critical severity may run. Critical ones always may, and the audit notes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarEntry {
    /// Weekly windows, UTC. Default: none, which means at any time.
    #[schemars(length(max = 100))]
    pub windows: Vec<WindowEntry>,
    /// Times in which none may run whatever the windows say.
    #[schemars(length(max = 500))]
    pub freezes: Vec<FreezeEntry>,
    /// What becomes of a rollback that is under way when a freeze begins or a window ends. Default `hold`: it waits
    /// and asks.
    pub when_closing: WhenClosing,
}

impl Default for CalendarEntry {
    fn default() -> Self {
        Self { windows: Vec::new(), freezes: Vec::new(), when_closing: WhenClosing::Hold }
    }
}

/// A window that opens every week.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowEntry {
    /// Days on which it opens.
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Weekday>,
    /// From this time of the day, UTC, written `"09:00"`.
    pub from: String,
    /// Until before this time; `"24:00"` is the day's end.
    pub until: String,
}

/// A time in which only critical rollbacks run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeEntry {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// From.
    #[schemars(extend("format" = "date-time"))]
    pub from: String,
    /// Until.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
}
