//! What rules beside the judge must keep: signals that are there, limits that can be passed, times that can come.

use super::super::document::Step;
use super::super::document::nearest::nearest;
use super::super::file::{ConditionEntry, PolicyFile};
use super::super::rule::Rule;
use super::Check;
use backspin_domain::signal::SignalKind;

impl Check<'_> {
    pub(super) fn signal_rules(&mut self) {
        let file = self.file();
        for (n, rule) in file.rules.iter().enumerate() {
            let at = [Step::Field("rules"), Step::Item(n)];
            let field = |name| [at[0], at[1], Step::Field(name)];
            if file.rules[..n].iter().any(|before| before.name == rule.name) {
                let message = format!("there is already a rule `{}`", rule.name);
                self.report(Rule::SignalRule, &field("name"), message, None);
            }
            for (m, step) in rule.steps.iter().enumerate() {
                let at = [at[0], at[1], Step::Field("steps"), Step::Item(m)];
                let field = |name| [at[0], at[1], at[2], at[3], Step::Field(name)];
                match step.within {
                    Some(_) if m == 0 => {
                        let message = "the first step comes after nothing, so `within` means nothing";
                        self.report(
                            Rule::SignalRule,
                            &field("within"),
                            message,
                            Some("take it away".to_owned()),
                        );
                    }
                    // Each collection is one moment, so the next step comes one collection later at the earliest.
                    Some(within) if within < step.lasts.max(file.collect_every) => {
                        let least = step.lasts.max(file.collect_every);
                        let message =
                            format!("`within` must be at least {least}, or it cannot be met; got {within}");
                        self.report(Rule::SignalRule, &field("within"), message, None);
                    }
                    Some(_) | None => {}
                }
                for (k, condition) in step.all.iter().enumerate() {
                    let path = [at[0], at[1], at[2], at[3], Step::Field("all"), Step::Item(k)];
                    self.condition_of_rule(&path, condition);
                }
            }
        }
    }

    fn condition_of_rule(&mut self, path: &[Step<'_>; 6], condition: &ConditionEntry) {
        let field = |name| {
            let [a, b, c, d, e, f] = *path;
            [a, b, c, d, e, f, Step::Field(name)]
        };
        let kind = SignalKind::ALL.into_iter().find(|kind| kind.name() == condition.signal);
        if kind.is_none() && custom(self.file(), &condition.signal).is_none() {
            let known = SignalKind::ALL.iter().map(|kind| kind.name());
            let known = known.chain(self.file().custom.iter().map(|entry| entry.name.as_str()));
            let hint = nearest(&condition.signal, known)
                .map_or_else(|| "add it under `custom`".to_owned(), |name| format!("did you mean `{name}`?"));
            let message = format!("there is no signal `{}`", condition.signal);
            self.report(Rule::SignalRule, &field("signal"), message, Some(hint));
        }
        let limit = match (condition.above, condition.below) {
            (Some(limit), None) => ("above", limit),
            (None, Some(limit)) => ("below", limit),
            (Some(_), Some(_)) | (None, None) => {
                let message = "a condition has exactly one of `above` and `below`";
                let hint = "for a range write two conditions".to_owned();
                return self.report(Rule::SignalRule, path, message, Some(hint));
            }
        };
        let is_ratio = kind.is_some_and(|kind| {
            matches!(kind, SignalKind::ErrorRatio | SignalKind::ConversionDrop | SignalKind::DependencyHealth)
        });
        if is_ratio && !(0.0..=1.0).contains(&limit.1) {
            let message = format!(
                "`{}` is a ratio: the limit must be between 0 and 1, got {}",
                condition.signal, limit.1
            );
            let hint = (1.0..=100.0).contains(&limit.1).then(|| format!("write `{}`", limit.1 / 100.0));
            self.report(Rule::SignalRule, &field(limit.0), message, hint);
        } else if !limit.1.is_finite() {
            self.report(Rule::SignalRule, &field(limit.0), "a limit must be a number", None);
        }
    }
}

/// The place of a signal of one's own.
fn custom(file: &PolicyFile, name: &str) -> Option<usize> {
    file.custom.iter().position(|entry| entry.name == name)
}
