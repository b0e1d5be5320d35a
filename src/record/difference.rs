//! Comparing what two runs wrote down: the heart of a replay.

use super::codec::encode_line;
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::Entry;
use backspin_domain::time::MonoTime;

/// One side of a difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The entry's number in its record.
    pub seq: u64,
    /// When it was written down.
    pub at: MonoTime,
    /// What was written down.
    pub entry: JournalEntry,
}

/// Where two journals part.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which journal entry, from 0: all before it agree.
    pub index: u64,
    /// What the first record says there; none when its journal ended before.
    pub left: Option<Side>,
    /// What the second record says there; none when its journal ended before.
    pub right: Option<Side>,
}

/// The first journal entry in which two records differ, in time or content; none when the journals agree. Inputs
/// and truth are not compared: a replay has none of its own. Two NaN in the same place agree.
pub fn first_difference(
    left: impl IntoIterator<Item = Entry>,
    right: impl IntoIterator<Item = Entry>,
) -> Option<Difference> {
    let mut left = journal(left);
    let mut right = journal(right);
    (0..).find_map(|index| match (left.next(), right.next()) {
        (None, None) => Some(None),
        (Some(l), Some(r)) if same(&l, &r) => None,
        (left, right) => Some(Some(Difference { index, left, right })),
    })?
}

fn journal(entries: impl IntoIterator<Item = Entry>) -> impl Iterator<Item = Side> {
    (0..).zip(entries).filter_map(|(seq, entry)| match entry {
        Entry::Journal(at, entry) => Some(Side { seq, at, entry }),
        Entry::Header(_) | Entry::Input(..) | Entry::Woken(_) | Entry::Truth(..) | Entry::End(_) => None,
    })
}

fn same(left: &Side, right: &Side) -> bool {
    left.at == right.at && same_entry(&left.entry, &right.entry)
}

/// Whether two entries say the same: by text where plain equality fails, because NaN does not equal itself.
pub fn same_entry(left: &JournalEntry, right: &JournalEntry) -> bool {
    let text = |entry: &JournalEntry| {
        let mut out = Vec::new();
        encode_line(0, &Entry::Journal(MonoTime::ZERO, entry.clone()), &mut out).map(|()| out).ok()
    };
    left == right || text(left).is_some_and(|words| text(right) == Some(words))
}
