//! A strict reader of the OpenMetrics 1.0 text format, as far as counters, gauges and histograms go. It takes less than the
//! standard allows: labels without escapes, no time stamps, no exemplars. Source: the OpenMetrics specification 1.0.0,
//! "Text format" and "Metric Types".

use std::collections::{BTreeMap, BTreeSet};

/// A family as it is read.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    unit: Option<String>,
    help: bool,
    /// Labels without `le`, in order of name, and the buckets' bounds and counts, `_count` and whether there is a `_sum`.
    histograms: BTreeMap<String, Buckets>,
    /// Names of labels, which should be the same in a family.
    labels: Option<BTreeSet<String>>,
    samples: usize,
}

#[derive(Default)]
struct Buckets {
    bounds: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: bool,
}

/// What is wrong with the text first, if anything is.
pub(super) fn check(text: &str) -> Result<(), String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with `# EOF`")?;
    let mut names = BTreeSet::new();
    let mut series = BTreeSet::new();
    let mut family = Family::default();
    for line in body.lines() {
        read(line, &mut family, &mut names, &mut series).map_err(|wrong| format!("{wrong}: `{line}`"))?;
    }
    family.close()
}

fn read(
    line: &str,
    family: &mut Family,
    names: &mut BTreeSet<String>,
    series: &mut BTreeSet<String>,
) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        family.close()?;
        let (name, kind) = rest.split_once(' ').ok_or("no type")?;
        if !is_name(name) || !["counter", "gauge", "histogram"].contains(&kind) || name.ends_with("_total") {
            return Err("not a family".into());
        }
        if !names.insert(name.to_owned()) {
            return Err("a family that was there before".into());
        }
        *family = Family { name: name.to_owned(), kind: kind.to_owned(), ..Family::default() };
        return Ok(());
    }
    let named = |rest: &str| rest.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
    if let Some((name, unit)) = line.strip_prefix("# UNIT ").and_then(named) {
        let fits = name == family.name && name.ends_with(&format!("_{unit}")) && !unit.is_empty();
        let first = family.unit.replace(unit).is_none() && family.samples == 0;
        return if fits && first { Ok(()) } else { Err("a unit out of place".into()) };
    }
    if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(named) {
        let fits = name == family.name && !help.contains(['\\', '"']);
        let first = !std::mem::replace(&mut family.help, true) && family.samples == 0;
        return if fits && first { Ok(()) } else { Err("a help out of place".into()) };
    }
    if line.starts_with('#') || line.is_empty() {
        return Err("neither a sample nor one of `# TYPE`, `# UNIT`, `# HELP`".into());
    }
    family.sample(line, series)
}

impl Family {
    fn sample(&mut self, line: &str, series: &mut BTreeSet<String>) -> Result<(), String> {
        self.samples += 1;
        let (what, value) = line.rsplit_once(' ').ok_or("no value")?;
        let value: f64 = value.parse().ok().filter(|v: &f64| v.is_finite()).ok_or("not a finite value")?;
        let (name, labels) = match what.split_once('{') {
            Some((name, rest)) => (name, labels(rest.strip_suffix('}').ok_or("a brace is open")?)?),
            None => (what, BTreeMap::new()),
        };
        if !series.insert(format!("{name}{labels:?}")) {
            return Err("a series that was there before".into());
        }
        let suffix = name.strip_prefix(&self.name).ok_or("not of this family")?;
        let mut own = labels.clone();
        let bound = own.remove("le");
        let names: BTreeSet<String> = own.keys().cloned().collect();
        if *self.labels.get_or_insert(names.clone()) != names {
            return Err("other labels than the series before".into());
        }
        let buckets = self.histograms.entry(format!("{own:?}")).or_default();
        match (self.kind.as_str(), suffix, bound) {
            ("counter", "_total", None) if value >= 0.0 => Ok(()),
            ("gauge", "", None) => Ok(()),
            ("histogram", "_bucket", Some(bound)) => {
                let number = if bound == "+Inf" { Ok(f64::INFINITY) } else { bound.parse() };
                let canonical = bound == "+Inf" || bound.contains('.');
                let number = number.ok().filter(|_| canonical).ok_or("a bound that is no float")?;
                buckets.bounds.push((number, value));
                Ok(())
            }
            ("histogram", "_count", None) => {
                buckets.count = Some(value);
                Ok(())
            }
            ("histogram", "_sum", None) if value >= 0.0 => {
                buckets.sum = true;
                Ok(())
            }
            _ => Err("no sample of a family of this type".into()),
        }
    }

    /// Once nothing more of it comes.
    fn close(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Ok(());
        }
        let wrong = |what: &str| Err(format!("{what}: family `{}`", self.name));
        if !self.help {
            return wrong("no help");
        }
        if self.name.ends_with("_seconds") != self.unit.is_some() {
            return wrong("a unit that the name does not say, or the other way round");
        }
        if self.kind != "histogram" {
            return Ok(());
        }
        for buckets in self.histograms.values() {
            let rises = buckets.bounds.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
            let whole = buckets.bounds.last().is_some_and(|(bound, n)| {
                bound.is_infinite() && buckets.count.is_some_and(|count| count.to_bits() == n.to_bits())
            });
            if !rises || !whole || !buckets.sum {
                return wrong("buckets that do not rise to `_count`, or no `_sum`");
            }
        }
        Ok(())
    }
}

fn labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').ok_or("a label without a value")?;
        let value =
            value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).ok_or("a value without quotes")?;
        if !is_name(name) || name.contains(':') || value.contains(['"', '\\']) || value.is_empty() {
            return Err("not a label".into());
        }
        if all.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err("a label that comes twice".into());
        }
    }
    Ok(all)
}

fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[test]
fn what_breaks_a_rule_is_found() {
    let good = "# TYPE a counter\n# HELP a x\na_total{b=\"c\"} 1\n# EOF\n";
    assert_eq!(check(good), Ok(()));
    for (from, to) in [
        ("# EOF\n", ""),
        ("a_total{b=\"c\"} 1\n", "a{b=\"c\"} 1\n"),
        ("a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} 1\na_total{b=\"c\"} 1\n"),
        ("a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} 1\na_total 1\n"),
        ("a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} NaN\n"),
        ("{b=\"c\"}", "{,b=\"c\"}"),
        ("{b=\"c\"}", "{b-d=\"c\"}"),
        ("# HELP a x\n", ""),
        ("# HELP a x\n", "# HELP a x\n\n"),
        ("# HELP a x\n", "# UNIT a seconds\n# HELP a x\n"),
        ("# EOF\n", "# TYPE a counter\n# HELP a x\n# EOF\n"),
        ("# EOF\n", "# TYPE b counter\n# HELP b x\na_total{b=\"d\"} 1\n# EOF\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(check(&bad).is_err(), "{bad}");
    }
    let good = "# TYPE h histogram\n# HELP h x\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n# EOF\n";
    assert_eq!(check(good), Ok(()));
    for (from, to) in [
        ("le=\"1.0\"} 1", "le=\"1.0\"} 3"),
        ("le=\"1.0\"", "le=\"1\""),
        ("h_bucket{le=\"+Inf\"} 2\n", ""),
        ("h_count 2", "h_count 1"),
        ("h_sum 3\n", ""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(check(&bad).is_err(), "{bad}");
    }
}
