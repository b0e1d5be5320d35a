//! What happened in one run, one line per event, so that a person can follow it: what went wrong, what the engine was told,
//! what it decided and asked for, and how the world stood.

use serde::{Deserialize, Serialize};

use crate::story::{moment, outcome_words, sentence};
use crate::told::{Told, seen, told};
use crate::words::percent;
use backspin_domain::engine_io::{ApprovalAnswer, Command, Input, JournalEntry, Output};
use backspin_domain::entry::Entry;
use backspin_domain::execution::StepOutcome;
use backspin_domain::fault::FaultTrace;
use backspin_domain::id::Attempt;
use backspin_domain::observed::{Answered, Call, Moment};
use backspin_domain::service::RolloutState;
use backspin_domain::signal::Quality;
use backspin_domain::time::MonoTime;
use backspin_domain::truth::TruthEntry;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When, milliseconds since the run's first moment.
    pub at_ms: u64,
    /// Who: `fault`, `told` (the engine), `engine`, `asks` (the engine), `world`, `BROKEN`.
    pub who: String,
    /// What, in a sentence.
    pub what: String,
}

/// A run, as it is told.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The engine's record, with the truth.
    pub record: &'a [Entry],
    /// What reached the platform.
    pub calls: &'a [Call],
    /// The world after each tick.
    pub world: &'a [Moment],
    /// What became of each planned fault.
    pub faults: &'a [FaultTrace],
    /// Names of versions, in the world's order.
    pub versions: &'a [&'a str],
    /// When the core healed.
    pub healed: MonoTime,
    /// What was broken, when, and in which words.
    pub broken: &'a [(MonoTime, String)],
}

/// Place of a line within its moment: of the record by its entries, and calls behind what was durable when they came.
type Order = (MonoTime, usize, u8);

/// Tells a run.
pub fn timeline(run: &Run<'_>) -> Vec<Line> {
    let mut lines = Lines(Vec::new());
    lines.faults(run);
    lines.record(run.record);
    for call in run.calls {
        if let Some(what) = asked(call) {
            lines.push((call.at, call.durable.saturating_sub(1), 1), "asks", what);
        }
    }
    lines.world(run);
    lines.push((run.healed, LAST, 3), "fault", "The core heals; what may stay broken stays.".into());
    for (at, words) in run.broken {
        lines.push((*at, LAST, 4), "BROKEN", words.clone());
    }
    lines.0.sort_by_key(|(order, _)| *order);
    lines.0.into_iter().map(|(_, line)| line).collect()
}

/// Behind everything of the record.
const LAST: usize = usize::MAX;

struct Lines(Vec<(Order, Line)>);

impl Lines {
    fn push(&mut self, order: Order, who: &str, what: String) {
        self.0.push((order, Line { at_ms: order.0.0, who: who.to_owned(), what }));
    }

    fn faults(&mut self, run: &Run<'_>) {
        for fault in run.faults {
            let (Some(first), Some(last)) = (fault.first, fault.last) else { continue };
            let often = match fault.effects {
                1 => String::new(),
                n => format!(" ({n} times, until {last})"),
            };
            self.push((first, 0, 0), "fault", format!("{}{often}.", fault.kind));
        }
    }

    fn record(&mut self, record: &[Entry]) {
        let mut candidate = Quality::Fresh;
        for (place, entry) in record.iter().enumerate() {
            let (at, who, what) = match entry {
                Entry::Input(at, Input::Collected { frame, .. }) => {
                    let now = frame.candidate.as_ref().map_or(candidate, |arm| arm.quality);
                    if now == candidate {
                        continue;
                    }
                    candidate = now;
                    (*at, "told", format!("The candidate's samples are {}.", quality(now)))
                }
                Entry::Input(at, input) => match input_words(input) {
                    Some(what) => (*at, "told", what),
                    None => continue,
                },
                Entry::Journal(at, entry) => match journal_words(entry) {
                    Some(what) => (*at, "engine", what),
                    None => continue,
                },
                Entry::Truth(at, TruthEntry::EngineLost) => {
                    (*at, "fault", "The engine's process is gone.".to_owned())
                }
                Entry::Truth(at, TruthEntry::Known(truth)) => match truth.onset {
                    Some(onset) => (onset.max(*at), "world", "Users begin to feel it.".to_owned()),
                    None => continue,
                },
                Entry::End(at) => (*at, "world", "The run ends.".to_owned()),
                Entry::Header(_) | Entry::Woken(_) | Entry::Truth(..) => continue,
            };
            self.push((at, place, 0), who, what);
        }
    }

    fn world(&mut self, run: &Run<'_>) {
        let mut before: Option<Vec<String>> = None;
        for seen in run.world {
            let now = standing(seen, run.versions);
            let what: Vec<&str> = match &before {
                None => now.iter().map(String::as_str).collect(),
                Some(before) => {
                    now.iter().zip(before).filter(|(a, b)| a != b).map(|(a, _)| a.as_str()).collect()
                }
            };
            let what: Vec<&str> = what.into_iter().filter(|words| !words.is_empty()).collect();
            if !what.is_empty() {
                self.push((seen.at, LAST, 2), "world", sentence(&what.join("; ")));
            }
            before = Some(now);
        }
    }
}

/// How the world stands, in parts that are told when they change; an empty part is told of by nothing.
fn standing(seen: &Moment, versions: &[&str]) -> Vec<String> {
    let version = |(place, name): (usize, &&str)| {
        let (share, ready, wanted) = (seen.in_force[place], seen.ready[place], seen.wanted[place]);
        if share <= 0.0 && ready == 0 && wanted == 0 {
            return None;
        }
        Some(format!("{name} {} on {ready} of {wanted} pods", percent((share * 100.0).round() / 100.0)))
    };
    let shares: Vec<String> = versions.iter().enumerate().filter_map(version).collect();
    let name = |place: Option<u8>| place.and_then(|place| versions.get(usize::from(place)).copied());
    let on = |is: bool, words: &str, otherwise: &str| (if is { words } else { otherwise }).to_owned();
    vec![
        format!("traffic: {}", shares.join(", ")),
        harm(seen.harmed).to_owned(),
        name(seen.schema).map(|version| format!("the schema is {version}'s")).unwrap_or_default(),
        on(seen.schema_reverting, "a schema script runs", ""),
        if seen.flags_off > 0 { format!("{} flags are off", seen.flags_off) } else { String::new() },
        name(seen.discovery).map(|version| format!("discovery names {version}")).unwrap_or_default(),
        on(seen.rollout_paused, "the rollout is paused", ""),
        on(seen.rollout_aborted, "the rollout was given up", ""),
        on(seen.stopped, "the kill switch is on", ""),
        match seen.engines {
            0 => "no engine runs".to_owned(),
            1 => "one engine runs".to_owned(),
            n => format!("{n} engines run"),
        },
        format!("the lease is number {}", seen.token),
    ]
}

/// In steps, so that noise is no event.
fn harm(share: f64) -> &'static str {
    match share {
        s if s < 0.01 => "below 1 % of requests fail or are slow",
        s if s < 0.1 => "1 to 10 % of requests fail or are slow",
        s if s < 0.3 => "10 to 30 % of requests fail or are slow",
        _ => "more than 30 % of requests fail or are slow",
    }
}

const fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Fresh => "there again",
        Quality::Stale => "stale",
        Quality::Missing => "missing",
        Quality::Failed => "not to be had",
    }
}

fn step(attempt: Attempt) -> String {
    format!("step {}, try {}", attempt.step + 1, attempt.attempt)
}

fn input_words(input: &Input) -> Option<String> {
    Some(match input {
        Input::Inventory(_) | Input::Collected { .. } => return None,
        Input::Deployed(deploy) => {
            format!("{} is being deployed in place of {}.", deploy.candidate, deploy.from)
        }
        Input::RolloutChanged { state, .. } => match state {
            RolloutState::Progressing(share) => format!("The rollout is at {share}."),
            RolloutState::Paused(share) => format!("The rollout is held at {share}."),
            RolloutState::Complete => "The rollout is complete.".to_owned(),
            RolloutState::Aborted => "The rollout was given up.".to_owned(),
        },
        Input::StepReported { attempt, outcome } => {
            format!("{}: {}.", sentence(&step(*attempt)).trim_end_matches('.'), outcome_words(outcome))
        }
        Input::StepRead { attempt, state } => {
            format!("Read of {}: {}.", step(*attempt), seen(state))
        }
        Input::Listed { inventory: Some(_), .. } => "The service was listed anew.".to_owned(),
        Input::Listed { inventory: None, .. } => "The service could not be listed anew.".to_owned(),
        Input::ApprovalAnswered(ApprovalAnswer { approved, by, role, .. }) => {
            format!("{by} as {role} says {}.", if *approved { "yes" } else { "no" })
        }
        Input::Paged { key } => format!("Call {} was handed over.", key.0),
        Input::Restarted { down } => format!("The engine is started again after {down}."),
        Input::ClockSet { ahead_ms } => {
            let off = backspin_domain::time::Millis(ahead_ms.unsigned_abs());
            format!("The calendar clock is set: {off} {}.", if *ahead_ms < 0 { "behind" } else { "ahead" })
        }
        Input::Commanded { command, by } => match command {
            Command::Stop => format!("{by} uses the kill switch."),
            Command::Resume => format!("{by} releases the kill switch."),
            Command::RollBack { reason, .. } => format!("{by} wants a rollback: {reason}."),
        },
    })
}

fn journal_words(entry: &JournalEntry) -> Option<String> {
    match told(entry) {
        Told::Attempted(_, result) => {
            let done = result.outcome == StepOutcome::Succeeded;
            let failed: Vec<String> =
                result.checks.iter().filter(|check| !check.passed).map(crate::story::check_words).collect();
            if done && failed.is_empty() {
                // The report that came just before says so.
                return None;
            }
            let what = outcome_words(&result.outcome);
            let checks = if failed.is_empty() { String::new() } else { format!("; {}", failed.join("; ")) };
            Some(format!("Step {}, try {}, {what}{checks}.", result.step + 1, result.attempt))
        }
        Told::Checked(checks) => {
            let failed = checks.iter().filter(|check| !check.passed).count();
            Some(format!("Checks of the whole: {} of {} passed.", checks.len() - failed, checks.len()))
        }
        _ => moment(entry),
    }
}

/// What was asked for, and what came of it where it is not what one expects.
fn asked(call: &Call) -> Option<String> {
    let what = match &call.work {
        Output::Journal(_) => return None,
        // One per scrape: only those that went wrong are worth a line.
        Output::Collect { .. } => match call.answer {
            Answered::CarriedOut | Answered::Spoiled | Answered::Doubled | Answered::Delayed(_) => {
                return None;
            }
            Answered::Refused | Answered::Lost | Answered::Fenced => "collect signals".to_owned(),
        },
        Output::StartStep { attempt, action, .. } => format!("{}: {action}", step(*attempt)),
        Output::CancelStep { attempt } => format!("give up on {}", step(*attempt)),
        Output::ReadStep { attempt, .. } => format!("read what became of {}", step(*attempt)),
        Output::List { .. } => "list the service anew".to_owned(),
        Output::PauseRollout { .. } => "pause the rollout".to_owned(),
        Output::ResumeRollout { .. } => "let the rollout go on".to_owned(),
        Output::AbortRollout { .. } => "give the rollout up".to_owned(),
        Output::AskApproval { execution, role, .. } => format!("ask {role} to approve {execution}"),
        Output::Page { key, message, .. } => format!("call a person ({}): {message}", key.0),
        Output::SuppressAlerts { until, .. } => format!("keep alerts quiet until {until}"),
        Output::LiftSuppression { .. } => "let alerts sound again".to_owned(),
        Output::Annotate { words, .. } => format!("mark in dashboards: {words}"),
    };
    let came = match call.answer {
        Answered::CarriedOut => String::new(),
        Answered::Spoiled => " – done, and the answer was lost, late or spoiled".to_owned(),
        Answered::Doubled => " – handed on twice".to_owned(),
        Answered::Delayed(until) => format!(" – held back until {until}"),
        Answered::Refused => " – refused".to_owned(),
        Answered::Lost => " – lost on the way, and nobody was told".to_owned(),
        Answered::Fenced => format!(" – refused: lease {} is over", call.token),
    };
    Some(sentence(&format!("{what}{came}")))
}
