use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{Campaign, Subject};
use backspin_policy::{JudgeName, default_policy};
use backspin_scenario::model::Scenario;
use backspin_scenario::{recorded, shipped};
use backspin_score::CostWeights;

/// The first scenarios of two families.
fn scenarios() -> Vec<Scenario> {
    let all = shipped().expect("they load");
    let of = |family: &str| all.iter().find(|s| s.family == family).expect("the family is there").clone();
    vec![of("loud"), of("healthy")]
}

struct Played {
    whole: Vec<(crate::RunKey, backspin_score::RunOutcome)>,
    /// Texts of three shards, with the names of their files.
    parts: Vec<(String, String)>,
}

/// Two scenarios and a recording under two judges and the oracle, as a whole and in three parts.
fn played() -> Played {
    let scenarios = scenarios();
    let case = recorded::shipped().expect("they load").swap_remove(0);
    let policy = default_policy().expect("it loads");
    let campaign = Campaign {
        subjects: scenarios
            .iter()
            .map(Subject::Scenario)
            .chain(std::iter::once(Subject::Recorded(&case)))
            .collect(),
        policies: vec![policy.clone(), policy.with_judge(JudgeName::Weighted)],
        seed: 5,
        seeds: 3,
        compared: 2,
        oracle: true,
        untouched: false,
        over_http: false,
        jobs: 1,
    };
    let told = Told {
        build: "this one".to_owned(),
        title: "a few".to_owned(),
        weights: CostWeights::default(),
        subjects: BTreeMap::new(),
        options: String::new(),
    };
    let order = Order::of(&campaign, told).expect("they were read from files");
    assert_eq!(order.policies().expect("they load again"), campaign.policies);
    assert_eq!(order.scenarios().expect("they load again"), scenarios);
    let part = |index| {
        let shard = Shard::new(index, 3).expect("one of three");
        let runs = campaign.play(Some(shard), || ()).expect("it can be played");
        (shard.file_name(), ShardFile { order: order.clone(), shard, runs }.to_text())
    };
    let parts: Vec<_> = (1..=3).map(part).collect();
    let sum: usize = (1..=3).map(|index| campaign.runs(Shard::new(index, 3))).sum();
    assert_eq!(sum, campaign.runs(None));
    Played { whole: campaign.play(None, || ()).expect("it can be played"), parts }
}

#[test]
fn parts_in_any_order_come_to_the_whole() {
    let Played { whole, mut parts } = played();
    parts.rotate_left(1);
    parts.push(parts[0].clone());
    let merged = merge(parts.clone()).expect("they belong together");
    assert_eq!(merged.runs, whole);
    assert_eq!(merged.missing, []);
    assert_eq!(merged.repeated.len(), 1);
    // A part that is not there is unknown, and so is one of which only a half is.
    let (lost, cut) = (parts.remove(0), parts.remove(0));
    parts.pop();
    parts.push((cut.0.clone(), cut.1[..cut.1.len() - 2].to_owned()));
    let merged = merge(parts.clone()).expect("they belong together");
    assert_eq!(merged.missing.len(), 2);
    assert_eq!(merged.damaged.len(), 1);
    assert_eq!(merged.damaged[0].file, cut.0);
    assert!(merged.runs.len() < whole.len());
    assert!(merged.runs.iter().all(|run| whole.contains(run)));
    // Nothing at all is an error that names what was found.
    let none = merge([(lost.0.clone(), "{}\n".to_owned())]).expect_err("no shard");
    assert!(none.to_string().contains(&lost.0), "{none}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let Played { parts, .. } = played();
    let changed = |change: fn(&mut ShardFile)| {
        let mut file = ShardFile::parse(&parts[1].1).expect("whole");
        change(&mut file);
        merge([parts[0].clone(), parts[1].clone(), ("late".to_owned(), file.to_text())])
    };
    let other = changed(|file| file.order.seed += 1).expect_err("another seed");
    assert_eq!(
        other.to_string(),
        "`late` and `shard-00001-of-00003.jsonl` are parts of different campaigns: the seed differs"
    );
    let differs = changed(|file| file.runs[0].1.harm.users += 1.0).expect_err("another outcome");
    assert!(matches!(differs, MergeError::Differ { shard, .. } if shard.index() == 2), "{differs}");
    let stray = changed(|file| file.shard = Shard::new(3, 3).expect("one of three"));
    assert!(matches!(stray, Err(MergeError::Stray { .. })), "{stray:?}");
}

#[test]
fn every_place_falls_to_one_shard_and_stays_there() {
    for of in [1, 2, 7, 100] {
        let shards: Vec<Shard> = (1..=of).filter_map(|index| Shard::new(index, of)).collect();
        for name in ["loud/a", "quiet/b", "own/c"] {
            for seed_index in 0..20 {
                assert_eq!(shards.iter().filter(|shard| shard.holds(name, seed_index)).count(), 1);
            }
        }
    }
    // Fixed for ever: results of one build are divided as those of the next.
    let first = |name: &str| (1..=8).find(|&index| Shard::new(index, 8).is_some_and(|s| s.holds(name, 3)));
    insta::assert_debug_snapshot!([first("loud/a"), first("quiet/b"), first("own/c")]);
}

#[test]
fn a_shard_is_named_by_two_numbers() {
    assert_eq!("3/16".parse(), Ok(Shard::new(3, 16).expect("one of sixteen")));
    for bad in ["", "3", "0/4", "5/4", "1/0", "1/100001", "-1/4", "1/4/2", "a/b"] {
        assert!(bad.parse::<Shard>().is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever became of a file on its way, it is read as what was written or not at all.
    #[test]
    fn a_damaged_file_is_never_taken_for_a_whole_one(at in 0.0..1.0_f64, byte in 0_u8..128, cut: bool) {
        use std::sync::LazyLock;
        static TEXT: LazyLock<String> = LazyLock::new(|| played().parts[0].1.clone());
        let place = (TEXT.len() as f64 * at) as usize;
        let mut bytes = TEXT.clone().into_bytes();
        if cut { bytes.truncate(place) } else { bytes[place] = byte }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text != *TEXT {
            prop_assert!(ShardFile::parse(&text).is_err());
        }
    }
}
