//! All shards of a campaign, put together again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::file::FileError;
use super::{Order, Shard, ShardFile};
use crate::RunKey;
use backspin_score::RunOutcome;

/// What the shards that are there come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// Of what.
    pub order: Order,
    /// Their runs, in the order of one machine.
    pub runs: Vec<(RunKey, RunOutcome)>,
    /// Shards that are not there, or not whole: what they would have come to is unknown.
    pub missing: Vec<Shard>,
    /// Shards that arrived more than once, each time the same.
    pub repeated: Vec<Shard>,
    /// Files that are no whole shard.
    pub damaged: Vec<Damage>,
}

/// A file that is no whole shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub why: FileError,
}

/// Why files cannot be put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// No file is a whole shard.
    #[error("none of the files is a whole shard{}", .first.as_ref().map(|d| format!("; `{}`: {}", d.file, d.why)).unwrap_or_default())]
    Nothing {
        /// What is wrong with the first one.
        first: Option<Damage>,
    },
    /// Two files are parts of different campaigns.
    #[error("`{file}` and `{other}` are parts of different campaigns: {what} differs")]
    OtherOrder {
        /// A file.
        file: String,
        /// One before it.
        other: String,
        /// What is not the same in both.
        what: &'static str,
    },
    /// One shard came to two things.
    #[error("shard {shard} is in `{file}` and in `{other}`, and they differ")]
    Differ {
        /// Which.
        shard: Shard,
        /// A file.
        file: String,
        /// One before it.
        other: String,
    },
    /// A run is in a shard that it does not fall to, or of a subject that the order has not.
    #[error("`{file}` holds a run that is not of shard {shard}: subject {subject}, seed index {seed_index}")]
    Stray {
        /// The file.
        file: String,
        /// Which shard it is.
        shard: Shard,
        /// The subject's index.
        subject: usize,
        /// The seed's.
        seed_index: u64,
    },
}

/// Puts the texts of shards together, each given with the name of its file. The order in which they come does not matter.
pub fn merge(files: impl IntoIterator<Item = (String, String)>) -> Result<Merged, MergeError> {
    let mut whole: BTreeMap<Shard, (String, ShardFile)> = BTreeMap::new();
    let (mut damaged, mut repeated) = (Vec::new(), Vec::new());
    for (file, text) in files {
        let read = match ShardFile::parse(&text) {
            Ok(read) => read,
            Err(why) => {
                damaged.push(Damage { file, why });
                continue;
            }
        };
        if let Some((other, first)) = whole.values().next()
            && let Some(what) = difference(first, &read)
        {
            return Err(MergeError::OtherOrder { file, other: other.clone(), what });
        }
        stray(&file, &read)?;
        match whole.entry(read.shard) {
            Entry::Vacant(place) => {
                place.insert((file, read));
            }
            Entry::Occupied(place) if place.get().1 == read => repeated.push(read.shard),
            Entry::Occupied(place) => {
                return Err(MergeError::Differ { shard: read.shard, file, other: place.get().0.clone() });
            }
        }
    }
    let Some((_, (_, first))) = whole.first_key_value() else {
        return Err(MergeError::Nothing { first: damaged.into_iter().next() });
    };
    let (order, of) = (first.order.clone(), first.shard.of());
    let missing =
        (1..=of).filter_map(|index| Shard::new(index, of)).filter(|s| !whole.contains_key(s)).collect();
    let mut runs: Vec<_> = whole.into_values().flat_map(|(_, file)| file.runs).collect();
    runs.sort_unstable_by_key(|(key, _)| *key);
    repeated.sort_unstable();
    repeated.dedup();
    Ok(Merged { order, runs, missing, repeated, damaged })
}

/// What two shards do not have in common.
fn difference(a: &ShardFile, b: &ShardFile) -> Option<&'static str> {
    let (one, two) = (&a.order, &b.order);
    [
        ("the number of shards", a.shard.of() == b.shard.of()),
        ("the build", one.build == two.build),
        ("the seed", one.seed == two.seed),
        ("the number of seeds", (one.seeds, one.compared) == (two.seeds, two.compared)),
        ("the policies or judges", one.policies == two.policies),
        ("what is played", (&one.scenarios, &one.recordings) == (&two.scenarios, &two.recordings)),
        ("how it is played or told", one == two),
    ]
    .into_iter()
    .find_map(|(what, same)| (!same).then_some(what))
}

/// Refuses runs that do not belong where they are.
fn stray(file: &str, read: &ShardFile) -> Result<(), MergeError> {
    let Order { scenarios, recordings, .. } = &read.order;
    let name = |subject: usize| match scenarios.get(subject) {
        Some(scenario) => Some(format!("{}/{}", scenario.family, scenario.name)),
        None => recordings.get(subject - scenarios.len()).cloned(),
    };
    let stray = read.runs.iter().find(|(key, outcome)| {
        name(key.subject).is_none_or(|name| {
            name != format!("{}/{}", outcome.family, outcome.scenario)
                || !read.shard.holds(&name, key.seed_index)
        })
    });
    stray.map_or(Ok(()), |(key, _)| {
        Err(MergeError::Stray {
            file: file.to_owned(),
            shard: read.shard,
            subject: key.subject,
            seed_index: key.seed_index,
        })
    })
}
