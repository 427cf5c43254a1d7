//! A call that invalidates, as JSON: the body of `POST /__isr/revalidate`, and the argument of the RPC method
//! `invalidate`.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::invalidation::{IdempotencyKey, Mode, PathPrefix, PrefixTooDeep, Refresh, Target, TargetField};
use crate::route::RouteId;
use crate::semantics::key::{CanonicalPath, KeyError};
use crate::semantics::tag::{Tag, TagError};
use crate::tag_index_name::TagIndexName;

/// The most targets of one call.
pub const MAX_TARGETS: usize = 1000;

/// The most targets that an object of the tag index gets at once.
const MAX_BATCH: usize = 100;

/// The fields of a call: the targets, the mode, and when pages are rendered again.
const FIELDS: &str = "`path`, `tag`, `tags`, `prefix`, `route`, `everything`, `mode` and `refresh`";

/// The targets of an invalidation in code: at least one of the first five fields is required.
///
/// ```
/// use cloudflare_isr::{Invalidate, Mode};
///
/// let what = Invalidate { tags: vec!["post:42".to_owned()], mode: Mode::Stale, ..Invalidate::default() };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalidate {
    /// All variants of these paths, on every host.
    pub paths: Vec<String>,
    /// All pages that carry one of these tags.
    pub tags: Vec<String>,
    /// These paths and all below them: `/blog` includes `/blog/first`, but not `/blogs`.
    pub prefixes: Vec<String>,
    /// All pages of these routes, named by their patterns.
    pub routes: Vec<String>,
    /// All pages.
    pub everything: bool,
    /// The effect on the stored pages.
    pub mode: Mode,
    /// When they are rendered again.
    pub refresh: Refresh,
}

/// One call: which pages, and the effect on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which pages; at least one and at most [`MAX_TARGETS`].
    pub targets: Vec<Target>,
    /// The effect on them.
    pub mode: Mode,
    /// When they are rendered again.
    pub refresh: Refresh,
    /// What identifies the call, if its sender may repeat it.
    pub key: Option<IdempotencyKey>,
}

/// The part of a call that one object of the tag index gets at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The object.
    pub index: TagIndexName,
    /// The places of the targets in the whole call.
    pub places: Vec<usize>,
    /// The call with these targets only.
    pub call: Call,
}

/// Why a call is not valid. The message says what to write instead.
///
/// ```
/// use cloudflare_isr::{ArgumentError, InvalidateError, IsrError};
///
/// fn is_empty_request(error: &IsrError) -> bool {
///     matches!(error, IsrError::InvalidArgument(ArgumentError::Invalidate(InvalidateError::NoScope)))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidateError {
    /// It is not a JSON object.
    #[error("give a JSON object with {FIELDS}")]
    NotAnObject,
    /// It names nothing to invalidate.
    #[error("name what to invalidate: give one or more of `path`, `tag`, `tags`, `prefix`, `route`, `everything`")]
    NoScope,
    /// It names too many targets.
    #[error(
        "at most {MAX_TARGETS} targets fit in one call, this one has {found}; a tag, a prefix or a route names many pages"
    )]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A field is unknown.
    #[error("unknown field {field:?}; there are {FIELDS}")]
    UnknownField {
        /// Its name.
        field: String,
    },
    /// A field has a value of another type.
    #[error("`{field}` must be {expected}")]
    Type {
        /// Its name.
        field: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// A path has a query or a fragment.
    #[error("`{field}` must be without query and fragment: all variants of a path are invalidated together")]
    Query {
        /// The field.
        field: &'static str,
    },
    /// A path is not valid.
    #[error("`{field}` is not the path of a page: {}", .error.of_path())]
    Path {
        /// The field.
        field: &'static str,
        /// The reason.
        error: KeyError,
    },
    /// A prefix with too many segments.
    #[error("`prefix`: {0}")]
    Prefix(#[from] PrefixTooDeep),
    /// A tag is not valid.
    #[error("{0}")]
    Tag(#[from] TagError),
    /// A route is not valid.
    #[error("`route` must be the pattern of a route as it stands in the configuration")]
    Route,
    /// A mode is unknown.
    #[error(
        "`mode` must be \"expire\" (the next visitor waits for a fresh page), \"stale\" (the old page is shown once more while it is rendered again) or \"purge\" (the old page is deleted for ever)"
    )]
    Mode,
    /// A value of `refresh` is unknown.
    #[error("`refresh` must be \"lazy\" (pages are rendered again when somebody asks for them) or \"eager\" (now)")]
    Refresh,
}

impl TryFrom<&Invalidate> for Call {
    type Error = InvalidateError;

    fn try_from(what: &Invalidate) -> Result<Self, InvalidateError> {
        let mut targets = Vec::new();
        for path in &what.paths {
            targets.push(Target::Path(path_of("path", path)?));
        }
        for tag in &what.tags {
            targets.push(Target::Tag(Tag::parse(tag)?));
        }
        for prefix in &what.prefixes {
            targets.push(Target::Prefix(PathPrefix::try_from(path_of("prefix", prefix)?)?));
        }
        for route in &what.routes {
            targets.push(Target::Route(RouteId::from_stored(route).ok_or(InvalidateError::Route)?));
        }
        targets.extend(what.everything.then_some(Target::Everything));
        Self { targets, mode: what.mode, refresh: what.refresh, key: None }.checked()
    }
}

impl Call {
    /// Parses a call.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_json(value: &Value) -> Result<Self, InvalidateError> {
        let Value::Object(fields) = value else {
            return Err(InvalidateError::NotAnObject);
        };
        let mut call = Self { targets: Vec::new(), mode: Mode::Expire, refresh: Refresh::Lazy, key: None };
        for (name, value) in fields {
            call.read(name, value)?;
        }
        call.checked()
    }

    fn checked(self) -> Result<Self, InvalidateError> {
        match self.targets.len() {
            0 => Err(InvalidateError::NoScope),
            found if found > MAX_TARGETS => Err(InvalidateError::TooMany { found }),
            _ => Ok(self),
        }
    }

    /// Splits the call by the objects of the tag index that record its targets, of which there are `tag_shards`.
    #[must_use]
    pub fn batches(self, tag_shards: u16) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        for (place, target) in self.targets.into_iter().enumerate() {
            let index = target.tag_index(tag_shards);
            let has_room = |batch: &&mut Batch| batch.index == index && batch.places.len() < MAX_BATCH;
            if let Some(batch) = batches.iter_mut().find(has_room) {
                batch.places.push(place);
                batch.call.targets.push(target);
            } else {
                let call = Self { targets: vec![target], key: self.key.clone(), ..self };
                batches.push(Batch { index, places: vec![place], call });
            }
        }
        batches
    }

    /// Parses the arguments of the RPC method `revalidatePath` or `revalidateTag`: the target, and options.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn from_arguments(field: &'static str, argument: &Value, options: &Value) -> Result<Self, InvalidateError> {
        let mut fields = match options {
            Value::Null => Map::new(),
            Value::Object(options) => options.clone(),
            _ => return Err(InvalidateError::NotAnObject),
        };
        if let Some(other) = fields.keys().find(|name| !matches!(name.as_str(), "mode" | "refresh")) {
            return Err(InvalidateError::UnknownField { field: other.clone() });
        }
        fields.insert(field.to_owned(), argument.clone());
        Self::from_json(&Value::Object(fields))
    }

    fn read(&mut self, name: &str, value: &Value) -> Result<(), InvalidateError> {
        if let Some(field) = TargetField::ALL.into_iter().find(|field| field.name() == name) {
            let wrong = InvalidateError::Type { field: field.name(), expected: "a string" };
            self.targets.push(Target::parse(field, value.as_str().ok_or(wrong)?)?);
            return Ok(());
        }
        match name {
            "tags" => {
                let wrong = InvalidateError::Type { field: "tags", expected: "a list of strings" };
                for tag in value.as_array().ok_or_else(|| wrong.clone())? {
                    self.targets.push(Target::Tag(Tag::parse(tag.as_str().ok_or_else(|| wrong.clone())?)?));
                }
            }
            "everything" => match value {
                Value::Bool(true) => self.targets.push(Target::Everything),
                _ => return Err(InvalidateError::Type { field: "everything", expected: "true" }),
            },
            "mode" => {
                self.mode = match value.as_str() {
                    Some("expire") => Mode::Expire,
                    Some("stale") => Mode::Stale,
                    Some("purge") => Mode::Purge,
                    _ => return Err(InvalidateError::Mode),
                };
            }
            "refresh" => {
                self.refresh = match value.as_str() {
                    Some("lazy") => Refresh::Lazy,
                    Some("eager") => Refresh::Eager,
                    _ => return Err(InvalidateError::Refresh),
                };
            }
            other => return Err(InvalidateError::UnknownField { field: other.to_owned() }),
        }
        Ok(())
    }
}

impl Target {
    /// Parses the value of a field that names one target.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn parse(field: TargetField, text: &str) -> Result<Self, InvalidateError> {
        match field {
            TargetField::Path => path_of(field.name(), text).map(Self::Path),
            TargetField::Prefix => Ok(Self::Prefix(PathPrefix::try_from(path_of(field.name(), text)?)?)),
            TargetField::Route => RouteId::from_stored(text).map(Self::Route).ok_or(InvalidateError::Route),
            TargetField::Tag => Ok(Self::Tag(Tag::parse(text)?)),
        }
    }
}

fn path_of(field: &'static str, text: &str) -> Result<CanonicalPath, InvalidateError> {
    if text.contains(['?', '#']) {
        return Err(InvalidateError::Query { field });
    }
    CanonicalPath::parse(text).map_err(|error| InvalidateError::Path { field, error })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tag(name: &str) -> Target {
        Target::Tag(Tag::parse(name).unwrap())
    }

    #[test]
    fn each_field_names_a_scope() {
        let path = CanonicalPath::parse("/a b").unwrap();
        for (json, targets, mode) in [
            (json!({ "path": "/a b/" }), vec![Target::Path(path.clone())], Mode::Expire),
            (json!({ "tag": "x", "mode": "stale" }), vec![tag("x")], Mode::Stale),
            (json!({ "tags": ["x", "y"], "mode": "purge" }), vec![tag("x"), tag("y")], Mode::Purge),
            (json!({ "prefix": "/a b" }), vec![Target::Prefix(path.try_into().unwrap())], Mode::Expire),
            (
                json!({ "route": "/blog/*" }),
                vec![Target::Route(RouteId::from_stored("/blog/*").unwrap())],
                Mode::Expire,
            ),
            (json!({ "everything": true, "mode": "expire" }), vec![Target::Everything], Mode::Expire),
        ] {
            assert_eq!(Call::from_json(&json), Ok(Call { targets, mode, refresh: Refresh::Lazy, key: None }), "{json}");
        }
        let call = Call::from_arguments("tag", &json!("x"), &json!({ "mode": "stale", "refresh": "eager" }));
        assert_eq!(call, Ok(Call { targets: vec![tag("x")], mode: Mode::Stale, refresh: Refresh::Eager, key: None }));
        assert_eq!(Call::from_arguments("tag", &json!("x"), &Value::Null).map(|call| call.mode), Ok(Mode::Expire));
    }

    #[test]
    fn code_says_the_same_as_json() {
        let text = |text: &str| vec![text.to_owned()];
        let one = Invalidate::default;
        for (code, json) in [
            (Invalidate { paths: text("/a b/"), ..one() }, json!({ "path": "/a b/" })),
            (Invalidate { tags: text("x"), mode: Mode::Purge, ..one() }, json!({ "tag": "x", "mode": "purge" })),
            (Invalidate { prefixes: text("/a"), ..one() }, json!({ "prefix": "/a" })),
            (Invalidate { routes: text("/blog/*"), ..one() }, json!({ "route": "/blog/*" })),
            (
                Invalidate { everything: true, refresh: Refresh::Eager, ..one() },
                json!({ "everything": true, "refresh": "eager" }),
            ),
            (one(), json!({})),
            (Invalidate { paths: text("/a?b"), ..one() }, json!({ "path": "/a?b" })),
            (Invalidate { tags: text(""), ..one() }, json!({ "tag": "" })),
            (Invalidate { routes: text(""), ..one() }, json!({ "route": "" })),
        ] {
            assert_eq!(Call::try_from(&code), Call::from_json(&json), "{json}");
        }
    }

    #[test]
    fn a_call_is_split_by_objects_and_each_target_keeps_its_place() {
        let targets: Vec<Target> = (0..250).map(|n| tag(&n.to_string())).chain([Target::Everything]).collect();
        let key = Some(IdempotencyKey::of("cms", "1"));
        let call = Call { targets: targets.clone(), mode: Mode::Stale, refresh: Refresh::Eager, key };
        for tag_shards in [1, 4] {
            let batches = call.clone().batches(tag_shards);
            let mut found = vec![None; targets.len()];
            for Batch { index, places, call: batch } in &batches {
                assert!(batch.targets.len() <= MAX_BATCH && places.len() == batch.targets.len());
                assert_eq!((batch.mode, batch.refresh, &batch.key), (call.mode, call.refresh, &call.key));
                for (place, target) in places.iter().zip(&batch.targets) {
                    assert_eq!(*index, target.tag_index(tag_shards));
                    found[*place] = Some(target.clone());
                }
            }
            assert!(found.into_iter().eq(targets.iter().cloned().map(Some)));
            assert_eq!(batches.len(), if tag_shards == 1 { 3 } else { 4 }, "no more than it takes");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let many: Vec<String> = (0..=MAX_TARGETS).map(|n| n.to_string()).collect();
        for (json, part) in [
            (json!(["/a"]), "JSON object"),
            (json!({}), "name what to invalidate"),
            (json!({ "tags": [] }), "name what to invalidate"),
            (json!({ "tags": many }), "at most 100"),
            (json!({ "path": 1 }), "`path` must be a string"),
            (json!({ "path": "/a?b" }), "without query"),
            (json!({ "path": "a" }), "must begin with `/`"),
            (json!({ "prefix": "/a".repeat(17) }), "at most 16 segments"),
            (json!({ "tag": "" }), "tag"),
            (json!({ "tags": "x" }), "list of strings"),
            (json!({ "route": "" }), "pattern of a route"),
            (json!({ "everything": false }), "`everything` must be true"),
            (json!({ "tag": "x", "mode": "soft" }), "\"expire\""),
            (json!({ "tag": "x", "refresh": true }), "\"eager\""),
            (json!({ "paths": [] }), "unknown field \"paths\""),
        ] {
            let error = Call::from_json(&json).unwrap_err().to_string();
            assert!(error.contains(part), "{json}: {error}");
        }
        assert!(Call::from_arguments("tag", &json!("x"), &json!({ "path": "/" })).is_err());
        assert!(Call::from_arguments("tag", &json!("x"), &json!("stale")).is_err());
    }
}
