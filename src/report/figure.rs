//! The figures of a report: what each is called, how it is written for people, and which numbers stand behind it. Terminal,
//! page, Markdown and CSV take theirs from here.

use super::columns::Column;
use super::words;
use backspin_score::{Estimate, Figures, Quantile, Share, Spread};

/// A figure.
pub(super) struct Figure {
    /// Its title in tables.
    pub(super) title: &'static str,
    /// For people.
    pub(super) words: fn(&Figures) -> String,
    /// The same in fewer words, where there are fewer.
    short: Option<fn(&Figures) -> String>,
    /// Not worth a column where it is zero everywhere.
    if_any: bool,
    /// The numbers behind it, by their names in files; shares are `0..=1`.
    pub(super) numbers: &'static [Number],
}

/// A number's name and where it comes from.
type Number = (&'static str, fn(&Figures) -> Option<f64>);

impl Figure {
    /// As a column of a table for a terminal.
    pub(super) fn column<'a>(&self, rows: impl Iterator<Item = &'a Figures> + Clone) -> Column {
        let column = Column::right(self.title, rows.clone().map(self.words).collect());
        let column = if self.if_any { column.if_any() } else { column };
        match self.short {
            Some(short) => column.or(rows.map(short).collect()),
            None => column,
        }
    }
}

const PLAIN: Figure =
    Figure { title: "", words: |_| String::new(), short: None, if_any: false, numbers: &[] };

pub(super) const RUNS: Figure = Figure {
    title: "runs",
    words: |f| f.runs.to_string(),
    numbers: &[("runs", |f| Some(f.runs as f64))],
    ..PLAIN
};

pub(super) const CAUGHT: Figure = Figure {
    title: "caught, % (95 %)",
    words: |f| share(&f.caught),
    numbers: &[
        ("caught", |f| Some(f.caught.k as f64)),
        ("catchable", |f| Some(f.caught.n as f64)),
        ("recall", |f| f.caught.value()),
        ("recall_lower", |f| bound(&f.caught, f.caught.lower)),
        ("recall_upper", |f| bound(&f.caught, f.caught.upper)),
    ],
    ..PLAIN
};

pub(super) const MISSED: Figure = Figure {
    title: "missed",
    words: |f| f.confusion.false_negative.to_string(),
    numbers: &[("missed", |f| Some(f.confusion.false_negative as f64))],
    ..PLAIN
};

pub(super) const ESCALATED: Figure = Figure {
    title: "escalated",
    words: |f| (f.confusion.escalated_bad + f.confusion.escalated_good).to_string(),
    numbers: &[
        ("escalated_bad", |f| Some(f.confusion.escalated_bad as f64)),
        ("escalated_good", |f| Some(f.confusion.escalated_good as f64)),
    ],
    ..PLAIN
};

pub(super) const INCONCLUSIVE: Figure = Figure {
    title: "inconclusive",
    words: |f| (f.confusion.inconclusive_bad + f.confusion.inconclusive_good).to_string(),
    if_any: true,
    numbers: &[
        ("inconclusive_bad", |f| Some(f.confusion.inconclusive_bad as f64)),
        ("inconclusive_good", |f| Some(f.confusion.inconclusive_good as f64)),
    ],
    ..PLAIN
};

pub(super) const INFEASIBLE: Figure = Figure {
    title: "beyond any judge",
    words: |f| {
        if f.infeasible.n == 0 { "0".into() } else { format!("{}/{}", f.infeasible.k, f.infeasible.n) }
    },
    if_any: true,
    numbers: &[
        ("infeasible_caught", |f| Some(f.infeasible.k as f64)),
        ("infeasible", |f| Some(f.infeasible.n as f64)),
    ],
    ..PLAIN
};

pub(super) const FALSE_ROLLBACKS: Figure = Figure {
    title: "false rollbacks, % (95 %)",
    words: |f| share(&f.false_rollbacks),
    numbers: &[
        ("false_rollbacks", |f| Some(f.confusion.false_positive as f64)),
        ("left_alone", |f| Some(f.confusion.true_negative as f64)),
        ("false_rollback_share", |f| f.false_rollbacks.value()),
        ("false_rollback_lower", |f| bound(&f.false_rollbacks, f.false_rollbacks.lower)),
        ("false_rollback_upper", |f| bound(&f.false_rollbacks, f.false_rollbacks.upper)),
    ],
    ..PLAIN
};

pub(super) const PRECISION: Figure = Figure {
    title: "precision",
    words: |f| ratio(f.precision),
    numbers: &[("precision", |f| f.precision)],
    ..PLAIN
};

pub(super) const F1: Figure =
    Figure { title: "F1", words: |f| ratio(f.f1), numbers: &[("f1", |f| f.f1)], ..PLAIN };

pub(super) const MCC: Figure =
    Figure { title: "MCC", words: |f| ratio(f.mcc), numbers: &[("mcc", |f| f.mcc)], ..PLAIN };

pub(super) const DELAY: Figure = Figure {
    title: "median delay",
    words: |f| median(&f.delay_s, words::seconds),
    short: Some(|f| quantile(f.delay_s.median, words::seconds)),
    numbers: &[
        ("delay_s_n", |f| Some(f.delay_s.n as f64)),
        ("delay_s_reached", |f| Some(f.delay_s.reached as f64)),
        ("delay_s_median", |f| at(f.delay_s.median)),
        ("delay_s_median_lower", |f| at(f.delay_s.median_interval?.0)),
        ("delay_s_median_upper", |f| at(f.delay_s.median_interval?.1)),
    ],
    ..PLAIN
};

pub(super) const P90: Figure = Figure {
    title: "p90 delay",
    words: |f| quantile(f.delay_s.p90, words::seconds),
    numbers: &[("delay_s_p90", |f| at(f.delay_s.p90))],
    ..PLAIN
};

pub(super) const BOUND: Figure = Figure {
    title: "× D*",
    words: |f| median(&Spread { reached: f.delay_ratio.n, ..f.delay_ratio }, bare),
    short: Some(|f| quantile(f.delay_ratio.median, bare)),
    numbers: &[
        ("delay_over_bound_median", |f| at(f.delay_ratio.median)),
        ("delay_over_bound_median_lower", |f| at(f.delay_ratio.median_interval?.0)),
        ("delay_over_bound_median_upper", |f| at(f.delay_ratio.median_interval?.1)),
    ],
    ..PLAIN
};

pub(super) const TTM: Figure = Figure {
    title: "time to mitigate",
    words: |f| known(f, &f.ttm_s, |spread| median(spread, words::seconds)),
    short: Some(|f| known(f, &f.ttm_s, |spread| quantile(spread.median, words::seconds))),
    numbers: &[
        ("ttm_s_n", |f| Some(f.ttm_s.n as f64)),
        ("ttm_s_reached", |f| Some(f.ttm_s.reached as f64)),
        ("ttm_s_median", |f| at(f.ttm_s.median)),
        ("ttm_s_median_lower", |f| at(f.ttm_s.median_interval?.0)),
        ("ttm_s_median_upper", |f| at(f.ttm_s.median_interval?.1)),
        ("ttm_s_p90", |f| at(f.ttm_s.p90)),
    ],
    ..PLAIN
};

pub(super) const TTR: Figure = Figure {
    title: "time to recover",
    words: |f| known(f, &f.ttr_s, |spread| median(spread, words::seconds)),
    short: Some(|f| known(f, &f.ttr_s, |spread| quantile(spread.median, words::seconds))),
    numbers: &[
        ("ttr_s_n", |f| Some(f.ttr_s.n as f64)),
        ("ttr_s_reached", |f| Some(f.ttr_s.reached as f64)),
        ("ttr_s_median", |f| at(f.ttr_s.median)),
        ("ttr_s_median_lower", |f| at(f.ttr_s.median_interval?.0)),
        ("ttr_s_median_upper", |f| at(f.ttr_s.median_interval?.1)),
        ("ttr_s_p90", |f| at(f.ttr_s.p90)),
    ],
    ..PLAIN
};

pub(super) const USERS: Figure = Figure {
    title: "users harmed",
    words: |f| users(f),
    numbers: &[("users_harmed_mean", |f| f.users_harmed_mean)],
    ..PLAIN
};

pub(super) const BUDGET: Figure = Figure {
    title: "error budget",
    words: |f| f.budget_share_mean.map_or_else(|| words::NOTHING.into(), words::percent),
    numbers: &[("error_budget_share_mean", |f| f.budget_share_mean)],
    ..PLAIN
};

pub(super) const COST: Figure = Figure {
    title: "cost per bad deploy",
    words: |f| estimate(f.cost_bad.as_ref()),
    short: Some(|f| mean(f.cost_bad.as_ref())),
    numbers: &[
        ("cost_bad_n", |f| Some(f.cost_bad?.n as f64)),
        ("cost_bad_mean", |f| Some(f.cost_bad?.mean)),
        ("cost_bad_lower", |f| Some(f.cost_bad?.interval?.0)),
        ("cost_bad_upper", |f| Some(f.cost_bad?.interval?.1)),
    ],
    ..PLAIN
};

pub(super) const REGRET_BAD: Figure = Figure {
    title: "regret, bad",
    words: |f| estimate(f.regret_bad.as_ref()),
    short: Some(|f| mean(f.regret_bad.as_ref())),
    numbers: &[
        ("regret_bad_n", |f| Some(f.regret_bad?.n as f64)),
        ("regret_bad_mean", |f| Some(f.regret_bad?.mean)),
        ("regret_bad_lower", |f| Some(f.regret_bad?.interval?.0)),
        ("regret_bad_upper", |f| Some(f.regret_bad?.interval?.1)),
    ],
    ..PLAIN
};

pub(super) const REGRET_GOOD: Figure = Figure {
    title: "regret, good",
    words: |f| estimate(f.regret_good.as_ref()),
    short: Some(|f| mean(f.regret_good.as_ref())),
    numbers: &[
        ("regret_good_n", |f| Some(f.regret_good?.n as f64)),
        ("regret_good_mean", |f| Some(f.regret_good?.mean)),
        ("regret_good_lower", |f| Some(f.regret_good?.interval?.0)),
        ("regret_good_upper", |f| Some(f.regret_good?.interval?.1)),
    ],
    ..PLAIN
};

/// All, in the order of files.
pub(super) const ALL: [Figure; 20] = [
    RUNS,
    CAUGHT,
    MISSED,
    ESCALATED,
    INCONCLUSIVE,
    INFEASIBLE,
    FALSE_ROLLBACKS,
    PRECISION,
    F1,
    MCC,
    DELAY,
    P90,
    BOUND,
    TTM,
    TTR,
    USERS,
    BUDGET,
    COST,
    REGRET_BAD,
    REGRET_GOOD,
];

/// Those that compare groups, in tables of groups.
pub(super) const COMPARED: [Figure; 10] =
    [RUNS, CAUGHT, MISSED, ESCALATED, FALSE_ROLLBACKS, MCC, DELAY, BOUND, REGRET_BAD, REGRET_GOOD];

/// `38/40  95.0 (83.5–98.6)`.
fn share(share: &Share) -> String {
    share.value().map_or_else(
        || words::NOTHING.to_owned(),
        |value| {
            let (k, n, lower, upper) = (share.k, share.n, share.lower * 100.0, share.upper * 100.0);
            format!("{k}/{n}  {:.1} ({lower:.1}–{upper:.1})", value * 100.0)
        },
    )
}

/// An interval of nothing says nothing.
fn bound(share: &Share, bound: f64) -> Option<f64> {
    (share.n > 0).then_some(bound)
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| words::NOTHING.to_owned(), |value| format!("{value:.2}").replace('-', "−"))
}

/// `2m 30s (2m–3m) 39/40`: a median, its interval if there is one, and how many got there if not all did.
fn median(spread: &Spread, show: fn(f64) -> String) -> String {
    let middle = quantile(spread.median, show);
    // Where half did not get there by the lower end either, both ends only repeat the length of the watch.
    let interval = match spread.median_interval {
        Some((lower @ Quantile::At(_), upper)) => {
            format!(" ({}–{})", quantile(lower, show), quantile(upper, show))
        }
        Some(_) | None => String::new(),
    };
    let reached =
        if spread.n == spread.reached { String::new() } else { format!(" {}/{}", spread.reached, spread.n) };
    middle + &interval + &reached
}

/// `2m 30s`, or `>48m` where half did not get there in the longest watch.
pub(super) fn quantile(value: Quantile, show: impl Fn(f64) -> String) -> String {
    match value {
        Quantile::NotReached(beyond) => format!(">{}", show(beyond)),
        Quantile::NoData | Quantile::At(_) => words::quantile(value, show),
    }
}

/// The quantile, if it was reached.
const fn at(value: Quantile) -> Option<f64> {
    match value {
        Quantile::At(at) => Some(at),
        Quantile::NoData | Quantile::NotReached(_) => None,
    }
}

pub(super) fn bare(value: f64) -> String {
    words::times(value).trim_end_matches(" ×").to_owned()
}

fn mean(estimate: Option<&Estimate>) -> String {
    estimate.map_or_else(|| words::NOTHING.to_owned(), |estimate| words::cost(estimate.mean))
}

/// `1 240 (980–1 610)`.
fn estimate(estimate: Option<&Estimate>) -> String {
    let interval = estimate.and_then(|estimate| estimate.interval);
    let interval = interval.map(|(lower, upper)| format!(" ({}–{})", words::cost(lower), words::cost(upper)));
    mean(estimate) + &interval.unwrap_or_default()
}

/// Where there were incidents but not one time, it is not that nothing was reached: it cannot be told.
pub(super) fn known(figures: &Figures, spread: &Spread, show: impl Fn(&Spread) -> String) -> String {
    match (spread.n, figures.delay_s.n) {
        (0, 1..) => "unknown".to_owned(),
        _ => show(spread),
    }
}

/// Users harmed per bad deploy; a recording cannot say.
pub(super) fn users(figures: &Figures) -> String {
    known(figures, &figures.ttm_s, |_| {
        figures.users_harmed_mean.map_or_else(|| words::NOTHING.into(), words::users)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use backspin_score::CostWeights;

    #[test]
    fn every_number_has_a_name_of_its_own() {
        let names: Vec<&str> = ALL.iter().flat_map(|figure| figure.numbers).map(|(name, _)| *name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(ALL.iter().all(|figure| !figure.numbers.is_empty() && !figure.title.is_empty()));
    }

    #[test]
    fn figures_of_nothing_say_nothing() {
        let nothing = Figures::of(&[], &CostWeights::default());
        for figure in &ALL {
            assert!(["–", "0"].contains(&(figure.words)(&nothing).as_str()), "{}", figure.title);
        }
    }

    #[test]
    fn a_cost_has_its_interval_and_its_sign() {
        let costs = Estimate { mean: -1240.4, interval: Some((-1500.0, 12.0)), n: 40 };
        assert_eq!(estimate(Some(&costs)), "−1\u{202f}240 (−1\u{202f}500–12)");
        assert_eq!(estimate(None), "–");
    }
}
