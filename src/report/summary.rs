//! Figures arranged as the report shows them.

use std::collections::BTreeMap;

use super::model::{CampaignReport, REFERENCE_JUDGE};
use super::words::NOTHING;
use crate::domain::event::DecisionKind;
use crate::domain::expectation::Expectation;
use crate::score::{Figures, RunOutcome, SeedsExpectation, grouped, over_seeds};

/// All groups of a campaign.
#[derive(Clone, Debug)]
pub(super) struct Summary<'a> {
    /// In the order shown, the reference last.
    pub(super) judges: Vec<&'a str>,
    /// In alphabetical order.
    pub(super) families: Vec<&'a str>,
    pub(super) by_judge: BTreeMap<&'a str, Figures>,
    pub(super) by_judge_and_family: BTreeMap<(&'a str, &'a str), Figures>,
    /// By family, then name.
    pub(super) scenarios: Vec<ScenarioSummary<'a>>,
}

/// One scenario under the policy's judge.
#[derive(Clone, Debug)]
pub(super) struct ScenarioSummary<'a> {
    pub(super) name: &'a str,
    pub(super) family: &'a str,
    pub(super) expect: Option<&'a Expectation>,
    pub(super) expectation: Option<SeedsExpectation>,
    /// What runs came to, with how many did: usually one decision; two where a rollback ended with a person.
    pub(super) courses: BTreeMap<Vec<DecisionKind>, u64>,
    pub(super) figures: Figures,
    /// How often the reference judge caught it, where both were run.
    pub(super) reference: Option<Figures>,
}

impl<'a> Summary<'a> {
    pub(super) fn of(report: &'a CampaignReport) -> Self {
        let outcomes = &report.outcomes;
        let by_judge = grouped(outcomes, |o| o.judge.as_str());
        let mut judges: Vec<&str> = report.judges.iter().map(String::as_str).collect();
        // Whatever was run is shown, whether or not it was named.
        let unnamed: Vec<&str> = by_judge.keys().copied().filter(|name| !judges.contains(name)).collect();
        judges.extend(unnamed);
        judges.sort_by_key(|name| *name == REFERENCE_JUDGE);
        let by_judge_and_family = grouped(outcomes, |o| (o.judge.as_str(), o.family.as_str()));
        let mut families: Vec<&str> = by_judge_and_family.keys().map(|(_, family)| *family).collect();
        families.sort_unstable();
        families.dedup();
        Self { judges, families, by_judge, by_judge_and_family, scenarios: scenarios(report) }
    }
}

fn scenarios(report: &CampaignReport) -> Vec<ScenarioSummary<'_>> {
    let by_key = grouped(&report.outcomes, |o| (o.family.as_str(), o.scenario.as_str(), o.judge.as_str()));
    let mut runs: BTreeMap<(&str, &str), Vec<&RunOutcome>> = BTreeMap::new();
    for outcome in report.outcomes.iter().filter(|o| o.judge == report.policy_judge) {
        runs.entry((&outcome.family, &outcome.scenario)).or_default().push(outcome);
    }
    runs.into_iter()
        .map(|((family, name), runs)| {
            let mut courses = BTreeMap::new();
            for run in &runs {
                *courses.entry(run.course()).or_insert(0) += 1;
            }
            ScenarioSummary {
                name,
                family,
                expect: runs.iter().find_map(|run| run.expect.as_ref()),
                expectation: over_seeds(runs.iter().copied()),
                courses,
                figures: Figures::of(runs.iter().copied()),
                reference: by_key.get(&(family, name, REFERENCE_JUDGE)).cloned(),
            }
        })
        .collect()
}

impl ScenarioSummary<'_> {
    /// `roll back to v41, canary rollback`.
    pub(super) fn expected(&self) -> String {
        let mut words = self.expected_short();
        let Some(expect) = self.expect else { return words };
        if let Some(target) = &expect.target {
            words += " to ";
            words += target.as_str();
        }
        if let Some(strategy) = &expect.strategy {
            words += ", ";
            words += &strategy.to_string();
        }
        words
    }

    /// `hold, pause or escalate`.
    pub(super) fn expected_short(&self) -> String {
        let kinds = self.expect.map_or(&[][..], |expect| &expect.decision);
        match kinds {
            [] => NOTHING.into(),
            [one] => one.to_string(),
            [first @ .., last] => {
                let first: Vec<_> = first.iter().map(ToString::to_string).collect();
                format!("{} or {last}", first.join(", "))
            }
        }
    }

    /// `hold 39/40`: the most common one, and how many if not all.
    pub(super) fn got_short(&self) -> String {
        let all: u64 = self.courses.values().sum();
        match self.courses.iter().max_by(|a, b| a.1.cmp(b.1).then(a.0.cmp(b.0))) {
            None => NOTHING.into(),
            Some((course, n)) if *n == all => course_words(course),
            Some((course, n)) => format!("{} {n}/{all}", course_words(course)),
        }
    }

    /// `roll back 39, hold 1`, the most common first.
    pub(super) fn got(&self) -> String {
        let mut counts: Vec<_> = self.courses.iter().collect();
        counts.sort_by(|a, b| b.1.cmp(a.1).then(b.0.cmp(a.0)));
        let one = counts.len() == 1;
        let words = counts.iter().map(|(course, n)| {
            if one { course_words(course) } else { format!("{} {n}", course_words(course)) }
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// `roll back → escalate`.
pub(super) fn course_words(course: &[DecisionKind]) -> String {
    course.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}
