//! The survey over real files, which are not part of this repository.

use std::path::{Path, PathBuf};

use backspin_policy::document::{FileKind, Source};

use super::{Fate, Import, Options, import};

fn fixtures() -> PathBuf {
    let shared =
        std::env::var_os("BACKSPIN_SHARED").expect("set BACKSPIN_SHARED to the folder that has `fixtures`");
    Path::new(&shared).join("fixtures/policies")
}

fn read(path: &Path) -> Import {
    let text = std::fs::read_to_string(path).expect("a text");
    import(&[Source::new(FileKind::Policy, path.display().to_string(), text)], &Options::default())
}

#[test]
#[ignore = "needs real files: BACKSPIN_SHARED"]
#[expect(clippy::print_stdout, reason = "an evaluation tells what it found")]
fn real_files_import_whole_or_say_by_line_what_does_not() {
    let (mut asked, mut whole, mut all) = (0, 0, 0);
    for tool in ["argo", "flagger", "kayenta", "keptn", "prometheus", "pyrra", "sloth"] {
        let folder = fixtures().join(tool);
        let index = std::fs::read_to_string(folder.join("index.json")).expect("an index");
        let index: serde_json::Value = serde_json::from_str(&index).expect("JSON");
        let (mut asked_here, mut whole_here) = (0, 0);
        for entry in index.as_array().expect("a list") {
            all += 1;
            let file = entry["file"].as_str().expect("a name");
            let found = read(&folder.join(file));
            let says_why = found.findings.iter().all(|f| f.line > 0 && !f.why.is_empty());
            assert!(says_why, "{file}");
            assert!(found.is_whole() || !found.findings.is_empty(), "{file}: nothing is said of it");
            let promql = &entry["promql"];
            let parses = promql["checked"].as_u64().unwrap_or(0) > 0 && promql["checked"] == promql["parses"];
            let is_valid = entry["upstream_says"].as_str() != Some("invalid");
            let in_gate =
                (parses && is_valid) || (tool == "kayenta" && entry["providers"].get("prometheus").is_some());
            let lost = found.findings.iter().filter(|f| f.fate == Fate::Lost);
            if in_gate {
                asked_here += 1;
                whole_here += usize::from(found.is_whole());
            }
            let mark = if found.is_whole() { "whole" } else { "part " };
            println!("{mark} {} {tool}/{file}", if in_gate { "*" } else { " " });
            for finding in lost.take(4) {
                println!("        {}: {}: {}", finding.line, finding.what, finding.why);
            }
            for finding in found.findings.iter().filter(|f| f.fate == Fate::Doubtful) {
                println!("      ? {}: {}: {}", finding.line, finding.what, finding.why);
            }
        }
        println!("{tool}: {whole_here} of {asked_here} whole");
        asked += asked_here;
        whole += whole_here;
    }
    println!("{whole} of {asked} files whose queries are PromQL import whole; {all} were read");
    assert!(whole * 10 >= asked * 9, "{whole} of {asked} import whole, at least 90 % are wanted");
}
