//! Invalidation on demand: `POST /__isr/revalidate` for whoever has the token, and the same as RPC methods for Workers
//! that are bound to the gateway or to its objects.

use js_sys::{ArrayBuffer, Uint8Array};
use serde_json::{Map, Value, json};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::Env;

use crate::edge::calls::{self, CallError};
use crate::edge::settings::{Secret, Settings};
use crate::edge::{feed_poll, respond};
use crate::feed::{Mode, Scope};
use crate::protocol::{InvalidateAnswer, ToTagIndex};
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;

/// Where the gateway's own paths begin.
const PREFIX: &str = "/__isr";

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
    let scopes = scopes(&body(request).await?)?;
    let mut invalidations = Vec::with_capacity(scopes.len());
    for scope in scopes {
        invalidations.push(invalidate(env, scope).await?);
    }
    Ok(json!({ "invalidations": invalidations }))
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

/// Reads `{"path": ..}`, `{"tag": ..}`, or both.
fn scopes(body: &[u8]) -> Result<Vec<Scope>, AdminError> {
    let wrong = |message: &str| AdminError::Argument(message.to_owned());
    let value: Value =
        serde_json::from_slice(body).map_err(|error| AdminError::Argument(format!("the body is not JSON: {error}")))?;
    let Value::Object(fields) = value else {
        return Err(wrong("the body must be a JSON object with `path`, `tag` or both"));
    };
    if let Some(name) = fields.keys().find(|name| !matches!(name.as_str(), "path" | "tag")) {
        return Err(AdminError::Argument(format!("unknown field {name:?}; give `path`, `tag` or both")));
    }
    let mut scopes = Vec::new();
    if let Some(path) = text(&fields, "path")? {
        scopes.push(path_scope(path)?);
    }
    if let Some(tag) = text(&fields, "tag")? {
        scopes.push(tag_scope(tag)?);
    }
    if scopes.is_empty() { Err(wrong("give `path`, `tag` or both")) } else { Ok(scopes) }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, AdminError> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(AdminError::Argument(format!("`{name}` must be a string"))),
    }
}

fn path_scope(path: &str) -> Result<Scope, AdminError> {
    if path.contains(['?', '#']) {
        return Err(AdminError::Argument("`path` must be without query and fragment".to_owned()));
    }
    let wrong = |error| AdminError::Argument(format!("`path` must begin with `/` and be a URL's path: {error}"));
    CanonicalPath::parse(path).map(Scope::Path).map_err(wrong)
}

fn tag_scope(tag: &str) -> Result<Scope, AdminError> {
    Tag::parse(tag).map(Scope::Tag).map_err(|error| AdminError::Argument(error.to_string()))
}

/// Records an invalidation with the tag index, which delivers it; this isolate knows of it at once.
async fn invalidate(env: &Env, scope: Scope) -> Result<Value, AdminError> {
    let message = ToTagIndex::Invalidate { scope, mode: Mode::Expire };
    let answer: InvalidateAnswer = calls::tag_index(env, &message).await?;
    Ok(receipt(answer))
}

/// Notes an invalidation for this isolate, and says what the caller is told of it.
pub(super) fn receipt(answer: InvalidateAnswer) -> Value {
    let (scope, name) = match &answer.invalidation.scope {
        Scope::Path(path) => ("path", path.as_str().to_owned()),
        Scope::Tag(tag) => ("tag", tag.as_str().to_owned()),
    };
    let value = json!({
        "seq": answer.invalidation.seq,
        scope: name,
        "shards": { "applied": answer.applied, "pending": answer.pending },
    });
    feed_poll::note(answer.invalidation);
    value
}

/// Reads an RPC call, `{"method": .., "argument": ..}`, as the scope that it invalidates.
pub(super) fn rpc_scope(call: &[u8]) -> Result<Scope, AdminError> {
    let call: Value = serde_json::from_slice(call).unwrap_or_default();
    let argument = call.get("argument").and_then(Value::as_str);
    match (call.get("method").and_then(Value::as_str), argument) {
        (Some("revalidatePath"), Some(path)) => path_scope(path),
        (Some("revalidateTag"), Some(tag)) => tag_scope(tag),
        (Some("revalidatePath"), None) => Err(AdminError::Argument("revalidatePath takes a path, a string".to_owned())),
        (Some("revalidateTag"), None) => Err(AdminError::Argument("revalidateTag takes a tag, a string".to_owned())),
        _ => Err(AdminError::NotFound),
    }
}

/// Carries out an RPC call anywhere but in the tag index itself, and returns its JSON answer.
pub(super) async fn rpc(env: &Env, call: &[u8]) -> String {
    let answer = match rpc_scope(call) {
        Ok(scope) => invalidate(env, scope).await,
        Err(error) => Err(error),
    };
    rpc_answer(answer)
}

/// Writes the answer of an RPC call: the value, or `{"error": {"code", "message"}}`, which the entry module throws.
pub(super) fn rpc_answer(answer: Result<Value, AdminError>) -> String {
    answer.unwrap_or_else(|error| error.to_json()).to_string()
}

/// Carries out an RPC call on the Worker's entrypoint. Called by the entry module with `env` and the call as JSON.
#[wasm_bindgen(js_name = isrRpc)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn entrypoint_rpc(env: JsValue, call: String) -> String {
    rpc(&env.unchecked_into::<Env>(), call.as_bytes()).await
}
