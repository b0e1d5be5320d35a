//! Where a part stands in a policy: `planning.stage_factors[0]`.

use std::fmt;

use serde_json::Value as Json;

use backspin_policy::document::nearest::{nearest, one_of};

/// A way into a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Field(String),
    Item(usize),
}

/// Why a text is no way into a policy, or the way leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It is not fields and places.
    #[error("`{path}` is not a path: write fields with dots between them, and places of lists as `[0]`")]
    Syntax {
        /// What was found.
        path: String,
    },
    /// A field is not there.
    #[error("a policy has no `{field}` in `{within}`; there are {known}")]
    Field {
        /// What was found.
        field: String,
        /// Where.
        within: String,
        /// What is there.
        known: String,
        /// The nearest of it.
        nearest: Option<String>,
    },
    /// A list is shorter.
    #[error("`{within}` has {len} entries; there is no `[{item}]`")]
    Item {
        /// The list.
        within: String,
        /// Its length.
        len: usize,
        /// What was asked for.
        item: usize,
    },
    /// The way goes on where a policy ends.
    #[error("`{within}` is a single value; nothing is within it")]
    Beyond {
        /// The value.
        within: String,
    },
    /// It does not lead to a single value.
    #[error("`{path}` is not a single value; within it there are {known}")]
    NotSingle {
        /// The path.
        path: String,
        /// What is within.
        known: String,
    },
}

impl BadPath {
    /// What was probably meant.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Field { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            _ => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if n == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for Path {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bad = || BadPath::Syntax { path: text.to_owned() };
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, mut rest) = part.find('[').map_or((part, ""), |at| part.split_at(at));
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                return Err(bad());
            }
            steps.push(Step::Field(name.to_owned()));
            while !rest.is_empty() {
                let (item, after) = rest.strip_prefix('[').and_then(|r| r.split_once(']')).ok_or_else(bad)?;
                if item.is_empty() || !item.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(bad());
                }
                steps.push(Step::Item(item.parse().map_err(|_| bad())?));
                rest = after;
            }
        }
        Ok(Self(steps))
    }
}

impl Path {
    /// Whether it names which judge decides.
    pub fn is_judge(&self) -> bool {
        matches!(self.0.as_slice(), [Step::Field(first)] if first == "judge")
    }

    /// The judge whose parameter it names, if it names one.
    pub fn judge(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Step::Field(first), Step::Field(judge), ..] if first == "judge" => Some(judge),
            _ => None,
        }
    }

    /// The value it leads to.
    pub fn find<'j>(&self, policy: &'j Json) -> Result<&'j Json, BadPath> {
        let mut here = policy;
        for (n, step) in self.0.iter().enumerate() {
            let within = || if n == 0 { "policy".to_owned() } else { Self(self.0[..n].to_vec()).to_string() };
            here =
                match (step, here) {
                    (Step::Field(name), Json::Object(fields)) => {
                        fields.get(name).ok_or_else(|| BadPath::Field {
                            field: name.clone(),
                            within: within(),
                            known: one_of(fields.keys().map(String::as_str)).replace(" or ", " and "),
                            nearest: nearest(name, fields.keys().map(String::as_str)).map(str::to_owned),
                        })?
                    }
                    (Step::Item(item), Json::Array(items)) => items
                        .get(*item)
                        .ok_or_else(|| BadPath::Item { within: within(), len: items.len(), item: *item })?,
                    _ => return Err(BadPath::Beyond { within: within() }),
                };
        }
        Ok(here)
    }

    /// The single value it leads to.
    pub fn find_single<'j>(&self, policy: &'j Json) -> Result<&'j Json, BadPath> {
        let known = match self.find(policy)? {
            Json::Object(fields) => one_of(fields.keys().map(String::as_str)).replace(" or ", " and "),
            Json::Array(items) => format!("{} entries", items.len()),
            single => return Ok(single),
        };
        Err(BadPath::NotSingle { path: self.to_string(), known })
    }

    /// Puts a value where it leads; whether it leads there.
    pub fn put(&self, policy: &mut Json, value: Json) -> bool {
        let mut here = policy;
        for step in &self.0 {
            let next = match step {
                Step::Field(name) => here.get_mut(name.as_str()),
                Step::Item(item) => here.get_mut(*item),
            };
            let Some(next) = next else { return false };
            here = next;
        }
        *here = value;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn policy() -> Json {
        json!({
            "judge": { "e_detector": { "alpha": 0.01, "watch_ms": 3_600_000 } },
            "planning": { "stage_factors": [0.5, 0.25] },
        })
    }

    #[track_caller]
    fn check(path: &str, expected: Result<Json, &str>) {
        let found = path.parse::<Path>().and_then(|path| path.find_single(&policy()).cloned());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(words)) => {
                let told = format!("{error} {}", error.hint().unwrap_or_default());
                assert!(told.contains(words), "{told}");
            }
            (found, expected) => panic!("{found:?} {expected:?}"),
        }
    }

    #[test]
    fn paths_lead_to_single_values() {
        check("judge.e_detector.alpha", Ok(json!(0.01)));
        check("planning.stage_factors[1]", Ok(json!(0.25)));
        check("planning.stage_factors[2]", Err("has 2 entries; there is no `[2]`"));
        check("planning.stage_factor[0]", Err("did you mean `stage_factors`?"));
        check("judge.e_detector.alhpa", Err("did you mean `alpha`?"));
        check("judge.e_detector", Err("within it there are `alpha` and `watch_ms`"));
        check("judge.e_detector.alpha.x", Err("`judge.e_detector.alpha` is a single value"));
        for bad in ["", ".", "a..b", "a[", "a[x]", "a[0", "[0]", "a b", "a[]", "a[+1]"] {
            check(bad, Err("is not a path"));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_a_path_is_written_as_it_was_read(
            names in proptest::collection::vec("[a-z_]{1,8}(\\[[0-9]{1,3}\\])?", 1..5)
        ) {
            let text = names.join(".");
            let path: Path = text.parse().expect("a path");
            let again: Path = path.to_string().parse().expect("a path");
            prop_assert_eq!(path, again);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,40}") {
            if let Ok(path) = text.parse::<Path>() {
                let _ = path.find(&policy());
            }
        }

        #[test]
        fn what_is_put_is_found(value in 0.0_f64..1.0, item in 0_usize..2) {
            let path: Path = format!("planning.stage_factors[{item}]").parse().expect("a path");
            let mut policy = policy();
            prop_assert!(path.put(&mut policy, json!(value)));
            prop_assert_eq!(path.find(&policy).expect("there"), &json!(value));
        }
    }
}
