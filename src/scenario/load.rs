//! From a file to a checked scenario.

use std::path::Path;
use std::sync::LazyLock;

use super::around;
use super::below;
use super::check;
use super::file::{self, Event, FaultEntry, Harm, RivalEntry, Rollout, ScenarioFile};
use super::model::{
    AutoscalerModel, BadVersion, DeployModel, Fault, LatencyModel, PersonModel, PodModel, Rival, Scenario,
    SchemaModel, ServiceModel, StatedTruth, Timing, TrafficModel, UserModel, VersionModel, WorldEvent,
};
use super::vary::{self, Family};
use backspin_domain::expectation::Expectation;
use backspin_domain::id::VersionId;
use backspin_domain::service::RevertScript;
use backspin_domain::time::{Millis, MonoTime};
use backspin_policy::document::source::YAML_BYTES_MAX;
use backspin_policy::document::{self, FileKind, Length, Node, Problem, Problems, Source, Step};

/// Reads and checks a scenario file. Its name is the file's without the ending, its family the folder's.
pub fn load(path: &Path) -> Result<Scenario, Problems> {
    let source = Source::open(FileKind::Scenario, path, YAML_BYTES_MAX)?;
    let name =
        path.file_stem().map_or_else(|| "scenario".to_owned(), |name| name.to_string_lossy().into_owned());
    let folder = path.parent().and_then(Path::file_name);
    let family = folder.map_or_else(|| OWN_FAMILY.to_owned(), |name| name.to_string_lossy().into_owned());
    parse(&source, &name, &family)
}

/// The family of a file that is named without a folder.
const OWN_FAMILY: &str = "own";

/// Checks a scenario's text: the scenario, or every problem in it.
pub fn parse(source: &Source, name: &str, family: &str) -> Result<Scenario, Problems> {
    let root = document::node::parse(source).map_err(|problem| source.fail(vec![problem]))?;
    let scenario = if root.has(&["vary"]) {
        read_family(source, &root, name, family)
    } else {
        read_one(source, root, name, family)
    };
    scenario.map_err(|problems| source.fail(problems))
}

fn read_one(source: &Source, root: Node, name: &str, family: &str) -> Result<Scenario, Vec<Problem>> {
    let document = document::fit_to::<ScenarioFile>(source, root, &SCHEMA)?;
    let mut scenario = build(&document.value, name, family, first_comment(&source.text));
    scenario.text = Some(source.text.as_str().into());
    let problems = check::check(source, &document, &scenario);
    if problems.is_empty() { Ok(scenario) } else { Err(problems) }
}

/// A file with draws: the scenario is the typical one.
fn read_family(source: &Source, root: &Node, name: &str, family: &str) -> Result<Scenario, Vec<Problem>> {
    let draws = document::fit::<vary::Draws>(source, root.at(&[Step::Field("vary")]).clone())?;
    let places = vary::places(source, root, &draws.value)?;
    let mut probes = vary::probes(source, root, &places)?.into_iter();
    let middle = probes.next().expect("the middle is always there");
    let file = middle.to_json();
    let mut scenario = read_one(source, middle, name, family)?;
    for probe in probes {
        read_one(source, probe, name, family)?;
    }
    scenario.varies = Some(Family::new(file, places));
    Ok(scenario)
}

/// The JSON Schema of scenario files, for editors.
pub fn schema() -> serde_json::Value {
    SCHEMA.clone()
}

/// Made once: a campaign reads hundreds of trees.
static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(|| schemars::schema_for!(ScenarioFile).to_value());

/// The first paragraph of comment lines, as a sentence.
fn first_comment(text: &str) -> String {
    let comment = |line: &'_ str| line.trim_start().starts_with('#');
    let block = text.lines().skip_while(|line| !comment(line)).take_while(|line| comment(line));
    let words = block.map(|line| line.trim_start().trim_start_matches('#').trim());
    let paragraph: Vec<&str> = words.skip_while(|w| w.is_empty()).take_while(|w| !w.is_empty()).collect();
    paragraph.join(" ")
}

/// How busy a service is at rest: the utilisation of the generator that the judges were compared on (decision
/// science, section 3).
const BUSY: f64 = 0.45;

/// No pod is so small that two requests in a second saturate it.
const POD_CAPACITY_MIN: f64 = 10.0;

/// The canary of the same generator.
const DEFAULT_STEPS: [(Millis, f64); 3] =
    [(Millis::ZERO, 0.10), (Millis::from_mins(10), 0.25), (Millis::from_mins(20), 0.50)];

/// The model of a file that was not read from a text: drawn, or part of another file. Nothing is checked.
pub fn from_file(file: &ScenarioFile, name: &str, family: &str, shows: String) -> Scenario {
    build(file, name, family, shows)
}

/// The checked model, with every default filled in. Total: what makes no sense is found by the checks.
pub(super) fn build(file: &ScenarioFile, name: &str, family: &str, shows: String) -> Scenario {
    let history = file.timing.history.or(file.deploy.at).unwrap_or(Length::mins(30)).0;
    let timing = Timing {
        history,
        watch: file.timing.watch.0,
        tick: file.timing.tick.0,
        scrape: file.timing.scrape.0,
    };
    let at = file.deploy.at.map_or(MonoTime(history.0), moment);
    let mut scenario = Scenario {
        name: name.to_owned(),
        family: family.to_owned(),
        shows,
        draw: file.draw,
        timing,
        service: service(file),
        dependency: file.dependency.as_ref().map(|dependency| below::dependency(dependency, file)),
        cache: around::cache(file),
        queue: around::queue(file),
        database: around::database(file),
        traffic: TrafficModel {
            rate_rps: file.traffic.rps,
            daily_amplitude: file.traffic.daily_amplitude,
            noise_sd: file.traffic.noise_sd,
        },
        noise: file.noise.into(),
        users: UserModel {
            retry_ratio: file.users.retry_ratio,
            retries_max: file.users.retries_max,
            session: file.users.session.0,
            complaints_per_good: file.users.complaints_per_good,
            complaints_per_error: file.users.complaints_per_error,
            complaint_delay: file.users.complaint_delay.0,
            slow_conversion_loss: file.users.slow_conversion_loss,
        },
        deploy: deploy(file, at),
        incident: file.incident.0.iter().map(|event| world_event(event, at)).collect(),
        faults: file.faults.iter().map(fault).collect(),
        rivals: file.rivals.iter().map(rival).collect(),
        people: file.people.iter().map(person).collect(),
        stated_truth: None,
        expect: file.expect.as_ref().map(expectation),
        text: None,
        varies: None,
        drawn: std::collections::BTreeMap::new(),
    };
    let derived = super::derive::truth(&scenario);
    scenario.stated_truth = file.truth.map(|stated| StatedTruth {
        cause: stated.cause,
        onset: stated.onset.map(moment).or(derived.onset),
        rollback_helps: stated.rollback_helps.unwrap_or(derived.rollback_helps),
    });
    scenario
}

fn moment(length: Length) -> MonoTime {
    MonoTime(length.0.0)
}

fn service(file: &ScenarioFile) -> ServiceModel {
    let pods = &file.pods;
    let latency = &file.latency;
    let capacity = (file.traffic.rps / (f64::from(pods.replicas) * BUSY)).max(POD_CAPACITY_MIN);
    ServiceModel {
        id: file.service.clone(),
        tier: file.tier.into(),
        environment: file.environment.into(),
        capabilities: file::capabilities(&file.capabilities),
        replicas: pods.replicas,
        pod_capacity_rps: pods.capacity_rps.unwrap_or(capacity),
        pods: PodModel {
            pull_s: pods.pull.0.as_secs_f64(),
            init_s: pods.init.0.as_secs_f64(),
            warm_up: pods.warm_up,
            warm_up_tau_s: pods.warm_up_tau.0.as_secs_f64(),
            drain_s: pods.drain.0.as_secs_f64(),
        },
        autoscaler: file.autoscaler.map(|autoscaler| AutoscalerModel {
            target_cpu: autoscaler.target_cpu,
            min: autoscaler.min,
            max: autoscaler.max.unwrap_or(pods.replicas.max(autoscaler.min).saturating_mul(2)),
            scale_down_after: autoscaler.scale_down_after.0,
        }),
        latency: LatencyModel {
            median_ms: latency.median_ms,
            sigma: latency.sigma,
            tail_share: latency.tail_share,
            tail_median_ms: latency.tail_median_ms,
            tail_sigma: latency.tail_sigma,
            timeout_ms: latency.timeout_ms,
        },
        error_ratio: file.normal.error_ratio,
        memory_ratio: file.normal.memory_ratio,
        conversion_ratio: file.normal.conversion_ratio,
        revenue_per_conversion: file.normal.revenue_per_conversion,
        propagation_s: (pods.propagation.min.0.as_secs_f64(), pods.propagation.max.0.as_secs_f64()),
        versions: versions(file),
    }
}

/// The listed versions, and the deploy's two where they are not listed.
fn versions(file: &ScenarioFile) -> Vec<VersionModel> {
    const WEEK: Length = Length::mins(7 * 24 * 60);
    let candidate = &file.deploy.version;
    let model = |listed: &file::Version| {
        let is_candidate = listed.name == *candidate;
        let shipped = listed.shipped_ago.unwrap_or(if is_candidate { Length::secs(0) } else { WEEK });
        let healthy = listed.healthy_for.unwrap_or(if is_candidate { Length::secs(0) } else { shipped });
        VersionModel {
            id: listed.name.clone(),
            shipped_ago: shipped.0,
            healthy_for: (healthy.0 > Millis::ZERO).then_some(healthy.0),
            deployable: listed.deployable,
            marked_bad: listed.marked_bad,
            starts: listed.starts,
            flags: listed.flags.clone(),
            schema: listed.schema.as_ref().map(|schema| SchemaModel {
                change: schema.change,
                touches: schema.touches,
                revert: schema.revert.map(|revert| RevertScript {
                    takes: revert.takes.0,
                    lock: revert.lock.0,
                    rows_at_risk: revert.rows_at_risk,
                }),
            }),
            infrastructure: listed.infrastructure.clone(),
        }
    };
    let plain = |name: &VersionId| {
        model(&file::Version {
            name: name.clone(),
            shipped_ago: None,
            healthy_for: None,
            deployable: true,
            marked_bad: false,
            starts: true,
            flags: Vec::new(),
            schema: None,
            infrastructure: Vec::new(),
        })
    };
    let mut versions: Vec<VersionModel> = file.versions.iter().map(model).collect();
    let listed = |versions: &[VersionModel], name: &VersionId| versions.iter().position(|v| v.id == *name);
    if listed(&versions, &file.deploy.from).is_none() {
        let place = listed(&versions, candidate).unwrap_or(versions.len());
        versions.insert(place, plain(&file.deploy.from));
    }
    if listed(&versions, candidate).is_none() {
        versions.push(plain(candidate));
    }
    versions
}

fn deploy(file: &ScenarioFile, at: MonoTime) -> DeployModel {
    let steps: Vec<(Millis, f64)> = match (&file.deploy.steps, file.deploy.rollout) {
        (Some(steps), _) => steps.iter().map(|step| (step.after.0, step.share)).collect(),
        (None, Rollout::Canary) => DEFAULT_STEPS.to_vec(),
        (None, Rollout::Rolling | Rollout::BlueGreen) => Vec::new(),
    };
    DeployModel {
        at,
        version: file.deploy.version.clone(),
        from: file.deploy.from.clone(),
        kind: file.deploy.rollout.into(),
        surge: file.deploy.surge.unwrap_or_else(|| fair_surge(&steps)),
        steps,
        standby_for: file.deploy.standby_for.unwrap_or(STANDBY_FOR).0,
    }
}

/// An hour in which going back is free: between Argo Rollouts' default of 30 s and keeping both for ever.
const STANDBY_FOR: Length = Length::mins(60);

/// So many pods that at no stage they are busier than the stable ones. A share `s` leaves the stable pods
/// `1 - s` of their traffic, and candidates have `1 / surge` of a pod's; a full share leaves nothing to compare.
fn fair_surge(steps: &[(Millis, f64)]) -> f64 {
    let partial = steps.iter().map(|(_, share)| *share).filter(|share| *share < 1.0);
    1.0 / (1.0 - partial.fold(0.0, f64::max).min(SHARE_FAIR_MAX))
}

/// Above this share a fair number of pods would be absurd: five times the service's.
const SHARE_FAIR_MAX: f64 = 0.8;

fn world_event(event: &Event, deployed: MonoTime) -> WorldEvent {
    match event {
        Event::BadVersion(harm) => WorldEvent::BadVersion(bad_version(harm, deployed)),
        Event::BadFlag(bad) => {
            WorldEvent::BadFlag { flag: bad.flag.clone(), harm: bad_version(&bad.harm, deployed) }
        }
        Event::BadInfrastructure(bad) => {
            WorldEvent::BadInfrastructure { change: bad.change, harm: bad_version(&bad.harm, deployed) }
        }
        Event::DependencyOutage(outage) => WorldEvent::DependencyOutage {
            at: moment(outage.at),
            lasts: outage.lasts.0,
            error_ratio: outage.error_ratio,
            latency_factor: outage.latency_factor,
        },
        Event::OtherDeploy(other) => WorldEvent::OtherDeploy {
            service: other.service.clone(),
            at: moment(other.at),
            lasts: other.lasts.0,
            error_ratio: other.error_ratio,
            latency_factor: other.latency_factor,
            cost_factor: other.cost_factor,
        },
        Event::Surge(surge) => {
            WorldEvent::Surge { at: moment(surge.at), lasts: surge.lasts.0, factor: surge.factor }
        }
        Event::NoisyNeighbour(noise) => WorldEvent::NoisyNeighbour {
            at: moment(noise.at),
            lasts: noise.lasts.0,
            latency_factor: noise.latency_factor,
        },
        Event::ReplicaLag(lag) => WorldEvent::ReplicaLag {
            at: moment(lag.at),
            lasts: lag.lasts.0,
            replay_factor: lag.replay_factor,
        },
        Event::HeavyMigration(heavy) => WorldEvent::HeavyMigration {
            at: moment(heavy.at),
            lasts: heavy.lasts.0,
            writes_per_s: heavy.writes_per_s,
        },
        Event::NoisyPod(noisy) => WorldEvent::NoisyPod {
            at: moment(noisy.at),
            lasts: noisy.lasts.0,
            arm: noisy.arm,
            error_ratio: noisy.error_ratio,
            latency_factor: noisy.latency_factor,
        },
        Event::PodOut(out) => WorldEvent::PodOut {
            at: moment(out.at),
            lasts: out.lasts.0,
            arm: out.arm,
            crash_loops: out.crash_loops,
        },
        Event::SecurityFinding(found) => {
            WorldEvent::SecurityFinding { at: moment(found.at), findings: found.findings }
        }
        Event::ComplianceFinding(found) => {
            WorldEvent::ComplianceFinding { at: moment(found.at), findings: found.findings }
        }
    }
}

fn bad_version(harm: &Harm, deployed: MonoTime) -> BadVersion {
    BadVersion {
        onset: harm.onset.map_or(deployed, moment),
        grows_for: harm.grows_for.0,
        error_ratio: harm.error_ratio,
        latency_factor: harm.latency_factor,
        tail_share: harm.tail_share,
        hang_ratio: harm.hang_ratio,
        conversion_factor: harm.conversion_factor,
        cost_factor: harm.cost_factor,
        calls_factor: harm.calls_factor,
        writes_factor: harm.writes_factor,
        memory_leak_per_hour: harm.memory_leak_per_hour,
    }
}

fn fault(entry: &FaultEntry) -> Fault {
    match entry {
        FaultEntry::MetricsGap(gap) => {
            Fault::MetricsGap { at: moment(gap.at), lasts: gap.lasts.0, arms: gap.arms }
        }
        FaultEntry::MetricsDown(when) => Fault::MetricsDown { at: moment(when.at), lasts: when.lasts.0 },
        FaultEntry::RouterStuck(when) => Fault::RouterStuck { at: moment(when.at), lasts: when.lasts.0 },
        FaultEntry::FlagsDown(when) => Fault::FlagsDown { at: moment(when.at), lasts: when.lasts.0 },
        FaultEntry::ReplyLost(when) => Fault::ReplyLost { at: moment(when.at), lasts: when.lasts.0 },
        FaultEntry::ActuatorsDown(when) => Fault::ActuatorsDown { at: moment(when.at), lasts: when.lasts.0 },
        FaultEntry::EngineDown(when) => Fault::EngineDown { at: moment(when.at), lasts: when.lasts.0 },
    }
}

fn rival(entry: &RivalEntry) -> Rival {
    let lasts = |length: Option<Length>| length.map(|length| length.0);
    match entry {
        RivalEntry::GitOps(sync) => {
            Rival::GitOps { at: moment(sync.at), lasts: lasts(sync.lasts), every: sync.every.0 }
        }
        RivalEntry::Operator(edit) => Rival::Operator { at: moment(edit.at), share: edit.share },
        RivalEntry::SecondLeader(leader) => {
            Rival::SecondLeader { at: moment(leader.at), lasts: lasts(leader.lasts), every: leader.every.0 }
        }
    }
}

fn person(entry: &file::PersonEntry) -> PersonModel {
    PersonModel { role: entry.role.clone(), answers_after: entry.answers_after.0, answer: entry.answer }
}

fn expectation(expect: &file::Expect) -> Expectation {
    Expectation {
        decision: expect.decision.0.clone(),
        target: expect.target.clone(),
        strategy: expect.strategy,
        time_to_detect_max: expect.time_to_detect_max.map(|length| length.0),
        time_to_mitigate_max: expect.time_to_mitigate_max.map(|length| length.0),
        never: expect.never.clone(),
        share_min: expect.share_min,
        lower_min: expect.lower_min,
    }
}
