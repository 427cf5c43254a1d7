//! Limits of the platform that more than one module keeps to.

/// The most requests whose response heads an invocation of a Worker, or an object, may wait for at a time (Cloudflare,
/// "Workers limits: simultaneous open connections").
pub(crate) const OPEN_REQUESTS: usize = 6;

/// How many of them the renders of an object may take. The others are left to L2, so that the platform keeps no request
/// waiting that the code believes to be sent.
pub(crate) const OPEN_RENDERS: usize = 4;

/// The most subrequests of one invocation. The platform allows 50 on the free plan, and 10,000 on the paid one
/// (Cloudflare, "Workers limits: subrequests"). The code can't know the plan; a run of the alarm that ends earlier costs
/// another alarm.
pub(crate) const SUBREQUESTS: u32 = 45;
