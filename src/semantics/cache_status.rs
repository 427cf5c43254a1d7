//! The `Cache-Status` response header (RFC 9211) and its short form, `X-ISR-Status`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// The name of this cache in the header (RFC 9211 §2).
const CACHE_NAME: &str = "cloudflare-isr";

/// The outcome of a request: the value of `X-ISR-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CacheOutcome {
    /// Served from the cache, fresh.
    Hit,
    /// Served from the cache, stale, while it is revalidated or because the origin fails.
    Stale,
    /// Rendered for this request, alone or together with others.
    Miss,
    /// Answered by the origin; the response is not stored.
    Skip,
    /// Answered by the origin because the client has a draft token.
    Bypass,
}

impl CacheOutcome {
    /// Returns the value of `X-ISR-Status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Stale => "STALE",
            Self::Miss => "MISS",
            Self::Skip => "SKIP",
            Self::Bypass => "BYPASS",
        }
    }
}

/// Why a request was forwarded to the origin (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache was configured not to handle the request.
    Bypass,
    /// Nothing is stored under the request's key.
    UriMiss,
    /// Something is stored, but not for requests with these headers.
    VaryMiss,
    /// Something is stored but may not be used without the origin.
    Stale,
}

/// One member of `Cache-Status`, written by its `Display`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// `hit`: the response came from the cache without the origin (RFC 9211 §2.1).
    pub hit: bool,
    /// `fwd` (RFC 9211 §2.2).
    pub fwd: Option<Forward>,
    /// `fwd-status`: the origin's status (RFC 9211 §2.3).
    pub fwd_status: Option<u16>,
    /// `ttl`: remaining freshness in seconds, negative when stale (RFC 9211 §2.4).
    pub ttl: Option<i64>,
    /// `stored`: the response was stored (RFC 9211 §2.5).
    pub stored: bool,
    /// `collapsed`: the request shared the render of another (RFC 9211 §2.6).
    pub collapsed: bool,
    /// `detail`: this cache's reason (RFC 9211 §2.8), in token characters.
    pub detail: Option<Detail>,
}

/// The value of `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A reason alone.
    Plain(Reason),
    /// L1 had a page after a failure: `l1-after-` and the reason.
    L1After(Reason),
}

impl Detail {
    /// Returns the reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Plain(reason) | Self::L1After(reason) => reason,
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(reason) => write!(f, "{reason}"),
            Self::L1After(reason) => write!(f, "l1-after-{reason}"),
        }
    }
}

impl CacheStatus {
    /// Describes a response from the cache, `ttl` seconds before (or, negative, after) the end of its freshness; `None`
    /// when it never expires.
    #[must_use]
    pub fn hit(ttl: Option<i64>) -> Self {
        Self { hit: true, ttl, ..Self::default() }
    }

    /// Describes a request that was forwarded to the origin.
    #[must_use]
    pub fn forwarded(fwd: Forward) -> Self {
        Self { fwd: Some(fwd), ..Self::default() }
    }

    /// Adds a reason.
    #[must_use]
    pub fn with_detail(self, reason: Option<Reason>) -> Self {
        Self { detail: reason.map(Detail::Plain), ..self }
    }

    /// Adds that L1 had a page after a failure.
    #[must_use]
    pub fn with_l1_after(self, failure: Reason) -> Self {
        Self { detail: Some(Detail::L1After(failure)), ..self }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CACHE_NAME)?;
        if self.hit {
            f.write_str("; hit")?;
        }
        if let Some(fwd) = self.fwd {
            let reason = match fwd {
                Forward::Bypass => "bypass",
                Forward::UriMiss => "uri-miss",
                Forward::VaryMiss => "vary-miss",
                Forward::Stale => "stale",
            };
            write!(f, "; fwd={reason}")?;
        }
        if let Some(status) = self.fwd_status {
            write!(f, "; fwd-status={status}")?;
        }
        if let Some(ttl) = self.ttl {
            write!(f, "; ttl={ttl}")?;
        }
        if self.stored {
            f.write_str("; stored")?;
        }
        if self.collapsed {
            f.write_str("; collapsed")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "; detail={detail}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_structured_fields() {
        for (status, text) in [
            (CacheStatus::hit(Some(30)), "cloudflare-isr; hit; ttl=30"),
            (CacheStatus::hit(None), "cloudflare-isr; hit"),
            (
                CacheStatus::hit(Some(-4)).with_detail(Some(Reason::Backoff)),
                "cloudflare-isr; hit; ttl=-4; detail=backoff",
            ),
            (
                CacheStatus::hit(None).with_l1_after(Reason::QueueFull),
                "cloudflare-isr; hit; detail=l1-after-queue-full",
            ),
            (
                CacheStatus {
                    fwd_status: Some(200),
                    stored: true,
                    collapsed: true,
                    ..CacheStatus::forwarded(Forward::UriMiss)
                },
                "cloudflare-isr; fwd=uri-miss; fwd-status=200; stored; collapsed",
            ),
            (CacheStatus::forwarded(Forward::Bypass), "cloudflare-isr; fwd=bypass"),
        ] {
            assert_eq!(status.to_string(), text);
        }
    }
}
