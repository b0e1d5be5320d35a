//! From answers to the frame of a service.
//!
//! One query asks for the raw samples of the last interval, with the times at which they were taken; one more per
//! query of the policy. All are asked at once, as of the frame's time. Counters are compared with the sample before, which
//! is kept here, so the first scrape after a gap holds the whole gap.

use std::collections::{BTreeMap, HashMap};

use backspin_mocks::promql;
use futures::future::join_all;

use super::answer::{Labels, Sample};
use super::client::Prometheus;
use super::counter::{Counter, FirstSample, increment};
use super::error::QueryError;
use super::meaning::{ArmLabel, Meaning, What, names, pod_number};
use super::source::{ArmSum, Source};
use super::told::{Line, Number, Part, Scraped, instant, scraped};
use crate::windows;
use backspin_domain::frame::{ArmIncrements, Frame, RolloutView};
use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::pod::{PodArm, PodIncrements};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime, Now, WallTime};
use backspin_policy::{Asks, Policy};

/// A series without a sample for so long is forgotten, milliseconds.
const FORGET_AFTER_MS: i64 = 24 * 3_600_000;

/// Series that are kept before any is forgotten.
const SERIES_KEPT: usize = 10_000;

/// What is known of a service from elsewhere, at the time of the frame.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The rollout as configured.
    pub rollout: RolloutView,
    /// The version on trial; none before its deploy has begun.
    pub candidate: Option<&'a VersionId>,
    /// The service's versions, in the order in which their pods are listed.
    pub versions: &'a [VersionId],
}

/// When frames are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From here moments of frames count.
    pub wall_start: WallTime,
    /// Between two scrapes, and so between two frames.
    pub interval: Millis,
}

/// What counters are worth that the collector sees for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// They began at zero when the collector did, as those of a simulated world.
    WithTheRun,
    /// They have counted before. The first scrape of an arm is only where counting begins: it is missing in its frame.
    Amid,
}

/// What went wrong in the last collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// The query, as asked.
    pub query: String,
    /// What became of it.
    pub what: Became,
}

/// What became of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Became {
    /// It has no answer.
    Failed(QueryError),
    /// It has one, and the server remarks on it; the answer counts.
    Noted(Vec<String>),
}

/// Collects the frames of one service.
#[derive(Debug)]
pub struct Collector {
    prometheus: Prometheus,
    timing: Timing,
    raw: String,
    queries: Vec<(Asks, String)>,
    /// By names and values of their labels.
    series: HashMap<Box<[u8]>, Series>,
    sources: BTreeMap<u32, Source>,
    next_source: u32,
    /// Beyond so many series those that are gone are looked for.
    kept: usize,
    /// By arm, whether counting has begun.
    begun: [bool; 2],
    troubles: Vec<Trouble>,
    /// Room for a key.
    key: Vec<u8>,
}

#[derive(Debug)]
struct Series {
    says: Says,
    last: Option<Counter>,
    seen_ms: i64,
}

#[derive(Clone, Copy, Debug)]
enum Says {
    Nothing,
    Up(ArmLabel),
    Of { source: u32, what: What },
}

/// How well the arms were scraped.
#[derive(Clone, Copy, Debug)]
struct Qualities {
    candidate: Quality,
    stable: Quality,
}

impl Collector {
    /// A collector of a service, with the policy's queries.
    pub fn new(
        prometheus: Prometheus,
        service: &ServiceId,
        policy: &Policy,
        timing: Timing,
        begin: Begin,
    ) -> Self {
        let raw = Self::raw(service.as_str(), timing);
        let begun = match begin {
            Begin::WithTheRun => true,
            Begin::Amid => false,
        };
        Self {
            prometheus,
            timing,
            raw,
            queries: policy.queries.iter().map(|query| (query.asks, query.for_service(service))).collect(),
            series: HashMap::new(),
            sources: BTreeMap::new(),
            next_source: 0,
            kept: SERIES_KEPT,
            begun: [begun; 2],
            troubles: Vec::new(),
            key: Vec::new(),
        }
    }

    /// The question for all raw samples of an interval.
    pub(super) fn raw(service: &str, timing: Timing) -> String {
        format!("{{service=\"{service}\",__name__=~\"{}\"}}[{}ms]", names(), timing.interval.0)
    }

    /// The frame at `at`. What cannot be had is in the frame as missing or failed, and in [`Collector::troubles`].
    pub async fn collect(&mut self, at: MonoTime, known: &Known<'_>) -> Frame {
        let wall = self.wall(at);
        let answers = self.queries.iter().map(|(_, text)| self.prometheus.query(text, wall));
        let (raw, answers) = tokio::join!(self.prometheus.query(&self.raw, wall), join_all(answers));
        let raw = raw.as_ref().map_err(Clone::clone).and_then(scraped);
        let mut frame = self.frame(at, known, raw.as_ref().map(Scraped::all));
        let values = answers.iter().map(|answer| answer.as_ref().map_err(Clone::clone).and_then(instant));
        self.answer(&mut frame, values.map(|answer| answer.and_then(|told| told.number())));
        frame
    }

    /// The calendar time of a frame.
    pub(super) fn wall(&self, at: MonoTime) -> WallTime {
        Now::in_run(self.timing.wall_start, at).wall
    }

    /// The policy's query of this place, as it is asked of this service alone.
    pub(super) fn query(&self, place: usize) -> &str {
        &self.queries[place].1
    }

    /// Fills in what the policy's queries answered, in the policy's order.
    pub(super) fn answer(
        &mut self,
        frame: &mut Frame,
        answers: impl Iterator<Item = Result<Number, QueryError>>,
    ) {
        let values: Vec<_> = (0..).zip(answers).map(|(place, answer)| self.value(place, answer)).collect();
        let asks = self.queries.iter().map(|(asks, _)| *asks);
        windows::fill(frame, asks.zip(values));
    }

    /// The frame at `at` without signals and queries: one request instead of a dozen.
    #[cfg(test)]
    pub(super) async fn collect_without_queries(&mut self, at: MonoTime, known: &Known<'_>) -> Frame {
        let raw = self.prometheus.query(&self.raw, self.wall(at)).await;
        let raw = raw.as_ref().map_err(Clone::clone).and_then(scraped);
        self.frame(at, known, raw.as_ref().map(Scraped::all))
    }

    /// Forgets as soon as more series than this are kept.
    #[cfg(test)]
    pub(super) fn keep_at_least(&mut self, series: usize) {
        self.kept = series;
    }

    /// How many series and sources are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> [usize; 2] {
        [self.series.len(), self.sources.len()]
    }

    /// What went wrong in the last collection, and what the server remarked.
    pub fn troubles(&self) -> &[Trouble] {
        &self.troubles
    }

    /// Everything but signals and queries, of the series of one scrape.
    pub(super) fn frame<'a>(
        &mut self,
        at: MonoTime,
        known: &Known<'_>,
        raw: Result<Part<'a, impl Iterator<Item = &'a Line<'a>>>, &QueryError>,
    ) -> Frame {
        let wall = self.wall(at);
        self.troubles.clear();
        let qualities = match raw {
            Ok(part) => {
                self.note(self.raw.clone(), part.notes);
                self.take(part.lines, wall, known)
            }
            Err(error) => {
                self.fail(self.raw.clone(), error.clone());
                Qualities { candidate: Quality::Failed, stable: Quality::Failed }
            }
        };
        let mut pods = Vec::new();
        let candidate =
            known.candidate.map(|_| self.arm(PodArm::Candidate, qualities.candidate, known, &mut pods));
        let stable = self.arm(PodArm::Stable, qualities.stable, known, &mut pods);
        let shown = stable.pods_desired > 0
            || stable.pods_ready > 0
            || stable.requests > 0
            || stable.quality != Quality::Fresh;
        self.forget(wall.0);
        Frame {
            at,
            interval: self.timing.interval,
            rollout: known.rollout,
            candidate,
            stable: shown.then_some(stable),
            pods,
            ..Frame::default()
        }
    }

    /// Takes the samples of one scrape; gives how well the arms were scraped.
    fn take<'a>(
        &mut self,
        lines: impl Iterator<Item = &'a Line<'a>>,
        wall: WallTime,
        known: &Known<'_>,
    ) -> Qualities {
        for source in self.sources.values_mut() {
            source.begin_scrape();
        }
        let mut qualities = Qualities { candidate: Quality::Missing, stable: Quality::Missing };
        for (labels, samples) in lines {
            self.take_series(labels, samples, wall, known, &mut qualities);
        }
        qualities
    }

    fn take_series(
        &mut self,
        labels: &Labels<'_>,
        samples: &[Sample],
        wall: WallTime,
        known: &Known<'_>,
        qualities: &mut Qualities,
    ) {
        let Some(newest) = samples.last() else { return };
        self.key.clear();
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            self.key.extend_from_slice(text.0.as_bytes());
            // Not a byte of any text.
            self.key.push(0xff);
        }
        if !self.series.contains_key(self.key.as_slice()) {
            let says = self.meaning(labels);
            self.series.insert(self.key.as_slice().into(), Series { says, last: None, seen_ms: i64::MIN });
        }
        let series = self.series.get_mut(self.key.as_slice()).expect("it was just put there");
        series.seen_ms = newest.at_ms;
        match series.says {
            Says::Nothing => {}
            Says::Up(arm) => {
                let quality = match arm {
                    ArmLabel::Candidate => &mut qualities.candidate,
                    ArmLabel::Stable => &mut qualities.stable,
                };
                if newest.value == 1.0 {
                    *quality = Quality::Fresh;
                }
            }
            Says::Of { source, what } => {
                let source = self.sources.get_mut(&source).expect("sources outlive their series");
                source.touch(wall.0);
                match what {
                    What::Gauge(gauge) => source.show(gauge, newest.value),
                    What::Counter(counted) => {
                        let arm = usize::from(!is_candidate(known, &source.version));
                        let first =
                            if self.begun[arm] { FirstSample::Counts } else { FirstSample::IsTheStart };
                        source.count(counted, increment(&mut series.last, samples, first));
                    }
                }
            }
        }
    }

    fn meaning(&mut self, labels: &Labels<'_>) -> Says {
        let (version, pod, what) = match Meaning::of(labels) {
            None => return Says::Nothing,
            Some(Meaning::Up(arm)) => return Says::Up(arm),
            Some(Meaning::Says { version, pod, what }) => (version, pod, what),
        };
        let known =
            self.sources.iter().find(|(_, s)| s.version == version && s.pod == pod).map(|(&id, _)| id);
        let source = known.unwrap_or_else(|| {
            let id = self.next_source;
            self.next_source += 1;
            let number = pod.as_deref().map_or(0, pod_number);
            self.sources.insert(id, Source::new(&version, pod.as_deref(), number));
            id
        });
        Says::Of { source, what }
    }

    /// An arm, and its pods while a deploy is watched. An arm that was not scraped goes on counting.
    fn arm(
        &mut self,
        arm: PodArm,
        quality: Quality,
        known: &Known<'_>,
        pods: &mut Vec<PodIncrements>,
    ) -> ArmIncrements {
        if quality != Quality::Fresh {
            return ArmIncrements { quality, ..ArmIncrements::default() };
        }
        let wanted = arm == PodArm::Candidate;
        let mut sources: Vec<&mut Source> = self
            .sources
            .values_mut()
            .filter(|source| is_candidate(known, &source.version) == wanted)
            .collect();
        let place = |version: &str| known.versions.iter().position(|v| v.as_str() == version);
        // Those that nobody knows come last, by name.
        sources.sort_by_cached_key(|source| {
            let place = place(&source.version).unwrap_or(usize::MAX);
            (place, source.version.clone(), source.number)
        });
        let has_begun = std::mem::replace(&mut self.begun[usize::from(!wanted)], true);
        let mut sum = ArmSum::default();
        for source in sources {
            if source.pod.is_none() {
                source.add_to(&mut sum);
            } else if known.candidate.is_none() || !has_begun {
                source.clear();
            } else if source.is_seen() {
                pods.push(source.take_pod(arm));
            }
        }
        if has_begun {
            sum.into_arm()
        } else {
            ArmIncrements { quality: Quality::Missing, ..ArmIncrements::default() }
        }
    }

    /// What a query of the policy answered; none where it failed.
    fn value(&mut self, place: usize, answer: Result<Number, QueryError>) -> Option<promql::Value> {
        let query = self.queries[place].1.clone();
        match answer {
            Ok(Number { value, notes }) => {
                self.note(query, &notes);
                Some(value)
            }
            Err(error) => {
                self.fail(query, error);
                None
            }
        }
    }

    fn note(&mut self, query: String, notes: &[String]) {
        if !notes.is_empty() {
            self.troubles.push(Trouble { query, what: Became::Noted(notes.to_vec()) });
        }
    }

    fn fail(&mut self, query: String, error: QueryError) {
        self.troubles.push(Trouble { query, what: Became::Failed(error) });
    }

    /// Forgets what has been gone for long, each time that twice as much is kept, so that its cost per series is constant.
    fn forget(&mut self, now_ms: i64) {
        if self.series.len() <= self.kept {
            return;
        }
        let horizon_ms = now_ms.saturating_sub(FORGET_AFTER_MS);
        self.series.retain(|_, series| series.seen_ms >= horizon_ms);
        self.sources.retain(|_, source| source.seen_ms >= horizon_ms);
        self.kept = self.kept.max(2 * self.series.len());
    }
}

fn is_candidate(known: &Known<'_>, version: &str) -> bool {
    known.candidate.is_some_and(|candidate| candidate.as_str() == version)
}
