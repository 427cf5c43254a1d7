//! Cache tags: the names by which an origin groups pages in order to invalidate them together.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::text_conversions;

/// The longest tag, in bytes.
pub const MAX_TAG_BYTES: usize = 256;

/// The most tags of one page, including those of its route.
pub const MAX_TAGS_PER_PAGE: usize = 64;

/// A cache tag: 1 to [`MAX_TAG_BYTES`] bytes of visible ASCII without a comma, compared byte by byte.
///
/// The alphabet is that of the `Cache-Tag` header, where a comma separates tags.
///
/// ```
/// use cloudflare_isr::Tag;
///
/// assert_eq!(Tag::parse("post:42")?.as_str(), "post:42");
/// # Ok::<(), cloudflare_isr::TagError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// Why a text is not a [`Tag`].
///
/// ```
/// use cloudflare_isr::{Tag, TagError};
///
/// assert_eq!(Tag::parse("a,b"), Err(TagError::Character(',')));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TagError {
    /// The text is empty.
    #[error("a tag must not be empty")]
    Empty,
    /// The text is longer than [`MAX_TAG_BYTES`].
    #[error("a tag may have at most {MAX_TAG_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// The text contains a byte outside of visible ASCII, or a comma.
    #[error("a tag may hold visible ASCII characters other than a comma, this one has {0:?}")]
    Character(char),
    /// A page carries more than [`MAX_TAGS_PER_PAGE`] tags.
    #[error("a page may carry at most {MAX_TAGS_PER_PAGE} tags, this one carries {0}")]
    TooMany(usize),
}

impl Tag {
    /// Checks a text and makes it a tag. Does not trim white space.
    ///
    /// # Errors
    /// Reports the limit or the character that is wrong.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        if text.is_empty() {
            return Err(TagError::Empty);
        }
        if text.len() > MAX_TAG_BYTES {
            return Err(TagError::TooLong(text.len()));
        }
        match text.chars().find(|c| !c.is_ascii_graphic() || *c == ',') {
            Some(c) => Err(TagError::Character(c)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Parses the value of a `Cache-Tag` header: tags separated by commas, empty members ignored.
    ///
    /// # Errors
    /// Reports the first malformed member, and returns no tag: otherwise the page could not be invalidated by one of
    /// its tags.
    #[doc(hidden)]
    pub fn parse_list(header: &str) -> Result<Vec<Self>, TagError> {
        header
            .split(',')
            .map(|part| part.trim_matches([' ', '\t']))
            .filter(|part| !part.is_empty())
            .map(Self::parse)
            .collect()
    }

    /// Unites the tags of a route and of a response: sorted, each once.
    ///
    /// # Errors
    /// [`TagError::TooMany`] above [`MAX_TAGS_PER_PAGE`].
    #[doc(hidden)]
    pub fn unite(route: &[Self], response: Vec<Self>) -> Result<Vec<Self>, TagError> {
        let mut tags = response;
        tags.extend_from_slice(route);
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > MAX_TAGS_PER_PAGE { Err(TagError::TooMany(tags.len())) } else { Ok(tags) }
    }

    /// Returns the tag's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_conversions!(Tag, TagError, Tag::parse, |tag| tag.0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_visible_ascii_within_its_bound() {
        let longest = "t".repeat(MAX_TAG_BYTES);
        for good in ["posts", "post:42", "a/b?c=d", "~", longest.as_str()] {
            assert_eq!(Tag::parse(good).map(|tag| tag.as_str().to_owned()), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("", TagError::Empty),
            ("a b", TagError::Character(' ')),
            ("a,b", TagError::Character(',')),
            ("grün", TagError::Character('ü')),
            ("a\r\nb", TagError::Character('\r')),
            ("t".repeat(MAX_TAG_BYTES + 1).as_str(), TagError::TooLong(MAX_TAG_BYTES + 1)),
        ] {
            assert_eq!(Tag::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_header_lists_tags_and_one_bad_tag_spoils_it() {
        let tags = |list: &[&str]| list.iter().map(|t| Tag(String::from(*t))).collect::<Vec<_>>();
        assert_eq!(Tag::parse_list("posts, post:1 ,,\tx"), Ok(tags(&["posts", "post:1", "x"])));
        assert_eq!(Tag::parse_list(" , "), Ok(vec![]));
        assert_eq!(Tag::parse_list("posts, post 1"), Err(TagError::Character(' ')));
    }

    #[test]
    fn united_tags_are_sorted_unique_and_bounded() {
        let tags = |list: &[&str]| list.iter().map(|t| Tag(String::from(*t))).collect::<Vec<_>>();
        assert_eq!(Tag::unite(&tags(&["b", "a"]), tags(&["c", "a"])), Ok(tags(&["a", "b", "c"])));
        let many = (0..=MAX_TAGS_PER_PAGE).map(|i| Tag(i.to_string())).collect();
        assert_eq!(Tag::unite(&[], many), Err(TagError::TooMany(MAX_TAGS_PER_PAGE + 1)));
    }
}
