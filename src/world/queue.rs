//! Work that requests leave behind: jobs in one line, and workers who do them.
//!
//! Workers are a Deployment of their own that follows the traffic: the same share of them runs a version as it has of the
//! requests. A worker of a slow version takes longer, one of a failing version leaves the job in the line for another try, and
//! where that is less than comes in, the line grows: for the good version's users too, since they stand in the same one. It
//! outlives its cause, and drains with what capacity there is to spare. A job that waits for longer than it may harms its
//! user, once, and counts as a failed request where complaints are concerned.
//!
//! The same line without what the deploy does is kept beside it: what is late there, too, is nobody's defect.
//!
//! Left out: what jobs call, priorities, jobs that fail for ever, and workers that are scaled.

use super::backlog::Backlog;
use super::incident::Defect;
use backspin_domain::time::MonoTime;
use backspin_scenario::model::QueueModel;

/// The line and its workers.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    model: QueueModel,
    /// How long a job may hang, seconds.
    timeout_s: f64,
    actual: Backlog,
    /// Without what the deploy does.
    clean: Backlog,
}

/// One version's part of the workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// Its share, `0..=1`.
    pub(crate) share: f64,
    /// What is wrong with it.
    pub(crate) defect: &'a Defect,
    /// Whether it runs at all.
    pub(crate) runs: bool,
}

/// Users whose job became late.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Late {
    /// Because of the deploy.
    pub(crate) by_deploy: f64,
    /// Anyway.
    pub(crate) anyway: f64,
}

impl Queue {
    /// Empty; a job that hangs does so for `timeout_ms` milliseconds.
    pub(crate) fn new(model: QueueModel, timeout_ms: f64) -> Self {
        Self { model, timeout_s: timeout_ms / 1000.0, actual: Backlog::new(), clean: Backlog::new() }
    }

    /// Lets `seconds` pass until `now`, in which `good` requests went well; times were longer by `log_latency` for reasons outside.
    pub(crate) fn pass<'a>(
        &mut self,
        now: MonoTime,
        seconds: f64,
        good: f64,
        log_latency: f64,
        parts: impl Iterator<Item = Part<'a>>,
    ) -> Late {
        let (mut actual, mut clean) = (0.0, 0.0);
        for part in parts {
            clean += part.share * self.jobs_per_worker_s(&Defect::NONE, log_latency);
            actual +=
                if part.runs { part.share * self.jobs_per_worker_s(part.defect, log_latency) } else { 0.0 };
        }
        let (now_s, due_s) = (seconds_of(now), self.model.due.as_secs_f64());
        let arrive = good * self.model.jobs_per_request;
        let worker_s = f64::from(self.model.workers) * seconds;
        let late = |line: &mut Backlog, per_worker_s: f64| {
            line.pass(now_s, seconds, arrive, worker_s * per_worker_s);
            line.take_overdue(now_s, due_s)
        };
        let (all, anyway) = (late(&mut self.actual, actual), late(&mut self.clean, clean));
        Late { by_deploy: (all - anyway).max(0.0), anyway: all.min(anyway) }
    }

    /// Jobs that one worker finishes per second.
    fn jobs_per_worker_s(&self, defect: &Defect, log_latency: f64) -> f64 {
        let slower = libm::exp(defect.log_latency + log_latency) * defect.cost_factor;
        let hangs = defect.hang_ratio;
        let try_s = (1.0 - hangs) * self.model.job_s * slower + hangs * self.timeout_s;
        (1.0 - hangs) * (1.0 - defect.error_ratio) / try_s
    }

    /// Jobs that wait.
    pub(crate) fn depth(&self) -> f64 {
        self.actual.waiting()
    }

    /// How long the oldest has waited, seconds.
    pub(crate) fn age_s(&self, now: MonoTime) -> f64 {
        self.actual.age_s(seconds_of(now))
    }
}

/// Seconds since the run began.
pub(crate) fn seconds_of(now: MonoTime) -> f64 {
    now.since(MonoTime::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::time::Millis;

    /// 100 jobs per second come, 140 can be done.
    fn queue() -> Queue {
        let model = QueueModel { jobs_per_request: 0.5, job_s: 0.2, workers: 28, due: Millis::from_secs(60) };
        Queue::new(model, 5000.0)
    }

    /// So many minutes with half of the workers on a version with this defect; who was late.
    fn play(queue: &mut Queue, minutes: std::ops::Range<u64>, defect: &Defect) -> Late {
        let mut sum = Late::default();
        for step in minutes.start * 12..minutes.end * 12 {
            let parts = [(&Defect::NONE, 0.5), (defect, 0.5)];
            let parts = parts.iter().map(|&(defect, share)| Part { share, defect, runs: true });
            let late = queue.pass(MonoTime((step + 1) * 5000), 5.0, 1000.0, 0.0, parts);
            sum.by_deploy += late.by_deploy;
            sum.anyway += late.anyway;
        }
        sum
    }

    #[test]
    fn a_slow_version_fills_the_line_and_it_drains_after_it() {
        let mut queue = queue();
        assert_eq!(play(&mut queue, 0..10, &Defect::NONE), Late::default());
        assert_eq!(queue.depth(), 0.0);
        // Half of the workers at a quarter of their speed: 70 + 17.5 of 100 per second.
        let slow = Defect { log_latency: libm::log(4.0), ..Defect::NONE };
        let late = play(&mut queue, 10..30, &slow);
        assert!((queue.depth() - 12.5 * 1200.0).abs() < 1e-6, "{}", queue.depth());
        let age = 1200.0 * (1.0 - 0.875);
        assert!((queue.age_s(MonoTime(30 * 60_000)) - age).abs() < 1e-6);
        assert!(late.by_deploy > 0.0 && late.anyway == 0.0, "{late:?}");
        // 40 per second to spare: 375 s.
        let after = play(&mut queue, 30..36, &Defect::NONE);
        assert!(queue.depth() > 0.0 && after.by_deploy > 0.0, "it outlives its cause");
        play(&mut queue, 36..37, &Defect::NONE);
        assert_eq!(queue.depth(), 0.0);
    }

    #[test]
    fn what_fails_is_tried_again_and_what_hangs_holds_a_worker() {
        let queue = queue();
        let per_s = |defect: &Defect| queue.jobs_per_worker_s(defect, 0.0);
        assert!((per_s(&Defect::NONE) - 5.0).abs() < 1e-12);
        assert!((per_s(&Defect { error_ratio: 0.4, ..Defect::NONE }) - 3.0).abs() < 1e-12);
        assert!((per_s(&Defect { cost_factor: 2.0, ..Defect::NONE }) - 2.5).abs() < 1e-12);
        let hangs = per_s(&Defect { hang_ratio: 0.1, ..Defect::NONE });
        assert!((hangs - 0.9 / 0.68).abs() < 1e-12, "{hangs}");
    }

    #[test]
    fn what_comes_too_fast_for_all_is_nobodys_defect() {
        let mut queue = queue();
        let mut sum = Late::default();
        for step in 0..240_u64 {
            let parts = std::iter::once(Part { share: 1.0, defect: &Defect::NONE, runs: true });
            let late = queue.pass(MonoTime((step + 1) * 5000), 5.0, 2000.0, 0.0, parts);
            sum.by_deploy += late.by_deploy;
            sum.anyway += late.anyway;
        }
        assert!(sum.by_deploy == 0.0 && sum.anyway > 0.0, "{sum:?}");
    }
}
