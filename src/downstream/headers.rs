//! The headers for a downstream cache: how long it may store a page, and the tags that purge the page there.
//!
//! Every target of an invalidation is one tag, so that a purge by tag covers all kinds of targets, including paths,
//! prefixes and routes, for which the platform's own purges are missing or less precise. A page carries the tags of all
//! targets that may name it: its own, and at most 20 of ours.

use std::fmt::Write;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::invalidation::{PathPrefix, Target};
use crate::route::RouteId;
use crate::semantics::freshness::Windows;
use crate::semantics::tag::Tag;
use crate::time::Timestamp;

/// The header that only Cloudflare's caches read; it is consumed there.
pub const CONTROL_HEADER: &str = "cloudflare-cdn-cache-control";

/// The header with the tags; it is consumed there.
pub const TAG_HEADER: &str = "cache-tag";

/// Forbids a downstream cache to store a response. Without any header it would store one for up to two hours (Workers
/// Caching applies RFC 9111 §4.2.2 to a response without a lifetime).
pub const FORBIDDEN: &str = "no-store";

/// The tag of every page.
pub const EVERYTHING: &str = "isr:everything";

/// The prefix of this cache's own tags. A page's own tag with this prefix is sent hashed.
const OWN: &str = "isr:";

/// The longest tag that is sent unchanged; longer ones are hashed. It bounds the header.
const MAX_PLAIN_BYTES: usize = 128;

/// The longest lifetime that is sent, and the longest stale time after it: they limit the harm of a purge that never
/// arrives.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the headers of a response may be reused: see `edge::entry::hit`.
const REUSED: Duration = Duration::from_secs(1);

/// Returns the value of [`CONTROL_HEADER`] for a page that is fresh at `now`: the rest of its freshness lifetime and
/// stale window, in whole seconds, at most a day each. Below one second it is [`FORBIDDEN`].
///
/// The lifetime is `max-age` and never `s-maxage`, which disables stale responses there. `stale-if-error` is always
/// sent: without it a stale page replaces errors without end.
#[must_use]
pub fn control(windows: &Windows, now: Timestamp) -> String {
    let left = |end: Option<Timestamp>, from: Timestamp| end.map_or(LONGEST, |end| end.since(from)).min(LONGEST);
    let fresh = left(windows.fresh_until, now.plus(REUSED)).as_secs();
    if fresh == 0 {
        return FORBIDDEN.to_owned();
    }
    let from = now.plus(REUSED).plus(Duration::from_secs(fresh));
    let stale = left(windows.stale_until, from).as_secs();
    let error = left(windows.error_until, from).as_secs();
    format!("max-age={fresh}, stale-while-revalidate={stale}, stale-if-error={error}")
}

/// The most tags and the most bytes of [`TAG_HEADER`] (platform limits).
const MAX_TAGS: usize = 1000;
const MAX_BYTES: usize = 16 * 1024;

/// Returns the value of [`TAG_HEADER`] for a page: the tags of all targets that may name it. `None` if they do not fit, or
/// if the page carries every tag: then no purge could be relied on.
#[must_use]
pub fn tags(tags: &[Tag], path: &str, route: &RouteId) -> Option<String> {
    if tags.iter().any(Tag::is_every) {
        return None;
    }
    let mut value = String::from(EVERYTHING);
    let prefixes = PathPrefix::all_of(path).map(|prefix| hashed("prefix", prefix));
    let own = [hashed("path", path), hashed("route", route.as_str())];
    for tag in own.into_iter().chain(prefixes).chain(tags.iter().map(plain)) {
        // Writing to a String can't fail.
        let _ = write!(value, ",{tag}");
    }
    let fits = value.len() <= MAX_BYTES && value.split(',').count() <= MAX_TAGS;
    fits.then_some(value)
}

/// Returns the tag of a target's pages.
#[must_use]
pub fn tag_of(target: &Target) -> String {
    match target {
        Target::Path(path) => hashed("path", path.as_str()),
        Target::Tag(tag) => plain(tag),
        Target::Prefix(prefix) => hashed("prefix", prefix.as_str()),
        Target::Route(route) => hashed("route", route.as_str()),
        Target::Everything => EVERYTHING.to_owned(),
    }
}

/// Returns a page's own tag in the form that is sent: unchanged, so that people can purge by it, unless it could be
/// mistaken for another. The platform ignores case, so `A` is purged with `a`.
fn plain(tag: &Tag) -> String {
    let text = tag.as_str();
    let is_ours = text.get(..OWN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN));
    let is_plain = text.len() <= MAX_PLAIN_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_ours || !is_plain { hashed("tag", text) } else { text.to_owned() }
}

/// Returns a tag of bounded length and a small alphabet for any name: the first half of its SHA-256 in hexadecimal
/// digits, which do not depend on case.
fn hashed(kind: &str, name: &str) -> String {
    let mut tag = format!("{OWN}{kind}:");
    for byte in &Sha256::digest(name.as_bytes())[..16] {
        // Writing to a String can't fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::key::CanonicalPath;
    use crate::semantics::tag::MAX_TAG_BYTES;

    fn windows(fresh: Option<u64>, stale: Option<u64>, error: Option<u64>) -> Windows {
        let time = |end: Option<u64>| end.map(Timestamp::from_millis);
        Windows { fresh_until: time(fresh), stale_until: time(stale), error_until: time(error) }
    }

    fn route() -> RouteId {
        RouteId::from_stored("/blog/*").unwrap()
    }

    fn is_carried(tag: &str, header: &str) -> bool {
        header.split(',').any(|carried| carried == tag)
    }

    #[test]
    fn the_windows_that_are_left_are_told_in_whole_seconds_and_up_to_a_day() {
        let now = Timestamp::from_millis(1_000_000);
        for (windows, expected) in [
            (
                windows(Some(1_061_900), Some(1_100_000), Some(1_090_000)),
                "max-age=60, stale-while-revalidate=39, stale-if-error=29",
            ),
            (
                windows(Some(1_002_000), Some(1_002_000), Some(1_002_000)),
                "max-age=1, stale-while-revalidate=0, stale-if-error=0",
            ),
            (windows(None, None, None), "max-age=86400, stale-while-revalidate=86400, stale-if-error=86400"),
            (windows(Some(1_001_999), None, None), "no-store"),
            (windows(Some(999), None, None), "no-store"),
        ] {
            assert_eq!(control(&windows, now), expected, "{windows:?}");
        }
    }

    #[test]
    fn a_page_carries_the_tag_of_each_scope_that_names_it_and_of_no_other() {
        let tag = |text: &str| Tag::parse(text).unwrap();
        let path = |text: &str| CanonicalPath::parse(text).unwrap();
        let prefix = |text: &str| Target::Prefix(path(text).try_into().unwrap());
        let long = "x".repeat(MAX_PLAIN_BYTES + 1);
        let carried = [tag("post:1"), tag("ISR:everything"), tag(&long)];
        let header = tags(&carried, "/blog/a", &route()).unwrap();
        for (target, is_named) in [
            (Target::Everything, true),
            (Target::Path(path("/blog/a")), true),
            (prefix("/"), true),
            (prefix("/blog"), true),
            (prefix("/blog/a"), true),
            (Target::Route(route()), true),
            (Target::Tag(tag("post:1")), true),
            (Target::Tag(tag("ISR:everything")), true),
            (Target::Tag(tag(&long)), true),
            (Target::Path(path("/blog")), false),
            (prefix("/blo"), false),
            (Target::Route(RouteId::from_stored("/blog/a").unwrap()), false),
            (Target::Tag(tag("post:2")), false),
            (Target::Tag(tag("isr:everything")), false),
            (Target::Tag(tag("x")), false),
        ] {
            assert_eq!(is_carried(&tag_of(&target), &header), is_named, "{target:?}");
        }
        assert_eq!(tag_of(&Target::Tag(tag("post:1"))), "post:1");
        assert_eq!(tag_of(&Target::Path(path("/"))), "isr:path:8a5edab282632443219e051e4ade2d1d");
    }

    #[test]
    fn the_header_keeps_within_the_limits_of_the_platform() {
        let deep = "/a".repeat(100);
        for (number, length, fits) in [
            (64, MAX_PLAIN_BYTES, true),
            (64, MAX_TAG_BYTES, true),
            (900, 4, true),
            (1000, 4, false),
            (400, 100, false),
        ] {
            let many: Vec<Tag> = (0..number).map(|n| Tag::parse(&format!("{n:0length$}")).unwrap()).collect();
            let header = tags(&many, &deep, &route());
            assert_eq!(header.is_some(), fits, "{number} {length}");
            let Some(header) = header else { continue };
            assert!(header.len() <= MAX_BYTES, "{} bytes", header.len());
            assert!(header.bytes().all(|byte| byte.is_ascii_graphic()));
            assert_eq!(header.split(',').count(), number + 3 + PathPrefix::MAX_SEGMENTS + 1);
        }
        assert_eq!(tags(&[Tag::every()], "/", &route()), None);
        let foreign = tags(&["_N_T_/товары", "a b"].map(|text| Tag::parse(text).unwrap()), "/", &route()).unwrap();
        assert!(foreign.is_ascii() && !foreign.contains(' '), "{foreign}");
    }
}
