//! The refed plane: the engine in process with the inputs of a record, on virtual time.
//!
//! What was recorded cannot react, so the result holds up to the first effect that the record does not have as well.
//! The engine keeps its own time: it is woken at its own deadlines, not at the record's. What it asks for
//! is answered as in the run that was recorded: in the simulated world by the last scrape, which may be one that was
//! answered before; in a recording frames come at their own pace, asked for or not. A scrape that the record does not
//! hold, because nobody asked for it then, cannot be had.

use std::collections::VecDeque;
use std::sync::Arc;

use backspin_domain::engine_io::{Input, Output};
use backspin_domain::entry::{Entry, PlaneKind, RunHeader};
use backspin_domain::frame::Frame;
use backspin_domain::id::ServiceId;
use backspin_domain::service::Inventory;
use backspin_domain::signal::CustomSignal;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::TruthEntry;
use backspin_policy::{JudgeName, Policy};
use backspin_record::Recorder;

use super::drive::{Course, Span, Surroundings, drive};
use super::engine;

/// Feeds the inputs of a record to a fresh engine under a policy, up to the record's last moment. `signals` are the
/// user-defined ones, in the order of the recorded frames' queries.
pub fn run(header: &RunHeader, record: &[Entry], policy: &Policy, signals: &[CustomSignal]) -> Vec<Entry> {
    let mut recorder = Recorder::new(RunHeader {
        judge: JudgeName::of(&policy.judge).name().to_owned(),
        policy: policy.to_json(),
        policy_hash: policy.hash.clone(),
        signals: signals.to_vec(),
        ..header.clone()
    });
    let end = record.iter().filter_map(moment).max().unwrap_or_default();
    let mut around = Refed::new(header.plane, record);
    let course = Course {
        engine: &|| engine(policy, signals),
        span: Span { end, end_max: end },
        wall_start: header.wall_start,
        // A restart that was recorded comes as the input that it was.
        other_build: None,
        crashes: &[],
    };
    let last = drive(&course, &mut around, &mut recorder, |_| false).expect("memory takes everything");
    recorder.end(last);
    recorder.into_entries()
}

/// When the entry was written; none for the header.
pub const fn moment(entry: &Entry) -> Option<MonoTime> {
    match entry {
        Entry::Header(_) => None,
        Entry::Input(at, _)
        | Entry::Woken(at)
        | Entry::Journal(at, _)
        | Entry::Truth(at, _)
        | Entry::End(at) => Some(*at),
    }
}

/// The inputs of a record as the engine's surroundings.
struct Refed {
    plane: PlaneKind,
    /// Everything but frames, by the moment at which the engine was told.
    told: VecDeque<Told>,
    /// Frames, by the moment of their scrape.
    frames: VecDeque<(ServiceId, Arc<Frame>)>,
    /// The last scrape, asked for or not.
    scraped: Arc<Frame>,
    inputs: VecDeque<Input>,
    /// The service as it was told of last.
    known: Option<Box<Inventory>>,
    /// The present.
    now: Option<MonoTime>,
}

/// Something that the engine was told, other than a frame.
struct Told {
    at: MonoTime,
    /// Whether a frame came before it in the same moment: it may answer what the engine made of that frame.
    after_frame: bool,
    input: Input,
}

impl Refed {
    fn new(plane: PlaneKind, record: &[Entry]) -> Self {
        let mut refed = Self {
            plane,
            told: VecDeque::new(),
            frames: VecDeque::new(),
            scraped: Arc::default(),
            inputs: VecDeque::new(),
            known: None,
            now: None,
        };
        let mut answered = None;
        for entry in record {
            match entry {
                Entry::Input(at, Input::Collected { service, frame }) => {
                    answered = Some(*at);
                    // The same scrape may have been answered more than once.
                    if refed.frames.back().is_none_or(|(_, last)| last.at < frame.at) {
                        refed.frames.push_back((service.clone(), frame.clone()));
                    }
                }
                Entry::Input(at, input) => {
                    let after_frame = answered == Some(*at);
                    refed.told.push_back(Told { at: *at, after_frame, input: input.clone() });
                }
                Entry::Header(_)
                | Entry::Woken(_)
                | Entry::Journal(..)
                | Entry::Truth(..)
                | Entry::End(_) => {}
            }
        }
        refed.advance_to(MonoTime::ZERO);
        refed
    }
}

impl Refed {
    /// Whether a list of the service is still to come. Where none is, nobody asked for one then, and what was known stands
    /// for it: so a record from before services were listed anew leads where it led.
    fn holds_a_list(&self) -> bool {
        let told = self.told.iter().map(|told| &told.input);
        told.chain(&self.inputs).any(|input| matches!(input, Input::Listed { .. }))
    }
}

impl Surroundings for Refed {
    fn advance_to(&mut self, now: MonoTime) {
        // A moment has two halves: what follows a frame comes once the engine has answered the frame.
        let answered = self.now.replace(now) == Some(now);
        let due = |told: &mut Told| told.at < now || (told.at == now && (answered || !told.after_frame));
        while let Some(told) = self.told.pop_front_if(due) {
            if let Input::Inventory(inventory) | Input::Listed { inventory: Some(inventory), .. } =
                &told.input
            {
                self.known = Some(inventory.clone());
            }
            self.inputs.push_back(told.input);
        }
        while let Some((service, frame)) = self.frames.pop_front_if(|(_, frame)| frame.at <= now) {
            match self.plane {
                PlaneKind::Direct | PlaneKind::Http => self.scraped = frame,
                PlaneKind::Recorded => self.inputs.push_back(Input::Collected { service, frame }),
            }
        }
    }

    fn next_moment(&mut self, _due: Option<MonoTime>) -> Option<MonoTime> {
        let told = self.told.front().map(|told| told.at);
        let scraped = self.frames.front().map(|(_, frame)| frame.at);
        told.into_iter().chain(scraped).min()
    }

    fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    /// Truth is no input.
    fn poll_truth(&mut self) -> Option<TruthEntry> {
        None
    }

    /// What is done now was not done then; only measuring changes nothing.
    fn carry_out(&mut self, output: Output) {
        match (self.plane, output) {
            (_, Output::List { service }) if !self.holds_a_list() => {
                let inventory = self.known.clone();
                self.inputs.push_back(Input::Listed { service, inventory });
            }
            (PlaneKind::Direct | PlaneKind::Http, Output::Collect { service }) => {
                let frame = self.scraped.clone();
                self.inputs.push_back(Input::Collected { service, frame });
            }
            (
                PlaneKind::Direct | PlaneKind::Http | PlaneKind::Recorded,
                Output::Collect { .. }
                | Output::StartStep { .. }
                | Output::CancelStep { .. }
                | Output::PauseRollout { .. }
                | Output::ResumeRollout { .. }
                | Output::AbortRollout { .. }
                | Output::ReadStep { .. }
                | Output::List { .. }
                | Output::AskApproval { .. }
                | Output::Page { .. }
                | Output::SuppressAlerts { .. }
                | Output::LiftSuppression { .. }
                | Output::Annotate { .. },
            ) => {}
            (_, Output::Journal(_)) => unreachable!("the driver keeps journal entries"),
        }
    }
    /// No crash is planned here.
    fn lose_engine(&mut self) {}

    fn reintroduce(&mut self) {}

    fn emergency(&mut self, _words: &str) {}
}
