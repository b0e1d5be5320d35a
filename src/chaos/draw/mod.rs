//! Cases from seeds.
//!
//! Swarm testing (Groce et al., *Swarm Testing*, ISSTA 2012): each run switches a random subset of kinds off and gives the
//! others rates that are very different from each other, so that runs are unlike one another and no kind always hides behind
//! another. The kinds are drawn first and the world after them, so that what is planned can take effect in it.

mod faults;
mod shape;
#[cfg(test)]
mod tests;

pub use shape::{Shape, Size};

use shape::{Odd, People, WorldDraw, needs};

use super::case::{CASE_VERSION, Case};
use super::kind::{FaultKind, Planes};
use super::plan::FaultPlan;
use backspin_domain::entry::PlaneKind;
use backspin_domain::fault::PlannedFault;
use backspin_domain::seed::Seed;
use backspin_world::Draw;

/// Faults of one drawn plan, at most.
const FAULTS_MAX: usize = 6;

/// The small world with a release of which half of the requests fail, and nothing else amiss.
pub fn small(seed: Seed) -> Case {
    case(&plain(Size::Small), seed, FaultPlan::default())
}

/// A case in which one kind takes effect, and nothing else is amiss.
pub fn alone(kind: FaultKind, size: Size, seed: Seed) -> Case {
    let needs = needs(kind);
    let plain = plain(size);
    let world = WorldDraw {
        shape: needs.shape.unwrap_or(plain.shape),
        people: needs.people,
        reads: needs.reads,
        calls: needs.calls,
        ..plain
    };
    case(&world, seed, FaultPlan { faults: vec![faults::sure(kind, &world)] })
}

/// A case of this size, drawn from a seed.
pub fn draw(seed: Seed, size: Size) -> Case {
    let mut dice = Draw::at(seed.stream("chaos/case"), 0);
    let kinds = kinds(seed, &mut dice);
    // Of the shapes that any of them needs the first is taken; who needs another is left out.
    let shape = kinds.iter().find_map(|&kind| needs(kind).shape);
    let shape = shape.unwrap_or_else(|| Shape::ALL[pick(&mut dice, Shape::ALL.len())]);
    let fits = |kind: &FaultKind| needs(*kind).shape.is_none_or(|needed| needed == shape);
    let kinds: Vec<FaultKind> = kinds.into_iter().filter(fits).collect();
    let world = WorldDraw {
        size,
        shape,
        people: people(&kinds, &mut dice),
        reads: kinds.iter().any(|&kind| needs(kind).reads),
        calls: kinds.iter().any(|&kind| needs(kind).calls),
        odd: odd(&kinds, &mut dice),
        // One release in eight is good, and nothing is planned in it that waits for a rollback.
        error_ratio: (!kinds.is_empty() || dice.uniform() >= 0.5).then(|| log_uniform(&mut dice, 0.1, 0.8)),
        rps: log_uniform(&mut dice, 40.0, 200.0),
        replicas: if size == Size::Small { 3 } else { 4 + pick(&mut dice, 9) as u32 },
        freeze: dice.uniform() < 0.08,
    };
    let faults = kinds.iter().map(|&kind| faults::drawn(kind, &world, &mut dice)).collect();
    case(&world, seed, FaultPlan { faults })
}

fn plain(size: Size) -> WorldDraw {
    WorldDraw {
        size,
        shape: Shape::Canary,
        people: People::NotAsked,
        reads: false,
        calls: false,
        odd: Odd::Nothing,
        error_ratio: Some(0.5),
        rps: if size == Size::Small { 60.0 } else { 120.0 },
        replicas: if size == Size::Small { 3 } else { 10 },
        freeze: false,
    }
}

fn case(world: &WorldDraw, seed: Seed, faults: FaultPlan) -> Case {
    let (heals, bound) = world.phases();
    Case {
        version: CASE_VERSION,
        shows: None,
        plane: PlaneKind::Direct,
        policy: world.policy(),
        seed,
        heals,
        bound,
        scenario: world.scenario(),
        faults,
    }
}

/// Now and then a world is out of the common.
fn odd(kinds: &[FaultKind], dice: &mut Draw) -> Odd {
    // Answers run out sooner there, so that a late one has.
    let late = kinds.contains(&FaultKind::LateAnswer) && dice.uniform() < 0.3;
    match dice.uniform() {
        _ if late => Odd::Tight,
        draw if draw < 0.002 => Odd::NoTarget,
        draw if draw < 0.02 => Odd::Tight,
        _ => Odd::Nothing,
    }
}

/// Whom the first kind needs that needs anybody; else now and then somebody.
fn people(kinds: &[FaultKind], dice: &mut Draw) -> People {
    let ask = dice.uniform();
    let needed = kinds.iter().map(|&kind| needs(kind).people).find(|&people| people != People::NotAsked);
    let unneeded = if ask < 0.08 {
        People::Agree
    } else if ask < 0.083 {
        People::Silent
    } else if ask < 0.085 {
        People::Refuse
    } else {
        People::NotAsked
    };
    needed.unwrap_or(unneeded)
}

/// Which kinds a run has: about half are switched off for it, the others are drawn by rates from one to a hundred.
fn kinds(seed: Seed, dice: &mut Draw) -> Vec<FaultKind> {
    let mut rates = Draw::at(seed.stream("chaos/swarm"), 0);
    let mut weights = [0.0; KINDS];
    for (weight, kind) in weights.iter_mut().zip(FaultKind::ALL) {
        let on = rates.uniform() < 0.5;
        let rate = log_uniform(&mut rates, 1.0, 100.0);
        *weight = if on { rate * seldom(*kind) } else { 0.0 };
    }
    // Fewer are likelier, so that what they do can be told apart; none at all has to hold, too.
    let count = (dice.exponential(1.8) as usize).min(FAULTS_MAX);
    let mut kinds = Vec::with_capacity(count);
    for _ in 0..count {
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut at = dice.uniform() * total;
        let place = weights.iter().position(|weight| {
            at -= weight;
            *weight > 0.0 && at < 0.0
        });
        let Some(place) = place else { break };
        weights[place] = 0.0;
        kinds.push(FaultKind::ALL[place]);
    }
    kinds
}

/// What leaves a service as it is for a good reason, or mostly finds nothing to strike, is drawn the less often: a run that ends
/// in an excuse shows little, and one that is invalid nothing.
const fn seldom(kind: FaultKind) -> f64 {
    match kind {
        FaultKind::ScriptFails => 0.15,
        // A plan seldom begins with a flag.
        FaultKind::FlagsDown | FaultKind::FlagsStale => 0.25,
        _ => 1.0,
    }
}

const KINDS: usize = FaultKind::ALL.len();

/// As often between 1 and 10 as between 10 and 100.
fn log_uniform(dice: &mut Draw, low: f64, high: f64) -> f64 {
    low * libm::exp(libm::log(high / low) * dice.uniform())
}

/// A place in a list of so many.
fn pick(dice: &mut Draw, len: usize) -> usize {
    ((dice.uniform() * len as f64) as usize).min(len - 1)
}

/// The same case over HTTP; none if something that is planned has no meaning there.
pub fn over_http(case: &Case) -> Option<Case> {
    let both = |fault: &PlannedFault| fault.kind.planes() == Planes::Both;
    case.faults.faults.iter().all(both).then(|| Case { plane: PlaneKind::Http, ..case.clone() })
}
