//! What is wrong with a file, and where.

use std::fmt;
use std::ops::Range;

/// Which kind of file a problem was found in; the letter of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A policy: `P`.
    Policy,
    /// A scenario: `S`.
    Scenario,
    /// A recorded incident or its list: `R`.
    Recorded,
    /// A suite of what must hold in continuous integration: `C`.
    Suite,
    /// Which metrics of a service mean what: `M`.
    Metrics,
    /// A list of deploys: `D`.
    Deploys,
    /// A Prometheus rule file or a test of one: `U`.
    Rules,
    /// What is to be tuned: `T`.
    Tune,
}

/// A stable code, such as `P014`. Below 30 the number means the same in every kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// The kind of file.
    pub kind: FileKind,
    /// The rule that was broken.
    pub number: u16,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.kind {
            FileKind::Policy => 'P',
            FileKind::Scenario => 'S',
            FileKind::Recorded => 'R',
            FileKind::Suite => 'C',
            FileKind::Metrics => 'M',
            FileKind::Deploys => 'D',
            FileKind::Rules => 'U',
            FileKind::Tune => 'T',
        };
        write!(f, "{letter}{:03}", self.number)
    }
}

/// Whether a problem stops the file from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The file cannot be used.
    Error,
    /// It can, but probably does not say what its author meant.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What rule.
    pub code: Code,
    /// How bad.
    pub level: Level,
    /// What failed, the value, what is allowed: a lower-case fragment.
    pub message: String,
    /// The file, as it was named by whoever asked for it.
    pub file: String,
    /// Where in it, in bytes; none when the file could not be read.
    pub span: Option<Range<usize>>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Problem {
    /// The same with a hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same as a warning.
    pub fn as_warning(mut self) -> Self {
        self.level = Level::Warning;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "{level}[{}]: {}\n  --> {}", self.code, self.message, self.file)?;
        if self.span.is_some() {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// Every problem of one or more files: at least one is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// In order of file and place.
    pub list: Vec<Problem>,
    /// The texts that the spans point into, by the name of the file; a file that was not read has none.
    pub texts: Vec<(String, String)>,
}

impl Problems {
    /// Sorted by place, with the text they point into.
    pub fn new(mut list: Vec<Problem>, texts: Vec<(String, String)>) -> Self {
        list.sort_by(|a, b| (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code)));
        Self { list, texts }
    }

    /// The text of a file that a problem names.
    pub fn text_of(&self, file: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| name == file).map(|(_, text)| text.as_str())
    }

    /// Adds those of another file.
    pub fn append(&mut self, other: Self) {
        self.list.extend(other.list);
        self.texts.extend(other.texts);
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.list.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
