//! The report's folder: whole or not at all, and never in place of something else.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::model::{CampaignReport, Shown};
use super::summary::Summary;
use super::{files, html, json};
use backspin_domain::entry::Entry;
use backspin_record::write_record;

/// The file that tells a folder of ours from any other.
pub const MARKER: &str = ".backspin-report";

/// The figures for programs, inside a report.
const JSON: &str = "report.json";

/// The folder of records inside a report.
const RECORDS: &str = "records";

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The figures.
    pub json: PathBuf,
    /// The same as tables in Markdown.
    pub markdown: PathBuf,
    /// The same, a row per group and judge.
    pub csv: PathBuf,
    /// The records of the runs that are shown, in their order.
    pub records: Vec<PathBuf>,
}

/// Writes the report into `dir`, which is made if it is missing and replaced if it is a report already. Everything
/// is rendered and written to a folder beside it first; then that takes its name.
pub fn write(dir: &Path, report: &CampaignReport) -> Result<Written, ReportError> {
    may_write(dir)?;
    let summary = Summary::of(report);
    let page = html::render(report, &summary)?;
    let texts = [
        ("figures.md", files::markdown(report, &summary)),
        ("figures.csv", files::csv(&summary).map_err(ReportError::Csv)?),
        ("index.html", page),
    ];
    let records = record_names(report);
    whole(dir, &texts, |partial| {
        write_json(&partial.join(JSON), report, &summary)?;
        keep_records(partial, report, &records)
    })?;
    Ok(Written {
        html: dir.join("index.html"),
        json: dir.join(JSON),
        markdown: dir.join("figures.md"),
        csv: dir.join("figures.csv"),
        records: records.iter().map(|name| dir.join(name)).collect(),
    })
}

/// Writes texts by name, and whatever `more` writes, to a folder beside `dir`; then that takes its name.
pub(super) fn whole(
    dir: &Path,
    texts: &[(&str, String)],
    more: impl FnOnce(&Path) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let name = may_write(dir)?;
    let beside = |ending: &str| {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(ending);
        dir.with_file_name(hidden)
    };
    let (partial, old) = (beside(".partial"), beside(".old"));
    let written =
        fill(&partial, texts).and_then(|()| more(&partial)).and_then(|()| replace(&partial, &old, dir));
    if written.is_err() {
        // The error that counts is the first; what is left over is replaced by the next attempt.
        let _ = fs::remove_dir_all(&partial);
    }
    written
}

/// Whether a report may be written there: it is missing, empty or a report. To be asked before the work is done.
pub fn check(dir: &Path) -> Result<(), ReportError> {
    may_write(dir).map(|_| ())
}

/// The folder's own name.
fn may_write(dir: &Path) -> Result<&std::ffi::OsStr, ReportError> {
    let name = dir.file_name().ok_or_else(|| ReportError::NoName { path: dir.to_owned() })?;
    if is_free(dir)? { Ok(name) } else { Err(ReportError::NotOurs { path: dir.to_owned() }) }
}

/// `records/FAMILY-SCENARIO.jsonl` for each run that is shown.
fn record_names(report: &CampaignReport) -> Vec<PathBuf> {
    let name = |shown: &Shown| match shown.entries.first() {
        Some(Entry::Header(header)) => format!("{}-{}.jsonl", header.family, header.scenario),
        _ => "unnamed.jsonl".to_owned(),
    };
    report.shown.iter().map(|shown| Path::new(RECORDS).join(name(shown))).collect()
}

fn write_json(path: &Path, report: &CampaignReport, summary: &Summary<'_>) -> Result<(), ReportError> {
    let failed = |error| ReportError::io(path, error);
    let mut file = BufWriter::new(fs::File::create(path).map_err(failed)?);
    json::write(report, summary, &mut file)
        .map_err(|error| if error.is_io() { failed(error.into()) } else { ReportError::Json(error) })?;
    file.flush().map_err(failed)
}

fn keep_records(partial: &Path, report: &CampaignReport, names: &[PathBuf]) -> Result<(), ReportError> {
    let folder = partial.join(RECORDS);
    fs::create_dir_all(&folder).map_err(|error| ReportError::io(folder, error))?;
    for (shown, name) in report.shown.iter().zip(names) {
        write_record(&partial.join(name), &shown.entries).map_err(ReportError::Record)?;
    }
    Ok(())
}

/// Whether the folder is missing, empty or one of ours.
fn is_free(dir: &Path) -> Result<bool, ReportError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(dir.join(MARKER).is_file() || entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(ReportError::io(dir, error)),
    }
}

fn fill(partial: &Path, texts: &[(&str, String)]) -> Result<(), ReportError> {
    remove(partial)?;
    fs::create_dir_all(partial).map_err(|error| ReportError::io(partial, error))?;
    let marker = "This folder is a report of backspin and is replaced by the next one.\n";
    let texts = texts.iter().map(|(name, text)| (*name, text.as_str()));
    for (name, text) in [(MARKER, marker)].into_iter().chain(texts) {
        let path = partial.join(name);
        fs::write(&path, text).map_err(|error| ReportError::io(path, error))?;
    }
    Ok(())
}

fn replace(partial: &Path, old: &Path, dir: &Path) -> Result<(), ReportError> {
    remove(old)?;
    match fs::rename(dir, old) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(ReportError::io(dir, error)),
    }
    if let Err(error) = fs::rename(partial, dir) {
        // Put back what was there: better the old report than none.
        let _ = fs::rename(old, dir);
        return Err(ReportError::io(dir, error));
    }
    remove(old)
}

fn remove(dir: &Path) -> Result<(), ReportError> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ReportError::io(dir, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> CampaignReport {
        CampaignReport { title: "t".into(), policy_judge: "esr".into(), ..CampaignReport::default() }
    }

    #[test]
    fn a_report_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("deep/latest");
        let first = write(&dir, &report()).expect("written");
        let page = fs::read(&first.html).expect("there");
        fs::write(dir.join("left-over"), "x").expect("written");
        write(&dir, &report()).expect("replaced");
        assert_eq!(fs::read(&first.html).expect("there"), page, "the same bytes");
        assert!(first.json.is_file() && !dir.join("left-over").exists());
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("listed").count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_a_report_is_never_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.txt"), "x").expect("written");
        let error = write(folder.path(), &report()).expect_err("refused");
        assert!(matches!(error, ReportError::NotOurs { .. }), "{error}");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
        let file = folder.path().join("thesis.txt");
        assert!(matches!(write(&file, &report()), Err(ReportError::NotOurs { .. })));
    }

    #[test]
    fn an_empty_folder_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("new");
        fs::create_dir(&dir).expect("made");
        assert!(write(&dir, &report()).is_ok());
    }

    #[test]
    fn errors_say_what_can_be_done() {
        let of = |kind: io::ErrorKind| ReportError::io("out", io::Error::from(kind)).to_string();
        assert_eq!(of(io::ErrorKind::StorageFull), "no space left to write `out`");
        assert_eq!(
            of(io::ErrorKind::ReadOnlyFilesystem),
            "`out` may not be written: read-only or no permission"
        );
        assert!(matches!(write(Path::new("/"), &report()), Err(ReportError::NoName { .. })));
    }
}
