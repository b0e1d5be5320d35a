//! Frames per second of each judge, through `Box<dyn Judge>`, one `observe` per frame, over more frames than the
//! last-level cache holds, and of the default judge with ten pods in each frame; beside them a loop that only adds up as many bytes per frame as the reference judge reads,
//! from memory of the same footprint and stride, and one that adds up the very same samples: the ceilings that memory
//! sets.
//!
//! `cargo bench --bench judge`. `BACKSPIN_BENCH_FRAMES` sets the number of frames (default 1,200,000, which is more
//! than 480 MiB). Every judge's verdicts are counted and checked.

use std::hint::black_box;
use std::time::{Duration, Instant};

use backspin::domain::frame::{ArmIncrements, Frame, RolloutView};
use backspin::domain::pod::{PodArm, PodIncrements};
use backspin::domain::seed::Seed;
use backspin::domain::signal::{Quality, SIGNAL_COUNT, SignalKind, SignalSample, SignalTable};
use backspin::domain::time::{Millis, MonoTime};
use backspin::domain::verdict::VerdictClass;
use backspin::judge::Judge;
use backspin::policy::{JudgeName, default_policy};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Frames of one deploy: 30 min of history, an hour of watch, 15 s apart.
const DEPLOY: u64 = 360;
const HISTORY: u64 = 120;

/// What the reference judge reads of a frame: quality and value of six signals, which lie in this many bytes of the
/// signal table.
const READ_BYTES: usize = SignalTable::bytes_before(SignalKind::Throughput);
const READ: [SignalKind; 6] = [
    SignalKind::ErrorRatio,
    SignalKind::LatencyP99,
    SignalKind::Cpu,
    SignalKind::Memory,
    SignalKind::ConversionDrop,
    SignalKind::ComplaintsPerHour,
];
const WORDS_READ: usize = READ_BYTES / 8;
const WORDS: usize = size_of::<Frame>() / 8;

/// As many bytes as a frame, on the same boundary, so that both loops read as many cache lines.
#[repr(align(64))]
struct Stride([u64; WORDS]);

const _: () =
    assert!(size_of::<Stride>() == size_of::<Frame>() && align_of::<Stride>() == align_of::<Frame>());

fn frames(count: u64) -> Vec<Frame> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(Seed(20_261_123).0);
    let mut uniform = move || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..count)
        .map(|i| {
            let mut arm = |requests: f64, ratio: f64| {
                let n = (requests * (0.8 + 0.4 * uniform())) as u32;
                let mut arm =
                    ArmIncrements { quality: Quality::Fresh, requests: n, ..ArmIncrements::default() };
                arm.errors = (f64::from(n) * ratio * 2.0 * uniform()) as u32;
                for (bucket, share) in [(5, 0.1), (7, 0.4), (9, 0.3), (11, 0.17), (12, 0.03)] {
                    arm.latency_buckets[bucket] = (f64::from(n) * share * (0.9 + 0.2 * uniform())) as u32;
                }
                arm
            };
            let since_deploy = (i % DEPLOY).checked_sub(HISTORY).map(|n| Millis((n + 1) * 15_000));
            let bad = (i / DEPLOY).is_multiple_of(10);
            let mut frame = Frame {
                at: MonoTime(i * 15_000),
                interval: Millis(15_000),
                rollout: RolloutView { since_deploy, candidate_share: 0.25 },
                candidate: since_deploy.map(|_| arm(750.0, if bad { 0.10 } else { 0.002 })),
                stable: Some(arm(2250.0, 0.002)),
                ..Frame::default()
            };
            for kind in SignalKind::ALL {
                let most = match kind {
                    SignalKind::ErrorRatio => 0.1,
                    SignalKind::LatencyP99 => 4000.0,
                    SignalKind::ConversionDrop => 0.4,
                    SignalKind::ComplaintsPerHour => 100.0,
                    _ => 1.0,
                };
                frame.signals.set(kind, SignalSample::fresh(most * uniform(), 3000));
            }
            if i % 7 == 0 {
                frame.signals.set(SignalKind::Memory, SignalSample::default());
            }
            frame
        })
        .collect()
}

/// Pods of each arm in the frames that have pods.
const PODS: u32 = 5;

/// The same frames with pods, among which each arm's counts are shared out.
fn with_pods(frames: &[Frame]) -> Vec<Frame> {
    let share = |n: u32, pod: u32| n / PODS + u32::from(pod < n % PODS);
    let pods_of = |arm: PodArm, counts: ArmIncrements| {
        (0..PODS).map(move |pod| PodIncrements {
            arm,
            pod,
            requests: share(counts.requests, pod),
            errors: share(counts.errors, pod),
            latency_buckets: counts.latency_buckets.map(|n| share(n, pod)),
            ..PodIncrements::default()
        })
    };
    let of = |frame: &Frame| {
        let candidate = frame.candidate.map(|counts| pods_of(PodArm::Candidate, counts));
        let stable = frame.stable.map(|counts| pods_of(PodArm::Stable, counts));
        let pods = candidate.into_iter().flatten().chain(stable.into_iter().flatten()).collect();
        Frame { pods, ..frame.clone() }
    };
    frames.iter().map(of).collect()
}

/// Counts verdicts by class. A deploy begins with the first frame of its history.
fn judge_all(judge: &mut Box<dyn Judge>, frames: &[Frame]) -> [u64; 4] {
    let mut classes = [0; 4];
    for deploy in frames.chunks(DEPLOY as usize) {
        judge.reset();
        // Four counters of 16 bits in one word, more than a deploy has frames. Not `classes[class] += 1`: an address
        // that waits for memory would hold up the frames after it.
        let mut packed = 0_u64;
        for frame in deploy {
            packed += 1 << (16 * judge.observe(frame).class as u32);
        }
        for (k, n) in classes.iter_mut().enumerate() {
            *n += packed >> (16 * k) & 0xffff;
        }
    }
    classes
}

/// Adds up the words at the front of each stride.
fn sum_all(memory: &[Stride]) -> u64 {
    let mut sum = 0_u64;
    for stride in memory {
        for word in &stride.0[..WORDS_READ] {
            sum = sum.wrapping_add(*word);
        }
    }
    sum
}

/// Adds up the samples that the reference judge reads, where they lie: the same bytes of the same frames. What
/// allocations cost in pages and banks differs by their place, so this is the ceiling of the judge's own memory.
fn sum_frames(frames: &[Frame]) -> u64 {
    let mut sum = 0_u64;
    for frame in frames {
        for kind in READ {
            let sample = frame.signals.get(kind);
            sum = sum.wrapping_add(sample.value.to_bits()).wrapping_add(sample.quality as u64);
        }
    }
    sum
}

/// Seconds of the fastest of several runs.
fn fastest(mut run: impl FnMut()) -> f64 {
    (0..5)
        .map(|_| {
            #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// Frames per second of a judge, whose verdicts are counted and must be the same every time.
#[expect(clippy::print_stdout, reason = "the figures are what a bench is for")]
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    judge: &mut Box<dyn Judge>,
    frames: &[Frame],
) -> f64 {
    // The first run also warms the judge's past up, so that the ones after it agree.
    judge_all(judge, frames);
    let expected = judge_all(judge, frames);
    assert_eq!(expected.iter().sum::<u64>(), frames.len() as u64);
    println!("{name}: {expected:?} by class");
    group.bench_function(format!("{name}/frames"), |b| {
        b.iter(|| black_box(judge_all(judge, black_box(frames))));
    });
    let seconds = fastest(|| {
        let classes = judge_all(judge, black_box(frames));
        let fails = |classes: [u64; 4]| classes[VerdictClass::Fail as usize];
        assert!(fails(classes).abs_diff(fails(expected)) <= frames.len() as u64 / 1000);
    });
    frames.len() as f64 / seconds
}

#[expect(clippy::print_stdout, reason = "the figures are what a bench is for")]
fn bench(c: &mut Criterion) {
    let count = std::env::var("BACKSPIN_BENCH_FRAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_200_000);
    let frames = frames(count);
    let memory: Vec<Stride> = (0..count).map(|i| Stride(std::array::from_fn(|w| i ^ w as u64))).collect();
    let expected_sum: u64 =
        (0..count).flat_map(|i| (0..WORDS_READ).map(move |w| i ^ w as u64)).fold(0, u64::wrapping_add);
    println!(
        "{count} frames of {} bytes, {} MiB; {READ_BYTES} bytes read per frame of {SIGNAL_COUNT} signals",
        size_of::<Frame>(),
        size_of_val(&frames[..]) >> 20
    );

    let mut group = c.benchmark_group("judge");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(count));
    group.bench_function("memory/sum", |b| {
        b.iter(|| assert_eq!(sum_all(black_box(&memory)), expected_sum));
    });
    let ceiling = count as f64 / fastest(|| assert_eq!(sum_all(black_box(&memory)), expected_sum));
    println!("memory/sum: {:.1} M frames/s, {:.1} GB/s", ceiling / 1e6, ceiling * READ_BYTES as f64 / 1e9);

    let expected_sum = sum_frames(&frames);
    let own = count as f64 / fastest(|| assert_eq!(sum_frames(black_box(&frames)), expected_sum));
    println!("frames/sum: {:.1} M frames/s, {:.1} GB/s", own / 1e6, own * READ_BYTES as f64 / 1e9);

    let policy = default_policy().expect("the default policy is good");
    let build = |name| policy.with_judge(name).judge.build(&[]);
    for name in JudgeName::ALL {
        let mut judge = build(name);
        let rate = measure(&mut group, name.name(), &mut judge, &frames);
        println!(
            "{}: {:.2} M frames/s, {:.2} of memory/sum, {:.2} of frames/sum",
            name.name(),
            rate / 1e6,
            rate / ceiling,
            rate / own
        );
    }
    let few = with_pods(&frames[..frames.len() / 20 / DEPLOY as usize * DEPLOY as usize]);
    group.throughput(Throughput::Elements(few.len() as u64));
    let rate = measure(&mut group, "e_detector_10_pods", &mut build(JudgeName::EDetector), &few);
    println!("e_detector_10_pods: {:.3} M frames/s", rate / 1e6);
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
