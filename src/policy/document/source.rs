//! A file's text, and positions in it.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::problem::{Code, FileKind, Level, Problem, Problems};

/// Cannot be opened or read.
pub const UNREADABLE: u16 = 1;
/// Larger than a file of its kind may be.
pub const TOO_LARGE: u16 = 2;
/// Not UTF-8.
pub const NOT_TEXT: u16 = 3;

/// Largest YAML file that is read, bytes. The largest sensible one, a policy with hundreds of queries, has
/// less than 200 kB.
pub const YAML_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file's text under the name its reader knows it by.
#[derive(Clone, Debug)]
pub struct Source {
    /// What kind of file.
    pub kind: FileKind,
    /// Its name in messages.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

impl Source {
    /// A text that is already in memory.
    pub fn new(kind: FileKind, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, name: name.into(), text: text.into() }
    }

    /// Reads a file of at most `bytes_max`. The size is asked for first and holds while reading, so that a
    /// file that grows or has no size cannot fill the memory.
    pub fn open(kind: FileKind, path: &Path, bytes_max: u64) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let fail = |number, message: String, hint: &str| {
            Problems::new(vec![unplaced(kind, number, &name, message).with_hint(hint)], Vec::new())
        };
        let unreadable = |e: std::io::Error| {
            fail(
                UNREADABLE,
                format!("cannot read `{name}`: {}", words(&e)),
                "check the path and its permissions",
            )
        };
        let too_large = |bytes: u64| {
            fail(
                TOO_LARGE,
                format!("file has {bytes} bytes, at most {bytes_max} are read"),
                "is this the file you meant?",
            )
        };
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?;
        if size.is_dir() {
            return Err(fail(UNREADABLE, format!("`{name}` is a directory"), "name a file in it"));
        }
        if size.len() > bytes_max {
            return Err(too_large(size.len()));
        }
        let mut bytes = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > bytes_max {
            return Err(too_large(bytes.len() as u64));
        }
        Self::from_bytes(kind, name, bytes)
    }

    /// Takes bytes as UTF-8, without the mark that some editors put in front.
    pub fn from_bytes(kind: FileKind, name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Problems> {
        let name = name.into();
        match String::from_utf8(bytes) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
                Ok(Self { kind, name, text })
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let source = Self { kind, name, text };
                let found = error.as_bytes().get(at).copied().unwrap_or_default();
                let problem = source
                    .problem(NOT_TEXT, at..at, format!("byte 0x{found:02x} is not UTF-8"))
                    .with_hint("save the file as UTF-8");
                Err(source.fail(vec![problem]))
            }
        }
    }

    /// An error at a place in this file.
    pub fn problem(&self, number: u16, span: Range<usize>, message: impl Into<String>) -> Problem {
        let (line, column) = self.line_column(span.start);
        let mut problem = unplaced(self.kind, number, &self.name, message.into());
        problem.span = Some(span);
        (problem.line, problem.column) = (line, column);
        problem
    }

    /// All problems of this file, with its text.
    pub fn fail(&self, list: Vec<Problem>) -> Problems {
        Problems::new(list, vec![(self.name.clone(), self.text.clone())])
    }

    /// Line and column, from 1, of a byte.
    fn line_column(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The byte at which the character with this number begins.
    pub(crate) fn byte_of_char(&self, chars: usize) -> usize {
        self.text.char_indices().nth(chars).map_or(self.text.len(), |(at, _)| at)
    }
}

/// A problem of a file as a whole.
pub fn unplaced(kind: FileKind, number: u16, name: &str, message: String) -> Problem {
    Problem {
        code: Code { kind, number },
        level: Level::Error,
        message,
        file: name.to_owned(),
        span: None,
        line: 0,
        column: 0,
        hint: None,
    }
}

/// The cause without the operating system's number, the same on every system.
fn words(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file",
        std::io::ErrorKind::PermissionDenied => "permission denied",
        std::io::ErrorKind::IsADirectory => "it is a directory",
        _ => "input or output error",
    }
}
