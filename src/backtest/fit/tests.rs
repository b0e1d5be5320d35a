//! What a world was made of is found again in what it showed, within the bounds that stand here. That frames out of a Prometheus are those
//! that the world showed is held elsewhere.

use backspin_domain::id::ServiceId;
use backspin_domain::seed::Seed;
use backspin_domain::signal::Quality;
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_policy::document::FileKind;
use backspin_policy::document::source::Source;
use backspin_scenario::model::Scenario;
use backspin_world::World;

use super::{Learned, Seen, Unfit, family, identity, learn};
use crate::deploys::{Outcome, PastDeploy};
use crate::frames::{Coverage, Framed};
use crate::pieces::Window;
use crate::tests::served::scrapes;

/// A whole hour.
const START: WallTime = WallTime(1_793_700_000_000);

/// A service that is in nothing the default one.
const SERVICE: &str = "service: checkout
traffic: { rps: 40, daily_amplitude: 0.35, noise_sd: 0.2 }
noise: { shared: { error_sd: 0.3, latency_sd: 0.08 }, arms: { error_sd: 0.2, latency_sd: 0.03 } }
pods: { replicas: 8, capacity_rps: 15, warm_up: 1.2, warm_up_tau: 60s }
latency: { median_ms: 80, sigma: 0.45, tail_share: 0.03, tail_median_ms: 400, tail_sigma: 0.6 }
normal: { error_ratio: 0.004, memory_ratio: 0.4, conversion_ratio: 0.05 }
";

fn scenario(timing: &str, at: &str) -> Scenario {
    let text = format!(
        "version: 1\n{SERVICE}timing: {{ {timing} }}\ndeploy: {{ version: v2, from: v1, at: {at} }}\n"
    );
    let source = Source::new(FileKind::Scenario, "made.yaml", text);
    backspin_scenario::parse(&source, "made", "made").unwrap_or_else(|problems| panic!("{problems}"))
}

/// What a world showed, as if it had been scraped.
struct Past {
    deploy: PastDeploy,
    window: Window,
    framed: Framed,
}

impl Past {
    /// Plays a world, some hours after [`START`], until so long after its deploy.
    fn played(scenario: &Scenario, seed: u64, hours: i64, after: Millis) -> Self {
        let mut world = World::new(scenario, Seed(seed));
        world.is_not_scored();
        let (end, deployed) = (scenario.deploy.at + after, scenario.deploy.at);
        let mut framed = Framed { deployed, ..Framed::default() };
        scrapes(&mut world, scenario.timing.scrape, end, |_, frame| framed.frames.push(frame));
        let before = framed.frames.iter().filter(|frame| frame.at <= deployed).count();
        framed.coverage = Coverage { before: (before, before), ..Coverage::default() };
        let start = START.ahead(hours * 3_600_000);
        let ahead = |time: MonoTime| start.ahead(time.0.cast_signed());
        Self {
            deploy: PastDeploy {
                at: ahead(deployed),
                service: scenario.service.id.clone(),
                version: "v2".to_owned(),
                pod_hash: None,
                ended: None,
                onset: None,
                outcome: Outcome::Good,
                note: String::new(),
                place: format!("deploys.csv:{}", seed + 1),
            },
            window: Window { start, end: ahead(end), is_cut: false },
            framed,
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen { deploy: &self.deploy, window: self.window, framed: &self.framed }
    }
}

fn service() -> ServiceId {
    ServiceId::new("checkout").expect("a name")
}

#[track_caller]
fn near(what: &str, found: f64, made: f64, share: f64) {
    assert!((found / made - 1.0).abs() <= share, "{what}: {found} is not {made} within {share}");
}

fn day() -> Past {
    Past::played(&scenario("tick: 5s, scrape: 30s", "24h"), 1, 0, Millis::from_mins(1))
}

#[test]
fn a_day_tells_levels_shape_and_noise() {
    let past = day();
    let learned = learn(&service(), &[past.seen()]).expect("a whole day");
    let traffic = learned.traffic;
    near("rps", traffic.rps, 40.0, 0.04);
    assert_eq!(traffic.hours, 24);
    near("daily wave", traffic.daily_amplitude.expect("a whole day"), 0.35, 0.1);
    near("noise of the rate", traffic.noise_sd, 0.2, 0.1);
    assert_eq!((learned.replicas, traffic.between), (Some(8), None));
    near("busy", learned.busy.expect("measured"), 1.0 / 3.0, 0.05);
    near("memory", learned.memory.expect("measured"), 0.4, 0.02);
    near("conversion", learned.conversion.expect("counted"), 0.05, 0.05);
    let [shared, alone] = learned.errors.noise_sd;
    near("noise of errors", libm::hypot(shared, alone), libm::hypot(0.3, 0.2), 0.2);
    let latency = learned.latency.expect("counted");
    near("median", latency.median_ms, 80.0, 0.08);
    near("sigma", latency.sigma, 0.45, 0.15);
    near("tail's share", latency.tail_share, 0.03, 0.7);
    near("tail's median", latency.tail_median_ms, 400.0, 0.4);
    let [shared, alone] = latency.noise_sd;
    near("noise of times", libm::hypot(shared, alone), libm::hypot(0.08, 0.03), 0.3);
}

/// Sixteen deploys, one each eight hours, with forty minutes before each and fifteen after.
fn deploys() -> Vec<Past> {
    let made = scenario("tick: 1s, scrape: 15s", "40m");
    (0..16).map(|n| Past::played(&made, 100 + n, n.cast_signed() * 8, Millis::from_mins(15))).collect()
}

fn learned(pasts: &[Past]) -> Learned {
    let seen: Vec<Seen<'_>> = pasts.iter().map(Past::seen).collect();
    learn(&service(), &seen).expect("enough")
}

#[test]
fn deploys_tell_how_pods_warm_up_and_the_usual_error_ratio() {
    let learned = learned(&deploys());
    // Each run draws its own level with a standard deviation of 0.5 (log), so the mean of sixteen has one of 0.125.
    near("error ratio", learned.errors.ratio, 0.004, 0.35);
    let warm = learned.warm.expect("sixteen canaries");
    near("warm-up", warm.warm_up, 1.2, 0.45);
    near("time constant", warm.tau_s, 60.0, 0.35);
    assert_eq!(learned.traffic.daily_amplitude, None);
    assert!(learned.traffic.between.is_some(), "days begin at other places in the wave");
    assert!(learned.notes.iter().any(|note| note.contains("of the day's 24 hours were seen")));
}

#[test]
fn a_family_is_of_sound_files_and_resembles_what_it_was_learned_from() {
    let pasts = deploys();
    let seen: Vec<Seen<'_>> = pasts.iter().map(Past::seen).collect();
    let learned = learned(&pasts);
    let alike = identity(&learned, &seen).expect("it can be played");
    assert!(alike.score > 0.85, "{alike:?}");
    let mut other = learned.clone();
    other.traffic.rps *= 3.0;
    other.errors.ratio *= 4.0;
    let unlike = identity(&other, &seen).expect("it can be played");
    assert!(unlike.score < alike.score - 0.2 && unlike.p < 0.02, "{unlike:?} {alike:?}");
    assert_eq!(identity(&learned, &seen).expect("again"), alike, "the same each time");
    let files = family(&learned, &alike);
    for file in &files {
        let source = Source::new(FileKind::Scenario, file.name, file.text.clone());
        let sound = backspin_scenario::parse(&source, file.name, "checkout");
        let scenario = sound.unwrap_or_else(|problems| panic!("{}: {problems}\n{}", file.name, file.text));
        assert!(scenario.expect.is_some() && scenario.service.replicas == 8);
    }
    assert_eq!(files.len(), 5);
}

#[test]
fn too_little_is_refused_at_its_place() {
    let whole = day();
    let mut few = Past::played(&scenario("tick: 5s, scrape: 30s", "30m"), 2, 0, Millis::from_mins(1));
    let refused = |past: &Past| learn(&service(), &[past.seen()]).expect_err("refused");
    let short = refused(&few);
    assert_eq!(
        short.to_string(),
        "deploys.csv:3: 59 quiet scrapes before the deploys of `checkout`, at least 120 are needed"
    );
    assert!(short.is_unknown());
    for frame in &mut few.framed.frames {
        let lost = |arm: backspin_domain::frame::ArmIncrements| backspin_domain::frame::ArmIncrements {
            quality: Quality::Missing,
            requests: 0,
            ..arm
        };
        frame.stable = frame.stable.map(lost);
    }
    let nothing = refused(&few);
    assert!(matches!(nothing, Unfit::NoSeries { .. }) && !nothing.is_unknown(), "{nothing}");
    assert!(
        nothing.to_string().starts_with("deploys.csv:3: there are no requests of `checkout`"),
        "{nothing}"
    );
    let mut gaps = whole;
    gaps.framed.coverage.before = (1000, 2880);
    let gaps = refused(&gaps);
    assert_eq!(
        gaps.to_string(),
        "deploys.csv:2: only 1000 of 2880 scrapes before the deploys of `checkout` are there, at least half are needed"
    );
    assert!(gaps.is_unknown());
    assert!(matches!(learn(&service(), &[]), Err(Unfit::NoDeploy { .. })));
}
