//! Which worlds are played: what is asked for with options, and the same as options of a command that plays one again.

use std::fmt::Write as _;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::super::diagnose::{Failure, bad_input};
use crate::chaos::Case;
use crate::chaos::FaultKind;
use crate::chaos::draw::{Size, draw};
use crate::chaos::kind::Planes;
use crate::domain::entry::PlaneKind;
use crate::domain::seed::Seed;
use crate::policy::document::nearest::nearest;

/// Sizes of worlds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum World {
    /// Ten minutes, a tick of five seconds, three pods: a millisecond or so each.
    #[default]
    Small,
    /// Like the shipped scenarios.
    Full,
    /// One in sixteen is full.
    Both,
}

/// Through what the engine learns and acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Plane {
    /// In process.
    #[default]
    Direct,
    /// Over HTTP, through a mock Prometheus and a mock Kubernetes; without faults that have no meaning there.
    Http,
}

/// Which worlds are played.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Choice {
    /// Which worlds.
    #[arg(long, value_enum, default_value_t)]
    pub(super) world: World,
    /// Through what the engine learns and acts.
    #[arg(long, value_enum, default_value_t)]
    pub(super) plane: Plane,
    /// Only faults of these kinds, by number or name: `K7` is all of `K7a`, `K7b` and so on.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(super) kinds: Vec<Kinds>,
}

/// A kind of fault, or several under one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kinds {
    text: String,
    kinds: Vec<FaultKind>,
}

impl FromStr for Kinds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let is = |kind: &&FaultKind| {
            let id = kind.id();
            let group = id.trim_end_matches(|c: char| c.is_ascii_lowercase());
            id.eq_ignore_ascii_case(text) || group.eq_ignore_ascii_case(text) || name(**kind) == text
        };
        let kinds: Vec<FaultKind> = FaultKind::ALL.iter().filter(is).copied().collect();
        if kinds.is_empty() {
            let names: Vec<String> = FaultKind::ALL.iter().map(|kind| name(*kind)).collect();
            let known = names.iter().map(String::as_str).chain(FaultKind::ALL.iter().map(|kind| kind.id()));
            let near = nearest(text, known)
                .map_or_else(|| ".".to_owned(), |near| format!("; did you mean `{near}`?"));
            return Err(format!("there is no such kind of fault{near} The table is in docs/faults.md"));
        }
        Ok(Self { text: text.to_owned(), kinds })
    }
}

/// A kind's name in files.
fn name(kind: FaultKind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Choice {
    /// The size of a seed's world.
    fn size(&self, seed: u64) -> Size {
        match self.world {
            World::Full => Size::Full,
            World::Both if Seed(seed).stream("chaos/size").at(0).is_multiple_of(16) => Size::Full,
            World::Small | World::Both => Size::Small,
        }
    }

    /// The case of a seed.
    pub(super) fn case(&self, seed: u64) -> Case {
        let mut case = draw(Seed(seed), self.size(seed));
        let chosen = |kind: FaultKind| {
            self.kinds.is_empty() || self.kinds.iter().any(|kinds| kinds.kinds.contains(&kind))
        };
        case.faults.faults.retain(|fault| chosen(fault.kind));
        if self.plane == Plane::Http {
            case.faults.faults.retain(|fault| fault.kind.planes() == Planes::Both);
            case.plane = PlaneKind::Http;
        }
        case
    }

    /// The options that choose the same; those that are as by default are left out.
    pub(super) fn options(&self) -> String {
        let mut options = String::new();
        match self.world {
            World::Small => {}
            World::Full => options.push_str(" --world full"),
            World::Both => options.push_str(" --world both"),
        }
        if self.plane == Plane::Http {
            options.push_str(" --plane http");
        }
        if !self.kinds.is_empty() {
            let kinds: Vec<&str> = self.kinds.iter().map(|kinds| kinds.text.as_str()).collect();
            let _ = write!(options, " --kinds {}", kinds.join(","));
        }
        options
    }

    /// What is played, in words.
    pub(super) fn words(&self) -> String {
        let world = match self.world {
            World::Small => "Small worlds",
            World::Full => "Full worlds",
            World::Both => "Small worlds, one in sixteen full",
        };
        let plane = match self.plane {
            Plane::Direct => "in process",
            Plane::Http => "over HTTP",
        };
        let kinds: Vec<&str> = self.kinds.iter().map(|kinds| kinds.text.as_str()).collect();
        let only = if kinds.is_empty() { String::new() } else { format!(", only {}", kinds.join(", ")) };
        format!("{world}, {plane}{only}")
    }
}

/// Numbers of invariants; refuses what is none.
pub(super) fn invariants(asked: &[String]) -> Result<Vec<&'static str>, Failure> {
    let known: Vec<&'static str> = crate::chaos::examine::catalogue().map(|(id, _)| id).collect();
    let find = |text: &String| {
        let found = known.iter().find(|id| id.eq_ignore_ascii_case(text.trim())).copied();
        found.ok_or_else(|| {
            bad_input(
                anyhow::anyhow!("there is no invariant `{text}` that a run is checked for"),
                &format!("those that are: {}", known.join(", ")),
            )
        })
    };
    asked.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_go_by_number_group_and_name() {
        let of = |text: &str| text.parse::<Kinds>().map(|kinds| kinds.kinds);
        assert_eq!(of("E2"), Ok(vec![FaultKind::CrashBefore]));
        assert_eq!(of("k7").map(|kinds| kinds.len()), Ok(4));
        assert_eq!(of("K7b"), Ok(vec![FaultKind::ReplyUnknown]));
        assert_eq!(of("torn_tail"), Ok(vec![FaultKind::TornTail]));
        let error = of("torn_tale").expect_err("there is none");
        assert!(error.contains("`torn_tail`"), "{error}");
    }

    #[test]
    fn a_choice_only_takes_faults_away() {
        let all = Choice::default();
        let some = Choice { kinds: vec!["K7".parse().expect("known")], ..Choice::default() };
        let mut left = 0;
        for seed in 0..200 {
            let (all, some) = (all.case(seed), some.case(seed));
            assert_eq!(all.seed, some.seed);
            let k7 =
                |case: &Case| case.faults.faults.iter().filter(|f| f.kind.id().starts_with("K7")).count();
            assert_eq!(k7(&all), some.faults.faults.len());
            left += k7(&some);
        }
        assert!(left > 0);
        assert_eq!(some.options(), " --kinds K7");
        assert_eq!(all.options(), "");
    }
}
