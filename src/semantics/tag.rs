//! Cache tags: the names by which an origin groups pages in order to invalidate them together.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::text::text_conversions;

/// The longest tag that is kept as it is, in bytes. A longer one is replaced by its hash.
pub const MAX_TAG_BYTES: usize = 256;

/// The longest text that is a tag, in bytes.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// The most tags of one page, including those of its route, besides [`Tag::every`].
pub const MAX_TAGS_PER_PAGE: usize = 1000;

/// The most bytes of all tags of one page, each with its separator: as much as Cloudflare accepts in a `Cache-Tag`. The
/// metadata of a page is a header value.
pub const MAX_TAG_LIST_BYTES: usize = 16 * 1024;

/// The most tags that the configuration of a route may list.
pub const MAX_TAGS_PER_ROUTE: usize = 64;

/// The beginning of the tag that replaces a long one.
const LONG: &str = "isr:long:";

/// The text of [`Tag::every`].
const EVERY: &str = "isr:every-tag";

/// A cache tag: text in any script, without commas and control characters, and without white space at its ends. Tags are
/// compared byte by byte.
///
/// A comma separates tags in the `Cache-Tag` header. A tag of more than [`MAX_TAG_BYTES`] is replaced by its hash, on a page
/// as well as in an invalidation.
///
/// ```
/// use cloudflare_isr::Tag;
///
/// assert_eq!(Tag::parse("post:42")?.as_str(), "post:42");
/// assert_eq!(Tag::parse("_N_T_/\u{442}\u{43e}\u{432}")?.as_str(), "_N_T_/\u{442}\u{43e}\u{432}");
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
#[non_exhaustive]
pub enum TagError {
    /// The text is empty.
    #[error("a tag must not be empty")]
    Empty,
    /// The text is longer than 16 KiB.
    #[error("a tag may have at most {MAX_TEXT_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// The text contains a comma, a control character or an undecodable byte, or has white space at one of its ends.
    #[error("a tag may not hold a comma or a control character, nor begin or end with white space: this one has {0:?}")]
    Character(char),
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
        if text.len() > MAX_TEXT_BYTES {
            return Err(TagError::TooLong(text.len()));
        }
        // The platform puts the replacement character in the place of bytes that are not UTF-8.
        let is_wrong = |c: &char| c.is_control() || matches!(*c, ',' | char::REPLACEMENT_CHARACTER);
        let at_an_end =
            [text.chars().next(), text.chars().next_back()].into_iter().flatten().find(|c| c.is_whitespace());
        match text.chars().find(is_wrong).or(at_an_end) {
            Some(c) => Err(TagError::Character(c)),
            None if text.len() > MAX_TAG_BYTES => Ok(Self(hashed(text))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The tag of a page with tags that could not be kept: every invalidation by tag concerns it.
    ///
    /// A page that is invalidated too often costs renders. One that an invalidation misses shows what the origin has
    /// declared to be wrong.
    #[doc(hidden)]
    #[must_use]
    pub fn every() -> Self {
        Self(EVERY.to_owned())
    }

    /// Returns whether this is [`Tag::every`].
    #[doc(hidden)]
    #[must_use]
    pub fn is_every(&self) -> bool {
        self.0 == EVERY
    }

    /// Reads the value of a `Cache-Tag` header, tags separated by commas, and adds the tags of the route: sorted, each
    /// once. Empty members are ignored.
    ///
    /// The tags of the route are kept first, then those of the response in their order, up to [`MAX_TAGS_PER_PAGE`] and
    /// [`MAX_TAG_LIST_BYTES`]. If one is not kept, or is malformed, [`Tag::every`] is added.
    #[doc(hidden)]
    #[must_use]
    pub fn of_page(route: &[Self], header: &str) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::new();
        let mut bytes = 0;
        let mut is_complete = true;
        let members = header.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty());
        let listed = members.map(Self::parse);
        let mut seen = BTreeSet::new();
        for tag in route.iter().cloned().map(Ok).chain(listed) {
            match tag {
                Ok(tag) if seen.contains(&tag) => {}
                Ok(tag) if kept.len() < MAX_TAGS_PER_PAGE && bytes + tag.0.len() < MAX_TAG_LIST_BYTES => {
                    bytes += tag.0.len() + 1;
                    seen.insert(tag.clone());
                    kept.push(tag);
                }
                Ok(_) | Err(_) => is_complete = false,
            }
        }
        kept.extend((!is_complete).then(Self::every));
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    /// Returns the tag's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the tag in the place of a long one: the first half of its SHA-256 in hexadecimal digits.
fn hashed(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let half = digest.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{LONG}{half:032x}")
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

    fn tag(text: &str) -> Tag {
        Tag::parse(text).unwrap()
    }

    #[test]
    fn a_tag_is_text_in_any_script() {
        let longest = "t".repeat(MAX_TAG_BYTES);
        for good in ["posts", "post:42", "a/b?c=d", "~", "a b", "_N_T_/товары", "記事", "naïve", longest.as_str()]
        {
            assert_eq!(Tag::parse(good).map(|tag| tag.as_str().to_owned()), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("", TagError::Empty),
            (" a", TagError::Character(' ')),
            ("a\u{a0}", TagError::Character('\u{a0}')),
            ("a,b", TagError::Character(',')),
            ("a\r\nb", TagError::Character('\r')),
            ("a\u{85}b", TagError::Character('\u{85}')),
            ("caf\u{fffd}", TagError::Character('\u{fffd}')),
            ("t".repeat(MAX_TEXT_BYTES + 1).as_str(), TagError::TooLong(MAX_TEXT_BYTES + 1)),
        ] {
            assert_eq!(Tag::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_long_tag_has_a_short_name_everywhere() {
        let (long, other) = (tag(&"t".repeat(MAX_TAG_BYTES + 1)), tag(&"t".repeat(MAX_TAG_BYTES + 2)));
        assert!(long.as_str().starts_with(LONG) && long.as_str().len() == LONG.len() + 32 && long != other);
        assert_eq!(Tag::parse(long.as_str()), Ok(long.clone()), "it is read back from storage");
        assert_eq!(Tag::of_page(&[], &"t".repeat(MAX_TAG_BYTES + 1)), [long]);
    }

    #[test]
    fn the_tags_of_a_page_are_sorted_and_each_once() {
        assert_eq!(Tag::of_page(&[tag("b"), tag("a")], "c, a ,,\tc"), [tag("a"), tag("b"), tag("c")]);
        assert_eq!(Tag::of_page(&[], " , "), []);
        let many: Vec<String> = (0..MAX_TAGS_PER_PAGE).map(|n| n.to_string()).collect();
        assert_eq!(Tag::of_page(&[], &many.join(",")).len(), MAX_TAGS_PER_PAGE);
    }

    #[test]
    fn a_page_with_a_tag_that_is_not_kept_carries_every_tag() {
        let more: Vec<String> = (0..=MAX_TAGS_PER_PAGE).map(|n| n.to_string()).collect();
        let long: Vec<String> = (0..100).map(|n| format!("{n:0200}")).collect();
        for (header, kept) in [
            (more.join(","), MAX_TAGS_PER_PAGE),
            (long.join(","), 81),
            ("good, bad\u{1}, better".to_owned(), 2),
            ("caf\u{fffd}".to_owned(), 0),
        ] {
            let tags = Tag::of_page(&[], &header);
            assert_eq!((tags.len(), tags.contains(&Tag::every())), (kept + 1, true), "{header:.20}");
            assert!(tags.is_sorted_by(|a, b| a < b));
        }
        let route = [tag("route")];
        assert!(Tag::of_page(&route, &more.join(",")).contains(&route[0]), "those of the route come first");
        assert!(tag(Tag::every().as_str()).is_every() && !tag("a").is_every());
    }
}
