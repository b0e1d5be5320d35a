//! How far the fetching is, on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::backtest::fetch::Told;
use crate::cli::diagnose::note;

/// A bar on a terminal, a line now and then elsewhere.
#[derive(Default)]
pub(super) struct Bar {
    bar: Option<ProgressBar>,
}

impl Bar {
    /// Takes what is going on.
    pub(super) fn tell(&mut self, told: &Told) {
        match told {
            Told::Begins { needed, kept, damaged } => {
                note(&format!("{needed} pieces are needed, {kept} of them are kept already"));
                if *damaged > 0 {
                    note(&format!("{damaged} files were no whole pieces, and are fetched anew"));
                }
                self.bar = Some(bar((needed - kept) as u64));
            }
            Told::Kept(pieces) => {
                if let Some(bar) = &self.bar {
                    bar.inc(*pieces as u64);
                }
            }
            Told::Waits(time, why) => match &self.bar {
                Some(bar) if !bar.is_hidden() => bar.println(format!("waits {time}: {why}")),
                _ => note(&format!("waits {time}: {why}")),
            },
        }
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(length: u64) -> ProgressBar {
    use std::io::IsTerminal as _;
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} pieces, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
