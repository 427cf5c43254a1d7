//! The tasks for developers and CI.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod new;
pub(crate) mod sim;
pub(crate) mod soak;
pub(crate) mod test;
pub(crate) mod upgrade;
pub(crate) mod year;

/// The configuration of the gateway.
const GATEWAY: &str = "wrangler.toml";

/// The configuration of the example site behind it.
const SITE: &str = "examples/site/wrangler.toml";
