//! The cases: what is deployed, what is wrong, and what happens beside it.

use serde::Serialize;

use crate::faults::Faults;

/// Whether the deploy does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// It does.
    Bad,
    /// It does not.
    Good,
}

/// Something that happens to the service beside the deploy; times in seconds from the change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happens {
    /// Nothing.
    Nothing,
    /// Both versions' dependency fails calls and answers late.
    DependencyOutage {
        /// From.
        from_s: f64,
        /// To.
        to_s: f64,
        /// Share of calls that fail.
        error_ratio: f64,
        /// Added to its answers, ms.
        extra_ms: f64,
    },
    /// More users come.
    Surge {
        /// From.
        from_s: f64,
        /// To.
        to_s: f64,
        /// Times the usual rate.
        factor: f64,
    },
    /// A neighbour takes half of the processor of one pod of the candidate.
    NoisyPod {
        /// From.
        from_s: f64,
        /// To.
        to_s: f64,
    },
    /// The metrics of the candidate cannot be scraped.
    MetricsHidden {
        /// From.
        from_s: f64,
        /// To.
        to_s: f64,
    },
    /// Somebody rolls back: all users go to the stable version again.
    RolledBack {
        /// When.
        at_s: f64,
    },
}

/// What a case is.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub shows: &'static str,
    /// What is true.
    pub label: Label,
    /// The kind of fault or nuisance.
    pub kind: &'static str,
    /// Whether harm comes from outside of the deploy.
    pub external: bool,
    /// Users per second.
    pub rate_rps: f64,
    /// Pods of each version.
    pub pods: usize,
    /// The candidate's faults.
    pub candidate: Faults,
    /// The candidate calls a dependency of its own, which answers so much later, ms.
    pub own_dependency_ms: Option<f64>,
    /// What happens beside the deploy.
    pub happens: Happens,
}

/// History before the change, s.
pub const HISTORY_S: f64 = 120.0;

/// The canary: seconds from the moment the candidate is ready, and its share from then on.
pub const STEPS: [(f64, f64); 3] = [(0.0, 0.10), (60.0, 0.25), (120.0, 0.50)];

/// How long a case is recorded after the change, s.
pub const WATCH_S: f64 = 300.0;

const NONE: Faults = Faults {
    cpu_burn_ms: 0.0,
    lock_contention_ms: 0.0,
    leak_kib: 0,
    error_ratio: 0.0,
    slow_start_s: 0.0,
    cold_cache: 0.0,
};

const QUIET: Case = Case {
    name: "quiet",
    shows: "",
    label: Label::Good,
    kind: "none",
    external: false,
    rate_rps: 60.0,
    pods: 2,
    candidate: NONE,
    own_dependency_ms: None,
    happens: Happens::Nothing,
};

/// All cases that are shipped.
pub fn all() -> Vec<Case> {
    [healthy(), bad()].concat()
}

fn healthy() -> Vec<Case> {
    vec![
        Case { name: "quiet", shows: "The same program again, as a new version: nothing happens.", ..QUIET },
        Case {
            name: "quiet-busy",
            shows: "The same program again at twice the traffic: nothing happens.",
            rate_rps: 120.0,
            ..QUIET
        },
        Case {
            name: "cold-cache",
            shows: "The candidate's cache is cold: its first requests ask the dependency up to four times.",
            kind: "warm_up",
            candidate: Faults { cold_cache: 0.7, slow_start_s: 8.0, ..NONE },
            ..QUIET
        },
        Case {
            name: "dependency-outage",
            shows: "The dependency of both versions fails a fifth of its calls for 80 s.",
            kind: "dependency_outage",
            external: true,
            happens: Happens::DependencyOutage {
                from_s: 150.0,
                to_s: 230.0,
                error_ratio: 0.2,
                extra_ms: 60.0,
            },
            ..QUIET
        },
        Case {
            name: "traffic-surge",
            shows: "Two and a half times as many users come for 100 s.",
            kind: "traffic_surge",
            happens: Happens::Surge { from_s: 140.0, to_s: 240.0, factor: 2.5 },
            ..QUIET
        },
        Case {
            name: "noisy-pod",
            shows: "A neighbour takes half of the processor of one of the candidate's two pods for 80 s.",
            kind: "noisy_neighbour",
            external: true,
            happens: Happens::NoisyPod { from_s: 150.0, to_s: 230.0 },
            ..QUIET
        },
        Case {
            name: "metrics-hidden",
            shows: "The candidate is healthy, but nothing can be measured of it for 40 s.",
            kind: "metrics_gap",
            happens: Happens::MetricsHidden { from_s: 150.0, to_s: 190.0 },
            ..QUIET
        },
    ]
}

fn bad() -> Vec<Case> {
    let bad = Case { label: Label::Bad, ..QUIET };
    vec![
        Case {
            name: "errors",
            shows: "The candidate fails 5 % of its requests.",
            kind: "errors",
            candidate: Faults { error_ratio: 0.05, ..NONE },
            ..bad.clone()
        },
        Case {
            name: "errors-few",
            shows: "The candidate fails 1.5 % of its requests, where 0.2 % are usual.",
            kind: "errors",
            candidate: Faults { error_ratio: 0.013, ..NONE },
            ..bad.clone()
        },
        Case {
            name: "errors-rolled-back",
            shows: "The candidate fails 8 % of its requests until somebody rolls back after 200 s.",
            kind: "errors",
            candidate: Faults { error_ratio: 0.08, ..NONE },
            happens: Happens::RolledBack { at_s: 200.0 },
            ..bad.clone()
        },
        Case {
            name: "cpu-burn",
            shows: "The candidate burns 12 ms of processor per request, where 0.3 ms are usual.",
            kind: "cpu_burn",
            candidate: Faults { cpu_burn_ms: 12.0, ..NONE },
            ..bad.clone()
        },
        Case {
            name: "lock-contention",
            shows: "The candidate's requests wait for one lock, which each holds for 40 ms.",
            kind: "lock_contention",
            candidate: Faults { lock_contention_ms: 40.0, ..NONE },
            ..bad.clone()
        },
        Case {
            name: "leak",
            shows: "The candidate keeps 64 KiB of each request and is killed at its memory limit, again and again.",
            kind: "memory_leak",
            candidate: Faults { leak_kib: 64, ..NONE },
            ..bad.clone()
        },
        Case {
            name: "slow-dependency",
            shows: "The candidate calls a new dependency, which takes 60 ms longer than the old one.",
            kind: "slow_dependency",
            own_dependency_ms: Some(60.0),
            ..bad
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_half_of_the_cases_are_healthy_and_all_fit_into_the_record() {
        let all = all();
        let mut names: Vec<_> = all.iter().map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(all.len() >= 10);
        assert_eq!(all.iter().filter(|case| case.label == Label::Good).count() * 2, all.len());
        for case in &all {
            let healthy = case.candidate == NONE && case.own_dependency_ms.is_none();
            assert!(case.label == Label::Good || !healthy, "{}", case.name);
            let last = match case.happens {
                Happens::Nothing => 0.0,
                Happens::DependencyOutage { to_s, .. }
                | Happens::Surge { to_s, .. }
                | Happens::NoisyPod { to_s, .. }
                | Happens::MetricsHidden { to_s, .. } => to_s,
                Happens::RolledBack { at_s } => at_s,
            };
            assert!(last < WATCH_S, "{}", case.name);
        }
    }
}
