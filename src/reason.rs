//! The reasons of the cache's decisions: the `detail` of `Cache-Status`.
//!
//! A reason travels by its name from the coordinator's decision to the response header. Each one is declared once, in
//! the list below; the table in `docs/cache-status.md` is generated from it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// Declares the reasons, kind by kind: variant, name, description.
macro_rules! reasons {
    ($($kind:ident { $($variant:ident, $name:literal, $description:literal;)+ })+) => {
        /// The reason of a decision of the cache.
        ///
        /// It is serialized by [name](Self::name). A peer may run another version while a deployment is rolled out: an
        /// unknown name is read as [`Reason::Unknown`], so that the message stays readable.
        ///
        /// ```
        /// use cloudflare_isr::{Lookup, Reason};
        ///
        /// fn is_overloaded(lookup: &Lookup) -> bool {
        ///     matches!(lookup, Lookup::Skip { reason: Some(Reason::QueueFull | Reason::WaitersFull) })
        /// }
        ///
        /// assert_eq!(Reason::QueueFull.name(), "queue-full");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(
                #[doc = concat!("`", $name, "`: ", $description)]
                $variant,
            )+)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &[Self] = &[$($(Self::$variant),+),+];

            /// Returns the name for messages and `Cache-Status`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$variant => $name,)+)+
                }
            }

            /// Returns the description, as Markdown of one line.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $($(Self::$variant => $description,)+)+
                }
            }

            /// Returns what the reason explains.
            #[must_use]
            #[doc(hidden)]
            pub const fn kind(self) -> ReasonKind {
                match self {
                    $($(Self::$variant)|+ => ReasonKind::$kind,)+
                }
            }
        }
    };
}

reasons! {
    Source {
        Memory, "memory", "The page comes from the memory of this isolate.";
        L2, "l2", "The page comes from L2: KV or R2.";
        Coordinator, "coordinator",
            "The page comes from the coordinator: it was rendered for another colo, and KV does not show it yet.";
    }
    Staleness {
        Aged, "aged", "The page's freshness lifetime is over.";
    }
    Doubt {
        FeedUnavailable, "feed-unavailable",
            "The page is fresh by its own times, but the edge could not get the latest invalidations.";
    }
    Failure {
        Invalidated, "invalidated",
            "The page is invalidated, and may be served stale. SKIP: it was invalidated during each render.";
        OriginError, "site-error",
            "The origin has just failed. STALE: the last good copy. SKIP: the origin's own answer.";
        RenderTimeout, "render-timeout", "The render reported nothing within its time limit.";
        Backoff, "backoff",
            "Renders of this page have failed, and its back-off has not ended. STALE: the last good copy. \
             SKIP: the origin's last answer, or a 503.";
        Breaker, "breaker",
            "Renders of many pages of the route fail: its circuit breaker is open. STALE: the last good copy. \
             SKIP: the origin's own answer, within a budget of requests per second; otherwise a 503.";
        QueueFull, "queue-full", "Too many renders wait in the coordinator.";
        QueueTimeout, "queue-timeout", "The render could not begin within 10 s.";
        NoRoom, "no-room",
            "The coordinator has no memory left for the body of this render, because of other pages. It is tried again.";
        WaitersFull, "waiters-full", "Too many requests wait at the coordinator.";
        PagesFull, "pages-full", "The coordinator has as many pages as `max_pages` allows, and this one was not requested before, or not more than they.";
        Timeout, "timeout", "The render did not end while the coordinator waited for it.";
        Lost, "lost", "The coordinator restarted during the render, or the render's body can't be joined any more.";
        Moved, "moved", "Another coordinator owns the page now.";
        Unreadable, "unreadable", "The page is in L2, but L2 can't be read.";
        TagIndex, "tag-index", "The page's tags could not be registered. The page is served, but not stored.";
        Unpublished, "unpublished", "A render could not be published. The next one begins within a second.";
        CoordinatorUnreachable, "coordinator-unreachable", "The coordinator can't be reached, or threw an exception.";
        CoordinatorOverloaded, "coordinator-overloaded",
            "The platform does not let more requests through to the coordinator.";
        CoordinatorTimeout, "coordinator-timeout", "The coordinator did not answer within `miss_timeout`.";
        CoordinatorFailed, "coordinator-failed", "The coordinator answered with an error.";
        Misconfigured, "misconfigured",
            "The class of the coordinator has no SQLite: the response is a 500 that says what to change.";
        Unknown, "unknown", "The coordinator runs another version and gave a reason that this one does not know.";
    }
    Unstorable {
        NotStored, "not-stored", "The origin's last answer for this page could not be stored. An earlier version has not recorded why.";
        Status, "status", "The route does not store answers with this status.";
        Partial, "partial", "The answer has `Content-Range`: it may be only a part of the page.";
        CacheControl, "cache-control", "`Cache-Control`, or `CDN-Cache-Control` in its place, forbids it.";
        Authorization, "authorization",
            "The request has `Authorization`, and the answer does not say that it is for everybody. \
             A render never counts as such a request.";
        ContentEncoding, "content-encoding", "The body has a content coding other than `gzip` and `br`.";
        RevalidateZero, "revalidate-0",
            "The page asks for `revalidate = 0`, or states a lifetime that is 0 or can't be read.";
        Age, "age", "The answer comes from another cache, and its `Age` has reached its lifetime.";
        Vary, "vary",
            "The answer varies by a request header that is not part of the key, and the request has it; or by one that \
             each render sends, or by `*`.";
        MalformedHeader, "malformed-header", "A header has a name or a value that HTTP does not allow.";
        TooLarge, "too-large",
            "The body is over `max_body_bytes`, or the headers are over 100, over 16 KiB each or over 32 KiB together.";
        SetCookie, "set-cookie",
            "The answer sets a cookie, and nothing says that it is for everybody; or it has `Clear-Site-Data`.";
        BypassCookie, "bypass-cookie", "The request has a cookie that `bypass_cookies` lists.";
        EventStream, "event-stream", "The answer is a stream of events (`text/event-stream`).";
        RedirectToItself, "redirect-to-itself", "The answer redirects to the requested URL.";
        RequestDirective, "request-directive",
            "The request's `Cache-Control` does not accept the stored page. Only with `http = \"standard\"`.";
        Query, "query", "The URL has a query parameter that the route does not name.";
        UriTooLong, "uri-too-long", "The URL is too long for a key.";
        UriEncoding, "uri-encoding", "The URL contains an invalid percent-encoding.";
        Host, "host", "The host is not among `hosts`.";
    }
}

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonKind {
    /// Which tier other than L1 had the page.
    Source,
    /// Why a page is stale although nothing has failed.
    Staleness,
    /// Why a page that is fresh by its own times is served as stale.
    Doubt,
    /// Why no newer page is available. The client gets an older page if one may be served.
    Failure,
    /// Why the origin's answer is served without being stored.
    Unstorable,
}

impl Reason {
    /// Finds a reason by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }

    /// Returns whether another request of the same colo may be storing the page in L1 at this moment, so that it is
    /// worth waiting for.
    #[must_use]
    pub const fn may_be_in_l1_soon(self) -> bool {
        !matches!(
            self,
            Self::PagesFull
                | Self::Breaker
                | Self::Backoff
                | Self::OriginError
                | Self::RenderTimeout
                | Self::TagIndex
                | Self::Unpublished
                | Self::Misconfigured
        )
    }

    /// Returns whether the coordinator has given no answer at all.
    #[must_use]
    pub const fn is_silence(self) -> bool {
        matches!(
            self,
            Self::CoordinatorUnreachable
                | Self::CoordinatorOverloaded
                | Self::CoordinatorTimeout
                | Self::CoordinatorFailed
        )
    }

    /// Returns whether the request has already waited as long as it may, so that nothing else may delay it.
    #[must_use]
    pub const fn has_waited_in_full(self) -> bool {
        matches!(self, Self::CoordinatorTimeout | Self::QueueTimeout | Self::Timeout)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The name is requested as an owned string, because a CBOR reader can't borrow a long one.
        deserializer.deserialize_string(NameVisitor)
    }
}

/// Reads a name.
struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Reason;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a reason")
    }

    fn visit_str<E>(self, name: &str) -> Result<Reason, E> {
        Ok(Reason::parse(name).unwrap_or(Reason::Unknown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_tokens_and_are_found_again() {
        for reason in Reason::ALL {
            let name = reason.name();
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{name}"
            );
            assert_eq!(Reason::parse(name), Some(*reason), "{name}");
        }
        assert_eq!(Reason::parse(""), None);
    }

    #[test]
    fn a_reason_is_serialized_by_name_and_an_unknown_name_is_read_as_unknown() {
        let long = "x".repeat(100_000);
        for (name, reason) in [
            ("queue-full", Reason::QueueFull),
            ("of-a-later-version", Reason::Unknown),
            (long.as_str(), Reason::Unknown),
        ] {
            let (mut text, mut bytes) = (Vec::new(), Vec::new());
            ciborium::into_writer(name, &mut text).unwrap();
            assert_eq!(ciborium::from_reader::<Reason, _>(&text[..]).unwrap(), reason);
            ciborium::into_writer(&reason, &mut bytes).unwrap();
            assert_eq!(ciborium::from_reader::<String, _>(&bytes[..]).unwrap(), reason.name());
        }
        assert!(serde_json::from_str::<Reason>("7").is_err(), "a name is text");
    }
}
