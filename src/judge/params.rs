//! Which judge, with its parameters.

use backspin_domain::signal::CustomSignal;

use super::metric::{Reads, check_each};
use super::{
    Judge, ParamError, Place, alarm, argo, bocpd, breaker, burnrate, cusum, e_detector, flagger, glr,
    kayenta, keptn, mann_whitney, n_of_m, robust_z, sequential, weighted,
};

/// Which judge, with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum JudgeParams {
    /// The default, anytime-valid comparison with the control: see [`e_detector`].
    EDetector(e_detector::Params),
    /// The reference judge, as poor as it was specified: see [`weighted`].
    Weighted(weighted::Params),
    /// Flagger's cumulative failed checks: see [`flagger`].
    Flagger(flagger::Params),
    /// An analysis run of Argo Rollouts: see [`argo`].
    Argo(argo::Params),
    /// Kayenta's canary analysis: see [`kayenta`].
    Kayenta(kayenta::Params),
    /// CodeDeploy's stop on an alarm: see [`alarm`].
    Alarm(alarm::Params),
    /// The circuit breaker of Amazon ECS: see [`breaker`].
    Breaker(breaker::Params),
    /// Multi-window burn-rate alerts: see [`burnrate`].
    BurnRate(burnrate::Params),
    /// Keptn's weighted objectives: see [`keptn`].
    Keptn(keptn::Params),
    /// A confidence sequence around the difference of both arms: see [`sequential`].
    Sequential(sequential::Params),
    /// Fixed limits, N of M: see [`n_of_m`].
    NOfM(n_of_m::Params),
    /// A cumulative sum: see [`cusum`].
    Cusum(cusum::Params),
    /// A generalised likelihood ratio: see [`glr`].
    Glr(glr::Params),
    /// Bayesian change points: see [`bocpd`].
    Bocpd(bocpd::Params),
    /// A run of robust deviations: see [`robust_z`].
    RobustZ(robust_z::Params),
    /// A test of ranks: see [`mann_whitney`].
    MannWhitney(mann_whitney::Params),
}

impl JudgeParams {
    /// Every judge with its default parameters, the default judge first.
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::EDetector(e_detector::Params::default()),
            Self::Weighted(weighted::Params::default()),
            Self::Flagger(flagger::Params::default()),
            Self::Argo(argo::Params::default()),
            Self::Kayenta(kayenta::Params::default()),
            Self::Alarm(alarm::Params::default()),
            Self::Breaker(breaker::Params::default()),
            Self::BurnRate(burnrate::Params::default()),
            Self::Keptn(keptn::Params::default()),
            Self::Sequential(sequential::Params::default()),
            Self::NOfM(n_of_m::Params::default()),
            Self::Cusum(cusum::Params::default()),
            Self::Glr(glr::Params::default()),
            Self::Bocpd(bocpd::Params::default()),
            Self::RobustZ(robust_z::Params::default()),
            Self::MannWhitney(mann_whitney::Params::default()),
        ]
    }

    /// The judge's name in policies, tables and records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EDetector(_) => "e_detector",
            Self::Weighted(_) => "weighted",
            Self::Flagger(_) => "flagger",
            Self::Argo(_) => "argo",
            Self::Kayenta(_) => "kayenta",
            Self::Alarm(_) => "alarm",
            Self::Breaker(_) => "breaker",
            Self::BurnRate(_) => "burnrate",
            Self::Keptn(_) => "keptn",
            Self::Sequential(_) => "sequential",
            Self::NOfM(_) => "n_of_m",
            Self::Cusum(_) => "cusum",
            Self::Glr(_) => "glr",
            Self::Bocpd(_) => "bocpd",
            Self::RobustZ(_) => "robust_z",
            Self::MannWhitney(_) => "mann_whitney",
        }
    }

    /// Refuses parameters outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        match self {
            Self::EDetector(params) => params.check(),
            Self::Weighted(params) => params.check(),
            Self::Flagger(params) => params.check(),
            Self::Argo(params) => params.check(),
            Self::Kayenta(params) => params.check(),
            Self::Alarm(params) => params.check(),
            Self::Breaker(params) => params.check(),
            Self::BurnRate(params) => params.check(),
            Self::Keptn(params) => params.check(),
            Self::Sequential(params) => params.check(),
            Self::NOfM(params) => params.check(),
            Self::Cusum(params) => params.check(),
            Self::Glr(params) => params.check(),
            Self::Bocpd(params) => params.check(),
            Self::RobustZ(params) => params.check(),
            Self::MannWhitney(params) => params.check(),
        }
    }

    /// Refuses metrics that read a signal which the policy does not have. `custom` are the policy's own signals.
    pub fn check_queries(&self, custom: &[CustomSignal]) -> Result<(), ParamError> {
        let known = |reads: &Reads| reads.check_query(custom).map_err(|error| error.within("reads"));
        match self {
            Self::Argo(params) => check_each("metrics", &params.metrics, |metric| known(&metric.reads)),
            Self::Flagger(params) => check_each("metrics", &params.metrics, |metric| known(&metric.reads)),
            Self::Alarm(params) => check_each("alarms", &params.alarms, |alarm| known(&alarm.reads)),
            Self::NOfM(params) => check_each("limits", &params.limits, |limit| known(&limit.reads)),
            Self::Keptn(params) => {
                check_each("objectives", &params.objectives, |objective| known(&objective.reads))
            }
            Self::Kayenta(params) => check_each("metrics", &params.metrics, |metric| {
                for (side, reads) in [("experiment", &metric.experiment), ("control", &metric.control)] {
                    reads.check_query(custom).map_err(|error| error.within(Place::Field(side)))?;
                }
                Ok(())
            }),
            Self::EDetector(_)
            | Self::Weighted(_)
            | Self::Breaker(_)
            | Self::BurnRate(_)
            | Self::Sequential(_)
            | Self::Cusum(_)
            | Self::Glr(_)
            | Self::Bocpd(_)
            | Self::RobustZ(_)
            | Self::MannWhitney(_) => Ok(()),
        }
    }

    /// Builds the judge. `custom` are the policy's own signals, in the order of `Frame::queries`: the weighted judge
    /// weighs them, and metrics read them by name. The parameters must have passed [`JudgeParams::check`].
    pub fn build(&self, custom: &[CustomSignal]) -> Box<dyn Judge> {
        match self {
            Self::EDetector(params) => Box::new(e_detector::EDetector::new(params)),
            Self::Weighted(params) => Box::new(weighted::Weighted::new(params, custom)),
            Self::Flagger(params) => Box::new(flagger::Flagger::new(params, custom)),
            Self::Argo(params) => Box::new(argo::Argo::new(params, custom)),
            Self::Kayenta(params) => Box::new(kayenta::Kayenta::new(params, custom)),
            Self::Alarm(params) => Box::new(alarm::AlarmJudge::new(params, custom)),
            Self::Breaker(params) => Box::new(breaker::Breaker::new(params)),
            Self::BurnRate(params) => Box::new(burnrate::BurnRate::new(params)),
            Self::Keptn(params) => Box::new(keptn::Keptn::new(params, custom)),
            Self::Sequential(params) => Box::new(sequential::Sequential::new(params)),
            Self::NOfM(params) => Box::new(n_of_m::NOfM::new(params, custom)),
            Self::Cusum(params) => params.judge(),
            Self::Glr(params) => params.judge(),
            Self::Bocpd(params) => params.judge(),
            Self::RobustZ(params) => params.judge(),
            Self::MannWhitney(params) => params.judge(),
        }
    }
}
