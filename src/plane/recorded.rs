//! The recorded plane: the engine in process with the frames of a recorded incident, on virtual time.
//!
//! A recording cannot react, so the run ends with the first decision to roll back or the end of the watch, no step
//! is carried out, and the truth says that recovery is unknown. What the engine must know and a recording does
//! not tell is stated here once: the changed service is taken for one that can split traffic, with one healthy,
//! deployable version before the change. Signals come at the recording's own pace, and the policy's rule for missing
//! data is off: an input that nobody recorded leaves the judge inconclusive, it does not mean that a provider fails.

use std::collections::VecDeque;

use crate::domain::engine_io::{Input, Output};
use crate::domain::entry::{Entry, PlaneKind, RECORD_VERSION, RunHeader};
use crate::domain::id::{ServiceId, VersionId};
use crate::domain::seed::Seed;
use crate::domain::service::{Capabilities, Deploy, Environment, Inventory, KnownVersion, RolloutKind, Tier};
use crate::domain::time::{Millis, MonoTime};
use crate::domain::truth::TruthEntry;
use crate::engine::settings::MissingAction;
use crate::policy::document::Problem;
use crate::policy::{JudgeName, Policy};
use crate::record::Recorder;
use crate::scenario::recorded::{Frames, RecordedCase};

use super::direct::WALL_START;
use super::drive::{Course, Span, Surroundings, drive};
use super::{PlaneError, RunId, engine};

/// How long the version before the change is taken to have been healthy.
const HEALTHY_BEFORE: Millis = Millis::from_mins(7 * 24 * 60);

/// Plays one recorded incident with one policy.
pub fn run(case: &RecordedCase, policy: &Policy, id: RunId) -> Result<Vec<Entry>, PlaneError> {
    let mut around = Recording::new(case)?;
    let policy = stated(policy, case.period);
    let mut recorder = Recorder::new(header(case, &policy, id));
    let end = case.change + case.watch;
    let course = Course {
        engine: &|| engine(&policy, case.signals()),
        span: Span { end: end + Millis(1), end_max: end + Millis(1) },
        wall_start: WALL_START,
        crashes: &[],
    };
    let last = drive(&course, &mut around, &mut recorder, crate::engine::Engine::is_executing)
        .expect("memory takes everything");
    if let Some(problem) = around.broken {
        return Err(PlaneError::Recording(Box::new(problem)));
    }
    recorder.end(last);
    Ok(recorder.into_entries())
}

/// The policy as this plane has to state it for a recording with one frame each `period`.
pub fn stated(policy: &Policy, period: Millis) -> Policy {
    policy.with_settings(|settings| {
        settings.collect_every = period;
        // A column that nobody recorded is not a provider that fails: the judge is inconclusive, nobody is called.
        settings.missing_data.then = MissingAction::Ignore;
    })
}

fn header(case: &RecordedCase, policy: &Policy, id: RunId) -> RunHeader {
    RunHeader {
        version: RECORD_VERSION,
        scenario: case.id.clone(),
        family: case.source.clone(),
        shows: format!("a recorded stretch of {} ({}), {}", case.origin, case.family, case.licence),
        plane: PlaneKind::Recorded,
        campaign_seed: id.campaign_seed,
        seed_index: id.seed_index,
        // Nothing is drawn: every run of a recording is the same.
        seed: Seed(0),
        wall_start: WALL_START,
        judge: JudgeName::of(&policy.judge).name().to_owned(),
        policy: policy.to_json(),
        policy_hash: policy.hash.clone(),
        signals: case.signals().to_vec(),
        expect: None,
        scenario_text: None,
        drawn: std::collections::BTreeMap::new(),
    }
}

/// A recording as the engine's surroundings.
struct Recording {
    frames: Frames,
    service: ServiceId,
    deploy: Option<Deploy>,
    /// The next frame, already read, so that its time is known.
    ahead: Option<Box<crate::domain::frame::Frame>>,
    inputs: VecDeque<Input>,
    truths: VecDeque<TruthEntry>,
    broken: Option<Problem>,
}

impl Recording {
    fn new(case: &RecordedCase) -> Result<Self, PlaneError> {
        let (changed, before) = versions();
        let deploy = Deploy {
            service: case.service.clone(),
            candidate: changed,
            from: before,
            kind: RolloutKind::Rolling,
            at: case.change,
            watch: case.watch,
        };
        let mut recording = Self {
            frames: case.frames().map_err(PlaneError::Recordings)?,
            service: case.service.clone(),
            deploy: Some(deploy),
            ahead: None,
            inputs: VecDeque::from([Input::Inventory(Box::new(inventory(case)))]),
            truths: VecDeque::from([TruthEntry::Known(case.truth())]),
            broken: None,
        };
        recording.read_ahead();
        Ok(recording)
    }

    fn read_ahead(&mut self) {
        self.ahead = match self.frames.next() {
            Some(Ok(frame)) => Some(Box::new(frame)),
            Some(Err(problem)) => {
                self.broken = Some(problem);
                None
            }
            None => None,
        };
    }
}

/// The changed version and the one before it, by the names that stand for them.
fn versions() -> (VersionId, VersionId) {
    let name = |text| VersionId::new(text).expect("a valid name");
    (name("changed"), name("before"))
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
        while let Some(frame) = self.ahead.take_if(|frame| frame.at <= now) {
            self.inputs.push_back(Input::Collected { service: self.service.clone(), frame });
            self.read_ahead();
        }
    }

    fn next_moment(&self) -> Option<MonoTime> {
        let deploy = self.deploy.as_ref().map(|deploy| deploy.at);
        let frame = self.ahead.as_ref().map(|frame| frame.at);
        deploy.into_iter().chain(frame).min()
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    fn poll_truth(&mut self) -> Option<TruthEntry> {
        self.truths.pop_front()
    }

    /// Frames come at the recording's own pace, asked for or not, and nothing can be done to the past.
    fn carry_out(&mut self, _output: Output) {}

    /// No crash is planned in a recording: its engine has nothing to resume, since it executes nothing.
    fn lose_engine(&mut self) {}

    fn reintroduce(&mut self) {}

    fn emergency(&mut self, _words: &str) {}
}
