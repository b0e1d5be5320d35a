//! Processes that were started, and their end.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::READY;

/// How long a program may take until it listens.
const START_MAX: Duration = Duration::from_mins(1);

/// How long it may take to end once its input is closed.
const END_MAX: Duration = Duration::from_secs(8);

/// A process of this program that listens somewhere. It ends with its owner: it is killed when this is dropped, and
/// ends by itself when its input closes.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts this program again with these arguments and waits until it says where it listens.
    pub async fn start(program: &std::path::Path, arguments: &[String]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))?;
        let output = child.stdout.take().context("its output was not piped")?;
        let mut lines = BufReader::new(output).lines();
        let first = tokio::time::timeout(START_MAX, lines.next_line())
            .await
            .context("it did not start in time")??;
        let Some(address) = first.as_deref().and_then(|line| line.strip_prefix(READY)) else {
            bail!("`{}` did not start: {first:?}", arguments.join(" "));
        };
        Ok(Self { child, address: address.trim().parse()? })
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Ends it and waits for its end.
    pub async fn end(mut self) -> anyhow::Result<()> {
        end(&mut self.child).await
    }
}

/// Closes a process's input, waits, and kills it if that was not enough.
pub(crate) async fn end(child: &mut Child) -> anyhow::Result<()> {
    drop(child.stdin.take());
    if tokio::time::timeout(END_MAX, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}
