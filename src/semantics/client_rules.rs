//! What a stored page means for clients: which requests it is not for, and what their browsers may keep.

use serde::{Deserialize, Serialize};

use crate::semantics::nominated::Nominated;

/// The rules of a stored page for clients. They belong to its content: the edge has them beside the page's headers, and
/// needs no object for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRules {
    /// The request headers that the page's `Vary` nominates: a request with one of them passes to the origin.
    #[serde(rename = "n", default, skip_serializing_if = "Nominated::is_empty")]
    pub nominated: Nominated,
    /// The origin's `Cache-Control` for clients, if it takes effect: [`stated`](super::browser::stated).
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
}

impl ClientRules {
    /// Returns whether there are none, as for most pages.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.nominated.is_empty() && self.cache_control.is_none()
    }

    /// Returns the bytes of their texts.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.nominated.iter().map(str::len).sum::<usize>() + self.cache_control.as_ref().map_or(0, String::len)
    }
}
