//! The `props` of the service binding over which a request has come. No client can send them, so they are what the Worker
//! recognises its own requests by.

use js_sys::Reflect;
use worker::Context;

/// What the Worker asks of its own entrypoint: the value of `props.isr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Task {
    /// To render a page: the request is not answered from the cache.
    Render,
    /// To purge the cache in front of the entrypoint.
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

    /// Tells whether a request asks for this, by the context that it came with.
    pub(in crate::edge) fn is_asked(self, context: &Context) -> bool {
        let props = Reflect::get(context.as_ref(), &"props".into()).unwrap_or_default();
        let asked = || Reflect::get(&props, &"isr".into()).ok()?.as_string();
        props.is_object() && asked().as_deref() == Some(self.as_str())
    }
}
