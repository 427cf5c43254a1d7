//! Asks objects for surveys: a bounded number of them, a few at a time, each for a bounded time.

use std::rc::Rc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use worker::Env;

use crate::edge::platform::{calls, js};
use crate::edge::settings::Settings;
use crate::error::{CallError, ObjectError};
use crate::inspection::survey::{IndexSurvey, ListedShard, ShardPage, ShardSurvey};
use crate::limits::OPEN_REQUESTS;
use crate::protocol::{ToCoordinator, ToTagIndex};
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;

/// How long an object may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the objects of a deployment.
pub(super) struct Surveyor<'a> {
    env: &'a Env,
    pub(super) settings: Rc<Settings>,
}

/// How many of the known coordinators were asked, and how many have answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checked {
    pub(super) asked: usize,
    pub(super) answered: usize,
    pub(super) known: u64,
}

impl Checked {
    pub(super) fn to_json(self) -> Value {
        json!({ "asked": self.asked, "answered": self.answered, "known": self.known })
    }
}

/// The coordinators that a call is about.
pub(super) struct Asked {
    /// Their names, sorted.
    pub(super) shards: Vec<ShardName>,
    /// The last of them, if others follow.
    pub(super) after: Option<ShardName>,
    /// The number of all coordinators.
    pub(super) known: u64,
}

impl<'a> Surveyor<'a> {
    pub(super) fn new(env: &'a Env) -> Result<Self, CallError> {
        Ok(Self { env, settings: Settings::of(env).map_err(CallError::Unconfigured)? })
    }

    /// Asks a tag index object.
    pub(super) async fn index<A: DeserializeOwned>(
        &self,
        index: TagIndexName,
        survey: IndexSurvey,
    ) -> Result<A, CallError> {
        let tag_shards = self.settings.config.tag_shards;
        let asked = calls::tag_index(self.env, index, tag_shards, ToTagIndex::Survey(survey));
        js::within(PATIENCE, asked).await.unwrap_or(Err(ObjectError::Timeout)).map_err(CallError::Unreachable)
    }

    /// Asks every tag index object, each for its own survey. Fails if one of them does not answer: the answer would look
    /// complete.
    pub(super) async fn indexes<A: DeserializeOwned>(
        &self,
        survey: impl Fn(TagIndexName) -> IndexSurvey,
    ) -> Result<Vec<A>, CallError> {
        let indexes = TagIndexName::all(self.settings.config.tag_shards);
        let asked = stream::iter(indexes).map(|index| self.index(index, survey(index)));
        asked.buffered(OPEN_REQUESTS).collect::<Vec<_>>().await.into_iter().collect()
    }

    /// Lists coordinators from a name on. The root of the tag index knows all of them.
    pub(super) async fn shards(
        &self,
        from: Option<ShardName>,
        route: Option<String>,
        limit: u32,
    ) -> Result<ShardPage, CallError> {
        self.index(TagIndexName::ROOT, IndexSurvey::Shards { from, route, limit }).await
    }

    /// Lists coordinators after a name.
    pub(super) async fn shards_after(
        &self,
        after: Option<&ShardName>,
        route: Option<String>,
        limit: u32,
    ) -> Result<ShardPage, CallError> {
        // `after` itself is the first of them.
        let mut page = self.shards(after.cloned(), route, limit + u32::from(after.is_some())).await?;
        page.shards.retain(|listed| Some(&listed.shard) != after);
        page.more |= page.shards.len() > limit as usize;
        page.shards.truncate(limit as usize);
        Ok(page)
    }

    /// Returns a coordinator that exists, or the next `limit` ones after a name.
    pub(super) async fn asked(
        &self,
        only: Option<ShardName>,
        after: Option<&ShardName>,
        limit: u32,
    ) -> Result<Asked, CallError> {
        if let Some(shard) = only {
            let known = self.known(&shard).await?;
            return Ok(Asked { shards: vec![shard], after: None, known });
        }
        let ShardPage { known, shards, more } = self.shards_after(after, None, limit).await?;
        let shards: Vec<ShardName> = shards.into_iter().map(|listed| listed.shard).collect();
        let after = shards.last().filter(|_| more).cloned();
        Ok(Asked { shards, after, known })
    }

    /// Checks that a coordinator may exist, and returns the number of all that have published a page. A request to any other
    /// name would create one.
    pub(super) async fn known(&self, shard: &ShardName) -> Result<u64, CallError> {
        let page = self.shards(Some(shard.clone()), None, 1).await?;
        match page.shards.first() {
            Some(ListedShard { shard: found, .. }) if found == shard => Ok(page.known),
            // It may have failed to render anything.
            _ if shard.is_served(&self.settings.config.routes) => Ok(page.known),
            _ => Err(CallError::UnknownShard { shard: shard.clone() }),
        }
    }

    /// Asks a coordinator.
    pub(super) async fn ask<A: DeserializeOwned>(
        &self,
        shard: &ShardName,
        survey: ShardSurvey,
    ) -> Result<A, CallError> {
        let message = ToCoordinator::Survey(survey);
        let asked = calls::deliver(self.env, shard, &message);
        js::within(PATIENCE, asked).await.unwrap_or(Err(ObjectError::Timeout)).map_err(CallError::Unreachable)
    }

    /// Asks several coordinators, each for its own survey. Leaves out those that do not answer, and logs why.
    pub(super) async fn ask_all<A: DeserializeOwned>(
        &self,
        shards: &[ShardName],
        survey: impl Fn(&ShardName) -> ShardSurvey,
    ) -> Vec<(ShardName, A)> {
        let asked = stream::iter(shards).map(|shard| {
            let survey = survey(shard);
            async move { (shard, self.ask(shard, survey).await) }
        });
        let answers = asked.buffered(OPEN_REQUESTS).collect::<Vec<(&ShardName, Result<A, CallError>)>>().await;
        let answered = |(shard, answer): (&ShardName, Result<A, CallError>)| match answer {
            Ok(answer) => Some((shard.clone(), answer)),
            Err(error) => {
                worker::console_error!("{shard}: {error}: {:?}", error.cause());
                None
            }
        };
        answers.into_iter().filter_map(answered).collect()
    }
}
