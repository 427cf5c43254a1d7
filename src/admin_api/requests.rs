//! The requests of the endpoints, parsed.

use std::fmt;

use serde_json::Value;

use super::{Arguments, ENDPOINTS, Operation, Parameter, QueryError, Survey};
use crate::inspection::answer::State;
use crate::inspection::places::Places;
use crate::invalidation::PathPrefix;
use crate::semantics::key::{CanonicalPath, PageKey, RequestUrl};
use crate::semantics::tag::{MAX_TAG_BYTES, Tag};
use crate::shard_name::ShardName;
use crate::time::Timestamp;

fn shard(arguments: &Arguments, name: &'static str) -> Result<Option<ShardName>, QueryError> {
    arguments.get(name, ShardName::from_stored)
}

fn route(arguments: &Arguments) -> Result<Option<String>, QueryError> {
    arguments.get("route", |text| text.starts_with('/').then(|| text.to_owned()))
}

fn path(text: &str) -> Option<CanonicalPath> {
    CanonicalPath::parse(text).ok().filter(|_| !text.contains(['?', '#']))
}

/// The parameters of an endpoint.
fn parameters(operation: Operation) -> &'static [Parameter] {
    ENDPOINTS.iter().find(|endpoint| endpoint.operation == operation).map_or(&[], |endpoint| endpoint.parameters)
}

/// `GET /__isr/shards`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardsRequest {
    /// Only coordinators of this route.
    pub route: Option<String>,
    /// Only coordinators after this one.
    pub after: Option<ShardName>,
    /// The most coordinators to list.
    pub limit: u32,
}

impl ShardsRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        Ok(Self { route: route(arguments)?, after: shard(arguments, "after")?, limit: arguments.limit()? })
    }
}

/// `GET /__isr/overview`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverviewRequest {
    /// Only coordinators after this one.
    pub after: Option<ShardName>,
}

impl OverviewRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        Ok(Self { after: shard(arguments, "after")? })
    }

    /// Reads the options of the RPC method.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn from_options(options: &Value) -> Result<Self, QueryError> {
        Self::read(&Arguments::from_options(parameters(Operation::Survey(Survey::Overview)), options)?)
    }
}

/// `GET /__isr/entries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntriesRequest {
    /// Only pages at or below this path.
    pub prefix: Option<PathPrefix>,
    /// Only pages with this tag.
    pub tag: Option<Tag>,
    /// Only pages of this route.
    pub route: Option<String>,
    /// Only pages of this coordinator.
    pub shard: Option<ShardName>,
    /// Only pages in this state.
    pub state: Option<State>,
    /// The place at which the list continues.
    pub after: Option<ListAfter>,
    /// The most pages to list.
    pub limit: u32,
}

impl EntriesRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        let (route, shard) = (route(arguments)?, shard(arguments, "shard")?);
        if route.is_some() && shard.is_some() {
            return Err(QueryError::NotOne { fields: "`route` and `shard`" });
        }
        Ok(Self {
            prefix: arguments.get("prefix", |text| path(text)?.try_into().ok())?,
            tag: arguments.get("tag", |text| Tag::parse(text).ok())?,
            route,
            shard,
            state: arguments.get("state", State::parse)?,
            after: arguments.get("after", ListAfter::parse)?,
            limit: arguments.limit()?,
        })
    }
}

/// The place at which a list of pages over several coordinators continues: in a coordinator, after a key or with the first.
/// As text: the coordinator's name, a space, and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListAfter {
    /// The coordinator.
    pub shard: ShardName,
    /// The key; `None`: with the first.
    pub key: Option<PageKey>,
}

impl ListAfter {
    /// Parses the output of [`fmt::Display`]. A key contains no space.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let with_key = || {
            let (shard, key) = text.rsplit_once(' ')?;
            let key = Some(PageKey::from_stored(key).ok()?);
            Some(Self { shard: ShardName::from_stored(shard)?, key })
        };
        with_key().or_else(|| Some(Self { shard: ShardName::from_stored(text)?, key: None }))
    }
}

impl fmt::Display for ListAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{} {key}", self.shard),
            None => write!(f, "{}", self.shard),
        }
    }
}

/// `GET /__isr/entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryRequest {
    /// The page of an absolute URL.
    Url(String),
    /// All pages of a path.
    Path(CanonicalPath),
}

impl EntryRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        let url = arguments.get("url", |text| RequestUrl::parse(text).ok().map(|_| text.to_owned()))?;
        match (url, arguments.get("path", path)?) {
            (Some(url), None) => Ok(Self::Url(url)),
            (None, Some(path)) => Ok(Self::Path(path)),
            _ => Err(QueryError::NotOne { fields: "`url` and `path`" }),
        }
    }
}

/// `GET /__isr/tags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsRequest {
    /// Only tags that begin with this text.
    pub prefix: String,
    /// Only tags after this one.
    pub after: Option<Tag>,
    /// The most tags to list.
    pub limit: u32,
}

impl TagsRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        let prefix = arguments.get("prefix", |text| (text.len() <= MAX_TAG_BYTES).then(|| text.to_owned()))?;
        Ok(Self {
            prefix: prefix.unwrap_or_default(),
            after: arguments.get("after", |text| Tag::parse(text).ok())?,
            limit: arguments.limit()?,
        })
    }
}

/// `GET /__isr/invalidations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidationsRequest {
    /// The time and the number of the last invalidation that the caller has.
    pub after: Option<(Timestamp, u64)>,
    /// The most invalidations to list.
    pub limit: u32,
}

impl InvalidationsRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        let after = arguments.get("after", |text| {
            let (at, seq) = text.split_once('.')?;
            Some((Timestamp::from_millis(at.parse().ok()?), seq.parse().ok()?))
        })?;
        Ok(Self { after, limit: arguments.limit()? })
    }

    /// Returns the `after` of an answer whose last invalidation is this.
    #[must_use]
    pub fn after(at: Timestamp, seq: u64) -> String {
        format!("{}.{seq}", at.as_millis())
    }
}

/// `GET /__isr/leases`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasesRequest {
    /// Only renders of this coordinator.
    pub shard: Option<ShardName>,
    /// Only coordinators after this one.
    pub after: Option<ShardName>,
    /// The most renders to list, per coordinator.
    pub limit: u32,
}

impl LeasesRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        let (only, after) = (shard(arguments, "shard")?, shard(arguments, "after")?);
        Ok(Self { shard: only, after, limit: arguments.limit()? })
    }
}

/// `GET /__isr/decisions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionsRequest {
    /// Only decisions of this coordinator.
    pub shard: Option<ShardName>,
    /// The last decisions that the caller has; `None`: the latest are requested.
    pub after: Option<Places>,
    /// The most decisions to list.
    pub limit: u32,
}

impl DecisionsRequest {
    /// Reads the query.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(arguments: &Arguments) -> Result<Self, QueryError> {
        let shard = shard(arguments, "shard")?;
        let after = arguments.get("after", |text| Places::parse(text, shard.as_ref()))?;
        Ok(Self { shard, after, limit: arguments.limit()? })
    }

    /// Reads the options of the RPC method.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn from_options(options: &Value) -> Result<Self, QueryError> {
        Self::read(&Arguments::from_options(parameters(Operation::Survey(Survey::Decisions)), options)?)
    }

    /// Continues after the `Last-Event-ID` of a stream, if it is valid.
    #[must_use]
    pub fn continued(self, last_event: &str) -> Option<Self> {
        let after = Places::parse(last_event, self.shard.as_ref())?;
        Some(Self { after: Some(after), ..self })
    }
}
