//! Test files with the rule files that they name.

use std::path::Path;
use std::sync::Arc;

use backspin_mocks::promql::rules::Group;
use backspin_policy::document::source::{UNREADABLE, YAML_BYTES_MAX};
use backspin_policy::document::{FileKind, Problems, Source};

use super::{glob, rule_file, test_file};
use test_file::TestFile;

/// A test file, and the rules that it is about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The test file's text, for places in it.
    pub source: Source,
    /// What it says.
    pub file: TestFile,
    /// All rules, in the order in which they are evaluated.
    pub groups: Arc<[Group]>,
}

/// Reads a test file and its rule files, or tells every problem in any of them.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let source = Source::open(FileKind::Rules, path, YAML_BYTES_MAX)?;
    let file = test_file::parse(&source)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut groups: Vec<Group> = Vec::new();
    let mut problems: Option<Problems> = None;
    let mut fail = |found: Problems| match &mut problems {
        Some(problems) => problems.append(found),
        None => problems = Some(found),
    };
    for (pattern, span) in &file.rule_files {
        let found = glob::files(folder, pattern);
        if found.is_empty() {
            let problem = source
                .problem(UNREADABLE, span.clone(), format!("no rule file `{pattern}`"))
                .with_hint("paths are relative to the test file");
            fail(source.fail(vec![problem]));
        }
        for path in found {
            let rules = Source::open(FileKind::Rules, &path, YAML_BYTES_MAX);
            match rules.and_then(|rules| rule_file::parse(&rules)) {
                Ok(more) => groups.extend(more),
                Err(found) => fail(found),
            }
        }
    }
    if let Some(problems) = problems {
        return Err(problems);
    }
    // Groups that are not named have the first place, as in promtool.
    let place = |group: &Group| file.group_order.iter().position(|name| *name == group.name).unwrap_or(0);
    groups.sort_by_key(place);
    Ok(Loaded { source, file, groups: groups.into() })
}
