//! Every core and wide case gives the recorded answer: status, error type and text, shape, values.

use super::golden::{Scope, cases, data, limits, settings, store};

#[test]
fn answers_as_the_real_server() {
    let (text, more) = data();
    let (store, settings) = (store(&text, &more), settings());
    let cases = cases();
    let mut agreed = 0;
    let mut differences = Vec::new();
    for (scope, case) in &cases {
        match case.difference(&store, &settings) {
            None => agreed += 1,
            Some(difference) if *scope != Scope::Out => {
                differences.push(format!("{}: {difference}", case.name));
            }
            Some(_) => {}
        }
    }
    let of = |wanted: Scope| cases.iter().filter(|(scope, _)| *scope == wanted).count();
    println!(
        "{agreed} of {} recorded cases agree; {} core, {} wide, {} out",
        cases.len(),
        of(Scope::Core),
        of(Scope::Wide),
        of(Scope::Out)
    );
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn only_cases_that_differ_are_out() {
    let (text, more) = data();
    let (store, settings) = (store(&text, &more), settings());
    let cases = cases();
    let out = cases.iter().filter(|(scope, _)| *scope == Scope::Out);
    let agree: Vec<&str> = out
        .filter(|(_, case)| case.difference(&store, &settings).is_none())
        .map(|(_, case)| case.name.as_str())
        .collect();
    assert!(agree.is_empty(), "claim these: {agree:?}");
}

#[test]
fn too_many_samples_are_refused_as_by_the_real_server() {
    let (text, more) = data();
    let (store, mut settings) = (store(&text, &more), settings());
    settings.options.bounds.samples_max = 1_000;
    for case in limits() {
        assert_eq!(case.difference(&store, &settings), None, "{}", case.name);
    }
}
