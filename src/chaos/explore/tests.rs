use super::*;
use crate::draw::small;
use crate::kind::FaultKind;
use backspin_engine::mutation::Mutation;

fn plain(seed: u64) -> Case {
    small(Seed(seed))
}

fn sweep<'a>(seeds: &'a Range<u64>, jobs: usize, runner: &'a (dyn Fn() -> Runner + Sync)) -> Sweep<'a> {
    Sweep { seeds, jobs, failures_max: 3, only: &[], case: &plain, runner }
}

#[test]
fn threads_cannot_be_seen_in_what_is_found() {
    let seeds = 1..200;
    let one = explore(&sweep(&seeds, 1, &Runner::new), || {}).expect("played");
    let two = explore(&sweep(&seeds, 2, &Runner::new), || {}).expect("played");
    assert_eq!((one.runs, one.passed + one.broken + one.invalid), (199, 199));
    assert_eq!((one.passed, one.broken, one.invalid), (two.passed, two.broken, two.invalid));
    assert!(one.sampled > 0 && one.passed > 190, "{:?}", one.failures);
    assert_eq!(one.digest, two.digest);
    let other = explore(&sweep(&(1..199), 2, &Runner::new), || {}).expect("played");
    assert_ne!(one.digest, other.digest);
}

#[test]
fn a_broken_engine_is_found_and_that_is_enough() {
    let broken = || Runner::broken(Mutation::JournalAfterEffect);
    let found = explore(&sweep(&(1..5000), 2, &broken), || {}).expect("played");
    assert_eq!((found.failures.len(), found.broken), (3, 3));
    assert!(found.runs < 100, "{}", found.runs);
    assert_eq!(found.worst(), Some(Class::Safety));
    let seeds: Vec<u64> = found.failures.iter().map(|failure| failure.seed).collect();
    assert!(seeds.is_sorted(), "{seeds:?}");
}

#[test]
fn what_does_not_count_is_not_counted() {
    let broken = || Runner::broken(Mutation::JournalAfterEffect);
    let seeds = 1..20;
    let found = explore(&Sweep { only: &["S7"], ..sweep(&seeds, 1, &broken) }, || {}).expect("played");
    assert_eq!((found.runs, found.broken), (19, 0));
}

#[test]
fn a_panic_keeps_its_seed_and_is_the_harness() {
    let case = |seed| if seed == 5 { panic!("boo") } else { plain(seed) };
    let seeds = 1..9;
    let found = explore(&Sweep { case: &case, ..sweep(&seeds, 2, &Runner::new) }, || {}).expect("played");
    assert_eq!((found.runs, found.passed), (8, 7));
    assert_eq!(found.failures[0].seed, 5);
    assert_eq!(found.worst(), Some(Class::Harness));
    assert!(found.failures[0].breaches[0].words.contains("boo"));
}

#[test]
fn a_fault_without_effect_makes_a_run_invalid() {
    use crate::kind::When;
    use backspin_domain::fault::PlannedFault;
    let case = |seed| {
        let mut case = plain(seed);
        case.faults.faults.push(PlannedFault::new(FaultKind::LateAnswer, When::Call(900)));
        case
    };
    let seeds = 1..4;
    let found = explore(&Sweep { case: &case, ..sweep(&seeds, 1, &Runner::new) }, || {}).expect("played");
    assert_eq!((found.runs, found.invalid, found.passed), (3, 3, 0));
    let count = found.kinds.iter().find(|count| count.kind == FaultKind::LateAnswer).expect("listed");
    assert_eq!((count.planned, count.effective), (3, 0));
}
