//! One part of a run, as `backspin run --shard` plays and keeps it.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, anyhow};

use super::diagnose::{Failure, bad_input, counted, environment, fault};
use super::exit::Code;
use super::out;
use super::progress::Progress;
use super::run::{Extra, cannot_play};
use crate::campaign::Campaign;
use crate::campaign::shard::{NoShard, Order, Shard, ShardFile, Told};
use crate::score::CostWeights;

/// The variable in which an Indexed Job tells a pod its index, from 0.
const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";

/// What was asked for: a part by its number, or the one that a Job gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedShard {
    Named(Shard),
    OfJob { of: u32 },
}

impl FromStr for AskedShard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        match text.strip_prefix("job/") {
            Some(of) => {
                let of = of.parse().ok().filter(|&of| Shard::new(1, of).is_some());
                of.map(|of| Self::OfJob { of }).ok_or_else(|| NoShard { found: text.to_owned() })
            }
            None => text.parse().map(Self::Named),
        }
    }
}

impl AskedShard {
    /// The part to play.
    pub(super) fn shard(self) -> Result<Shard, Failure> {
        let of = match self {
            Self::Named(shard) => return Ok(shard),
            Self::OfJob { of } => of,
        };
        let told = std::env::var(COMPLETION_INDEX).map_err(|_| {
            let error =
                anyhow!("`--shard job/{of}` needs the variable {COMPLETION_INDEX}, and it is not set");
            environment(error, "an Indexed Job sets it; elsewhere name the part: --shard 1/16")
        })?;
        told.parse().ok().and_then(|index: u32| Shard::new(index.checked_add(1)?, of)).ok_or_else(|| {
            let error = anyhow!("{COMPLETION_INDEX} is `{told}`; it must be a number below {of}");
            bad_input(error, "the Job's `completions` must be the N of --shard job/N")
        })
    }
}

/// Whether parts may be kept there.
pub(super) fn check(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))
        .map_err(|error| environment(error, "name another folder with --out"))
}

/// Plays a part and keeps it, whole or not at all. A part that is there already is left as it is, so that a worker that is
/// started again costs nothing.
pub(super) fn play(
    folder: &Path,
    campaign: &Campaign<'_>,
    shard: Shard,
    extra: Extra,
    weights: CostWeights,
) -> Result<Code, Failure> {
    let told = Told {
        build: build(),
        title: extra.title.clone(),
        weights,
        subjects: extra.commands.subjects,
        options: extra.commands.options,
    };
    let order = Order::of(campaign, told)
        .ok_or_else(|| fault(anyhow!("a scenario that was read from a file does not hold its text")))?;
    let path = folder.join(shard.file_name());
    if let Ok(text) = fs::read_to_string(&path)
        && let Ok(there) = ShardFile::parse(&text)
        && (&there.order, there.shard) == (&order, shard)
    {
        out(&format!(
            "shard {shard} is in `{}` already: {}",
            path.display(),
            counted(there.runs.len(), "run")
        ));
        return Ok(Code::Good);
    }
    let progress = Progress::start(&format!("shard {shard} of {}", extra.title), campaign.runs(Some(shard)));
    let runs = campaign.play(Some(shard), || progress.step()).map_err(cannot_play)?;
    progress.finish();
    let played = runs.len();
    keep(&path, &ShardFile { order, shard, runs }.to_text())?;
    out(&format!("shard {shard}: {} in `{}`", counted(played, "run"), path.display()));
    Ok(Code::Good)
}

/// The build, as shards name it.
pub(super) fn build() -> String {
    format!("backspin {}", env!("CARGO_PKG_VERSION"))
}

/// Writes beside the place, then moves it there: nobody ever reads half of it. The process' number keeps two workers with
/// the same part apart.
fn keep(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension(format!("{}.partial", std::process::id()));
    let kept = fs::write(&beside, text).and_then(|()| {
        fs::File::open(&beside)?.sync_all()?;
        fs::rename(&beside, path)
    });
    kept.inspect_err(|_| {
        // What counts is the first error.
        let _ = fs::remove_file(&beside);
    })
    .with_context(|| format!("cannot write `{}`", path.display()))
    .map_err(|error| environment(error, "name another folder with --out"))
}
