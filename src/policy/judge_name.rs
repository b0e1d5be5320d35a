//! Judges by name, and how the engine acts for each.

use backspin_engine::settings::{Attribution, MissingAction, MissingData, Settings, SeverityRule};
use backspin_judge::JudgeParams;

use super::Policy;
use super::document::nearest::nearest;

/// A judge, by the name it has in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JudgeName {
    /// The default: anytime-valid comparison with the control.
    EDetector,
    /// The reference judge.
    Weighted,
    /// Flagger's cumulative failed checks.
    Flagger,
    /// An analysis run of Argo Rollouts.
    Argo,
    /// Kayenta's canary analysis.
    Kayenta,
    /// CodeDeploy's stop on an alarm.
    Alarm,
    /// The circuit breaker of Amazon ECS.
    Breaker,
    /// Multi-window burn-rate alerts.
    BurnRate,
    /// Keptn's weighted objectives.
    Keptn,
    /// A confidence sequence around the difference of both arms.
    Sequential,
    /// A baseline: fixed limits, N of M.
    NOfM,
    /// A baseline: a cumulative sum.
    Cusum,
    /// A baseline: a generalised likelihood ratio.
    Glr,
    /// A baseline: Bayesian change points.
    Bocpd,
    /// A baseline: a run of robust deviations.
    RobustZ,
    /// A baseline: a test of ranks.
    MannWhitney,
}

impl JudgeName {
    /// All, the default first.
    pub const ALL: [Self; 16] = [
        Self::EDetector,
        Self::Weighted,
        Self::Flagger,
        Self::Argo,
        Self::Kayenta,
        Self::Alarm,
        Self::Breaker,
        Self::BurnRate,
        Self::Keptn,
        Self::Sequential,
        Self::NOfM,
        Self::Cusum,
        Self::Glr,
        Self::Bocpd,
        Self::RobustZ,
        Self::MannWhitney,
    ];

    /// Those that are played beside the policy's own when none is named.
    pub const BESIDE: [Self; 3] = [Self::EDetector, Self::Weighted, Self::Flagger];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EDetector => "e_detector",
            Self::Weighted => "weighted",
            Self::Flagger => "flagger",
            Self::Argo => "argo",
            Self::Kayenta => "kayenta",
            Self::Alarm => "alarm",
            Self::Breaker => "breaker",
            Self::BurnRate => "burnrate",
            Self::Keptn => "keptn",
            Self::Sequential => "sequential",
            Self::NOfM => "n_of_m",
            Self::Cusum => "cusum",
            Self::Glr => "glr",
            Self::Bocpd => "bocpd",
            Self::RobustZ => "robust_z",
            Self::MannWhitney => "mann_whitney",
        }
    }

    /// Which judge these parameters are of.
    pub const fn of(params: &JudgeParams) -> Self {
        match params {
            JudgeParams::EDetector(_) => Self::EDetector,
            JudgeParams::Weighted(_) => Self::Weighted,
            JudgeParams::Flagger(_) => Self::Flagger,
            JudgeParams::Argo(_) => Self::Argo,
            JudgeParams::Kayenta(_) => Self::Kayenta,
            JudgeParams::Alarm(_) => Self::Alarm,
            JudgeParams::Breaker(_) => Self::Breaker,
            JudgeParams::BurnRate(_) => Self::BurnRate,
            JudgeParams::Keptn(_) => Self::Keptn,
            JudgeParams::Sequential(_) => Self::Sequential,
            JudgeParams::NOfM(_) => Self::NOfM,
            JudgeParams::Cusum(_) => Self::Cusum,
            JudgeParams::Glr(_) => Self::Glr,
            JudgeParams::Bocpd(_) => Self::Bocpd,
            JudgeParams::RobustZ(_) => Self::RobustZ,
            JudgeParams::MannWhitney(_) => Self::MannWhitney,
        }
    }

    /// The judge with its default parameters.
    pub fn defaults(self) -> JudgeParams {
        let found = JudgeParams::defaults().into_iter().find(|params| Self::of(params) == self);
        found.expect("every judge has defaults")
    }
}

/// Why a text names no judge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown judge `{found}`; it must be {}{}", all(), did_you_mean(.nearest.as_deref()))]
pub struct UnknownJudge {
    /// What was found.
    pub found: String,
    /// The nearest name.
    pub nearest: Option<String>,
}

fn all() -> String {
    let mut names: Vec<String> = JudgeName::ALL.iter().map(|judge| format!("`{}`", judge.name())).collect();
    let last = names.pop().unwrap_or_default();
    format!("{} or {last}", names.join(", "))
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default()
}

impl std::str::FromStr for JudgeName {
    type Err = UnknownJudge;

    fn from_str(text: &str) -> Result<Self, UnknownJudge> {
        Self::ALL.into_iter().find(|judge| judge.name() == text).ok_or_else(|| UnknownJudge {
            found: text.to_owned(),
            nearest: nearest(text, Self::ALL.map(Self::name)).map(str::to_owned),
        })
    }
}

impl Policy {
    /// The same policy with another judge, acting as that judge's original does: none of them knows attribution or a
    /// rule for missing data beside its own, and the reference maps its score to severity.
    /// The policy's own judge keeps the policy as it is.
    pub fn with_judge(&self, judge: JudgeName) -> Self {
        if JudgeName::of(&self.judge) == judge {
            return self.clone();
        }
        let default = Settings::default();
        let mut other = self.clone();
        other.judge = judge.defaults();
        other.settings.severity = match judge {
            JudgeName::Weighted => SeverityRule::Score { critical: 0.9, high: 0.8, medium: 0.7 },
            JudgeName::EDetector
            | JudgeName::Flagger
            | JudgeName::Argo
            | JudgeName::Kayenta
            | JudgeName::Alarm
            | JudgeName::Breaker
            | JudgeName::BurnRate
            | JudgeName::Keptn
            | JudgeName::Sequential
            | JudgeName::NOfM
            | JudgeName::Cusum
            | JudgeName::Glr
            | JudgeName::Bocpd
            | JudgeName::RobustZ
            | JudgeName::MannWhitney => default.severity,
        };
        if judge == JudgeName::EDetector {
            other.settings.attribution = default.attribution;
            other.settings.missing_data = default.missing_data;
        } else {
            other.settings.rules.clear();
            other.settings.attribution = Attribution::Off;
            other.settings.missing_data =
                MissingData { then: MissingAction::Ignore, ..self.settings.missing_data };
        }
        other.hash = other.compute_hash();
        other
    }
}
