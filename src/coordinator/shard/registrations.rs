//! The messages that register a shard and its tags, and forget tags that no page carries any more.
//!
//! The number of registered tags rises only when tags are registered. So a registration also forgets: a few tags that no
//! page carries. `crate::tag_index` describes what can go wrong in between.

use std::collections::BTreeMap;

use super::{Shard, Turn};
use crate::coordinator::PageContent;
use crate::protocol::{CarriedTags, ToTagIndex};
use crate::semantics::tag::Tag;
use crate::sql::{Sql, StoreError};
use crate::tag_index_name::TagIndexName;

/// One registration in this many forgets tags. It examines more of them in turn.
const FORGETS_EVERY: u128 = 4;

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Returns the registration of `tags`, for each tag index object that must know of it. `page_tags` are all tags of the
    /// page. `message` makes a message of some tags, the generation, and the tags that are still carried.
    pub(super) fn registration(
        &self,
        turn: Turn<'_>,
        page_tags: &[Tag],
        (tags, is_new): (Vec<Tag>, bool),
        message: impl Fn(Vec<Tag>, u64, Option<CarriedTags>) -> ToTagIndex,
    ) -> Result<Vec<(TagIndexName, ToTagIndex)>, StoreError> {
        let tag_shards = turn.config.tag_shards;
        let told: BTreeMap<TagIndexName, Vec<Tag>> = TagIndexName::to_be_told(tags, is_new, tag_shards);
        let mut in_use = self.renders.tags_in_use();
        in_use.extend(page_tags.iter().cloned());
        let forgets = (turn.moment.random >> 64).is_multiple_of(FORGETS_EVERY);
        let mut messages = Vec::with_capacity(told.len());
        for (index, tags) in told {
            let (generation, carried) = match self.store.generation(index)? {
                Some(generation) if !forgets => (generation, None),
                _ => {
                    let (generation, carried) =
                        self.store.forget_tags((index, tag_shards), &in_use, tags.len(), turn.moment.now)?;
                    (generation, Some(carried))
                }
            };
            messages.push((index, message(tags, generation, carried)));
        }
        Ok(messages)
    }
}
