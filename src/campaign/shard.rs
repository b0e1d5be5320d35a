//! Parts of a campaign that are played apart from each other, on other machines or at other times.
//!
//! A shard holds some of the campaign's places, a place being one subject on one seed, because all judges share its world.
//! Which shard a place falls to is a fixed hash of its name, so a scenario that is added moves no other. What a shard came
//! to is one file, [`file`], that carries the whole order; [`merge`] makes of all files what one machine would have played.

mod file;
mod merge;
mod order;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use backspin_domain::seed::Seed;

pub use file::{Order, OrderedScenario, SHARD_VERSION, ShardFile};

pub use merge::{Damage, MergeError, Merged, merge};
pub use order::Told;

/// Shards of one campaign, at most.
pub const SHARDS_MAX: u32 = 100_000;

/// One of so many parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1.
    index: u32,
    /// Of how many, at most [`SHARDS_MAX`].
    of: u32,
}

/// Why something names no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no shard; it must be I/N with 1 ≤ I ≤ N ≤ {SHARDS_MAX}, as 3/16")]
pub struct NoShard {
    /// What was found.
    pub found: String,
}

impl Shard {
    /// The shard `index` of `of`, counted from 1; none unless `1 ≤ index ≤ of ≤` [`SHARDS_MAX`].
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (1..=of.min(SHARDS_MAX)).contains(&index).then_some(Self { index, of }).filter(|_| of <= SHARDS_MAX)
    }

    /// Which, from 1.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub const fn of(self) -> u32 {
        self.of
    }

    /// Whether this seed of a subject (`family/name`, or `source/id` of a recording) falls to this shard.
    pub fn holds(self, subject: &str, seed_index: u64) -> bool {
        Seed(0).stream(subject).at(seed_index) % u64::from(self.of) == u64::from(self.index - 1)
    }

    /// The name of the file that tells what it came to.
    pub fn file_name(self) -> String {
        format!("shard-{:05}-of-{:05}.jsonl", self.index, self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        text.split_once('/')
            .and_then(|(index, of)| Self::new(index.parse().ok()?, of.parse().ok()?))
            .ok_or_else(|| NoShard { found: text.to_owned() })
    }
}
