//! What clients wrote becomes commands to the world, by what changed in the object: the writer's intention is not looked at.

use backspin_mocks::kubernetes::Write;
use serde_json::Value;

use super::{Stage, lock};
use crate::http::kubernetes::infra_key;
use crate::http::words::{self, APPROVAL, EFFECT, Kind, NOTE, Note, QUIET_UNTIL, SERVES, VERSION};
use backspin_domain::id::{ActorId, Attempt, ExecutionId, FlagKey, PageKey, PlanHash, VersionId};
use backspin_domain::plan::StepAction;
use backspin_domain::service::InfraChange;
use backspin_domain::time::MonoTime;
use backspin_platform::{Platform, WEIGHTS};
use backspin_world::World;

/// Somebody is asked for approval.
pub(in crate::http) struct Asked {
    pub(in crate::http) execution: ExecutionId,
    pub(in crate::http) plan: PlanHash,
    pub(in crate::http) role: ActorId,
}

/// A text in an object that was written.
fn text<'a>(object: Option<&'a Value>, pointer: &str) -> Option<&'a str> {
    object?.pointer(pointer)?.as_str()
}

/// An annotation; `/` in its name is escaped as JSON pointers want it.
fn annotation<'a>(object: Option<&'a Value>, name: &str) -> Option<&'a str> {
    object?.pointer("/metadata/annotations")?.get(name)?.as_str()
}

impl Stage {
    /// Carries out what clients changed since the last call; gives who was asked for approval.
    pub(in crate::http) fn obey(&mut self, world: &mut World) -> Vec<Asked> {
        let writes = lock(&self.cluster).take_writes();
        let mut asked = Vec::new();
        for write in &writes {
            self.note_version(write);
            let (old, new) = (write.old.as_deref(), write.new.as_deref());
            match &*write.key.plural {
                "rollouts" => self.obey_rollout(world, old, new),
                "deployments" => obey_deployment(world, old, new),
                "horizontalpodautoscalers" => obey_autoscaler(world, new),
                "httproutes" => obey_route(world, self, old, new),
                "services" => obey_service(world, new),
                "configmaps" => self.obey_config(world, &write.key.name, new, &mut asked),
                "jobs" => obey_job(world, new),
                "events" => obey_event(world, old.is_none(), new),
                _ => {}
            }
        }
        asked
    }

    /// A client's write is shown to watches too.
    fn note_version(&mut self, write: &Write) {
        let kind = Kind::WATCHED.into_iter().find(|kind| kind.plural() == &*write.key.plural);
        let version = text(write.new.as_deref(), "/metadata/resourceVersion").and_then(|it| it.parse().ok());
        if let Some((kind, version)) = kind.zip(version) {
            let heard = self.versions.entry(kind).or_default();
            *heard = u64::max(*heard, version);
        }
    }

    fn obey_rollout(&self, world: &mut World, old: Option<&Value>, new: Option<&Value>) {
        let is = |object: Option<&Value>, switch: &str| {
            object.and_then(|it| it["spec"][switch].as_bool()).unwrap_or(false)
        };
        let became = |switch: &str| (is(old, switch) != is(new, switch)).then(|| is(new, switch));
        match became("paused") {
            Some(true) => world.pause_rollout(),
            Some(false) => world.resume_rollout(),
            None => {}
        }
        if became("aborted") == Some(true) {
            world.abort_rollout();
        }
        if became("holdStandby") == Some(true) {
            let held = world.hold_standby();
            debug_assert!(held.is_ok(), "the world refuses no hold");
        }
        let quiet = annotation(new, QUIET_UNTIL);
        if quiet != annotation(old, QUIET_UNTIL) {
            let until = quiet.and_then(|text| text.parse::<i64>().ok());
            let mono = |unix_ms: i64| MonoTime((unix_ms - self.wall_start.0).max(0).cast_unsigned());
            world.keep_alerts_quiet(until.map(mono));
        }
    }

    fn obey_config(&self, world: &mut World, name: &str, new: Option<&Value>, asked: &mut Vec<Asked>) {
        let service = &self.shown.inventory.service;
        let says = |key: &str, word: &str| new.is_some_and(|it| it["data"][key] == word);
        if name == words::config(service, "flags") {
            let off: Vec<FlagKey> = self
                .shown
                .flags
                .iter()
                .map(|(key, _)| key)
                .filter(|key| says(key.as_str(), "off"))
                .cloned()
                .collect();
            for key in &off {
                ignore_refusal(world.switch_off(key));
            }
        } else if name == words::config(service, "infrastructure") {
            let back: Vec<InfraChange> = self
                .shown
                .infrastructure
                .iter()
                .map(|(change, _)| *change)
                .filter(|change| says(&infra_key(*change), "recorded"))
                .collect();
            for change in back {
                ignore_refusal(world.set_back(change));
            }
        } else if new.is_some_and(|it| it["metadata"]["labels"][APPROVAL] == "true") {
            asked.extend(request(new));
        }
    }
}

fn request(config: Option<&Value>) -> Option<Asked> {
    Some(Asked {
        execution: ExecutionId(text(config, "/data/execution")?.parse().ok()?),
        plan: PlanHash::try_from(text(config, "/data/plan")?.to_owned()).ok()?,
        role: ActorId::new(text(config, "/data/role")?).ok()?,
    })
}

/// What the world would refuse, a cluster takes and does nothing about.
fn ignore_refusal<T>(result: Result<T, backspin_domain::execution::FailureReason>) {
    drop(result);
}

fn version_of(object: Option<&Value>, pointer: &str) -> Option<VersionId> {
    let labels = object?.pointer(pointer)?;
    VersionId::new(labels.get(VERSION)?.as_str()?).ok()
}

fn obey_deployment(world: &mut World, old: Option<&Value>, new: Option<&Value>) {
    if world.shared().is_some() {
        let template = |object| version_of(object, "/spec/template/metadata/labels");
        let paused =
            |object: Option<&Value>| object.and_then(|it| it["spec"]["paused"].as_bool()).unwrap_or(false);
        match template(new) {
            Some(version) if template(old).as_ref() != Some(&version) => {
                ignore_refusal(world.roll_to(&version));
            }
            _ if paused(old) != paused(new) => ignore_refusal(world.set_paused(paused(new))),
            _ => {}
        }
        return;
    }
    let replicas = new.and_then(|it| it["spec"]["replicas"].as_u64());
    if let Some((version, replicas)) = version_of(new, "/metadata/labels").zip(replicas) {
        ignore_refusal(world.scale(&version, replicas as u32));
    }
}

fn obey_autoscaler(world: &mut World, new: Option<&Value>) {
    let min = new.and_then(|it| it["spec"]["minReplicas"].as_u64());
    if let Some((version, min)) = version_of(new, "/metadata/labels").zip(min) {
        world.set_autoscaler_min(&version, min as u32);
    }
}

/// A route that names two versions splits the traffic between them.
fn obey_route(world: &mut World, stage: &Stage, old: Option<&Value>, new: Option<&Value>) {
    let weights = |object: Option<&Value>| -> Vec<u64> {
        let backends = object.and_then(|it| it.pointer("/spec/rules/0/backendRefs")?.as_array());
        let service = &stage.shown.inventory.service;
        let of = |version: &VersionId| {
            let name = words::of_version(service, version);
            backends?.iter().find(|it| it["name"] == name.as_str())?["weight"].as_u64()
        };
        stage.shown.versions.iter().map(|version| of(&version.id).unwrap_or(0)).collect()
    };
    let wanted = weights(new);
    if wanted == weights(old) {
        return;
    }
    let sum: u64 = wanted.iter().sum();
    let mut served = stage.shown.versions.iter().zip(&wanted).filter(|(_, weight)| **weight > 0);
    let Some((to, weight)) = served.next() else { return };
    let from = served.next().map_or(to, |(from, _)| from);
    let share = if sum as f64 == WEIGHTS { *weight as f64 / WEIGHTS } else { *weight as f64 / sum as f64 };
    ignore_refusal(world.route(&from.id, &to.id, share));
}

fn obey_service(world: &mut World, new: Option<&Value>) {
    if let Some(version) = annotation(new, SERVES).and_then(|text| VersionId::new(text).ok()) {
        ignore_refusal(world.discover(&version));
    }
}

fn obey_job(world: &mut World, new: Option<&Value>) {
    let argument = |place: usize| {
        let args = new?.pointer("/spec/template/spec/containers/0/args")?;
        VersionId::new(args.get(place)?.as_str()?).ok()
    };
    if let Some((from, to)) = argument(0).zip(argument(1)) {
        ignore_refusal(world.revert_schema(&from, &to));
    }
}

/// Events are how effects and calls are known by their key.
fn obey_event(world: &mut World, new: bool, event: Option<&Value>) {
    let note = event.and_then(|it| it["metadata"]["labels"][NOTE].as_str());
    let Some(key) = annotation(event, EFFECT) else { return };
    if note == Some(Note::Page.as_str()) {
        if let Ok(key) = key.parse() {
            world.page(PageKey(key));
        }
        return;
    }
    let Ok(attempt) = serde_json::from_str::<Attempt>(key) else { return };
    // Of the action only this much matters to the world.
    let action = if note == Some(Note::Message.as_str()) {
        StepAction::Notify { message: String::new() }
    } else {
        StepAction::DisableFlags { keys: Vec::new() }
    };
    ignore_refusal(world.took(attempt, &action, new));
}
