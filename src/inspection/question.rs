//! A caller's question: the query of `GET /__isr/inspect`, and the arguments of the RPC methods `inspectTag`,
//! `inspectPath` and `inspectShard`. The answers are in [`crate::inspection::answer`].

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::semantics::key::{CanonicalPath, KeyError, PageKey};
use crate::semantics::tag::{Tag, TagError};
use crate::shard_name::ShardName;

/// The number of pages in an answer if the question has no limit.
pub const DEFAULT_LIMIT: u32 = 100;

/// The most pages of an answer.
pub const MAX_LIMIT: u32 = 1000;

/// A question: the subject, and the number of pages.
///
/// ```
/// use cloudflare_isr::{Inspect, Isr};
///
/// async fn pages(isr: &Isr) -> worker::Result<String> {
///     let question = Inspect::from_query("tag=post:42&limit=10").map_err(|error| error.to_string())?;
///     Ok(isr.inspect(question).await?["entries"].to_string())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspect {
    /// The subject.
    #[doc(hidden)]
    pub subject: Subject,
    /// How many pages to list, from 1 to [`MAX_LIMIT`].
    #[doc(hidden)]
    pub limit: u32,
}

/// The subject of a question, and the page after which the list continues. Lists are sorted by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The pages that carry a tag, in all shards.
    Tag {
        /// The tag.
        tag: Tag,
        /// The last page that the caller has.
        after: Option<Cursor>,
    },
    /// All variants of a path.
    Path {
        /// The path.
        path: CanonicalPath,
        /// The last page that the caller has.
        after: Option<PageKey>,
    },
    /// A coordinator, and its pages.
    Shard {
        /// Its name.
        shard: ShardName,
        /// The last page that the caller has.
        after: Option<PageKey>,
    },
}

/// The place of a page in a list over several shards. As text: the shard's name, a space, the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The shard.
    pub shard: ShardName,
    /// The page.
    pub key: PageKey,
}

/// The names of the subjects in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// `tag`.
    Tag,
    /// `path`.
    Path,
    /// `shard`.
    Shard,
}

/// Why a question is not valid. The message says what to write instead.
///
/// ```
/// use cloudflare_isr::{Inspect, InspectError};
///
/// assert_eq!(Inspect::from_query("limit=10"), Err(InspectError::NotOne));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It names no subject, or more than one.
    #[error("name what to show: give one of `tag`, `path`, `shard`")]
    NotOne,
    /// A field is unknown.
    #[error("unknown field {field:?}; there are `tag`, `path`, `shard`, `after` and `limit`")]
    UnknownField {
        /// Its name.
        field: String,
    },
    /// A field occurs twice.
    #[error("give `{field}` once")]
    Twice {
        /// Its name.
        field: &'static str,
    },
    /// The options are not an object.
    #[error("give the options as an object with `after` and `limit`")]
    NotAnObject,
    /// A field has a value of another type.
    #[error("`{field}` must be a string")]
    Type {
        /// Its name.
        field: &'static str,
    },
    /// A path has a query or a fragment.
    #[error("`path` must be without query and fragment: all variants of a path are shown")]
    Query,
    /// A path is not valid.
    #[error("`path` is not the path of a page: {}", .0.of_path())]
    Path(#[from] KeyError),
    /// A tag is not valid.
    #[error("{0}")]
    Tag(#[from] TagError),
    /// A shard name is not valid.
    #[error("`shard` must be a coordinator's name: the pattern of its route, `#`, and a number")]
    Shard,
    /// A cursor is not valid.
    #[error("`after` must be the `after` of the answer before")]
    After,
    /// A limit is out of bounds.
    #[error("`limit` must be a whole number from 1 to {MAX_LIMIT}")]
    Limit,
}

impl Inspect {
    /// Parses the query of a URL, without its question mark.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_query(query: &str) -> Result<Self, InspectError> {
        let (mut subject, mut after, mut limit) = (None, None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match name.as_ref() {
                "after" => once("after", &mut after, value)?,
                "limit" => once("limit", &mut limit, value.parse().map_err(|_| InspectError::Limit)?)?,
                other => match SubjectKind::by_name(other) {
                    Some(kind) if subject.is_none() => subject = Some((kind, value)),
                    Some(_) => return Err(InspectError::NotOne),
                    None => return Err(InspectError::UnknownField { field: other.to_owned() }),
                },
            }
        }
        let (kind, name) = subject.ok_or(InspectError::NotOne)?;
        Self::new(kind, &name, after.as_deref(), limit)
    }

    /// Parses the arguments of an RPC method: the subject, and options.
    ///
    /// # Errors
    /// Says what is wrong with them.
    #[doc(hidden)]
    pub fn from_arguments(kind: SubjectKind, argument: &Value, options: &Value) -> Result<Self, InspectError> {
        let options = match options {
            Value::Null => None,
            Value::Object(options) => Some(options),
            _ => return Err(InspectError::NotAnObject),
        };
        let (mut after, mut limit) = (None, None);
        for (name, value) in options.into_iter().flatten() {
            match (name.as_str(), value) {
                // `null` as in the last answer, or omitted.
                ("after" | "limit", Value::Null) => {}
                ("after", Value::String(text)) => after = Some(text.as_str()),
                ("after", _) => return Err(InspectError::Type { field: "after" }),
                ("limit", value) => limit = Some(value.as_u64().ok_or(InspectError::Limit)?),
                (other, _) => return Err(InspectError::UnknownField { field: other.to_owned() }),
            }
        }
        let name = argument.as_str().ok_or(InspectError::Type { field: kind.name() })?;
        Self::new(kind, name, after, limit)
    }

    fn new(kind: SubjectKind, name: &str, after: Option<&str>, limit: Option<u64>) -> Result<Self, InspectError> {
        let limit = limit.map_or(Some(DEFAULT_LIMIT), |limit| u32::try_from(limit).ok());
        let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or(InspectError::Limit)?;
        let after = after.filter(|text| !text.is_empty());
        let key = |text| PageKey::from_stored(text).map_err(|_| InspectError::After);
        let subject = match kind {
            SubjectKind::Tag => {
                let after = after.map(|text| Cursor::parse(text).ok_or(InspectError::After)).transpose()?;
                Subject::Tag { tag: Tag::parse(name)?, after }
            }
            SubjectKind::Path if name.contains(['?', '#']) => return Err(InspectError::Query),
            SubjectKind::Path => {
                Subject::Path { path: CanonicalPath::parse(name)?, after: after.map(key).transpose()? }
            }
            SubjectKind::Shard => {
                let shard = ShardName::from_stored(name).ok_or(InspectError::Shard)?;
                Subject::Shard { shard, after: after.map(key).transpose()? }
            }
        };
        Ok(Self { subject, limit })
    }
}

/// Sets a field that may occur once.
fn once<T>(field: &'static str, place: &mut Option<T>, value: T) -> Result<(), InspectError> {
    place.replace(value).map_or(Ok(()), |_| Err(InspectError::Twice { field }))
}

impl SubjectKind {
    fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Path => "path",
            Self::Shard => "shard",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        [Self::Tag, Self::Path, Self::Shard].into_iter().find(|kind| kind.name() == name)
    }
}

impl Cursor {
    /// Parses the output of [`fmt::Display`]. A key contains no space.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (shard, key) = text.rsplit_once(' ')?;
        Some(Self { shard: ShardName::from_stored(shard)?, key: PageKey::from_stored(key).ok()? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shard, self.key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(text: &str) -> PageKey {
        PageKey::from_stored(text).unwrap()
    }

    fn shard(text: &str) -> ShardName {
        ShardName::from_stored(text).unwrap()
    }

    fn tag(after: Option<Cursor>, limit: u32) -> Inspect {
        Inspect { subject: Subject::Tag { tag: Tag::parse("post:1").unwrap(), after }, limit }
    }

    #[test]
    fn a_question_is_the_same_over_http_and_by_rpc() {
        let place = Cursor { shard: shard("/über uns/*#3"), key: key("https://e.com/a?b=1") };
        let path = CanonicalPath::parse("/a/b").unwrap();
        let after = Some(key("https://e.com/a/b?c=1"));
        for (query, kind, argument, options, inspect) in [
            ("tag=post%3A1", SubjectKind::Tag, "post:1", Value::Null, tag(None, 100)),
            (
                "limit=7&tag=post:1&after=/%C3%BCber+uns/*%233+https://e.com/a?b%3D1",
                SubjectKind::Tag,
                "post:1",
                json!({ "limit": 7, "after": place.to_string() }),
                tag(Some(place.clone()), 7),
            ),
            (
                "path=//a/./b/&after=https%3A%2F%2Fe.com%2Fa%2Fb%3Fc%3D1",
                SubjectKind::Path,
                "/a/b/",
                json!({ "after": "https://e.com/a/b?c=1" }),
                Inspect { subject: Subject::Path { path, after }, limit: 100 },
            ),
            (
                "shard=/*%230&after=&limit=1000",
                SubjectKind::Shard,
                "/*#0",
                json!({ "after": null, "limit": 1000 }),
                Inspect { subject: Subject::Shard { shard: shard("/*#0"), after: None }, limit: 1000 },
            ),
        ] {
            assert_eq!(Inspect::from_query(query).as_ref(), Ok(&inspect), "{query}");
            assert_eq!(Inspect::from_arguments(kind, &json!(argument), &options).as_ref(), Ok(&inspect), "{argument}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_query_is_named_with_its_remedy() {
        for (query, part) in [
            ("", "give one of `tag`, `path`, `shard`"),
            ("limit=3", "give one of"),
            ("tag=a&path=/", "give one of"),
            ("tag=a&tag=b", "give one of"),
            ("tags=a", "unknown field \"tags\""),
            ("tag=", "tag"),
            ("path=a", "must begin with `/`"),
            ("path=/a%3Fb", "without query"),
            ("shard=tags%230", "coordinator's name"),
            ("tag=a&limit=0", "from 1 to 1000"),
            ("tag=a&limit=1001", "from 1 to 1000"),
            ("tag=a&limit=ten", "from 1 to 1000"),
            ("tag=a&limit=1&limit=1", "give `limit` once"),
            ("tag=a&after=x&after=y", "give `after` once"),
            ("tag=a&after=https://e.com/", "the answer before"),
            ("path=/&after=/*%230+https://e.com/", "the answer before"),
        ] {
            let error = Inspect::from_query(query).unwrap_err().to_string();
            assert!(error.contains(part), "{query}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_in_arguments_is_named_with_its_remedy() {
        for (argument, options, part) in [
            (json!(1), Value::Null, "`tag` must be a string"),
            (json!("a"), json!("b"), "an object with `after` and `limit`"),
            (json!("a"), json!({ "after": 1 }), "`after` must be a string"),
            (json!("a"), json!({ "limit": "1" }), "from 1 to 1000"),
            (json!("a"), json!({ "limit": -1 }), "from 1 to 1000"),
            (json!("a"), json!({ "mode": "stale" }), "unknown field \"mode\""),
        ] {
            let error = Inspect::from_arguments(SubjectKind::Tag, &argument, &options).unwrap_err().to_string();
            assert!(error.contains(part), "{argument} {options}: {error}");
        }
    }
}
