//! Whether two runs were told the same: the inputs of a run in a world that was built again, held against a record.
//!
//! A policy that asks at other moments gets other answers of the same world, so frames are matched by the moment of
//! their scrape and not by the moment at which the engine was told.

use std::collections::BTreeMap;
use std::sync::Arc;

use backspin_domain::engine_io::Input;
use backspin_domain::entry::Entry;
use backspin_domain::frame::Frame;
use backspin_domain::signal::SignalTable;
use backspin_domain::time::MonoTime;
use backspin_record::encode_line;

/// How far two runs agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compared {
    /// Inputs that both have, and that are equal.
    pub(super) equal: usize,
    /// Frames that the record does not hold.
    pub(super) unrecorded: usize,
}

/// The first input that the record and the world do not share.
#[derive(Clone, Debug, PartialEq)]
pub struct InputDifference {
    /// When.
    pub at: MonoTime,
    /// What the record says; none if it says nothing then.
    pub record: Option<Input>,
    /// What this build's world says; none if it says nothing then.
    pub world: Option<Input>,
}

/// A run up to the moment of comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    /// Its record.
    pub(super) entries: &'a [Entry],
    /// How many inputs come before what this run, at that moment, does and the other does not. What follows in the same
    /// moment may answer that. None if it does nothing of the kind.
    pub(super) told: Option<usize>,
}

/// Compares the inputs up to a moment, that one included. `answers`: whether both asked the same queries, so that the
/// named signals are to be equal as well.
pub(super) fn agreeing_inputs(
    record: Stretch<'_>,
    world: Stretch<'_>,
    until: MonoTime,
    answers: bool,
) -> Result<Compared, Box<InputDifference>> {
    let (left, right) = (Heard::of(record, until, answers), Heard::of(world, until, answers));
    let first = (0..left.told.len().max(right.told.len())).find_map(|n| {
        let (l, r) = (left.told.get(n), right.told.get(n));
        let equal = match (l, r) {
            (Some(l), Some(r)) => same(l, r),
            // After it acted, a run hears of other things than one that did not.
            (None, Some((at, _))) => record.told.is_some() && *at == until,
            (Some((at, _)), None) => world.told.is_some() && *at == until,
            (None, None) => true,
        };
        (!equal).then(|| (earlier(l, r), l.cloned(), r.cloned()))
    });
    let mut compared = Compared { equal: left.told.len().min(right.told.len()), unrecorded: 0 };
    let mut differing = None;
    for (at, frame) in &right.frames {
        match left.frames.get(at) {
            None => compared.unrecorded += 1,
            Some(recorded) if same(recorded, frame) => compared.equal += 1,
            Some(recorded) => {
                differing = Some((*at, Some(recorded.clone()), Some(frame.clone())));
                break;
            }
        }
    }
    match first.into_iter().chain(differing).min_by_key(|(at, ..)| *at) {
        None => Ok(compared),
        Some((at, record, world)) => {
            let input = |told: Option<Told>| told.map(|(_, input)| input);
            Err(Box::new(InputDifference { at, record: input(record), world: input(world) }))
        }
    }
}

type Told = (MonoTime, Input);

/// What an engine was told.
struct Heard {
    /// Everything but frames, in order.
    told: Vec<Told>,
    /// Frames by the moment of their scrape.
    frames: BTreeMap<MonoTime, Told>,
}

impl Heard {
    fn of(run: Stretch<'_>, until: MonoTime, answers: bool) -> Self {
        let mut heard = Self { told: Vec::new(), frames: BTreeMap::new() };
        let told_max = run.told.unwrap_or(usize::MAX);
        let mut told = 0;
        for entry in run.entries {
            told += usize::from(matches!(entry, Entry::Input(..)));
            if matches!(entry, Entry::Input(_, Input::Paged { .. } | Input::Listed { .. })) {
                // Neither a call for a person nor a look at the service changes anything, so that their answers tell no
                // courses apart.
                continue;
            }
            match entry {
                Entry::Input(at, _) if *at > until => {}
                // Who asks before the first scrape gets an empty frame.
                Entry::Input(_, Input::Collected { frame, .. }) if frame.at == MonoTime::ZERO => {}
                // A scrape precedes all that is done in its moment.
                Entry::Input(_, Input::Collected { service, frame }) => {
                    let frame = if answers { frame.clone() } else { unanswered(frame) };
                    let at = frame.at;
                    heard.frames.insert(at, (at, Input::Collected { service: service.clone(), frame }));
                }
                Entry::Input(..) if told > told_max => {}
                Entry::Input(at, input) => heard.told.push((*at, input.clone())),
                Entry::Header(_)
                | Entry::Woken(_)
                | Entry::Journal(..)
                | Entry::Truth(..)
                | Entry::End(_) => {}
            }
        }
        heard
    }
}

/// A frame without what was asked for in words.
fn unanswered(frame: &Frame) -> Arc<Frame> {
    Arc::new(Frame { signals: SignalTable::default(), queries: Vec::new(), ..frame.clone() })
}

fn earlier(left: Option<&Told>, right: Option<&Told>) -> MonoTime {
    left.into_iter().chain(right).map(|(at, _)| *at).min().unwrap_or_default()
}

/// Equality by text where plain equality fails, because NaN does not equal itself.
fn same(left: &Told, right: &Told) -> bool {
    let text = |told: &Told| {
        let mut out = Vec::new();
        encode_line(0, &Entry::Input(told.0, told.1.clone()), &mut out).map(|()| out).ok()
    };
    left == right || text(left).is_some_and(|words| text(right) == Some(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_domain::id::ServiceId;
    use backspin_domain::service::RolloutState;
    use backspin_domain::time::Millis;

    fn service() -> ServiceId {
        ServiceId::new("checkout").expect("a valid name")
    }

    fn frame(told_s: u64, scraped_s: u64, interval_s: u64) -> Entry {
        let at = |s| MonoTime(Millis::from_secs(s).0);
        let interval = Millis::from_secs(interval_s);
        let frame = Arc::new(Frame { at: at(scraped_s), interval, ..Frame::default() });
        Entry::Input(at(told_s), Input::Collected { service: service(), frame })
    }

    fn complete(at_s: u64) -> Entry {
        let input = Input::RolloutChanged { service: service(), state: RolloutState::Complete };
        Entry::Input(MonoTime(Millis::from_secs(at_s).0), input)
    }

    #[track_caller]
    fn check(record: &[Entry], world: &[Entry], expected: Result<(usize, usize), u64>) {
        let until = MonoTime(Millis::from_secs(60).0);
        let whole = |entries| Stretch { entries, told: None };
        let found = agreeing_inputs(whole(record), whole(world), until, true)
            .map(|compared| (compared.equal, compared.unrecorded))
            .map_err(|difference| difference.at.0 / 1000);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_frame_counts_by_its_scrape_whenever_it_was_asked_for() {
        check(&[frame(15, 15, 15)], &[frame(20, 15, 15)], Ok((1, 0)));
        check(&[frame(15, 15, 15)], &[frame(15, 15, 15), frame(20, 15, 15)], Ok((1, 0)));
    }

    #[test]
    fn a_frame_that_nobody_asked_for_then_is_counted_apart() {
        check(&[frame(30, 30, 15)], &[frame(15, 15, 15), frame(30, 30, 15)], Ok((1, 1)));
        check(&[frame(15, 15, 15), frame(30, 30, 15)], &[frame(30, 30, 15)], Ok((1, 0)));
    }

    #[test]
    fn the_first_input_that_differs_is_found() {
        check(&[frame(15, 15, 15), complete(20)], &[frame(15, 15, 14), complete(25)], Err(15));
        check(&[complete(20)], &[complete(25)], Err(20));
        check(&[complete(20)], &[], Err(20));
        check(&[], &[complete(20)], Err(20));
    }

    #[test]
    fn what_comes_after_the_moment_does_not_matter() {
        check(&[complete(20)], &[complete(20), complete(61), frame(75, 75, 15)], Ok((1, 0)));
        check(&[complete(60)], &[], Err(60));
    }

    #[test]
    fn what_answers_an_act_of_the_moment_does_not_matter() {
        let until = MonoTime(Millis::from_secs(20).0);
        let check = |record: (&[Entry], Option<usize>), world: (&[Entry], Option<usize>)| {
            let stretch = |(entries, told)| Stretch { entries, told };
            agreeing_inputs(stretch(record), stretch(world), until, true).is_ok()
        };
        let (short, long) = ([complete(15)], [complete(15), complete(20)]);
        assert!(check((&long, Some(1)), (&short, None)), "the answer to what the record did");
        assert!(check((&short, None), (&long, Some(1))), "the answer to what the other did");
        assert!(check((&short, Some(1)), (&long, None)), "what the record heard after it acted");
        assert!(!check((&long, Some(2)), (&short, None)), "what made the record act");
        assert!(!check((&short, None), (&long, Some(2))), "what made the other act");
    }
}
