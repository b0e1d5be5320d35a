//! Between a policy's file and what it means. Both ways, so that a policy can be shown, hashed and recorded
//! with every default filled in.

use super::document::Length;
use super::file::{
    ApprovalsEntry, AttributionEntry, BreakerEntry, CalendarEntry, CustomEntry, EffectEntry, ExecutionEntry,
    FreezeEntry, JudgeEntry, MissingDataEntry, OutsideCauses, PlanningEntry, PolicyFile, ScoreEntry,
    SeverityEntry, SignalQueries, StandingEntry, TargetEntry, TurnsEntry, WindowEntry,
};
use super::{Asks, NamedQuery, Policy};
use backspin_domain::signal::{CustomSignal, SignalKind};
use backspin_domain::time::WallTime;
use backspin_engine::mutation::Broken;
use backspin_engine::settings::{
    Approvals, Attribution, BreakerRule, Calendar, ExecutionRules, Freeze, MissingData, Planning, Settings,
    SeverityRule, StandingApproval, TargetRule, TurnRule, Window,
};
use backspin_judge::JudgeParams;

/// A file's meaning. Moments were checked to be moments.
pub(super) fn policy(file: &PolicyFile) -> Policy {
    let custom: Vec<CustomSignal> = file
        .custom
        .iter()
        .map(|entry| CustomSignal {
            name: entry.name.clone(),
            worse: Some(entry.worse),
            threshold: entry.threshold,
            weight: entry.weight,
        })
        .collect();
    let named = SignalKind::ALL
        .iter()
        .map(|kind| NamedQuery { asks: Asks::Signal(*kind), text: query(&file.signals, *kind).to_owned() });
    let own = file.custom.iter().enumerate();
    let own = own.map(|(n, entry)| NamedQuery { asks: Asks::Custom(n), text: entry.query.clone() });
    let mut policy = Policy {
        judge: match &file.judge {
            JudgeEntry::EDetector(params) => JudgeParams::EDetector(params.clone()),
            JudgeEntry::Weighted(params) => JudgeParams::Weighted(params.clone()),
            JudgeEntry::Flagger(params) => JudgeParams::Flagger(params.clone()),
            JudgeEntry::Argo(params) => JudgeParams::Argo(params.clone()),
            JudgeEntry::Kayenta(params) => JudgeParams::Kayenta(params.clone()),
            JudgeEntry::Alarm(params) => JudgeParams::Alarm(params.clone()),
            JudgeEntry::Breaker(params) => JudgeParams::Breaker(params.clone()),
            JudgeEntry::BurnRate(params) => JudgeParams::BurnRate(params.clone()),
            JudgeEntry::Keptn(params) => JudgeParams::Keptn(params.clone()),
            JudgeEntry::Sequential(params) => JudgeParams::Sequential(params.clone()),
            JudgeEntry::NOfM(params) => JudgeParams::NOfM(params.clone()),
            JudgeEntry::Cusum(params) => JudgeParams::Cusum(params.clone()),
            JudgeEntry::Glr(params) => JudgeParams::Glr(params.clone()),
            JudgeEntry::Bocpd(params) => JudgeParams::Bocpd(params.clone()),
            JudgeEntry::RobustZ(params) => JudgeParams::RobustZ(params.clone()),
            JudgeEntry::MannWhitney(params) => JudgeParams::MannWhitney(params.clone()),
        },
        settings: settings(file),
        queries: named.chain(own).collect(),
        custom,
        hash: String::new(),
    };
    policy.hash = policy.compute_hash();
    policy
}

/// The query of a named signal.
pub(super) fn query(queries: &SignalQueries, kind: SignalKind) -> &str {
    match kind {
        SignalKind::ErrorRatio => &queries.error_ratio,
        SignalKind::LatencyP99 => &queries.latency_p99,
        SignalKind::Throughput => &queries.throughput,
        SignalKind::Cpu => &queries.cpu,
        SignalKind::Memory => &queries.memory,
        SignalKind::ConversionDrop => &queries.conversion_drop,
        SignalKind::RevenueImpact => &queries.revenue_impact,
        SignalKind::ComplaintsPerHour => &queries.complaints_per_hour,
        SignalKind::DependencyHealth => &queries.dependency_health,
        SignalKind::SecurityFindings => &queries.security_findings,
        SignalKind::ComplianceFindings => &queries.compliance_findings,
    }
}

/// A moment as files write it.
pub(super) fn moment(text: &str) -> Option<WallTime> {
    text.parse::<jiff::Timestamp>().ok().map(|at| WallTime(at.as_millisecond()))
}

fn moment_text(at: WallTime) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

fn settings(file: &PolicyFile) -> Settings {
    let (missing, planning, execution) = (&file.missing_data, &file.planning, &file.execution);
    Settings {
        broken: Broken::default(),
        collect_every: file.collect_every.0,
        severity: match file.severity {
            SeverityEntry::Effect(effect) => SeverityRule::Effect {
                critical_points: effect.critical_points,
                high_points: effect.high_points,
                medium_points: effect.medium_points,
            },
            SeverityEntry::Score(score) => {
                SeverityRule::Score { critical: score.critical, high: score.high, medium: score.medium }
            }
        },
        rules: file.rules.iter().map(|entry| super::signal_rules::meant(entry, &file.custom)).collect(),
        missing_data: MissingData {
            tolerate: missing.tolerate.0,
            then: missing.then,
            escalate_after: missing.escalate_after.0,
        },
        attribution: match file.attribution {
            AttributionEntry::Off => Attribution::Off,
            AttributionEntry::On(causes) => Attribution::On {
                dependency_health_min: causes.dependency_health_min,
                surge_factor_max: causes.surge_factor_max,
                mute_max: causes.mute_max.0,
            },
        },
        target: TargetRule { healthy_min: file.target.healthy_min.0 },
        planning: Planning {
            stage_factors: planning.stage_factors.clone(),
            batches: planning.batches.clone(),
            strategy: planning.strategy,
            stage_hold: planning.stage_hold.0,
            warm_up: planning.warm_up.0,
            error_ratio_max: planning.error_ratio_max,
            error_ratio_slack: planning.error_ratio_slack,
            settle: planning.settle.0,
            success_min: planning.success_min,
            success: super::success::meant(planning.success.as_deref()),
        },
        execution: ExecutionRules {
            executions_max: execution.executions_max as usize,
            attempts_max: execution.attempts_max,
            retries_max: execution.retries_max,
            backoff: execution.backoff.0,
            timeout: execution.timeout.0,
            cool_down: execution.cool_down.0,
            breaker: BreakerRule { failures: execution.breaker.failures, open: execution.breaker.open.0 },
            effects_per_minute: execution.effects_per_minute,
            effects_max: execution.effects_max,
            turns: TurnRule { max: execution.turns.max, window: execution.turns.window.0 },
            target_worse: execution.target_worse,
            resume_within: execution.resume_within.0,
        },
        approvals: approvals(&file.approvals),
        calendar: Calendar {
            windows: file.calendar.windows.iter().filter_map(window).collect(),
            freezes: file.calendar.freezes.iter().filter_map(freeze).collect(),
            when_closing: file.calendar.when_closing,
        },
        notify: file.notify.clone(),
    }
}

fn approvals(entry: &ApprovalsEntry) -> Approvals {
    let standing = entry.standing.iter().map(|standing| StandingApproval {
        environment: standing.environment,
        services: standing.services.clone(),
        expires: standing.expires.as_deref().and_then(moment),
        approver: standing.approver.clone(),
    });
    Approvals {
        standing: standing.collect(),
        escalation: entry.escalation.clone(),
        wait: entry.wait.0,
        valid: entry.valid.0,
    }
}

fn window(entry: &WindowEntry) -> Option<Window> {
    let mut days = entry.days.clone();
    days.sort();
    days.dedup();
    Some(Window { days, from_minute: minute(&entry.from)?, until_minute: minute(&entry.until)? })
}

/// Minutes since midnight of a time of the day, `00:00` to `24:00`.
pub(super) fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u16>().ok()).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= 1440).then_some(minute)
}

fn window_entry(window: &Window) -> WindowEntry {
    let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    WindowEntry {
        days: window.days.clone(),
        from: text(window.from_minute),
        until: text(window.until_minute),
    }
}

fn freeze(entry: &FreezeEntry) -> Option<Freeze> {
    Some(Freeze { name: entry.name.clone(), from: moment(&entry.from)?, until: moment(&entry.until)? })
}

/// A judge as it stands in a file.
fn judge_entry(judge: &JudgeParams) -> JudgeEntry {
    match judge {
        JudgeParams::EDetector(params) => JudgeEntry::EDetector(params.clone()),
        JudgeParams::Weighted(params) => JudgeEntry::Weighted(params.clone()),
        JudgeParams::Flagger(params) => JudgeEntry::Flagger(params.clone()),
        JudgeParams::Argo(params) => JudgeEntry::Argo(params.clone()),
        JudgeParams::Kayenta(params) => JudgeEntry::Kayenta(params.clone()),
        JudgeParams::Alarm(params) => JudgeEntry::Alarm(params.clone()),
        JudgeParams::Breaker(params) => JudgeEntry::Breaker(params.clone()),
        JudgeParams::BurnRate(params) => JudgeEntry::BurnRate(params.clone()),
        JudgeParams::Keptn(params) => JudgeEntry::Keptn(params.clone()),
        JudgeParams::Sequential(params) => JudgeEntry::Sequential(params.clone()),
        JudgeParams::NOfM(params) => JudgeEntry::NOfM(params.clone()),
        JudgeParams::Cusum(params) => JudgeEntry::Cusum(params.clone()),
        JudgeParams::Glr(params) => JudgeEntry::Glr(params.clone()),
        JudgeParams::Bocpd(params) => JudgeEntry::Bocpd(params.clone()),
        JudgeParams::RobustZ(params) => JudgeEntry::RobustZ(params.clone()),
        JudgeParams::MannWhitney(params) => JudgeEntry::MannWhitney(params.clone()),
    }
}

impl Policy {
    /// The file that says all of this policy.
    pub(super) fn to_file(&self) -> PolicyFile {
        let settings = &self.settings;
        PolicyFile {
            version: 1,
            judge: judge_entry(&self.judge),
            signals: self.signal_queries(),
            custom: self.custom_entries(),
            collect_every: settings.collect_every.into(),
            severity: match settings.severity {
                SeverityRule::Effect { critical_points, high_points, medium_points } => {
                    SeverityEntry::Effect(EffectEntry { critical_points, high_points, medium_points })
                }
                SeverityRule::Score { critical, high, medium } => {
                    SeverityEntry::Score(ScoreEntry { critical, high, medium })
                }
            },
            rules: settings.rules.iter().map(super::signal_rules::entry).collect(),
            missing_data: MissingDataEntry {
                tolerate: settings.missing_data.tolerate.into(),
                then: settings.missing_data.then,
                escalate_after: settings.missing_data.escalate_after.into(),
            },
            attribution: match settings.attribution {
                Attribution::Off => AttributionEntry::Off,
                Attribution::On { dependency_health_min, surge_factor_max, mute_max } => {
                    let mute_max = Length(mute_max);
                    AttributionEntry::On(OutsideCauses { dependency_health_min, surge_factor_max, mute_max })
                }
            },
            target: TargetEntry { healthy_min: settings.target.healthy_min.into() },
            planning: PlanningEntry {
                stage_factors: settings.planning.stage_factors.clone(),
                batches: settings.planning.batches.clone(),
                strategy: settings.planning.strategy,
                stage_hold: settings.planning.stage_hold.into(),
                warm_up: settings.planning.warm_up.into(),
                error_ratio_max: settings.planning.error_ratio_max,
                error_ratio_slack: settings.planning.error_ratio_slack,
                settle: settings.planning.settle.into(),
                success_min: settings.planning.success_min,
                success: super::success::entries(&settings.planning.success),
            },
            execution: ExecutionEntry {
                executions_max: u32::try_from(settings.execution.executions_max).unwrap_or(u32::MAX),
                attempts_max: settings.execution.attempts_max,
                retries_max: settings.execution.retries_max,
                backoff: settings.execution.backoff.into(),
                timeout: settings.execution.timeout.into(),
                cool_down: settings.execution.cool_down.into(),
                breaker: BreakerEntry {
                    failures: settings.execution.breaker.failures,
                    open: settings.execution.breaker.open.into(),
                },
                effects_per_minute: settings.execution.effects_per_minute,
                effects_max: settings.execution.effects_max,
                turns: TurnsEntry {
                    max: settings.execution.turns.max,
                    window: settings.execution.turns.window.into(),
                },
                target_worse: settings.execution.target_worse,
                resume_within: settings.execution.resume_within.into(),
            },
            approvals: self.approvals_entry(),
            calendar: CalendarEntry {
                windows: settings.calendar.windows.iter().map(window_entry).collect(),
                freezes: settings.calendar.freezes.iter().map(freeze_entry).collect(),
                when_closing: settings.calendar.when_closing,
            },
            notify: settings.notify.clone(),
        }
    }

    fn signal_queries(&self) -> SignalQueries {
        let text = |kind| {
            let found = self.queries.iter().find(|query| query.asks == Asks::Signal(kind));
            found.map(|query| query.text.clone()).unwrap_or_default()
        };
        SignalQueries {
            error_ratio: text(SignalKind::ErrorRatio),
            latency_p99: text(SignalKind::LatencyP99),
            throughput: text(SignalKind::Throughput),
            cpu: text(SignalKind::Cpu),
            memory: text(SignalKind::Memory),
            conversion_drop: text(SignalKind::ConversionDrop),
            revenue_impact: text(SignalKind::RevenueImpact),
            complaints_per_hour: text(SignalKind::ComplaintsPerHour),
            dependency_health: text(SignalKind::DependencyHealth),
            security_findings: text(SignalKind::SecurityFindings),
            compliance_findings: text(SignalKind::ComplianceFindings),
        }
    }

    fn custom_entries(&self) -> Vec<CustomEntry> {
        let entry = |(n, signal): (usize, &CustomSignal)| {
            let query = self.queries.iter().find(|query| query.asks == Asks::Custom(n));
            CustomEntry {
                name: signal.name.clone(),
                query: query.map(|query| query.text.clone()).unwrap_or_default(),
                worse: signal.worse.unwrap_or(backspin_domain::signal::Worse::Higher),
                threshold: signal.threshold,
                weight: signal.weight,
            }
        };
        self.custom.iter().enumerate().map(entry).collect()
    }

    fn approvals_entry(&self) -> ApprovalsEntry {
        let approvals = &self.settings.approvals;
        let standing = approvals.standing.iter().map(|standing| StandingEntry {
            environment: standing.environment,
            services: standing.services.clone(),
            expires: standing.expires.map(moment_text),
            approver: standing.approver.clone(),
        });
        ApprovalsEntry {
            standing: standing.collect(),
            escalation: approvals.escalation.clone(),
            wait: approvals.wait.into(),
            valid: approvals.valid.into(),
        }
    }
}

fn freeze_entry(freeze: &Freeze) -> FreezeEntry {
    FreezeEntry {
        name: freeze.name.clone(),
        from: moment_text(freeze.from),
        until: moment_text(freeze.until),
    }
}
