//! A process that is killed while it appends, and one that finds the journal locked.
//!
//! The other process is this test binary, which runs [`child`] alone and is told by its environment what to do.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{entry, folder, header, holds, read, small};
use crate::Journal;

const FOLDER: &str = "BACKSPIN_TEST_JOURNAL";
const ACT: &str = "BACKSPIN_TEST_JOURNAL_ACT";

fn spawn(act: &str, path: &Path) -> Child {
    Command::new(env::current_exe().expect("this binary"))
        .args(["--exact", "journal::tests::crash::child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, path)
        .env(ACT, act)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started")
}

/// Not a test of its own: what the other process does.
#[test]
fn child() {
    let Some(path) = env::var_os(FOLDER) else { return };
    let path = Path::new(&path);
    let mut out = std::io::stdout().lock();
    if env::var(ACT).is_ok_and(|act| act == "open") {
        let answer = Journal::open(path, small()).map(|_| ());
        writeln!(out, "answer: {answer:?}").expect("heard");
        return;
    }
    let mut journal = Journal::open(path, small()).expect("opened").journal;
    // Bounded, should the parent never kill it.
    for _ in 0..20_000 {
        for _ in 0..3 {
            let next = journal.acknowledged() + journal.pending();
            journal.append(&entry(next)).expect("appended");
        }
        let acknowledged = journal.commit().expect("committed");
        if writeln!(out, "acknowledged {acknowledged}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

#[test]
fn what_a_killed_process_had_acknowledged_is_there() {
    let folder = folder();
    let path = folder.path();
    drop(Journal::create(path, &header(), small()).expect("created"));
    for kill_after in [1, 2, 7, 20, 33] {
        let mut child = spawn("append", path);
        let mut heard = BufReader::new(child.stdout.take().expect("piped"));
        let mut acknowledged = 0;
        let mut lines = 0;
        let mut line = String::new();
        while lines < kill_after && heard.read_line(&mut line).expect("readable") > 0 {
            if let Some(number) = line.trim().strip_prefix("acknowledged ") {
                acknowledged = number.parse().expect("a number");
                lines += 1;
            }
            line.clear();
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        // What it still said before it died counts too.
        let mut rest = String::new();
        heard.read_to_string(&mut rest).expect("readable");
        for number in rest.lines().filter_map(|l| l.strip_prefix("acknowledged ")) {
            acknowledged = number.parse().unwrap_or(acknowledged);
        }
        assert!(lines == kill_after, "it died by itself");
        let found = read(path).expect("readable").len() as u64;
        assert!(found >= acknowledged, "{found} entries, {acknowledged} acknowledged");
        holds(path, found);
        // Its lock died with it.
        drop(Journal::open(path, small()).expect("opened"));
    }
}

#[test]
fn another_process_is_refused_with_our_number() {
    let folder = folder();
    let journal = Journal::create(folder.path(), &header(), small()).expect("created");
    let output = spawn("open", folder.path()).wait_with_output().expect("ended");
    let says = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        says.contains(&format!(
            "Locked {{ folder: {:?}, holder: Some({})",
            folder.path(),
            std::process::id()
        )),
        "{says}"
    );
    drop(journal);
    let output = spawn("open", folder.path()).wait_with_output().expect("ended");
    assert!(String::from_utf8_lossy(&output.stdout).contains("answer: Ok(())"));
}
