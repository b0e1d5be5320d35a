//! What a campaign found, counted: of a fixed size, however many runs there were.

use sha2::{Digest as _, Sha256};

use super::examine::{Breach, Class, Verdict, catalogue};
use super::explore::Outcome;
use super::invariants::Excuse;
use super::kind::FaultKind;
use super::marks;
use super::states::EngineState;

/// What became of a planned fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck {
    /// Its kind.
    pub kind: FaultKind,
    /// How often it took effect.
    pub effects: u32,
    /// What the engine was doing when it first and when it last did.
    pub states: [Option<EngineState>; 2],
}

/// A run that broke something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Whether it could be played to its end; if not, its breach says why, and there is nothing to tell.
    pub played: bool,
    /// What it broke, in the catalogue's order.
    pub breaches: Vec<Breach>,
}

impl Failure {
    /// The worst that it broke.
    pub fn class(&self) -> Option<Class> {
        self.breaches.iter().map(Breach::class).min()
    }
}

/// How a kind of fault did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindCount {
    /// The kind.
    pub kind: FaultKind,
    /// Runs in which it was planned.
    pub planned: u64,
    /// Of these, runs in which it took effect.
    pub effective: u64,
    /// How often it took effect, over all runs.
    pub effects: u64,
    /// Runs in which it first or last took effect in each state, in the order of [`EngineState::ALL`].
    pub states: [u64; EngineState::ALL.len()],
}

/// What a campaign found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The first seed.
    pub first_seed: u64,
    /// Runs that were counted.
    pub runs: u64,
    /// Of these, how many held everything.
    pub passed: u64,
    /// How many broke something.
    pub broken: u64,
    /// How many prove nothing, because a planned fault never took effect.
    pub invalid: u64,
    /// How many were played twice.
    pub sampled: u64,
    /// Runs that broke each invariant, in the catalogue's order.
    pub invariants: Vec<(&'static str, u64)>,
    /// Runs that ended in each excuse, in the list's order.
    pub excuses: Vec<(Excuse, u64)>,
    /// Runs that reached each mark, in the order of [`marks::ALL`].
    pub marks: Vec<u64>,
    /// Every kind of fault, in the catalogue's order.
    pub kinds: Vec<KindCount>,
    /// The first runs that broke something, in the order of their seeds.
    pub failures: Vec<Failure>,
    /// SHA-256 over what every run came to, hexadecimal: two campaigns over the same seeds have the same.
    pub digest: String,
    hasher: Sha256,
}

impl Findings {
    pub(super) fn new(first_seed: u64) -> Self {
        let kind = |kind: &FaultKind| KindCount {
            kind: *kind,
            planned: 0,
            effective: 0,
            effects: 0,
            states: [0; 9],
        };
        Self {
            first_seed,
            runs: 0,
            passed: 0,
            broken: 0,
            invalid: 0,
            sampled: 0,
            invariants: catalogue().map(|(id, _)| (id, 0)).collect(),
            excuses: Excuse::ALL.iter().map(|excuse| (*excuse, 0)).collect(),
            marks: vec![0; marks::ALL.len()],
            kinds: FaultKind::ALL.iter().map(kind).collect(),
            failures: Vec::new(),
            digest: String::new(),
            hasher: Sha256::new(),
        }
    }

    /// The worst that was broken.
    pub fn worst(&self) -> Option<Class> {
        self.failures.iter().filter_map(Failure::class).min()
    }

    /// Runs that ended in an excuse.
    pub fn excused(&self) -> u64 {
        self.excuses.iter().map(|(_, runs)| runs).sum()
    }

    pub(super) fn take(&mut self, outcome: Outcome) {
        self.digested(&outcome);
        self.runs += 1;
        *match outcome.verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::Broken => &mut self.broken,
            Verdict::Invalid => &mut self.invalid,
        } += 1;
        self.sampled += u64::from(outcome.hash.is_some());
        for (id, runs) in &mut self.invariants {
            *runs += u64::from(outcome.breaches.iter().any(|breach| breach.id == *id));
        }
        for (excuse, runs) in &mut self.excuses {
            *runs += u64::from(outcome.excuse == Some(*excuse));
        }
        for (place, runs) in self.marks.iter_mut().enumerate() {
            *runs += u64::from(outcome.marks >> place & 1 == 1);
        }
        for count in &mut self.kinds {
            count.take(&outcome.struck);
        }
        if outcome.verdict == Verdict::Broken {
            self.failures.push(Failure {
                seed: outcome.seed,
                played: outcome.played,
                breaches: outcome.breaches,
            });
        }
    }

    pub(super) fn close(&mut self) {
        let hash = self.hasher.clone().finalize();
        self.digest = super::trace::hexadecimal(&hash);
    }

    fn digested(&mut self, outcome: &Outcome) {
        self.hasher.update(outcome.seed.to_le_bytes());
        self.hasher.update([outcome.verdict as u8, outcome.excuse.map_or(u8::MAX, |excuse| excuse as u8)]);
        self.hasher.update(outcome.marks.to_le_bytes());
        for breach in &outcome.breaches {
            self.hasher.update(breach.id);
            self.hasher.update(breach.at.0.to_le_bytes());
        }
        for struck in &outcome.struck {
            self.hasher.update([struck.kind as u8]);
            self.hasher.update(struck.effects.to_le_bytes());
        }
        self.hasher.update(outcome.hash.as_deref().unwrap_or_default());
    }
}

impl KindCount {
    fn take(&mut self, struck: &[Struck]) {
        let mut mine = struck.iter().filter(|struck| struck.kind == self.kind).peekable();
        if mine.peek().is_none() {
            return;
        }
        self.planned += 1;
        let mut met = [false; EngineState::ALL.len()];
        let mut effects = 0;
        for struck in mine {
            effects += u64::from(struck.effects);
            for state in struck.states.iter().flatten() {
                met[*state as usize] = true;
            }
        }
        self.effective += u64::from(effects > 0);
        self.effects += effects;
        for (runs, met) in self.states.iter_mut().zip(met) {
            *runs += u64::from(met);
        }
    }
}
