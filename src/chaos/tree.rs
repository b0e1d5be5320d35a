//! A case as a tree of values: what can be taken out of it, and what of it is only as it is by default.

use serde_json::Value;

use super::case::Case;

/// One step into a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A field.
    Name(String),
    /// A place in a list.
    Place(usize),
}

/// A change of a tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Where.
    pub(super) path: Vec<Key>,
    /// What stands there then; none takes it out.
    pub(super) to: Option<Value>,
}

impl Change {
    /// Takes out what is there.
    pub(super) fn without(path: &[Key]) -> Self {
        Self { path: path.to_vec(), to: None }
    }
}

/// A case as a tree.
///
/// # Panics
/// Never: a case has nothing that JSON cannot say.
pub(super) fn tree(case: &Case) -> Value {
    serde_json::to_value(case).expect("a case has nothing that JSON cannot say")
}

/// A tree as a case; none where it is none.
pub(super) fn case(tree: &Value) -> Option<Case> {
    serde_json::from_value(tree.clone()).ok()
}

/// A tree with changes. What does not apply is left out.
pub(super) fn changed<'a>(tree: &Value, changes: impl IntoIterator<Item = &'a Change>) -> Value {
    let mut changes: Vec<&Change> = changes.into_iter().collect();
    // From the back, and the deeper first: what is taken out of a list moves only what stands behind it.
    changes.sort_by(|a, b| b.path.cmp(&a.path));
    let mut tree = tree.clone();
    for change in changes {
        apply(&mut tree, &change.path, change.to.as_ref());
    }
    tree
}

fn apply(tree: &mut Value, path: &[Key], to: Option<&Value>) {
    let Some((first, rest)) = path.split_first() else { return };
    match (tree, first) {
        (Value::Object(fields), Key::Name(name)) => match (rest.is_empty(), to) {
            (true, None) => {
                fields.shift_remove(name);
            }
            (true, Some(to)) => {
                fields.insert(name.clone(), to.clone());
            }
            (false, _) => {
                if let Some(below) = fields.get_mut(name) {
                    apply(below, rest, to);
                }
            }
        },
        (Value::Array(items), Key::Place(place)) if *place < items.len() => match (rest.is_empty(), to) {
            (true, None) => {
                items.remove(*place);
            }
            (true, Some(to)) => items[*place] = to.clone(),
            (false, _) => apply(&mut items[*place], rest, to),
        },
        _ => {}
    }
}

/// What stands at a path.
pub(super) fn at<'a>(tree: &'a Value, path: &[Key]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |tree, key| match key {
        Key::Name(name) => tree.get(name),
        Key::Place(place) => tree.get(place),
    })
}

/// Every path of a tree but its root, what is above before what is below.
pub(super) fn paths(tree: &Value) -> Vec<Vec<Key>> {
    let mut found = Vec::new();
    walk(tree, &mut Vec::new(), &mut found);
    found
}

fn walk(tree: &Value, path: &mut Vec<Key>, found: &mut Vec<Vec<Key>>) {
    let mut below = |key: Key, tree: &Value| {
        path.push(key);
        found.push(path.clone());
        walk(tree, path, found);
        path.pop();
    };
    match tree {
        Value::Object(fields) => fields.iter().for_each(|(name, tree)| below(Key::Name(name.clone()), tree)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, tree)| below(Key::Place(n), tree)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The tree of a case without what is as it is by default anyway: a person reads what is special about it.
pub(super) fn slim(case: &Case) -> Value {
    let whole = tree(case);
    let mut slim = whole.clone();
    let mut place = 0;
    // Paths are asked for anew after each change, since places in lists move.
    loop {
        let paths = paths(&slim);
        let Some(path) = paths.get(place) else { return slim };
        let without = changed(&slim, [&Change::without(path)]);
        if is(&without, &whole) { slim = without } else { place += 1 }
    }
}

/// Whether a tree says all of a case.
fn is(tree: &Value, whole: &Value) -> bool {
    case(tree).is_some_and(|case| self::tree(&case) == *whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Size, draw};
    use backspin_domain::seed::Seed;

    #[test]
    fn what_is_left_out_is_there_all_the_same() {
        for seed in 0..12 {
            for size in [Size::Small, Size::Full] {
                let case = draw(Seed(seed), size);
                let slim = slim(&case);
                assert!(is(&slim, &tree(&case)), "seed {seed}: {slim}");
                let every: Vec<Change> = paths(&slim).iter().map(|path| Change::without(path)).collect();
                let more = every.iter().find(|change| is(&changed(&slim, [*change]), &tree(&case)));
                assert_eq!(more, None, "seed {seed}");
            }
        }
    }

    #[test]
    fn changes_do_not_get_into_each_others_way() {
        let tree = serde_json::json!({ "a": [1, 2, { "b": 3, "c": 4 }], "d": 5 });
        let path = |keys: &[&str]| -> Vec<Key> {
            let key = |key: &&str| key.parse().map_or_else(|_| Key::Name((*key).to_owned()), Key::Place);
            keys.iter().map(key).collect()
        };
        let changes = [
            Change::without(&path(&["a", "0"])),
            Change::without(&path(&["a", "2", "b"])),
            Change { path: path(&["d"]), to: Some(6.into()) },
        ];
        assert_eq!(changed(&tree, &changes), serde_json::json!({ "a": [2, { "c": 4 }], "d": 6 }));
    }
}
