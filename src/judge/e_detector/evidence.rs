//! The e-detector's reasons, in words and numbers: first what was counted, then what it comes to.

use libm::{exp, log};

use crate::words;
use backspin_domain::frame::{ArmIncrements, Frame};
use backspin_domain::pod::PodArm;
use backspin_domain::signal::SignalKind;
use backspin_domain::verdict::{Evidence, Factor};

use super::gauges::dearer;
use super::leave::Weakest;
use super::tally::Tally;
use super::{
    BODY, Blind, CONVERSION, CPU, EDetector, ERRORS, MATTERS, MEMORY, STREAMS, TAIL, fresh, signal_of,
};

/// Share of the score from which a stream is worth a person's time.
const LEADS: f64 = 0.1;

pub(super) fn of(judge: &EDetector, frame: &Frame) -> Evidence {
    let watch = &judge.watch;
    let sum = watch.streams.mean();
    let mut found: Vec<(Factor, String)> = (0..STREAMS)
        .filter_map(|stream| {
            let part = watch.streams.part(stream);
            let contribution = if sum > 0.0 { part / sum } else { 0.0 };
            let (signal, sides, fact) = fact(judge, frame, stream)?;
            let impact = log(part.max(1.0));
            let [value, threshold] = sides;
            Some((Factor { signal, value, threshold, impact, contribution }, fact))
        })
        .collect();
    found.sort_by(|a, b| b.0.contribution.total_cmp(&a.0.contribution));
    if let Some((factor, fact)) = of_shared(judge, frame) {
        found = vec![(factor, fact)];
    }
    let mut shown = 0;
    found.retain(|(factor, _)| {
        shown += 1;
        shown == 1 || (factor.contribution >= LEADS && watch.score > 0.0)
    });
    let mut sentences: Vec<String> = watch.blind.map(|blind| why(blind).to_owned()).into_iter().collect();
    sentences.extend(found.iter().map(|(_, fact)| fact.clone()));
    let (score, threshold) = (watch.score, judge.threshold(frame.interval));
    if let Some((weakest, words)) = hanging(judge, threshold).filter(|_| !judge.is_shared()) {
        let (pod, score) = (weakest.pod, weakest.score());
        sentences.push(words);
        sentences.push(format!("evidence without pod {pod}: {score:.1} of the {threshold:.1} nats needed"));
    } else {
        sentences.push(format!("evidence {score:.1} of the {threshold:.1} nats needed"));
    }
    Evidence { words: sentences.join("; "), factors: found.into_iter().map(|(factor, _)| factor).collect() }
}

/// The pod that the evidence hangs on, where that matters: there is some, and not without the pod.
fn hanging(judge: &EDetector, threshold: f64) -> Option<(Weakest, String)> {
    let watch = &judge.watch;
    let weakest = watch.weakest?;
    if watch.whole - weakest.score() < MATTERS * threshold {
        return None;
    }
    let arm = match weakest.arm {
        PodArm::Candidate => "candidate",
        PodArm::Baseline | PodArm::Stable => "control",
    };
    let stream = watch.streams.leading();
    let fact = match stream {
        ERRORS | TAIL | BODY if weakest.arm == PodArm::Candidate => {
            let counted = judge.leaves.counted(weakest, stream);
            counted.share().map(|_| format!(" ({} there)", words::of(counted.hits, counted.requests)))
        }
        _ => None,
    };
    let fact = fact.unwrap_or_default();
    let words =
        format!("it hangs on pod {} of the {arm}{fact}: {:.1} nats with it", weakest.pod, watch.whole);
    Some((weakest, words))
}

/// A stream's name as a factor, candidate's and reference's value, and both in words.
fn fact(judge: &EDetector, frame: &Frame, stream: usize) -> Option<(String, [f64; 2], String)> {
    let signal = signal_of(stream).name().to_owned();
    match stream {
        MEMORY => return of_memory(judge, frame).map(|(sides, words)| (signal, sides, words)),
        CPU => return of_cpu(frame).map(|(sides, words)| (signal, sides, words)),
        _ => {}
    }
    let tally = &judge.watch.tallies[stream];
    let lasted = frame.at.since(tally.from);
    let Some(value) = tally.candidate.share() else {
        // Latency from p99 alone: no counts stand behind it.
        let p99 = frame.signals.get(SignalKind::LatencyP99).usable().filter(|_| stream == BODY)?;
        let usual = exp(judge.watch.fixed?.p99?.centre);
        let words = format!("p99 {p99:.0} ms against a usual {usual:.0} ms before the deploy");
        return Some((signal, [p99, usual], words));
    };
    let (signal, what) = match tally.over_ms {
        None => (signal, if stream == CONVERSION { "conversions" } else { "errors" }.to_owned()),
        Some(ms) => (format!("share_over_{ms:.0}ms"), format!("requests over {ms:.0} ms")),
    };
    let reference = tally.control.share().or(tally.past)?;
    let candidate = words::of(tally.candidate.hits, tally.candidate.requests);
    let against = against(tally);
    let words = format!("{what}: {candidate} on the candidate against {against}, in the last {lasted}");
    Some((signal, [value, reference], words))
}

/// Harm to both arms, where that is what the score is of.
fn of_shared(judge: &EDetector, frame: &Frame) -> Option<(Factor, String)> {
    let ([candidate, control], usual, step) = judge.shared.behind().filter(|_| judge.is_shared())?;
    let words = format!(
        "errors: {} on the candidate and {} on the control against at most {} before the candidate was given more traffic {} \
         ago, and nothing outside to explain it",
        words::of(candidate.hits, candidate.requests),
        words::of(control.hits, control.requests),
        words::percent(usual),
        frame.at.since(step)
    );
    let signal = SignalKind::ErrorRatio.name().to_owned();
    let (value, impact) = (candidate.share()?, judge.watch.score);
    Some((Factor { signal, value, threshold: usual, impact, contribution: 1.0 }, words))
}

fn of_memory(judge: &EDetector, frame: &Frame) -> Option<([f64; 2], String)> {
    let mean = |arm: &ArmIncrements| Some(f64::from(arm.memory_ratio)).filter(|ratio| *ratio > 0.0);
    let candidate = frame.candidate.as_ref().and_then(fresh).and_then(mean)?;
    let control = frame.control().and_then(fresh).and_then(mean);
    let (other, whose) = match control {
        Some(control) => (control, "on the control's"),
        None => (judge.past.memory()?, "before the deploy"),
    };
    let words = format!(
        "memory: {} on the candidate's pods against {} {whose}",
        words::percent(candidate),
        words::percent(other)
    );
    Some(([candidate, other], words))
}

fn of_cpu(frame: &Frame) -> Option<([f64; 2], String)> {
    let candidate = frame.candidate.as_ref().and_then(fresh)?;
    let control = frame.control().and_then(fresh)?;
    let more = dearer(candidate, control)?;
    let [candidate, control] = [candidate, control].map(|arm| f64::from(arm.cpu_ratio));
    let words = format!(
        "processor: {} on the candidate's pods against {} on the control's, {:.1} times as much for the same work",
        words::percent(candidate),
        words::percent(control),
        exp(more)
    );
    Some(([candidate, control], words))
}

fn against(tally: &Tally) -> String {
    let control = tally
        .control
        .share()
        .map(|_| format!("{} on the control", words::of(tally.control.hits, tally.control.requests)));
    let past = tally.past.map(|share| format!("{} before the deploy", words::percent(share)));
    let sides: Vec<String> = control.into_iter().chain(past).collect();
    sides.join(" and ")
}

/// Why the last frame was not judged.
const fn why(blind: Blind) -> &'static str {
    match blind {
        Blind::Candidate => "not judged: the candidate was not measured",
        Blind::Control => "not judged: the control was not measured",
        Blind::Silent => "not judged: the candidate counted no request although it is given traffic",
        Blind::NoPast => "not judged: there is neither a control nor enough of the time before the deploy",
        Blind::Cold => "not judged: the new pods are cold and full",
        Blind::Dependency => "not judged: a dependency fails, and there is no control to tell its part",
        Blind::Load => "not judged: the load is more than the time before the deploy can be compared with",
    }
}
