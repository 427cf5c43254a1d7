//! The `Cache-Status` response header (RFC 9211) and the short form of it, `X-ISR-Status`.

use std::fmt;

use crate::reason::Reason;

/// The name under which this cache speaks of itself (RFC 9211 §2).
const CACHE_NAME: &str = "cloudflare-isr";

/// What became of a request: the value of `X-ISR-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Served from the cache, fresh.
    Hit,
    /// Served from the cache, stale, while it is revalidated or because the site fails.
    Stale,
    /// Rendered for this request, alone or together with others.
    Miss,
    /// Answered by the site; the answer is not one that is stored.
    Skip,
    /// Answered by the site because the visitor has a draft token.
    Bypass,
}

impl Outcome {
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

/// Why a request went on to the site (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache was told not to handle the request.
    Bypass,
    /// Nothing is stored under the request's key.
    UriMiss,
    /// Something is stored but may not be used without the site.
    Stale,
}

/// One member of `Cache-Status`, written by its `Display`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// `hit`: the response came from the cache without the site (RFC 9211 §2.1).
    pub hit: bool,
    /// `fwd` (RFC 9211 §2.2).
    pub fwd: Option<Forward>,
    /// `fwd-status`: what the site answered (RFC 9211 §2.3).
    pub fwd_status: Option<u16>,
    /// `ttl`: remaining freshness in seconds, negative when stale (RFC 9211 §2.4).
    pub ttl: Option<i64>,
    /// `stored`: the response was stored (RFC 9211 §2.5).
    pub stored: bool,
    /// `collapsed`: the request shared the render of another (RFC 9211 §2.6).
    pub collapsed: bool,
    /// `detail`: a word of this cache's own (RFC 9211 §2.8), of token characters.
    pub detail: Option<Detail>,
}

/// The value of `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A reason alone.
    Plain(Reason),
    /// L1 helped out after a failure: `l1-after-` and the reason.
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
    /// Describes a response from the cache, `ttl` seconds before (or, negative, after) the end of its freshness;
    /// `None` when it never ages.
    #[must_use]
    pub fn hit(ttl: Option<i64>) -> Self {
        Self { hit: true, ttl, ..Self::default() }
    }

    /// Describes a request that went on to the site.
    #[must_use]
    pub fn forwarded(fwd: Forward) -> Self {
        Self { fwd: Some(fwd), ..Self::default() }
    }

    /// Adds a reason.
    #[must_use]
    pub fn with_detail(self, reason: Option<Reason>) -> Self {
        Self { detail: reason.map(Detail::Plain), ..self }
    }

    /// Adds that L1 helped out after a failure.
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
