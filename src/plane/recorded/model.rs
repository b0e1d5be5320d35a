//! What would have been seen of a recorded deploy at another share of traffic, and what users would have felt.
//!
//! Assumes, and says so in every record ([`assumptions`]): the law of a request depends on version and time and not on
//! the share (A1), demand comes from outside (A2), no damage outlives the version beyond a decay that is given (A3).

use std::collections::VecDeque;

use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::VersionId;
use backspin_domain::seed::{Seed, StreamKey};
use backspin_domain::signal::{Quality, SignalKind, SignalSample};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::{Milestone, ReplaySensitivity, TruthTick};
use backspin_scenario::recorded::{RecordedCase, together};
use backspin_world::Draw;

use super::law::{Law, fail_more, loaded, scaled};

/// How long the last law of an arm is held where the record has none (section 6: the last 5 min).
const HELD: Millis = Millis::from_mins(5);

/// Truth is told over this long: single scrapes hold too few requests.
const TRUTH_WINDOW: Millis = Millis::from_mins(1);

/// Below this share of users the harm counts as mitigated, as in the simulated world.
const MITIGATED: f64 = 0.01;

/// For so long the target must serve all without harm, as in the simulated world.
const RECOVERED: Millis = Millis::from_mins(3);

/// Below this share an aggregate says nothing of the candidate: the variance goes by `1 / s^2` (section 6).
pub(super) const SHARE_MIN: f64 = 0.05;

/// Other decays that are told beside the one that is played (section 6).
const SENSITIVITY: [Millis; 3] = [Millis::ZERO, Millis::from_secs(60), Millis::from_secs(300)];

/// How a recording is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It ends with the first decision to roll back; why it cannot go on.
    Open(&'static str),
    /// The arms were recorded apart.
    Arms,
    /// The whole was recorded, with the candidate's share.
    Aggregate,
}

/// What is assumed, and what the record cannot say.
pub(super) fn assumptions(case: &RecordedCase, mode: &Mode) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    match mode {
        Mode::Open(why) => {
            words.push(format!("played in open loop: {why}"));
            words.push("ends with the first decision to roll back; what would have followed is unknown".into());
            return words;
        }
        Mode::Arms => words.push(
            "replayed in closed loop: both versions were recorded apart, each is thinned or drawn again to the share \
             that the engine sets; outside harm stays, since the old version is seen to have it"
                .into(),
        ),
        Mode::Aggregate => words.push(
            "replayed in closed loop from the whole: the candidate's errors are (whole − (1 − s) × before) / s, the old \
             version's those from before; outside harm cannot be told from the candidate's"
                .into(),
        ),
    }
    words.push("A1: the law of a request depends on version and time, not on the share of traffic".into());
    words.push("A2: demand comes from outside; users neither retry nor stay away".into());
    words.push(if case.residual == Millis::ZERO {
        "A3: the version leaves no damage behind".to_owned()
    } else {
        format!("A3: damage that the version leaves behind decays within {} (time constant)", case.residual)
    });
    words.push(match mode {
        Mode::Arms => {
            "load: response times follow (1 − u) / (1 − u'), where use was recorded; pods stay as they were"
                .to_owned()
        }
        Mode::Aggregate | Mode::Open(_) => "load: not corrected; response times stay as recorded".to_owned(),
    });
    if let Some(at) = case.rolled_back {
        words.push(format!(
            "extrapolated from {at} on: the record itself rolled back then, its candidate's last 5 min are held; only \
             the delay is scored, no time to mitigate or recover"
        ));
    }
    words
}

/// What is known of one moment.
#[derive(Clone, Copy, Debug)]
struct Felt {
    at: MonoTime,
    share: f64,
    /// Share of users that the deploy harms, by [`SENSITIVITY`].
    impact: [f64; SENSITIVITY.len()],
    harmed: [f64; SENSITIVITY.len()],
}

/// The model of one recording.
#[derive(Debug)]
pub(super) struct Model {
    mode: Mode,
    bad: bool,
    external: bool,
    onset: Option<MonoTime>,
    change: MonoTime,
    residual: Millis,
    period: Millis,
    key: StreamKey,
    tick: u64,
    /// The old version before the change.
    before: Law,
    before_p99: (f64, f64),
    /// Recorded scrapes of stable and candidate, the last five minutes of each.
    held: [VecDeque<(MonoTime, ArmIncrements)>; 2],
    /// When the candidate last served because of the engine, and by how much the whole was worse then.
    left: Option<(MonoTime, f64)>,
    felt: Vec<Felt>,
    /// First moment of which something was extrapolated.
    pub(super) extrapolated: Option<MonoTime>,
}

impl Model {
    pub(super) fn new(case: &RecordedCase, mode: Mode, seed: Seed) -> Self {
        Self {
            mode,
            bad: case.bad,
            external: case.external,
            onset: case.onset,
            change: case.change,
            residual: case.residual,
            period: case.period,
            key: seed.stream("counterfactual"),
            tick: 0,
            before: Law::default(),
            before_p99: (0.0, 0.0),
            held: [VecDeque::new(), VecDeque::new()],
            left: None,
            felt: Vec::new(),
            extrapolated: None,
        }
    }

    /// Turns a recorded scrape into the one at the engine's share; `load` is how busy stable and candidate were.
    /// At the record's own share it is the record, to the bit.
    pub(super) fn replay(&mut self, frame: &mut Frame, share: f64, load: [Option<f64>; 2]) -> TruthTick {
        self.tick += 1;
        let recorded = frame.rollout.candidate_share;
        self.remember(frame);
        let excess = self.excess(frame, recorded);
        let same = (share - recorded).abs() < 1e-9;
        if share > 0.0 {
            self.left = Some((frame.at, share * excess.0));
        }
        let residual = if same { 0.0 } else { self.residual_at(frame.at, share, self.residual) };
        if !same {
            let mut draw = Draw::at(self.key, self.tick);
            match self.mode {
                Mode::Arms => self.arms(frame, share, load, residual, &mut draw),
                Mode::Aggregate => self.aggregate(frame, share, residual, &mut draw),
                Mode::Open(_) => unreachable!("no share is set in an open loop"),
            }
            frame.rollout.candidate_share = share;
        }
        self.feel(frame, share, same, excess)
    }

    fn remember(&mut self, frame: &Frame) {
        if frame.at <= self.change {
            if let Some(arm) = &frame.stable {
                self.before.add(arm);
            }
            let p99 = frame.signals.get(SignalKind::LatencyP99);
            if p99.quality == Quality::Fresh {
                self.before_p99 = (self.before_p99.0 + p99.value, self.before_p99.1 + 1.0);
            }
        }
        for (held, arm) in self.held.iter_mut().zip([&frame.stable, &frame.candidate]) {
            if let Some(arm) = arm.filter(|arm| arm.quality == Quality::Fresh && arm.requests > 0) {
                held.push_back((frame.at, arm));
            }
            // Five minutes before its own last scrape, so that a law is held however long nothing follows.
            let last = held.back().map_or(frame.at, |(at, _)| *at);
            while held.front().is_some_and(|(at, _)| last.since(*at) > HELD) {
                held.pop_front();
            }
        }
    }

    /// The law of an arm over its last so many seconds.
    fn law(&self, arm: usize, window: Millis) -> Law {
        let mut law = Law::default();
        let last = self.held[arm].back().map_or(MonoTime::ZERO, |(at, _)| *at);
        for (_, counts) in self.held[arm].iter().filter(|(at, _)| last.since(*at) <= window) {
            law.add(counts);
        }
        law
    }

    /// By how much larger a share of the candidate's requests fails, and is slow, than of the old version's.
    fn excess(&self, frame: &Frame, recorded: f64) -> (f64, f64) {
        if !self.bad || self.onset.is_none_or(|onset| frame.at <= onset) {
            return (0.0, 0.0);
        }
        match self.mode {
            Mode::Arms => {
                let (old, new) = (self.law(0, TRUTH_WINDOW), self.law(1, TRUTH_WINDOW));
                let bucket = self.before.p99_bucket();
                let errors = (new.error_ratio() - old.error_ratio()).max(0.0);
                (errors, (new.slow_ratio(bucket) - old.slow_ratio(bucket)).max(0.0))
            }
            Mode::Aggregate => {
                let before = self.before.error_ratio();
                let whole = self.law(1, TRUTH_WINDOW).error_ratio();
                ((unmixed(whole, before, recorded) - before).max(0.0), 0.0)
            }
            Mode::Open(_) => (0.0, 0.0),
        }
    }

    /// Share of requests that fail because of damage that the version left behind.
    fn residual_at(&self, at: MonoTime, share: f64, decay: Millis) -> f64 {
        match self.left {
            Some((left, excess)) if share == 0.0 && self.bad && decay > Millis::ZERO => {
                excess * libm::exp(-at.since(left).as_secs_f64() / decay.as_secs_f64())
            }
            _ => 0.0,
        }
    }

    fn arms(
        &mut self,
        frame: &mut Frame,
        share: f64,
        load: [Option<f64>; 2],
        residual: f64,
        draw: &mut Draw,
    ) {
        let recorded = frame.rollout.candidate_share;
        let (was, now) = ([1.0 - recorded, recorded], [1.0 - share, share]);
        let fresh = |arm: &Option<ArmIncrements>| arm.filter(|arm| arm.quality == Quality::Fresh);
        let seen = [fresh(&frame.stable), fresh(&frame.candidate)];
        // Demand, from the arms that were measured and their share.
        let requests: f64 = seen.iter().flatten().map(|arm| f64::from(arm.requests)).sum();
        let measured: f64 =
            seen.iter().zip(was).filter(|(arm, _)| arm.is_some()).map(|(_, share)| share).sum();
        let demand = if measured > 0.0 { requests / measured } else { 0.0 };
        for n in [0, 1] {
            let place = if n == 0 { &mut frame.stable } else { &mut frame.candidate };
            // What was not measured then cannot be now.
            let Some(arm) = place.as_mut().filter(|arm| arm.quality == Quality::Fresh) else { continue };
            if arm.requests > 0 && was[n] > 0.0 {
                let times = now[n] / was[n];
                let mut other = scaled(arm, times, draw);
                if let Some(load) = load[n] {
                    loaded(&mut other, load, times, draw);
                }
                *arm = other;
            } else {
                let mut law = Law::default();
                for (_, counts) in &self.held[n] {
                    law.add(counts);
                }
                let like = *arm;
                *arm = law.draw(demand * now[n], &like, draw);
                if now[n] > 0.0 {
                    self.extrapolated.get_or_insert(frame.at);
                }
            }
        }
        if let Some(stable) = frame.stable.as_mut().filter(|arm| arm.quality == Quality::Fresh) {
            fail_more(stable, residual, draw);
        }
        frame.signals = together(frame, self.period);
    }

    fn aggregate(&mut self, frame: &mut Frame, share: f64, residual: f64, draw: &mut Draw) {
        let recorded = frame.rollout.candidate_share;
        let before = self.before.error_ratio();
        let Some(whole) = frame.candidate.as_mut().filter(|arm| arm.quality == Quality::Fresh) else {
            return;
        };
        if recorded < SHARE_MIN {
            self.extrapolated.get_or_insert(frame.at);
        }
        let ratio = f64::from(whole.errors) / f64::from(whole.requests.max(1));
        let new = if recorded > 0.0 { unmixed(ratio, before, recorded) } else { before };
        let expected = (share * new + (1.0 - share) * before + residual).clamp(0.0, 1.0);
        whole.errors = draw.binomial(u64::from(whole.requests), expected) as u32;
        let requests = whole.requests;
        let ratio = f64::from(whole.errors) / f64::from(requests.max(1));
        if requests > 0 {
            frame.signals.set(SignalKind::ErrorRatio, SignalSample::fresh(ratio, requests));
        }
        if share == 0.0 {
            if self.before_p99.1 > 0.0 {
                let p99 = self.before_p99.0 / self.before_p99.1;
                frame.signals.set(SignalKind::LatencyP99, SignalSample::fresh(p99, requests));
            }
            frame.stable = frame.candidate.take();
        }
    }

    /// The truth of this scrape under the model.
    fn feel(&mut self, frame: &Frame, share: f64, same: bool, excess: (f64, f64)) -> TruthTick {
        let arms = || [&frame.stable, &frame.candidate].into_iter().flatten();
        let demand: f64 = arms().map(|arm| f64::from(arm.requests)).sum();
        let old = self.law(0, TRUTH_WINDOW);
        let bucket = self.before.p99_bucket();
        let mut felt = Felt { at: frame.at, share, impact: [0.0; 3], harmed: [0.0; 3] };
        let now = share * (excess.0 + excess.1);
        let decayed = |decay| if same { 0.0 } else { self.residual_at(frame.at, share, decay) };
        for (n, decay) in SENSITIVITY.into_iter().enumerate() {
            felt.impact[n] = now + decayed(decay);
            felt.harmed[n] = demand * felt.impact[n];
        }
        let left = decayed(self.residual);
        let played = now + left;
        self.felt.push(felt);
        let outside =
            if self.external { (old.error_ratio() - self.before.error_ratio()).max(0.0) } else { 0.0 };
        TruthTick {
            at: frame.at,
            demand,
            candidate_share: share,
            error_ratio: (old.error_ratio() + share * excess.0 + left).min(1.0),
            slow_ratio: (old.slow_ratio(bucket) + share * excess.1).min(1.0),
            harmed: demand * played,
            harmed_external: demand * outside,
            information: 0.0,
            information_reverse: 0.0,
        }
    }

    /// When harm was mitigated and the service had recovered, with what other decays would have meant.
    pub(super) fn milestones(&self) -> (Vec<(MonoTime, Milestone)>, Vec<ReplaySensitivity>) {
        let mut reached = Vec::new();
        let Some(onset) = self.onset.filter(|_| self.bad) else { return (reached, Vec::new()) };
        let sensitivity: Vec<ReplaySensitivity> = SENSITIVITY
            .into_iter()
            .enumerate()
            .map(|(n, residual)| ReplaySensitivity {
                residual,
                mitigated: self.mitigated(onset, n),
                harmed: self.felt.iter().map(|felt| felt.harmed[n]).sum(),
            })
            .collect();
        // The played decay lies between those that are told; the next longer one is on the safe side.
        let played = SENSITIVITY.iter().position(|decay| self.residual <= *decay).unwrap_or(2);
        if let Some(at) = sensitivity[played].mitigated {
            reached.push((at, Milestone::Mitigated));
            let last = self.felt.last().map_or(MonoTime::ZERO, |felt| felt.at);
            let served =
                self.felt.iter().rev().take_while(|felt| felt.share == 0.0).last().map(|felt| felt.at);
            let recovered = served.map(|served| served.max(at) + RECOVERED).filter(|at| *at <= last);
            reached.extend(recovered.map(|at| (at, Milestone::Recovered)));
        }
        (reached, sensitivity)
    }

    /// From when on fewer than 1 % of users met the harm, to the end.
    fn mitigated(&self, onset: MonoTime, n: usize) -> Option<MonoTime> {
        let after = self.felt.iter().filter(|felt| felt.at > onset);
        let calm = after.rev().take_while(|felt| felt.impact[n] < MITIGATED);
        calm.last().map(|felt| felt.at)
    }
}

/// The candidate's share of failures from the whole's, at its share of traffic.
fn unmixed(whole: f64, before: f64, share: f64) -> f64 {
    ((whole - (1.0 - share) * before) / share).clamp(0.0, 1.0)
}

/// The names that stand for the changed version and the one before it.
pub(super) fn versions() -> (VersionId, VersionId) {
    let name = |text| VersionId::new(text).expect("a valid name");
    (name("changed"), name("before"))
}
