//! Maps tags to tag index objects. The setting `tag_shards` is the number of objects.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::semantics::tag::Tag;
use crate::shard_name::shard_number;

/// Limits the tag index objects. Each edge asks all of them for their part of the feed.
pub const MAX_TAG_SHARDS: u16 = 32;

/// How many invalidations one object can number before it reaches the numbers of the next. Numbers stay far below 2^53,
/// the limit of exact integers in JavaScript, and their decimal form shows which object has issued them.
const NUMBERS: u64 = 1_000_000_000_000;

/// The prefix of the names.
const PREFIX: &str = "tags#";

/// The name of a tag index object: `tags#<number>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagIndexName(u16);

impl TagIndexName {
    /// The object that knows every coordinator, and receives every invalidation that names no tag.
    pub const ROOT: Self = Self(0);

    /// Returns the object that knows a tag: the first eight bytes of SHA-256 over the tag, modulo `tag_shards`.
    #[must_use]
    pub fn of_tag(tag: &Tag, tag_shards: u16) -> Self {
        if tag_shards <= 1 { Self::ROOT } else { Self(shard_number(Sha256::new_with_prefix(tag.as_str()), tag_shards)) }
    }

    /// Returns the objects with which a shard registers tags. If the shard itself is new, the root is one of them.
    #[must_use]
    pub fn to_be_told(tags: Vec<Tag>, is_new: bool, tag_shards: u16) -> BTreeMap<Self, Vec<Tag>> {
        let mut told = BTreeMap::new();
        if is_new {
            told.insert(Self::ROOT, Vec::new());
        }
        for tag in tags {
            if tag.is_every() {
                // Each object has invalidations by tag.
                for index in Self::all(tag_shards) {
                    told.entry(index).or_default().push(tag.clone());
                }
                continue;
            }
            told.entry(Self::of_tag(&tag, tag_shards)).or_default().push(tag);
        }
        told
    }

    /// Returns whether coordinators register a tag with this object. They register [`Tag::every`] with each object.
    #[must_use]
    pub fn is_told_of(self, tag: &Tag, tag_shards: u16) -> bool {
        tag.is_every() || Self::of_tag(tag, tag_shards) == self
    }

    /// Returns the object that has numbered an invalidation; `None` if no object issues such numbers.
    #[must_use]
    pub fn of_seq(seq: u64) -> Option<Self> {
        u16::try_from(seq / NUMBERS).ok().filter(|number| *number < MAX_TAG_SHARDS).map(Self)
    }

    /// Iterates over all objects.
    pub fn all(tag_shards: u16) -> impl Iterator<Item = Self> {
        (0..tag_shards.max(1)).map(Self)
    }

    /// Parses the name of an object.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix(PREFIX)?.parse().ok().filter(|number| *number < MAX_TAG_SHARDS).map(Self)?;
        (name.to_string() == text).then_some(name)
    }

    /// Returns the number before the first that the object issues.
    #[must_use]
    pub fn before_first(self) -> u64 {
        u64::from(self.0) * NUMBERS
    }
}

impl fmt::Display for TagIndexName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_tag_has_one_home_and_homes_are_filled_alike() {
        let mut homes = BTreeMap::new();
        for number in 0..4000 {
            let tag = Tag::parse(&format!("post:{number}")).unwrap();
            assert_eq!(TagIndexName::of_tag(&tag, 1), TagIndexName::ROOT);
            *homes.entry(TagIndexName::of_tag(&tag, 4)).or_insert(0) += 1;
        }
        assert_eq!(homes.keys().copied().collect::<Vec<_>>(), TagIndexName::all(4).collect::<Vec<_>>());
        assert!(homes.values().all(|tags| (900..1100).contains(tags)), "{homes:?}");
    }

    #[test]
    fn the_root_is_told_of_new_shards_and_each_object_of_its_tags() {
        let tags: Vec<Tag> = ["a", "b", "c"].iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        let told = TagIndexName::to_be_told(tags.clone(), false, 1);
        assert_eq!(told, BTreeMap::from([(TagIndexName::ROOT, tags.clone())]));
        assert_eq!(TagIndexName::to_be_told(vec![], true, 8), BTreeMap::from([(TagIndexName::ROOT, vec![])]));
        let told = TagIndexName::to_be_told(tags.clone(), true, MAX_TAG_SHARDS);
        assert!(told.contains_key(&TagIndexName::ROOT));
        for tag in &tags {
            assert!(told[&TagIndexName::of_tag(tag, MAX_TAG_SHARDS)].contains(tag));
        }
        assert_eq!(told.values().flatten().count(), tags.len());
        let told = TagIndexName::to_be_told(vec![Tag::every()], false, 3);
        assert_eq!(told.keys().copied().collect::<Vec<_>>(), TagIndexName::all(3).collect::<Vec<_>>());
    }

    #[test]
    fn a_number_tells_who_has_given_it() {
        for name in TagIndexName::all(MAX_TAG_SHARDS) {
            assert_eq!(TagIndexName::of_seq(name.before_first()), Some(name));
            assert_eq!(TagIndexName::of_seq(name.before_first() + NUMBERS - 1), Some(name));
            assert_eq!(TagIndexName::parse(&name.to_string()), Some(name));
        }
        assert_eq!(TagIndexName::of_seq(u64::from(MAX_TAG_SHARDS) * NUMBERS), None);
        assert_eq!(TagIndexName::of_seq(u64::MAX), None);
        for wrong in ["", "tags#", "tags#32", "tags#01", "tags#-1", "/*#0", "tags#1 "] {
            assert_eq!(TagIndexName::parse(wrong), None, "{wrong}");
        }
    }
}
