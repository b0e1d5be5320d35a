//! What is around the service, with the sizes that nobody wrote down.

use super::file::{Cache, Database, Queue, ScenarioFile};
use super::model::{CacheModel, DatabaseModel, QueueModel};
use backspin_domain::time::Millis;

pub(super) fn cache(file: &ScenarioFile) -> Option<CacheModel> {
    let Cache { hit_ratio, fills_after } = file.cache?;
    Some(CacheModel { hit_ratio, fills_after: f64::from(fills_after) })
}

pub(super) fn queue(file: &ScenarioFile) -> Option<QueueModel> {
    let Queue { jobs_per_request, job_ms, workers, due } = file.queue?;
    let job_s = job_ms / 1000.0;
    let needed = libm::ceil(file.traffic.rps * jobs_per_request * job_s / WORKERS_BUSY).max(1.0);
    Some(QueueModel { jobs_per_request, job_s, workers: workers.unwrap_or(needed as u32), due: due.0 })
}

pub(super) fn database(file: &ScenarioFile) -> Option<DatabaseModel> {
    let Database { writes_per_request, replay_per_s, lag, reads, read_after, stale_fails } = file.database?;
    let needed = (file.traffic.rps * writes_per_request / REPLICAS_BUSY).max(REPLAY_MIN);
    Some(DatabaseModel {
        writes_per_request,
        replay_per_s: replay_per_s.unwrap_or(needed),
        lag: lag.0,
        reads,
        read_after: read_after.0.max(Millis(1)),
        stale_fails,
    })
}

/// How busy workers are at the mean traffic: the daily wave and noise of 15 % stay below their capacity.
const WORKERS_BUSY: f64 = 0.7;

/// How busy replaying keeps a replica at the mean traffic.
const REPLICAS_BUSY: f64 = 0.6;

/// No replica is so slow that a few writes in a second keep it behind.
const REPLAY_MIN: f64 = 10.0;
