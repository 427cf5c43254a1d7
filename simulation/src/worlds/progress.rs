//! Shows the progress of a run.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a line on a terminal is updated.
const EVERY: Duration = Duration::from_millis(200);

/// The width of a full bar, in characters.
const WIDTH: u64 = 30;

/// Counts completed work.
#[derive(Debug)]
pub struct Progress {
    /// The total amount of work, if a bar is shown.
    total: Option<u64>,
    done: AtomicU64,
    began: Instant,
    /// When a bar was last shown, in milliseconds since the start.
    shown: AtomicU64,
}

impl Progress {
    /// Creates a progress display: a bar on a terminal, otherwise one line per tenth.
    #[must_use]
    pub fn bar(total: u64) -> Self {
        Self { total: Some(total), ..Self::at_the_end() }
    }

    /// Creates a progress display that only prints a summary at the end.
    #[allow(clippy::disallowed_methods, reason = "how long a run takes has no influence on it")]
    #[must_use]
    pub fn at_the_end() -> Self {
        Self { total: None, done: AtomicU64::new(0), began: Instant::now(), shown: AtomicU64::new(0) }
    }

    /// Counts one more.
    pub(super) fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(total) = self.total else { return };
        let mut out = std::io::stderr();
        if !out.is_terminal() {
            if done.is_multiple_of((total / 10).max(1)) {
                eprintln!("{}", self.line(done, total));
            }
            return;
        }
        let (now, shown) = (millis(self.began.elapsed()), self.shown.load(Ordering::Relaxed));
        let is_due = now >= shown + millis(EVERY) || done == total;
        if is_due && self.shown.compare_exchange(shown, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // Without write access to the terminal, no bar appears.
            let _ = write!(out, "\r{}\x1b[K", self.line(done, total)).and_then(|()| out.flush());
        }
    }

    fn line(&self, done: u64, total: u64) -> String {
        let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH);
        let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
        let rate = self.rate(done);
        let left = (total - done).checked_div(rate).unwrap_or_default();
        format!("[{bar}] {done} of {total} schedules, {rate} a second, {left} s left")
    }

    fn rate(&self, done: u64) -> u64 {
        (done * 1000).checked_div(millis(self.began.elapsed())).unwrap_or_default()
    }

    /// Prints the amount of completed work and the elapsed time.
    pub(super) fn end(&self) {
        let done = self.done.load(Ordering::Relaxed);
        if self.total.is_some() && std::io::stderr().is_terminal() {
            eprintln!();
        }
        let seconds = millis(self.began.elapsed()).div_ceil(1000);
        println!("{done} schedules in {seconds} s, {} a second", self.rate(done));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
