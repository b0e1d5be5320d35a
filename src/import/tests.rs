//! The list, the places, and what no text may do.

use super::*;
use backspin_domain::id::ActorId;
use backspin_policy::document::FileKind;

fn read(text: &str, options: &Options) -> Import {
    import(&[Source::new(FileKind::Policy, "a.yaml", text)], options)
}

fn plain(text: &str) -> Import {
    read(text, &Options::default())
}

/// Whether some finding has this fate, line and words.
#[track_caller]
fn says(found: &Import, fate: Fate, line: usize, words: &str) {
    let fits = |f: &&Finding| f.fate == fate && f.line == line && f.why.contains(words);
    assert!(
        found.findings.iter().any(|f| fits(&f)),
        "no {fate:?} in line {line} with `{words}` in {:#?}",
        found.findings
    );
}

const TEMPLATE: &str = "apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: { name: a }
spec:
  metrics:
  - name: rate
    interval: 60s
    successCondition: result[0] >= 95
    provider:
      prometheus:
        query: |
          sum(rate(x_total{app=\"shop\",code=\"2xx\"}[1m]))
          / sum(rate(x_total{app=\"shop\"}[1m]))
";

#[test]
fn other_providers_are_named_with_their_line() {
    let text = TEMPLATE.replace("prometheus:\n", "datadog:\n");
    let found = plain(&text);
    says(&found, Fate::Lost, 10, "asked of `datadog`");
    assert!(found.policy.is_none() && !found.is_whole());
}

#[test]
fn a_query_that_is_none_is_pointed_at_inside_the_file() {
    let found = plain(&TEMPLATE.replace("/ sum(rate(", "/ sum(rate(("));
    says(&found, Fate::Lost, 13, "not PromQL");
}

#[test]
fn a_percentage_asked_of_a_ratio_looks_wrong() {
    says(&plain(TEMPLATE), Fate::Doubtful, 8, "none of these is good");
}

#[test]
fn fields_that_are_not_known_are_named_with_the_nearest() {
    let found = plain(&TEMPLATE.replace("interval: 60s", "intervall: 60s"));
    says(&found, Fate::Lost, 7, "did you mean `interval`?");
}

#[test]
fn conditions_that_name_the_service_are_mapped_when_told() {
    let maps = vec![("app".to_owned(), "shop".to_owned()), ("team".to_owned(), "x".to_owned())];
    let found = read(TEMPLATE, &Options { maps, ..Options::default() });
    let policy = found.policy.expect("a policy");
    assert!(
        policy.contains("service=\\\"$service\\\",code") || policy.contains("service=\"$service\",code"),
        "{policy}"
    );
    assert!(found.notes.iter().any(|note| note.contains("team=x")), "{:?}", found.notes);
    let kept = plain(TEMPLATE);
    assert!(
        kept.notes.iter().any(|note| note.contains("no simulated service has `x_total`")),
        "{:?}",
        kept.notes
    );
}

#[test]
fn arguments_are_given_on_the_command_line_or_stand_for_the_service() {
    let text = TEMPLATE.replace("app=\"shop\"", "app=\"{{args.app}}\",port=\"{{args.port}}\"");
    says(&plain(&text), Fate::Lost, 12, "argument `port` has no value in these files");
    let arguments = [("port".to_owned(), "80".to_owned())].into();
    let found = read(&text, &Options { arguments, ..Options::default() });
    says(&found, Fate::Changed, 12, "stands for the service's name");
    assert!(found.is_whole(), "{:#?}", found.findings);
}

#[test]
fn a_document_that_is_no_yaml_is_one_finding() {
    let found = plain(&format!("{TEMPLATE}---\nb: [\n"));
    assert!(found.policy.is_some());
    says(&found, Fate::Lost, 15, "not valid YAML");
}

#[test]
fn of_two_tools_one_judges_and_the_other_is_named() {
    let rules = "groups: [ { name: a, rules: [ { alert: A, expr: up == 0 } ] } ]\n";
    let found = plain(&format!("{rules}---\n{TEMPLATE}"));
    says(&found, Fate::Lost, 1, "a policy has one judge");
}

#[test]
fn objects_beside_are_left_out() {
    let found = plain(&format!("kind: Service\napiVersion: v1\n---\n{TEMPLATE}"));
    says(&found, Fate::Beside, 1, "nothing that judges");
    assert!(found.is_whole(), "{:#?}", found.findings);
}

#[test]
fn a_policy_of_ours_is_told_from_files_of_others() {
    let is_ours = |text: &str| super::is_ours(&Source::new(FileKind::Policy, "a.yaml", text));
    assert!(is_ours("version: 1\njudge: { flagger: {} }\n"));
    assert!(is_ours("judge: { flagger: {} }\n"));
    assert!(!is_ours(TEMPLATE));
    assert!(!is_ours("groups: []\n"));
    assert!(!is_ours("version: prometheus/v1\nslos: []\n"));
}

/// All texts of the cases.
const CASES: [&str; 8] = [
    include_str!("cases/argo.txt"),
    include_str!("cases/flagger.txt"),
    include_str!("cases/kayenta.txt"),
    include_str!("cases/keptn.txt"),
    include_str!("cases/prometheus.txt"),
    include_str!("cases/reference.txt"),
    include_str!("cases/pyrra.txt"),
    include_str!("cases/sloth.txt"),
];

fn file(n: usize) -> String {
    let sections: Vec<&str> = CASES.iter().flat_map(|text| text.split("=== ").skip(1)).collect();
    let section = sections[n % sections.len()];
    section.split_once("---\n").map_or(section, |(_, file)| file).to_owned()
}

/// Pieces that files are made of, to be put where they do not belong.
const PIECES: [&str; 24] = [
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "\n---\n",
    "null",
    "~",
    "-1",
    "1e999",
    "\"",
    "'",
    "{{",
    "}}",
    "${scope}",
    "&a ",
    "*a",
    "|\n",
    "99999999999999999999",
    "0s",
    "\u{e9}",
    "\t",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn no_change_of_a_file_makes_it_panic(
        n in 0_usize..200,
        changes in proptest::collection::vec((0_usize..2000, 0_usize..PIECES.len(), 0_usize..12), 1..6),
    ) {
        let mut text = file(n);
        for (at, piece, cut) in changes {
            let mut at = at % (text.len() + 1);
            while !text.is_char_boundary(at) { at -= 1; }
            let mut end = (at + cut).min(text.len());
            while !text.is_char_boundary(end) { end -= 1; }
            text.replace_range(at..end.max(at), PIECES[piece]);
        }
        let found = plain(&text);
        if let Some(policy) = &found.policy {
            let parsed = backspin_policy::parse(&Source::new(FileKind::Policy, "a policy", policy.as_str()));
            proptest::prop_assert!(parsed.is_ok(), "{policy}");
        }
        for finding in &found.findings {
            proptest::prop_assert!(finding.line >= 1 && finding.column >= 1 && !finding.why.is_empty());
        }
    }

    #[test]
    fn any_text_is_taken(text in "(kind|spec|groups|rules|alert|expr|metrics|query|[a-z]|: |\\n|  |- |\\{|\\}|[0-9]|---\\n){0,60}") {
        plain(&text);
    }
}

const DESIGN: &str = r#"rollback_threshold: 0.7
services:
  user-service: { supports_blue_green: true, supports_feature_flags: false }
progressive_rollback:
  tiers:
    application_tier:
      rollback_strategies: [immediate_traffic_redirect, container_restart, version_downgrad]
      rollback_triggers: { error_rate: "> 5%", availability: "< 99.9%", latency_p99: "> 5%", error_rte: "> 1" }
    database_tier:
      rollback_triggers: { replication_lag: "> 60s", deadlock_rate: lots }
  coordination:
    rollback_sequence: { 1: database_tier, 2: application_tier }
rollback_automation:
  decision_engine:
    ml_models: [anomaly_detection_model]
    human_in_the_loop:
      approval_required: [production_rollbacks]
      escalation_paths: { level_2: cto, level_1: on_call_engineer, level_x: nobody }
  execution_engine:
    parallel_execution: { max_concurrent_rollbacks: 7, resource_isolation: false }
"#;

#[test]
fn the_reference_design_is_carried_or_named_by_line() {
    let found = plain(DESIGN);
    says(&found, Fate::Doubtful, 1, "0.55 of 0.7");
    says(&found, Fate::Lost, 3, "`capabilities: [blue_green]` in its scenario");
    says(&found, Fate::Carried, 7, "the strategy `immediate`");
    says(&found, Fate::Lost, 7, "a restart keeps the version that is at fault");
    says(&found, Fate::Lost, 7, "did you mean `version_downgrade`?");
    says(&found, Fate::Carried, 8, "0.05");
    says(&found, Fate::Lost, 8, "as a limit on errors it stands under `error_rate`");
    says(&found, Fate::Lost, 8, "`%` is not what it counts in");
    says(&found, Fate::Lost, 8, "it is not a name of the design either");
    says(&found, Fate::Lost, 10, "a `custom` signal with the query");
    says(&found, Fate::Lost, 10, "`lots` is no limit");
    says(&found, Fate::Lost, 12, "no other order can be asked for");
    says(&found, Fate::Beside, 15, "no model behind it");
    says(&found, Fate::Changed, 17, "asked here too: high_impact_rollbacks, cross_tier_rollbacks");
    says(&found, Fate::Carried, 18, "asked in this order");
    says(&found, Fate::Lost, 18, "`level_1`, `level_2`");
    says(&found, Fate::Carried, 20, "`execution.executions_max`: 7");
    says(&found, Fate::Changed, 20, "it cannot be switched off here");
    let policy = found.policy.expect("it judges");
    let policy = backspin_policy::parse(&Source::new(FileKind::Policy, "imported", policy.as_str()));
    let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(policy.judge.name(), "weighted");
    assert_eq!(policy.settings.execution.executions_max, 7);
    let escalation: Vec<&str> = policy.settings.approvals.escalation.iter().map(ActorId::as_str).collect();
    assert_eq!(escalation, ["on_call_engineer", "cto"]);
}

#[test]
fn a_design_with_numbers_out_of_range_is_refused_by_place() {
    let found = plain(
        "rollback_threshold: 7\nthresholds: { error_rate: 5, latency_p99: -1, revenue_impact: 10000 }\n",
    );
    says(&found, Fate::Lost, 1, "7 is more than 1");
    says(&found, Fate::Lost, 2, "5 is more than 1; a share is wanted");
    says(&found, Fate::Lost, 2, "a number of zero or more is wanted");
    says(&found, Fate::Beside, 2, "no factor of the design's score reads it");
    let kinds = plain(
        "rollback_threshold: 0.5\nservices: { shop: { supports_blue_green: maybe }, cart: yes-it-can }\nprogressive_rollback:\n  \
         tiers:\n    application_tier:\n      rollback_strategies: version_downgrade\n      rollback_triggers: [error_rate]\n    \
         database_tier: none\nrollback_automation: []\n",
    );
    says(&kinds, Fate::Lost, 2, "`true` or `false` is wanted");
    says(&kinds, Fate::Lost, 2, "fields with values are wanted");
    says(&kinds, Fate::Lost, 6, "a list of names is wanted");
    says(&kinds, Fate::Lost, 7, "fields with values are wanted");
    says(&kinds, Fate::Lost, 8, "fields with values are wanted");
    says(&kinds, Fate::Lost, 9, "fields with values are wanted");
    let never =
        plain("rollback_threshold: 0.9\ndecision_weights: { error_rate: 0.1, latency_impact: 0.1 }\n");
    says(&never, Fate::Doubtful, 1, "is never reached");
}
