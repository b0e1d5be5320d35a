//! What stands behind a score, for people: the counts of the frames that made it.

use backspin_domain::time::MonoTime;

use super::statistics::LogE;

/// One stream's counts over its present run of frames: those since its evidence last was nothing, which is where a
/// cumulative sum puts the onset (Page 1954). A run without evidence is the last frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Cumulative sums, one per alternative; all zero: no run.
    sums: LogE,
    /// When the run's first frame began.
    pub from: MonoTime,
    pub candidate: Counted,
    /// Of the frames that had a control.
    pub control: Counted,
    /// Share before the deploy, if frames were compared with that.
    pub past: Option<f64>,
    /// Response time above which a request is a hit, milliseconds; none for errors.
    pub over_ms: Option<f64>,
}

/// Hits among requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub hits: f64,
    pub requests: f64,
}

/// What the candidate's counts of one frame are held against.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// The control's of the same frame.
    Control(Counted),
    /// The share before the deploy.
    Past(f64),
}

impl Counted {
    pub(super) fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.requests += other.requests;
    }

    /// Without a part of it; none if nothing would remain.
    pub(super) fn less(self, part: Self) -> Option<Self> {
        let requests = self.requests - part.requests;
        (requests > 0.0).then(|| Self { hits: (self.hits - part.hits).max(0.0), requests })
    }

    /// Share of hits, if there were requests.
    pub(super) fn share(self) -> Option<f64> {
        (self.requests > 0.0).then(|| self.hits / self.requests)
    }
}

impl Tally {
    /// Begins a new run at a frame that began at `from`, if the last one came to nothing; whether it did.
    pub(super) fn begin(&mut self, from: MonoTime) -> bool {
        let new = self.sums.iter().all(|&sum| sum <= 0.0);
        if new {
            *self = Self { from, over_ms: self.over_ms, ..Self::default() };
        }
        new
    }

    /// Takes a frame's counts.
    pub(super) fn count(&mut self, candidate: Counted, held: Held) {
        self.candidate.add(candidate);
        match held {
            Held::Control(control) => self.control.add(control),
            Held::Past(share) => self.past = Some(share),
        }
    }

    /// Takes the evidence of the same frame.
    pub(super) fn step(&mut self, log_e: &LogE) {
        for (sum, &l) in self.sums.iter_mut().zip(log_e) {
            *sum = (*sum + l).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_where_the_evidence_was_nothing() {
        let mut tally = Tally::default();
        let mut frame = |at: u64, hits: f64, l: f64| {
            tally.begin(MonoTime(at));
            tally.count(Counted { hits, requests: 10.0 }, Held::Past(0.1));
            tally.step(&[l; super::super::statistics::ALTERNATIVES]);
            (tally.from.0, tally.candidate.hits)
        };
        assert_eq!(frame(1, 0.0, -1.0), (1, 0.0));
        assert_eq!(frame(2, 1.0, -1.0), (2, 1.0));
        assert_eq!(frame(3, 5.0, 2.0), (3, 5.0));
        assert_eq!(frame(4, 2.0, -1.0), (3, 7.0), "still the same run");
        assert_eq!(frame(5, 1.0, -1.5), (3, 8.0));
        assert_eq!(frame(6, 1.0, 0.0), (6, 1.0));
    }
}
