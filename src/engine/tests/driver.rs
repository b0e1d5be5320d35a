//! A small world for the engine's tests: it answers at once or as told, and keeps a log of all that came out.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::Engine;
use crate::settings::Settings;
use backspin_domain::engine_io::{ApprovalAnswer, Input, JournalEntry, Output};
use backspin_domain::event::{Decision, DecisionKind};
use backspin_domain::execution::{EffectState, ExecutionStatus, StepOutcome};
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::id::{ActorId, ExecutionId, FlagKey, PlanHash, ServiceId, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::{
    Capabilities, Deploy, Environment, Inventory, KnownVersion, RolloutKind, RolloutState, Tier,
};
use backspin_domain::signal::{Quality, QueryValue, SignalKind, SignalSample};
use backspin_domain::time::{Millis, MonoTime, Now, WallTime};
use backspin_domain::units::TrafficShare;
use backspin_domain::verdict::{Evidence, Reference, Verdict, VerdictClass};
use backspin_judge::{Judge, Needs};

pub(crate) fn version(name: &str) -> VersionId {
    VersionId::new(name).expect("valid")
}

pub(crate) fn service() -> ServiceId {
    ServiceId::new("checkout").expect("valid")
}

pub(crate) fn actor(name: &str) -> ActorId {
    ActorId::new(name).expect("valid")
}

/// Three versions, of which `v3` is on trial and came with a flag.
pub(crate) fn inventory() -> Inventory {
    let known = |name: &str, hours: u64, ready: u32| KnownVersion {
        id: version(name),
        shipped_ago: Millis::from_mins(hours * 60),
        healthy_for: Some(Millis::from_mins(hours * 60)),
        deployable: true,
        marked_bad: false,
        flags: Vec::new(),
        schema: None,
        infrastructure: Vec::new(),
        replicas_ready: ready,
    };
    let candidate = KnownVersion {
        healthy_for: None,
        flags: vec![FlagKey::new("new-cart").expect("valid")],
        ..known("v3", 0, 1)
    };
    Inventory {
        service: service(),
        tier: Tier::Application,
        environment: Environment::Simulated,
        capabilities: Capabilities { traffic_split: true, ..Capabilities::default() },
        replicas: 10,
        depends_on: Vec::new(),
        versions: vec![known("v1", 500, 0), known("v2", 48, 10), candidate],
    }
}

/// Says what the first query of the frame tells it to say.
#[derive(Debug, Default)]
pub(crate) struct Scripted;

/// What the scripted judge is to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Say {
    Pass = 0,
    Marginal = 1,
    Inconclusive = 2,
    FailConcurrent = 3,
    FailLimit = 4,
}

impl Judge for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }
    fn needs(&self) -> Needs {
        &[]
    }
    fn reset(&mut self) {}
    fn observe(&mut self, frame: &Frame) -> Verdict {
        let said = match frame.queries.first() {
            Some(QueryValue::Number(n)) => *n as u8,
            _ => 2,
        };
        let class = match said {
            0 => VerdictClass::Pass,
            1 => VerdictClass::Marginal,
            3 | 4 => VerdictClass::Fail,
            _ => VerdictClass::Inconclusive,
        };
        let reference = if said == 3 { Reference::ConcurrentArm } else { Reference::Limit };
        let primary = Some(SignalKind::ErrorRatio);
        Verdict { class, score: f64::from(said), threshold: 3.0, primary, reference }
    }
    fn evidence(&self, _: &Frame) -> Evidence {
        Evidence { words: "as the script says".to_owned(), factors: Vec::new() }
    }
}

/// What the world does.
pub(crate) struct World {
    pub(crate) say: Say,
    /// Error ratio of the candidate.
    pub(crate) bad: f64,
    /// Error ratio of the old version.
    pub(crate) old_bad: f64,
    pub(crate) dependency: f64,
    pub(crate) findings: f64,
    pub(crate) candidate_quality: Quality,
    pub(crate) candidate_pods: (u16, u16),
    pub(crate) share: f64,
    pub(crate) requests: f64,
    /// Whether frames come at all.
    pub(crate) silent: bool,
    /// How the service is listed when that is asked for; none: nobody answers.
    pub(crate) listed: Option<Inventory>,
    /// Outcome of an effect; none leaves it open.
    pub(crate) outcome: fn(&StepAction) -> Option<StepOutcome>,
    /// What is to be seen of an effect that is read; none leaves the question open.
    pub(crate) read: fn(&StepAction) -> Option<EffectState>,
    /// Whether effects that succeed do anything.
    pub(crate) effective: bool,
    pub(crate) flags_cure: bool,
}

impl Default for World {
    fn default() -> Self {
        Self {
            say: Say::Pass,
            bad: 0.001,
            old_bad: 0.001,
            dependency: 1.0,
            findings: 0.0,
            candidate_quality: Quality::Fresh,
            candidate_pods: (1, 1),
            share: 0.0,
            requests: 3000.0,
            silent: false,
            listed: None,
            outcome: |_| Some(StepOutcome::Succeeded),
            read: |_| Some(EffectState::NotApplied),
            effective: true,
            flags_cure: false,
        }
    }
}

/// Engine, world and log.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) world: World,
    pub(crate) now: MonoTime,
    pub(crate) wall_skew: i64,
    pub(crate) log: Vec<(MonoTime, Output)>,
    pending: VecDeque<(MonoTime, Input)>,
    deployed: Option<MonoTime>,
}

impl Bench {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::with(settings, |_| ())
    }

    /// A bench whose service was watched for half an hour and that deployed `v3` at a tenth just now.
    pub(crate) fn deployed(settings: Settings, change: impl Fn(&mut Inventory)) -> Self {
        let mut bench = Self::with(settings, change);
        bench.run_for(1800);
        bench.deploy(3600);
        bench.world.share = 0.1;
        bench.input(Input::RolloutChanged {
            service: service(),
            state: RolloutState::Progressing(TrafficShare::clamped(0.1)),
        });
        bench
    }

    fn with(settings: Settings, change: impl Fn(&mut Inventory)) -> Self {
        let engine = Engine::new(settings, Box::new(|| Box::new(Scripted)), Vec::new());
        let mut bench = Self {
            engine,
            world: World::default(),
            now: MonoTime::ZERO,
            wall_skew: 0,
            log: Vec::new(),
            pending: VecDeque::new(),
            deployed: None,
        };
        let mut known = inventory();
        change(&mut known);
        bench.world.listed = Some(known.clone());
        bench.input(Input::Inventory(Box::new(known)));
        bench
    }

    pub(crate) fn deploy(&mut self, watch_secs: u64) {
        self.deployed = Some(self.now);
        self.input(Input::Deployed(Deploy {
            service: service(),
            candidate: version("v3"),
            from: version("v2"),
            kind: RolloutKind::Canary,
            at: self.now,
            watch: Millis::from_secs(watch_secs),
        }));
    }

    pub(crate) fn wall(&self) -> Now {
        Now { mono: self.now, wall: WallTime(self.now.0.cast_signed() + self.wall_skew) }
    }

    pub(crate) fn input(&mut self, input: Input) {
        let now = self.wall();
        self.engine.handle_input(now, input);
        self.drain();
    }

    /// Lets time pass, waking the engine when it wants to be woken.
    pub(crate) fn run_for(&mut self, secs: u64) {
        let end = self.now + Millis::from_secs(secs);
        loop {
            let due = self.engine.poll_timeout();
            let next = [due, self.pending.front().map(|p| p.0)].into_iter().flatten().min();
            let Some(at) = next.filter(|&at| at <= end) else { break };
            self.now = self.now.max(at);
            if let Some((_, input)) = self.pending.pop_front_if(|p| p.0 <= at) {
                self.input(input);
            } else {
                let now = self.wall();
                self.engine.handle_timeout(now);
                assert!(self.engine.poll_timeout().is_none_or(|t| t > self.now), "a deadline must move on");
                self.drain();
            }
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.log.push((self.now, output.clone()));
            match output {
                Output::Collect { service } if !self.world.silent => {
                    let frame = Arc::new(self.frame());
                    self.pending.push_front((self.now, Input::Collected { service, frame }));
                }
                Output::StartStep { attempt, action, .. } => {
                    let Some(outcome) = (self.world.outcome)(&action) else { continue };
                    if outcome == StepOutcome::Succeeded && self.world.effective {
                        self.take(&action);
                    }
                    let at = self.now + Millis::from_secs(1);
                    self.pending.push_back((at, Input::StepReported { attempt, outcome }));
                }
                Output::List { service } if self.world.listed.is_some() => {
                    let inventory = self.world.listed.clone().map(Box::new);
                    self.pending.push_front((self.now, Input::Listed { service, inventory }));
                }
                Output::ReadStep { attempt, action, .. } => {
                    if let Some(state) = (self.world.read)(&action) {
                        if state == EffectState::Applied && self.world.effective {
                            self.take(&action);
                        }
                        let at = self.now + Millis::from_secs(1);
                        self.pending.push_back((at, Input::StepRead { attempt, state }));
                    }
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, action: &StepAction) {
        match action {
            StepAction::ShiftTraffic { to_share, .. } => self.world.share = 1.0 - to_share.get(),
            StepAction::SwitchTraffic { .. } => self.world.share = 0.0,
            StepAction::DisableFlags { .. } if self.world.flags_cure => {
                self.world.bad = self.world.old_bad;
                self.world.say = Say::Pass;
            }
            _ => {}
        }
    }

    pub(crate) fn frame(&self) -> Frame {
        let world = &self.world;
        let arm = |share: f64, bad: f64, pods: (u16, u16), quality| {
            let requests = (world.requests * share).round();
            let mut arm = ArmIncrements {
                quality,
                requests: requests as u32,
                errors: (requests * bad).round() as u32,
                conversions: (requests * 0.03) as u32,
                pods_ready: pods.0,
                pods_desired: pods.1,
                ..ArmIncrements::default()
            };
            arm.latency_buckets[5] = arm.requests;
            arm
        };
        let mut frame = Frame { at: self.now, interval: Millis::from_secs(15), ..Frame::default() };
        frame.rollout.since_deploy = self.deployed.map(|at| self.now.since(at));
        frame.rollout.candidate_share = world.share;
        frame.candidate =
            self.deployed.map(|_| arm(world.share, world.bad, world.candidate_pods, world.candidate_quality));
        frame.stable = Some(arm(1.0 - world.share, world.old_bad, (10, 10), Quality::Fresh));
        frame.signals.set(SignalKind::DependencyHealth, SignalSample::fresh(world.dependency, 100));
        frame.signals.set(SignalKind::SecurityFindings, SignalSample::fresh(world.findings, 1));
        frame.queries = vec![QueryValue::Number(f64::from(world.say as u8))];
        frame
    }

    /// An answer to the request for approval of this execution.
    pub(crate) fn answer(&self, execution: u32, approved: bool, by: &str, role: &str) -> ApprovalAnswer {
        let execution = ExecutionId(execution);
        let plan = self.engine.executions().find(|e| e.id == execution).map(|e| e.plan.hash());
        ApprovalAnswer {
            execution,
            plan: plan.unwrap_or(PlanHash([0; 32])),
            approved,
            by: actor(by),
            role: actor(role),
            given: self.wall().wall,
        }
    }

    /// What was written down of any other kind.
    pub(crate) fn journal(&self) -> impl Iterator<Item = &JournalEntry> {
        self.log.iter().filter_map(|(_, output)| match output {
            Output::Journal(entry) => Some(entry),
            _ => None,
        })
    }

    /// The decisions that were written down.
    pub(crate) fn decisions(&self) -> Vec<&Decision> {
        self.log
            .iter()
            .filter_map(|(_, output)| match output {
                Output::Journal(JournalEntry::Decided { decision, .. }) => Some(decision),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn kinds(&self) -> Vec<DecisionKind> {
        self.decisions().into_iter().map(Decision::kind).collect()
    }

    /// The effects that were asked for.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.log
            .iter()
            .filter_map(|(_, output)| match output {
                Output::StartStep { action, .. } => Some(action.to_string()),
                Output::PauseRollout { .. } => Some("pause".to_owned()),
                Output::ResumeRollout { .. } => Some("resume".to_owned()),
                Output::AbortRollout { .. } => Some("abort".to_owned()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn pages(&self) -> Vec<&str> {
        self.log
            .iter()
            .filter_map(|(_, output)| match output {
                Output::Page { message, .. } => Some(message.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn statuses(&self) -> Vec<ExecutionStatus> {
        self.engine.executions().map(|e| e.status).collect()
    }
}
