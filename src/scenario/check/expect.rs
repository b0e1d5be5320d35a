//! What the author holds to be true and expects.

use super::Check;
use crate::derive;
use crate::rule::Rule;
use backspin_domain::event::DecisionKind;
use backspin_domain::expectation::Never;
use backspin_domain::plan::Strategy;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::{Cause, Truth};
use backspin_policy::document::Step;
use backspin_policy::document::nearest::{nearest, one_of};

impl Check<'_> {
    pub(super) fn truth(&mut self) {
        let Some(stated) = &self.scenario.stated_truth else { return };
        let derived = derive::truth(self.scenario);
        if derive::agrees(stated, &derived) {
            return;
        }
        let field = |name| [Step::Field("truth"), Step::Field(name)];
        let hint = "leave `truth` out, or mend what contradicts it";
        if stated.cause != derived.cause {
            let message = format!(
                "stated cause is `{}`, but from the incident follows `{}`",
                cause_word(stated.cause),
                cause_word(derived.cause)
            );
            self.report(Rule::TruthContradicts, &field("cause"), message, hint);
        }
        if stated.onset != derived.onset {
            let show = |at: Option<MonoTime>| at.map_or_else(|| "none".to_owned(), |at| at.to_string());
            let message = format!(
                "stated onset is {}, but from the incident follows {}",
                show(stated.onset),
                show(derived.onset)
            );
            self.report(Rule::TruthContradicts, &field("onset"), message, hint);
        }
        if stated.rollback_helps != derived.rollback_helps {
            let (not, why) = if derived.rollback_helps {
                ("", "another version starts")
            } else {
                (" not", "nothing to go back to, or nothing to mend")
            };
            let message = format!("a rollback would{not} help here: {why}");
            self.report(Rule::TruthContradicts, &field("rollback_helps"), message, hint);
        }
    }

    pub(super) fn expectations(&mut self) {
        let Some(expect) = &self.scenario.expect else { return };
        let derived = derive::truth(self.scenario);
        let field = |name| [Step::Field("expect"), Step::Field(name)];
        let rolls_back = expect.decision.contains(&DecisionKind::RollBack);
        if let Some(target) = &expect.target {
            let known: Vec<&str> = self.scenario.service.versions.iter().map(|v| v.id.as_str()).collect();
            if !known.contains(&target.as_str()) {
                let message =
                    format!("unknown version `{target}`; the service has {}", one_of(known.iter().copied()));
                let hint = nearest(target.as_str(), known.iter().copied()).map_or_else(
                    || "list it in `versions`".to_owned(),
                    |word| format!("did you mean `{word}`?"),
                );
                self.report(Rule::UnknownVersion, &field("target"), message, hint);
            } else if *target == self.scenario.deploy.version {
                let message = format!("a rollback cannot go to the candidate `{target}` itself");
                self.report(Rule::ExpectationImpossible, &field("target"), message, "name an older version");
            }
        }
        for (name, given) in [
            ("target", expect.target.is_some()),
            ("strategy", expect.strategy.is_some()),
            ("time_to_mitigate_max", expect.time_to_mitigate_max.is_some()),
        ] {
            if given && !rolls_back {
                let message = format!("`{name}` is about a rollback, which `decision` does not expect");
                self.report(
                    Rule::ExpectationImpossible,
                    &field(name),
                    message,
                    "add `roll_back` to `decision`",
                );
            }
        }
        if rolls_back && expect.never.contains(&Never::RollBack) {
            let message = "a rollback is expected and must never happen";
            self.report(Rule::ExpectationImpossible, &field("never"), message, "remove one of the two");
        }
        if expect.decision.contains(&DecisionKind::Escalate) && expect.never.contains(&Never::Escalate) {
            let message = "a call for a person is expected and must never happen";
            self.report(Rule::ExpectationImpossible, &field("never"), message, "remove one of the two");
        }
        self.expected_times(&derived);
        self.expected_strategy();
    }

    fn expected_times(&mut self, derived: &Truth) {
        let Some(expect) = &self.scenario.expect else { return };
        let times = [
            ("time_to_detect_max", expect.time_to_detect_max),
            ("time_to_mitigate_max", expect.time_to_mitigate_max),
        ];
        for (name, _) in times.into_iter().filter(|(_, limit)| limit.is_some() && derived.onset.is_none()) {
            let message = format!("`{name}` counts from the onset, and this deploy does no harm");
            self.report(
                Rule::ExpectationImpossible,
                &[Step::Field("expect"), Step::Field(name)],
                message,
                "leave it out",
            );
        }
    }

    pub(super) fn expected_strategy(&mut self) {
        let Some(strategy) = self.scenario.expect.as_ref().and_then(|expect| expect.strategy) else { return };
        let can = self.scenario.service.capabilities;
        let need = match strategy {
            Strategy::BlueGreenSwitch if !can.blue_green => "blue_green",
            Strategy::FeatureFlagDisable if !can.feature_flags => "feature_flags",
            Strategy::CanaryRollback if !can.traffic_split => "traffic_split",
            Strategy::Gradual if !can.rolling_update => "rolling_update",
            Strategy::Immediate
            | Strategy::Gradual
            | Strategy::CanaryRollback
            | Strategy::BlueGreenSwitch
            | Strategy::FeatureFlagDisable
            | Strategy::DatabaseRevert
            | Strategy::InfrastructureRollback => return,
        };
        let message = format!("{strategy} needs the capability `{need}`, which the service lacks");
        let path = [Step::Field("expect"), Step::Field("strategy")];
        self.report(Rule::ExpectationImpossible, &path, message, format!("add `{need}` to `capabilities`"));
    }
}

fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::None => "none",
        Cause::Candidate => "candidate",
        Cause::Flag => "flag",
        Cause::Infrastructure => "infrastructure",
        Cause::External => "external",
    }
}
