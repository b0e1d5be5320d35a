//! Deploys as CSV: `service,time,version`, and where they are known `outcome`, `ended`, `onset`, `pod_hash`.

use std::ops::Range;

use csv::StringRecord;

use super::{BAD_MOMENT, BAD_WORD, Deploys, INCOMPLETE, Outcome, PastDeploy, moment};
use backspin_domain::id::ServiceId;
use backspin_domain::time::WallTime;
use backspin_policy::document::nearest::nearest;
use backspin_policy::document::shape::{BAD_NAME, DUPLICATE, PROBLEMS_MAX, UNKNOWN_FIELD};
use backspin_policy::document::{Problem, Source};

/// All columns; the first three must be there.
const COLUMNS: [&str; 7] = ["service", "time", "version", "outcome", "ended", "onset", "pod_hash"];

/// How many of [`COLUMNS`] must be there.
const NEEDED: usize = 3;

/// Not CSV.
const SYNTAX: u16 = 4;

/// By column of ours, its place in the file.
type Places = [Option<usize>; COLUMNS.len()];

pub(super) fn read(source: &Source) -> Result<Deploys, Vec<Problem>> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(source.text.as_bytes());
    let head = reader.headers().map_err(|error| vec![broken(source, &error)])?.clone();
    let places = columns(source, &head)?;
    let mut problems = Vec::new();
    let mut found = Deploys::default();
    for row in reader.into_records() {
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
        match row {
            Ok(row) => found.list.extend(deploy(source, &row, &places, head.len(), &mut problems)),
            Err(error) => problems.push(broken(source, &error)),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn broken(source: &Source, error: &csv::Error) -> Problem {
    let at = error.position().map_or(0, |place| place.byte() as usize);
    source.problem(SYNTAX, at..at, format!("this is no CSV: {error}"))
}

fn columns(source: &Source, head: &StringRecord) -> Result<Places, Vec<Problem>> {
    let mut places = Places::default();
    let mut problems = Vec::new();
    for (place, name) in head.iter().enumerate() {
        let at = source.text.find(name).unwrap_or(0);
        match COLUMNS.iter().position(|known| *known == name) {
            Some(known) if places[known].is_some() => {
                problems.push(source.problem(
                    DUPLICATE,
                    at..at + name.len(),
                    format!("column `{name}` is there twice"),
                ));
            }
            Some(known) => places[known] = Some(place),
            None => {
                let problem = source.problem(
                    UNKNOWN_FIELD,
                    at..at + name.len(),
                    format!("unknown column `{name}`; columns are `{}`", COLUMNS.join("`, `")),
                );
                problems.push(match nearest(name, COLUMNS) {
                    Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
        }
    }
    for (name, place) in COLUMNS.iter().zip(places).take(NEEDED) {
        if place.is_none() {
            // Where the head ends, so that a column whose name is misspelt is told of first.
            let end = source.text.find('\n').unwrap_or(source.text.len());
            problems.push(source.problem(INCOMPLETE, end..end, format!("there is no column `{name}`")));
        }
    }
    if problems.is_empty() { Ok(places) } else { Err(problems) }
}

/// One row; none if something is wrong with it.
fn deploy(
    source: &Source,
    row: &StringRecord,
    places: &Places,
    columns: usize,
    problems: &mut Vec<Problem>,
) -> Option<PastDeploy> {
    let start = row.position().map_or(0, |place| place.byte() as usize);
    let line = line(source, start);
    let before = problems.len();
    let mut wrong = |number: u16, text: &str, words: String| {
        problems.push(source.problem(number, place(source, &line, text), words));
    };
    if row.len() != columns {
        wrong(INCOMPLETE, "", format!("{} fields where the head has {columns}", row.len()));
        return None;
    }
    let get = |column: usize| places[column].and_then(|place| row.get(place)).unwrap_or_default();
    let [service, time, version, outcome, ended, onset, pod_hash] = std::array::from_fn(get);
    let service = ServiceId::new(service).map_err(|error| wrong(BAD_NAME, service, error.to_string())).ok();
    if version.is_empty() {
        wrong(INCOMPLETE, "", "`version` is empty".to_owned());
    }
    let read = Outcome::read(outcome);
    if read.is_none() {
        wrong(BAD_WORD, outcome, format!("outcome must be `good`, `bad` or `unknown`, got `{outcome}`"));
    }
    let mut time_of = |name: &str, text: &str| {
        let at = moment(text);
        if at.is_none() {
            wrong(
                BAD_MOMENT,
                text,
                format!(
                    "`{name}` is no moment: `{text}`; write `2026-11-03T14:05:00Z` or seconds since 1970"
                ),
            );
        }
        at
    };
    let at = time_of("time", time);
    let ended = if ended.is_empty() { None } else { time_of("ended", ended) };
    let onset = if onset.is_empty() { None } else { time_of("onset", onset) };
    let order = |name: &str, other: Option<WallTime>| {
        at.zip(other).filter(|(at, other)| other < at).map(|_| name.to_owned())
    };
    for name in [order("ended", ended), order("onset", onset)].into_iter().flatten() {
        wrong(BAD_MOMENT, "", format!("`{name}` is before `time`"));
    }
    if read == Some(Outcome::Good) && onset.is_some() {
        wrong(BAD_WORD, "", "a good deploy has no `onset`".to_owned());
    }
    if problems.len() > before {
        return None;
    }
    Some(PastDeploy {
        at: at?,
        service: service?,
        version: version.to_owned(),
        pod_hash: Some(pod_hash.to_owned()).filter(|hash| !hash.is_empty()),
        ended,
        onset,
        outcome: read?,
        note: String::new(),
        place: format!("{}:{}", source.name, source.text[..line.start].matches('\n').count() + 1),
    })
}

/// The line that begins at this byte, or after the empty ones and the remarks there.
fn line(source: &Source, mut start: usize) -> Range<usize> {
    loop {
        let rest = source.text.get(start..).unwrap_or_default();
        start += rest.len() - rest.trim_start().len();
        let remark = rest.trim_start().strip_prefix('#').and_then(|remark| remark.find('\n'));
        let Some(length) = remark else { break };
        start += length + 1;
    }
    let end =
        source.text.get(start..).and_then(|rest| rest.find('\n')).map_or(source.text.len(), |n| start + n);
    start.min(end)..end
}

/// Where a text stands in a line; the whole line if it is not to be found.
fn place(source: &Source, line: &Range<usize>, text: &str) -> Range<usize> {
    let within = source.text.get(line.clone()).unwrap_or_default();
    let found = within.find(text).filter(|_| !text.is_empty());
    found.map_or(line.clone(), |at| line.start + at..line.start + at + text.len())
}
