//! Runs another program and ends it when this process's standard input closes, so that a program which does not look
//! after its parent (Prometheus) never outlives a recorder that was killed.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

/// How long a program may take to end by itself once its input is closed.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the program until it ends or nobody is there any more.
pub async fn run(program: &[String]) -> anyhow::Result<()> {
    let (name, arguments) = program.split_first().context("no program is named")?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    tokio::select! {
        ended = child.wait() => {
            let status = ended?;
            anyhow::ensure!(status.success(), "`{name}` ended with {status}");
        }
        () = crate::parent_gone() => {
            if let Some(id) = child.id() {
                // SIGTERM, so that it can write its files; by the system's own `kill`, for lack of a safe call.
                let _ = Command::new("kill").arg(id.to_string()).status().await;
            }
            if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                child.kill().await?;
            }
        }
    }
    Ok(())
}
