//! The origin: its content and its failures.

use std::time::Duration;

use super::random::Random;
use super::weather::Weather;
use crate::coordinator::PageContent;
use crate::semantics::digest::Digest;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::storable::{NotStored, OriginFailure};
use crate::time::Timestamp;

/// The longest duration of a slow render, in milliseconds. The lease has expired by then.
const SLOWEST: u64 = 45_000;

/// The content of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// The number of invalidations before its render began.
    pub(super) shows: u64,
    /// Its bytes, as far as they differ from those of other versions of the page.
    pub(super) bytes: u64,
}

impl PageContent for Body {
    fn header_bytes(&self) -> u64 {
        0
    }
}

/// The origin's state.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// The number of invalidations so far. A render that begins now is newer than those.
    pub(super) edits: u64,
    /// How often the content of `/a`, `/a/b` and `/c` has really changed.
    edited: [u64; 3],
    /// The end of its outage.
    bad_until: u64,
}

/// The planned result of a render that begins now.
#[derive(Clone, Copy, Debug)]
pub(super) struct RenderPlan {
    pub(super) body: Body,
    /// The time until the response begins to arrive, if it may be stored and does not arrive at once.
    pub(super) head: Option<u64>,
    /// The duration of the render.
    pub(super) takes: u64,
    pub(super) end: End,
}

/// How a render ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Page,
    NotStored(NotStored),
    /// The origin confirms another version than the stored one.
    Mismatched,
    /// Other pages use the memory for bodies.
    NoRoom,
    Fails(OriginFailure),
}

impl Origin {
    /// Begins an outage, in which nearly every render fails.
    pub(super) fn go_bad(&mut self, until: u64) {
        self.bad_until = until;
    }

    /// Edits content that is to be invalidated. Some edits change nothing, because clients also invalidate unchanged
    /// pages.
    pub(super) fn edit(&mut self, random: &mut Random) {
        self.edits += 1;
        let drawn = random.next();
        for (index, edited) in self.edited.iter_mut().enumerate() {
            *edited += (drawn >> index) & 1;
        }
    }

    /// Plans the result of a render.
    pub(super) fn render(&self, path: &str, now: u64, weather: &Weather, random: &mut Random) -> RenderPlan {
        let is_bad = now < self.bad_until && !random.one_in(20);
        let end = if is_bad || random.one_in(weather.origin_fails) {
            End::Fails(random.pick(&[OriginFailure::Status(500), OriginFailure::Broken, OriginFailure::Empty]))
        } else if random.one_in(weather.uncacheable) {
            End::NotStored(random.pick(&[NotStored::CacheControl, NotStored::TooLarge]))
        } else {
            End::Page
        };
        let most = if random.one_in(weather.slow) { SLOWEST } else { weather.render_time };
        let takes = random.below(most);
        let (begins, at) = (random.one_in(2), random.below(takes + 1));
        let head = match end {
            End::Page | End::Fails(OriginFailure::Broken | OriginFailure::Timeout) => begins,
            End::NotStored(reason) => reason == NotStored::TooLarge,
            End::Fails(_) | End::Mismatched | End::NoRoom => false,
        };
        let body = Body { shows: self.edits, bytes: self.edited[number(path)] };
        RenderPlan { body, head: head.then_some(at), takes, end }
    }

    /// Returns the numbers of a page's tags, which may change with an edit.
    pub(super) fn tags(path: &str, body: Body) -> Vec<usize> {
        let carries = [true, path != "/a", path == "/c" && body.bytes % 2 == 1];
        (0..carries.len()).filter(|tag| carries[*tag]).collect()
    }

    /// Returns the freshness lifetime and stale window of a page, by path.
    pub(super) fn windows(path: &str, start: Timestamp) -> Windows {
        let seconds = Duration::from_secs;
        let (revalidate, expire) = match path {
            "/a" => (Revalidate::After(seconds(15)), seconds(600)),
            "/a/b" => (Revalidate::Never, seconds(60)),
            _ => (Revalidate::After(seconds(30)), seconds(5)),
        };
        Windows::new(start, revalidate, expire, seconds(90)).expect("these pages are stored")
    }

    /// Returns the digest of a page's content.
    pub(super) fn digest(path: &str, body: Body) -> Digest {
        let text = format!("{:016x}{:016x}", number(path), body.bytes);
        Digest::parse(&text).expect("32 hexadecimal digits")
    }
}

fn number(path: &str) -> usize {
    match path {
        "/a" => 0,
        "/a/b" => 1,
        _ => 2,
    }
}
