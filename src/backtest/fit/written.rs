//! What was learned, as scenario files.

use std::fmt::Write as _;

use backspin_domain::time::Millis;
use backspin_policy::document::source::Source;
use backspin_policy::document::{FileKind, Problems};
use backspin_scenario::model::Scenario;

use super::{Identity, Learned};
use crate::deploys::written;

/// How busy the world's pods are at the mean by default, and so where processor use is not measured.
pub(super) const BUSY: f64 = 0.45;

/// The old and the new version in the files.
const FROM: &str = "v1";
const TO: &str = "v2";

/// One file of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyFile {
    /// Its name, with the ending.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// What happens in one scenario of the family.
struct Member {
    name: &'static str,
    shows: &'static str,
    deploy: &'static str,
    incident: &'static str,
    /// What is drawn, line by line.
    vary: Vec<String>,
    expect: &'static str,
}

/// What good deploys must come to: as in the shipped families of good deploys.
const LET_BE: &str =
    "truth: { cause: none }\nexpect:\n  decision: [hold, pause]\n  share_min: 0.95\n  lower_min: 0.85\n";
/// What bad ones must: as in the shipped families that draw how bad.
const ROLLED_BACK: &str = "truth: { cause: candidate, rollback_helps: true }\nexpect:\n  decision: roll_back\n  target: v1\n  \
     never: [candidate_traffic_rises]\n  share_min: 0.6\n  lower_min: 0.45\n";
/// Half of the faults from the first moment, half later.
const ONSETS: &str = "incident.bad_version.onset: { one_of: [30m, 30m, 30m, 30m, 30m, 32m 30s, 37m 30s, 42m 30s, 47m 30s, 52m 30s] }";

/// The family: two good deploys, and three kinds of bad ones, of this service.
pub fn family(learned: &Learned, identity: &Identity) -> Vec<FamilyFile> {
    let least = (learned.errors.ratio * 3.0).clamp(0.01, 0.3);
    let members = [
        Member {
            name: "healthy-canary.yaml",
            shows: "A good canary of a service that was learned from its history.",
            deploy: "canary",
            incident: "",
            vary: Vec::new(),
            expect: LET_BE,
        },
        Member {
            name: "healthy-rolling.yaml",
            shows: "A good rolling deploy of a service that was learned from its history.",
            deploy: "rolling",
            incident: "",
            vary: Vec::new(),
            expect: LET_BE,
        },
        Member {
            name: "errors.yaml",
            shows: "A canary that fails more often, of a service that was learned from its history.",
            deploy: "canary",
            incident: "incident: { bad_version: {} }\n",
            vary: vec![
                ONSETS.to_owned(),
                format!("incident.bad_version.error_ratio: {{ log_uniform: [{}, 0.5] }}", number(least)),
            ],
            expect: ROLLED_BACK,
        },
        Member {
            name: "slower.yaml",
            shows: "A canary that is slower, of a service that was learned from its history.",
            deploy: "canary",
            incident: "incident: { bad_version: {} }\n",
            vary: vec![
                ONSETS.to_owned(),
                "incident.bad_version.latency_factor: { log_uniform: [1.25, 4.0] }".to_owned(),
            ],
            expect: ROLLED_BACK,
        },
        Member {
            name: "time-outs.yaml",
            shows: "A canary of which some requests hang, of a service that was learned from its history.",
            deploy: "canary",
            incident: "incident: { bad_version: {} }\n",
            vary: vec![
                ONSETS.to_owned(),
                "incident.bad_version.hang_ratio: { log_uniform: [0.01, 0.3] }".to_owned(),
            ],
            expect: ROLLED_BACK,
        },
    ];
    members
        .iter()
        .enumerate()
        .map(|(n, member)| FamilyFile { name: member.name, text: file(learned, identity, member, n) })
        .collect()
}

fn file(learned: &Learned, identity: &Identity, member: &Member, n: usize) -> String {
    let mut text = format!("version: 1\n# {}\n#\n", member.shows);
    let _ = writeln!(
        text,
        "# Learned from {} quiet scrapes before {}, {} to {}. Identity {:.2}, p = {:.3}, of {} recorded and {} simulated scrapes.",
        learned.frames,
        learned.deploys_in_words(),
        written(learned.from),
        written(learned.to),
        identity.score,
        identity.p,
        identity.recorded,
        identity.simulated,
    );
    for note in &learned.notes {
        let _ = writeln!(text, "# Note: {note}.");
    }
    let _ = writeln!(text, "draw: {}", draw(learned.service.as_str(), n));
    text.push_str(&service(learned));
    let _ = writeln!(text, "deploy: {{ version: {TO}, from: {FROM}, rollout: {} }}", member.deploy);
    text.push_str(member.incident);
    let between = learned.traffic.between.map(|(least, most)| {
        format!("traffic.rps: {{ log_uniform: [{}, {}] }}", number(least), number(most))
    });
    let drawn: Vec<&String> = between.iter().chain(&member.vary).collect();
    if !drawn.is_empty() {
        text.push_str("vary:\n");
    }
    for line in drawn {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str(member.expect);
    text
}

/// Everything of the service itself.
fn service(learned: &Learned) -> String {
    let mut text = format!("service: {}\n", learned.service);
    let _ = writeln!(text, "timing: {{ tick: {}, scrape: {} }}", tick(learned.scrape), learned.scrape);
    let traffic = &learned.traffic;
    let _ = writeln!(
        text,
        "traffic: {{ rps: {}, daily_amplitude: {}, noise_sd: {} }}",
        number(traffic.rps),
        number(traffic.daily_amplitude.unwrap_or(0.0)),
        number(traffic.noise_sd.min(2.0))
    );
    let latency_noise = learned.latency.map_or([0.06, 0.02], |latency| latency.noise_sd);
    let noise = |n: usize| {
        format!(
            "{{ error_sd: {}, latency_sd: {} }}",
            number(learned.errors.noise_sd[n].min(2.0)),
            number(latency_noise[n].min(2.0))
        )
    };
    let _ = writeln!(text, "noise: {{ shared: {}, arms: {} }}", noise(0), noise(1));
    pods(&mut text, learned);
    if let Some(latency) = &learned.latency {
        let _ = writeln!(
            text,
            "latency: {{ median_ms: {}, sigma: {}, tail_share: {}, tail_median_ms: {}, tail_sigma: {} }}",
            number(latency.median_ms),
            number(latency.sigma),
            number(latency.tail_share),
            number(latency.tail_median_ms),
            number(latency.tail_sigma)
        );
    }
    let mut normal = vec![format!("error_ratio: {}", number(learned.errors.ratio))];
    normal.extend(learned.memory.map(|ratio| format!("memory_ratio: {}", number(ratio.min(1.0)))));
    normal.extend(learned.conversion.map(|ratio| format!("conversion_ratio: {}", number(ratio.min(1.0)))));
    let _ = writeln!(text, "normal: {{ {} }}", normal.join(", "));
    text
}

/// The world's step: a second, or what goes into a second and a scrape; a scrape that has no such step is one.
fn tick(scrape: Millis) -> Millis {
    let (mut a, mut b) = (scrape.0, 1000);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    if a >= 100 { Millis(a) } else { scrape }
}

fn pods(text: &mut String, learned: &Learned) {
    let mut pods = Vec::new();
    pods.extend(learned.replicas.map(|replicas| format!("replicas: {replicas}")));
    if let (Some(replicas), Some(busy)) = (learned.replicas, learned.busy) {
        let capacity = learned.traffic.rps / (f64::from(replicas) * busy.max(0.01));
        pods.push(format!("capacity_rps: {}", number(capacity.max(0.001))));
    }
    if let Some(warm) = &learned.warm {
        pods.push(format!("warm_up: {}", number(warm.warm_up)));
        pods.push(format!("warm_up_tau: {}ms", (warm.tau_s * 1000.0).round().max(1.0)));
    }
    if !pods.is_empty() {
        let _ = writeln!(text, "pods: {{ {} }}", pods.join(", "));
    }
}

/// A scenario of the service in which nothing happens for so long, to be held against what was recorded.
pub(super) fn quiet_scenario(learned: &Learned, quiet: Millis) -> Result<Scenario, Problems> {
    let text =
        format!("version: 1\n{}deploy: {{ version: {TO}, from: {FROM}, at: {quiet} }}\n", service(learned));
    backspin_scenario::parse(&Source::new(FileKind::Scenario, "learned.yaml", text), "learned", "learned")
}

/// Four digits, without an exponent.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let digits = (3 - libm::floor(libm::log10(value.abs())) as i32).clamp(0, 12);
    let text = format!("{value:.*}", digits.unsigned_abs() as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number for a file's draws, from the service's name and the file's place: apart from those of shipped scenarios and of templates.
fn draw(service: &str, n: usize) -> u64 {
    let hash = service.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 80_000);
    200_000 + hash * 10 + n as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits_and_no_exponent() {
        for (value, expected) in [
            (0.0, "0"),
            (1234.56, "1235"),
            (123_456.0, "123456"),
            (0.002_004_9, "0.002005"),
            (0.5, "0.5"),
            (61.234_9, "61.23"),
            (1e-7, "0.0000001"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
