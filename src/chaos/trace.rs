//! What was seen of one run: the engine's own record, and apart from it the platform's log, the world, and what became of
//! the plan.

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use backspin_domain::entry::Entry;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{Truth, TruthEntry};
use backspin_engine::settings::Settings;
use backspin_scenario::model::Scenario;

pub use backspin_domain::fault::{FaultTrace, PlannedFault};
pub use backspin_domain::observed::{Answered, Call, Moment, VERSIONS_MAX};

/// One run, as it was seen.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The engine's inputs and journal, and the truth beside them.
    pub record: Vec<Entry>,
    /// What reached the platform's side, in order. No engine writes these.
    pub calls: Vec<Call>,
    /// The world at its first moment and after each tick.
    pub world: Vec<Moment>,
    /// What became of each planned fault, in the plan's order.
    pub faults: Vec<FaultTrace>,
    /// What was so before.
    pub facts: Facts,
    /// How the run ended.
    pub ended: Ended,
}

/// What was so before the run.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The scenario as it was played: versions with their health, whether they are kept, and their schemas; replicas,
    /// capacities, people.
    pub scenario: Arc<Scenario>,
    /// The policy's settings: limits, roles, freezes, waits.
    pub settings: Arc<Settings>,
    /// What was planned to go wrong.
    pub plan: Arc<[PlannedFault]>,
    /// Place of the version on trial among the scenario's.
    pub candidate: usize,
    /// Place of the version that it replaces.
    pub from: usize,
    /// Calendar time of the run's first moment.
    pub wall_start: backspin_domain::time::WallTime,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Its last moment.
    pub at: MonoTime,
    /// When the core healed.
    pub healed: MonoTime,
    /// Why no engine came any more before its time, in words; none if one was there or on its way to the end. The world was
    /// watched on without it.
    pub broke_off: Option<String>,
    /// When people were told, past the engine, that it cannot go on, and in which words.
    pub emergencies: Vec<(MonoTime, String)>,
}

impl Trace {
    /// What is known of the incident before it is played.
    ///
    /// # Panics
    /// Never: every run of a simulated world begins with it.
    pub fn truth(&self) -> &Truth {
        let known = self.record.iter().find_map(|entry| match entry {
            Entry::Truth(_, TruthEntry::Known(truth)) => Some(truth),
            _ => None,
        });
        known.expect("a simulated world tells the truth first")
    }

    /// Places of planned faults that never took effect: with any, the run proves nothing.
    pub fn without_effect(&self) -> impl Iterator<Item = usize> + '_ {
        self.faults.iter().enumerate().filter(|(_, fault)| fault.effects == 0).map(|(place, _)| place)
    }

    /// Whether all that was planned took effect.
    pub fn is_valid(&self) -> bool {
        self.without_effect().next().is_none()
    }

    /// SHA-256 over everything that was seen, hexadecimal: two runs of one case have the same.
    ///
    /// # Panics
    /// Never: a trace has nothing that JSON cannot say.
    pub fn hash(&self) -> String {
        let mut hasher = Hasher(Sha256::new());
        let ended = (self.ended.at, self.ended.healed, &self.ended.broke_off, &self.ended.emergencies);
        serde_json::to_writer(&mut hasher, &(&self.record, &self.calls, &self.world, &self.faults, ended))
            .expect("a trace has nothing that JSON cannot say");
        hexadecimal(&hasher.0.finalize())
    }
}

/// Two digits per byte.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string takes everything");
        digits
    })
}

struct Hasher(Sha256);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
