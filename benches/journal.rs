//! Durable appends per second with group commit, against a bare loop that writes the same bytes in the same batches
//! with one sync per batch, in the same folder. The two take turns within one run, so that both see the same disk; the
//! ratio is of durable entries per second, printed with its percentiles beside criterion's figures. Encoding, checksum,
//! chain and head are the journal's to pay. A turn is a few batches, all of them durable at its end: *submitted* lets the
//! journal encode one while the one before is synced, as the driver does with inputs; *committed* waits for each, as the
//! driver does before an effect.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backspin::campaign::{Campaign, RunKey, Subject};
use backspin::domain::entry::{Entry, RunHeader};
use backspin::policy::default_policy;
use backspin::record::{Journal, JournalOptions, JournalReader};
use backspin::scenario::shipped;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Entries per commit: an intent alone; what one scrape of a few services leaves; an incident storm.
const BATCHES: [usize; 3] = [1, 16, 256];

/// Batches in one turn.
const TURN: usize = 16;

/// A shipped scenario's run: frames, verdicts, decisions, intents, truth, in the order in which they come.
fn played() -> (RunHeader, Vec<Entry>) {
    let scenarios = shipped().expect("good");
    let scenario = scenarios.iter().find(|s| s.name == "half-of-requests-fail").expect("shipped");
    let campaign = Campaign {
        subjects: vec![Subject::Scenario(scenario)],
        policies: vec![default_policy().expect("good")],
        seed: 1,
        seeds: 1,
        compared: 0,
        oracle: false,
        untouched: false,
        over_http: false,
        jobs: 1,
    };
    let mut entries =
        campaign.record(&RunKey { subject: 0, policy: 0, seed_index: 0 }).expect("played").into_iter();
    let Some(Entry::Header(header)) = entries.next() else { panic!("a record begins with its header") };
    // Without the end, after which nothing may follow.
    (*header, entries.filter(|e| !matches!(e, Entry::End(_))).collect())
}

/// A folder on the disk that the build is on: the system's own temporary folder may be in memory.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal-bench").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("made");
    folder
}

/// A bare file with the same bytes.
struct Bare {
    file: File,
    /// The journal's lines of each batch.
    batches: Vec<Vec<u8>>,
    next: usize,
}

impl Bare {
    fn turn(&mut self) {
        for _ in 0..TURN {
            let batch = &self.batches[self.next % self.batches.len()];
            self.next += 1;
            self.file.write_all(batch).expect("written");
            self.file.sync_data().expect("synced");
        }
    }
}

/// A journal that is fed the same entries in a circle.
struct Fed {
    journal: Journal,
    batches: Vec<Vec<Entry>>,
    next: usize,
}

/// What is done with a batch.
#[derive(Clone, Copy)]
enum Ends {
    Submitted,
    Committed,
}

impl Fed {
    fn append(&mut self) {
        let batch = &self.batches[self.next % self.batches.len()];
        self.next += 1;
        for entry in batch {
            self.journal.append(entry).expect("appended");
        }
    }

    fn commit(&mut self) {
        black_box(self.journal.commit().expect("committed"));
    }

    fn turn(&mut self, ends: Ends) {
        for _ in 0..TURN {
            self.append();
            match ends {
                Ends::Submitted => self.journal.submit().expect("submitted"),
                Ends::Committed => self.commit(),
            }
        }
        self.commit();
    }
}

fn pair(size: usize) -> (Fed, Bare) {
    let (header, entries) = played();
    let batches: Vec<Vec<Entry>> = entries.chunks_exact(size).map(<[Entry]>::to_vec).collect();
    let place = folder(&format!("fed-{size}"));
    let journal = Journal::create(&place, &header, JournalOptions::default()).expect("created");
    let mut fed = Fed { journal, batches, next: 0 };
    let mut bare = Bare {
        file: File::create(folder(&format!("bare-{size}")).join("bare.jsonl")).expect("created"),
        batches: Vec::new(),
        next: 0,
    };
    let segment = place.join("00000001.jsonl");
    for _ in 0..fed.batches.len() {
        let before = fs::metadata(&segment).expect("there").len() as usize;
        fed.append();
        fed.commit();
        bare.batches.push(fs::read(&segment).expect("there").split_off(before));
    }
    // A check that the bench measures what it says.
    let read: Result<Vec<Entry>, _> = JournalReader::open(&place, None).expect("a journal").collect();
    assert_eq!(read.expect("sound").len(), 1 + fed.batches.len() * size);
    (fed, bare)
}

/// What many turns took.
struct Times {
    /// In ascending order.
    sorted: Vec<Duration>,
    total: Duration,
}

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { total: times.iter().sum(), sorted: times }
    }

    fn percentile(&self, percent: usize) -> Duration {
        self.sorted[(self.sorted.len() - 1) * percent / 100]
    }
}

/// Alternates the two, and who begins: what one leaves in the file system's journal, the other one's sync pays for.
fn turns(fed: &mut Fed, bare: &mut Bare, ends: Ends, rounds: usize) -> (Times, Times) {
    let mut times = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for round in 0..rounds {
        if round % 2 == 0 {
            times.0.push(timed(|| fed.turn(ends)));
            times.1.push(timed(|| bare.turn()));
        } else {
            times.1.push(timed(|| bare.turn()));
            times.0.push(timed(|| fed.turn(ends)));
        }
    }
    (Times::new(times.0), Times::new(times.1))
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn timed(turn: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    turn();
    start.elapsed()
}

#[expect(clippy::print_stderr, reason = "criterion has no place for a ratio of two benches")]
fn group_commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("journal");
    group.sample_size(20);
    for size in BATCHES {
        let (mut fed, mut bare) = pair(size);
        for (name, ends) in [("submitted", Ends::Submitted), ("committed", Ends::Committed)] {
            let rounds = 64;
            let (ours, theirs) = turns(&mut fed, &mut bare, ends, rounds);
            let ratio = |ours: Duration, theirs: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
            let rate = |times: &Times| (size * TURN * rounds) as f64 / times.total.as_secs_f64();
            // A disk with several speeds makes the median jump between them: the ratio that counts is of the rates.
            eprintln!(
                "journal/{name}/{size}: {:.0} durable entries/s, bare loop {:.0}/s, ratio {:.3} (n = {rounds} turns of {TURN} batches each)",
                rate(&ours),
                rate(&theirs),
                ratio(ours.total, theirs.total)
            );
            for percent in [10, 25, 50, 75, 90] {
                let (ours, theirs) = (ours.percentile(percent), theirs.percentile(percent));
                eprintln!(
                    "  {percent} %: journal {ours:?}, bare loop {theirs:?}, ratio {:.3}",
                    ratio(ours, theirs)
                );
            }
            group.throughput(Throughput::Elements((size * TURN) as u64));
            group.bench_function(BenchmarkId::new(name, size), |b| b.iter(|| fed.turn(ends)));
        }
        group.bench_function(BenchmarkId::new("bare_loop", size), |b| b.iter(|| bare.turn()));
    }
    group.finish();
    let _ = fs::remove_dir_all(Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal-bench"));
}

/// What encoding, checksum and chain take without any disk: a batch that is never committed.
fn append(c: &mut Criterion) {
    let (header, entries) = played();
    let mut group = c.benchmark_group("journal/append");
    group.throughput(Throughput::Elements(entries.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(entries.len()), |b| {
        b.iter_batched_ref(
            || Journal::create(&folder("append"), &header, JournalOptions::default()).expect("created"),
            |journal| {
                for entry in &entries {
                    black_box(journal.append(entry).expect("appended"));
                }
                assert_eq!(journal.pending(), entries.len() as u64);
            },
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, group_commit, append);
criterion_main!(benches);
