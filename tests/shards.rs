//! A run that is played in parts, by many processes, killed ones among them, comes to the bytes of one machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const RUN: [&str; 4] = ["--filter", "loud/", "--seeds", "3"];

fn backspin(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backspin"));
    command.args(args).env_remove("JOB_COMPLETION_INDEX");
    command
}

fn output(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file of a report by its name, with its bytes.
fn report(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((
                    path.strip_prefix(dir).expect("below").to_owned(),
                    fs::read(&path).expect("a file"),
                ));
            }
        }
    }
    found.sort();
    found
}

fn worker(parts: &Path, index: u32) -> Command {
    let mut command = backspin(&["run", "--shard", "job/4", "--out"]);
    command.arg(parts).args(RUN).env("JOB_COMPLETION_INDEX", index.to_string());
    command
}

#[test]
fn many_processes_come_to_what_one_machine_does() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (serial, merged, parts) =
        (dir.path().join("serial"), dir.path().join("merged"), dir.path().join("parts"));
    let one = output(backspin(&["run", "--out"]).arg(&serial).args(RUN));
    let expected = report(&serial);
    assert!(expected.len() > 4, "{}", stderr(&one));

    // A worker that is killed, whenever that hits it, leaves a whole part or none.
    let mut killed = worker(&parts, 0).spawn().expect("the binary runs");
    killed.kill().expect("it can be killed");
    killed.wait().expect("it is gone");
    // Two at once with the same part, and the others.
    let mut workers: Vec<_> =
        [0, 0, 1, 2].map(|index| worker(&parts, index).spawn().expect("the binary runs")).into();
    for worker in &mut workers {
        assert!(worker.wait().expect("it ends").success(), "missed expectations are rows, not exit codes");
    }

    // The fourth is not there yet: what it holds is unknown, and said to be.
    let without = output(backspin(&["merge", "--out"]).arg(&merged).arg(&parts));
    assert!(matches!(without.status.code(), Some(1 | 4)), "{}", stderr(&without));
    let table = String::from_utf8_lossy(&without.stdout).into_owned();
    assert!(table.contains("1 shard missing (4/4)"), "{table}");

    // It arrives, and another one for the second time.
    let late = dir.path().join("late");
    assert!(output(&mut worker(&late, 3)).status.success());
    assert!(output(&mut worker(&late, 1)).status.success());
    let all = output(backspin(&["merge", "--out"]).arg(&merged).arg(&parts).arg(&late));
    assert_eq!(all.status.code(), one.status.code(), "{}", stderr(&all));
    assert!(stderr(&all).contains("shard 2/4 is there more than once"), "{}", stderr(&all));
    let named =
        |report: &[(PathBuf, Vec<u8>)]| report.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let found = report(&merged);
    assert_eq!(named(&found), named(&expected));
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        assert!(found == expected, "{} differs", name.display());
    }
    let tables = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter(|line| !line.starts_with("report: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(tables(&all), tables(&one));
}

#[test]
fn a_part_that_is_there_is_not_played_again() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    assert!(output(&mut worker(dir.path(), 2)).status.success());
    let again = output(&mut worker(dir.path(), 2));
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && said.contains("already"), "{said}");
    // The order is another one, so it is.
    let other = output(worker(dir.path(), 2).args(["--seed", "7"]));
    assert!(!String::from_utf8_lossy(&other.stdout).contains("already"));
}

#[test]
fn errors_of_parts_say_what_to_do() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let bad = output(&mut backspin(&["run", "--shard", "5/4"]));
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("`5/4` is no shard; it must be I/N"), "{}", stderr(&bad));
    let unset = output(&mut backspin(&["run", "--shard", "job/4"]));
    assert_eq!(unset.status.code(), Some(3));
    assert!(stderr(&unset).contains("JOB_COMPLETION_INDEX, and it is not set"), "{}", stderr(&unset));
    let beyond = output(&mut worker(dir.path(), 4));
    assert_eq!(beyond.status.code(), Some(2));
    assert!(stderr(&beyond).contains("JOB_COMPLETION_INDEX is `4`; it must be a number below 4"));
    let nothing = output(backspin(&["merge"]).arg(dir.path()));
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr(&nothing).contains("no part of a run is in"), "{}", stderr(&nothing));
    fs::write(dir.path().join("shard-00001-of-00002.jsonl"), "{}\n").expect("written");
    let damaged = output(backspin(&["merge"]).arg(dir.path()));
    assert_eq!(damaged.status.code(), Some(2));
    assert!(stderr(&damaged).contains("none of the files is a whole shard"), "{}", stderr(&damaged));
}
