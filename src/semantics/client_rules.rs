//! What a stored page means for clients: which requests it is not for, and what their browsers may keep.

use serde::{Deserialize, Serialize};

use crate::semantics::nominated::Nominated;

/// The rules of a stored page for clients. They belong to its content: the edge has them beside the page's headers, and
/// needs no object for them. Most pages have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientRules(Option<Box<Rules>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rules {
    #[serde(rename = "n", default, skip_serializing_if = "Nominated::is_empty")]
    nominated: Nominated,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    cache_control: Option<String>,
}

impl ClientRules {
    /// Makes the rules of a page. `cache_control` is the origin's `Cache-Control` for clients, if it takes effect:
    /// [`stated`](super::browser::stated).
    #[must_use]
    pub fn new(nominated: Nominated, cache_control: Option<String>) -> Self {
        let rules = Rules { nominated, cache_control };
        Self((rules != Rules::default()).then(|| Box::new(rules)))
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the request headers that the page's `Vary` nominates: a request with one of them passes to the origin.
    #[must_use]
    pub fn nominated(&self) -> &Nominated {
        static NONE: Nominated = Nominated::none();
        self.0.as_ref().map_or(&NONE, |rules| &rules.nominated)
    }

    /// Returns the origin's `Cache-Control` for clients, if it takes effect.
    #[must_use]
    pub fn cache_control(&self) -> Option<&str> {
        self.0.as_ref()?.cache_control.as_deref()
    }

    /// Returns the bytes of their texts.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.nominated().iter().map(str::len).sum::<usize>() + self.cache_control().map_or(0, str::len)
    }
}
