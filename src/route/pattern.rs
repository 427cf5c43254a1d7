//! Path patterns. A pattern is parsed once; an error states the reason and what to write instead.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::semantics::key::CanonicalPath;

/// The longest pattern accepted, in bytes as written.
pub const MAX_PATTERN_BYTES: usize = 256;

/// The most segments a pattern may have (`/a/[b]/*` has three).
pub const MAX_PATTERN_SEGMENTS: usize = 16;

/// The longest parameter name accepted, in bytes.
pub const MAX_PARAM_NAME_BYTES: usize = 32;

/// Describes which canonical paths belong to a route.
///
/// A pattern is `/` or a list of segments, each of them one of:
///
/// | written | matches | where |
/// |---|---|---|
/// | `about` | this segment, spelt as in a [`CanonicalPath`] | anywhere |
/// | `:slug` or `[slug]` | one segment that is not empty | anywhere |
/// | `[...rest]` | one or more segments | last |
/// | `*` or `[[...rest]]` | zero or more segments: `/docs/*` also matches `/docs` | last |
///
/// Parameters are whole segments. Their names document the pattern and have no other effect.
/// A pattern has at most [`MAX_PATTERN_BYTES`] bytes and [`MAX_PATTERN_SEGMENTS`] segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

/// One segment of a pattern. Parameter names don't take part in matching and are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// Encoded as in a canonical path.
    Literal(String),
    Param,
    Rest {
        optional: bool,
    },
}

/// How many segments of paths a segment matches; the lesser value is more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Breadth {
    Literal,
    Param,
    Rest,
}

impl Pattern {
    /// Parses a pattern of the configuration.
    ///
    /// Literal segments are converted to the spelling of a [`CanonicalPath`], so `/über uns` matches
    /// `/%C3%BCber%20uns`.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the text and what to write instead, for the first mistake from the left. A control
    /// character is reported before all others, so that no message contains one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        if let Some(character) = text.chars().find(|c| c.is_control()) {
            return Err(PatternError::Character { character });
        }
        let path = text.strip_prefix('/').ok_or(PatternError::NoLeadingSlash)?;
        let written: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        if written.len() > MAX_PATTERN_SEGMENTS {
            return Err(PatternError::TooManySegments { segments: written.len() });
        }
        if written.iter().any(|segment| segment.is_empty()) {
            let kept: Vec<&str> = written.into_iter().filter(|segment| !segment.is_empty()).collect();
            return Err(PatternError::EmptySegment { remedy: format!("/{}", kept.join("/")) });
        }

        let mut names = BTreeSet::new();
        let mut segments = Vec::with_capacity(written.len());
        for (at, &segment) in written.iter().enumerate() {
            let (parsed, name) = Segment::parse(segment)?;
            if matches!(parsed, Segment::Rest { .. }) && at + 1 < written.len() {
                return Err(PatternError::RestNotLast { segment: segment.to_owned() });
            }
            if let Some(name) = name.filter(|&name| !names.insert(name)) {
                return Err(PatternError::DuplicateParam { name: name.to_owned() });
            }
            segments.push(parsed);
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// Returns the pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the pattern stands for any number of segments: it ends in `*` or `[...name]`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Rest { .. }))
    }

    /// Returns whether the pattern matches a canonical path, even if another pattern is more specific.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        for segment in &self.segments {
            let is_matched = match segment {
                Segment::Literal(literal) => parts.next() == Some(literal),
                Segment::Param => parts.next().is_some(),
                Segment::Rest { optional } => return *optional || parts.next().is_some(),
            };
            if !is_matched {
                return false;
            }
        }
        parts.next().is_none()
    }

    /// Returns the key by which patterns that match one path are ordered; the lesser is more specific.
    pub(super) fn specificity(&self) -> Vec<Breadth> {
        self.segments.iter().map(Segment::breadth).collect()
    }

    /// Returns the pattern in the router's syntax. Two patterns with the same shape conflict.
    ///
    /// Canonical literals contain neither `{` nor `}`, so nothing needs to be escaped.
    pub(super) fn shape(&self) -> String {
        join(&self.segments)
    }

    /// Returns the shape that an empty optional catch-all matches: `/docs` for `/docs/*`, `None` for other patterns.
    pub(super) fn shape_without_rest(&self) -> Option<String> {
        match self.segments.split_last() {
            Some((Segment::Rest { optional: true }, before)) => Some(join(before)),
            _ => None,
        }
    }

    /// Returns the index of the catch-all segment, if there is one.
    pub(super) fn rest_at(&self) -> Option<usize> {
        match self.segments.split_last() {
            Some((Segment::Rest { .. }, before)) => Some(before.len()),
            _ => None,
        }
    }
}

fn join(segments: &[Segment]) -> String {
    if segments.is_empty() {
        return "/".to_owned();
    }
    let mut shape = String::new();
    for segment in segments {
        shape.push('/');
        shape.push_str(match segment {
            Segment::Literal(text) => text,
            Segment::Param => "{p}",
            Segment::Rest { .. } => "{*rest}",
        });
    }
    shape
}

impl Segment {
    fn breadth(&self) -> Breadth {
        match self {
            Self::Literal(_) => Breadth::Literal,
            Self::Param => Breadth::Param,
            Self::Rest { .. } => Breadth::Rest,
        }
    }

    /// Parses one segment and returns it with the name of its parameter, if it has one.
    fn parse(written: &str) -> Result<(Self, Option<&str>), PatternError> {
        if written == "*" {
            return Ok((Self::Rest { optional: true }, None));
        }
        if let Some(name) = written.strip_prefix(':') {
            return Ok((Self::Param, Some(param_name(name)?)));
        }
        let (parsed, name) = if let Some(name) = between(written, "[[...", "]]") {
            (Self::Rest { optional: true }, name)
        } else if let Some(name) = between(written, "[...", "]") {
            (Self::Rest { optional: false }, name)
        } else if let Some(name) = between(written, "[", "]") {
            (Self::Param, name)
        } else {
            return Ok((Self::Literal(literal(written)?), None));
        };
        if name.contains(['[', ']']) {
            return Err(PatternError::Brackets { segment: written.to_owned() });
        }
        Ok((parsed, Some(param_name(name)?)))
    }
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

fn param_name(name: &str) -> Result<&str, PatternError> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let goes_on_well = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if starts_well && goes_on_well && name.len() <= MAX_PARAM_NAME_BYTES {
        Ok(name)
    } else {
        Err(PatternError::ParamName { name: name.to_owned() })
    }
}

fn literal(written: &str) -> Result<String, PatternError> {
    let segment = || written.to_owned();
    match written.chars().find(|&c| "*[]{}:?#\\".contains(c)) {
        Some('*') => return Err(PatternError::StarInText { segment: segment() }),
        Some('[' | ']') => return Err(PatternError::Brackets { segment: segment() }),
        Some('{' | '}') => return Err(PatternError::Braces { segment: segment() }),
        Some(':') => return Err(PatternError::ColonInText { segment: segment() }),
        Some(character @ ('?' | '#')) => return Err(PatternError::NotAPath { character }),
        Some(character) => return Err(PatternError::Character { character }),
        None => {}
    }
    match CanonicalPath::parse(&format!("/{written}")) {
        Err(_) => Err(PatternError::Escape { segment: segment() }),
        // Dot segments were resolved, and only the root is left.
        Ok(path) if path.as_str() == "/" => Err(PatternError::DotSegment { segment: segment() }),
        Ok(path) => Ok(path.as_str().trim_start_matches('/').to_owned()),
    }
}

/// Describes why a text is not a [`Pattern`], and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The text does not begin with `/`.
    #[error("a pattern is a path from the root; write it without host, starting with `/`")]
    NoLeadingSlash,
    /// The text is longer than [`MAX_PATTERN_BYTES`].
    #[error("the pattern is {bytes} bytes long; write at most {MAX_PATTERN_BYTES}, with `*` for the end of the path")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The pattern has more than [`MAX_PATTERN_SEGMENTS`] segments.
    #[error(
        "the pattern has {segments} segments; write at most {MAX_PATTERN_SEGMENTS}, with `*` for the end of the path"
    )]
    TooManySegments {
        /// The number of segments.
        segments: usize,
    },
    /// The pattern contains `//` or ends with `/`.
    #[error("the pattern has an empty segment, which no canonical path has; write `{remedy}`")]
    EmptySegment {
        /// The pattern without its empty segments.
        remedy: String,
    },
    /// A catch-all is followed by another segment.
    #[error(
        "`{segment}` is not the last segment; write `[name]` for one segment in the middle, or end the pattern here"
    )]
    RestNotLast {
        /// The catch-all.
        segment: String,
    },
    /// A segment mixes `*` with other text.
    #[error("`{segment}` mixes `*` with text; write `*` as a last segment of its own, or `[name]` for one segment")]
    StarInText {
        /// The segment.
        segment: String,
    },
    /// The brackets of a segment form none of the three bracketed forms.
    #[error("`{segment}` has misplaced brackets; write `[name]`, `[...name]` or `[[...name]]` as a whole segment")]
    Brackets {
        /// The segment.
        segment: String,
    },
    /// A segment contains braces, which other routers use for parameters.
    #[error("`{segment}` has braces; write `[name]` for one segment or `[...name]` for the rest of the path")]
    Braces {
        /// The segment.
        segment: String,
    },
    /// A `:` is not the first character of its segment.
    #[error("`{segment}` has a `:` inside; a parameter is a whole segment: write `:name` or `[name]`")]
    ColonInText {
        /// The segment.
        segment: String,
    },
    /// The name of a parameter is empty, too long, or contains characters other than letters, digits, `_` and `-`.
    #[error(
        "`{name}` is not a parameter name; write a letter or `_`, then letters, digits, `_` or `-`, at most \
         {MAX_PARAM_NAME_BYTES} in all (a catch-all is `[...name]` or `*`)"
    )]
    ParamName {
        /// The name.
        name: String,
    },
    /// Two parameters have the same name.
    #[error("the parameter `{name}` occurs twice; write another name for one of them")]
    DuplicateParam {
        /// The name.
        name: String,
    },
    /// The text contains a query or a fragment.
    #[error("`{character}` does not occur in a path; write the path alone (the setting `query` lists parameters)")]
    NotAPath {
        /// `?` or `#`.
        character: char,
    },
    /// The text contains a backslash or a control character.
    #[error("{character:?} is not allowed in a path; write `/` between segments and visible characters in them")]
    Character {
        /// The character.
        character: char,
    },
    /// A `%` does not begin a percent-encoding, or begins `%00`, which no canonical path contains.
    #[error("`{segment}` has a `%` without two hexadecimal digits, or `%00`; write `%25` for a percent sign")]
    Escape {
        /// The segment.
        segment: String,
    },
    /// A segment is `.` or `..`, which is resolved before the router sees a path.
    #[error("`{segment}` is resolved before a path is matched; write the path that it leads to")]
    DotSegment {
        /// The segment.
        segment: String,
    },
}
