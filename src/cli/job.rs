//! `backspin job`: the manifest of an Indexed Job of Kubernetes that plays a run in parts.

use clap::Args;

use super::diagnose::{Failure, fault};
use super::exit::Code;
use super::out;
use crate::campaign::shard::SHARDS_MAX;

/// Where the volume with the results stands in a worker.
const RESULTS: &str = "/results";

/// Prints the manifest of an Indexed Job: one worker per part, each part a file on a shared volume. Apply it, wait until it
/// is complete, then `backspin merge` the volume's folder. Parts whose workers failed for good are reported as unknown.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
    /// Into how many parts the run is divided: pods, in all. Aim at minutes per part.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SHARDS_MAX)))]
    shards: u32,
    /// An image with this binary as `backspin` on its path, and the files that the arguments name.
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// The claim of a volume that all workers may write to (`ReadWriteMany`), or of a mounted bucket.
    #[arg(long, value_name = "CLAIM")]
    claim: String,
    /// The Job's name.
    #[arg(long, default_value = "backspin-run", value_name = "NAME")]
    name: String,
    /// Pods at once.
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    parallelism: u32,
    /// Arguments of `backspin run`, after `--`: scenarios, seeds, policy, judges.
    #[arg(last = true, value_name = "ARG")]
    arguments: Vec<String>,
}

pub(super) fn run(args: &JobArgs) -> Result<Code, Failure> {
    let text = serde_saphyr::to_string(&manifest(args)).map_err(fault)?;
    out(text.trim_end());
    Ok(Code::Good)
}

/// A part that failed three times fails alone; what bad input failed is not tried again, and a pod that was moved away is
/// no failure. (`backoffLimitPerIndex` and pod failure policies: Kubernetes 1.33.)
fn manifest(args: &JobArgs) -> serde_json::Value {
    let mut command = vec!["backspin".to_owned(), "run".to_owned()];
    command.extend(args.arguments.iter().cloned());
    command.extend(["--jobs", "1", "--shard"].map(str::to_owned));
    command.push(format!("job/{}", args.shards));
    command.extend(["--out", RESULTS].map(str::to_owned));
    let mut spec = serde_json::json!({
        "completionMode": "Indexed",
        "completions": args.shards,
        "parallelism": args.parallelism.min(args.shards),
        "backoffLimitPerIndex": 3,
        "podFailurePolicy": { "rules": [
            { "action": "FailIndex", "onExitCodes": { "containerName": "run", "operator": "In", "values": [2] } },
            { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
        ] },
        "template": { "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "run",
                "image": args.image,
                "command": command,
                "resources": {
                    "requests": { "cpu": "1", "memory": "512Mi" },
                    "limits": { "memory": "2Gi" },
                },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
                "volumeMounts": [{ "name": "results", "mountPath": RESULTS }],
            }],
            "volumes": [{ "name": "results", "persistentVolumeClaim": { "claimName": args.claim } }],
        } },
    });
    // Above so many completions the API wants a limit of failures, and no higher one.
    spec["maxFailedIndexes"] = args.shards.min(10_000).into();
    serde_json::json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": args.name, "labels": { "app.kubernetes.io/name": "backspin" } },
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use k8s_openapi::api::batch::v1::Job;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: JobArgs,
    }

    /// The type knows every field of the API and drops all others, so what comes back whole has only fields of the API.
    #[test]
    fn the_manifest_is_a_job_of_the_api() {
        let line = "job --shards 40 --image backspin:1 --claim results -- --seeds 1000 --judge e_detector";
        let args = Alone::parse_from(line.split_whitespace()).args;
        let printed = serde_saphyr::to_string(&manifest(&args)).expect("it can be said in YAML");
        let told: serde_json::Value = serde_saphyr::from_str(&printed).expect("YAML");
        let job: Job = serde_json::from_value(told.clone()).expect("a Job");
        assert_eq!(serde_json::to_value(&job).expect("JSON"), told);
        let spec = job.spec.expect("a spec");
        assert_eq!((spec.completions, spec.parallelism), (Some(40), Some(16)));
        assert_eq!(spec.completion_mode.as_deref(), Some("Indexed"));
        let pod = spec.template.spec.expect("a pod");
        // What the API demands of an Indexed Job with a limit per index, and of a pod failure policy.
        assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
        let command = pod.containers[0].command.clone().expect("a command").join(" ");
        assert_eq!(
            command,
            "backspin run --seeds 1000 --judge e_detector --jobs 1 --shard job/40 --out /results"
        );
    }
}
