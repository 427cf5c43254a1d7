//! The stages of a render: the head of the response, the registration of its tags, the end.

use super::{EventDetails, Shard, Turn, owner};
use crate::coordinator::PageContent;
use crate::coordinator::io::Effect;
use crate::coordinator::renders::{Stage, TagRegistration};
use crate::coordinator::{Event, RenderOutcome};
use crate::page::PageMeta;
use crate::protocol::{RegisterAnswer, ToTagIndex};
use crate::route::Route;
use crate::semantics::key::PageKey;
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;
use crate::version::Version;

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Shares a response that has begun to arrive, as soon as its tags are registered.
    pub(super) fn head(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        answer: (PageMeta, B),
    ) -> Result<(), StoreError> {
        self.renders.answered(token);
        if !self.is_current(turn, key, token)? {
            self.effects.push(Effect::Abandon { token });
            return Ok(());
        }
        if let Some(answer) = self.register(turn, token, answer, None)? {
            self.share(turn, key, token, &answer)?;
        }
        Ok(())
    }

    fn share(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        answer: &(PageMeta, B),
    ) -> Result<(), StoreError> {
        let event = Event::Head { token, page: answer.0.clone() };
        self.step(turn, key, event, EventDetails { answer: Some(answer), ..EventDetails::default() })
    }

    /// Registers the tags that no other page of this shard carries, and the shard itself with its first page. Returns
    /// the response if everything is registered already.
    fn register(
        &mut self,
        turn: Turn<'_>,
        token: Version,
        answer: (PageMeta, B),
        ended: Option<(RenderOutcome, Option<(PageMeta, B)>)>,
    ) -> Result<Option<(PageMeta, B)>, StoreError> {
        let shard = self.name.clone().ok_or(StoreError::Corrupt { table: "facts", column: 0 })?;
        let shards = turn.config.routes.by_id(shard.route()).map_or(0, Route::shards);
        let tags = self.store.unregistered(&answer.0.tags)?;
        let is_new = !self.store.is_registered(shards)?;
        let is_known = tags.is_empty() && !is_new;
        if is_known || !self.renders.is_running(token) {
            return Ok(Some(answer));
        }
        // A slower render of another page may carry the same tags, and find them registered when it ends. So the
        // registration must ask for the invalidations since the oldest render began.
        let start = answer.0.render_start();
        let oldest = self.leases.oldest();
        let since = oldest.map_or(start, |oldest| oldest.min(start));
        let message = |tags, generation, carried| {
            let shard = shard.clone();
            ToTagIndex::Register { shard, shards, tags, since, generation, carried }
        };
        let messages = self.registration(turn, &answer.0.tags, (tags.clone(), is_new), message)?;
        let registering = TagRegistration { tags, shards, since, answer, ended };
        self.renders.set_stage(token, Stage::Registering(Box::new(registering)));
        self.effects.push(Effect::Register { token, messages });
        Ok(None)
    }

    /// Ends a render. If the registration of its tags is under way, the render ends after that.
    pub(super) fn ended(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        outcome: RenderOutcome,
        answer: Option<(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        let is_asked = match self.renders.get_mut(token).map(|render| &mut render.stage) {
            Some(Stage::Registering(registering)) => {
                registering.ended = Some((outcome, answer));
                return Ok(());
            }
            Some(Stage::Asked) => true,
            Some(Stage::Growing { .. } | Stage::Private) | None => false,
        };
        let concluded = self.conclude(turn, key, token, is_asked, outcome, answer.as_ref());
        if concluded.is_err() {
            // The render is over even if its end is not recorded. The alarm ends its lease.
            self.renders.end(token);
        }
        concluded
    }

    fn conclude(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        is_asked: bool,
        outcome: RenderOutcome,
        answer: Option<&(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        if is_asked && matches!(outcome, RenderOutcome::Done(_)) && self.is_current(turn, key, token)? {
            // The whole body has arrived at once.
            if let Some(whole) = answer {
                let ended = Some((outcome.clone(), Some(whole.clone())));
                if self.register(turn, token, whole.clone(), ended)?.is_none() {
                    return Ok(());
                }
            }
        }
        self.end(turn, key, token, outcome, answer)
    }

    /// Records the invalidations from before the registration, and continues with the render.
    pub(super) fn registered(
        &mut self,
        turn: Turn<'_>,
        token: Version,
        answer: Option<RegisterAnswer>,
    ) -> Result<(), StoreError> {
        let Some(render) = self.renders.get_mut(token) else {
            return Ok(());
        };
        let key = render.key.clone();
        // If the registration can't be recorded, the end of the render registers again.
        let registering = match std::mem::replace(&mut render.stage, Stage::Asked) {
            Stage::Registering(registering) => registering,
            other => {
                render.stage = other;
                return Ok(());
            }
        };
        let is_over = registering.ended.is_some();
        let continued = self.resume(turn, &key, token, *registering, answer);
        if is_over {
            self.renders.end(token);
        }
        continued
    }

    fn resume(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        registering: TagRegistration<B>,
        answer: Option<RegisterAnswer>,
    ) -> Result<(), StoreError> {
        let TagRegistration { tags, shards, since, answer: page, ended } = registering;
        // The tag index may have forgotten invalidations from before its floor.
        let has_forgotten = |answer: &RegisterAnswer| since <= answer.floor && answer.floor > Timestamp::default();
        let late_floor = answer.as_ref().filter(|answer| has_forgotten(answer)).map(|answer| answer.floor);
        let Some(known) = answer.filter(|_| late_floor.is_none()) else {
            if let Some(floor) = late_floor {
                let observed = self.observe(turn.moment, floor);
                self.note(observed);
            }
            // A render that goes on does so for the requests that already receive it.
            self.renders.set_stage(token, Stage::Private);
            let event = Event::Ended { token, outcome: RenderOutcome::Unregistered };
            let details = EventDetails { answer: Some(&page), ..EventDetails::default() };
            let stepped = self.step(turn, key, event, details);
            if stepped.is_err() {
                self.renders.set_stage(token, Stage::Asked);
            }
            return stepped;
        };
        for invalidation in &known.invalidations {
            self.invalidate(turn.moment, invalidation)?;
        }
        self.store.note_registered(&tags, shards)?;
        match ended {
            Some((outcome, answer)) => self.end(turn, key, token, outcome, answer.as_ref()),
            None => self.share(turn, key, token, &page),
        }
    }

    fn is_current(&self, turn: Turn<'_>, key: &PageKey, token: Version) -> Result<bool, StoreError> {
        if owner(turn.config, key) != self.name {
            return Ok(false);
        }
        Ok(self.store.load(key)?.lease.is_some_and(|lease| lease.token == token))
    }

    /// Steps the end of a render.
    pub(super) fn end(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        outcome: RenderOutcome,
        answer: Option<&(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        let stepped = self.step(
            turn,
            key,
            Event::Ended { token, outcome },
            EventDetails { answer, is_over: true, ..EventDetails::default() },
        );
        self.renders.end(token);
        stepped
    }
}
