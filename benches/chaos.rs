//! Speed of chaos, per core: whole runs, drawn from seeds, played, observed and held against all invariants of one run; a campaign does this a million times. The
//! small world is ten minutes in ticks of five seconds, one service with three pods; the full one is 80 minutes in ticks of a
//! second. Besides the mean over drawn cases, the small world alone tells what a run costs in which nothing goes wrong by plan.

use std::hint::black_box;

use backspin::chaos::draw::{Size, draw, small};
use backspin::chaos::examine::{Depth, examine};
use backspin::chaos::{Case, Runner};
use backspin::domain::seed::Seed;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Runs of one sample: enough that their mean is that of the swarm.
const SMALL: u64 = 200;
const FULL: u64 = 10;

/// Plays all of them, checks them, and gives how many ticks were seen.
fn ticks(runner: &mut Runner, cases: &[Case]) -> usize {
    let played = cases.iter().map(|case| {
        let examined = examine(runner, case, Depth::Once).expect("drawn cases can be played");
        assert!(examined.breaches.is_empty(), "{:?}", examined.breaches);
        examined.trace.world.len()
    });
    played.sum()
}

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chaos");
    let mut runner = Runner::new();
    let plain = [small(Seed(1))];
    assert_eq!(ticks(&mut runner, &plain), 121, "ten minutes in ticks of five seconds");
    group.throughput(Throughput::Elements(1));
    group.bench_function("small_plain", |b| b.iter(|| ticks(&mut runner, black_box(&plain))));
    for (name, size, runs) in [("small_drawn", Size::Small, SMALL), ("full_drawn", Size::Full, FULL)] {
        let cases: Vec<Case> = (0..runs).map(|seed| draw(Seed(seed), size)).collect();
        assert!(ticks(&mut runner, &cases) > 100 * cases.len(), "they are played to their end");
        group.throughput(Throughput::Elements(runs));
        group.sample_size(10);
        group.bench_function(name, |b| b.iter(|| ticks(&mut runner, black_box(&cases))));
    }
    group.throughput(Throughput::Elements(SMALL));
    group.bench_function("draw_small", |b| {
        b.iter(|| (0..SMALL).map(|seed| draw(Seed(seed), Size::Small).faults.faults.len()).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);
