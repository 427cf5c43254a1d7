//! The `props` of the service binding that a request came over. No client can send them, so the Worker recognises its
//! own requests by them.

use js_sys::Reflect;
use worker::Context;

/// The tasks that the Worker sends to its own entrypoint: values of `props.isr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Task {
    /// To render a page: the request is not answered from the cache.
    Render,
    /// To purge the downstream cache of the entrypoint.
    Purge,
}

impl Task {
    /// Returns the value of `props.isr`.
    pub(in crate::edge) const fn as_str(self) -> &'static str {
        match self {
            Self::Render => "render",
            Self::Purge => "purge",
        }
    }

    /// Returns whether a request carries this task, according to its context.
    pub(in crate::edge) fn is_asked(self, context: &Context) -> bool {
        let props = Reflect::get(context.as_ref(), &"props".into()).unwrap_or_default();
        let asked = || Reflect::get(&props, &"isr".into()).ok()?.as_string();
        props.is_object() && asked().as_deref() == Some(self.as_str())
    }
}
