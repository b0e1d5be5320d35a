//! Asks a server for the pieces that are not kept yet.
//!
//! One question at a time, at a bounded rate, for the same stretch of several services at once. A server that wants to be left
//! alone is left alone; one that fails is asked again, a bounded number of times; an answer that is too large for it or for us is
//! asked for in halves. Only reads are asked for. Whatever ends it, the pieces that were answered are kept.

use std::collections::{BTreeMap, BTreeSet};

use super::metrics::Metrics;
use super::pace::{Bucket, Clock, Rate};
use super::pieces::Piece;
use super::store::{Kept, Store, StoreError, within};
use backspin_domain::id::ServiceId;
use backspin_domain::time::{Millis, WallTime};
use backspin_plane::http::metrics::{ErrorKind, Prometheus, QueryError, RawAnswer, Unanswered};

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// Requests per second, repeated ones included.
    pub rate: Rate,
    /// How often one question is asked, at most.
    pub attempts_max: u32,
    /// The longest wait that a server may ask for.
    pub wait_max: Millis,
    /// Services that one question is about, at most.
    pub group_max: usize,
}

impl Manner {
    /// Five attempts, ten minutes, 25 services.
    pub fn at(rate: Rate) -> Self {
        Self { rate, attempts_max: 5, wait_max: Millis::from_mins(10), group_max: 25 }
    }
}

/// What is going on.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// So many pieces are needed, so many of them are kept already, and so many files were no whole pieces.
    Begins {
        /// Pieces.
        needed: usize,
        /// Kept.
        kept: usize,
        /// Damaged.
        damaged: usize,
    },
    /// So many more pieces are kept.
    Kept(usize),
    /// It waits, and why.
    Waits(Millis, String),
}

/// What it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Requests, repeated ones included.
    pub requests: u64,
    /// Pieces that were fetched.
    pub pieces: usize,
    /// Of these, pieces in whose place there was a damaged file.
    pub damaged: usize,
    /// Different remarks of the server: its answers may be parts of what was asked for.
    pub notes: BTreeSet<String>,
}

/// Why not everything could be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server does not take the question.
    #[error("the server does not take the question `{query}`")]
    BadQuery {
        /// The question.
        query: String,
        /// Its words.
        #[source]
        error: QueryError,
    },
    /// No answer could be had.
    #[error("after {attempts} attempts there is no answer to `{query}`")]
    NoAnswer {
        /// The question.
        query: String,
        /// How often it was asked.
        attempts: u32,
        /// The last failure.
        #[source]
        error: QueryError,
    },
    /// The server wants to be left alone for longer than is waited.
    #[error("the server wants to be left alone for {asked}, and at most {max} are waited")]
    TooLong {
        /// How long.
        asked: Millis,
        /// How long at most.
        max: Millis,
    },
    /// The folder failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FetchError {
    /// Whether what was given is wrong, rather than what is around.
    pub const fn is_bad_input(&self) -> bool {
        match self {
            Self::BadQuery { .. } | Self::Store(StoreError::OtherServer { .. }) => true,
            Self::NoAnswer { .. } | Self::TooLong { .. } | Self::Store(StoreError::Io { .. }) => false,
        }
    }
}

/// What a failure is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// Ask again, later.
    Again,
    /// Ask for less at once.
    Less,
    /// Nothing helps: the question is wrong.
    Wrong,
    /// Nothing helps: the server will say no again.
    Hopeless,
}

struct Fetcher<'a, C> {
    client: &'a Prometheus,
    metrics: &'a Metrics,
    manner: Manner,
    bucket: Bucket,
    clock: C,
    fetched: Fetched,
    tell: &'a mut dyn FnMut(Told),
}

/// Fetches what is not kept of these pieces.
///
/// # Errors
/// See [`FetchError`]. What was fetched before is kept.
pub async fn fetch<C: Clock>(
    client: &Prometheus,
    metrics: &Metrics,
    store: &Store,
    pieces: &BTreeSet<Piece>,
    manner: Manner,
    clock: C,
    tell: &mut dyn FnMut(Told),
) -> Result<Fetched, FetchError> {
    let mut missing: BTreeMap<(WallTime, WallTime), Vec<&ServiceId>> = BTreeMap::new();
    let (mut kept, mut damaged) = (0, 0);
    for piece in pieces {
        match store.get(metrics, piece)? {
            Kept::Whole(_) => kept += 1,
            Kept::Nothing => missing.entry((piece.from, piece.to)).or_default().push(&piece.service),
            Kept::Damaged(_) => {
                damaged += 1;
                missing.entry((piece.from, piece.to)).or_default().push(&piece.service);
            }
        }
    }
    tell(Told::Begins { needed: pieces.len(), kept, damaged });
    let bucket = Bucket::new(manner.rate);
    let fetched = Fetched { damaged, ..Fetched::default() };
    let mut fetcher = Fetcher { client, metrics, manner, bucket, clock, fetched, tell };
    for ((from, to), services) in missing {
        for group in services.chunks(manner.group_max.max(1)) {
            let mut answer = fetcher.ask(group, from, to).await?;
            within(&mut answer, from, to);
            for service in group {
                let piece = Piece { from, to, service: (*service).clone() };
                store.put(metrics, &piece, &part(&answer, metrics, service))?;
            }
            fetcher.fetched.pieces += group.len();
            (fetcher.tell)(Told::Kept(group.len()));
        }
    }
    Ok(fetcher.fetched)
}

/// What is of one service.
fn part(answer: &RawAnswer, metrics: &Metrics, service: &ServiceId) -> RawAnswer {
    let is_of = |series: &&backspin_plane::http::metrics::RawSeries| {
        series.label(metrics.service_label()) == Some(service.as_str())
    };
    RawAnswer { series: answer.series.iter().filter(is_of).cloned().collect(), notes: answer.notes.clone() }
}

impl<C: Clock> Fetcher<'_, C> {
    /// Asks for a stretch of some services, in as many parts as it takes.
    async fn ask(
        &mut self,
        services: &[&ServiceId],
        from: WallTime,
        to: WallTime,
    ) -> Result<RawAnswer, FetchError> {
        let error = match self.ask_whole(services, from, to).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let too_much = matches!(&error, FetchError::NoAnswer { error, .. } if remedy(error) == Remedy::Less);
        let half = from.0 + (to.0 - from.0) / 2;
        let parts = if !too_much {
            return Err(error);
        } else if services.len() > 1 {
            let (one, other) = services.split_at(services.len() / 2);
            [(one, from, to), (other, from, to)]
        } else if half > from.0 && (to.0 - from.0) / 2 >= self.metrics.scrape().0.cast_signed() {
            [(services, from, WallTime(half)), (services, WallTime(half), to)]
        } else {
            return Err(error);
        };
        let mut all = RawAnswer::default();
        for (services, from, to) in parts {
            let mut part = Box::pin(self.ask(services, from, to)).await?;
            within(&mut part, from, to);
            join(&mut all, part);
        }
        Ok(all)
    }

    /// Asks one question, again where that may help.
    async fn ask_whole(
        &mut self,
        services: &[&ServiceId],
        from: WallTime,
        to: WallTime,
    ) -> Result<RawAnswer, FetchError> {
        let query = format!("{}[{}ms]", self.metrics.selector(services), to.0 - from.0);
        let mut attempts = 0;
        loop {
            let wait = self.bucket.take(self.clock.now());
            if !wait.is_zero() {
                self.clock.wait(wait).await;
            }
            self.fetched.requests += 1;
            attempts += 1;
            let Unanswered { error, retry_after } = match self.client.raw(&query, to).await {
                Ok(answer) => {
                    self.fetched.notes.extend(answer.notes.iter().cloned());
                    return Ok(answer);
                }
                Err(unanswered) => unanswered,
            };
            match remedy(&error) {
                Remedy::Wrong => return Err(FetchError::BadQuery { query, error }),
                Remedy::Again if attempts < self.manner.attempts_max => {}
                Remedy::Again | Remedy::Less | Remedy::Hopeless => {
                    return Err(FetchError::NoAnswer { query, attempts, error });
                }
            }
            // One second, two, four, and so on; longer where the server says so.
            let own = Millis::from_secs(1 << (attempts - 1).min(6));
            let wait = retry_after.unwrap_or_default().max(own);
            if wait > self.manner.wait_max {
                return Err(FetchError::TooLong { asked: wait, max: self.manner.wait_max });
            }
            (self.tell)(Told::Waits(wait, error.to_string()));
            self.clock.wait(wait).await;
        }
    }
}

/// What helps against a failure.
fn remedy(error: &QueryError) -> Remedy {
    match error {
        QueryError::Status { status: 429, .. } => Remedy::Again,
        QueryError::Status { kind: Some(ErrorKind::Timeout | ErrorKind::Execution), .. }
        | QueryError::Status { status: 413 | 422 | 504, .. }
        | QueryError::Timeout { .. }
        | QueryError::TooLarge { .. } => Remedy::Less,
        // Some servers end a query that takes too long so (`context deadline exceeded`), or say that it is too large.
        QueryError::Status { status: 400, message, .. }
            if ["deadline exceeded", "too many", "exceed"].iter().any(|words| message.contains(words)) =>
        {
            Remedy::Less
        }
        QueryError::Status { kind: Some(ErrorKind::BadData), .. }
        | QueryError::Status { status: 400, .. } => Remedy::Wrong,
        QueryError::Status { status, .. } if *status < 500 => Remedy::Hopeless,
        QueryError::Unexpected { .. } => Remedy::Hopeless,
        QueryError::Status { .. }
        | QueryError::Refused { .. }
        | QueryError::Reset { .. }
        | QueryError::Truncated { .. }
        | QueryError::Malformed { .. } => Remedy::Again,
    }
}

/// Adds the series of a later or another part.
pub(crate) fn join(all: &mut RawAnswer, part: RawAnswer) {
    let mut places: BTreeMap<Vec<(String, String)>, usize> =
        all.series.iter().enumerate().map(|(place, series)| (series.labels.clone(), place)).collect();
    for series in part.series {
        if let Some(&place) = places.get(&series.labels) {
            all.series[place].samples.extend(series.samples);
        } else {
            places.insert(series.labels.clone(), all.series.len());
            all.series.push(series);
        }
    }
    all.notes.extend(part.notes);
}
