//! The `backspin` binary: parses arguments, calls the library, turns the result into an exit code.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    backspin::cli::run(backspin::cli::Cli::parse()).into()
}
