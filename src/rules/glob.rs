//! Patterns of file names.

use std::path::{Path, PathBuf};

/// Files that fit `pattern`, relative to `folder`, in order of their names. `*` and `?` stand for any characters but `/`, in
/// any part of the path.
pub(super) fn files(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(pattern);
    if path.is_absolute() {
        from(PathBuf::from("/"), path.strip_prefix("/").unwrap_or(path))
    } else {
        from(folder.to_owned(), path)
    }
}

fn from(folder: PathBuf, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder];
    for part in pattern.components() {
        let part = part.as_os_str().to_string_lossy();
        if !part.contains(['*', '?']) {
            for path in &mut found {
                path.push(&*part);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let names = entries.flatten().map(|entry| entry.file_name());
            let fitting = names.filter(|name| fits(&part, &name.to_string_lossy()));
            next.extend(fitting.map(|name| folder.join(name)));
        }
        next.sort();
        found = next;
    }
    found.retain(|path| path.is_file());
    found
}

/// Whether `name` fits `pattern`.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    // Where the last star stands, and up to where it reaches.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&c) if c == '?' || c == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((place, reached)) = star else { return false };
                star = Some((place, reached + 1));
                at = place + 1;
                in_name = reached + 1;
            }
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_marks() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a?c*", "abcd", true),
            ("*_test*", "x_testtest.yaml", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
