//! A made-up record, close enough to a real one to develop readers, scores and reports against. Test code only.

use std::sync::Arc;

use backspin_domain::engine_io::{Input, JournalEntry, RolloutAsk};
use backspin_domain::entry::{Entry, PlaneKind, RECORD_VERSION, RunHeader};
use backspin_domain::event::{Decision, DecisionKind, Effect, Reason, RollbackEvent, Severity, Trigger};
use backspin_domain::execution::{ExecutionStatus, StepOutcome, StepResult};
use backspin_domain::expectation::{Expectation, Never};
use backspin_domain::forecast::{Forecast, Predicted};
use backspin_domain::frame::{ArmIncrements, Frame, LATENCY_BOUNDS_MS, LATENCY_BUCKETS, RolloutView};
use backspin_domain::id::{ActorId, Attempt, ExecutionId, ServiceId, VersionId};
use backspin_domain::plan::{
    Approval, Check, CheckResult, OnFailure, Rejected, Risk, RiskKind, RiskLevel, RollbackPlan, Step,
    StepAction, Strategy,
};
use backspin_domain::seed::Seed;
use backspin_domain::signal::{Quality, SignalKind, SignalSample};
use backspin_domain::time::{Millis, MonoTime, WallTime};
use backspin_domain::truth::{Cause, Milestone, Truth, TruthEntry, TruthTick};
use backspin_domain::units::{Ratio, TrafficShare};
use backspin_domain::verdict::{Evidence, Factor, Reference, Verdict, VerdictClass};

/// What the record tells. The defaults: a canary that starts to fail 12 minutes after its deploy, is rolled back
/// 45 s later in two stages, and is watched for an hour.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Name of the scenario.
    pub scenario: &'static str,
    /// Its family.
    pub family: &'static str,
    /// Who judges.
    pub judge: &'static str,
    /// Which of the seeds it is.
    pub seed_index: u64,
    /// What played it.
    pub plane: PlaneKind,
    /// What is wrong, as the truth says.
    pub cause: Cause,
    /// After the deploy; negative values cannot be.
    pub onset: Option<Millis>,
    /// After the deploy: the decision, and which.
    pub decided: Option<(Millis, DecisionKind)>,
    /// From the decision to the milestones, if they are reached.
    pub mitigated_after: Option<Millis>,
    /// Errors of the candidate beyond those of the stable version, 0 to 1.
    pub extra_error_ratio: f64,
    /// How much slower the candidate is; 1 is as fast.
    pub latency_factor: f64,
    /// Scrapes of the candidate that are lost, counted from the deploy.
    pub gap: std::ops::Range<u64>,
    /// Whether latency was measured at all.
    pub latency_recorded: bool,
    /// What the scenario expects.
    pub expect: Option<Expectation>,
    /// Requests between two scrapes, both versions together.
    pub requests_per_scrape: f64,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            scenario: "half_of_requests_slow",
            family: "loud",
            judge: "esr",
            seed_index: 0,
            plane: PlaneKind::Direct,
            cause: Cause::Candidate,
            onset: Some(Millis::from_mins(12)),
            decided: Some((Millis::from_secs(12 * 60 + 45), DecisionKind::RollBack)),
            mitigated_after: Some(Millis::from_secs(75)),
            extra_error_ratio: 0.09,
            latency_factor: 1.6,
            gap: 0..0,
            latency_recorded: true,
            expect: Some(expect_rollback()),
            requests_per_scrape: 3000.0,
        }
    }
}

/// A rollback to `v41` is expected, and soon.
pub fn expect_rollback() -> Expectation {
    Expectation {
        decision: vec![DecisionKind::RollBack],
        target: Some(version("v41")),
        strategy: Some(Strategy::CanaryRollback),
        time_to_detect_max: Some(Millis::from_mins(3)),
        time_to_mitigate_max: Some(Millis::from_mins(5)),
        never: vec![Never::CandidateTrafficRises, Never::TrafficToNothing],
        share_min: 0.95,
        lower_min: 0.9,
    }
}

/// No rollback is expected.
pub fn expect_hold() -> Expectation {
    Expectation {
        decision: vec![DecisionKind::Hold, DecisionKind::Pause],
        target: None,
        strategy: None,
        time_to_detect_max: None,
        time_to_mitigate_max: None,
        never: vec![Never::RollBack],
        share_min: 0.95,
        lower_min: 0.9,
    }
}

/// A version of this name.
pub fn version(name: &str) -> VersionId {
    VersionId::new(name).expect("a valid name")
}

fn service() -> ServiceId {
    ServiceId::new("checkout").expect("a valid name")
}

/// From the start to the deploy.
pub const HISTORY: Millis = Millis::from_mins(30);
/// From the deploy to the end.
pub const WATCH: Millis = Millis::from_mins(60);
/// Between two scrapes.
pub const SCRAPE: Millis = Millis::from_secs(15);
const DEPLOYED: MonoTime = MonoTime(HISTORY.0);

impl Sample {
    /// The header of the record.
    pub fn header(&self) -> RunHeader {
        RunHeader {
            version: RECORD_VERSION,
            scenario: self.scenario.into(),
            family: self.family.into(),
            shows: "One request in eleven fails and the rest slow down, twelve minutes after the deploy."
                .into(),
            plane: self.plane,
            campaign_seed: 7,
            seed_index: self.seed_index,
            seed: Seed::of_run(7, 1, self.seed_index),
            wall_start: WallTime(1_767_225_600_000),
            judge: self.judge.into(),
            policy: serde_json::json!({ "version": 1, "judge": self.judge, "rate": 0.1 }),
            policy_hash: "3f9a".repeat(16),
            signals: Vec::new(),
            expect: self.expect.clone(),
            scenario_text: None,
            drawn: std::collections::BTreeMap::new(),
            rate_rps: None,
            assumptions: Vec::new(),
        }
    }

    /// The whole record.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::Header(Box::new(self.header()))];
        entries.push(Entry::Truth(MonoTime::ZERO, TruthEntry::Known(self.truth())));
        let mut reached = [false; 2];
        for n in 1..=(HISTORY.0 + WATCH.0) / SCRAPE.0 {
            let at = MonoTime(n * SCRAPE.0);
            entries.push(Entry::Truth(at, TruthEntry::Tick(self.tick(at))));
            self.milestones(at, &mut reached, &mut entries);
            entries.push(Entry::Input(
                at,
                Input::Collected { service: service(), frame: Arc::new(self.frame(at, n)) },
            ));
            let verdict = self.verdict(at, n);
            entries.push(Entry::Journal(at, JournalEntry::Judged { service: service(), verdict }));
            if self.decided.is_some_and(|(after, _)| at == DEPLOYED + after) {
                self.decision(at, verdict, &mut entries);
            }
        }
        entries.push(Entry::End(DEPLOYED + WATCH));
        entries
    }

    fn truth(&self) -> Truth {
        Truth {
            cause: self.cause,
            bad_version: (self.cause == Cause::Candidate).then(|| version("v42")),
            onset: self.onset.map(|after| DEPLOYED + after),
            rollback_helps: self.cause == Cause::Candidate,
            concurrent_baseline: true,
            deployed: DEPLOYED,
            watch: WATCH,
            scrape: SCRAPE,
            recovery_known: self.plane != PlaneKind::Recorded,
        }
    }

    fn harm(&self, at: MonoTime) -> f64 {
        match self.onset {
            Some(after) if at > DEPLOYED + after => {
                (at.since(DEPLOYED + after).as_secs_f64() / 30.0).min(1.0)
            }
            _ => 0.0,
        }
    }

    /// Real share, and configured share.
    fn share(&self, at: MonoTime) -> (f64, f64) {
        if at <= DEPLOYED {
            return (0.0, 0.0);
        }
        if let Some((after, DecisionKind::RollBack)) = self.decided {
            let since = at.since(DEPLOYED + after).0;
            if at > DEPLOYED + after {
                let configured = if since <= 30_000 { 0.1 } else { 0.0 };
                let real =
                    if since <= 15_000 { 0.17 } else { configured + 0.04 * (since == 45_000) as u8 as f64 };
                return (real, configured);
            }
        }
        let configured = match at.since(DEPLOYED).0 / 60_000 {
            0..10 => 0.1,
            10..20 => 0.25,
            _ => 0.5,
        };
        (configured, configured)
    }

    fn noise(&self, name: &str, n: u64) -> f64 {
        // Sum of uniforms: near enough to a normal of variance 1.
        let bits = Seed::of_run(7, 1, self.seed_index).stream(name).at(n);
        (0..4).map(|k| ((bits >> (16 * k)) & 0xffff) as f64 / 65_536.0 - 0.5).sum::<f64>() * 1.73
    }

    fn arm(&self, name: &str, n: u64, share: f64, harm: f64) -> ArmIncrements {
        let requests = (self.requests_per_scrape * share * (1.0 + 0.05 * self.noise("traffic", n))).max(0.0);
        let ratio = 0.002 + self.extra_error_ratio * harm;
        let expected = requests * ratio;
        let errors = (expected + libm::sqrt(expected) * self.noise(name, n)).max(0.0);
        let factor = 1.0 + (self.latency_factor - 1.0) * harm + 0.03 * self.noise(name, n + 1_000_000);
        let mut arm = ArmIncrements {
            quality: Quality::Fresh,
            requests: requests as u32,
            errors: errors.min(requests) as u32,
            conversions: (requests * 0.03) as u32,
            latency_sum_ms: requests * 130.0 * factor,
            pods_ready: 4,
            pods_desired: 4,
            cpu_ratio: 0.41,
            memory_ratio: 0.52,
            ..ArmIncrements::default()
        };
        if self.latency_recorded {
            arm.latency_buckets = buckets(requests, factor);
        }
        arm
    }

    fn frame(&self, at: MonoTime, n: u64) -> Frame {
        let (share, configured) = self.share(at);
        let deployed = at > DEPLOYED;
        let mut candidate = (deployed && share > 0.0).then(|| self.arm("candidate", n, share, self.harm(at)));
        let since = at.since(DEPLOYED).0 / SCRAPE.0;
        if let Some(arm) = &mut candidate
            && self.gap.contains(&since)
        {
            *arm = ArmIncrements { quality: Quality::Missing, ..ArmIncrements::default() };
        }
        let mut frame = Frame {
            at,
            interval: SCRAPE,
            rollout: RolloutView {
                since_deploy: deployed.then(|| at.since(DEPLOYED)),
                candidate_share: configured,
            },
            candidate,
            baseline: None,
            stable: Some(self.arm("stable", n, 1.0 - share, 0.0)),
            ..Frame::default()
        };
        frame.signals.set(
            SignalKind::ErrorRatio,
            SignalSample::fresh(0.002 + share * self.harm(at) * self.extra_error_ratio, 3000),
        );
        frame
    }

    fn tick(&self, at: MonoTime) -> TruthTick {
        let (share, _) = self.share(at);
        let harm = self.harm(at) * share;
        let external =
            if self.cause == Cause::External { self.harm(at) * self.extra_error_ratio } else { 0.0 };
        let own = if matches!(self.cause, Cause::Candidate | Cause::Flag | Cause::Infrastructure) {
            harm
        } else {
            0.0
        };
        let demand = self.requests_per_scrape;
        TruthTick {
            at,
            demand,
            candidate_share: share,
            error_ratio: 0.002 + own * self.extra_error_ratio + external,
            slow_ratio: 0.01 + own * 0.3,
            harmed: demand * own * (self.extra_error_ratio + 0.2),
            harmed_external: demand * external,
            information: if own > 0.0 || self.onset.is_some_and(|o| at > DEPLOYED + o) { 6.0 } else { 0.0 },
            information_reverse: if self.onset.is_some_and(|o| at > DEPLOYED + o) { 5.0 } else { 0.0 },
        }
    }

    fn milestones(&self, at: MonoTime, reached: &mut [bool; 2], entries: &mut Vec<Entry>) {
        if self.plane == PlaneKind::Recorded {
            return; // A recording does not know what would have followed.
        }
        let (Some((decided, _)), Some(after)) = (self.decided, self.mitigated_after) else { return };
        let mitigated = DEPLOYED + decided + after;
        for (k, (when, what)) in
            [(mitigated, Milestone::Mitigated), (mitigated + Millis::from_mins(3), Milestone::Recovered)]
                .into_iter()
                .enumerate()
        {
            if !reached[k] && at >= when {
                reached[k] = true;
                entries.push(Entry::Truth(when, TruthEntry::Reached(what)));
            }
        }
    }

    fn verdict(&self, at: MonoTime, n: u64) -> Verdict {
        let seen = self.harm(at) * (self.share(at).0 > 0.0) as u8 as f64;
        let score = (1.2 + 0.5 * self.noise("score", n) + 12.0 * seen).max(0.0);
        let class = if at <= DEPLOYED {
            VerdictClass::Inconclusive
        } else if score >= 10.49 {
            VerdictClass::Fail
        } else {
            VerdictClass::Pass
        };
        Verdict {
            class,
            score,
            threshold: 10.49,
            primary: Some(SignalKind::ErrorRatio),
            reference: Reference::ConcurrentArm,
        }
    }

    fn decision(&self, at: MonoTime, verdict: Verdict, entries: &mut Vec<Entry>) {
        let Some((_, kind)) = self.decided else { return };
        let decision = match kind {
            DecisionKind::Hold => Decision::Hold(Reason::Healthy),
            DecisionKind::Pause => Decision::Pause(Reason::Suspicious),
            DecisionKind::Escalate => Decision::Escalate(Reason::NoTarget),
            DecisionKind::RollBack => Decision::RollBack(Box::new(event(at, verdict))),
        };
        let mut journal = |at, entry| entries.push(Entry::Journal(at, entry));
        journal(at, JournalEntry::Decided { service: service(), decision });
        match kind {
            DecisionKind::Hold | DecisionKind::Escalate => {}
            DecisionKind::Pause => {
                journal(at, JournalEntry::RolloutIntent { service: service(), ask: RolloutAsk::Pause });
            }
            DecisionKind::RollBack => rollback(at, event(at, verdict), &mut journal),
        }
    }
}

fn buckets(requests: f64, factor: f64) -> [u32; LATENCY_BUCKETS] {
    // Lognormal body with a heavier tail, by its distribution function at the bounds.
    let below = |ms: f64| {
        let part = |median: f64, sigma: f64| {
            0.5 * (1.0 + libm::erf(libm::log(ms / (median * factor)) / (sigma * std::f64::consts::SQRT_2)))
        };
        0.98 * part(120.0, 0.5) + 0.02 * part(600.0, 0.7)
    };
    let mut counts = [0_u32; LATENCY_BUCKETS];
    let mut before = 0.0;
    for (k, count) in counts.iter_mut().enumerate() {
        let upto = LATENCY_BOUNDS_MS.get(k).map_or(requests, |&ms| requests * below(ms));
        *count = (upto.round() - f64::round(before)) as u32;
        before = upto;
    }
    counts
}

fn event(at: MonoTime, verdict: Verdict) -> RollbackEvent {
    let factor = |signal: &str, value, threshold, impact, contribution| Factor {
        signal: signal.into(),
        value,
        threshold,
        impact,
        contribution,
    };
    RollbackEvent {
        trigger: Trigger::ErrorRateThreshold,
        severity: Severity::High,
        service: service(),
        current: version("v42"),
        target: version("v41"),
        reason: "v42 fails 9.1 % of requests where v41 fails 0.2 % in the same minutes".into(),
        verdict: Some(verdict),
        evidence: Evidence {
            words: "errors and slow responses of v42 exceed those of v41 beyond chance <by far>".into(),
            factors: vec![
                factor("error_ratio", 0.0913, 0.05, 1.83, 8.31),
                factor("latency_p99", 1840.0, 2000.0, 0.92, 4.02),
                factor("conversion_drop", 0.06, 0.2, 0.3, 0.41),
            ],
        },
        effect: Effect { harm: 0.29, harm_lower: 0.24, exposure: 0.25 },
        initiated_by: ActorId::new("backspin").expect("a valid name"),
        at,
        wall: WallTime(1_767_225_600_000 + at.0.cast_signed()),
        automated: true,
        attribution: Ratio::new(0.997).ok(),
    }
}

fn plan(event: RollbackEvent) -> RollbackPlan {
    let shift = |share: f64| StepAction::ShiftTraffic {
        from: version("v42"),
        to: version("v41"),
        to_share: TrafficShare::clamped(share),
    };
    let step = |action: StepAction, timeout: u64, critical: bool| Step {
        action,
        timeout: Millis::from_secs(timeout),
        critical,
        on_failure: if critical { OnFailure::HoldAndEscalate } else { OnFailure::Continue },
        undo: None,
        checks: if critical { vec![Check::CandidateShareAtMost { limit: 0.02 }] } else { Vec::new() },
    };
    RollbackPlan {
        event,
        strategy: Strategy::CanaryRollback,
        rejected: vec![
            Rejected { strategy: Strategy::BlueGreenSwitch, reason: "the service has no standby".into() },
            Rejected { strategy: Strategy::FeatureFlagDisable, reason: "v42 came without flags".into() },
        ],
        pre_checks: vec![Check::TargetReady { pods_min: 3 }],
        steps: vec![
            step(shift(0.9), 30, false),
            step(StepAction::WatchHealth { hold: Millis::from_secs(15), warm_up: Millis::ZERO }, 300, false),
            step(shift(1.0), 30, true),
            step(StepAction::UpdateServiceDiscovery { version: version("v41") }, 30, false),
            step(StepAction::Notify { message: "checkout went back to v41".into() }, 10, false),
        ],
        post_checks: vec![Check::ErrorRatioAtMost { limit: 0.01 }],
        dependencies: vec![ServiceId::new("payments").expect("a valid name")],
        estimated: Millis::from_secs(90),
        risks: vec![Risk {
            kind: RiskKind::Capacity,
            level: RiskLevel::Low,
            reason: "v41 still runs 6 of 8 pods".into(),
        }],
        forecast: Forecast {
            like: None,
            success: Some(Predicted { likely: 0.97, lower: 0.9, upper: 0.99 }),
            harmed_per_min: Some(Predicted { likely: 174.0, lower: 144.0, upper: 204.0 }),
        },
        approval: Approval::Standing {
            approver: ActorId::new("platform-lead").expect("a valid name"),
            expires: None,
        },
        objections: Vec::new(),
        window: None,
    }
}

fn rollback(at: MonoTime, event: RollbackEvent, journal: &mut impl FnMut(MonoTime, JournalEntry)) {
    let execution = ExecutionId(1);
    let plan = plan(event);
    journal(at, JournalEntry::RolloutIntent { service: service(), ask: RolloutAsk::Abort });
    journal(at, JournalEntry::Planned { execution, plan: Box::new(plan.clone()) });
    let status = |status, error: Option<&str>| JournalEntry::Status {
        execution,
        status,
        error: error.map(str::to_owned),
        left: None,
    };
    journal(at, status(ExecutionStatus::Running, None));
    let check = |check, measured, passed| CheckResult { check, measured: Some(measured), passed };
    journal(
        at,
        JournalEntry::Validated {
            execution,
            checks: vec![check(Check::TargetReady { pods_min: 3 }, 6.0, true)],
        },
    );
    let mut started = at;
    for (n, (step, seconds)) in plan.steps.iter().zip([4, 30, 6, 2, 1]).enumerate() {
        let (n, ended) = (n as u16, started + Millis::from_secs(seconds));
        let attempt = Attempt { execution, step: n, attempt: 1 };
        journal(started, JournalEntry::Intent { attempt, action: step.action.clone() });
        let checks = step.checks.iter().map(|&c| check(c, 0.004, true)).collect();
        let outcome = if n == 4 { StepOutcome::TimedOut } else { StepOutcome::Succeeded };
        let result = StepResult { step: n, attempt: 1, started, ended, outcome, checks };
        journal(ended, JournalEntry::Outcome { execution, result });
        started = ended;
    }
    let checks = vec![check(Check::ErrorRatioAtMost { limit: 0.01 }, 0.0021, true)];
    journal(started, JournalEntry::Validated { execution, checks });
    journal(started, status(ExecutionStatus::CompletedWithWarnings, Some("step 5 (notify) timed out")));
}
