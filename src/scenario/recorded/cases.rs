//! A source's `cases.json`. JSON is YAML, so it is read like every other file of ours: every problem at once,
//! each with its place.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::{self, Place, Table};
use super::{Recorded, RecordedCase, Rule};
use backspin_domain::event::DecisionKind;
use backspin_domain::expectation::{Expectation, Never};
use backspin_domain::id::ServiceId;
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::document::source::YAML_BYTES_MAX;
use backspin_policy::document::{self, Document, FileKind, Level, Name, Problem, Problems, Source, Step};

/// The list's file name.
pub(super) const LIST: &str = "cases.json";

/// What stands in the list.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CasesFile {
    /// The licence of all cases.
    #[schemars(length(min = 1))]
    licence: String,
    /// Where the data was taken from.
    origin: String,
    /// Which state of it.
    #[serde(default)]
    commit: Option<String>,
    /// The licence's text, beside the list.
    #[serde(default)]
    licence_file: Option<String>,
    /// The source's name.
    #[schemars(with = "Name")]
    source: ServiceId,
    /// How many cases are bad.
    #[serde(default)]
    bad: Option<u32>,
    /// How many are good.
    #[serde(default)]
    good: Option<u32>,
    /// The cases.
    #[schemars(length(min = 1))]
    cases: Vec<CaseEntry>,
}

/// One case.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CaseEntry {
    /// Its name.
    #[schemars(length(min = 1))]
    id: String,
    /// The source's name, again.
    #[serde(default)]
    source: Option<String>,
    /// The licence of this case, if it has its own.
    #[serde(default)]
    licence: Option<String>,
    /// Whom to name.
    #[schemars(length(min = 1))]
    attribution: String,
    /// The table's file name.
    #[schemars(length(min = 1))]
    file: String,
    /// What experts say of it.
    label: Label,
    /// The kind of fault.
    #[serde(default = "no_fault")]
    fault_type: String,
    /// When the change went live, seconds from the table's start.
    #[schemars(range(min = 0.0, max = 1e9))]
    change_s: f64,
    /// First harm, seconds from the table's start.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e9))]
    onset_s: Option<f64>,
    /// End of the fault, where it is known.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e9))]
    fault_end_s: Option<f64>,
    /// How long after the change a verdict is scored, seconds.
    #[schemars(range(max = 1e9), extend("exclusiveMinimum" = 0))]
    horizon_s: f64,
    /// Time between samples, seconds.
    #[schemars(range(max = 1e7), extend("exclusiveMinimum" = 0))]
    sampling_period_s: f64,
    /// The service that was changed.
    #[schemars(with = "Name")]
    service: ServiceId,
    /// Leading rows that come from another stretch of the recording.
    #[serde(default)]
    spliced_rows: u32,
    /// The series it was cut from.
    #[serde(default)]
    series: Option<String>,
    /// What the fault reached.
    #[serde(default)]
    affected: Option<String>,
    /// Remarks, for people: what it shows.
    #[serde(default)]
    notes: Option<String>,
    /// What did harm beside the change, if anything.
    #[serde(default)]
    cause: Option<Outside>,
    /// When the record's own rollback took the candidate's traffic, seconds from the table's start.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e9))]
    rolled_back_s: Option<f64>,
    /// How fast damage decays that outlives the version, seconds; 0 if the service keeps none.
    #[serde(default = "residual")]
    #[schemars(range(min = 0.0, max = 1e6))]
    residual_s: f64,
    /// The file that tells how it was made, beside the list.
    #[serde(default)]
    provenance: Option<String>,
    /// What is expected of a policy.
    #[serde(default)]
    expect: Option<Expect>,
}

/// What did harm beside the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outside {
    /// Something outside of the deploy.
    External,
}

/// What is expected of a policy. A recording is played once, so this holds for that run.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Any of these final decisions.
    #[schemars(length(min = 1))]
    decision: Vec<DecisionKind>,
    /// What must not happen.
    #[serde(default)]
    never: Vec<Never>,
}

impl Expect {
    fn expectation(&self) -> Expectation {
        Expectation {
            decision: self.decision.clone(),
            target: None,
            strategy: None,
            time_to_detect_max: None,
            time_to_mitigate_max: None,
            never: self.never.clone(),
            // One run of a record that cannot be drawn again: its interval says nothing, so none is asked for.
            share_min: 1.0,
            lower_min: 0.0,
        }
    }
}

/// Decision science, section 6: where nobody knows, one minute.
fn residual() -> f64 {
    60.0
}

fn no_fault() -> String {
    "none".to_owned()
}

/// What experts say of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Label {
    /// Users were harmed.
    Bad,
    /// They were not.
    Good,
}

/// Reads one source: its list and every table in it.
pub(super) fn read_folder(folder: &Path) -> Result<Recorded, Problems> {
    let source = Source::open(FileKind::Recorded, &folder.join(LIST), YAML_BYTES_MAX)?;
    read(&source, &|file| Place::File(folder.join(file)))
}

/// The same from a list and a way to its tables.
pub(super) fn read(source: &Source, place: &dyn Fn(&str) -> Place) -> Result<Recorded, Problems> {
    let document = document::read::<CasesFile>(source).map_err(|list| source.fail(list))?;
    let mut reader = Reader { source, document: &document, problems: Vec::new() };
    let mut recorded = Recorded::default();
    reader.list();
    for n in 0..document.value.cases.len() {
        if let Some(case) = reader.case(n, place) {
            recorded.cases.push(case);
        }
    }
    let (errors, warnings): (Vec<_>, Vec<_>) =
        reader.problems.into_iter().partition(|p| p.level == Level::Error);
    recorded.warnings = warnings;
    if errors.is_empty() { Ok(recorded) } else { Err(source.fail(errors)) }
}

struct Reader<'a> {
    source: &'a Source,
    document: &'a Document<CasesFile>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&self, rule: Rule, path: &[Step<'_>], message: impl Into<String>) -> Problem {
        let span = self.document.root.at(path).span.clone();
        self.source.problem(rule as u16, span, message)
    }

    fn list(&mut self) {
        let file = &self.document.value;
        let mut seen = BTreeSet::new();
        for (n, case) in file.cases.iter().enumerate() {
            let field = |name| [Step::Field("cases"), Step::Item(n), Step::Field(name)];
            if !seen.insert(&case.id) {
                let found =
                    self.problem(Rule::CaseList, &field("id"), format!("case `{}` is listed twice", case.id));
                self.problems.push(found);
            }
            if case.source.as_deref().is_some_and(|name| name != file.source.as_str()) {
                let message = format!("a case of `{}` is of that source", file.source);
                let found = self.problem(Rule::CaseList, &field("source"), message);
                self.problems.push(found);
            }
        }
        for (name, label, stated) in [("bad", Label::Bad, file.bad), ("good", Label::Good, file.good)] {
            let counted = file.cases.iter().filter(|case| case.label == label).count();
            if stated.is_some_and(|stated| stated as usize != counted) {
                let message = format!("the list has {counted} {name} cases, got {}", stated.unwrap_or(0));
                let found = self.problem(Rule::CaseList, &[Step::Field(name)], message);
                self.problems.push(found);
            }
        }
    }

    fn case(&mut self, n: usize, place: &dyn Fn(&str) -> Place) -> Option<RecordedCase> {
        let document = self.document;
        let entry = &document.value.cases[n];
        let field = |name| [Step::Field("cases"), Step::Item(n), Step::Field(name)];
        match (entry.label, entry.onset_s) {
            (Label::Bad, None) => {
                let found =
                    self.problem(Rule::LabelContradicts, &field("label"), "a bad case needs an `onset_s`");
                self.problems.push(found);
            }
            (Label::Good, Some(_)) => {
                let found =
                    self.problem(Rule::LabelContradicts, &field("onset_s"), "a good case has no onset");
                self.problems.push(found.with_hint("write `null`"));
            }
            (Label::Bad, Some(_)) | (Label::Good, None) => {}
        }
        let mut parts = Path::new(&entry.file).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            let message = format!("`file` must be a plain name in the source's folder, got `{}`", entry.file);
            let found = self.problem(Rule::FileName, &field("file"), message);
            self.problems.push(found);
            return None;
        }
        let place = place(&entry.file);
        let period = millis(entry.sampling_period_s).max(1);
        let table = match table::check(&place, Millis(period)) {
            Ok(table) => table,
            Err(problems) => {
                self.problems.extend(problems);
                return None;
            }
        };
        self.moments(n, &table);
        let change = MonoTime(millis(entry.change_s));
        self.problems.extend(table.warnings);
        Some(RecordedCase {
            id: entry.id.clone(),
            source: document.value.source.to_string(),
            family: entry.fault_type.clone(),
            shows: entry.notes.clone().unwrap_or_default(),
            bad: entry.label == Label::Bad,
            external: entry.cause == Some(Outside::External),
            change,
            onset: entry.onset_s.map(|s| MonoTime(millis(s))),
            service: entry.service.clone(),
            watch: Millis(millis(entry.horizon_s)).min(table.last.since(change)),
            period: Millis(period),
            end: table.last,
            spliced_rows: entry.spliced_rows,
            attribution: entry.attribution.clone(),
            licence: entry.licence.clone().unwrap_or_else(|| document.value.licence.clone()),
            origin: document.value.origin.clone(),
            columns: table.columns,
            rolled_back: entry.rolled_back_s.map(|s| MonoTime(millis(s))),
            residual: Millis(millis(entry.residual_s)),
            expect: entry.expect.as_ref().map(Expect::expectation),
            place,
        })
    }

    /// Change and onset lie within the table; the horizon may end after it, and is then cut.
    fn moments(&mut self, n: usize, table: &Table) {
        let document = self.document;
        let entry = &document.value.cases[n];
        let field = |name| [Step::Field("cases"), Step::Item(n), Step::Field(name)];
        let (first, last) = (table.first.as_secs_f64(), table.last.as_secs_f64());
        for (name, at) in [
            ("change_s", Some(entry.change_s)),
            ("onset_s", entry.onset_s),
            ("rolled_back_s", entry.rolled_back_s),
        ] {
            let Some(at) = at.filter(|at| !(first..last).contains(at)) else { continue };
            let message = format!("`{name}` must lie within the record from {first} s to {last} s, got {at}");
            let found = self.problem(Rule::OutsideRecord, &field(name), message);
            self.problems.push(found);
        }
        if let Some(onset) = entry.onset_s.filter(|onset| *onset < entry.change_s) {
            let message =
                format!("`onset_s` must not be before `change_s` of {}, got {onset}", entry.change_s);
            let found = self.problem(Rule::OutsideRecord, &field("onset_s"), message);
            self.problems.push(found.with_hint("harm from before the change is not the change's"));
        }
        if entry.change_s < last && entry.change_s + entry.horizon_s > last + entry.sampling_period_s {
            let message = format!(
                "`horizon_s` of {} reaches beyond the record's end at {last} s; `{}` is watched until there",
                entry.horizon_s, entry.id
            );
            let found = self.problem(Rule::WatchCut, &field("horizon_s"), message);
            self.problems.push(found.as_warning());
        }
    }
}

/// Whole milliseconds of a number of seconds that was checked to be small and positive.
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}
