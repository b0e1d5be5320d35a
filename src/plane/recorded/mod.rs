//! The recorded plane: the engine in process with the frames of a recorded incident, on virtual time.
//!
//! Where the record holds both versions apart, or the whole with the candidate's share, it is replayed in closed loop: the
//! engine's share of traffic changes what is seen, by a model whose assumptions stand in the record's header
//! ([`model`]); at the record's own shares the replay is the record. Any other recording cannot react: its run ends with the
//! first decision to roll back, no step is carried out, and the truth says that recovery is unknown.
//!
//! What the engine must know and a recording does not tell is stated here once: the changed service is taken for one that
//! can split traffic, with one healthy, deployable version before the change. Signals come at the recording's own pace, and
//! the policy's rule for missing data is off: an input that nobody recorded leaves the judge inconclusive, it does not mean
//! that a provider fails.

mod law;
mod model;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use backspin_domain::engine_io::{Input, Output};
use backspin_domain::entry::{Entry, PlaneKind, RECORD_VERSION, RunHeader};
use backspin_domain::execution::{EffectState, FailureReason, StepOutcome};
use backspin_domain::frame::Frame;
use backspin_domain::id::{Attempt, ServiceId};
use backspin_domain::plan::StepAction;
use backspin_domain::seed::Seed;
use backspin_domain::service::{
    Capabilities, Deploy, Environment, Inventory, KnownVersion, RolloutKind, RolloutState, Tier,
};
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::TruthEntry;
use backspin_domain::units::TrafficShare;
use backspin_engine::settings::MissingAction;
use backspin_policy::document::Problem;
use backspin_policy::{JudgeName, Policy};
use backspin_record::Recorder;
use backspin_scenario::recorded::{Frames, RecordedCase};

use super::direct::WALL_START;
use super::drive::{Course, Span, Surroundings, drive};
use super::ledger::Ledger as _;
use super::{PlaneError, RunId, engine};
use model::{Mode, Model, SHARE_MIN, assumptions, versions};

/// How long the version before the change is taken to have been healthy.
const HEALTHY_BEFORE: Millis = Millis::from_mins(7 * 24 * 60);

/// How long the router takes until a new share holds everywhere: section 6 of decision science has 1 to 10 s.
const ROUTER: Millis = Millis::from_secs(5);

/// Plays one recorded incident with one policy.
pub fn run(case: &RecordedCase, policy: &Policy, id: RunId) -> Result<Vec<Entry>, PlaneError> {
    let mode = mode(case)?;
    let closed = !matches!(mode, Mode::Open(_));
    // One seed per campaign: recordings have no draw of their own, and in an open loop nothing is drawn.
    let seed = if closed { id.seed(0) } else { Seed(0) };
    let mut around = Recording::new(case, mode.clone(), seed)?;
    let policy = stated(policy, case.period);
    let mut recorder = Recorder::new(header(case, &policy, id, seed, assumptions(case, &mode)));
    let end = case.change + case.watch;
    let course = Course {
        engine: &|| engine(&policy, case.signals()),
        span: Span { end: end + Millis(1), end_max: end + Millis(1) },
        wall_start: WALL_START,
        other_build: None,
        crashes: &[],
    };
    let stop = |engine: &backspin_engine::Engine| !closed && engine.is_executing();
    let last = drive(&course, &mut around, &mut recorder, stop).expect("memory takes everything");
    if let Some(problem) = around.broken {
        return Err(PlaneError::Recording(Box::new(problem)));
    }
    if closed {
        let (reached, sensitivity) = around.model.milestones();
        for (at, milestone) in reached.into_iter().filter(|_| case.rolled_back.is_none()) {
            recorder.push_truth(Entry::Truth(at, TruthEntry::Reached(milestone)));
        }
        for other in sensitivity {
            recorder.push_truth(Entry::Truth(last, TruthEntry::Sensitivity(other)));
        }
        if let Some(from) = around.model.extrapolated {
            recorder.push_truth(Entry::Truth(last, TruthEntry::Extrapolated(from)));
        }
    }
    recorder.end(last);
    Ok(recorder.into_entries())
}

/// How a recording can be played.
fn mode(case: &RecordedCase) -> Result<Mode, PlaneError> {
    if case.columns.has_arms() {
        return Ok(Mode::Arms);
    }
    if !case.columns.has_share() {
        return Ok(Mode::Open("the candidate's share of traffic was not recorded"));
    }
    let until = case.rolled_back.unwrap_or(case.end);
    for frame in case.frames().map_err(PlaneError::Recordings)? {
        let frame = frame.map_err(|problem| PlaneError::Recording(Box::new(problem)))?;
        let watched = frame.at > case.change && frame.at <= until;
        if watched
            && frame.candidate.is_some_and(|arm| arm.requests > 0)
            && frame.rollout.candidate_share < SHARE_MIN
        {
            return Ok(Mode::Open(
                "only the whole was recorded, and at a share below 5 % it says nothing of the candidate",
            ));
        }
    }
    Ok(Mode::Aggregate)
}

/// The policy as this plane has to state it for a recording with one frame each `period`.
pub fn stated(policy: &Policy, period: Millis) -> Policy {
    policy.with_settings(|settings| {
        settings.collect_every = period;
        // A column that nobody recorded is not a provider that fails: the judge is inconclusive, nobody is called.
        settings.missing_data.then = MissingAction::Ignore;
    })
}

fn header(
    case: &RecordedCase,
    policy: &Policy,
    id: RunId,
    seed: Seed,
    assumptions: Vec<String>,
) -> RunHeader {
    let what = format!("a recorded stretch of {} ({}), {}", case.origin, case.family, case.licence);
    RunHeader {
        version: RECORD_VERSION,
        scenario: case.id.clone(),
        family: case.source.clone(),
        shows: if case.shows.is_empty() { what } else { case.shows.clone() },
        plane: PlaneKind::Recorded,
        campaign_seed: id.campaign_seed,
        seed_index: id.seed_index,
        seed,
        wall_start: WALL_START,
        judge: JudgeName::of(&policy.judge).name().to_owned(),
        policy: policy.to_json(),
        policy_hash: policy.hash.clone(),
        signals: case.signals().to_vec(),
        expect: case.expect.clone(),
        scenario_text: None,
        drawn: std::collections::BTreeMap::new(),
        rate_rps: None,
        assumptions,
    }
}

/// Who sets the share of traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shares {
    /// The record: its own canary goes on.
    Recorded,
    /// Nobody: the ramp was stopped at this share.
    Stopped(f64),
    /// The engine.
    Set(f64),
}

/// A recording as the engine's surroundings.
struct Recording {
    frames: Frames,
    service: ServiceId,
    deploy: Option<Deploy>,
    /// The next frame, already read, so that its time is known, and how busy its arms were.
    ahead: Option<(Box<Frame>, [Option<f64>; 2])>,
    inputs: VecDeque<Input>,
    truths: VecDeque<TruthEntry>,
    broken: Option<Problem>,
    closed: bool,
    model: Model,
    shares: Shares,
    /// The record's share as it was last seen.
    recorded_share: f64,
    now: MonoTime,
    /// Shares that the router was asked for and has not yet, by when it will.
    routed: VecDeque<(MonoTime, Attempt, f64)>,
}

impl Recording {
    fn new(case: &RecordedCase, mode: Mode, seed: Seed) -> Result<Self, PlaneError> {
        let (changed, before) = versions();
        let closed = !matches!(mode, Mode::Open(_));
        let deploy = Deploy {
            service: case.service.clone(),
            candidate: changed,
            from: before,
            kind: if closed { RolloutKind::Canary } else { RolloutKind::Rolling },
            at: case.change,
            watch: case.watch,
        };
        let mut truth = case.truth();
        truth.recovery_known = closed && case.rolled_back.is_none();
        let mut recording = Self {
            frames: case.frames().map_err(PlaneError::Recordings)?,
            service: case.service.clone(),
            deploy: Some(deploy),
            ahead: None,
            inputs: VecDeque::from([Input::Inventory(Box::new(inventory(case)))]),
            truths: VecDeque::from([TruthEntry::Known(truth)]),
            broken: None,
            closed,
            model: Model::new(case, mode, seed),
            shares: Shares::Recorded,
            recorded_share: 0.0,
            now: MonoTime::ZERO,
            routed: VecDeque::new(),
        };
        recording.read_ahead();
        Ok(recording)
    }

    fn read_ahead(&mut self) {
        self.ahead = match self.frames.next() {
            Some(Ok(frame)) => Some((Box::new(frame), self.frames.load())),
            Some(Err(problem)) => {
                self.broken = Some(problem);
                None
            }
            None => None,
        };
    }

    /// The candidate's share of traffic now.
    const fn share(&self) -> f64 {
        match self.shares {
            Shares::Recorded => self.recorded_share,
            Shares::Stopped(share) | Shares::Set(share) => share,
        }
    }

    /// What is seen of the next recorded scrape.
    fn scraped(&mut self, frame: &mut Frame, load: [Option<f64>; 2]) {
        if !self.closed {
            return;
        }
        let before = std::mem::replace(&mut self.recorded_share, frame.rollout.candidate_share);
        if self.shares == Shares::Recorded && before != self.recorded_share {
            self.tell_rollout(RolloutState::Progressing(TrafficShare::clamped(self.recorded_share)));
        }
        let share = self.share();
        let tick = self.model.replay(frame, share, load);
        self.truths.push_back(TruthEntry::Tick(tick));
    }

    fn tell_rollout(&mut self, state: RolloutState) {
        self.inputs.push_back(Input::RolloutChanged { service: self.service.clone(), state });
    }

    /// Stops the ramp, or lets the record's go on; what the engine set stays.
    fn ramp(&mut self, shares: Shares, state: RolloutState) {
        if self.closed {
            if !matches!(self.shares, Shares::Set(_)) {
                self.shares = shares;
            }
            self.tell_rollout(state);
        }
    }

    fn start_step(&mut self, attempt: Attempt, action: &StepAction) {
        let outcome = match Possible::of(action) {
            Possible::Share(share) => {
                if self.routed.iter().all(|(_, known, _)| *known != attempt) {
                    self.routed.push_back((self.now + ROUTER, attempt, share));
                }
                return;
            }
            Possible::AsItIs => StepOutcome::Succeeded,
            Possible::Not => {
                StepOutcome::Failed(FailureReason::Refused("a recording has no such thing".to_owned()))
            }
        };
        self.inputs.push_back(Input::StepReported { attempt, outcome });
    }

    /// Whether traffic goes as a step wants it; of all else a recording shows what was asked for.
    fn read_step(&self, action: &StepAction) -> EffectState {
        match Possible::of(action) {
            Possible::Share(share) if self.shares != Shares::Set(share) => EffectState::NotApplied,
            Possible::Share(_) | Possible::AsItIs => EffectState::Applied,
            Possible::Not => EffectState::NotApplied,
        }
    }
}

/// What a step can do in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Possible {
    /// Give the candidate this share of the traffic.
    Share(f64),
    /// Nothing: pods of both versions are those of the record, and nobody hears what is said in it.
    AsItIs,
    /// The recording has no such thing.
    Not,
}

impl Possible {
    fn of(action: &StepAction) -> Self {
        match action {
            StepAction::ShiftTraffic { to, to_share, .. } => {
                let (changed, _) = versions();
                Self::Share(if *to == changed { to_share.get() } else { 1.0 - to_share.get() })
            }
            StepAction::ScaleVersion { .. }
            | StepAction::UpdateServiceDiscovery { .. }
            | StepAction::Notify { .. } => Self::AsItIs,
            StepAction::ValidateStandby { .. }
            | StepAction::SwitchTraffic { .. }
            | StepAction::VerifyTraffic { .. }
            | StepAction::RevertSchema { .. }
            | StepAction::VerifySchema { .. }
            | StepAction::RevertInfrastructure { .. }
            | StepAction::VerifyInfrastructure { .. }
            | StepAction::DisableFlags { .. }
            | StepAction::VerifyFlags { .. }
            | StepAction::WatchHealth { .. } => Self::Not,
        }
    }
}

fn inventory(case: &RecordedCase) -> Inventory {
    let (changed, before) = versions();
    let version = |id, healthy_for, replicas_ready| KnownVersion {
        id,
        shipped_ago: HEALTHY_BEFORE,
        healthy_for,
        deployable: true,
        marked_bad: false,
        flags: Vec::new(),
        schema: None,
        infrastructure: Vec::new(),
        replicas_ready,
    };
    Inventory {
        service: case.service.clone(),
        tier: Tier::Application,
        environment: Environment::Simulated,
        capabilities: Capabilities { traffic_split: true, rolling_update: true, ..Default::default() },
        replicas: 1,
        depends_on: Vec::new(),
        versions: vec![version(before, Some(HEALTHY_BEFORE), 1), version(changed, None, 0)],
    }
}

impl Surroundings for Recording {
    fn advance_to(&mut self, now: MonoTime) {
        if self.deploy.as_ref().is_some_and(|deploy| deploy.at <= now) {
            self.inputs.extend(self.deploy.take().map(Input::Deployed));
        }
        while let Some((at, attempt, share)) = self.routed.pop_front_if(|(at, ..)| *at <= now) {
            self.now = at;
            self.shares = Shares::Set(share);
            self.inputs.push_back(Input::StepReported { attempt, outcome: StepOutcome::Succeeded });
        }
        self.now = now;
        while let Some((mut frame, load)) = self.ahead.take_if(|(frame, _)| frame.at <= now) {
            self.scraped(&mut frame, load);
            let frame = Arc::from(frame);
            self.inputs.push_back(Input::Collected { service: self.service.clone(), frame });
            self.read_ahead();
        }
    }

    fn next_moment(&mut self, _due: Option<MonoTime>) -> Option<MonoTime> {
        let deploy = self.deploy.as_ref().map(|deploy| deploy.at);
        let frame = self.ahead.as_ref().map(|(frame, _)| frame.at);
        let routed = self.routed.front().map(|(at, ..)| *at);
        deploy.into_iter().chain(frame).chain(routed).min()
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.truths.pop_front()
    }

    /// Frames come at the recording's own pace, asked for or not. In an open loop nothing can be done to the past.
    fn carry_out(&mut self, output: Output) {
        let share = self.share();
        let at = TrafficShare::clamped(share);
        match output {
            Output::StartStep { attempt, action, .. } if self.closed => self.start_step(attempt, &action),
            Output::ReadStep { attempt, action, .. } if self.closed => {
                let state = self.read_step(&action);
                self.inputs.push_back(Input::StepRead { attempt, state });
            }
            // A recording knows no more of the service than it told at its beginning.
            Output::List { service } => self.inputs.push_back(Input::Listed { service, inventory: None }),
            Output::CancelStep { attempt } => self.routed.retain(|(_, known, _)| *known != attempt),
            Output::PauseRollout { .. } => self.ramp(Shares::Stopped(share), RolloutState::Paused(at)),
            Output::ResumeRollout { .. } => self.ramp(Shares::Recorded, RolloutState::Progressing(at)),
            Output::AbortRollout { .. } => self.ramp(Shares::Stopped(share), RolloutState::Aborted),
            Output::Page { key, .. } if self.closed => self.inputs.push_back(Input::Paged { key }),
            Output::StartStep { .. }
            | Output::ReadStep { .. }
            | Output::Page { .. }
            | Output::Collect { .. }
            | Output::AskApproval { .. }
            | Output::SuppressAlerts { .. }
            | Output::LiftSuppression { .. }
            | Output::Annotate { .. } => {}
            Output::Journal(_) => unreachable!("the driver keeps journal entries"),
        }
    }

    /// No crash is planned in a recording.
    fn lose_engine(&mut self) {}

    fn reintroduce(&mut self) {}

    fn emergency(&mut self, _words: &str) {}
}
