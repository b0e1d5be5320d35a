//! What models said against what came of it (SPEC 2.10).
//!
//! **Success of a plan.** Scored by the Brier score (Brier 1950): the mean square of what was said less what came of it, 0 at
//! best. A model must not be held against the runs that it learned from, so each family is predicted by what all others teach.
//! What that is worth is told by the same score of who says of each plan only how often all others reached their end; skill is
//! one less the ratio of the two.
//!
//! **Harm without a rollback.** Estimate over truth, where there was harm; how often the truth lay between the bounds; and what was
//! said where there was none.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::calibration::reliability;
use super::interval::Share;
use super::outcome::{FORECAST_MIN, RunOutcome};
use super::resample::{Estimate, estimate};
use backspin_domain::entry::Entry;
use backspin_domain::forecast::PlanClass;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::truth::TruthEntry;
use backspin_model::{Row, Success};

/// Models against runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Models {
    /// Whether plans reach their end.
    pub success: SuccessScore,
    /// Harm if nobody acts.
    pub harm: HarmScore,
}

/// How well it is told whether a plan reaches its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SuccessScore {
    /// Plans that were begun and ended, and those that reached their end. Of several ways that came to the same plan on the same
    /// run one counts.
    pub plans: Share,
    /// Plans of which something is said when their own family is left out.
    pub said: Share,
    /// Brier score of these; none without any.
    pub brier: Option<Estimate>,
    /// The same of who knows only how often all others reached their end.
    pub brier_of_share: Option<Estimate>,
    /// Brier score of what the engine itself said of the same plans, by what it had learned.
    pub brier_as_stated: Option<Estimate>,
    /// What was said, with the family left out, class by class.
    pub reliability: Vec<ChanceRow>,
    /// What all of these plans teach.
    pub learned: Vec<Row>,
}

/// How often plans of a stated chance reached their end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChanceRow {
    /// Stated chance from here on ...
    pub from: f64,
    /// ... to below here, or to 1.
    pub to: f64,
    /// Its mean.
    pub stated: f64,
    /// Those that reached their end.
    pub completed: Share,
}

/// How well it is told what it costs to do nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HarmScore {
    /// Rollbacks of which something is said.
    pub said: Share,
    /// Estimate over truth where users were harmed: quartiles and median; none without any.
    pub ratio: Option<[f64; 3]>,
    /// How often the estimate was within a factor of two.
    pub within_two: Share,
    /// How often the truth lay between the bounds.
    pub covered: Share,
    /// Mean of what was said, users a minute, where nobody was harmed, and of how many rollbacks.
    pub of_nothing: Option<Estimate>,
}

/// Users a minute below which nobody was harmed.
const HARMED_MIN: f64 = 0.1;

/// Lower ends of the classes of stated chances.
const CHANCES: [f64; 6] = [0.0, 0.2, 0.5, 0.8, 0.9, 0.95];

/// A plan that was carried out.
struct Plan<'a> {
    family: &'a str,
    class: PlanClass,
    completed: bool,
    stated: Option<f64>,
}

/// What was said of a plan.
struct Said<'a> {
    /// By the model, the plan's family left out.
    chance: f64,
    /// By who knows only how often all others reached their end.
    share: f64,
    plan: &'a Plan<'a>,
}

impl Models {
    /// Of runs, in order; those of one scenario and seed may have gone several ways.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a RunOutcome> + Clone) -> Self {
        Self { success: SuccessScore::of(outcomes.clone()), harm: HarmScore::of(outcomes) }
    }
}

impl SuccessScore {
    fn of<'a>(outcomes: impl IntoIterator<Item = &'a RunOutcome>) -> Self {
        let plans = plans(outcomes);
        let families: BTreeSet<&str> = plans.iter().map(|plan| plan.family).collect();
        let mut said: Vec<Said<'_>> = Vec::new();
        for family in families {
            let others = || plans.iter().filter(|plan| plan.family != family);
            let model = Success::learn(others().map(|plan| (plan.class, plan.completed)));
            let well = others().filter(|plan| plan.completed).count() as f64;
            let share = (well + 0.5) / (others().count() as f64 + 1.0);
            let own = plans.iter().filter(|plan| plan.family == family);
            let chance = |plan: &Plan<'_>| model.chance(plan.class).map(|chance| chance.likely);
            said.extend(own.filter_map(|plan| Some(Said { chance: chance(plan)?, share, plan })));
        }
        let brier = |of: fn(&Said<'_>) -> Option<f64>| {
            estimate(said.iter().filter_map(|said| {
                let missed = of(said)? - f64::from(u8::from(said.plan.completed));
                Some((missed * missed, said.plan.family))
            }))
        };
        let stated: Vec<(f64, bool)> = said.iter().map(|said| (said.chance, said.plan.completed)).collect();
        let completed = plans.iter().filter(|plan| plan.completed).count();
        Self {
            plans: Share::new(completed as u64, plans.len() as u64),
            said: Share::new(said.len() as u64, plans.len() as u64),
            brier: brier(|said| Some(said.chance)),
            brier_of_share: brier(|said| Some(said.share)),
            brier_as_stated: brier(|said| said.plan.stated),
            reliability: reliability(&CHANCES, &stated)
                .into_iter()
                .map(|row| ChanceRow { from: row.from, to: row.to, stated: row.stated, completed: row.bad })
                .collect(),
            learned: Success::learn(plans.iter().map(|plan| (plan.class, plan.completed))).rows().to_vec(),
        }
    }

    /// One less the Brier score over that of who knows only the share; none without both.
    pub fn skill(&self) -> Option<f64> {
        let (own, share) = (self.brier?.mean, self.brier_of_share?.mean);
        (share > 0.0).then(|| 1.0 - own / share)
    }
}

/// Users harmed by the deploy in each of the [`FORECAST_MIN`] minutes after a moment of a record; none if it ends more than a minute
/// before that.
pub fn harmed_per_min(entries: &[Entry], from: MonoTime) -> Option<f64> {
    let until = from + Millis::from_mins(FORECAST_MIN);
    let ticks = entries.iter().filter_map(|entry| match entry {
        Entry::Truth(_, TruthEntry::Tick(tick)) => Some(tick),
        _ => None,
    });
    let (mut harmed, mut last) = (0.0, from);
    for tick in ticks.filter(|tick| tick.at > from && tick.at <= until) {
        (harmed, last) = (harmed + tick.harmed, tick.at);
    }
    let minutes = last.since(from).as_secs_f64() / 60.0;
    (minutes > FORECAST_MIN as f64 - 1.0).then(|| harmed / minutes)
}

/// Plans that were begun and ended, each scenario, seed and strategy once.
fn plans<'a>(outcomes: impl IntoIterator<Item = &'a RunOutcome>) -> Vec<Plan<'a>> {
    let mut seen = BTreeSet::new();
    let plan = |outcome: &'a RunOutcome| {
        let first = outcome.rollback.as_ref()?.first?;
        let completed = first.completed?;
        let run = (&outcome.family, &outcome.scenario, outcome.seed_index, first.class.strategy);
        let stated = first.forecast.success.map(|chance| chance.likely);
        seen.insert(run).then_some(Plan { family: &outcome.family, class: first.class, completed, stated })
    };
    outcomes.into_iter().filter_map(plan).collect()
}

impl HarmScore {
    fn of<'a>(outcomes: impl IntoIterator<Item = &'a RunOutcome>) -> Self {
        let (mut rollbacks, mut said, mut seen) = (0, Vec::new(), BTreeSet::new());
        for outcome in outcomes {
            // All ways of a run decide at the same moment, on the same harm.
            if !seen.insert((&outcome.family, &outcome.scenario, outcome.seed_index)) {
                continue;
            }
            let first = outcome.rollback.as_ref().and_then(|rollback| rollback.first);
            let (Some(first), Some(truth)) = (first, outcome.harmed_untouched_per_min) else { continue };
            rollbacks += 1;
            said.extend(first.forecast.harmed_per_min.map(|said| (said, truth, outcome.family.as_str())));
        }
        let harmed: Vec<_> = said.iter().filter(|(_, truth, _)| *truth >= HARMED_MIN).collect();
        let mut ratios: Vec<f64> = harmed.iter().map(|(said, truth, _)| said.likely / truth).collect();
        ratios.sort_by(f64::total_cmp);
        let quantile = |q: usize| ratios[(ratios.len() - 1) * q / 4];
        let count = |holds: &dyn Fn(f64, f64, f64, f64) -> bool| {
            let all =
                harmed.iter().filter(|(said, truth, _)| holds(said.likely, said.lower, said.upper, *truth));
            Share::new(all.count() as u64, harmed.len() as u64)
        };
        let of_nothing = said.iter().filter(|(_, truth, _)| *truth < HARMED_MIN);
        Self {
            said: Share::new(said.len() as u64, rollbacks),
            ratio: (!ratios.is_empty()).then(|| [1, 2, 3].map(quantile)),
            within_two: count(&|likely, _, _, truth| (0.5..=2.0).contains(&(likely / truth))),
            covered: count(&|_, lower, upper, truth| (lower..=upper).contains(&truth)),
            of_nothing: estimate(of_nothing.map(|(said, _, family)| (said.likely, *family))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::FirstPlan;
    use super::super::score_entries;
    use super::*;
    use backspin_domain::forecast::{Forecast, Predicted, SchemaFit};
    use backspin_domain::plan::{RiskLevel, Strategy};
    use backspin_domain::truth::TruthTick;
    use backspin_record::sample::Sample;

    fn run(family: &str, seed_index: u64, capacity: RiskLevel, completed: Option<bool>) -> RunOutcome {
        let mut outcome = score_entries(&Sample::default().entries()).expect("whole");
        (outcome.family, outcome.seed_index) = (family.to_owned(), seed_index);
        let class = PlanClass { strategy: Strategy::Immediate, capacity, schema: SchemaFit::Fits };
        let harmed = Predicted { likely: 50.0, lower: 40.0, upper: 60.0 };
        let forecast = Forecast { like: Some(class), success: None, harmed_per_min: Some(harmed) };
        let rollback = outcome.rollback.as_mut().expect("the sample rolls back");
        rollback.first = Some(FirstPlan { class, forecast, completed });
        outcome
    }

    /// In both families plans with capacity reach their end and those without do not.
    fn runs() -> Vec<RunOutcome> {
        let of = |family: &'static str| {
            (0..40).map(move |seed| {
                let cold = seed % 4 == 0;
                let capacity = if cold { RiskLevel::High } else { RiskLevel::Low };
                run(family, seed, capacity, Some(!cold))
            })
        };
        of("a").chain(of("b")).collect()
    }

    #[test]
    fn a_family_is_told_by_what_the_others_teach() {
        let runs = runs();
        let score = Models::of(&runs).success;
        assert_eq!((score.plans.k, score.plans.n, score.said.k), (60, 80, 80));
        // Each class of the other family has 10 or 30 runs, drawn a little towards the strategy.
        let skill = score.skill().expect("both are known");
        assert!(skill > 0.7, "{skill}: {score:?}");
        let share = score.brier_of_share.expect("some").mean;
        assert!((share - 0.75 * 0.25).abs() < 0.01, "{share}");
        assert_eq!(score.learned.iter().map(|row| row.runs).sum::<u64>(), 80);
        assert_eq!(score.brier_as_stated, None);
    }

    #[test]
    fn what_only_one_family_shows_is_not_known_of_it() {
        let one: Vec<_> = runs().into_iter().filter(|run| run.family == "a").collect();
        let score = Models::of(&one).success;
        assert_eq!((score.said.k, score.said.n), (0, 40));
        assert_eq!((score.brier, score.skill()), (None, None));
    }

    #[test]
    fn a_plan_that_several_ways_came_to_counts_once_and_one_that_did_not_end_not_at_all() {
        let twice = [run("a", 1, RiskLevel::Low, Some(true)), run("a", 1, RiskLevel::Low, Some(true))];
        assert_eq!(Models::of(&twice).success.plans.n, 1);
        assert_eq!(Models::of(&[run("a", 1, RiskLevel::Low, None)]).success.plans.n, 0);
    }

    #[test]
    fn harm_is_counted_in_the_minutes_after_a_moment() {
        let tick = |minute: u64| {
            let at = MonoTime::ZERO + Millis::from_mins(minute);
            Entry::Truth(
                at,
                TruthEntry::Tick(TruthTick { at, harmed: 6.0 * minute as f64, ..TruthTick::default() }),
            )
        };
        let entries: Vec<Entry> = (0..=20).map(tick).collect();
        let after = |minute| harmed_per_min(&entries, MonoTime::ZERO + Millis::from_mins(minute));
        // 6 × (3 + 4 + 5 + 6 + 7) / 5.
        assert_eq!(after(2), Some(30.0));
        assert_eq!(after(15), Some(108.0), "to the very end");
        assert_eq!(after(16), None, "it ends before");
    }

    #[test]
    fn harm_is_held_against_the_run_in_which_nobody_acts() {
        let with = |seed, truth: f64| {
            let mut outcome = run("a", seed, RiskLevel::Low, Some(true));
            outcome.harmed_untouched_per_min = Some(truth);
            outcome
        };
        let mut unsaid = with(5, 10.0);
        unsaid.rollback.as_mut().and_then(|r| r.first.as_mut()).expect("there").forecast =
            Forecast::default();
        let runs = [with(0, 50.0), with(1, 45.0), with(2, 200.0), with(2, 200.0), with(3, 0.0), unsaid];
        let score = Models::of(&runs).harm;
        assert_eq!((score.said.k, score.said.n), (4, 5));
        assert_eq!(score.ratio.map(|[_, median, _]| median), Some(1.0));
        assert_eq!((score.within_two.k, score.within_two.n), (2, 3));
        assert_eq!((score.covered.k, score.covered.n), (2, 3));
        assert_eq!(score.of_nothing.map(|e| (e.mean, e.n)), Some((50.0, 1)));
    }
}
