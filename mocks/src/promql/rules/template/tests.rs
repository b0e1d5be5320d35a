use proptest::prelude::*;

use super::*;

fn external() -> External {
    External { labels: Labels::new([("site", "eqiad")]), url: "http://prom.example/base".to_owned() }
}

#[track_caller]
fn expanded(text: &str) -> Result<String, String> {
    let labels = Labels::new([("instance", "db1.example:9100"), ("job", "db")]);
    let template = Template::parse(text).map_err(|error| format!("{}: {error}", error.offset))?;
    let scope = Scope { labels: &labels, value: 0.123_456, external: &external() };
    let mut ask = |query: &str| match query {
        "two" => Ok(vec![(Labels::new([("pod", "b")]), 2.0), (Labels::new([("pod", "a")]), 1e6)]),
        "none" => Ok(Vec::new()),
        other => Err(format!("cannot answer {other}")),
    };
    template.expand(scope, &mut ask).map_err(|error| error.to_string())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(expanded(text), Err(expected.to_owned()), "{text}");
}

#[test]
fn variables_fields_and_maps() {
    check("{{ $labels.job }} on {{.Labels.instance}}{{ $labels.nope }}", "db on db1.example:9100");
    check("{{ $labels }}", "map[instance:db1.example:9100 job:db]");
    check("{{ $value }} {{ .Value }} {{ $externalLabels.site }}", "0.123456 0.123456 eqiad");
    check(
        "{{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
        "http://prom.example/base http://prom.example/base /base",
    );
    check("{{ index $labels \"job\" }} {{ len $labels }}", "db 2");
}

#[test]
fn numbers_as_prometheus_shows_them() {
    check("{{ $value | humanizePercentage }}", "12.35%");
    check("{{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ 0 | humanize }}", "1.235M 120u 0");
    check(
        "{{ \"43200\" | humanizeDuration }} {{ humanizeDuration 61 }} {{ humanizeDuration -0.25 }}",
        "12h 0m 0s 1m 1s -250ms",
    );
    check("{{ humanizeDuration 1.5 }} {{ humanizeDuration 90061 }}", "1.5s 1d 1h 1m 1s");
    check(
        "{{ humanize1024 1048576.0 }} {{ humanizeTimestamp 1435065584.128 }}",
        "1Mi 2015-06-23 13:19:44.128 +0000 UTC",
    );
    check(
        "{{ printf \"%.2f|%5.1f|%-6s|%d|%v|%%|%g\" $value 2.0 \"ab\" 7 1e6 1e-5 }}",
        "0.12|  2.0|ab    |7|1e+06|%|1e-05",
    );
    check("{{ printf \"%d\" $value }}", "%!d(float64=0.123456)");
    check("{{ printf \"%s %s\" \"a\" }}{{ printf \"x\" 1 }}", "a %!s(MISSING)x%!(EXTRA int=1)");
    check("{{ printf \"%0.0f\" $value}}{{ printf \"%05d\" -42 }}", "0-0042");
}

#[test]
fn text_functions() {
    check("{{ $labels.instance | stripPort }} {{ stripDomain \"a.b.c:9\" }}", "db1.example a:9");
    check("{{ reReplaceAll \"([^.:]+)([.:].*)?\" \"$1\" $labels.instance }}", "db1");
    check("{{ $labels.instance | reReplaceAll \"^([^:]+).*\" \"${1}\" }}", "db1.example");
    check("{{ title \"ab cd\" }} {{ toUpper \"x\" }} {{ match \"a+\" \"caat\" }}", "Ab Cd X true");
    check("{{ urlquery \"a b\" }} {{ print 1 2 \"x\" 3 }}", "a+b 1 2x3");
}

#[test]
fn control_and_trimming() {
    check("a {{- /* note */ -}} b", "ab");
    check("{{ if gt $value 1.0 }}much{{ else if gt $value 0.1 }}some{{ else }}none{{ end }}", "some");
    check("{{ $s := \"\" }}{{ if true }}{{ $s = \"s\" }}{{ end }}alert{{ $s }}", "alerts");
    check("{{ with $labels.nope -}} x {{- else -}} none {{- end }}", "none");
    check("{{ range $k, $v := $labels }}{{ $k }};{{ end }}", "instance;job;");
    check("{{ if and $labels.job (not $labels.nope) }}yes{{ end }}{{ if or false 0 }}no{{ end }}", "yes");
    check("{{ if eq $labels.job \"web\" \"db\" }}one of them{{ end }}", "one of them");
}

#[test]
fn queries() {
    check(
        "{{ query \"two\" | first | value }} {{ with query \"none\" }}x{{ else }}nothing{{ end }}",
        "2 nothing",
    );
    check(
        "down: {{- range query \"two\" | sortByLabel \"pod\" }} - {{ .Labels.pod }} {{ .Value }} {{- end }}",
        "down: - a 1e+06 - b 2",
    );
    check("{{ (query \"two\" | first).Labels.pod }} {{ label \"pod\" (query \"two\" | first) }}", "b b");
    refused("{{ query \"three\" }}", "error calling query: cannot answer three");
    refused("{{ query \"none\" | first }}", "error calling first: first() called on vector with no elements");
}

#[test]
fn refusals_have_their_place() {
    refused("ab {{ nope }}", "6: function \"nope\" not defined");
    refused("{{ $x }}", "3: undefined variable \"$x\"");
    refused("{{ if true }}", "2: `if` without `end`");
    refused("{{ .Value ", "10: unclosed action");
    refused("x{{ end }}", "3: unexpected {{end}}");
    refused("{{ 1 2 }}", "7: can't give argument to non-function");
    refused("{{ define \"x\" }}{{ end }}", "2: `define` is not supported in templates here");
    refused("{{ $labels.a.b }}", "can't evaluate field b in type string");
    refused("{{ $.labels.service }}", "can't evaluate field labels in type struct");
    refused("{{ if gt $value 1 }}{{ end }}", "error calling gt: incompatible types for comparison");
}

proptest! {
    #[test]
    fn any_text_is_expanded_or_refused(text in "\\PC{0,60}") {
        let _ = expanded(&text);
    }

    #[test]
    fn any_actions_are_expanded_or_refused(words in proptest::collection::vec(prop_oneof![
        Just("{{"), Just("}}"), Just("{{-"), Just("-}}"), Just("if"), Just("else"), Just("end"), Just("range"), Just("with"),
        Just("$x"), Just(":="), Just("="), Just("|"), Just("("), Just(")"), Just("."), Just(".Labels"), Just("$labels.job"),
        Just("$value"), Just("printf"), Just("\"%5.2f\""), Just("query"), Just("\"two\""), Just("first"), Just("1.5"), Just("-3"),
        Just("humanize"), Just("index"), Just("/*"), Just("*/"), Just("`"), Just("\""), Just(","), Just("é"), Just("{{ end }}"),
    ], 0..24), glue in prop_oneof![Just(" "), Just("")]) {
        let _ = expanded(&words.join(glue));
    }

    #[test]
    fn text_without_actions_stays(text in "[^{]{0,40}") {
        prop_assert_eq!(expanded(&text), Ok(text));
    }
}
