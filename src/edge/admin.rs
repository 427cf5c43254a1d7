//! Invalidation on demand: `POST /__isr/revalidate` for whoever has the token, and the same as RPC methods for Workers
//! that are bound to the gateway or to its objects.

use futures::stream::{self, StreamExt, TryStreamExt};
use js_sys::{ArrayBuffer, Uint8Array};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::Env;

use crate::edge::calls::{self, CallError};
use crate::edge::settings::{Secret, Settings};
use crate::edge::{feed_poll, respond};
use crate::feed::{Invalidation, Mode, Refresh, Scope};
use crate::invalidate::{self, Call};
use crate::protocol::{InvalidateAnswer, Progress, ToTagIndex};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Where the gateway's own paths begin.
const PREFIX: &str = "/__isr";

/// How many invalidations of one call are recorded side by side.
const PARALLEL: usize = 6;

/// The most bytes of a request body.
const MAX_BODY_BYTES: u64 = 16 * 1024;

/// Whose fault it is that a call was not carried out, and what the caller is told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum AdminError {
    /// There is nothing at this path, or the path is switched off.
    #[error("there is nothing here")]
    NotFound,
    /// Another method than the one that is served.
    #[error("use {allow}")]
    Method {
        /// The method that is served.
        allow: &'static str,
    },
    /// No token, or a wrong one.
    #[error("send the admin token as `Authorization: Bearer <token>`")]
    Unauthorized,
    /// The body's length is not announced.
    #[error("send the body's length in `Content-Length`")]
    Length,
    /// The body is over its bound.
    #[error("the body may have at most {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The argument is not what is expected.
    #[error("{0}")]
    Argument(String),
    /// No invalidation of that number is in the log.
    #[error("no invalidation {seq} is known: the log keeps the newest 100,000")]
    UnknownInvalidation {
        /// The number.
        seq: u64,
    },
    /// The tag index could not be reached: nothing is known to be recorded.
    #[error("the invalidation could not be recorded; try again")]
    Unavailable,
}

impl AdminError {
    fn status(&self) -> u16 {
        match self {
            Self::NotFound | Self::UnknownInvalidation { .. } => 404,
            Self::Method { .. } => 405,
            Self::Unauthorized => 401,
            Self::Length => 411,
            Self::TooLarge => 413,
            Self::Argument(_) => 400,
            Self::Unavailable => 503,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound | Self::UnknownInvalidation { .. } => "not_found",
            Self::Method { .. } => "method_not_allowed",
            Self::Unauthorized => "unauthorized",
            Self::Length => "length_required",
            Self::TooLarge => "too_large",
            Self::Argument(_) => "invalid_argument",
            Self::Unavailable => "unavailable",
        }
    }

    fn to_json(&self) -> Value {
        json!({ "error": { "code": self.code(), "message": self.to_string() } })
    }
}

impl From<invalidate::CallError> for AdminError {
    fn from(error: invalidate::CallError) -> Self {
        Self::Argument(error.to_string())
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        worker::console_error!("tag index: {error}");
        Self::Unavailable
    }
}

impl From<CallError> for AdminError {
    fn from(error: CallError) -> Self {
        worker::console_error!("tag index: {error}");
        Self::Unavailable
    }
}

/// Tells whether a path is the gateway's own.
pub(super) fn is_admin(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to a path of the gateway's own.
pub(super) async fn http(
    request: &Request,
    method: &str,
    path: &str,
    env: &Env,
    settings: &Settings,
) -> Result<Response, JsValue> {
    let answer = match (settings.admin_token.as_ref(), path.strip_prefix("/__isr/invalidations/")) {
        (Some(token), None) if path == "/__isr/revalidate" => revalidate(request, method, env, token).await,
        (Some(token), Some(seq)) => progress(request, method, env, token, seq).await,
        _ => Err(AdminError::NotFound),
    };
    let error = match answer {
        Ok(answer) => return respond::json(200, &answer),
        Err(error) => error,
    };
    let response = respond::json(error.status(), &error.to_json())?;
    match error {
        AdminError::Method { allow } => response.headers().set("allow", allow)?,
        AdminError::Unauthorized => response.headers().set("www-authenticate", "Bearer")?,
        _ => {}
    }
    Ok(response)
}

async fn revalidate(request: &Request, method: &str, env: &Env, token: &Secret) -> Result<Value, AdminError> {
    if method != "POST" {
        return Err(AdminError::Method { allow: "POST" });
    }
    authorize(request, token)?;
    let body = serde_json::from_slice(&body(request).await?)
        .map_err(|error| AdminError::Argument(format!("the body is not JSON: {error}")))?;
    let call = Call::from_json(&body)?;
    Ok(json!({ "invalidations": invalidate_all(env, call).await? }))
}

async fn progress(request: &Request, method: &str, env: &Env, token: &Secret, seq: &str) -> Result<Value, AdminError> {
    if method != "GET" {
        return Err(AdminError::Method { allow: "GET" });
    }
    authorize(request, token)?;
    let seq = seq.parse().map_err(|_| AdminError::NotFound)?;
    invalidation(env, seq).await
}

fn authorize(request: &Request, token: &Secret) -> Result<(), AdminError> {
    let header = request.headers().get("authorization").ok().flatten().unwrap_or_default();
    let claim = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if !claim.is_some_and(|(_, claim)| token.is(claim.trim())) {
        return Err(AdminError::Unauthorized);
    }
    Ok(())
}

/// Reads the body, if its announced length is within the bound.
async fn body(request: &Request) -> Result<Vec<u8>, AdminError> {
    let unreadable = |_| AdminError::Argument("the body could not be read".to_owned());
    let announced = request.headers().get("content-length").ok().flatten();
    match announced.and_then(|length| length.parse::<u64>().ok()) {
        None => return Err(AdminError::Length),
        Some(length) if length > MAX_BODY_BYTES => return Err(AdminError::TooLarge),
        Some(_) => {}
    }
    let buffer: ArrayBuffer =
        JsFuture::from(request.array_buffer().map_err(unreadable)?).await.map_err(unreadable)?.unchecked_into();
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// Whoever records invalidations.
pub(super) trait TagIndex {
    /// Records an invalidation, and delivers it.
    async fn invalidate(&self, scope: Scope, mode: Mode, refresh: Refresh) -> Result<InvalidateAnswer, AdminError>;

    /// Tells what has come of one; `None` if it is not known (any more).
    async fn progress(&self, seq: u64) -> Result<Option<Progress>, AdminError>;
}

impl TagIndex for Env {
    async fn invalidate(&self, scope: Scope, mode: Mode, refresh: Refresh) -> Result<InvalidateAnswer, AdminError> {
        Ok(calls::tag_index(self, &ToTagIndex::Invalidate { scope, mode, refresh }).await?)
    }

    async fn progress(&self, seq: u64) -> Result<Option<Progress>, AdminError> {
        Ok(calls::tag_index(self, &ToTagIndex::Progress { seq }).await?)
    }
}

/// Carries out a call, a few of its scopes side by side. The receipts are in the order of the scopes.
async fn invalidate_all(tag_index: &impl TagIndex, call: Call) -> Result<Vec<Value>, AdminError> {
    let Call { scopes, mode, refresh } = call;
    let answers = stream::iter(scopes).map(|scope| tag_index.invalidate(scope, mode, refresh)).buffered(PARALLEL);
    answers.map_ok(receipt).try_collect().await
}

/// Says what has come of an invalidation.
async fn invalidation(tag_index: &impl TagIndex, seq: u64) -> Result<Value, AdminError> {
    let progress = tag_index.progress(seq).await?.ok_or(AdminError::UnknownInvalidation { seq })?;
    let mut value = described(&progress.invalidation, progress.applied, progress.pending, progress.matched);
    value["pages"] = match progress.pages {
        Some(pages) => json!({
            "matched": progress.matched,
            "refreshed": pages.done,
            "failed": pages.failed,
            "pending": pages.pending,
        }),
        None => json!({ "matched": progress.matched }),
    };
    value["doneAt"] = json!(progress.pages.and_then(|pages| pages.done_at).map(Timestamp::as_millis));
    Ok(value)
}

/// Notes an invalidation for this isolate, and says what the caller is told of it.
fn receipt(answer: InvalidateAnswer) -> Value {
    let value = described(&answer.invalidation, answer.applied, answer.pending, answer.matched);
    feed_poll::note(answer.invalidation);
    value
}

fn described(invalidation: &Invalidation, applied: u64, pending: u64, matched: u64) -> Value {
    let (scope, name) = match &invalidation.scope {
        Scope::Path(path) => ("path", json!(path.as_str())),
        Scope::Tag(tag) => ("tag", json!(tag.as_str())),
        Scope::Prefix(prefix) => ("prefix", json!(prefix.as_str())),
        Scope::Route(route) => ("route", json!(route.as_str())),
        Scope::Everything => ("everything", json!(true)),
    };
    json!({
        "seq": invalidation.seq,
        scope: name,
        "mode": invalidation.mode,
        "refresh": invalidation.refresh,
        "pages": { "matched": matched },
        "shards": { "applied": applied, "pending": pending },
    })
}

/// An RPC call as the entry module writes it.
#[derive(Deserialize)]
struct RpcCall {
    method: String,
    #[serde(default)]
    argument: Value,
    #[serde(default)]
    options: Value,
}

/// Carries out an RPC call anywhere but in the tag index itself.
pub(super) async fn rpc(env: &Env, call: &[u8]) -> String {
    rpc_with(call, env).await
}

/// Carries out an RPC call, and returns its JSON answer: the value, or `{"error": {"code", "message"}}`, which the entry
/// module throws.
pub(super) async fn rpc_with(call: &[u8], tag_index: &impl TagIndex) -> String {
    let answer = match serde_json::from_slice(call) {
        Ok(call) => carry_out(call, tag_index).await,
        Err(_) => Err(AdminError::NotFound),
    };
    answer.unwrap_or_else(|error| error.to_json()).to_string()
}

async fn carry_out(call: RpcCall, tag_index: &impl TagIndex) -> Result<Value, AdminError> {
    let RpcCall { method, argument, options } = call;
    let one = |mut receipts: Vec<Value>| receipts.pop().unwrap_or_default();
    match method.as_str() {
        "revalidatePath" => {
            invalidate_all(tag_index, Call::from_arguments("path", &argument, &options)?).await.map(one)
        }
        "revalidateTag" => invalidate_all(tag_index, Call::from_arguments("tag", &argument, &options)?).await.map(one),
        "invalidate" => {
            let receipts = invalidate_all(tag_index, Call::from_json(&argument)?).await?;
            Ok(json!({ "invalidations": receipts }))
        }
        "invalidation" => {
            let wrong = || AdminError::Argument("invalidation takes the `seq` of a receipt, a number".to_owned());
            invalidation(tag_index, argument.as_u64().ok_or_else(wrong)?).await
        }
        _ => Err(AdminError::NotFound),
    }
}

/// Carries out an RPC call on the Worker's entrypoint. Called by the entry module with `env` and the call as JSON.
#[wasm_bindgen(js_name = isrRpc)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn entrypoint_rpc(env: JsValue, call: String) -> String {
    rpc(&env.unchecked_into::<Env>(), call.as_bytes()).await
}
