//! What became of each thing that a file asks for.

use std::fmt;

use super::tree::{At, File};

/// What became of a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It is in the policy and means the same.
    Carried,
    /// It is in the policy, and means something else in a way that is said.
    Changed,
    /// It is not there, and decides nothing: how traffic is shifted, who is told, what a dashboard shows.
    Beside,
    /// It decides in the original and cannot be carried over.
    Lost,
    /// It is carried as it stands, and can hardly be what was meant.
    Doubtful,
}

impl Fate {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Changed => "changed",
            Self::Beside => "left out",
            Self::Lost => "not carried",
            Self::Doubtful => "looks wrong",
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What became of it.
    pub fate: Fate,
    /// What it is.
    pub what: String,
    /// What it became, or why it could not; a lower-case fragment.
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, fate, what, why } = self;
        write!(f, "{}: {file}:{line}:{column}: {what}: {why}", fate.name())
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    pub(crate) fn at_byte(&mut self, fate: Fate, file: &File, at: usize, what: &str, why: impl Into<String>) {
        let (line, column) = file.place(at);
        let file = file.source.name.clone();
        self.0.push(Finding { file, line, column, fate, what: what.to_owned(), why: why.into() });
    }

    fn say(&mut self, fate: Fate, at: At<'_>, what: &str, why: impl Into<String>) {
        self.at_byte(fate, at.file, at.start(), what, why);
    }

    pub(crate) fn carried(&mut self, at: At<'_>, what: &str, why: impl Into<String>) {
        self.say(Fate::Carried, at, what, why);
    }

    pub(crate) fn changed(&mut self, at: At<'_>, what: &str, why: impl Into<String>) {
        self.say(Fate::Changed, at, what, why);
    }

    pub(crate) fn beside(&mut self, at: At<'_>, what: &str, why: impl Into<String>) {
        self.say(Fate::Beside, at, what, why);
    }

    pub(crate) fn lost(&mut self, at: At<'_>, what: &str, why: impl Into<String>) {
        self.say(Fate::Lost, at, what, why);
    }

    pub(crate) fn doubtful(&mut self, at: At<'_>, what: &str, why: impl Into<String>) {
        self.say(Fate::Doubtful, at, what, why);
    }

    /// Names every field that is neither known nor beside the point; the latter are named as left out.
    pub(crate) fn fields(&mut self, at: At<'_>, what: &str, known: &[&str], beside: &[(&str, &str)]) {
        for (name, start, value) in at.fields() {
            if known.contains(&name) || value.node.value == backspin_policy::document::node::Value::Null {
                continue;
            }
            let label = format!("{what} `{name}`");
            if let Some((_, why)) = beside.iter().find(|(field, _)| *field == name) {
                self.at_byte(Fate::Beside, at.file, start, &label, *why);
            } else {
                let near = backspin_policy::document::nearest::nearest(name, known.iter().copied());
                let hint = near.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
                self.at_byte(Fate::Lost, at.file, start, &label, format!("a field that is not known{hint}"));
            }
        }
    }
}
