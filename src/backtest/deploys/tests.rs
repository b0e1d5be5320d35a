use proptest::prelude::*;

use super::*;

fn source(name: &str, text: &str) -> Source {
    Source::new(FileKind::Deploys, name, text)
}

fn read_one(name: &str, text: &str) -> Deploys {
    parse(&[source(name, text)]).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The first problem, as it is shown.
#[track_caller]
fn wrong(name: &str, text: &str) -> String {
    let problems = parse(&[source(name, text)]).expect_err("something is wrong with it");
    problems.list[0].to_string()
}

const T0: i64 = 1_793_714_400_000;

#[test]
fn a_table_tells_what_is_known_and_leaves_the_rest_unknown() {
    let found = read_one(
        "deploys.csv",
        "version,service,time,outcome,ended,onset,pod_hash\n\
         # a remark\n\
         v2,checkout,2026-11-03T14:00:00Z,bad,2026-11-03T14:30:00Z,2026-11-03T14:05:00Z,6d5f\n\
         v3, checkout ,1793728800,,,,\n",
    );
    let [one, two] = found.list.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.at, one.outcome, one.place.as_str()), (WallTime(T0), Outcome::Bad, "deploys.csv:3"));
    assert_eq!((one.ended, one.onset), (Some(WallTime(T0 + 1_800_000)), Some(WallTime(T0 + 300_000))));
    assert!(one.is_of("v2") && one.is_of("6d5f") && !one.is_of("v3"));
    assert_eq!((two.at, two.outcome, two.ended), (WallTime(T0 + 14_400_000), Outcome::Unknown, None));
}

#[test]
fn a_table_that_is_wrong_is_told_where() {
    for (text, expected) in [
        ("service,time,verson\n", "unknown column `verson`"),
        ("service,time,version,time\n", "column `time` is there twice"),
        ("service,time\n", "there is no column `version`"),
        ("service,time,version\na b,2026-11-03T14:00:00Z,v2\n", "`a b` is not a valid name"),
        ("service,time,version\na,yesterday,v2\n", "`time` is no moment: `yesterday`"),
        ("service,time,version\na,2026-11-03T14:00:00Z,\n", "`version` is empty"),
        ("service,time,version\na,2026-11-03T14:00:00Z\n", "2 fields where the head has 3"),
        ("service,time,version,outcome\na,1793714400,v2,terrible\n", "got `terrible`"),
        ("service,time,version,ended\na,1793714400,v2,1793714399\n", "`ended` is before `time`"),
        (
            "service,time,version,outcome,onset\na,1793714400,v2,good,1793714500\n",
            "a good deploy has no `onset`",
        ),
    ] {
        let told = wrong("deploys.csv", text);
        assert!(told.contains(expected), "{text}: {told}");
    }
    let told = wrong("deploys.csv", "service,time,version\na,1793714400,v1\nb,soon,v2\n");
    assert!(told.contains("deploys.csv:3:3"), "{told}");
    let told = wrong("deploys.csv", "service,time,verson\n");
    assert!(told.contains("did you mean `version`?"), "{told}");
}

fn set(name: &str, made: &str, image: &str, hash: &str) -> String {
    format!(
        r#"{{"kind":"ReplicaSet","metadata":{{"name":"{name}-{hash}","creationTimestamp":"{made}",
        "labels":{{"pod-template-hash":"{hash}"}},"ownerReferences":[{{"kind":"Deployment","name":"{name}"}}]}},
        "spec":{{"template":{{"spec":{{"containers":[{{"image":"{image}"}}]}}}}}}}}"#
    )
}

#[test]
fn replica_sets_are_the_history_of_a_deployment() {
    let sets = [
        set("shop", "2026-11-03T16:00:00Z", "registry:5000/shop@sha256:ab", "c3"),
        set("shop", "2026-11-03T14:00:00Z", "registry:5000/shop:v2@sha256:ab", "b2"),
        set("shop", "2026-11-01T14:00:00Z", "registry:5000/shop:v1", "a1"),
    ];
    let found = read_one("sets.json", &format!(r#"{{"kind":"List","items":[{}]}}"#, sets.join(",")));
    let [one, two] = found.list.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.version.as_str(), one.pod_hash.as_deref(), one.at), ("v2", Some("b2"), WallTime(T0)));
    // The next one ends it; a version without a tag is called by its hash.
    assert_eq!((one.ended, two.version.as_str()), (Some(WallTime(T0 + 7_200_000)), "c3"));
    assert!(found.notes[0].contains("the oldest ReplicaSet"), "{:?}", found.notes);
    let orphan = r#"{"kind":"ReplicaSet","metadata":{"creationTimestamp":"2026-11-03T16:00:00Z"}}"#;
    assert!(wrong("sets.json", orphan).contains("has no Deployment or Rollout"));
}

#[test]
fn controllers_tell_of_the_deploy_that_they_are_in() {
    let rollout = "kind: Rollout\nmetadata: { name: shop }\nstatus:\n  currentPodHash: b2\n  abortedAt: 2026-11-03T14:10:00Z\n  \
                   conditions: [{ type: Completed, status: 'False', lastTransitionTime: 2026-11-03T14:00:00Z }]\n";
    let found = read_one("rollout.yaml", rollout);
    let one = &found.list[0];
    assert_eq!(
        (one.at, one.ended, one.outcome),
        (WallTime(T0), Some(WallTime(T0 + 600_000)), Outcome::Unknown)
    );
    assert_eq!(one.note, "aborted by its controller");
    assert!(
        wrong("rollout.yaml", &rollout.replace("'False'", "'True'"))
            .contains("does not tell when its deploy began")
    );
    let canary = "kind: Canary\nspec: { targetRef: { name: shop } }\nstatus:\n  phase: Progressing\n  lastAppliedSpec: 5f6b\n  \
                  conditions: [{ type: Promoted, status: Unknown, lastTransitionTime: 2026-11-03T14:00:00Z }]\n";
    assert_eq!(read_one("canary.yaml", canary).list[0].at, WallTime(T0));
    let told = wrong("canary.yaml", &canary.replace("Unknown", "'False'").replace("Progressing", "Failed"));
    assert!(told.contains("is `Failed`: its status tells when that was"), "{told}");
    assert!(wrong("x.yaml", "kind: Service\n").contains("a `Service` tells of no deploy"));
}

#[test]
fn annotations_have_what_is_known_in_their_tags() {
    let text = format!(
        r#"[{{"time":{T0},"timeEnd":{T0},"tags":["deploy","service:shop","version=v2","outcome:good"]}},
        {{"time":{T0},"tags":["alert"]}}]"#
    );
    let found = read_one("annotations.json", &text);
    assert_eq!(found.list.len(), 1);
    assert_eq!(
        (found.list[0].at, found.list[0].outcome, found.list[0].ended),
        (WallTime(T0), Outcome::Good, None)
    );
    assert!(found.notes[0].contains("1 annotations have no tag `service`"));
    assert!(
        wrong("annotations.json", r#"[{"time":1,"tags":["service:shop"]}]"#).contains("no tag `version`")
    );
    assert!(
        wrong("annotations.json", r#"[{"time":"x","tags":["service:shop","version:v2"]}]"#)
            .contains("must be milliseconds")
    );
}

#[test]
fn a_file_of_no_known_form_is_refused() {
    for (name, text) in [
        ("a.txt", "hello"),
        ("a.json", "{}"),
        ("a.json", "3"),
        ("a.yaml", ""),
        ("a.json", r#"{"annotations":3}"#),
    ] {
        assert!(wrong(name, text).contains("this is no list of deploys"), "{name}: {text}");
    }
    assert!(wrong("a.json", "{").contains("D004"));
}

proptest! {
    #[test]
    fn what_is_written_as_a_table_is_read_as_it_was(
        rows in proptest::collection::vec(("[a-z][a-z0-9-]{0,9}", 0_i64..99_000_000_000, "[a-z0-9.+/:\"]{1,9}", 0_usize..3), 0..20)
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["service", "time", "version", "outcome"]).expect("written");
        for (service, at, version, outcome) in &rows {
            let outcome = ["good", "bad", "unknown"][*outcome];
            writer.write_record([service.as_str(), &at.to_string(), version, outcome]).expect("written");
        }
        let text = String::from_utf8(writer.into_inner().expect("whole")).expect("text");
        let found = read_one("deploys.csv", &text);
        let mut expected: Vec<_> = rows.iter().map(|(service, at, version, _)| (at * 1000, service.clone(), version.clone())).collect();
        expected.sort();
        expected.dedup();
        let got: Vec<_> = found.list.iter().map(|it| (it.at.0, it.service.to_string(), it.version.clone())).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn whatever_is_given_it_is_read_or_refused_with_a_place(
        text in ".{0,200}", name in prop_oneof![Just("a.csv"), Just("a.json"), Just("a.yaml"), Just("a")]
    ) {
        if let Err(problems) = parse(&[source(name, &text)]) {
            prop_assert!(!problems.list.is_empty());
            prop_assert!(problems.list.iter().all(|problem| problem.span.is_some() && problem.line > 0));
        }
    }

    #[test]
    fn broken_objects_are_refused_and_not_panicked_over(cut in 0_usize..400, put in ".{0,3}") {
        let whole = format!("{{\"kind\":\"List\",\"items\":[{}]}}", set("shop", "2026-11-03T14:00:00Z", "shop:v1", "a1"));
        let cut = (0..=cut.min(whole.len())).rev().find(|&at| whole.is_char_boundary(at)).unwrap_or(0);
        let text = format!("{}{put}{}", &whole[..cut], whole.get(cut + 1..).unwrap_or_default());
        if let Err(problems) = parse(&[source("sets.json", &text)]) {
            prop_assert!(!problems.list.is_empty());
        }
    }

    #[test]
    fn moments_are_read_as_they_are_written(seconds in 0_i64..4_000_000_000) {
        let at = WallTime(seconds * 1000);
        prop_assert_eq!(moment(&written(at)), Some(at));
        prop_assert_eq!(moment(&seconds.to_string()), Some(at));
    }
}
