//! One coordinator of the year. Renders, writes to L2, and messages take no time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::database::Database;
use super::site::{self, Page};
use crate::config::Config;
use crate::coordinator::{Effect, Handled, Input, Moment, PageContent, ReadResult, RenderOutcome, Shard, WaiterId};
use crate::page::PageMeta;
use crate::protocol::{RegisterAnswer, ToTagIndex};
use crate::semantics::client_rules::ClientRules;
use crate::semantics::digest::Digest;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::tag_index::tables::RegisterResult;
use crate::time::Timestamp;
use crate::version::Version;

/// The freshness lifetime of a page.
const FRESH_FOR: Duration = Duration::from_hours(24);

/// How long a page may be served after that.
const STALE_FOR: Duration = Duration::from_hours(7 * 24);

/// The content of a page, which does not matter here.
#[derive(Clone, Debug)]
pub(super) struct Content;

impl PageContent for Content {
    fn header_bytes(&self) -> u64 {
        200
    }
}

/// A message to the tag index, with the token of the render that waits for its answer.
pub(super) type Message = (Option<Version>, ToTagIndex);

/// The answer to it.
pub(super) enum Answer {
    Registered(Option<Version>, RegisterResult),
    Unregistered(bool),
}

/// A coordinator and its database.
pub(super) struct Coordinator {
    name: ShardName,
    database: Database,
    shard: Option<Shard<Database, Content>>,
    alarm: Option<u64>,
    inputs: u64,
}

impl Coordinator {
    pub(super) fn new(name: ShardName, config: &Config, now: u64) -> Self {
        let mut coordinator = Self { name, database: Database::new(), shard: None, alarm: None, inputs: 0 };
        coordinator.reopen(config, now);
        coordinator
    }

    /// Begins a new life.
    pub(super) fn reopen(&mut self, config: &Config, now: u64) {
        let moment = self.moment(now);
        let (shard, effects) = Shard::open(self.database.clone(), config, moment).expect("it is sound");
        self.shard = Some(shard);
        for effect in effects {
            if let Effect::WakeAt(time) = effect {
                self.wake_at(time);
            }
        }
    }

    pub(super) fn name(&self) -> &ShardName {
        &self.name
    }

    /// Returns random bits that are the same in each run.
    fn moment(&mut self, now: u64) -> Moment {
        self.inputs += 1;
        let mixed = u128::from(self.inputs).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        Moment { now: Timestamp::from_millis(now), random: mixed ^ mixed >> 57 }
    }

    pub(super) fn request(&mut self, page: &Page) -> Input<Content> {
        self.inputs += 1;
        Input::Request {
            waiter: WaiterId(self.inputs),
            shard: self.name.clone(),
            key: page.key(),
            served: None,
            newer_than: None,
            forwarded: false,
            renders: false,
        }
    }

    /// Feeds an input to the shard, and performs its effects. Their results are further inputs. Returns the messages to
    /// the tag index.
    pub(super) fn on(
        &mut self,
        config: &Config,
        now: u64,
        input: Input<Content>,
        l2: &mut BTreeSet<String>,
        inputs: &mut Vec<Input<Content>>,
    ) -> Vec<Message> {
        let moment = self.moment(now);
        if self.shard.is_none() {
            self.reopen(config, now);
        }
        let Some(shard) = self.shard.as_mut() else { return Vec::new() };
        let Handled { effects, failure } = shard.on(config, moment, input);
        assert_eq!(failure, None, "the database is sound");
        let mut messages = Vec::new();
        for effect in effects {
            match effect {
                Effect::Reply { .. } | Effect::Forward { .. } | Effect::Abandon { .. } | Effect::Ring => {}
                Effect::WakeAt(time) => self.wake_at(time),
                Effect::Render { key, token, .. } => inputs.push(rendered(key, token)),
                Effect::Register { token, messages: told } => {
                    messages.extend(told.into_iter().map(|(_, message)| (Some(token), message)));
                }
                Effect::Unregister { messages: told } => {
                    messages.extend(told.into_iter().map(|(_, message)| (None, message)));
                }
                Effect::Read(read) => {
                    let has = l2.contains(read.page.key.as_str());
                    let found = if has { ReadResult::Same(Content) } else { ReadResult::Other };
                    inputs.push(Input::Read { read, found });
                }
                Effect::Write(page, _) => {
                    l2.insert(page.key.as_str().to_owned());
                    inputs.push(Input::Wrote { key: page.key, version: Some(page.version), taken: true });
                }
                Effect::Delete(key) => {
                    l2.remove(key.as_str());
                    inputs.push(Input::Wrote { key, version: None, taken: true });
                }
                Effect::End => {
                    self.shard = None;
                    self.database = Database::new();
                    self.alarm = None;
                    return messages;
                }
            }
        }
        messages
    }

    /// Returns the input that brings the tag index's answer.
    pub(super) fn answered(answer: Answer) -> Option<Input<Content>> {
        match answer {
            Answer::Registered(Some(token), RegisterResult { invalidations, floor }) => {
                Some(Input::Registered { token, answer: Some(RegisterAnswer { invalidations, floor }) })
            }
            Answer::Registered(None, _) => None,
            Answer::Unregistered(more) => Some(Input::Unregistered { more: Some(more) }),
        }
    }

    fn wake_at(&mut self, time: Timestamp) {
        let time = time.as_millis();
        self.alarm = Some(self.alarm.map_or(time, |set| set.min(time)));
    }

    pub(super) fn alarm_is_due(&self, now: u64) -> bool {
        self.alarm.is_some_and(|alarm| alarm <= now)
    }

    /// Sets the alarm again after a run.
    pub(super) fn alarm_ended(&mut self, now: u64) {
        let next = self.shard.as_ref().and_then(|shard| shard.next_deadline().expect("it is sound"));
        self.alarm = next.map(|next| next.as_millis().max(now + 1));
    }

    /// Returns the rows and the bytes of each table.
    pub(super) fn measure(&self) -> Vec<(String, u64, u64)> {
        self.database.measure()
    }
}

/// Returns the end of a render.
fn rendered(key: PageKey, token: Version) -> Input<Content> {
    let start = token.time();
    let page = PageMeta {
        tags: site::tags_of(&key),
        version: token,
        status: 200,
        rendered_at: start,
        windows: Windows::new(start, Revalidate::After(FRESH_FOR), STALE_FOR, STALE_FOR).expect("they are valid"),
        body_bytes: Some(500),
        digest: Digest::parse(&format!(
            "{:032x}",
            u128::from_be_bytes(token.to_string().as_bytes()[10..26].try_into().expect("16 bytes"))
        )),
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
        key: key.clone(),
    };
    Input::Ended { key, token, outcome: RenderOutcome::Done(page.clone()), answer: Some((page, Content)) }
}
