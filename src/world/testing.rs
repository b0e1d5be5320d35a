//! Scenarios for tests of the world: one that is healthy, to be changed by each test.

use backspin_domain::id::{ServiceId, VersionId};
use backspin_domain::service::{Capabilities, Environment, RolloutKind, Tier};
use backspin_domain::time::{Millis, MonoTime};
use backspin_scenario::model::{
    BadVersion, DependencyModel, DeployModel, LatencyModel, NoiseModel, PodModel, Scenario, ServiceModel,
    Timing, TrafficModel, UserModel, VersionModel, WorldEvent,
};

/// A version's name.
pub(crate) fn version(name: &str) -> VersionId {
    VersionId::new(name).expect("valid")
}

fn version_model(name: &str, days_ago: u64) -> VersionModel {
    VersionModel {
        id: version(name),
        shipped_ago: Millis(days_ago * 86_400_000),
        healthy_for: (days_ago > 0).then(|| Millis(days_ago * 43_200_000)),
        deployable: true,
        marked_bad: false,
        starts: true,
        flags: Vec::new(),
        schema: None,
        infrastructure: Vec::new(),
    }
}

fn service() -> ServiceModel {
    let name = |text| ServiceId::new(text).expect("valid");
    ServiceModel {
        id: name("checkout"),
        tier: Tier::Application,
        environment: Environment::Simulated,
        capabilities: Capabilities {
            traffic_split: true,
            blue_green: true,
            feature_flags: true,
            rolling_update: true,
        },
        replicas: 10,
        pod_capacity_rps: 200.0 / 10.0 / 0.45,
        pods: PodModel { pull_s: 8.0, init_s: 15.0, warm_up: 1.0, warm_up_tau_s: 30.0, drain_s: 30.0 },
        autoscaler: None,
        latency: LatencyModel {
            median_ms: 60.0,
            sigma: 0.5,
            tail_share: 0.02,
            tail_median_ms: 300.0,
            tail_sigma: 0.7,
            timeout_ms: 5000.0,
        },
        error_ratio: 0.002,
        memory_ratio: 0.45,
        conversion_ratio: 0.03,
        revenue_per_conversion: 40.0,
        propagation_s: (1.0, 5.0),
        versions: vec![version_model("v40", 30), version_model("v41", 7), version_model("v42", 0)],
    }
}

/// A canary of `v42` over `v41` at 10, 25 and 50 %, 200 requests per second, ten pods at 45 % of their
/// capacity, deployed after ten minutes and watched for an hour. Nothing is wrong.
pub(crate) fn healthy() -> Scenario {
    let name = |text| ServiceId::new(text).expect("valid");
    let deployed = Millis::from_mins(10);
    Scenario {
        name: "test".into(),
        family: "test".into(),
        shows: "nothing".into(),
        draw: 1,
        timing: Timing {
            history: deployed,
            watch: Millis::from_mins(60),
            tick: Millis(1000),
            scrape: Millis(15_000),
        },
        service: service(),
        dependency: Some(DependencyModel {
            id: name("payments"),
            call_ratio: 0.5,
            error_ratio: 0.0005,
            services: Vec::new(),
        }),
        cache: None,
        queue: None,
        database: None,
        traffic: TrafficModel { rate_rps: 200.0, daily_amplitude: 0.2, noise_sd: 0.15 },
        noise: NoiseModel::default(),
        users: UserModel {
            retry_ratio: 0.5,
            retries_max: 2,
            session: Millis::ZERO,
            complaints_per_good: 3e-5,
            complaints_per_error: 2e-4,
            complaint_delay: Millis::from_mins(8),
            slow_conversion_loss: 0.1,
        },
        deploy: DeployModel {
            at: MonoTime(deployed.0),
            version: version("v42"),
            from: version("v41"),
            kind: RolloutKind::Canary,
            steps: vec![(Millis::ZERO, 0.1), (Millis::from_mins(10), 0.25), (Millis::from_mins(20), 0.5)],
            surge: 1.0,
            standby_for: Millis::from_mins(60),
        },
        incident: Vec::new(),
        faults: Vec::new(),
        rivals: Vec::new(),
        people: Vec::new(),
        stated_truth: None,
        expect: None,
        text: None,
        varies: None,
        drawn: std::collections::BTreeMap::new(),
    }
}

/// The same with a candidate that harms from ten minutes after its deploy on.
pub(crate) fn bad(harm: BadVersion) -> Scenario {
    let mut scenario = healthy();
    scenario.incident = vec![WorldEvent::BadVersion(BadVersion { onset: MonoTime(20 * 60_000), ..harm })];
    scenario
}
