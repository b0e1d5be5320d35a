use super::*;

fn counted(name: &str, runs: u64) -> Counted {
    Counted { name: name.into(), says: format!("what {name} says | with a bar, in some words"), runs }
}

fn report(broken: u64) -> ChaosReport {
    let states = ["idle", "watching", "executing", "compensating"];
    let kind = |id: &str, effective: u64| KindRow {
        id: id.into(),
        says: "Something <odd> happens.".into(),
        planned: effective,
        effective,
        effects: 3 * effective,
        states: vec![0, effective, effective / 2, 0],
    };
    let failure = |seed| FailureTold {
        seed,
        breaches: vec![BreachTold {
            id: "S4".into(),
            says: "an intent is durable before its effect".into(),
            at_ms: 125_000,
            words: "step 1 was asked for & nothing was written".into(),
        }],
        replay: format!("backspin chaos replay --seed {seed}"),
        timeline: vec![
            Line { at_ms: 0, who: "world".into(), what: "One engine runs.".into() },
            Line { at_ms: 125_000, who: "BROKEN".into(), what: "S4: <script>.".into() },
        ],
        case: "version: 1\n".into(),
    };
    ChaosReport {
        version: CHAOS_VERSION,
        build: "backspin".into(),
        command: "backspin chaos --seeds 12000".into(),
        played: "Small worlds, in process".into(),
        first_seed: 1,
        runs: 12_000,
        passed: 11_000 - broken,
        broken,
        invalid: 1000,
        sampled: 187,
        digest: "ab".repeat(32),
        invariants: vec![counted("S4", broken), counted("L1", 0)],
        excuses: vec![counted("nobody-there", 30)],
        marks: vec![counted("resumed", 2000), counted("two-engines", 0)],
        states: states.map(str::to_owned).to_vec(),
        kinds: vec![kind("K7a", 1234), kind("E2", 0)],
        failures: (0..broken.min(7)).map(failure).collect(),
        ended_early: false,
    }
}

#[test]
fn a_terminal_of_any_width_tells_it() {
    for (width, broken) in [(60, 0), (80, 1), (120, 7)] {
        let text = report(broken).text(width);
        for line in text.lines() {
            let command = line.starts_with("replay:");
            assert!(line.chars().count() <= width || command || line.starts_with("digest"), "{line}");
        }
        assert!(text.contains("Never took effect: E2."), "{text}");
        assert!(text.contains("Never reached: two-engines."), "{text}");
        assert_eq!(text.matches("backspin chaos replay").count(), usize::from(broken > 0), "{text}");
    }
    assert!(report(0).text(80).starts_with("11\u{202f}000 runs held every invariant."));
    assert!(report(7).text(80).starts_with("7 of 12\u{202f}000 runs broke S4."));
}

#[test]
fn what_was_written_is_read_again() {
    let report = report(2);
    let json = report.json().expect("JSON");
    assert_eq!(serde_json::from_str::<ChaosReport>(&json).expect("it can be read"), report);
}

#[test]
fn tables_and_pages_are_not_broken_by_words() {
    let report = report(2);
    let markdown = report.markdown();
    for line in markdown.lines().filter(|line| line.starts_with("| S4")) {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 5, "{line}");
    }
    let page = page::render(&report).expect("it can be drawn");
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
    assert!(!page.contains("http"), "nothing is fetched");
}

#[test]
fn a_campaigns_folder_is_whole_and_replaced_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("chaos");
    let written = write_chaos(&dir, &report(2)).expect("written");
    assert!(written.html.is_file() && written.json.is_file() && written.markdown.is_file());
    assert!(dir.join("cases/seed-1.case.yaml").is_file());
    write_chaos(&dir, &report(0)).expect("replaced");
    assert!(!dir.join("cases").exists());
}

#[test]
fn a_moment_is_named_once() {
    let line = |at_ms, what: &str| Line { at_ms, who: "told".into(), what: what.into() };
    let text = lines(&[line(1000, "One."), line(1000, "Two."), line(2000, "Three.")], 80);
    assert_eq!(text, "         1s  told   One.\n             told   Two.\n         2s  told   Three.");
}
