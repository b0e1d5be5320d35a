//! Progress on stderr: a bar on a terminal, a line now and then elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How many lines a log gets in all.
const LINES: usize = 4;

/// Progress of one campaign. May be stepped from any thread.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    done: AtomicUsize,
    total: usize,
}

impl Progress {
    /// Says what is about to happen, at once.
    #[expect(clippy::print_stderr, reason = "progress goes to stderr")]
    pub(super) fn start(title: &str, total: usize) -> Self {
        use std::io::IsTerminal as _;
        eprintln!("playing {title}: {total} runs");
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {per_sec}, {eta} left")
            {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, done: AtomicUsize::new(0), total }
    }

    /// One run is done.
    #[expect(clippy::print_stderr, reason = "progress goes to stderr")]
    pub(super) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.bar {
            Some(bar) => bar.set_position(done as u64),
            None if done < self.total && done * LINES / self.total > (done - 1) * LINES / self.total => {
                eprintln!("{done} of {} runs", self.total);
            }
            None => {}
        }
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
