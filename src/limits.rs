//! Limits of the platform that more than one module keeps to.

/// The most requests whose response heads an invocation of a Worker, or an object, may wait for at a time (Cloudflare,
/// "Workers limits: simultaneous open connections").
pub(crate) const OPEN_REQUESTS: usize = 6;
