//! What a policy must keep beyond its shape.

mod signal_rules;

use backspin_mocks::promql::{self, Refusal};

use super::Policy;
use super::convert::{minute, moment, query};
use super::document::nearest::nearest;
use super::document::node::Value;
use super::document::{Document, Problem, Source, Step};
use super::file::{PolicyFile, SeverityEntry, SuccessEntry};
use super::rule::Rule;
use backspin_domain::service::Environment;
use backspin_domain::signal::SignalKind;
use backspin_judge::expr::ExprError;
use backspin_judge::{ParamError, Place};

/// Checks all rules.
pub(super) fn check(source: &Source, document: &Document<PolicyFile>, policy: &Policy) -> Vec<Problem> {
    let mut check = Check { source, document, problems: Vec::new() };
    check.judge(policy);
    check.queries();
    check.severity();
    check.waits();
    check.planning();
    check.approvals();
    check.signal_rules();
    check.problems
}

struct Check<'a> {
    source: &'a Source,
    document: &'a Document<PolicyFile>,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn file(&self) -> &'a PolicyFile {
        &self.document.value
    }

    fn report(&mut self, rule: Rule, path: &[Step<'_>], message: impl Into<String>, hint: Option<String>) {
        let span = self.document.root.at(path).span.clone();
        let mut problem = self.source.problem(rule.number(), span, message);
        problem.hint = hint;
        self.problems.push(problem);
    }

    fn judge(&mut self, policy: &Policy) {
        let checked = policy.judge.check().and_then(|()| policy.judge.check_queries(&policy.custom));
        let Err(error) = checked else { return };
        let mut path = vec![Step::Field("judge"), Step::Field(policy.judge.name())];
        path.extend(error.path().into_iter().map(|place| match place {
            Place::Field(name) => Step::Field(name),
            Place::Item(n) => Step::Item(n),
        }));
        let hint = match error.cause() {
            ParamError::OutOfRange { got, min, max, .. }
                if *min == 0.0 && *max == 1.0 && *got > 1.0 && *got <= 100.0 =>
            {
                Some(format!("write `{}`; a ratio is not a percentage", got / 100.0))
            }
            ParamError::UnknownQuery { query, known } => nearest(query, known.iter().map(String::as_str))
                .map(|name| format!("did you mean `{name}`?"))
                .or_else(|| Some("add it under `custom`".to_owned())),
            ParamError::Condition { name, error } => return self.condition(&path, name, error),
            ParamError::OutOfRange { .. }
            | ParamError::Within { .. }
            | ParamError::SameName { .. }
            | ParamError::Lacks { .. } => None,
        };
        self.report(Rule::JudgeParameter, &path, error.cause().to_string(), hint);
    }

    /// A condition that does not parse, at its place inside the file.
    fn condition(&mut self, path: &[Step<'_>], name: &str, error: &ExprError) {
        let node = self.document.root.at(path);
        let raw = self.source.text.get(node.span.clone()).unwrap_or_default();
        let text = match &node.value {
            Value::Text(text) => text.as_str(),
            _ => raw,
        };
        let start = node.span.start + place_in_raw(raw, text, error.offset);
        let end = node.span.start + place_in_raw(raw, text, error.offset + error.len);
        let message = format!("`{name}`: found {}, allowed is {}", error.found, error.allowed);
        let mut problem = self.source.problem(Rule::JudgeParameter.number(), start..end.max(start), message);
        problem.hint = Some("conditions are written as in Argo Rollouts: `result[0] >= 0.95`".to_owned());
        self.problems.push(problem);
    }

    fn queries(&mut self) {
        for kind in SignalKind::ALL {
            let path = [Step::Field("signals"), Step::Field(kind.name())];
            self.query(&path, query(&self.file().signals, kind), Interpreted::Refused);
        }
        for (n, custom) in self.file().custom.iter().enumerate() {
            let field = |name| [Step::Field("custom"), Step::Item(n), Step::Field(name)];
            self.query(&field("query"), &custom.query, Interpreted::Taken);
            let known = SignalKind::ALL.iter().any(|kind| kind.name() == custom.name);
            if known || self.file().custom[..n].iter().any(|before| before.name == custom.name) {
                let message = format!("there is already a signal `{}`", custom.name);
                let hint =
                    known.then(|| format!("change its query under `signals: {{ {}: … }}`", custom.name));
                self.report(Rule::CustomName, &field("name"), message, hint);
            }
        }
    }

    /// Parses a query and, where it fails, finds the place inside the file.
    fn query(&mut self, path: &[Step<'_>], text: &str, interpreted: Interpreted) {
        let Err(error) = promql::check(text) else { return };
        if interpreted == Interpreted::Taken && super::is_interpreted(text) {
            return;
        }
        let span = self.document.root.at(path).span.clone();
        let raw = self.source.text.get(span.clone()).unwrap_or_default();
        let start = span.start + place_in_raw(raw, text, error.offset);
        let end = span.start + place_in_raw(raw, text, error.offset + error.len);
        let rule = match error.refusal {
            Refusal::Syntax | Refusal::TooLong => Rule::BadQuery,
            Refusal::UnknownShape | Refusal::WrongKind | Refusal::ManyElements => Rule::UnknownShape,
        };
        let message = format!("query: found {}, allowed is {}", error.found, error.allowed);
        let mut problem = self.source.problem(rule.number(), start..end.max(start), message);
        problem.hint = error.hint;
        self.problems.push(problem);
    }

    fn severity(&mut self) {
        let (variant, limits) = match self.file().severity {
            SeverityEntry::Effect(e) => (
                "effect",
                [
                    ("critical_points", e.critical_points),
                    ("high_points", e.high_points),
                    ("medium_points", e.medium_points),
                ],
            ),
            SeverityEntry::Score(s) => {
                ("score", [("critical", s.critical), ("high", s.high), ("medium", s.medium)])
            }
        };
        for pair in limits.windows(2) {
            let [(above, most), (name, limit)] = pair else { continue };
            if limit > most {
                let message = format!("`{name}` must be at most `{above}` of {most}, got {limit}");
                let path = [Step::Field("severity"), Step::Field(variant), Step::Field(name)];
                self.report(Rule::SeverityOrder, &path, message, None);
            }
        }
    }

    fn waits(&mut self) {
        let file = self.file();
        if file.collect_every.0.0 < 1000 {
            let message = format!("`collect_every` must be at least 1s, got {}", file.collect_every);
            self.report(
                Rule::Waits,
                &[Step::Field("collect_every")],
                message,
                Some("write `15s`".to_owned()),
            );
        }
        for (name, length) in
            [("timeout", file.execution.timeout), ("resume_within", file.execution.resume_within)]
        {
            if length.0 < file.collect_every.0 {
                let message = format!(
                    "`{name}` must be at least `collect_every` of {}, got {length}",
                    file.collect_every
                );
                self.report(Rule::Waits, &[Step::Field("execution"), Step::Field(name)], message, None);
            }
        }
        for (name, length) in [("wait", file.approvals.wait), ("valid", file.approvals.valid)] {
            if length.0.0 == 0 {
                let message = format!("`{name}` must not be zero: nobody could answer in time");
                self.report(Rule::Waits, &[Step::Field("approvals"), Step::Field(name)], message, None);
            }
        }
        if file.missing_data.escalate_after < file.missing_data.tolerate {
            let message = format!(
                "`escalate_after` must not come before `tolerate` of {}, got {}",
                file.missing_data.tolerate, file.missing_data.escalate_after
            );
            let path = [Step::Field("missing_data"), Step::Field("escalate_after")];
            self.report(Rule::Waits, &path, message, None);
        }
    }

    fn planning(&mut self) {
        let factors = &self.file().planning.stage_factors;
        for (n, pair) in factors.windows(2).enumerate() {
            if pair[1] >= pair[0] {
                let message = format!("stage {} must be below {}, got {}", n + 2, pair[0], pair[1]);
                let path = [Step::Field("planning"), Step::Field("stage_factors"), Step::Item(n + 1)];
                let hint = "a canary rollback only takes traffic off the candidate".to_owned();
                self.report(Rule::StagesNotFalling, &path, message, Some(hint));
            }
        }
        self.success();
        for (n, pair) in self.file().planning.batches.windows(2).enumerate() {
            if pair[1] <= pair[0] {
                let message = format!("batch {} must reach more than {}, got {}", n + 2, pair[0], pair[1]);
                let path = [Step::Field("planning"), Step::Field("batches"), Step::Item(n + 1)];
                let hint =
                    "each is the share of the replicas that are the target's after that batch".to_owned();
                self.report(Rule::BatchesNotRising, &path, message, Some(hint));
            }
        }
    }

    fn success(&mut self) {
        let entries = self.file().planning.success.as_deref().unwrap_or_default();
        for (n, entry) in entries.iter().enumerate() {
            let path = [Step::Field("planning"), Step::Field("success"), Step::Item(n)];
            let [a, b, c] = path;
            if entry.completed > entry.runs {
                let message =
                    format!("at most `runs` = {} can have completed, got {}", entry.runs, entry.completed);
                self.report(Rule::Success, &[a, b, c, Step::Field("completed")], message, None);
            }
            let like = |other: &SuccessEntry| {
                (other.strategy, other.capacity, other.schema)
                    == (entry.strategy, entry.capacity, entry.schema)
            };
            if entries[..n].iter().any(like) {
                let message = format!("there is already a row for such plans by {}", entry.strategy);
                let hint = "add their runs up".to_owned();
                self.report(Rule::Success, &path, message, Some(hint));
            }
        }
    }

    fn approvals(&mut self) {
        for (n, standing) in self.file().approvals.standing.iter().enumerate() {
            if standing.environment != Environment::Simulated && standing.expires.is_none() {
                let path = [Step::Field("approvals"), Step::Field("standing"), Step::Item(n)];
                let message = "a standing approval for a real environment must end";
                let hint = "add `expires: 2031-12-20T08:00:00Z`".to_owned();
                self.report(Rule::ApprovalForEver, &path, message, Some(hint));
            }
        }
        for (n, window) in self.file().calendar.windows.iter().enumerate() {
            let path =
                |field| [Step::Field("calendar"), Step::Field("windows"), Step::Item(n), Step::Field(field)];
            let (from, until) = (minute(&window.from), minute(&window.until));
            for (field, text, found) in [("from", &window.from, from), ("until", &window.until, until)] {
                if found.is_none() {
                    let message =
                        format!("`{field}` must be a time of the day such as `09:00`, got `{text}`");
                    self.report(Rule::EmptyWindow, &path(field), message, None);
                }
            }
            if let (Some(from), Some(until)) = (from, until)
                && until <= from
            {
                let message =
                    format!("`until` must come after `from` of {}, got {}", window.from, window.until);
                let hint =
                    "a window ends on the day on which it begins; write two to pass midnight".to_owned();
                self.report(Rule::EmptyWindow, &path("until"), message, Some(hint));
            }
        }
        for (n, freeze) in self.file().calendar.freezes.iter().enumerate() {
            if moment(&freeze.until) <= moment(&freeze.from) {
                let message = format!(
                    "`{}` must end after it begins at {}, got {}",
                    freeze.name, freeze.from, freeze.until
                );
                let path =
                    [Step::Field("calendar"), Step::Field("freezes"), Step::Item(n), Step::Field("until")];
                self.report(Rule::EmptyFreeze, &path, message, None);
            }
        }
    }
}

/// Whether a query may be one that only the interpreter reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interpreted {
    /// A signal of the policy's own.
    Taken,
    /// A named signal, which every run evaluates: it has to compile.
    Refused,
}

/// Where a byte of a YAML text's value stands in its raw form. Exact for plain, quoted and literal texts; in a
/// folded one line breaks and spaces stand for each other, and an escape for its letter.
fn place_in_raw(raw: &str, value: &str, offset: usize) -> usize {
    if let Some(start) = raw.find(value) {
        return start + offset;
    }
    let mut place = 0;
    for (at, letter) in value.char_indices() {
        let found = raw[place..]
            .char_indices()
            .find(|(_, c)| *c == letter || letter.is_whitespace() && c.is_whitespace());
        let Some((skip, c)) = found else { return place };
        if at >= offset {
            return place + skip;
        }
        place += skip + c.len_utf8();
    }
    place
}
