//! Drawing what went wrong: problems of files with their place, everything else in a sentence and a hint.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode,
};

use super::exit::Code;
use crate::policy::document::{Level, Problem, Problems};

/// How a command failed: a code and what to say.
#[derive(Debug)]
pub(super) enum Failure {
    /// Files with problems.
    BadFiles(Problems),
    /// Anything else: a sentence and a hint.
    Other {
        /// The way out.
        code: Code,
        /// What failed, with its causes.
        error: anyhow::Error,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::BadFiles(problems)
    }
}

/// A failure of the environment: a file or folder that cannot be read or written.
pub(super) fn environment(error: impl Into<anyhow::Error>, hint: &str) -> Failure {
    Failure::Other { code: Code::Environment, error: error.into(), hint: Some(hint.to_owned()) }
}

/// Bad input that is not in a file.
pub(super) fn bad_input(error: impl Into<anyhow::Error>, hint: &str) -> Failure {
    Failure::Other { code: Code::BadInput, error: error.into(), hint: Some(hint.to_owned()) }
}

/// What was asked for cannot be done here.
pub(super) fn impossible(error: impl Into<anyhow::Error>, hint: &str) -> Failure {
    Failure::Other { code: Code::Impossible, error: error.into(), hint: Some(hint.to_owned()) }
}

/// A fault of our own.
pub(super) fn fault(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Other {
        code: Code::Fault,
        error: error.into(),
        hint: Some("this is a fault of backspin itself; please report it with the command line".to_owned()),
    }
}

/// Says it on stderr and gives the way out.
#[expect(clippy::print_stderr, reason = "the one place where failures are told")]
pub(super) fn tell(failure: &Failure) -> Code {
    match failure {
        Failure::BadFiles(problems) => {
            for problem in &problems.list {
                eprintln!("{}", draw(problem, problems.text_of(&problem.file)));
            }
            let errors = problems.list.iter().filter(|p| p.level == Level::Error).count();
            eprintln!("{}", counted(errors, "error"));
            Code::BadInput
        }
        Failure::Other { code, error, hint } => {
            eprintln!("error: {error:#}");
            if let Some(hint) = hint {
                eprintln!("\nhint: {hint}");
            }
            *code
        }
    }
}

/// Says on stderr what was taken as it stands; many of a kind are counted, not listed.
#[expect(clippy::print_stderr, reason = "the one place where failures are told")]
pub(super) fn warn(warnings: &[Problem]) {
    for problem in warnings.iter().take(WARNINGS_SHOWN) {
        eprintln!("{problem}");
    }
    if warnings.len() > WARNINGS_SHOWN {
        eprintln!("and {}", counted(warnings.len() - WARNINGS_SHOWN, "more warning"));
    }
}

/// Says on stderr what a result leaves out.
#[expect(clippy::print_stderr, reason = "the one place where failures are told")]
pub(super) fn note(what: &str) {
    eprintln!("note: {what}");
}

/// More warnings than this only get a count.
const WARNINGS_SHOWN: usize = 5;

/// `1 error`, `3 errors`.
pub(super) fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// One problem with the lines around it.
pub(super) fn draw(problem: &Problem, text: Option<&str>) -> String {
    let theme = if colours() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let drawn = Drawn { problem, source: text.map(|t| NamedSource::new(&problem.file, t.to_owned())) };
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(1).with_width(100);
    if text.is_none() || handler.render_report(&mut out, &drawn).is_err() {
        return problem.to_string();
    }
    out.trim_end().to_owned()
}

fn colours() -> bool {
    use std::io::IsTerminal as _;
    std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal()
}

/// A problem in the shape that the drawing library wants.
#[derive(Debug)]
struct Drawn<'a> {
    problem: &'a Problem,
    source: Option<NamedSource<String>>,
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let level = match self.problem.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        Some(Box::new(format!("{level}[{}]", self.problem.code)))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.problem.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, span.start, span.len()))))
    }
}
