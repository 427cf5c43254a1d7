//! Parses `Cache-Control` and its targeted form.

use std::time::Duration;

use sfv::{BareItem, Dictionary, ListEntry, Parser};

/// The largest delta-seconds: a greater value counts as this one (RFC 9111 §1.2.2).
pub const MAX_DELTA_SECONDS: u64 = 1 << 31;

/// The response directives that a shared cache acts on (RFC 9111 §5.2.2, RFC 5861 §3 and §4).
///
/// An unreadable directive gets its most restrictive meaning: a lifetime with an invalid value is a lifetime of 0,
/// which counts as stale (RFC 9111 §4.2.1), and a `private` with any argument is a `private`.
#[allow(clippy::struct_excessive_bools, reason = "each is a directive that is there or not")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `no-store`: nothing of the response may be stored (RFC 9111 §5.2.2.5).
    pub no_store: bool,
    /// `must-understand`: a cache that knows the requirements of the status stores in spite of `no-store` (RFC 9111
    /// §5.2.2.3).
    pub must_understand: bool,
    /// `private`, also with field names: a shared cache must not store it (RFC 9111 §5.2.2.7).
    pub private: bool,
    /// `no-cache`, also with field names: not to be used without revalidation (RFC 9111 §5.2.2.4).
    pub no_cache: bool,
    /// `public`: may be stored also where the request had `Authorization` (RFC 9111 §5.2.2.9).
    pub public: bool,
    /// `must-revalidate`: not to be used stale (RFC 9111 §5.2.2.2).
    pub must_revalidate: bool,
    /// `proxy-revalidate`: the same for shared caches only (RFC 9111 §5.2.2.8).
    pub proxy_revalidate: bool,
    /// `s-maxage`: freshness lifetime in shared caches (RFC 9111 §5.2.2.10).
    pub s_maxage: Option<Duration>,
    /// `max-age`: freshness lifetime (RFC 9111 §5.2.2.1).
    pub max_age: Option<Duration>,
    /// `stale-while-revalidate`: how long past freshness a response may be served while it is revalidated. `None` also
    /// if it has no value, which is how frameworks write "for as long as the cache likes".
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error`: how long past freshness a response may be served in place of an error; `None` as above.
    pub stale_if_error: Option<Duration>,
}

impl CacheControl {
    /// Parses a value of `Cache-Control`. Names are case-insensitive; unknown directives are ignored (RFC 9111 §5.2.3).
    /// The first occurrence of a repeated directive counts (RFC 9111 §4.2.1).
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let mut found = DirectiveReader::default();
        for (name, argument) in directives(value) {
            let argument = match argument {
                Some(argument) => argument_seconds(argument).map_or(Argument::Other, Argument::Seconds),
                None => Argument::None,
            };
            found.add(&name, argument);
        }
        found.0
    }

    /// Parses a value of a targeted field, which is a structured dictionary (RFC 9213 §2.1). `None` if it is malformed
    /// or empty: then it counts as absent.
    ///
    /// A value of another type than the directive's does not count (§2.1): `max-age="60"` and `max-age=1.5` are
    /// lifetimes of 0, and `private=?0` has no effect.
    #[must_use]
    pub fn parse_targeted(value: &str) -> Option<Self> {
        let members: Dictionary = Parser::new(value).parse().ok().filter(|members: &Dictionary| !members.is_empty())?;
        let mut found = DirectiveReader::default();
        for (name, member) in &members {
            let argument = match member {
                ListEntry::Item(item) => match &item.bare_item {
                    BareItem::Boolean(true) => Argument::None,
                    BareItem::Boolean(false) => continue,
                    BareItem::Integer(number) => u64::try_from(i64::from(*number)).map_or(Argument::Other, |seconds| {
                        Argument::Seconds(Duration::from_secs(seconds.min(MAX_DELTA_SECONDS)))
                    }),
                    _ => Argument::Other,
                },
                ListEntry::InnerList(_) => Argument::Other,
            };
            found.add(name.as_str(), argument);
        }
        Some(found.0)
    }

    /// Returns whether the directives forbid storing for a shared cache that never revalidates what it has stored.
    ///
    /// `must-understand` outweighs `no-store`, because this cache stores only statuses that it knows (RFC 9111
    /// §5.2.2.3). With field names, `private` and `no-cache` concern only those fields, and a cache may treat them like
    /// the plain form (§5.2.2.4 and §5.2.2.7), as this one does.
    #[must_use]
    pub fn forbids_storing(&self) -> bool {
        (self.no_store && !self.must_understand) || self.private || self.no_cache
    }

    /// Returns whether the response to a request with `Authorization` may be stored (RFC 9111 §3.5).
    #[must_use]
    pub fn allows_authorized(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }
}

/// The part after the name of a directive.
#[derive(Clone, Copy)]
enum Argument {
    None,
    Seconds(Duration),
    Other,
}

/// The directives so far. For a lifetime, also whether its first occurrence has been seen, whatever its value.
#[derive(Default)]
struct DirectiveReader(CacheControl, [bool; 4]);

impl DirectiveReader {
    fn add(&mut self, name: &str, argument: Argument) {
        let Self(found, [has_s_maxage, has_max_age, has_swr, has_sie]) = self;
        // Without a value, a lifetime is invalid, and a stale window is not set.
        let lifetime = match argument {
            Argument::Seconds(seconds) => Some(seconds),
            Argument::None | Argument::Other => Some(Duration::ZERO),
        };
        let window = if matches!(argument, Argument::None) { None } else { lifetime };
        let first = |seen: &mut bool, place: &mut Option<Duration>, value| {
            if !std::mem::replace(seen, true) {
                *place = value;
            }
        };
        match name {
            "no-store" => found.no_store = true,
            "must-understand" => found.must_understand = true,
            "private" => found.private = true,
            "no-cache" => found.no_cache = true,
            "public" => found.public = true,
            "must-revalidate" => found.must_revalidate = true,
            "proxy-revalidate" => found.proxy_revalidate = true,
            "s-maxage" => first(has_s_maxage, &mut found.s_maxage, lifetime),
            "max-age" => first(has_max_age, &mut found.max_age, lifetime),
            "stale-while-revalidate" => first(has_swr, &mut found.stale_while_revalidate, window),
            "stale-if-error" => first(has_sie, &mut found.stale_if_error, window),
            _ => {}
        }
    }
}

/// Splits a value of `Cache-Control` into directives: names in lower case, and arguments as they are written.
pub(super) fn directives(value: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    const OWS: [char; 2] = [' ', '\t'];
    split_outside_quotes(value).map(|directive| match directive.split_once('=') {
        Some((name, argument)) => (name.trim_matches(OWS).to_ascii_lowercase(), Some(argument.trim_matches(OWS))),
        None => (directive.to_ascii_lowercase(), None),
    })
}

/// Parses delta-seconds: digits only, also as a quoted string, since recipients ought to accept both (RFC 9111 §5.2).
pub(super) fn argument_seconds(argument: &str) -> Option<Duration> {
    let digits = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(argument);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Parsing digits can only fail by overflow.
    Some(Duration::from_secs(digits.parse().unwrap_or(MAX_DELTA_SECONDS).min(MAX_DELTA_SECONDS)))
}

/// Splits a list at commas outside of quoted strings, and trims each member.
///
/// A quoted string follows `=` and ends its member (RFC 9111 §5.2). Other quotes, and one that is never closed, quote
/// nothing: they must not hide a directive that forbids storing.
fn split_outside_quotes(value: &str) -> impl Iterator<Item = &str> {
    let mut commas = Vec::new();
    // Within a quoted string: the number of commas before it.
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

    fn none() -> CacheControl {
        CacheControl::default()
    }

    fn lives(n: u64) -> CacheControl {
        CacheControl { s_maxage: seconds(n), ..none() }
    }

    fn is_private() -> CacheControl {
        CacheControl { private: true, ..none() }
    }

    #[test]
    fn directives_are_read_as_the_rfc_says() {
        for (value, section, expected) in [
            ("", "", none()),
            (",, ,", "", none()),
            ("foo=bar, immutable, no-transform", "5.2.3", none()),
            ("max-age=5", "5.2.2.1", CacheControl { max_age: seconds(5), ..none() }),
            ("must-revalidate", "5.2.2.2", CacheControl { must_revalidate: true, ..none() }),
            ("must-understand, no-store", "5.2.2.3", CacheControl { must_understand: true, no_store: true, ..none() }),
            ("no-cache", "5.2.2.4", CacheControl { no_cache: true, ..none() }),
            ("no-cache=\"set-cookie, x\"", "5.2.2.4", CacheControl { no_cache: true, ..none() }),
            ("No-Store", "5.2.2.5", CacheControl { no_store: true, ..none() }),
            ("private", "5.2.2.7", is_private()),
            ("private=\"set-cookie, x\"", "5.2.2.7", is_private()),
            ("private=", "5.2.2.7", is_private()),
            ("proxy-revalidate", "5.2.2.8", CacheControl { proxy_revalidate: true, ..none() }),
            ("PUBLIC", "5.2.2.9", CacheControl { public: true, ..none() }),
            ("s-maxage=30, max-age = 5", "5.2.2.10", CacheControl { max_age: seconds(5), ..lives(30) }),
            ("s-maxage=\"30\"", "5.2", lives(30)),
            ("s-maxage=99999999999999999999999", "1.2.2", lives(MAX_DELTA_SECONDS)),
            ("s-maxage=1, s-maxage=2", "4.2.1, the first counts", lives(1)),
            ("s-maxage=x, s-maxage=2", "4.2.1, the first counts", lives(0)),
            ("s-maxage=-1", "4.2.1, invalid is stale", lives(0)),
            ("s-maxage=1.5", "4.2.1, invalid is stale", lives(0)),
            ("s-maxage=+1", "4.2.1, invalid is stale", lives(0)),
            ("s-maxage", "4.2.1, invalid is stale", lives(0)),
            ("s-maxage=", "4.2.1, invalid is stale", lives(0)),
            ("max-age=soon", "4.2.1, invalid is stale", CacheControl { max_age: seconds(0), ..none() }),
            (
                "stale-while-revalidate=10, stale-if-error=20",
                "5861 3, 4",
                CacheControl { stale_while_revalidate: seconds(10), stale_if_error: seconds(20), ..none() },
            ),
            ("s-maxage=9, stale-while-revalidate", "no value: no bound", lives(9)),
            (
                "stale-while-revalidate=x, stale-if-error=-1",
                "invalid: nothing is allowed",
                CacheControl { stale_while_revalidate: seconds(0), stale_if_error: seconds(0), ..none() },
            ),
            ("x=\"a, no-store\"", "5.2, quoted", none()),
            ("x=\"a\\\", no-store\", private", "5.2, quoted", is_private()),
            ("x=\"a\" , y=\"b, private\"", "5.2, quoted", none()),
            ("x=\"a, private=\"b\"", "not quoted", is_private()),
            ("a\"b, private, c\"", "not quoted", is_private()),
            ("x=\"a, private", "not closed", is_private()),
            ("x=\"a\", y=\"b\\, private", "not closed", is_private()),
        ] {
            assert_eq!(CacheControl::parse(value), expected, "{value:?} ({section})");
        }
    }

    #[test]
    fn a_targeted_field_is_a_structured_dictionary() {
        for (value, expected) in [
            ("max-age=60", Some(CacheControl { max_age: seconds(60), ..none() })),
            ("s-maxage=60;x=1, foo, bar=?0", Some(lives(60))),
            ("no-store, private=?0", Some(CacheControl { no_store: true, ..none() })),
            ("private=\"x\"", Some(is_private())),
            ("private=(a b)", Some(is_private())),
            // RFC 9651 §3.2: the last occurrence of a repeated key counts.
            ("s-maxage=1, s-maxage=2", Some(lives(2))),
            // RFC 9213 §2.1: a value of another type is not consumed.
            ("s-maxage=\"60\"", Some(lives(0))),
            ("s-maxage=60.5", Some(lives(0))),
            ("s-maxage=-60", Some(lives(0))),
            ("s-maxage", Some(lives(0))),
            ("s-maxage=999999999999999", Some(lives(MAX_DELTA_SECONDS))),
            // RFC 9213 §2.1: an empty or malformed field counts as absent.
            ("", None),
            ("s-maxage=9999999999999999", None),
            ("No-Store", None),
            ("max-age = 60", None),
            ("max-age=60,", None),
            ("private=\"x", None),
            ("max-age=60, ü", None),
        ] {
            assert_eq!(CacheControl::parse_targeted(value), expected, "{value:?}");
        }
    }
}
