//! Limits of the platform that more than one module keeps to.

/// The most requests whose response heads an invocation of a Worker, or an object, may wait for at a time (Cloudflare,
/// "Workers limits: simultaneous open connections").
#[cfg_attr(not(feature = "worker"), allow(dead_code, reason = "only the rim makes requests"))]
pub(crate) const OPEN_REQUESTS: usize = 6;
