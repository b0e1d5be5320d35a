//! The frames of several services at once: what can be asked of all of them is asked once.
//!
//! A query of the policy names one service. [`promql::group`] rewrites it to answer for many where that is the same; where it is
//! not (`… or vector(0)` answers for nobody in particular), each service is asked for itself. An answer that cannot be had
//! is missing for all whom it was about, and for nobody else.

use backspin_mocks::promql;
use futures::future::join_all;

use super::client::{Body, Prometheus};
use super::collector::{Begin, Collector, Known, Timing, Trouble};
use super::error::QueryError;
use super::told::{Instant, SERVICE, instant, scraped};
use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_domain::time::MonoTime;
use backspin_policy::Policy;
use backspin_policy::queries::SERVICE as PLACEHOLDER;

/// Collects the frames of several services of one Prometheus.
#[derive(Debug)]
pub struct Group {
    prometheus: Prometheus,
    raw: String,
    /// By query of the policy, as it is asked of all; none where each is asked for itself.
    queries: Vec<Option<String>>,
    services: Vec<(ServiceId, Collector)>,
}

impl Group {
    /// A collector of these services, with the policy's queries.
    pub fn new(
        prometheus: &Prometheus,
        services: &[ServiceId],
        policy: &Policy,
        timing: Timing,
        begin: Begin,
    ) -> Self {
        let names: Vec<&str> = services.iter().map(ServiceId::as_str).collect();
        let for_all = |text: &str| promql::group(text, SERVICE, PLACEHOLDER, &names);
        let collector =
            |service: &ServiceId| Collector::new(prometheus.clone(), service, policy, timing, begin);
        Self {
            prometheus: prometheus.clone(),
            raw: for_all(&Collector::raw(PLACEHOLDER, timing)).expect("a selector of the service"),
            queries: policy.queries.iter().map(|query| for_all(&query.text)).collect(),
            services: services.iter().map(|service| (service.clone(), collector(service))).collect(),
        }
    }

    /// Requests that one collection takes.
    pub fn requests(&self) -> usize {
        let asked = self.queries.iter().map(|text| if text.is_some() { 1 } else { self.services.len() });
        1 + asked.sum::<usize>()
    }

    /// The frames at `at`, in the order of the services; `known` likewise. What cannot be had is in a frame as missing or
    /// failed, and in [`Group::troubles`].
    ///
    /// # Panics
    /// When there are not as many `known` as services.
    pub async fn collect(&mut self, at: MonoTime, known: &[Known<'_>]) -> Vec<Frame> {
        assert_eq!(known.len(), self.services.len(), "one for each service");
        let Some((_, first)) = self.services.first() else { return Vec::new() };
        let wall = first.wall(at);
        let ask = async |text: &str| self.prometheus.query(text, wall).await;
        let of_query = async |place: usize| match &self.queries[place] {
            Some(text) => vec![ask(text).await],
            None => join_all(self.services.iter().map(|(_, service)| ask(service.query(place)))).await,
        };
        let (raw, bodies) =
            tokio::join!(ask(&self.raw), join_all((0..self.queries.len()).map(|place| of_query(place))));
        let raw = raw.as_ref().map_err(Clone::clone).and_then(scraped);
        let told: Vec<Vec<_>> = bodies.iter().map(|bodies| bodies.iter().map(read).collect()).collect();
        let mut frames = Vec::with_capacity(known.len());
        for (i, ((service, collector), known)) in self.services.iter_mut().zip(known).enumerate() {
            let name = service.as_str();
            let mut frame = collector.frame(at, known, raw.as_ref().map(|raw| raw.of(name)));
            let answers = told.iter().zip(&self.queries).map(|(told, for_all)| match for_all {
                Some(_) => told[0].as_ref().map_err(Clone::clone).and_then(|told| told.number_of(name)),
                None => told[i].as_ref().map_err(Clone::clone).and_then(Instant::number),
            });
            collector.answer(&mut frame, answers);
            frames.push(frame);
        }
        frames
    }

    /// What went wrong in the last collection, and what the server remarked, by service. A query that was asked of all is told
    /// as it would have been asked of the one.
    pub fn troubles(&self) -> impl Iterator<Item = (&ServiceId, &Trouble)> {
        self.services.iter().flat_map(|(id, collector)| collector.troubles().iter().map(move |it| (id, it)))
    }
}

fn read(body: &Result<Body, QueryError>) -> Result<Instant<'_>, QueryError> {
    body.as_ref().map_err(Clone::clone).and_then(instant)
}
