//! `breaker`: the deployment circuit breaker of Amazon ECS, from its developer guide.
//!
//! Tasks that fail are counted: those that never get ready, seen as restarts, and those that were ready and are not any more, seen
//! as pods lost. A task that becomes healthy sets the count back. So many failures fail the deployment, which goes back to the last
//! that was completed. Quirks that are kept on purpose:
//!
//! - it looks at nothing but tasks: a version that starts well and fails every request passes;
//! - a crash loop whose tasks get healthy in between sets the count back each time, and may never be stopped;
//! - at least three failures are needed however few tasks there are, and no more than two hundred however many;
//! - once all desired tasks are ready the deployment is completed, and nothing is watched any more.
//!
//! The desired count is the greatest that the candidate was seen with. Left out: alarms with their computed bake time (`alarm` with
//! `at_start: ignore_all` is that), and which of several reasons a task failed for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

use super::inputs::fresh;
use super::{Judge, Need, Needs, ParamError, check_range};

/// A deployment's circuit breaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Failed tasks that fail the deployment. Default `bounded_percent: 50`.
    pub threshold: Threshold,
    /// Whether a task that becomes healthy sets the count back (`resetOnHealthyTask`). Default yes.
    pub reset_on_healthy_task: bool,
}

/// How many failed tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Threshold {
    /// So many, `1..=10000`.
    Count(u32),
    /// Percent of the desired count, rounded up, at least 3 and at most 200.
    BoundedPercent(f64),
    /// Percent of the desired count, rounded up, at least 1.
    UnboundedPercent(f64),
}

impl Default for Params {
    fn default() -> Self {
        Self { threshold: Threshold::BoundedPercent(50.0), reset_on_healthy_task: true }
    }
}

impl Params {
    /// Refuses numbers outside their ranges.
    pub fn check(&self) -> Result<(), ParamError> {
        let checked = match self.threshold {
            Threshold::Count(count) => check_range("count", f64::from(count), 1.0, 10_000.0),
            Threshold::BoundedPercent(percent) => check_range("bounded_percent", percent, 0.0, 100.0),
            Threshold::UnboundedPercent(percent) => check_range("unbounded_percent", percent, 0.0, 1000.0),
        };
        checked.map_err(|error| error.within("threshold"))
    }

    /// Failures that fail a deployment of this desired count.
    fn failures_max(&self, desired: u16) -> f64 {
        let share = |percent: f64| (percent / 100.0 * f64::from(desired)).ceil();
        match self.threshold {
            Threshold::Count(count) => f64::from(count),
            Threshold::BoundedPercent(percent) => share(percent).clamp(3.0, 200.0),
            Threshold::UnboundedPercent(percent) => share(percent).max(1.0),
        }
    }
}

/// The judge.
#[derive(Clone, Debug)]
pub struct Breaker {
    params: Params,
    deployment: Deployment,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deployment {
    /// Whether the candidate's tasks were ever seen.
    seen: bool,
    desired: u16,
    ready: u16,
    failures: u32,
    /// Failures ever, for evidence.
    all_failures: u32,
    failed: bool,
    completed: bool,
}

impl Breaker {
    /// A judge with these parameters.
    pub fn new(params: &Params) -> Self {
        Self { params: params.clone(), deployment: Deployment::default() }
    }

    fn count(&mut self, arm: &ArmIncrements, share: f64) {
        let (params, it) = (&self.params, &mut self.deployment);
        let lost = if arm.pods_desired >= it.desired { it.ready.saturating_sub(arm.pods_ready) } else { 0 };
        if arm.pods_ready > it.ready && params.reset_on_healthy_task {
            it.failures = 0;
        }
        // A pod that restarts is lost until it is ready again: one failure, not two.
        let failed = u32::from(arm.restarts.max(lost));
        it.failures += failed;
        it.all_failures += failed;
        it.seen = true;
        it.desired = it.desired.max(arm.pods_desired);
        it.ready = arm.pods_ready;
        it.failed = f64::from(it.failures) >= params.failures_max(it.desired);
        it.completed = !it.failed && share >= 1.0 && arm.pods_ready >= arm.pods_desired;
    }
}

impl Judge for Breaker {
    fn name(&self) -> &'static str {
        "breaker"
    }

    fn needs(&self) -> Needs {
        &[&[Need::Pods]]
    }

    fn reset(&mut self) {
        self.deployment = Deployment::default();
    }

    fn observe(&mut self, frame: &Frame) -> Verdict {
        if frame.rollout.since_deploy.is_some()
            && !(self.deployment.failed || self.deployment.completed)
            && let Some(arm) = frame.candidate.as_ref().and_then(fresh)
            && arm.pods_desired > 0
        {
            self.count(arm, frame.rollout.candidate_share);
        }
        let it = &self.deployment;
        let threshold = self.params.failures_max(it.desired);
        if frame.rollout.since_deploy.is_none() || !it.seen {
            return Verdict::inconclusive(threshold);
        }
        Verdict {
            class: if it.failed { VerdictClass::Fail } else { VerdictClass::Pass },
            score: f64::from(it.failures),
            threshold,
            primary: None,
            reference: Reference::Limit,
        }
    }

    fn evidence(&self, _frame: &Frame) -> Evidence {
        let it = &self.deployment;
        let threshold = self.params.failures_max(it.desired);
        let stands = if it.failed {
            "failed"
        } else if it.completed {
            "completed"
        } else {
            "in progress"
        };
        let words = format!(
            "deployment {stands}: {} failed tasks in a row without a healthy one ({} in all), {threshold} fail it; {} of {} ready",
            it.failures, it.all_failures, it.ready, it.desired
        );
        let value = f64::from(it.failures);
        let factor = Factor {
            signal: "failed_tasks".to_owned(),
            value,
            threshold,
            impact: value / threshold,
            contribution: value / threshold,
        };
        Evidence { words, factors: if it.failures > 0 { vec![factor] } else { Vec::new() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::frame::RolloutView;
    use backspin_domain::signal::Quality;
    use backspin_domain::time::Millis;

    fn frame(share: f64, desired: u16, ready: u16, restarts: u16) -> Frame {
        let arm = ArmIncrements {
            quality: Quality::Fresh,
            pods_desired: desired,
            pods_ready: ready,
            restarts,
            ..ArmIncrements::default()
        };
        Frame {
            rollout: RolloutView { since_deploy: Some(Millis(0)), candidate_share: share },
            candidate: Some(arm),
            ..Frame::default()
        }
    }

    /// Ready pods and restarts, scrape by scrape, of ten desired: the counts, and whether it failed.
    #[track_caller]
    fn check(params: &Params, scrapes: &[(u16, u16)], expected: &[f64], fails: bool) {
        let mut judge = Breaker::new(params);
        let mut last = VerdictClass::Inconclusive;
        let counts: Vec<f64> = scrapes
            .iter()
            .map(|&(ready, restarts)| {
                let verdict = judge.observe(&frame(0.1, 10, ready, restarts));
                last = verdict.class;
                verdict.score
            })
            .collect();
        assert_eq!((counts.as_slice(), last == VerdictClass::Fail), (expected, fails));
    }

    #[test]
    fn half_of_the_desired_count_but_three_at_least() {
        let params = Params::default();
        for (desired, expected) in [(1, 3.0), (6, 3.0), (7, 4.0), (10, 5.0), (401, 200.0), (1000, 200.0)] {
            assert_eq!(params.failures_max(desired), expected, "{desired}");
        }
        let unbounded = Params { threshold: Threshold::UnboundedPercent(50.0), ..Params::default() };
        assert_eq!((unbounded.failures_max(1), unbounded.failures_max(1000)), (1.0, 500.0));
        let count = Params { threshold: Threshold::Count(7), ..Params::default() };
        assert_eq!(count.failures_max(1), 7.0);
    }

    #[test]
    fn tasks_that_never_start_are_counted() {
        check(&Params::default(), &[(0, 0), (0, 2), (0, 2), (0, 1)], &[0.0, 2.0, 4.0, 5.0], true);
        check(&Params::default(), &[(0, 2), (0, 2)], &[2.0, 4.0], false);
    }

    #[test]
    fn a_healthy_task_sets_the_count_back_if_it_is_to() {
        let loops = [(0, 2), (1, 0), (0, 2), (1, 0), (0, 2), (1, 0)];
        check(&Params::default(), &loops, &[2.0, 0.0, 2.0, 0.0, 2.0, 0.0], false);
        let strict = Params { reset_on_healthy_task: false, ..Params::default() };
        check(&strict, &loops, &[2.0, 2.0, 4.0, 4.0, 6.0, 6.0], true);
    }

    #[test]
    fn tasks_that_stop_being_healthy_are_counted() {
        check(&Params::default(), &[(10, 0), (8, 0), (5, 0)], &[0.0, 2.0, 5.0], true);
        let mut judge = Breaker::new(&Params::default());
        judge.observe(&frame(0.5, 10, 10, 0));
        assert_eq!(judge.observe(&frame(0.1, 2, 2, 0)).score, 0.0, "scaled down, not lost");
    }

    #[test]
    fn requests_are_not_looked_at() {
        let mut judge = Breaker::new(&Params::default());
        let mut failing = frame(0.1, 10, 10, 0);
        if let Some(arm) = &mut failing.candidate {
            (arm.requests, arm.errors) = (1000, 1000);
        }
        assert_eq!(judge.observe(&failing).class, VerdictClass::Pass);
    }

    #[test]
    fn a_completed_deployment_is_watched_no_more() {
        let mut judge = Breaker::new(&Params::default());
        judge.observe(&frame(1.0, 10, 10, 0));
        for _ in 0..9 {
            assert_eq!(judge.observe(&frame(1.0, 10, 0, 10)).class, VerdictClass::Pass);
        }
        assert!(judge.evidence(&Frame::default()).words.starts_with("deployment completed: 0 failed"));
        judge.reset();
        assert_eq!(judge.observe(&frame(1.0, 10, 0, 10)).class, VerdictClass::Fail);
        assert_eq!(judge.evidence(&Frame::default()).factors[0].value, 10.0);
    }
}
