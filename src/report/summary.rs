//! Figures arranged as the report shows them.

use std::collections::BTreeMap;

use super::group::{By, Group};
use super::model::{CampaignReport, REFERENCE_JUDGE};
use super::words::NOTHING;
use backspin_domain::event::DecisionKind;
use backspin_domain::expectation::Expectation;
use backspin_score::{Calibration, Figures, RunOutcome, SeedsExpectation, grouped, over_seeds};

/// All groups of a campaign.
#[derive(Clone, Debug)]
pub(super) struct Summary<'a> {
    /// In the order shown, the reference last.
    pub(super) judges: Vec<&'a str>,
    /// In alphabetical order.
    pub(super) families: Vec<&'a str>,
    /// By group, then judge.
    pub(super) figures: BTreeMap<(Group<'a>, &'a str), Figures>,
    /// By judge.
    pub(super) calibration: BTreeMap<&'a str, Calibration>,
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
        let mut figures = BTreeMap::new();
        for by in [None, Some(By::Family), Some(By::Rate), Some(By::Arms)] {
            figures.extend(grouped(outcomes, &report.weights, |o| (Group::of(by, o), o.judge.as_str())));
        }
        let mut judges: Vec<&str> = report.judges.iter().map(String::as_str).collect();
        // Whatever was run is shown, whether or not it was named.
        for (_, name) in figures.keys().filter(|(group, _)| *group == Group::All) {
            if !judges.contains(name) {
                judges.push(name);
            }
        }
        judges.sort_by_key(|name| *name == REFERENCE_JUDGE);
        let mut families: Vec<&str> = outcomes.iter().map(|outcome| outcome.family.as_str()).collect();
        families.sort_unstable();
        families.dedup();
        let calibration = judges
            .iter()
            .map(|judge| (*judge, Calibration::of(outcomes.iter().filter(|o| o.judge == *judge))))
            .collect();
        Self { judges, families, figures, calibration, scenarios: scenarios(report) }
    }

    /// All runs of a judge.
    pub(super) fn of_judge(&self, judge: &str) -> Option<&Figures> {
        self.in_group(Group::All, judge)
    }

    /// A judge's runs of one group.
    pub(super) fn in_group<'s>(&'s self, group: Group<'_>, judge: &str) -> Option<&'s Figures> {
        let mut found = self.figures.iter().filter(|((g, j), _)| *g == group && *j == judge);
        found.next().map(|(_, figures)| figures)
    }

    /// Group by group, each with the judges that have runs in it, in their order.
    pub(super) fn rows(&self, by: Option<By>) -> Vec<(Group<'a>, &'a str, &Figures)> {
        let mut groups: Vec<Group<'a>> = self.figures.keys().map(|(group, _)| *group).collect();
        groups.retain(|group| group.by() == by);
        groups.dedup();
        let of_group = |group: Group<'a>| {
            let row = move |judge: &&'a str| Some((group, *judge, self.in_group(group, judge)?));
            self.judges.iter().filter_map(row)
        };
        groups.into_iter().flat_map(of_group).collect()
    }
}

fn scenarios(report: &CampaignReport) -> Vec<ScenarioSummary<'_>> {
    let of_reference = report.outcomes.iter().filter(|o| o.judge == REFERENCE_JUDGE);
    let reference = grouped(of_reference, &report.weights, |o| (o.family.as_str(), o.scenario.as_str()));
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
                figures: Figures::of(runs.iter().copied(), &report.weights),
                reference: reference.get(&(family, name)).cloned(),
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
