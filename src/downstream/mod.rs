//! Downstream caches, those between clients and this one: the `headers` that they read, and their `purges`.

pub mod headers;
pub mod purges;
