//! What the handbook says exists: links, shipped scenarios, options and commands, examples.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page: those of the root and of `docs/`.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    for folder in [root().to_owned(), root().join("docs")] {
        for entry in fs::read_dir(&folder).expect("listed").flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "md") {
                pages.push((entry.path(), fs::read_to_string(entry.path()).expect("UTF-8")));
            }
        }
    }
    assert!(pages.len() >= 8, "only {} pages", pages.len());
    pages
}

/// Pages that tell what can be done today.
fn handbook() -> Vec<(PathBuf, String)> {
    pages().into_iter().filter(|(path, _)| !path.ends_with("CHANGELOG.md")).collect()
}

fn help(verbs: &[&str]) -> String {
    let output = Command::cargo_bin("backspin").expect("built").args(verbs).arg("--help").output();
    String::from_utf8(output.expect("runs").stdout).expect("UTF-8")
}

/// The help of a verb and of all below it, as the help itself lists them.
fn help_of_all(verbs: &[&str]) -> String {
    let mut text = help(verbs);
    let listed = text.split_once("\nCommands:\n").map_or("", |(_, rest)| rest).to_owned();
    let names = listed.lines().map_while(|line| line.strip_prefix("  "));
    // What goes on in the next line stands further to the right.
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        text.push_str(&help_of_all(&[verbs, &[name]].concat()));
    }
    text
}

#[test]
fn relative_links_resolve_with_their_headings() {
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name("").join(file) };
            assert!(target.exists(), "{}: `{link}` is not there", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).expect("UTF-8");
                let found =
                    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(found, "{}: `{link}` has no such heading", page.display());
            }
        }
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn shipped_scenarios_are_named_as_they_are_called() {
    let families: BTreeSet<String> = fs::read_dir(root().join("scenarios"))
        .expect("listed")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let mut seen = 0;
    for (page, text) in handbook() {
        let words = text.split(|c: char| !(c.is_alphanumeric() || "-_/.".contains(c)));
        for word in words {
            let Some((family, name)) = word.trim_matches('.').split_once('/') else { continue };
            if !families.contains(family) || name.is_empty() {
                continue;
            }
            seen += 1;
            let is_there =
                |ending| root().join("scenarios").join(family).join(format!("{name}.{ending}")).is_file();
            // A recording is a table.
            assert!(is_there("yaml") || is_there("csv"), "{}: there is no scenario `{word}`", page.display());
        }
    }
    assert!(seen >= 2, "only {seen} scenarios are named");
}

#[test]
fn options_that_are_mentioned_exist() {
    let known = help_of_all(&[]);
    // Of other programs.
    let others =
        ["--release", "--path", "--locked", "--test", "--nocapture", "--filename", "--for", "--timeout"];
    for (page, text) in handbook() {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        for option in words.filter(|w| w.starts_with("--") && w.len() > 2 && !w.starts_with("---")) {
            let there = known.contains(option) || others.contains(&option);
            assert!(there, "{}: there is no option `{option}`", page.display());
        }
    }
}

#[test]
fn commands_in_examples_exist() {
    for (page, text) in handbook() {
        for (n, block) in text.split("```").enumerate().filter(|(n, _)| n % 2 == 1) {
            let commands = block.lines().filter_map(|line| line.strip_prefix("backspin "));
            for line in commands {
                let words: Vec<&str> = line.split_whitespace().take(2).collect();
                let verbs = match words.as_slice() {
                    [verb @ ("scenario" | "policy"), sub, ..]
                    | [verb @ "chaos", sub @ ("run" | "replay" | "minimise"), ..] => vec![*verb, *sub],
                    [verb, ..] => vec![*verb],
                    [] => continue,
                };
                let status =
                    Command::cargo_bin("backspin").expect("built").args(&verbs).arg("--help").output();
                let good = status.expect("runs").status.success();
                assert!(good, "{}, block {n}: `backspin {line}`", page.display());
            }
        }
    }
}

#[test]
fn scenarios_that_nothing_was_tuned_on_are_good() {
    let checked = Command::cargo_bin("backspin")
        .expect("built")
        .current_dir(root())
        .args(["scenario", "check", "evaluation/locked"])
        .output()
        .expect("runs");
    let told = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && told.contains("45 scenarios good"), "{told}");
}

#[test]
fn yaml_examples_of_whole_scenarios_are_good() {
    let text = fs::read_to_string(root().join("docs/scenarios.md")).expect("there");
    let examples: Vec<&str> = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|example| example.starts_with("version:"))
        .collect();
    assert!(!examples.is_empty());
    let folder = tempfile::tempdir().expect("a folder");
    for (n, example) in examples.iter().enumerate() {
        let file = folder.path().join(format!("example-{n}.yaml"));
        fs::write(&file, example).expect("written");
        Command::cargo_bin("backspin")
            .expect("built")
            .args(["scenario", "check"])
            .arg(&file)
            .assert()
            .success();
    }
}

/// The YAML example of the handbook's page on policies that has this section.
fn policy_example(section: &str) -> String {
    let text = fs::read_to_string(root().join("docs/policy.md")).expect("there");
    let mut examples = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    examples.find(|example| example.starts_with(section)).expect("an example").to_owned()
}

#[track_caller]
fn is_a_good_policy(text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.yaml");
    fs::write(&file, format!("version: 1\n{text}")).expect("written");
    Command::cargo_bin("backspin").expect("built").args(["policy", "check"]).arg(&file).assert().success();
}

#[test]
fn the_policy_example_of_approvals_is_good() {
    is_a_good_policy(&policy_example("approvals:"));
}

#[test]
fn the_policy_example_of_rules_is_good_with_the_signals_of_the_shipped_one() {
    let shipped = fs::read_to_string(root().join("policies/rules.yaml")).expect("there");
    let signals = shipped.find("custom:").zip(shipped.find("rules:\n")).map(|(from, to)| &shipped[from..to]);
    is_a_good_policy(&format!("{}{}", signals.expect("it has both"), policy_example("rules:")));
}

#[test]
fn the_example_of_a_judges_metrics_is_good() {
    let text = fs::read_to_string(root().join("docs/judges.md")).expect("there");
    let example =
        text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.yaml");
    fs::write(&file, example).expect("written");
    Command::cargo_bin("backspin").expect("built").args(["policy", "check"]).arg(&file).assert().success();
}

#[test]
fn the_incidents_example_is_good() {
    let text = fs::read_to_string(root().join("docs/incidents.md")).expect("there");
    let block = |language: &str| {
        let begin = format!("```{language}\n");
        text.split(&begin).nth(1).and_then(|rest| rest.split("```").next()).expect("an example").to_owned()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("own-shop");
    fs::create_dir(&source).expect("made");
    fs::write(source.join("cases.json"), block("json")).expect("written");
    let rows = (2..=90).map(|minute| format!("{},0.01,310,10,40,50,3\n", minute * 60));
    let table = block("csv") + &rows.collect::<String>();
    fs::write(source.join("errors.csv"), table).expect("written");
    let out = folder.path().join("out");
    let command = Command::cargo_bin("backspin")
        .expect("built")
        .args(["run", "--incidents"])
        .arg(folder.path())
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    let stdout = String::from_utf8(command.get_output().stdout.clone()).expect("UTF-8");
    assert!(stdout.contains("own-shop/errors-after-change"), "{stdout}");
}

#[test]
fn the_example_of_rule_tests_passes() {
    let text = fs::read_to_string(root().join("docs/rule-tests.md")).expect("there");
    let examples: Vec<&str> =
        text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [rules, tests] = examples.as_slice() else { panic!("{} examples", examples.len()) };
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("alerts.yaml"), rules).expect("written");
    let file = folder.path().join("alerts_test.yaml");
    let test = |tests: &str, code: i32| {
        fs::write(&file, tests).expect("written");
        let command = Command::cargo_bin("backspin")
            .expect("built")
            .args(["policy", "test"])
            .arg(&file)
            .assert()
            .code(code);
        String::from_utf8(command.get_output().stdout.clone()).expect("UTF-8")
    };
    assert!(test(tests, 0).contains("good: 1 test, 3 checks"));
    let missed = test(&tests.replace("value: 0.1", "value: 0.2"), 1);
    assert!(missed.contains("- {__name__=\"service:error_ratio\", service=\"checkout\"} 0.2"), "{missed}");
    test(&tests.replace("alertname", "alertnam"), 2);
}

#[test]
fn the_tune_file_example_is_good() {
    let text = fs::read_to_string(root().join("docs/tune.md")).expect("there");
    let example =
        text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("detector.yaml");
    fs::write(&file, example).expect("written");
    Command::cargo_bin("backspin").expect("built").args(["tune", "--check"]).arg(&file).assert().success();
}
