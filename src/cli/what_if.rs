//! `backspin replay --policy`: what another policy would have done with the same inputs.

use std::path::{Path, PathBuf};

use super::diagnose::{Failure, bad_input};
use super::exit::Code;
use super::record::{Record, unreadable};
use super::{Format, out, replay, what_if_text, what_if_words, width};
use crate::campaign::InputDifference;
use crate::campaign::what_if::{Basis, Course, NoWorld, Told, WhatIf, WhatIfError, what_if};
use crate::policy::{self, JudgeName, Policy};

/// The policy that is held beside the record's.
pub(super) struct Other {
    /// How it is called in what is printed.
    label: String,
    /// From a file; none for the record's own with another judge.
    policy: Option<Policy>,
    judge: Option<JudgeName>,
}

impl Other {
    /// What the options name; none if they name nothing.
    pub(super) fn given(file: Option<&PathBuf>, judge: Option<JudgeName>) -> Result<Option<Self>, Failure> {
        let name = |path: &PathBuf| {
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
        };
        let label = match (file.map(name), judge) {
            (None, None) => return Ok(None),
            (Some(file), None) => file,
            (None, Some(judge)) => judge.name().to_owned(),
            (Some(file), Some(judge)) => format!("{file}, {}", judge.name()),
        };
        let policy = file.map(|path| policy::load(path)).transpose()?;
        Ok(Some(Self { label, policy, judge }))
    }

    fn beside(&self, own: &Policy) -> Policy {
        let policy = self.policy.as_ref().unwrap_or(own);
        self.judge.map_or_else(|| policy.clone(), |judge| policy.with_judge(judge))
    }
}

/// Tells it of one record.
pub(super) fn tell(path: &Path, other: &Other, format: Format) -> Result<Code, Failure> {
    let mut record = Record::open(path)?;
    let told = what_if(&mut record, |own| other.beside(own)).map_err(|error| {
        let plane = matches!(error, WhatIfError::Plane(_));
        let context = anyhow::Error::new(error).context(format!("cannot replay `{}`", path.display()));
        if plane {
            bad_input(context, "check the queries of the policy with `backspin policy check`")
        } else {
            unreadable(context)
        }
    })?;
    record.tell_left_out();
    let path = path.display().to_string();
    let answer = match told {
        Told::Contradicted(replayed) => return Ok(replay::tell(&path, &replayed, format)),
        Told::Answer(answer) => answer,
    };
    match format {
        Format::Text => out(&what_if_text::text(&path, &other.label, &answer, width().into())),
        Format::Json => out(&json(&path, &other.label, &answer)),
    }
    Ok(if answer.whole || answer.parting.is_some() { Code::Good } else { Code::Unknown })
}

fn json(path: &str, label: &str, told: &WhatIf) -> String {
    let course = |course: &Course| {
        let decisions: Vec<_> = course
            .decisions
            .iter()
            .map(|(at, decision)| {
                serde_json::json!({
                    "at_ms": at.0,
                    "decision": decision.kind(),
                    "words": what_if_words::decision(decision),
                })
            })
            .collect();
        serde_json::json!({
            "judge": course.judge,
            "policy_hash": course.policy_hash,
            "collect_every_ms": course.collect_every.0,
            "decisions": decisions,
            "effects": course.acts,
            "outcome": course.outcome,
        })
    };
    serde_json::json!({
        "version": 1,
        "record_file": path,
        "scenario": told.header.scenario,
        "family": told.header.family,
        "seed": told.header.campaign_seed,
        "seed_index": told.header.seed_index,
        "deployed_ms": told.deployed.0,
        "whole": told.whole,
        "same": told.parting.is_none(),
        "other_name": label,
        "record": course(&told.record),
        "other": course(&told.other),
        "asked_otherwise": told.asked_otherwise,
        "first_difference": told.parting.as_ref().map(|parting| serde_json::json!({
            "at_ms": parting.at.0,
            "record": parting.record,
            "other": parting.other,
        })),
        "basis": basis(told),
        "summary": what_if_words::closing(told, label),
    })
    .to_string()
}

fn basis(told: &WhatIf) -> serde_json::Value {
    match &told.basis {
        Basis::World { inputs, unrecorded } => serde_json::json!({
            "world": { "equal_inputs": inputs, "unrecorded_frames": unrecorded }
        }),
        Basis::Inputs(reason) => {
            let differs = match reason {
                NoWorld::AnotherWorld(difference) => Some(input_difference(difference)),
                NoWorld::Recording | NoWorld::NoScenario | NoWorld::BadScenario(_) => None,
            };
            serde_json::json!({
                "inputs": { "no_world": what_if_words::no_world(reason, told.deployed), "differs": differs }
            })
        }
    }
}

fn input_difference(difference: &InputDifference) -> serde_json::Value {
    serde_json::json!({
        "at_ms": difference.at.0,
        "record": difference.record,
        "world": difference.world,
    })
}
