//! What is known of one scenario and seed: the runs that were played, as a tree over what judges said.
//!
//! **Why a run can be looked up.** An engine is a fold over its inputs, and of the judge it reads only what [`Told`] keeps.
//! As long as two policies that differ in their judges alone are told the same of the same frames, they do the same, so the
//! world shows them the same next frame. So the frames of a known run can be put before another judge, one by one: if it
//! says the same of all of them, its run is that run. Where it says something else it takes another branch, which is known
//! too, or has to be played. This holds across every effect, a paused ramp included, since a branch keeps its own frames.
//!
//! **What a rollback comes to** is known more often still. Once the first step of a rollback is under way no judge is asked
//! any more, unless the rollback fails and the deploy is watched on. So the worth of a run whose judge was not asked again is
//! kept by what was decided and asked for before that step, and another judge that came there by other verdicts shares it.
//!
//! Policies that differ in anything but the judge never share a tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::Entry;
use backspin_domain::event::Decision;
use backspin_domain::execution::ExecutionStatus;
use backspin_domain::frame::Frame;
use backspin_domain::id::ExecutionId;
use backspin_domain::service::Deploy;
use backspin_domain::time::MonoTime;
use backspin_engine::settings::SeverityRule;
use backspin_judge::Judge;

use crate::told::Told;
use crate::worth::Worth;

/// The runs that are known.
#[derive(Debug, Default)]
pub struct Course {
    /// The first is the root, once there is one.
    nodes: Vec<Node>,
    /// What rollbacks came to, by how they began.
    tails: BTreeMap<String, Worth>,
}

/// A stretch of a course without a branch, and what follows.
#[derive(Debug)]
struct Node {
    steps: Vec<Step>,
    then: Then,
}

/// What a judge goes through.
#[derive(Clone, Debug)]
enum Step {
    /// It watches a new deploy.
    Reset,
    /// It sees a frame of which nobody asks it.
    Shown(Arc<Frame>),
    /// It sees a frame, and says this.
    Asked(Arc<Frame>, Told),
}

#[derive(Debug)]
enum Then {
    /// Judges say different things of this frame.
    Parts(Arc<Frame>, Vec<(Told, usize)>),
    /// No judge is asked any more.
    Ends(Worth),
}

/// What became of looking a judge up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found {
    /// Its run is known.
    Known(Worth),
    /// It has to be played.
    New,
}

impl Course {
    /// What a judge's run is worth, if it is known. The judge must be fresh.
    pub fn find(&self, judge: &mut dyn Judge, rule: SeverityRule) -> Found {
        let Some(mut node) = self.nodes.first() else { return Found::New };
        loop {
            for step in &node.steps {
                match step {
                    Step::Reset => judge.reset(),
                    Step::Shown(frame) => {
                        judge.observe(frame);
                    }
                    Step::Asked(frame, told) => {
                        if Told::of(&judge.observe(frame), rule) != *told {
                            return Found::New;
                        }
                    }
                }
            }
            match &node.then {
                Then::Ends(worth) => return Found::Known(*worth),
                Then::Parts(frame, ways) => {
                    let told = Told::of(&judge.observe(frame), rule);
                    match ways.iter().find(|(said, _)| *said == told) {
                        Some((_, next)) => node = &self.nodes[*next],
                        None => return Found::New,
                    }
                }
            }
        }
    }

    /// What a rollback that began like this came to, if it is known.
    pub fn tail(&self, entries: &[Entry]) -> Option<Worth> {
        self.tails.get(&beginning(&entries[..first_step(entries)?])).copied()
    }

    /// Takes a run that was played to its end.
    pub fn learn_whole(&mut self, entries: &[Entry], rule: SeverityRule, worth: Worth) {
        let Heard { steps, asked_after_first_step } = heard(entries, rule);
        if !asked_after_first_step && let Some(first) = first_step(entries) {
            self.tails.insert(beginning(&entries[..first]), worth);
        }
        self.insert(steps, worth);
    }

    /// Takes a run that was given up because what follows is known.
    pub fn learn_known(&mut self, entries: &[Entry], rule: SeverityRule, worth: Worth) {
        self.insert(heard(entries, rule).steps, worth);
    }

    /// How many runs are told apart.
    pub fn runs(&self) -> usize {
        self.nodes.iter().filter(|node| matches!(node.then, Then::Ends(_))).count()
    }

    fn insert(&mut self, steps: Vec<Step>, worth: Worth) {
        if self.nodes.is_empty() {
            self.nodes.push(Node { steps, then: Then::Ends(worth) });
            return;
        }
        let (mut here, mut from) = (0, 0);
        loop {
            let known = &self.nodes[here].steps;
            let parts =
                (0..known.len()).find(|&n| !steps.get(from + n).is_some_and(|step| known[n].is(step)));
            if let Some(n) = parts {
                let Some(Step::Asked(_, told)) = steps.get(from + n).cloned() else {
                    unreachable!("what is the same in all runs parts none, and no run ends within another");
                };
                let next = self.part(here, n);
                let rest = self.add(steps[from + n + 1..].to_vec(), worth);
                if let Then::Parts(_, ways) = &mut self.nodes[next].then {
                    ways.push((told, rest));
                }
                return;
            }
            from += known.len();
            match &self.nodes[here].then {
                Then::Ends(_) => return,
                Then::Parts(_, ways) => {
                    let Some(Step::Asked(_, told)) = steps.get(from).cloned() else {
                        unreachable!("a run goes on where judges are asked");
                    };
                    from += 1;
                    if let Some((_, next)) = ways.iter().find(|(said, _)| *said == told) {
                        here = *next;
                    } else {
                        let rest = self.add(steps[from..].to_vec(), worth);
                        if let Then::Parts(_, ways) = &mut self.nodes[here].then {
                            ways.push((told, rest));
                        }
                        return;
                    }
                }
            }
        }
    }

    fn add(&mut self, steps: Vec<Step>, worth: Worth) -> usize {
        self.nodes.push(Node { steps, then: Then::Ends(worth) });
        self.nodes.len() - 1
    }

    /// Cuts a node before its step `n`, which becomes a branch with one way. Gives the node that branches.
    fn part(&mut self, here: usize, n: usize) -> usize {
        let rest = self.nodes.len();
        let node = &mut self.nodes[here];
        let after = node.steps.split_off(n + 1);
        let Some(Step::Asked(frame, told)) = node.steps.pop() else {
            unreachable!("judges part only where they are asked");
        };
        let then = std::mem::replace(&mut node.then, Then::Parts(frame, vec![(told, rest)]));
        self.nodes.push(Node { steps: after, then });
        here
    }
}

impl Step {
    /// Whether both are the same to a judge that went through the same before.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Asked(_, left), Self::Asked(_, right)) => left == right,
            (Self::Reset, Self::Reset) | (Self::Shown(_), Self::Shown(_)) => true,
            _ => false,
        }
    }
}

/// What a judge went through in a run, up to the last verdict that mattered.
struct Heard {
    steps: Vec<Step>,
    /// Whether a verdict mattered after the first step of a rollback.
    asked_after_first_step: bool,
}

/// Reads it out of a record: the same frames, in the same order, as the engine showed to its judge.
fn heard(entries: &[Entry], rule: SeverityRule) -> Heard {
    let mut steps: Vec<Step> = Vec::new();
    let mut deploy: Option<&Deploy> = None;
    let mut first_step = false;
    let mut last: Option<MonoTime> = None;
    let mut open: Option<ExecutionId> = None;
    let (mut mattered, mut asked_after_first_step) = (0, false);
    let mut shown: Option<(Arc<Frame>, bool)> = None;
    for entry in entries {
        match entry {
            // An engine that comes back is told again of a deploy that it knows.
            Entry::Input(_, Input::Deployed(told)) if deploy == Some(told) => {}
            Entry::Input(_, Input::Deployed(told)) => {
                deploy = Some(told);
                steps.push(Step::Reset);
                mattered = steps.len();
            }
            Entry::Input(_, Input::Collected { frame, .. }) => {
                if last.is_some_and(|last| frame.at <= last) {
                    continue;
                }
                last = Some(frame.at);
                shown = Some((frame.clone(), open.is_none()));
                // The frame of the deploy's own moment is still history.
                if deploy.is_none_or(|deploy| frame.at <= deploy.at) {
                    steps.push(Step::Shown(frame.clone()));
                    mattered = steps.len();
                }
            }
            Entry::Journal(_, JournalEntry::Judged { verdict, .. }) => {
                let Some((frame, applied)) = shown.take() else { continue };
                steps.push(Step::Asked(frame, Told::of(verdict, rule)));
                if applied {
                    mattered = steps.len();
                    asked_after_first_step |= first_step;
                }
            }
            Entry::Journal(_, JournalEntry::Planned { execution, .. }) => open = Some(*execution),
            Entry::Journal(_, JournalEntry::Status { execution, status, .. }) => {
                if open == Some(*execution) && is_over(*status) {
                    open = None;
                }
            }
            Entry::Journal(_, JournalEntry::Intent { .. }) => first_step = true,
            Entry::Header(_)
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Journal(..)
            | Entry::Truth(..)
            | Entry::End(_) => {}
        }
    }
    steps.truncate(mattered);
    Heard { steps, asked_after_first_step }
}

const fn is_over(status: ExecutionStatus) -> bool {
    match status {
        ExecutionStatus::Completed
        | ExecutionStatus::CompletedWithWarnings
        | ExecutionStatus::Failed
        | ExecutionStatus::Stopped => true,
        ExecutionStatus::AwaitingApproval | ExecutionStatus::Running => false,
    }
}

/// The place of the first step of a rollback that was asked for, that entry included.
fn first_step(entries: &[Entry]) -> Option<usize> {
    let first = |entry: &Entry| match entry {
        Entry::Journal(_, JournalEntry::Intent { action, .. }) => action.actuator().is_some(),
        _ => false,
    };
    Some(entries.iter().position(first)? + 1)
}

/// How a rollback began: everything that was decided and asked for up to there, without the words. What was shown is the
/// same wherever this is.
fn beginning(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let Entry::Journal(at, entry) = entry else { continue };
        let done = match entry {
            JournalEntry::Decided { decision: Decision::RollBack(event), .. } => {
                write!(text, "{} roll back {} {:?} {:?};", at.0, event.target, event.severity, event.trigger)
            }
            JournalEntry::Decided { decision, .. } => write!(text, "{} {decision:?};", at.0),
            JournalEntry::RolloutIntent { ask, .. } => write!(text, "{} {ask:?};", at.0),
            JournalEntry::Planned { execution, plan } => {
                write!(text, "{} plan {execution:?} {:?};", at.0, plan.strategy)
            }
            JournalEntry::Intent { attempt, .. } => write!(text, "{} step {attempt:?};", at.0),
            JournalEntry::Asked { role, .. } => write!(text, "{} ask {role};", at.0),
            JournalEntry::Approved { by, .. } => write!(text, "{} agreed {by};", at.0),
            JournalEntry::Void { by, .. } => write!(text, "{} void {by};", at.0),
            JournalEntry::Waiting { until, .. } => write!(text, "{} wait {};", at.0, until.0),
            JournalEntry::Status { status, .. } => write!(text, "{} {status:?};", at.0),
            JournalEntry::Resumed { goes_on, .. } => write!(text, "{} back {goes_on};", at.0),
            JournalEntry::Page { .. } => write!(text, "{} page;", at.0),
            JournalEntry::Judged { .. }
            | JournalEntry::Outcome { .. }
            | JournalEntry::Validated { .. }
            | JournalEntry::Alerts { .. } => Ok(()),
        };
        done.expect("text takes everything");
    }
    text
}
