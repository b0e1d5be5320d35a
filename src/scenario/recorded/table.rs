//! A case's table: one pass over it as a stream, which finds everything that is wrong with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use csv::ByteRecord;

use super::Rule;
use super::arms::{self, ArmColumn, ArmName};
use backspin_domain::signal::{CustomSignal, Worse};
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::document::node::shortened;
use backspin_policy::document::source::{NOT_TEXT, TOO_LARGE, UNREADABLE, unplaced};
use backspin_policy::document::{FileKind, Level, Problem};

/// Largest table, bytes. A year of minutes with ten columns has 40 MB.
pub const CSV_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most columns.
const COLUMNS_MAX: usize = 4096;

/// Longest gap between two rows, in sampling periods. What is missing in between is shown to judges as missing
/// scrapes, so its number must be bounded.
pub(super) const GAP_MAX: u64 = 1000;

/// Problems of one table that are reported before it is given up.
const PROBLEMS_MAX: usize = 50;

/// The column of time.
const TIME: &str = "t_seconds";

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// When the row was complete, seconds.
    Time,
    /// Share of the entry service's requests that failed.
    ErrorRatio,
    /// Its 99th percentile, ms.
    LatencyP99,
    /// Its requests per second.
    Throughput,
    /// Its processor use, percent; of one core where no limit is recorded, so it may exceed 100.
    Cpu,
    /// Its memory use, percent of the limit.
    Memory,
    /// Share of traffic that the candidate is configured to get, `0..=1`.
    Share,
    /// A count or gauge of one arm.
    Arm(ArmName, ArmColumn),
    /// Anything else: the next user-defined signal.
    Custom,
}

/// What a table's columns are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// In the table's order.
    pub(super) kinds: Vec<Column>,
    /// Those that have no place in a frame's named signals, in the order of `Frame::queries`.
    pub custom: Vec<CustomSignal>,
    /// Whether requests and errors can be counted.
    pub(super) counts: bool,
    /// Whether both arms are recorded apart.
    pub(super) arms: bool,
    /// Whether the candidate's share is.
    pub(super) share: bool,
}

impl Columns {
    /// Whether stable and candidate are recorded apart.
    pub const fn has_arms(&self) -> bool {
        self.arms
    }

    /// Whether the candidate's share of traffic is recorded.
    pub const fn has_share(&self) -> bool {
        self.share
    }
}

/// What one pass over a table found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) columns: Columns,
    pub(super) first: MonoTime,
    pub(super) last: MonoTime,
    pub(super) warnings: Vec<Problem>,
}

/// A row's numbers by column; none for an empty field.
pub(super) type Row = Vec<Option<f64>>;

/// Where a table's bytes are.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// In the binary, under this name.
    Shipped(String, Arc<[u8]>),
}

impl Place {
    /// What it is called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Shipped(name, _) => name.clone(),
        }
    }
}

/// A table's bytes as a stream.
pub(super) type Bytes = Box<dyn Read + Send>;

/// Opens a table for reading row by row.
pub(super) fn open(place: &Place) -> Result<csv::Reader<Bytes>, Problem> {
    let bytes: Bytes = match place {
        Place::File(path) => Box::new(file(path)?),
        Place::Shipped(_, bytes) => Box::new(Cursor::new(bytes.clone())),
    };
    Ok(csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes))
}

fn file(path: &Path) -> Result<File, Problem> {
    let name = path.display().to_string();
    let fail = |number, message| unplaced(FileKind::Recorded, number, &name, message);
    let missing =
        |_| fail(UNREADABLE, format!("cannot read the table `{name}`: no such file, or no permission"));
    let file = File::open(path).map_err(missing)?;
    let about = file.metadata().map_err(missing)?;
    if !about.is_file() {
        return Err(fail(UNREADABLE, format!("`{name}` is not a file")));
    }
    if about.len() > CSV_BYTES_MAX {
        let message = format!("table has {} bytes, at most {CSV_BYTES_MAX} are read", about.len());
        return Err(fail(TOO_LARGE, message));
    }
    Ok(file)
}

/// Checks a whole table.
pub(super) fn check(place: &Place, period: Millis) -> Result<Table, Vec<Problem>> {
    let mut reader = open(place).map_err(|problem| vec![problem])?;
    let mut pass = Pass { name: place.name(), problems: Vec::new() };
    let mut record = ByteRecord::new();
    let mut columns = None;
    let mut row = Row::new();
    let mut span: Option<(MonoTime, MonoTime)> = None;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                pass.problems.push(unplaced(FileKind::Recorded, UNREADABLE, &pass.name, error.to_string()));
                break;
            }
        }
        let Some(columns) = &columns else {
            columns = Some(pass.header(&record));
            if pass.errors() > 0 {
                return Err(pass.problems);
            }
            continue;
        };
        pass.row(&record, columns, &mut row);
        if let Some(at) = time_of(columns, &row) {
            pass.time(&record, span.map(|(_, last)| last), at, period);
            span = Some((span.map_or(at, |(first, _)| first), at));
        }
        if pass.problems.len() >= PROBLEMS_MAX && pass.errors() >= PROBLEMS_MAX {
            break;
        }
    }
    if span.is_none() && pass.errors() == 0 {
        let message = "a table needs a header and at least one row";
        pass.problems.push(unplaced(
            FileKind::Recorded,
            Rule::EmptyTable as u16,
            &pass.name,
            message.to_owned(),
        ));
    }
    match (columns, span) {
        (Some(columns), Some((first, last))) if pass.errors() == 0 => {
            Ok(Table { columns, first, last, warnings: pass.problems })
        }
        _ => Err(pass.problems),
    }
}

/// The moment at which a row was complete.
pub(super) fn time_of(columns: &Columns, row: &Row) -> Option<MonoTime> {
    let place = columns.kinds.iter().position(|kind| *kind == Column::Time)?;
    let seconds = row.get(place).copied().flatten().filter(|s| (0.0..=1e9).contains(s))?;
    Some(MonoTime((seconds * 1000.0).round() as u64))
}

/// A field's number: none when it is empty, an error when it is not a finite number.
pub(super) fn number(field: &[u8]) -> Result<Option<f64>, ()> {
    let text = std::str::from_utf8(field).map_err(|_| ())?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Some).ok_or(())
}

struct Pass {
    name: String,
    problems: Vec<Problem>,
}

impl Pass {
    fn errors(&self) -> usize {
        self.problems.iter().filter(|p| p.level == Level::Error).count()
    }

    /// A problem at a field, or at the row for a field that is not there. Columns are exact unless fields
    /// are quoted.
    fn report(&mut self, record: &ByteRecord, field: usize, number: u16, message: String) -> &mut Problem {
        let place = record.range(field).map_or(0..0, |range| range.start + field..range.end + field);
        let mut problem = unplaced(FileKind::Recorded, number, &self.name, message);
        let (byte, line) = record.position().map_or((0, 1), |at| (at.byte() as usize, at.line() as usize));
        problem.span = Some(byte + place.start..byte + place.end);
        (problem.line, problem.column) = (line, place.start + 1);
        self.problems.push(problem);
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn header(&mut self, record: &ByteRecord) -> Columns {
        let mut columns = Columns::default();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        if record.len() > COLUMNS_MAX {
            let message = format!("a table has at most {COLUMNS_MAX} columns, got {}", record.len());
            self.report(record, COLUMNS_MAX, Rule::RowLength as u16, message);
            return columns;
        }
        for (n, field) in record.iter().enumerate() {
            let Ok(name) = std::str::from_utf8(field) else {
                self.report(record, n, NOT_TEXT, "a column's name is not UTF-8".to_owned());
                continue;
            };
            let name = name.trim_start_matches('\u{feff}').trim();
            let kind = kind(name);
            let times = seen.entry(name.to_owned()).and_modify(|n| *n += 1).or_insert(1);
            let times = *times;
            if times > 1 {
                let message = format!("column `{}` is there twice", shortened(name));
                let found = self.report(record, n, Rule::DuplicateColumn as u16, message);
                if kind == Column::Custom {
                    *found = found.clone().as_warning().with_hint(format!("taken as `{name}#{times}`"));
                }
            }
            if kind == Column::Custom {
                let name = if times > 1 { format!("{name}#{times}") } else { name.to_owned() };
                let worse = worse(&name);
                columns.custom.push(CustomSignal { name, worse, threshold: None, weight: 0.0 });
            }
            columns.kinds.push(kind);
        }
        if !columns.kinds.contains(&Column::Time) {
            let message = format!("there is no column `{TIME}`");
            self.report(record, 0, Rule::MissingColumn as u16, message);
        } else if columns.kinds.len() < 2 {
            let message = format!("there is no column beside `{TIME}`");
            self.report(record, 0, Rule::MissingColumn as u16, message);
        }
        let has = |kind| columns.kinds.contains(&kind);
        columns.counts = has(Column::ErrorRatio) && has(Column::Throughput);
        columns.share = has(Column::Share);
        columns.arms = columns.share
            && [ArmName::Stable, ArmName::Candidate].iter().all(|arm| {
                [ArmColumn::Requests, ArmColumn::Errors].iter().all(|column| has(Column::Arm(*arm, *column)))
            });
        if !columns.arms && columns.kinds.iter().any(|kind| matches!(kind, Column::Arm(..))) {
            let message = "arms need `candidate_share`, and `requests` and `errors` of both";
            self.report(record, 0, Rule::MissingColumn as u16, message.to_owned());
        }
        columns
    }

    /// Reads a row into `row` and reports what is wrong with it.
    fn row(&mut self, record: &ByteRecord, columns: &Columns, row: &mut Row) {
        row.clear();
        if record.len() != columns.kinds.len() {
            let message =
                format!("a row needs {} fields as the header has, got {}", columns.kinds.len(), record.len());
            self.report(record, 0, Rule::RowLength as u16, message);
        }
        let mut custom = columns.custom.iter();
        for (n, (field, kind)) in record.iter().zip(&columns.kinds).enumerate() {
            let signal = if *kind == Column::Custom { custom.next() } else { None };
            let Ok(value) = number(field) else {
                let found = shortened(&String::from_utf8_lossy(field));
                let message = format!("a field must be a finite number or empty, got `{found}`");
                let problem = self.report(record, n, Rule::NotANumber as u16, message);
                problem.hint = Some("leave the field empty where nothing was recorded".to_owned());
                row.push(None);
                continue;
            };
            row.push(value);
            let Some(value) = value else {
                if *kind == Column::Time {
                    self.report(record, n, Rule::NotANumber as u16, format!("`{TIME}` must not be empty"));
                }
                continue;
            };
            let ratio = matches!(kind, Column::ErrorRatio | Column::Share)
                || signal.is_some_and(|signal| base(&signal.name).ends_with("__error_rate"));
            if ratio && !(0.0..=1.0).contains(&value) {
                let what = if *kind == Column::Share { "a share" } else { "an error rate" };
                let message = format!("{what} must be between 0 and 1, got {value}");
                let problem = self.report(record, n, Rule::RatioRange as u16, message);
                if value > 1.0 && value <= 100.0 {
                    problem.hint = Some(format!("write `{}`; a ratio is not a percentage", value / 100.0));
                }
            } else if value < 0.0 && (*kind != Column::Custom || signal.is_some_and(|s| s.worse.is_some())) {
                let message = format!("this column cannot be negative, got {value}");
                self.report(record, n, Rule::Negative as u16, message);
            }
        }
    }

    fn time(&mut self, record: &ByteRecord, last: Option<MonoTime>, at: MonoTime, period: Millis) {
        let Some(last) = last else { return };
        if at <= last {
            let message = format!(
                "time must rise from row to row, got {} s after {} s",
                at.as_secs_f64(),
                last.as_secs_f64()
            );
            self.report(record, 0, Rule::TimeNotRising as u16, message);
        } else if at.since(last).0 / period.0 > GAP_MAX {
            let message =
                format!("a gap is at most {GAP_MAX} sampling periods of {period}, got {}", at.since(last));
            self.report(record, 0, Rule::GapTooLong as u16, message);
        }
    }
}

fn kind(name: &str) -> Column {
    match name {
        TIME => Column::Time,
        "error_rate" => Column::ErrorRatio,
        "latency_p99_ms" => Column::LatencyP99,
        "requests_per_second" => Column::Throughput,
        "cpu_percent" => Column::Cpu,
        "memory_percent" => Column::Memory,
        "candidate_share" => Column::Share,
        _ => arms::column(name).map_or(Column::Custom, |(arm, column)| Column::Arm(arm, column)),
    }
}

/// A column's name without the number that tells doubles apart.
fn base(name: &str) -> &str {
    name.split('#').next().unwrap_or(name)
}

/// Which way of a column is worse, where its name says so.
fn worse(name: &str) -> Option<Worse> {
    let name = base(name);
    let metric = name.rsplit("__").next().unwrap_or(name);
    let latency = metric.starts_with("latency_") && metric.ends_with("_ms");
    (latency || matches!(metric, "error_rate" | "cpu_percent" | "memory_percent")).then_some(Worse::Higher)
}
