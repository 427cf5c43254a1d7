//! Messages to the two objects.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;

use futures::future::{Either, select};
use js_sys::{Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use web_sys::{Headers, ReadableStream, Request, RequestInit, Response};
use worker::Env;

use crate::codec::{decode, encode};
use crate::config::Binding;
use crate::edge::body::source::Source;
use crate::edge::platform::js::{self, Fetcher, ObjectNamespace};
use crate::error::ObjectError;
use crate::protocol::{
    MESSAGE_PATH, NO_SQLITE_STATUS, NOT_UNDERSTOOD_STATUS, OFFER_HEADER, OFFER_PATH, Offer, REPLY_HEADER, Reply,
    StoreResult, TagIndexCall, ToCoordinator, ToTagIndex, UNKNOWN_PATH_STATUS,
};
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;
use crate::visit::CallFailure;

impl ObjectError {
    /// Returns what the failure means to a visit.
    pub(in crate::edge) const fn failure(&self) -> CallFailure {
        match self {
            Self::Unbound | Self::Unreachable { .. } => CallFailure::Unreachable,
            Self::Overloaded { .. } => CallFailure::Overloaded,
            Self::Timeout => CallFailure::Timeout,
            Self::Refused { status: NO_SQLITE_STATUS } => CallFailure::NoSqlite,
            Self::Refused { .. } | Self::NotUnderstood | Self::Garbled | Self::Storage { .. } => CallFailure::Failed,
        }
    }
}

impl From<JsValue> for ObjectError {
    fn from(error: JsValue) -> Self {
        // The platform sets these two properties on the error of a failed object.
        let has = |mark: &str| Reflect::get(&error, &mark.into()).is_ok_and(|mark| mark.is_truthy());
        let message = js::describe(&error);
        if has("overloaded") {
            Self::Overloaded { message }
        } else {
            Self::Unreachable { message, retryable: has("retryable") }
        }
    }
}

/// Sends a miss or the report of a stale page to a coordinator. Tries once more if the platform marks the error as
/// retryable.
pub(in crate::edge) async fn coordinator(
    env: &Env,
    shard: &ShardName,
    message: &ToCoordinator,
) -> Result<(Reply, Response), ObjectError> {
    match ask(env, shard, message).await {
        Err(ObjectError::Unreachable { retryable: true, .. }) => ask(env, shard, message).await,
        answer => answer,
    }
}

async fn ask(env: &Env, shard: &ShardName, message: &ToCoordinator) -> Result<(Reply, Response), ObjectError> {
    let stub = coordinators(env).ok_or(ObjectError::Unbound)?.get_by_name(shard.as_str())?;
    let response = post(&stub, message).await?;
    let reply = response.headers().get(REPLY_HEADER)?;
    let reply = reply.as_deref().and_then(Reply::from_header_value).ok_or(ObjectError::Garbled)?;
    Ok((reply, response))
}

/// Forwards an edge's message to the coordinator that owns the page, and returns its answer unchanged.
pub(in crate::edge) async fn forward(
    env: &Env,
    owner: &ShardName,
    message: ToCoordinator,
) -> Result<Response, ObjectError> {
    let stub = coordinators(env).ok_or(ObjectError::Unbound)?.get_by_name(owner.as_str())?;
    post(&stub, &message.forwarded_to(owner)).await
}

/// Delivers an invalidation to a coordinator, or asks for its progress.
pub(in crate::edge) async fn deliver<A: DeserializeOwned>(
    env: &Env,
    shard: &ShardName,
    message: &ToCoordinator,
) -> Result<A, ObjectError> {
    let stub = coordinators(env).ok_or(ObjectError::Unbound)?.get_by_name(shard.as_str())?;
    answer(&post(&stub, message).await?).await
}

/// Sends a page to the coordinator that gave the lease. The body is a stream, and can't be sent twice; `pump` fills it.
pub(in crate::edge) async fn offer(
    env: &Env,
    offer: &Offer,
    body: &ReadableStream,
    pump: impl Future<Output = Result<(), JsValue>>,
) -> Result<StoreResult, ObjectError> {
    let shard = offer.ticket.shard.as_str();
    let stub = coordinators(env).ok_or(ObjectError::Unbound)?.get_by_name(shard)?;
    let headers = Headers::new()?;
    headers.set(OFFER_HEADER, &offer.to_header_value())?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(body);
    let request = Request::new_with_str_and_init(&format!("https://object{OFFER_PATH}"), &init)?;
    // The coordinator may answer before it has read the whole body.
    let pump = async {
        if let Err(error) = pump.await {
            // The missing mark tells the coordinator. Its answer counts.
            worker::console_warn!("store: {}: {}", offer.ticket.key, js::describe(&error));
        }
        std::future::pending::<Infallible>().await
    };
    let response = match select(pin!(stub.fetch(&request)), pin!(pump)).await {
        Either::Left((response, _)) => response?,
        Either::Right((never, _)) => match never {},
    };
    if response.ok() { answer(&response).await } else { Err(refused(response.status())) }
}

/// Sends a message to a tag index object.
pub(in crate::edge) async fn tag_index<A: DeserializeOwned>(
    env: &Env,
    index: TagIndexName,
    tag_shards: u16,
    message: ToTagIndex,
) -> Result<A, ObjectError> {
    let stub = tag_indexes(env).ok_or(ObjectError::Unbound)?.get_by_name(&index.to_string())?;
    answer(&post(&stub, &TagIndexCall { tag_shards, message }).await?).await
}

/// Opens a stream from a tag index object. Returns it once the object has accepted it.
pub(in crate::edge) async fn listen(
    env: &Env,
    index: TagIndexName,
    tag_shards: u16,
    message: ToTagIndex,
) -> Result<Source, ObjectError> {
    let stub = tag_indexes(env).ok_or(ObjectError::Unbound)?.get_by_name(&index.to_string())?;
    let response = post(&stub, &TagIndexCall { tag_shards, message }).await?;
    Ok(Source::of(response.body())?)
}

async fn answer<A: DeserializeOwned>(response: &Response) -> Result<A, ObjectError> {
    decode(&js::bytes(response.array_buffer()?).await?.to_vec()).ok_or(ObjectError::Garbled)
}

async fn post<M: Serialize>(stub: &Fetcher, message: &M) -> Result<Response, ObjectError> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&Uint8Array::from(encode(message).as_slice()));
    // The stub determines the object; the host has no meaning.
    let request = Request::new_with_str_and_init(&format!("https://object{MESSAGE_PATH}"), &init)?;
    let response = stub.fetch(&request).await?;
    if response.ok() { Ok(response) } else { Err(refused(response.status())) }
}

/// Returns the namespace of coordinators. It exists if the settings are valid.
fn coordinators(env: &Env) -> Option<ObjectNamespace> {
    js::binding(env, Binding::Coordinator.default_name())
}

/// Returns the namespace of the tag index.
fn tag_indexes(env: &Env) -> Option<ObjectNamespace> {
    js::binding(env, Binding::TagIndex.default_name())
}

/// Returns what an answer with an error status means.
const fn refused(status: u16) -> ObjectError {
    match status {
        NOT_UNDERSTOOD_STATUS | UNKNOWN_PATH_STATUS => ObjectError::NotUnderstood,
        status => ObjectError::Refused { status },
    }
}
