//! The parameters of queries.

use serde_json::{Value, json};

use crate::inspection::answer::State;
use crate::inspection::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::reason::Reason;
use crate::semantics::tag::MAX_TAG_BYTES;

/// A parameter of a query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it accepts.
    pub kind: ParameterKind,
    /// What it does.
    pub description: &'static str,
    /// Whether it must be given.
    pub is_required: bool,
}

/// The kinds of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// The name of a coordinator.
    Shard,
    /// The id of a route.
    Route,
    /// A tag.
    Tag,
    /// The beginning of a tag.
    TagPrefix,
    /// The path of a page.
    Path,
    /// A prefix of paths.
    Prefix,
    /// An absolute URL.
    Url,
    /// The state of a page.
    State,
    /// A reason.
    Reason,
    /// The place in a list at which it continues.
    After,
    /// The places in several logs.
    Places,
    /// The place in the list of coordinators.
    Place,
    /// The number of items.
    Limit,
}

/// The place at which a list continues.
pub(super) const AFTER: Parameter =
    optional("after", ParameterKind::After, "Continues a list: the `after` of the answer before, unchanged.");

/// The number of items.
pub(super) const LIMIT: Parameter = optional("limit", ParameterKind::Limit, "The most items of the answer.");

/// Declares a parameter that may be left out.
pub(super) const fn optional(name: &'static str, kind: ParameterKind, description: &'static str) -> Parameter {
    Parameter { name, kind, description, is_required: false }
}

/// Declares a parameter that must be given.
pub(super) const fn required(name: &'static str, kind: ParameterKind, description: &'static str) -> Parameter {
    Parameter { name, kind, description, is_required: true }
}

impl ParameterKind {
    /// Returns what is accepted, for messages: "`shard` must be …".
    #[must_use]
    pub fn accepts(self) -> String {
        match self {
            Self::Shard => "a coordinator's name: the pattern of its route, `#`, and a number".to_owned(),
            Self::Route => "the id of a configured route: its pattern".to_owned(),
            Self::Tag => format!("a tag: 1 to {MAX_TAG_BYTES} bytes without commas and control characters"),
            Self::TagPrefix => format!("the beginning of a tag: at most {MAX_TAG_BYTES} bytes"),
            Self::Path => "the path of a page, without query and fragment".to_owned(),
            Self::Prefix => "the path of a folder, of at most 16 segments, without query and fragment".to_owned(),
            Self::Url => "an absolute URL, as in `https://example.com/blog/hello`".to_owned(),
            Self::State => format!("one of {}", State::WORDS.map(|word| format!("`{word}`")).join(", ")),
            Self::Reason => "a word of `Cache-Status`, as in `queue-full`".to_owned(),
            Self::After => "the `after` of the answer before".to_owned(),
            Self::Places => "the `after` of the answer before; with `shard`, also a number".to_owned(),
            Self::Place => "a whole number".to_owned(),
            Self::Limit => format!("a whole number from 1 to {MAX_LIMIT}"),
        }
    }

    /// Returns the JSON schema.
    #[must_use]
    pub fn schema(self) -> Value {
        match self {
            Self::Shard => {
                json!({ "type": "string", "pattern": "^/.*#(0|[1-9][0-9]{0,4})$", "example": "/blog/[slug]#0" })
            }
            Self::Route => json!({ "type": "string", "pattern": "^/", "example": "/blog/[slug]" }),
            Self::Tag => json!({ "type": "string", "minLength": 1, "maxLength": MAX_TAG_BYTES, "example": "post:42" }),
            Self::TagPrefix => json!({ "type": "string", "maxLength": MAX_TAG_BYTES, "example": "post:" }),
            Self::Path => json!({ "type": "string", "pattern": "^/[^?#]*$", "example": "/blog/hello" }),
            Self::Prefix => json!({ "type": "string", "pattern": "^/[^?#]*$", "example": "/blog" }),
            Self::Url => json!({ "type": "string", "format": "uri", "example": "https://example.com/blog/hello" }),
            Self::State => json!({ "type": "string", "enum": State::WORDS }),
            Self::Reason => json!({ "type": "string", "enum": Reason::ALL }),
            Self::After | Self::Places => json!({ "type": "string" }),
            Self::Place => json!({ "type": "integer", "minimum": 0, "default": 0 }),
            Self::Limit => {
                json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT })
            }
        }
    }
}
