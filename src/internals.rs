//! What the test programs in `tests/` reach. It is not part of the public interface, and may change in any release.

/// Exports the items of private modules under the modules' own names.
macro_rules! export {
    ($($name:ident),+ $(,)?) => {$(
        pub mod $name {
            pub use crate::$name::*;
        }
    )+};
}

export! {
    admin_api, alarm, codec, config, coordinator, deployment, downstream, error, inspection, invalidation, metrics, page, page_policy, protocol, reason,
    route, secret, semantics, session, shard_name, sql, tag_index, tag_index_name, time, version, visit, webhook,
}
