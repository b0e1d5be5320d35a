//! Judges: from frames to verdicts. One file per judge, behind one trait.
//!
//! A judge sees frames and nothing else: no truth, no scenario, no clock. It says which inputs it needs and is
//! inconclusive without them; it never takes a missing value for a healthy one unless, as the reference judge,
//! it is defined to. It allocates when it is built and when evidence is asked for, never per frame.

pub mod alarm;
pub mod argo;
pub mod bocpd;
pub mod breaker;
pub mod burnrate;
pub mod cusum;
pub mod e_detector;
pub mod expr;
pub mod flagger;
pub mod glr;
mod inputs;
pub mod kayenta;
pub mod keptn;
pub mod mann_whitney;
pub mod metric;
pub mod n_of_m;
mod normal;
mod params;
pub mod robust_z;
pub mod sequential;
mod standard;
pub mod weighted;
mod words;

use backspin_domain::frame::Frame;
use backspin_domain::signal::SignalKind;
use backspin_domain::verdict::{Evidence, Verdict};

pub use params::JudgeParams;

/// One input that a judge may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A named signal of the whole service.
    Signal(SignalKind),
    /// Requests and errors counted per arm.
    ErrorCounts,
    /// Response times counted per arm, in buckets.
    LatencyBuckets,
    /// The candidate's pods, how many there are and should be.
    Pods,
    /// What its own metrics read, which its parameters say; what to do without is its own rule.
    Own,
}

/// What a judge needs: it is inconclusive unless, for at least one row, every input of that row is there.
pub type Needs = &'static [&'static [Need]];

/// From frames to verdicts.
pub trait Judge: Send {
    /// Its name in policies, tables and records.
    fn name(&self) -> &'static str;

    /// Inputs without which it is inconclusive.
    fn needs(&self) -> Needs;

    /// Whether what single pods counted moves its verdicts. One that says no is never shown it where that saves work.
    fn reads_pods(&self) -> bool {
        false
    }

    /// Forgets the deploy it watched; what it learned of the service's history may stay.
    fn reset(&mut self);

    /// Takes the next frame, in order of time, and answers. Frames before the deploy
    /// (`frame.rollout.since_deploy` is none) come too: a judge learns the service's history from them.
    fn observe(&mut self, frame: &Frame) -> Verdict;

    /// Why it answered the last observed frame so. Called rarely; may allocate.
    fn evidence(&self, frame: &Frame) -> Evidence;
}

/// A step on the way to a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A field of this name.
    Field(&'static str),
    /// An item of a list.
    Item(usize),
}

impl From<&'static str> for Place {
    fn from(field: &'static str) -> Self {
        Self::Field(field)
    }
}

/// Why a judge's parameters are refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParamError {
    /// Something inside a field or a list.
    #[error("{error}")]
    Within {
        /// Where.
        place: Place,
        /// What.
        error: Box<ParamError>,
    },
    /// A condition that is none.
    #[error("condition: {error}")]
    Condition {
        /// The field.
        name: &'static str,
        /// What, and where in the text.
        error: expr::ExprError,
    },
    /// A query that the policy has no signal for.
    #[error("the policy has no signal `{query}` of its own; {}", known_words(.known))]
    UnknownQuery {
        /// The name that was found.
        query: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// A name that something before it has.
    #[error("there is already a `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// A field without which another has no meaning.
    #[error("`{name}` must be given: {why}")]
    Lacks {
        /// The field.
        name: &'static str,
        /// What for.
        why: &'static str,
    },
    /// A number outside its range, or not a number.
    #[error("`{name}` must be between {min} and {max}, got {got}")]
    OutOfRange {
        /// The field.
        name: &'static str,
        /// What was found.
        got: f64,
        /// Least allowed.
        min: f64,
        /// Greatest allowed.
        max: f64,
    },
}

impl ParamError {
    /// The same, inside a field or an item.
    pub(crate) fn within(self, place: impl Into<Place>) -> Self {
        Self::Within { place: place.into(), error: Box::new(self) }
    }

    /// The way from the judge's parameters to what is refused.
    pub fn path(&self) -> Vec<Place> {
        let mut path = Vec::new();
        let mut error = self;
        while let Self::Within { place, error: inner } = error {
            path.push(*place);
            error = inner;
        }
        match error {
            Self::OutOfRange { name, .. } | Self::Condition { name, .. } => path.push(Place::Field(name)),
            // What lacks a field is pointed at as a whole.
            Self::Within { .. } | Self::UnknownQuery { .. } | Self::SameName { .. } | Self::Lacks { .. } => {}
        }
        path
    }

    /// What is refused, without the way to it.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Within { error, .. } => error.cause(),
            Self::OutOfRange { .. }
            | Self::Condition { .. }
            | Self::UnknownQuery { .. }
            | Self::SameName { .. }
            | Self::Lacks { .. } => self,
        }
    }
}

fn known_words(known: &[String]) -> String {
    if known.is_empty() {
        return "it has none (`custom`)".to_owned();
    }
    format!("it has `{}`", known.join("`, `"))
}

/// Refuses `got` outside `min..=max`; NaN is outside.
fn check_range(name: &'static str, got: f64, min: f64, max: f64) -> Result<(), ParamError> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(ParamError::OutOfRange { name, got, min, max }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::frame::{ArmIncrements, RolloutView};
    use backspin_domain::signal::{Quality, SignalSample};
    use backspin_domain::time::{Millis, MonoTime};
    use backspin_domain::verdict::VerdictClass;

    #[test]
    fn every_judge_has_valid_defaults_and_is_inconclusive_about_nothing() {
        let mut names = Vec::new();
        for params in JudgeParams::defaults() {
            assert_eq!(params.check(), Ok(()));
            assert_eq!(params.check_queries(&[]), Ok(()));
            let mut judge = params.build(&[]);
            assert_eq!(judge.name(), params.name());
            assert!(!judge.needs().is_empty());
            assert_eq!(
                judge.observe(&Frame::default()).class,
                VerdictClass::Inconclusive,
                "{}",
                params.name()
            );
            names.push(params.name());
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), JudgeParams::defaults().len());
    }

    /// Half an hour of a good service, then half an hour of a candidate of which one request in four fails.
    fn frames() -> Vec<Frame> {
        let arm = |requests: u32, errors: u32, slow: u32| {
            let mut arm =
                ArmIncrements { quality: Quality::Fresh, requests, errors, ..ArmIncrements::default() };
            (arm.pods_desired, arm.pods_ready) = (4, 4);
            arm.latency_buckets[6] = requests - slow;
            arm.latency_buckets[17] = slow;
            arm
        };
        (0..240_u32)
            .map(|n| {
                let deployed = n >= 120;
                let mut frame = Frame {
                    at: MonoTime(u64::from(n + 1) * 15_000),
                    interval: Millis::from_secs(15),
                    stable: Some(arm(900 + n % 7, u32::from(n % 3 == 0), n % 5)),
                    ..Frame::default()
                };
                let share = if deployed { 0.1 } else { 0.0 };
                let since_deploy = deployed.then(|| Millis(u64::from(n - 120) * 15_000));
                frame.rollout = RolloutView { since_deploy, candidate_share: share };
                frame.candidate = deployed.then(|| arm(100 + n % 3, 25, n % 4));
                frame.signals.set(SignalKind::ErrorRatio, SignalSample::fresh(0.025, 1000));
                frame.signals.set(SignalKind::LatencyP99, SignalSample::fresh(120.0, 1000));
                frame
            })
            .collect()
    }

    #[test]
    fn every_judge_answers_the_same_twice_and_says_why() {
        let frames = frames();
        for params in JudgeParams::defaults() {
            let play = || {
                let mut judge = params.build(&[]);
                let answers: Vec<(Verdict, Evidence)> =
                    frames.iter().map(|frame| (judge.observe(frame), judge.evidence(frame))).collect();
                answers
            };
            let (first, second) = (play(), play());
            let name = params.name();
            assert_eq!(first, second, "{name}");
            for (verdict, evidence) in &first {
                assert!(verdict.score.is_finite() && verdict.threshold.is_finite(), "{name}: {verdict:?}");
                assert!(
                    evidence.factors.iter().all(|f| f.value.is_finite() && f.threshold.is_finite()),
                    "{name}"
                );
            }
            let (verdict, evidence) = first.last().expect("some");
            assert!(!evidence.words.is_empty(), "{name}");
            // By nature: the reference needs more than errors, a breaker looks at no request, and of the whole service, which the
            // alarm is about, one request in forty fails.
            let sees = !matches!(name, "weighted" | "breaker" | "alarm");
            assert_eq!(verdict.class == VerdictClass::Fail, sees, "{name}: {verdict:?} {}", evidence.words);
        }
    }

    #[test]
    fn only_judges_that_say_so_are_moved_by_what_pods_counted() {
        use backspin_domain::pod::{PodArm, PodIncrements};
        // One of four pods of each arm answers almost all, and all of its requests fail.
        let with_pods = |frame: &Frame| {
            let pods = (0..8_u32).map(|pod| PodIncrements {
                arm: if pod < 4 { PodArm::Candidate } else { PodArm::Stable },
                pod,
                requests: if pod % 4 == 0 { 90 } else { 3 },
                errors: if pod % 4 == 0 { 90 } else { 0 },
                ..PodIncrements::default()
            });
            Frame { pods: pods.collect(), ..frame.clone() }
        };
        for params in JudgeParams::defaults() {
            let (mut without, mut with) = (params.build(&[]), params.build(&[]));
            let moved =
                frames().iter().any(|frame| without.observe(frame) != with.observe(&with_pods(frame)));
            assert_eq!(moved, without.reads_pods(), "{}", params.name());
        }
    }

    #[test]
    fn refusals_name_field_value_and_range() {
        let refused = check_range("alpha", 70.0, 0.0, 1.0).expect_err("out of range");
        assert_eq!(refused.to_string(), "`alpha` must be between 0 and 1, got 70");
    }

    #[test]
    fn unknown_fields_in_a_policy_are_refused_and_absent_ones_are_defaults() {
        let parsed: Result<e_detector::Params, _> = serde_json::from_str(r#"{"alpha": 0.05}"#);
        assert_eq!(parsed.ok(), Some(e_detector::Params { alpha: 0.05, ..Default::default() }));
        assert!(serde_json::from_str::<weighted::Params>(r#"{"error": 0.05}"#).is_err());
    }
}
