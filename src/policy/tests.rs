//! The default policy, what people read when a policy is wrong, and that nothing makes the loader panic.

use proptest::prelude::*;

use super::document::{FileKind, Problems, Source};
use super::{Asks, JudgeName, Policy, default_policy, from_json, parse, schema};
use backspin_domain::id::ServiceId;
use backspin_engine::settings::{Attribution, MissingAction, Settings, SeverityRule};

const FULL: &str = include_str!("../../policies/default.yaml");

fn read(text: &str) -> Result<Policy, Problems> {
    parse(&Source::new(FileKind::Policy, "policy.yaml", text))
}

#[track_caller]
fn good(text: &str) -> Policy {
    read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

#[track_caller]
fn problems(text: &str) -> String {
    read(text).expect_err("this file is wrong").to_string()
}

#[test]
fn the_shipped_default_is_what_an_empty_file_means() {
    let shipped = default_policy().unwrap_or_else(|problems| panic!("{problems}"));
    let empty = good("version: 1\n");
    assert_eq!(shipped.settings, empty.settings);
    assert_eq!(shipped.judge, empty.judge);
    assert_eq!(shipped.queries, empty.queries);
    assert_eq!(shipped.hash, empty.hash);
}

#[test]
fn defaults_are_the_engines_own_but_for_approvals() {
    let mut settings = good("version: 1\n").settings;
    assert_eq!(settings.approvals.standing.len(), 1, "simulated services only");
    settings.approvals = Settings::default().approvals;
    assert_eq!(settings, Settings::default());
}

#[test]
fn what_is_shown_reads_back_as_the_same_policy() {
    let text = "version: 1\njudge: { weighted: { rollback_score: 0.6 } }\nattribution: off\n\
        severity: { score: {} }\nnotify: [slack, pagerduty]\n\
        calendar: { freezes: [{ name: winter, from: 2031-12-20T00:00:00Z, until: 2032-01-02T00:00:00Z }],\n\
        windows: [{ days: [monday, friday], from: '09:00', until: '24:00' }], when_closing: finish }\n\
        execution: { breaker: { failures: 7, open: 5s }, turns: { max: 2, window: 1h }, target_worse: reverse }\n\
        approvals: { standing: [{ environment: staging, services: [cart], expires: 2031-01-01T00:00:00Z, approver: ann }] }\n\
        custom: [{ name: depth, query: 'max(queue_depth{service=\"$service\"})', worse: higher, threshold: 9, weight: 0.1 }]\n\
        rules: [{ name: late, steps: [{ all: [{ signal: depth, above: 5 }, { signal: cpu, below: 0.5 }], for: 1m }, \
        { all: [{ signal: complaints_per_hour, above: 9 }], within: 10m }], then: roll_back, severity: high }]\n";
    let text = text.replace("pagerduty", "pager_duty");
    let policy = good(&text);
    assert_eq!(good(&policy.show()), policy);
    assert_eq!(from_json(&policy.to_json()).unwrap_or_else(|p| panic!("{p}")), policy);
    assert_ne!(policy.hash, good("version: 1\n").hash);
    let last = policy.queries.last().expect("has queries");
    assert_eq!(last.asks, Asks::Custom(0));
    let cart = ServiceId::new("cart").expect("valid");
    assert_eq!(last.for_service(&cart), "max(queue_depth{service=\"cart\"})");
}

#[test]
fn a_hash_is_of_what_is_effective() {
    let (a, b) = (good("version: 1\nexecution: { attempts_max: 3 }\n"), good("# hello\nversion: 1\n"));
    assert_eq!(a.hash, b.hash);
    assert_eq!(a.hash.len(), 64);
    assert_ne!(a.hash, good("version: 1\nexecution: { attempts_max: 4 }\n").hash);
}

#[test]
fn another_judge_acts_as_its_original_does() {
    let own = good("version: 1\n");
    let weighted = own.with_judge(JudgeName::Weighted);
    assert_eq!(weighted.settings.attribution, Attribution::Off);
    assert_eq!(weighted.settings.missing_data.then, MissingAction::Ignore);
    assert!(matches!(weighted.settings.severity, SeverityRule::Score { .. }));
    assert_ne!(weighted.hash, own.hash);
    let flagger = own.with_judge(JudgeName::Flagger);
    assert_eq!(flagger.settings.attribution, Attribution::Off);
    assert!(matches!(flagger.settings.severity, SeverityRule::Effect { .. }));
    assert_eq!(own.with_judge(JudgeName::EDetector), own);
    assert_eq!(weighted.with_judge(JudgeName::EDetector), own);
    assert_eq!("flager".parse::<JudgeName>().map_err(|e| e.nearest), Err(Some("flagger".to_owned())));
}

#[test]
fn every_judge_can_be_written_and_read_back() {
    let own = good("version: 1\n");
    let schema = schema();
    let valid = jsonschema::validator_for(&schema).expect("a valid schema");
    for judge in JudgeName::ALL {
        let other = own.with_judge(judge);
        assert_eq!(JudgeName::of(&other.judge), judge);
        assert_eq!(other.judge.name(), judge.name());
        assert!(valid.is_valid(&other.to_json()), "{}", judge.name());
        assert_eq!(from_json(&other.to_json()).expect("it is read back"), other, "{}", judge.name());
        assert_eq!(good(&other.show()), other, "{}", judge.name());
        assert_eq!(judge.name().parse::<JudgeName>(), Ok(judge));
        let short = good(&format!("version: 1\njudge: {{ {}: {{}} }}\n", judge.name()));
        assert_eq!(short.judge, other.judge, "what a file leaves out has its default");
    }
    let off = JudgeName::ALL.map(|judge| own.with_judge(judge).settings.attribution == Attribution::Off);
    assert_eq!(off.iter().filter(|off| !**off).count(), 1, "the default judge alone tells causes apart");
}

#[test]
fn problems_of_judges_have_their_place() {
    for (text, expected) in [
        (
            "version: 1\njudge:\n  argo:\n    metrics:\n      - name: errors\n        reads: { query: cart_errors }\n\
             \x20       success_condition: 'result[0] >> 0.95'\n",
            &["error[P032]: `success_condition`: found `>`, allowed is a number", "policy.yaml:7:40"][..],
        ),
        (
            "version: 1\njudge: { keptn: { objectives: [{ name: a, reads: { query: cart_erors } }] } }\n\
             custom: [{ name: cart_errors, query: max(cart_errors), worse: higher }]\n",
            &[
                "the policy has no signal `cart_erors` of its own",
                "policy.yaml:2:",
                "did you mean `cart_errors`?",
            ],
        ),
        (
            "version: 1\njudge: { alarm: { alarms: [{ name: a, reads: { error_ratio: { of: candidat } }, threshold: 1 }] } }\n",
            &[
                "`of` must be `candidate`, `control` or `service`, got `candidat`",
                "did you mean `candidate`?",
            ],
        ),
        (
            "version: 1\njudge: { n_of_m: { limits: [{ name: a, reads: { latency: { window_ms: 5 } }, above: 1 }] } }\n",
            &["`window_ms` must be between 1000 and 86400000, got 5", "policy.yaml:2:"],
        ),
    ] {
        let found = problems(text);
        for words in expected {
            assert!(found.contains(words), "`{words}` is not in:\n{found}");
        }
    }
}

#[test]
fn problems_of_rules_have_their_place() {
    for (steps, expected) in [
        (
            "[{ all: [{ signal: error_rtio, above: 0.1 }] }]",
            &["there is no signal `error_rtio`", "did you mean `error_ratio`?"][..],
        ),
        ("[{ all: [{ signal: error_ratio, above: 5 }] }]", &["`error_ratio` is a ratio", "write `0.05`"]),
        (
            "[{ all: [{ signal: cpu, above: 0.5, below: 0.9 }] }]",
            &["exactly one of `above` and `below`", "two conditions"],
        ),
        ("[{ all: [{ signal: cpu }] }]", &["exactly one of `above` and `below`"]),
        ("[{ all: [{ signal: cpu, above: 0.5 }], within: 5m }]", &["the first step comes after nothing"]),
        (
            "[{ all: [{ signal: cpu, above: 0.5 }] }, { all: [{ signal: cpu, above: 0.9 }], for: 5m, within: 1m }]",
            &["`within` must be at least 5m"],
        ),
    ] {
        let found = problems(&format!("version: 1\nrules:\n  - {{ name: a, then: hold, steps: {steps} }}\n"));
        for words in expected.iter().chain(&["error[P041]", "policy.yaml:3:"]) {
            assert!(found.contains(words), "`{words}` is not in:\n{found}");
        }
    }
    for empty in ["[]", "[{ all: [] }]"] {
        let found = problems(&format!("version: 1\nrules: [{{ name: a, then: hold, steps: {empty} }}]\n"));
        assert!(found.contains("must have at least 1"), "{found}");
    }
    let twice = "{ name: a, then: hold, steps: [{ all: [{ signal: cpu, above: 0.5 }] }] }";
    assert!(problems(&format!("version: 1\nrules: [{twice}, {twice}]\n")).contains("already a rule `a`"));
    let unknown = format!("version: 1\nrules: [{}]\n", twice.replace("hold", "reboot"));
    assert!(problems(&unknown).contains("`roll_back` or `hold`"), "{}", problems(&unknown));
}

#[test]
fn another_judges_play_has_no_rules_beside_it() {
    let rule = "{ name: a, then: roll_back, steps: [{ all: [{ signal: cpu, above: 0.5 }] }] }";
    let own = good(&format!("version: 1\nrules: [{rule}]\n"));
    assert_eq!(own.settings.rules.len(), 1);
    assert!(own.with_judge(JudgeName::Flagger).settings.rules.is_empty(), "its original has none");
    assert_eq!(own.with_judge(JudgeName::EDetector), own);
}

#[test]
fn the_effective_default_is_known() {
    insta::assert_snapshot!(good("version: 1\n").show());
}

#[test]
fn the_schema_accepts_the_default() {
    let schema = schema();
    let valid = jsonschema::validator_for(&schema).expect("a valid schema");
    assert!(valid.is_valid(&good(FULL).to_json()));
}

#[test]
fn structural_problems_are_said_at_once() {
    insta::assert_snapshot!(problems(
        "version: 1\njudge: { e_detectr: {} }\ncolect_every: 15s\nmissing_data: { then: rollback, tolerate: 60 }\n\
         attribution: { on: { dependency_health_min: 80 } }\nplanning: { stage_factors: [0.5, 1] }\n\
         approvals: { standing: [{ environment: prod, approver: ann }] }\n\
         calendar: { freezes: [{ name: winter, from: tomorrow, until: 2032-01-02T00:00:00Z }] }\nnotify: [slak]\n"
    ));
}

#[test]
fn how_plans_went_is_read_and_written_and_checked() {
    let row = "{ strategy: immediate, capacity: high, runs: 40, completed: 12 }";
    let policy = good(&format!("version: 1\nplanning: {{ success: [{row}], success_min: 0.6 }}\n"));
    let rows = policy.settings.planning.success.rows();
    assert_eq!((rows.len(), rows[0].runs, rows[0].completed), (1, 40, 12));
    assert_eq!(good(&policy.show()).settings, policy.settings, "as it is written out");
    let more = problems(&format!("version: 1\nplanning: {{ success: [{}] }}\n", row.replace("12", "41")));
    assert!(more.contains("error[P042]") && more.contains("at most `runs` = 40"), "{more}");
    let twice = problems(&format!("version: 1\nplanning: {{ success: [{row}, {row}] }}\n"));
    assert!(twice.contains("already a row for such plans by immediate"), "{twice}");
    let unknown = problems("version: 1\nplanning: { success_min: 1.5 }\n");
    assert!(unknown.contains("success_min"), "{unknown}");
}

#[test]
fn broken_rules_are_said_at_once() {
    insta::assert_snapshot!(problems(
        "version: 1\njudge: { weighted: { error_ratio: 5 } }\ncollect_every: 10ms\n\
         severity: { effect: { critical_points: 5, high_points: 20 } }\n\
         missing_data: { tolerate: 20m }\nplanning: { stage_factors: [0.5, 0.7] }\n\
         approvals: { standing: [{ environment: production, approver: ann }] }\n\
         calendar: { freezes: [{ name: winter, from: 2032-01-02T00:00:00Z, until: 2031-12-20T00:00:00Z }] }\n\
         custom:\n  - { name: cpu, query: max(cpu), worse: higher }\n"
    ));
}

#[test]
fn a_bad_query_is_pointed_at_inside_the_file() {
    insta::assert_snapshot!(problems(
        "version: 1\nsignals:\n  error_ratio: sum(rate(http_requests_total[15m])\n  cpu: 'max(container_cpu_ratio{pod=''x''}'\n\
           \x20 throughput: >-\n    sum(\n      rat(http_requests_total[15m]))\n  memory: \"\"\n  latency_p99: topk(3, up)\n"
    ));
}

/// A valid policy, or problems of which each has a place in the text.
fn answers(text: &str) {
    if let Err(found) = read(text) {
        assert!(!found.list.is_empty());
        for problem in &found.list {
            let span = problem.span.clone().expect("every problem of a text has a place");
            assert!(span.start <= span.end && span.end <= text.len(), "{problem:?}");
            assert!(problem.line >= 1 && problem.column >= 1);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_answered(text in "\\PC{0,200}") {
        answers(&text);
    }

    #[test]
    fn arbitrary_queries_are_answered(query in "[a-z(){}\\[\\]0-9m\"'=,é /+*-]{0,40}") {
        let quoted = query.replace('\'', "''");
        answers(&format!("version: 1\nsignals: {{ cpu: '{quoted}' }}\n"));
    }

    #[test]
    fn mutilated_files_are_answered(
        at in 0usize..5000,
        cut in 0usize..40,
        with in prop::sample::select(vec!["", ":", "\n", "  ", "{", "]", "-1", "1e300", "null", "é", "*a", "0s", "9999999d", "\"", "'", "[15m", ")"]),
    ) {
        let mut start = at.min(FULL.len());
        while !FULL.is_char_boundary(start) { start -= 1; }
        let mut end = (start + cut).min(FULL.len());
        while !FULL.is_char_boundary(end) { end -= 1; }
        answers(&format!("{}{with}{}", &FULL[..start], &FULL[end.max(start)..]));
    }
}

#[test]
fn a_window_that_never_opens_is_refused() {
    let text = "version: 1\ncalendar:\n  windows:\n    - { days: [monday], from: '22:00', until: '06:00' }\n    \
        - { days: [sunday], from: '9:00', until: '25:00' }\napprovals: { valid: 0s }\n\
        execution: { resume_within: 1s }\n";
    let said = problems(text);
    for words in [
        "`until` must come after `from` of 22:00, got 06:00",
        "`from` must be a time of the day such as `09:00`, got `9:00`",
        "got `25:00`",
        "`valid` must not be zero",
        "`resume_within` must be at least `collect_every` of 15s, got 1s",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn a_policy_of_a_record_of_version_1_means_the_same() {
    let now = "version: 1\ncalendar: { freezes: [{ name: eve, from: 2031-12-20T00:00:00Z, until: 2032-01-02T00:00:00Z }] }";
    let now = good(now);
    let mut then = now.to_json();
    let fields = then.as_object_mut().expect("an object");
    let calendar = fields.remove("calendar").expect("it is there");
    fields.insert("freezes".to_owned(), calendar["freezes"].clone());
    for newer in
        ["timeout", "retries_max", "breaker", "effects_per_minute", "effects_max", "turns", "resume_within"]
    {
        fields["execution"].as_object_mut().expect("an object").remove(newer).expect("it is there");
    }
    let then = from_json(&then).expect("it can be read");
    assert_eq!(then.settings, now.settings);
}
