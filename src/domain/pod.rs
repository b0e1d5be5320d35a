//! What one pod did since the last scrape.
//!
//! Pods are asked for while a deploy is watched, so that a verdict can be held against the possibility that it hangs
//! on one of them. A pod keeps its number for a run, over restarts of its containers; the number tells nothing else.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::frame::LATENCY_BUCKETS;

/// The arm that a pod belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodArm {
    /// The version on trial.
    #[default]
    Candidate,
    /// Instances of the old version set aside to be compared with.
    Baseline,
    /// What serves the rest.
    Stable,
}

impl PodArm {
    const ALL: [Self; 3] = [Self::Candidate, Self::Baseline, Self::Stable];
}

/// One pod's increments of counters, and its gauges as they stand. The counts of an arm's pods sum to the arm's, except
/// for what no pod answered, and what pods answered that are gone.
///
/// Written as a list of whole numbers, since there are many of them: arm (0 candidate, 1 baseline, 2 stable), pod,
/// requests, errors, conversions, restarts, processor and memory use in thousandths, then the first latency bucket with a
/// request in it and the counts from there to the last one with any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodIncrements {
    /// Whose pod it is.
    pub arm: PodArm,
    /// Which one: its own within its arm and run.
    pub pod: u32,
    /// Requests answered, failed ones included.
    pub requests: u32,
    /// Requests that failed.
    pub errors: u32,
    /// Requests that ended in what the business wants.
    pub conversions: u32,
    /// Container restarts.
    pub restarts: u16,
    /// Processor use, thousandths of the limit.
    pub cpu_permille: u16,
    /// Memory use, thousandths of the limit.
    pub memory_permille: u16,
    /// Requests by response time, as in an arm.
    pub latency_buckets: [u32; LATENCY_BUCKETS],
}

/// Numbers before the buckets.
const HEAD: usize = 8;

impl Serialize for PodIncrements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let buckets = &self.latency_buckets;
        let first = buckets.iter().position(|&n| n > 0);
        let last = buckets.iter().rposition(|&n| n > 0);
        let filled = first.zip(last).map(|(first, last)| (first, &buckets[first..=last]));
        let length = HEAD + filled.map_or(0, |(_, counts)| 1 + counts.len());
        let mut list = serializer.serialize_seq(Some(length))?;
        let head: [u32; HEAD] = [
            self.arm as u32,
            self.pod,
            self.requests,
            self.errors,
            self.conversions,
            u32::from(self.restarts),
            u32::from(self.cpu_permille),
            u32::from(self.memory_permille),
        ];
        for number in &head {
            list.serialize_element(number)?;
        }
        if let Some((first, counts)) = filled {
            list.serialize_element(&(first as u32))?;
            for count in counts {
                list.serialize_element(count)?;
            }
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for PodIncrements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Numbers)
    }
}

struct Numbers;

impl<'de> Visitor<'de> for Numbers {
    type Value = PodIncrements;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pod: {HEAD} numbers, then latency buckets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PodIncrements, A::Error> {
        let mut head = [0_u32; HEAD];
        for (place, number) in head.iter_mut().enumerate() {
            *number = list.next_element()?.ok_or_else(|| A::Error::invalid_length(place, &self))?;
        }
        let [arm, pod, requests, errors, conversions, restarts, cpu, memory] = head;
        let small = |n: u32| u16::try_from(n).map_err(A::Error::custom);
        let arm = PodArm::ALL.get(arm as usize).copied();
        let mut read = PodIncrements {
            arm: arm.ok_or_else(|| A::Error::custom("a pod's arm is 0, 1 or 2"))?,
            pod,
            requests,
            errors,
            conversions,
            restarts: small(restarts)?,
            cpu_permille: small(cpu)?,
            memory_permille: small(memory)?,
            latency_buckets: [0; LATENCY_BUCKETS],
        };
        if let Some(first) = list.next_element::<u32>()? {
            let mut place = first as usize;
            while let Some(count) = list.next_element()? {
                let bucket = read.latency_buckets.get_mut(place);
                *bucket.ok_or_else(|| A::Error::custom("more latency buckets than there are"))? = count;
                place += 1;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(counts: &[(usize, u32)]) -> PodIncrements {
        let mut pod = PodIncrements {
            arm: PodArm::Stable,
            pod: 7,
            requests: 9,
            errors: 1,
            cpu_permille: 462,
            ..PodIncrements::default()
        };
        for &(bucket, n) in counts {
            pod.latency_buckets[bucket] = n;
        }
        pod
    }

    #[track_caller]
    fn check(pod: PodIncrements, text: &str) {
        assert_eq!(serde_json::to_string(&pod).expect("it can be written"), text);
        assert_eq!(serde_json::from_str::<PodIncrements>(text).expect("it can be read"), pod);
    }

    #[test]
    fn a_pod_is_a_short_list() {
        check(pod(&[(4, 2), (6, 7)]), "[2,7,9,1,0,0,462,0,4,2,0,7]");
        check(pod(&[]), "[2,7,9,1,0,0,462,0]");
        check(
            pod(&[(0, 1), (LATENCY_BUCKETS - 1, 1)]),
            &format!("[2,7,9,1,0,0,462,0,0,1{},1]", ",0".repeat(22)),
        );
    }

    #[test]
    fn what_is_no_pod_is_refused() {
        for text in [
            "[2,7,9,1,0,0,462]",
            "[3,7,9,1,0,0,462,0]",
            "[2,7,9,1,0,70000,462,0]",
            "[2,7,9,1,0,0,0,0,23,1,1]",
        ] {
            assert!(serde_json::from_str::<PodIncrements>(text).is_err(), "{text}");
        }
    }
}
