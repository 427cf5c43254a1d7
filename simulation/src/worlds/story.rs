//! The story of a world, in words. It is written only when a seed is examined.

use std::fmt::Write as _;

use crate::version::Version;

/// The world's start time, in milliseconds. The story counts from there.
pub(super) const BEGINNING: u64 = 1_700_000_000_000;

/// The lines of a story.
#[derive(Debug, Default)]
pub(super) struct Story(Option<Vec<String>>);

impl Story {
    /// Creates a story that is written, or one that is not.
    pub(super) fn new(is_told: bool) -> Self {
        Self(is_told.then(Vec::new))
    }

    /// Adds a line.
    pub(super) fn tell(&mut self, now: u64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            let since = now - BEGINNING;
            lines.push(format!("{:>7}.{:03}  {}", since / 1000, since % 1000, line()));
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }
}

/// Names a version so that it can be found in the story: its time, and the end of its random part.
pub(super) fn short(version: Version) -> String {
    let text = version.to_string();
    let mut name = format!("@{}", version.time().as_millis().saturating_sub(BEGINNING));
    // Writing to a string can't fail.
    let _ = write!(name, "-{}", &text[text.len() - 2..]);
    name
}
