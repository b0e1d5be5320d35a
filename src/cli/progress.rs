//! Progress on stderr: a bar on a terminal, a line now and then elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How many lines a log gets in all.
const LINES: usize = 4;

/// Progress of one campaign. May be stepped from any thread.
pub(super) struct Progress {
    bar: ProgressBar,
    shown: bool,
    done: AtomicUsize,
    total: usize,
}

impl Progress {
    /// Says what is about to happen, at once.
    #[expect(clippy::print_stderr, reason = "progress goes to stderr")]
    pub(super) fn start(title: &str, total: usize) -> Self {
        use std::io::IsTerminal as _;
        eprintln!("playing {title}: {total} runs");
        let shown = std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {per_sec}, {eta} left") {
            bar.set_style(style);
        }
        Self { bar, shown, done: AtomicUsize::new(0), total }
    }

    /// One run is done.
    #[expect(clippy::print_stderr, reason = "progress goes to stderr")]
    pub(super) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.bar.set_position(done as u64);
        let quarter = done < self.total && done * LINES / self.total > (done - 1) * LINES / self.total;
        if !self.shown && quarter {
            eprintln!("{done} of {} runs", self.total);
        }
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The same, and says how fast it was.
    #[expect(clippy::print_stderr, reason = "progress goes to stderr")]
    pub(super) fn finish_with_rate(&self) {
        let done = self.done.load(Ordering::Relaxed);
        let seconds = self.bar.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        if seconds > 0.0 {
            eprintln!("{done} runs in {seconds:.1} s: {:.0} per second", done as f64 / seconds);
        }
    }
}
