//! The stages of a render: the head of the response, the registration of its tags, the end.

use super::{EventDetails, Shard, Turn, owner};
use crate::coordinator::io::Effect;
use crate::coordinator::renders::{Stage, TagRegistration};
use crate::coordinator::{Event, RenderOutcome};
use crate::page::PageMeta;
use crate::protocol::RegisterAnswer;
use crate::route::Route;
use crate::semantics::key::PageKey;
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;
use crate::version::Version;

impl<S: Sql, B: Clone> Shard<S, B> {
    /// Shares a response that has begun to arrive, as soon as its tags are registered.
    pub(super) fn head(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        answer: (PageMeta, B),
    ) -> Result<(), StoreError> {
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
        let Some(render) = self.renders.get_mut(token).filter(|_| !is_known) else {
            return Ok(Some(answer));
        };
        // A slower render of another page may carry the same tags, and find them registered when it ends. So the
        // registration must ask for the invalidations since the oldest render began.
        let start = answer.0.render_start();
        let oldest = self.store.oldest_lease()?;
        let since = oldest.map_or(start, |oldest| oldest.min(start));
        render.stage =
            Stage::Registering(Box::new(TagRegistration { tags: tags.clone(), shards, since, answer, ended }));
        self.effects.push(Effect::Register { token, shard, shards, is_new, tags, since });
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
        if is_asked && matches!(outcome, RenderOutcome::Done(_)) && self.is_current(turn, key, token)? {
            // The whole body has arrived at once.
            if let Some(whole) = answer.clone() {
                let ended = Some((outcome.clone(), answer.clone()));
                if self.register(turn, token, whole, ended)?.is_none() {
                    return Ok(());
                }
            }
        }
        self.end(turn, key, token, outcome, answer.as_ref())
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
        let registering = match std::mem::replace(&mut render.stage, Stage::Private) {
            Stage::Registering(registering) => registering,
            other => {
                render.stage = other;
                return Ok(());
            }
        };
        let TagRegistration { tags, shards, since, answer: page, ended } = *registering;
        // The tag index may have forgotten invalidations from before its floor.
        let known = answer.filter(|answer| answer.floor < since || answer.floor == Timestamp::default());
        let Some(known) = known else {
            let is_over = ended.is_some();
            self.step(
                turn,
                &key,
                Event::Ended { token, outcome: RenderOutcome::Unregistered },
                EventDetails { answer: Some(&page), ..EventDetails::default() },
            )?;
            return if is_over { self.after_end(turn, token) } else { Ok(()) };
        };
        for invalidation in &known.invalidations {
            self.invalidate(turn.moment, invalidation)?;
        }
        self.store.note_registered(&tags, shards)?;
        if let Some(render) = self.renders.get_mut(token) {
            render.stage = Stage::Asked;
        }
        match ended {
            Some((outcome, answer)) => self.end(turn, &key, token, outcome, answer.as_ref()),
            None => self.share(turn, &key, token, &page),
        }
    }

    fn is_current(&self, turn: Turn<'_>, key: &PageKey, token: Version) -> Result<bool, StoreError> {
        if owner(turn.config, key) != self.name {
            return Ok(false);
        }
        Ok(self.store.load(key)?.lease.is_some_and(|lease| lease.token == token))
    }

    /// Steps the end of a render, and begins the next queued one.
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
        self.after_end(turn, token)?;
        stepped
    }

    pub(super) fn after_end(&mut self, turn: Turn<'_>, token: Version) -> Result<(), StoreError> {
        self.renders.end(token);
        while let Some((key, token)) = self.renders.next() {
            self.begin(turn, key, token, false)?;
        }
        Ok(())
    }
}
