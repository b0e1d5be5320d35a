//! The e-detector's reasons, in words and numbers: first what was counted, then what it comes to.

use libm::{exp, log};

use crate::domain::frame::Frame;
use crate::domain::signal::SignalKind;
use crate::domain::verdict::{Evidence, Factor};
use crate::judge::words;

use super::tally::Tally;
use super::{BODY, Blind, EDetector, ERRORS, STREAMS, TAIL};

/// Share of the score from which a stream is worth a person's time.
const LEADS: f64 = 0.1;

pub(super) fn of(judge: &EDetector, frame: &Frame) -> Evidence {
    let watch = &judge.watch;
    let sum: f64 = watch.mean() * STREAMS as f64;
    let mut found: Vec<(Factor, String)> = [ERRORS, TAIL, BODY]
        .into_iter()
        .filter_map(|stream| {
            let mean = watch.detectors[stream].mean();
            let contribution = if sum > 0.0 { mean / sum } else { 0.0 };
            let (signal, sides, fact) = fact(judge, frame, stream)?;
            let impact = log(mean.max(1.0));
            let [value, threshold] = sides;
            Some((Factor { signal, value, threshold, impact, contribution }, fact))
        })
        .collect();
    found.sort_by(|a, b| b.0.contribution.total_cmp(&a.0.contribution));
    let mut shown = 0;
    found.retain(|(factor, _)| {
        shown += 1;
        shown == 1 || (factor.contribution >= LEADS && watch.score > 0.0)
    });
    let mut sentences: Vec<String> = watch.blind.map(|blind| why(blind).to_owned()).into_iter().collect();
    sentences.extend(found.iter().map(|(_, fact)| fact.clone()));
    let (score, threshold) = (watch.score, judge.threshold(frame.interval));
    sentences.push(format!("evidence {score:.1} of the {threshold:.1} nats needed"));
    Evidence { words: sentences.join("; "), factors: found.into_iter().map(|(factor, _)| factor).collect() }
}

/// A stream's name as a factor, candidate's and reference's value, and both in words.
fn fact(judge: &EDetector, frame: &Frame, stream: usize) -> Option<(String, [f64; 2], String)> {
    let tally = &judge.watch.tallies[stream];
    let lasted = frame.at.since(tally.from);
    let Some(value) = tally.candidate.share() else {
        // Latency from p99 alone: no counts stand behind it.
        let p99 = frame.signals.get(SignalKind::LatencyP99).usable().filter(|_| stream == BODY)?;
        let usual = exp(judge.watch.fixed?.p99?.centre);
        let words = format!("p99 {p99:.0} ms against a usual {usual:.0} ms before the deploy");
        return Some((SignalKind::LatencyP99.name().to_owned(), [p99, usual], words));
    };
    let (signal, what) = match tally.over_ms {
        None => (SignalKind::ErrorRatio.name().to_owned(), "errors".to_owned()),
        Some(ms) => (format!("share_over_{ms:.0}ms"), format!("requests over {ms:.0} ms")),
    };
    let reference = tally.control.share().or(tally.past)?;
    let candidate = words::of(tally.candidate.hits, tally.candidate.requests);
    let against = against(tally);
    let words = format!("{what}: {candidate} on the candidate against {against}, in the last {lasted}");
    Some((signal, [value, reference], words))
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
