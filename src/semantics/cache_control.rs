//! Reads `Cache-Control` and its targeted form.

use std::time::Duration;

/// The largest delta-seconds that is told apart: a greater one means this one (RFC 9111 §1.2.2).
const MAX_DELTA_SECONDS: u64 = 1 << 31;

/// The response directives that a shared cache acts on (RFC 9111 §5.2.2, RFC 5861 §3 and §4).
///
/// A directive with a value that can't be read is treated as its most restrictive reading where it forbids, and as
/// absent where it allows: `s-maxage=abc` allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `no-store`: nothing of the response may be stored.
    pub no_store: bool,
    /// `private`, also with field names: a shared cache must not store it.
    pub private: bool,
    /// `no-cache`, also with field names: not to be used without asking the site again.
    pub no_cache: bool,
    /// `s-maxage`: freshness lifetime in shared caches.
    pub s_maxage: Option<Duration>,
    /// `max-age`: freshness lifetime.
    pub max_age: Option<Duration>,
    /// `stale-while-revalidate`: how long past freshness a response may be served while it is revalidated.
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error`: how long past freshness a response may stand in for an error.
    pub stale_if_error: Option<Duration>,
}

impl CacheControl {
    /// Reads a header value. Names are case-insensitive; unknown directives are ignored (RFC 9111 §5.2.3). The first
    /// of a repeated directive counts (RFC 9111 §4.2.1).
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let mut found = Self::default();
        for directive in split_outside_quotes(value) {
            let (name, argument) = match directive.split_once('=') {
                Some((name, argument)) => (name.trim_matches([' ', '\t']), Some(argument.trim_matches([' ', '\t']))),
                None => (directive, None),
            };
            let seconds = || argument.and_then(delta_seconds);
            match name.to_ascii_lowercase().as_str() {
                "no-store" => found.no_store = true,
                "private" => found.private = true,
                "no-cache" => found.no_cache = true,
                "s-maxage" => found.s_maxage = found.s_maxage.or_else(seconds),
                "max-age" => found.max_age = found.max_age.or_else(seconds),
                "stale-while-revalidate" => {
                    found.stale_while_revalidate = found.stale_while_revalidate.or_else(seconds);
                }
                "stale-if-error" => found.stale_if_error = found.stale_if_error.or_else(seconds),
                _ => {}
            }
        }
        found
    }

    /// Tells whether a shared cache is forbidden to keep the response for reuse.
    #[must_use]
    pub fn forbids_storing(&self) -> bool {
        self.no_store || self.private || self.no_cache
    }
}

/// Reads delta-seconds: digits only, also as a quoted string, since recipients ought to accept both (RFC 9111 §5.2).
fn delta_seconds(argument: &str) -> Option<Duration> {
    let digits = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(argument);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Only an overflow is left as a reason to fail.
    Some(Duration::from_secs(digits.parse().unwrap_or(MAX_DELTA_SECONDS).min(MAX_DELTA_SECONDS)))
}

/// Splits a list at commas that stand outside of quoted strings, and trims each member.
///
/// A quoted string stands behind `=` and ends its member (RFC 9111 §5.2). Other quotes, and one that is never closed,
/// quote nothing: they must not hide what forbids to store.
fn split_outside_quotes(value: &str) -> impl Iterator<Item = &str> {
    let mut commas = Vec::new();
    // Within a quoted string: how many commas stand before it.
    let mut quoted_after = None;
    let mut escaped = false;
    for (at, byte) in value.bytes().enumerate() {
        let was_escaped = std::mem::take(&mut escaped);
        match (byte, quoted_after) {
            (b',', _) => commas.push(at),
            _ if was_escaped => {}
            (b'\\', Some(_)) => escaped = true,
            (b'"', Some(before)) => {
                let behind = value[at + 1..].trim_start_matches([' ', '\t']);
                if behind.is_empty() || behind.starts_with(',') {
                    commas.truncate(before);
                }
                quoted_after = None;
            }
            (b'"', None) if value[..at].ends_with('=') => quoted_after = Some(commas.len()),
            _ => {}
        }
    }
    let ends: Vec<usize> = commas.iter().copied().chain([value.len()]).collect();
    let starts = std::iter::once(0).chain(commas.into_iter().map(|comma| comma + 1));
    starts.zip(ends).map(|(start, end)| value[start..end].trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "it fills optional fields")]
    fn seconds(n: u64) -> Option<Duration> {
        Some(Duration::from_secs(n))
    }

    #[test]
    fn directives_are_read_as_the_rfc_says() {
        let none = CacheControl::default;
        for (value, expected) in [
            ("", none()),
            ("public, foo=bar", none()),
            ("No-Store", CacheControl { no_store: true, ..none() }),
            ("private=\"set-cookie, x\"", CacheControl { private: true, ..none() }),
            ("no-cache", CacheControl { no_cache: true, ..none() }),
            ("s-maxage=30, max-age = 5", CacheControl { s_maxage: seconds(30), max_age: seconds(5), ..none() }),
            ("s-maxage=\"30\"", CacheControl { s_maxage: seconds(30), ..none() }),
            ("s-maxage=1, s-maxage=2", CacheControl { s_maxage: seconds(1), ..none() }),
            ("s-maxage=-1", none()),
            ("s-maxage=1.5", none()),
            ("s-maxage", none()),
            ("s-maxage=99999999999999999999999", CacheControl { s_maxage: seconds(MAX_DELTA_SECONDS), ..none() }),
            ("x=\"a, no-store\"", none()),
            ("x=\"a\\\", no-store\", private", CacheControl { private: true, ..none() }),
            ("x=\"a\" , y=\"b, private\"", none()),
            ("x=\"a, private=\"b\"", CacheControl { private: true, ..none() }),
            ("a\"b, private, c\"", CacheControl { private: true, ..none() }),
            ("x=\"a, private", CacheControl { private: true, ..none() }),
            ("x=\"a\", y=\"b\\, private", CacheControl { private: true, ..none() }),
            (
                "stale-while-revalidate=10, stale-if-error=20",
                CacheControl { stale_while_revalidate: seconds(10), stale_if_error: seconds(20), ..none() },
            ),
        ] {
            assert_eq!(CacheControl::parse(value), expected, "{value:?}");
        }
    }
}
