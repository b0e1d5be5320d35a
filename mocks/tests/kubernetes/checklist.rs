//! The checklist of what a mock must copy (`fixtures/kubernetes/checklist.txt`): complete, and nothing left open in silence.

const CHECKLIST: &str = include_str!("../fixtures/kubernetes/checklist.txt");

#[test]
fn every_point_says_how_far_it_is_kept() {
    let rows = CHECKLIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut core, mut done, mut out) = (0, 0, 0);
    for (index, row) in rows.enumerate() {
        let mut words = row.splitn(3, ' ');
        let (number, state, text) = (words.next(), words.next(), words.next());
        assert_eq!(number, Some((index + 1).to_string().as_str()), "{row}");
        match state {
            Some("core") => core += 1,
            Some("done") => done += 1,
            Some("out") => out += 1,
            other => panic!("{other:?}: {row}"),
        }
        let text = text.expect("a text");
        assert!(state == Some("out") || text.contains('['), "a point that is kept names its test: {row}");
        assert!(state != Some("out") || text.contains(": "), "a point that is left out says why: {row}");
    }
    assert_eq!(core + done + out, 50);
    super::lab::tell(&format!("checklist: {core} core, {done} done, {out} out"));
}
