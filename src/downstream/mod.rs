//! Downstream caches, between clients and this one: the `headers` for them, and their `purges`.

pub mod headers;
pub mod purges;
