//! Invalidation on demand: `POST /__isr/revalidate` for whoever has the token, and the same as RPC methods for Workers
//! that are bound to the gateway or to its objects.

use std::future::Future;

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
use crate::feed::{Mode, Scope};
use crate::invalidate::{self, Call};
use crate::protocol::{InvalidateAnswer, ToTagIndex};
use crate::store::StoreError;

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
    #[error("use POST")]
    Method,
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
    /// The tag index could not be reached: nothing is known to be recorded.
    #[error("the invalidation could not be recorded; try again")]
    Unavailable,
}

impl AdminError {
    fn status(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Method => 405,
            Self::Unauthorized => 401,
            Self::Length => 411,
            Self::TooLarge => 413,
            Self::Argument(_) => 400,
            Self::Unavailable => 503,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
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
    let answer = match settings.admin_token.as_ref().filter(|_| path == "/__isr/revalidate") {
        Some(token) => revalidate(request, method, env, token).await,
        None => Err(AdminError::NotFound),
    };
    let error = match answer {
        Ok(answer) => return respond::json(200, &answer),
        Err(error) => error,
    };
    let response = respond::json(error.status(), &error.to_json())?;
    match error {
        AdminError::Method => response.headers().set("allow", "POST")?,
        AdminError::Unauthorized => response.headers().set("www-authenticate", "Bearer")?,
        _ => {}
    }
    Ok(response)
}

async fn revalidate(request: &Request, method: &str, env: &Env, token: &Secret) -> Result<Value, AdminError> {
    if method != "POST" {
        return Err(AdminError::Method);
    }
    let header = request.headers().get("authorization").ok().flatten().unwrap_or_default();
    let claim = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if !claim.is_some_and(|(_, claim)| token.is(claim.trim())) {
        return Err(AdminError::Unauthorized);
    }
    let body = serde_json::from_slice(&body(request).await?)
        .map_err(|error| AdminError::Argument(format!("the body is not JSON: {error}")))?;
    let call = Call::from_json(&body)?;
    Ok(json!({ "invalidations": invalidate_all(call, |scope, mode| invalidate(env, scope, mode)).await? }))
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

/// Carries out a call, a few of its scopes side by side. The receipts are in the order of the scopes.
async fn invalidate_all<F>(call: Call, invalidate: impl Fn(Scope, Mode) -> F) -> Result<Vec<Value>, AdminError>
where
    F: Future<Output = Result<InvalidateAnswer, AdminError>>,
{
    let answers = stream::iter(call.scopes).map(|scope| invalidate(scope, call.mode)).buffered(PARALLEL);
    answers.map_ok(receipt).try_collect().await
}

/// Records an invalidation with the tag index, which delivers it; this isolate knows of it at once.
async fn invalidate(env: &Env, scope: Scope, mode: Mode) -> Result<InvalidateAnswer, AdminError> {
    Ok(calls::tag_index(env, &ToTagIndex::Invalidate { scope, mode }).await?)
}

/// Notes an invalidation for this isolate, and says what the caller is told of it.
fn receipt(answer: InvalidateAnswer) -> Value {
    let (scope, name) = match &answer.invalidation.scope {
        Scope::Path(path) => ("path", json!(path.as_str())),
        Scope::Tag(tag) => ("tag", json!(tag.as_str())),
        Scope::Prefix(prefix) => ("prefix", json!(prefix.as_str())),
        Scope::Route(route) => ("route", json!(route.as_str())),
        Scope::Everything => ("everything", json!(true)),
    };
    let value = json!({
        "seq": answer.invalidation.seq,
        scope: name,
        "mode": answer.invalidation.mode,
        "shards": { "applied": answer.applied, "pending": answer.pending },
    });
    feed_poll::note(answer.invalidation);
    value
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

/// Reads an RPC call. The flag says whether it asks for one receipt rather than for a list.
fn rpc_call(call: &[u8]) -> Result<(Call, bool), AdminError> {
    let RpcCall { method, argument, options } = serde_json::from_slice(call).map_err(|_| AdminError::NotFound)?;
    match method.as_str() {
        "revalidatePath" => Ok((Call::from_arguments("path", &argument, &options)?, true)),
        "revalidateTag" => Ok((Call::from_arguments("tag", &argument, &options)?, true)),
        "invalidate" => Ok((Call::from_json(&argument)?, false)),
        _ => Err(AdminError::NotFound),
    }
}

/// Carries out an RPC call anywhere but in the tag index itself.
pub(super) async fn rpc(env: &Env, call: &[u8]) -> String {
    rpc_with(call, |scope, mode| invalidate(env, scope, mode)).await
}

/// Carries out an RPC call, and returns its JSON answer: the value, or `{"error": {"code", "message"}}`, which the entry
/// module throws.
pub(super) async fn rpc_with<F>(call: &[u8], invalidate: impl Fn(Scope, Mode) -> F) -> String
where
    F: Future<Output = Result<InvalidateAnswer, AdminError>>,
{
    let answer = async {
        let (call, is_one) = rpc_call(call)?;
        let mut receipts = invalidate_all(call, invalidate).await?;
        Ok(if is_one { receipts.pop().unwrap_or_default() } else { json!({ "invalidations": receipts }) })
    };
    let answer: Result<Value, AdminError> = answer.await;
    answer.unwrap_or_else(|error| error.to_json()).to_string()
}

/// Carries out an RPC call on the Worker's entrypoint. Called by the entry module with `env` and the call as JSON.
#[wasm_bindgen(js_name = isrRpc)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn entrypoint_rpc(env: JsValue, call: String) -> String {
    rpc(&env.unchecked_into::<Env>(), call.as_bytes()).await
}
