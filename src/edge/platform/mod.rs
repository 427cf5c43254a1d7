//! The platform: `js` binds its JavaScript functions, `calls` sends messages to the two objects.

pub(in crate::edge) mod calls;
pub(in crate::edge) mod js;
