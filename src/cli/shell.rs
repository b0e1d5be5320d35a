//! `backspin completions` and `backspin man`: what shells and `man` want to know of the command line.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::diagnose::{Failure, environment, fault};
use super::exit::Code;

/// Prints the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin completions bash > ~/.local/share/bash-completion/completions/backspin\n  \
    backspin completions zsh > \"${fpath[1]}/_backspin\"\n  \
    backspin completions fish > ~/.config/fish/completions/backspin.fish")]
pub(super) struct CompletionsArgs {
    /// Of which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the manual page.
#[derive(Debug, Args)]
#[command(after_help = "Examples\n  \
    backspin man | man -l -\n  \
    backspin man --out ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write it, and one page per command, to this folder instead.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> Code {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "backspin", &mut text);
    print(&text);
    Code::Good
}

pub(super) fn man(args: &ManArgs) -> Result<Code, Failure> {
    match &args.out {
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(fault)?;
            print(&text);
        }
        Some(dir) => std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
            .with_context(|| format!("cannot write to `{}`", dir.display()))
            .map_err(|error| environment(error, "name another folder with --out"))?,
    }
    Ok(Code::Good)
}

/// A reader that has gone away is not an error.
fn print(text: &[u8]) {
    let _ = std::io::stdout().write_all(text);
}
