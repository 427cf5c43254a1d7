//! The platform: `js` binds its JavaScript functions, `calls` sends messages to the two objects, `analytics` writes data
//! points.

pub(in crate::edge) mod analytics;
pub(in crate::edge) mod calls;
pub(in crate::edge) mod js;
