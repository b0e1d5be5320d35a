//! `backspin backtest` as a user meets it: saved answers in, a table and a report out; what is wrong, told with its place.

use std::fmt::Write as _;
use std::fs;

use assert_cmd::Command;
use tempfile::TempDir;

/// A whole hour.
const START_S: i64 = 1_793_700_000;

/// A folder with a deploy of `shop` one hour after [`START_S`], and three hours of its requests as an answer of a range query. From the deploy
/// on, a tenth of all goes to `v2`, of which half fail.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let deploys = format!(
        "service,time,version,outcome\nshop,{},v2,bad\nshop,{},v9,good\n",
        START_S + 3600,
        START_S - 9000
    );
    fs::write(at("deploys.csv"), deploys).expect("written");
    fs::create_dir(at("saved")).expect("made");
    let mut series = Vec::new();
    for (version, code, from, each) in
        [("v1", "200", 0, 400_i64), ("v1", "500", 0, 1), ("v2", "200", 241, 20), ("v2", "500", 241, 20)]
    {
        let mut values = String::new();
        for n in from..720 {
            let comma = if values.is_empty() { "" } else { "," };
            let _ = write!(values, "{comma}[{},\"{}\"]", START_S + n * 15, (n - from + 1) * each);
        }
        series.push(format!(
            r#"{{"metric":{{"__name__":"http_requests_total","code":"{code}","service":"shop","version":"{version}"}},"values":[{values}]}}"#
        ));
    }
    let answer =
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#, series.join(","));
    fs::write(at("saved/shop.json"), answer).expect("written");
    folder
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(folder: &TempDir, more: &[&str]) -> Ran {
    let (from, to) = (START_S.to_string(), (START_S + 3 * 3600).to_string());
    let mut args = vec!["backtest", "--from", &from, "--to", &to, "--deploys", "deploys.csv"];
    args.extend(more);
    let mut command = Command::cargo_bin("backspin").expect("built");
    command.current_dir(folder.path()).env_remove("BACKSPIN_POLICY").env("COLUMNS", "200");
    let output = command.args(args).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("ended"), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn saved_answers_are_judged_and_told_in_every_form() {
    let folder = folder();
    let ran = run(&folder, &["--recorded", "saved", "--out", "report", "--verdicts", "shop"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("e_detector would have rolled back 1 of 1 bad deploys."), "{}", ran.out);
    assert!(ran.out.contains("Open loop"), "{}", ran.out);
    assert!(ran.out.contains("deploys.csv:3: shop v9"), "what is outside the range is named: {}", ran.out);
    assert!(ran.out.contains("verdicts, score"), "{}", ran.out);
    for file in ["index.html", "backtest.md", "backtest.json"] {
        let text = fs::read_to_string(folder.path().join("report").join(file)).expect("written");
        assert!(text.contains("roll back") || text.contains("roll_back"), "{file}");
    }
    let json = run(&folder, &["--recorded", "saved", "--format", "json", "--judge", "e_detector"]);
    let report: serde_json::Value = serde_json::from_str(&json.out).expect("JSON and nothing else");
    let cell = &report["deploys"][0]["cells"][0];
    assert_eq!((cell["answer"].as_str(), report["version"].as_u64()), (Some("roll_back"), Some(1)));
    assert!(cell["after_ms"].as_u64().is_some_and(|ms| ms < 20 * 60_000), "{cell}");
    let again = run(&folder, &["--recorded", "saved", "--format", "json", "--judge", "e_detector"]);
    assert_eq!(again.out, json.out, "the same history gives the same bytes");
}

/// Ends with this code, prints no result, and says this on stderr.
#[track_caller]
fn refuses(folder: &TempDir, more: &[&str], code: i32, says: &[&str]) {
    let ran = run(folder, more);
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{more:?}: {}", ran.err);
    for words in says {
        assert!(ran.err.contains(words), "{more:?} does not say `{words}`:\n{}", ran.err);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_hint() {
    let folder = folder();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    put("bad.csv", "service,time,version\nshop,soon,v2\n");
    refuses(
        &folder,
        &["--recorded", "saved", "--deploys", "bad.csv"],
        2,
        &["bad.csv:2", "`time` is no moment", "D030"],
    );
    put("notes.txt", "hello\n");
    refuses(
        &folder,
        &["--recorded", "saved", "--deploys", "notes.txt"],
        2,
        &["no list of deploys", "write CSV with the columns"],
    );
    refuses(&folder, &["--recorded", "saved", "--deploys", "gone.csv"], 2, &["cannot read `gone.csv`"]);
    refuses(&folder, &["--recorded", "saved", "--metrics", "htp"], 2, &["did you mean `http`?"]);
    refuses(&folder, &["--recorded", "saved", "--watch", "1s"], 2, &["a watch of 1s has no scrape in it"]);
    refuses(&folder, &["--recorded", "saved", "--history", "20s"], 2, &["no whole number of scrapes"]);
    refuses(
        &folder,
        &["--recorded", "saved", "--verdicts", "cart"],
        2,
        &["no deploy in the range is of `cart`"],
    );
    refuses(&folder, &["--recorded", "saved", "--rate", "0/s"], 2, &["is no rate"]);
    refuses(
        &folder,
        &["--recorded", "saved", "--prometheus", "http://127.0.0.1:9"],
        2,
        &["cannot be used with"],
    );
    refuses(&folder, &["--prometheus", "nowhere"], 2, &["is no address of a Prometheus"]);
    put("saved/broken.json", "{\"status\":\"success\"");
    refuses(&folder, &["--recorded", "saved"], 2, &["broken.json", "no answer of a range query"]);
    refuses(&folder, &["--recorded", "nowhere"], 3, &["nowhere"]);
    fs::create_dir(folder.path().join("empty")).expect("made");
    refuses(&folder, &["--recorded", "empty"], 2, &["neither pieces nor `.json` answers"]);
}

#[test]
fn a_range_that_is_not_over_is_bad_input() {
    let folder = folder();
    let mut command = Command::cargo_bin("backspin").expect("built");
    command.current_dir(folder.path()).env_remove("BACKSPIN_POLICY");
    command.args(["backtest", "--prometheus", "http://127.0.0.1:9", "--deploys", "deploys.csv"]);
    let output = command.args(["--from", "1d", "--to", "9999999999"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("which is not over yet"));
}

#[test]
fn where_nothing_is_known_of_a_service_no_judge_can_tell() {
    let folder = folder();
    let answer = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    fs::write(folder.path().join("saved/shop.json"), answer).expect("written");
    let ran = run(&folder, &["--recorded", "saved", "--watch", "5m"]);
    assert_eq!(ran.code, 4, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("No judge could tell anything"), "{}", ran.out);
    assert!(ran.out.contains("no series of it was found"), "{}", ran.out);
}

/// `scenario fit` over the same folder.
fn fit(folder: &TempDir, service: &str, more: &[&str]) -> Ran {
    let (from, to) = (START_S.to_string(), (START_S + 3 * 3600).to_string());
    let mut command = Command::cargo_bin("backspin").expect("built");
    command.current_dir(folder.path()).env_remove("BACKSPIN_POLICY").env("COLUMNS", "200");
    command.args([
        "scenario",
        "fit",
        "--service",
        service,
        "--recorded",
        "saved",
        "--from",
        &from,
        "--to",
        &to,
    ]);
    let output = command.args(["--deploys", "deploys.csv"]).args(more).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("ended"), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_family_is_learned_and_can_be_checked_and_is_not_overwritten() {
    let folder = folder();
    let ran = fit(&folder, "shop", &["--out", "learned"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for words in
        ["requests per second", "identity", "written: learned", "note: no response times are counted"]
    {
        assert!(ran.out.contains(words), "`{words}` is missing:\n{}", ran.out);
    }
    let mut command = Command::cargo_bin("backspin").expect("built");
    let checked = command.current_dir(folder.path()).args(["scenario", "check", "learned"]).output();
    assert!(checked.expect("runs").status.success());
    let text = fs::read_to_string(folder.path().join("learned/errors.yaml")).expect("written");
    // 401 requests each 15 s, one of them failed.
    assert!(text.contains("rps: 26.73") && text.contains("error_ratio: 0.002"), "{text}");
    let again = fit(&folder, "shop", &["--out", "learned"]);
    assert_eq!((again.code, again.out.as_str()), (3, ""));
    assert!(again.err.contains("is there already"), "{}", again.err);
    let json = fit(&folder, "shop", &["--out", "other", "--format", "json"]);
    let learned: serde_json::Value = serde_json::from_str(&json.out).expect("JSON and nothing else");
    assert_eq!((learned["version"].as_u64(), learned["files"].as_array().map(Vec::len)), (Some(1), Some(5)));
}

#[test]
fn what_cannot_be_learned_is_refused_with_its_place_and_nothing_is_written() {
    let folder = folder();
    let refused = |service: &str, more: &[&str], code: i32, says: &[&str]| {
        let ran = fit(&folder, service, &[more, &["--out", "learned"]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{more:?}: {}", ran.err);
        for words in says {
            assert!(ran.err.contains(words), "{more:?} does not say `{words}`:\n{}", ran.err);
        }
        assert!(!folder.path().join("learned").exists(), "{more:?} wrote something");
    };
    refused("cart", &[], 2, &["no deploy in the range is of `cart`", "`shop`", "hint:"]);
    refused("a b", &[], 2, &["is not a valid name"]);
    refused(
        "shop",
        &["--history", "15m"],
        4,
        &["deploys.csv:2: 59 quiet scrapes", "at least 120", "--history"],
    );
    let gone = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    fs::write(folder.path().join("saved/shop.json"), gone).expect("written");
    refused("shop", &[], 2, &["deploys.csv:2: there are no requests of `shop`", "--metrics"]);
    // A scrape in four, by a server that knew nothing in between for longer than series live.
    let mut values = String::new();
    for n in (0..240).filter(|n| n % 60 < 15) {
        let comma = if values.is_empty() { "" } else { "," };
        let _ = write!(values, "{comma}[{},\"{}\"]", START_S + n * 15, n * 400);
    }
    let gaps = format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"__name__":"http_requests_total","code":"200","service":"shop","version":"v1"}},"values":[{values}]}}]}}}}"#
    );
    fs::write(folder.path().join("saved/shop.json"), gaps).expect("written");
    refused("shop", &[], 4, &["deploys.csv:2: only ", "of 240 scrapes before", "at least half are needed"]);
}
