//! Whether a run came to the same on two planes: what was decided, planned and done, when, and what it did to the world.
//!
//! Inputs are not compared: what an engine was told may differ in what it does not look at. What came of it may not.

use std::fmt;

use backspin_domain::entry::Entry;
use backspin_domain::time::MonoTime;

/// The first entry that two runs do not share.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// In process; none if that run says nothing more.
    pub direct: Option<Entry>,
    /// Over HTTP; none if that run says nothing more.
    pub http: Option<Entry>,
}

impl Difference {
    /// When the two parted.
    pub fn at(&self) -> MonoTime {
        let of = |entry: &Option<Entry>| entry.as_ref().and_then(moment);
        of(&self.direct).into_iter().chain(of(&self.http)).min().unwrap_or_default()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |entry: &Option<Entry>| match entry {
            Some(Entry::Journal(at, entry)) => format!("at {at} {entry:?}"),
            Some(Entry::Truth(at, truth)) => format!("at {at} in truth {truth:?}"),
            Some(other) => format!("{other:?}"),
            None => "nothing more".to_owned(),
        };
        write!(f, "direct: {}\n  http:   {}", show(&self.direct), show(&self.http))
    }
}

/// Where the records of one run on two planes part first; none if they tell the same.
pub fn first_difference(direct: &[Entry], http: &[Entry]) -> Option<Difference> {
    let (mut left, mut right) =
        (direct.iter().filter(|it| is_compared(it)), http.iter().filter(|it| is_compared(it)));
    loop {
        let (direct, http) = (left.next(), right.next());
        if direct != http {
            return Some(Difference { direct: direct.cloned(), http: http.cloned() });
        }
        direct?;
    }
}

const fn is_compared(entry: &Entry) -> bool {
    matches!(entry, Entry::Journal(..) | Entry::Truth(..) | Entry::End(_))
}

fn moment(entry: &Entry) -> Option<MonoTime> {
    match entry {
        Entry::Journal(at, _) | Entry::Truth(at, _) | Entry::End(at) => Some(*at),
        _ => None,
    }
}
