//! Where two runs of one seed part: the first scrape at which they judge or decide otherwise, and what each did then.
//!
//! Two policies on one seed are told the same up to the first effect of either, so the first difference is the policies'
//! own doing and not the world's. Verdicts are held against each other by whether they fail the candidate: the scores of two
//! judges are not comparable, and what one calls marginal another passes, all day and without consequence.

use rayon::prelude::*;
use serde::Serialize;

use super::explain::{Explained, Happened, Scrape, explain};
use super::replay::ReplayError;
use super::{Campaign, CampaignError, RunKey};
use backspin_domain::engine_io::JournalEntry;
use backspin_domain::entry::Entry;
use backspin_domain::event::Decision;
use backspin_domain::time::MonoTime;
use backspin_domain::verdict::VerdictClass;
use backspin_record::same_entry;

/// In what two runs part first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartedIn {
    /// The judge's answer.
    Verdict,
    /// What the engine made of the same answers.
    Decision,
    /// What it did about the same decision: plan, steps, waits.
    Execution,
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq)]
pub struct Parting {
    /// When.
    pub at: MonoTime,
    /// When the deploy began.
    pub deployed: MonoTime,
    /// In what.
    pub parted_in: PartedIn,
    /// The first run then.
    pub before: Side,
    /// The second run then.
    pub after: Side,
}

/// One run at the parting.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The last verdict by then; none before the first.
    pub verdict: Option<VerdictClass>,
    /// The judge's own statistic, and where it fails a candidate.
    pub score: Option<(f64, f64)>,
    /// Why, in words.
    pub evidence: Option<String>,
    /// What it decided at the parting.
    pub decided: Option<Decision>,
    /// What it decided first after that.
    pub next: Option<(MonoTime, Decision)>,
    /// What it wrote down first that the other did not, where they part in what is done.
    pub wrote: Option<&'static str>,
}

/// The first difference between two runs of one seed; none if they judge, decide and act alike from first to last.
pub fn parting(before: &[Entry], after: &[Entry]) -> Result<Option<Parting>, ReplayError> {
    let (before, after) = (told(before)?, told(after)?);
    let fails = |class: VerdictClass| class == VerdictClass::Fail;
    let found = [
        first_verdict(&before, &after, |a, b| fails(a) != fails(b)).map(|at| (at, PartedIn::Verdict)),
        first_decision(&before, &after).map(|at| (at, PartedIn::Decision)),
        first_act(&before, &after).map(|at| (at, PartedIn::Execution)),
    ];
    // At the same moment the verdict comes first: the others follow from it.
    let first = found.into_iter().flatten().min_by_key(|(at, _)| *at);
    let first = first.or_else(|| Some((first_verdict(&before, &after, |a, b| a != b)?, PartedIn::Verdict)));
    Ok(first.map(|(at, parted_in)| Parting {
        at,
        deployed: before.deployed,
        parted_in,
        before: side(&before, &after, at, parted_in),
        after: side(&after, &before, at, parted_in),
    }))
}

fn told(entries: &[Entry]) -> Result<Explained, ReplayError> {
    explain(entries.iter().cloned().map(Ok))
}

fn scrapes(run: &Explained) -> impl Iterator<Item = &Scrape> {
    run.stream.iter().filter_map(|happened| match happened {
        Happened::Scrape(scrape) => Some(&**scrape),
        Happened::Act(..) | Happened::Read(..) | Happened::EngineLost(_) => None,
    })
}

fn decisions(run: &Explained) -> impl Iterator<Item = (MonoTime, &Decision)> {
    run.stream.iter().filter_map(|happened| match happened {
        Happened::Act(at, JournalEntry::Decided { decision, .. }) => Some((*at, decision)),
        Happened::Act(..) | Happened::Scrape(_) | Happened::Read(..) | Happened::EngineLost(_) => None,
    })
}

/// What is done about a decision, in order.
fn acts(run: &Explained) -> impl Iterator<Item = (MonoTime, &JournalEntry)> {
    run.stream.iter().filter_map(|happened| match happened {
        Happened::Act(at, entry) if !matches!(entry, JournalEntry::Decided { .. }) => Some((*at, entry)),
        Happened::Act(..) | Happened::Scrape(_) | Happened::Read(..) | Happened::EngineLost(_) => None,
    })
}

/// The first scrape that both judged, and otherwise. A policy that asks more rarely judges fewer of them.
fn first_verdict(
    before: &Explained,
    after: &Explained,
    otherwise: impl Fn(VerdictClass, VerdictClass) -> bool,
) -> Option<MonoTime> {
    let mut others = scrapes(after).peekable();
    scrapes(before).find_map(|scrape| {
        while others.next_if(|other| other.at < scrape.at).is_some() {}
        let other = others.next_if(|other| other.at == scrape.at)?;
        otherwise(scrape.verdict.class, other.verdict.class).then_some(scrape.at)
    })
}

/// The first change of decision that only one of them made. Reasons are words, and every judge has its own.
fn first_decision(before: &Explained, after: &Explained) -> Option<MonoTime> {
    let kinds = |run| decisions(run).map(|(at, decision)| (at, decision.kind())).collect::<Vec<_>>();
    let (before, after) = (kinds(before), kinds(after));
    let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    [before.get(same), after.get(same)].into_iter().flatten().map(|(at, _)| *at).min()
}

fn first_act(before: &Explained, after: &Explained) -> Option<MonoTime> {
    let (mut left, mut right) = (acts(before), acts(after));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (Some((at, one)), Some((other, two))) if at == other && same_entry(one, two) => {}
            (left, right) => return [left, right].into_iter().flatten().map(|(at, _)| at).min(),
        }
    }
}

fn side(run: &Explained, other: &Explained, at: MonoTime, parted_in: PartedIn) -> Side {
    let scrape = scrapes(run).take_while(|scrape| scrape.at <= at).last();
    let wrote = (parted_in == PartedIn::Execution)
        .then(|| {
            let mut others = acts(other);
            acts(run).find(|(moment, entry)| {
                others.next().is_none_or(|(other, same)| other != *moment || !same_entry(same, entry))
            })
        })
        .flatten();
    Side {
        verdict: scrape.map(|scrape| scrape.verdict.class),
        score: scrape.map(|scrape| (scrape.verdict.score, scrape.verdict.threshold)),
        evidence: scrape.map(|scrape| scrape.evidence.words.clone()).filter(|words| !words.is_empty()),
        decided: decisions(run).filter(|(made, _)| *made == at).last().map(|(_, decision)| decision.clone()),
        next: decisions(run).find(|(made, _)| *made > at).map(|(made, decision)| (made, decision.clone())),
        wrote: wrote.map(|(_, entry)| kind(entry)),
    }
}

/// What an entry is, in words.
const fn kind(entry: &JournalEntry) -> &'static str {
    match entry {
        JournalEntry::Judged { .. } => "a verdict",
        JournalEntry::Decided { .. } => "a decision",
        JournalEntry::Planned { .. } => "another plan",
        JournalEntry::Intent { .. } => "another step",
        JournalEntry::Outcome { .. } => "another end of a step",
        JournalEntry::Validated { .. } => "other checks",
        JournalEntry::Status { .. } => "another state of its execution",
        JournalEntry::Waiting { .. } => "a wait",
        JournalEntry::Asked { .. } => "a request for approval",
        JournalEntry::Approved { .. } => "an approval",
        JournalEntry::Void { .. } => "an answer that does not count",
        JournalEntry::Alerts { .. } => "another quiet time of alerts",
        JournalEntry::Page { .. } => "another call for a person",
        JournalEntry::Resumed { .. } => "another way on after a restart",
        JournalEntry::RolloutIntent { .. } => "another wish to the rollout",
    }
}

impl Campaign<'_> {
    /// Where the runs of the first two policies part, for each of these subjects and seeds, in their order.
    pub fn partings(&self, places: &[(usize, u64)]) -> Result<Vec<Option<Parting>>, CampaignError> {
        let one = |&(subject, seed_index): &(usize, u64)| {
            let record = |policy| self.record(&RunKey { subject, policy, seed_index });
            let found = parting(&record(0)?, &record(1)?);
            Ok(found
                .expect("a record that was just made begins with its header and holds this build's policy"))
        };
        self.pool()?.install(|| places.par_iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backspin_plane::RunId;
    use backspin_plane::direct;
    use backspin_policy::document::{FileKind, Source};
    use backspin_policy::{JudgeName, Policy, default_policy};

    fn policy(text: &str) -> Policy {
        let source = Source::new(FileKind::Policy, "p.yaml", format!("version: 1\n{text}"));
        backspin_policy::parse(&source).expect("good")
    }

    fn record(policy: &Policy) -> Vec<Entry> {
        let all = backspin_scenario::shipped().expect("shipped");
        let scenario = all.iter().find(|s| s.name == "half-of-requests-fail").expect("it is there");
        direct::run(scenario, policy, RunId { campaign_seed: 1, seed_index: 0 }).expect("good queries")
    }

    #[test]
    fn the_same_policy_does_not_part() {
        let policy = default_policy().expect("shipped");
        assert_eq!(parting(&record(&policy), &record(&policy)).expect("whole"), None);
    }

    #[test]
    fn a_judge_that_never_fails_parts_where_the_other_first_does() {
        let own = default_policy().expect("shipped");
        let (before, after) = (record(&own), record(&own.with_judge(JudgeName::Weighted)));
        let parting = parting(&before, &after).expect("whole").expect("they part");
        assert_eq!(parting.parted_in, PartedIn::Verdict);
        assert_eq!(parting.before.verdict, Some(VerdictClass::Fail));
        assert_ne!(parting.after.verdict, Some(VerdictClass::Fail));
        assert!(parting.before.evidence.is_some() && parting.at > parting.deployed);
        let first = before.iter().find_map(|entry| match entry {
            Entry::Journal(at, JournalEntry::Judged { verdict, .. })
                if verdict.class == VerdictClass::Fail =>
            {
                Some(*at)
            }
            _ => None,
        });
        assert_eq!(Some(parting.at), first);
    }

    #[test]
    fn the_same_decision_carried_out_otherwise_parts_in_what_is_done() {
        let (before, after) = (policy(""), policy("planning: { strategy: gradual }"));
        let parting = parting(&record(&before), &record(&after)).expect("whole").expect("they part");
        assert_eq!(parting.parted_in, PartedIn::Execution);
        assert_eq!(parting.before.verdict, parting.after.verdict);
        assert!(parting.before.wrote.is_some() && parting.after.wrote.is_some(), "{parting:?}");
    }
}
