//! What would have been decided, and when: a service's frames, fed to a fresh engine under each policy.
//!
//! The engine is told what a real one would know: that a version which has long been healthy serves, and that another one is being
//! shipped. Up to its first decision to roll back it is the very engine that acts elsewhere. From there on the record would be another
//! one, and nothing that the engine goes on to do is looked at.

use std::sync::Arc;

use super::deploys::PastDeploy;
use super::frames::Framed;
use super::metrics::Metrics;
use super::pieces::Window;
use super::queries;
use backspin_domain::engine_io::{Input, JournalEntry};
use backspin_domain::entry::{Entry, PlaneKind, RECORD_VERSION, RunHeader};
use backspin_domain::event::{Decision, DecisionKind, Severity};
use backspin_domain::frame::Frame;
use backspin_domain::id::VersionId;
use backspin_domain::seed::Seed;
use backspin_domain::service::{
    Capabilities, Deploy, Environment, Inventory, KnownVersion, RolloutKind, Tier,
};
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime};
use backspin_domain::verdict::{Verdict, VerdictClass};
use backspin_mocks::promql::QuerySetError;
use backspin_plane::http::metrics::RawSeries;
use backspin_plane::refed;
use backspin_policy::{JudgeName, Policy};

/// How long the version before is taken to have been healthy.
const HEALTHY_BEFORE: Millis = Millis::from_mins(7 * 24 * 60);

/// A decision, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// After the deploy began.
    pub after: Millis,
    /// Which.
    pub kind: DecisionKind,
    /// How bad, where it is to roll back.
    pub severity: Option<Severity>,
    /// Why, in words.
    pub words: String,
}

/// Verdicts of one kind in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// After the deploy began.
    pub from: Millis,
    /// Until then at least.
    pub until: Millis,
    /// How many.
    pub verdicts: usize,
    /// The last of them.
    pub last: Verdict,
}

/// What one policy would have made of one deploy.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Its judge.
    pub judge: &'static str,
    /// Its hash.
    pub policy_hash: String,
    /// Each change of its decision up to the first to roll back.
    pub decisions: Vec<Decided>,
    /// Its judge's verdicts up to there.
    pub verdicts: Vec<Stretch>,
}

impl Course {
    /// The first decision of a kind.
    pub fn first(&self, kind: DecisionKind) -> Option<&Decided> {
        self.decisions.iter().find(|decided| decided.kind == kind)
    }

    /// Whether the judge ever said anything else than that it cannot tell.
    pub fn could_judge(&self) -> bool {
        self.verdicts.iter().any(|stretch| stretch.last.class != VerdictClass::Inconclusive)
    }
}

/// Feeds a deploy to each policy. Policies that ask the same are shown the same frames.
///
/// # Errors
/// When a query of a policy does not fit the series that there are.
pub fn courses(
    policies: &[Policy],
    metrics: &Metrics,
    deploy: &PastDeploy,
    window: Window,
    series: &[RawSeries],
    framed: &Framed,
) -> Result<Vec<Course>, QuerySetError> {
    let mut asked: Vec<(&Policy, Vec<Arc<Frame>>)> = Vec::new();
    let mut courses = Vec::new();
    for policy in policies {
        let known = asked.iter().position(|(other, _)| other.queries == policy.queries);
        let place = if let Some(place) = known {
            place
        } else {
            let mut frames = framed.frames.clone();
            queries::fill(policy, metrics, deploy, window, series, &mut frames)?;
            asked.push((policy, frames.into_iter().map(Arc::new).collect()));
            asked.len() - 1
        };
        courses.push(course(policy, metrics, deploy, window, &asked[place].1, framed.deployed));
    }
    Ok(courses)
}

fn course(
    policy: &Policy,
    metrics: &Metrics,
    deploy: &PastDeploy,
    window: Window,
    frames: &[Arc<Frame>],
    deployed: MonoTime,
) -> Course {
    // Frames come at the pace of the scrapes, whatever the policy says.
    let stated = policy.with_settings(|settings| settings.collect_every = metrics.scrape());
    let judge = JudgeName::of(&policy.judge).name();
    let record = record(deploy, window, frames, deployed);
    let entries = refed::run(&header(judge, &stated, deploy, window), &record, &stated, &policy.custom);
    let mut course =
        Course { judge, policy_hash: policy.hash.clone(), decisions: Vec::new(), verdicts: Vec::new() };
    for entry in entries {
        match entry {
            Entry::Journal(at, JournalEntry::Judged { verdict, .. }) if at > deployed => {
                course.take(at.since(deployed), verdict);
            }
            Entry::Journal(at, JournalEntry::Decided { decision, .. }) if at >= deployed => {
                let decided = decided(at.since(deployed), &decision);
                let is_last = decided.kind == DecisionKind::RollBack;
                course.decisions.push(decided);
                if is_last {
                    break;
                }
            }
            Entry::Header(_)
            | Entry::Input(..)
            | Entry::Woken(_)
            | Entry::Journal(..)
            | Entry::Truth(..)
            | Entry::End(_) => {}
        }
    }
    course
}

impl Course {
    fn take(&mut self, after: Millis, verdict: Verdict) {
        match self.verdicts.last_mut() {
            Some(stretch) if stretch.last.class == verdict.class => {
                stretch.until = after;
                stretch.verdicts += 1;
                stretch.last = verdict;
            }
            _ => self.verdicts.push(Stretch { from: after, until: after, verdicts: 1, last: verdict }),
        }
    }
}

fn decided(after: Millis, decision: &Decision) -> Decided {
    let (severity, words) = match decision {
        Decision::Hold(reason) | Decision::Pause(reason) | Decision::Escalate(reason) => {
            (None, reason.to_string())
        }
        Decision::RollBack(event) => (Some(event.severity), event.reason.clone()),
    };
    Decided { after, kind: decision.kind(), severity, words }
}

/// What the engine is told.
fn record(deploy: &PastDeploy, window: Window, frames: &[Arc<Frame>], deployed: MonoTime) -> Vec<Entry> {
    let name = |name| VersionId::new(name).expect("a name");
    let (candidate, from) = (name("candidate"), name("before"));
    let version = |id: &VersionId, healthy_for, replicas_ready| KnownVersion {
        id: id.clone(),
        shipped_ago: HEALTHY_BEFORE,
        healthy_for,
        deployable: true,
        marked_bad: false,
        flags: Vec::new(),
        schema: None,
        infrastructure: Vec::new(),
        replicas_ready,
    };
    let inventory = Inventory {
        service: deploy.service.clone(),
        tier: Tier::Application,
        environment: Environment::Production,
        capabilities: Capabilities { traffic_split: true, rolling_update: true, ..Capabilities::default() },
        replicas: 1,
        depends_on: Vec::new(),
        versions: vec![version(&from, Some(HEALTHY_BEFORE), 1), version(&candidate, None, 0)],
    };
    let begun = Deploy {
        service: deploy.service.clone(),
        candidate,
        from,
        kind: RolloutKind::Canary,
        at: deployed,
        watch: Millis(window.end.0.abs_diff(deploy.at.0)),
    };
    let mut entries = vec![Entry::Input(MonoTime::ZERO, Input::Inventory(Box::new(inventory)))];
    let collected = |frame: &Arc<Frame>| {
        Entry::Input(frame.at, Input::Collected { service: deploy.service.clone(), frame: frame.clone() })
    };
    let watched = frames.partition_point(|frame| frame.at <= deployed);
    entries.extend(frames[..watched].iter().map(collected));
    entries.push(Entry::Input(deployed, Input::Deployed(begun)));
    entries.extend(frames[watched..].iter().map(collected));
    entries.push(Entry::End(frames.last().map_or(deployed, |frame| frame.at)));
    entries
}

fn header(judge: &str, policy: &Policy, deploy: &PastDeploy, window: Window) -> RunHeader {
    RunHeader {
        version: RECORD_VERSION,
        scenario: format!("{}-{}", deploy.service, deploy.at.0),
        family: "backtest".to_owned(),
        shows: format!("the deploy of {} to {}", deploy.version, deploy.service),
        plane: PlaneKind::Recorded,
        campaign_seed: 0,
        seed_index: 0,
        seed: Seed(0),
        wall_start: window.start,
        judge: judge.to_owned(),
        policy: policy.to_json(),
        policy_hash: policy.hash.clone(),
        signals: policy.custom.clone(),
        expect: None,
        scenario_text: None,
        drawn: std::collections::BTreeMap::new(),
        rate_rps: None,
        assumptions: vec!["open loop: what is decided changes nothing of the record".to_owned()],
    }
}

/// Requests that failed from the deploy on until some time after it, beyond what the old version would have let fail: at the
/// ratio of the stable arm beside the candidate, else at that of the time before the deploy.
pub fn failed_beyond(framed: &Framed, until: Millis) -> f64 {
    let ratio = |errors: f64, requests: f64| if requests > 0.0 { Some(errors / requests) } else { None };
    let before = framed.frames.iter().filter(|frame| frame.at <= framed.deployed);
    let past = before.filter_map(|frame| frame.stable).filter(|arm| arm.quality == Quality::Fresh);
    let (errors, requests) =
        past.fold((0.0, 0.0), |(e, r), arm| (e + f64::from(arm.errors), r + f64::from(arm.requests)));
    let past = ratio(errors, requests).unwrap_or(0.0);
    let after = framed
        .frames
        .iter()
        .filter(|frame| frame.at > framed.deployed && frame.at.since(framed.deployed) <= until);
    let beyond = after.filter_map(|frame| {
        let arm = frame.candidate.filter(|arm| arm.quality == Quality::Fresh)?;
        let beside = frame.stable.filter(|arm| arm.quality == Quality::Fresh);
        let usual =
            beside.and_then(|arm| ratio(f64::from(arm.errors), f64::from(arm.requests))).unwrap_or(past);
        Some(f64::from(arm.errors) - f64::from(arm.requests) * usual)
    });
    // Summed before it is cut at zero, so that chance does not add up.
    beyond.sum::<f64>().max(0.0)
}
