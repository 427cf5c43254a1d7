//! Admin calls over HTTP, for callers with the token.

use serde_json::{Value, json};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};
use worker::Env;

use super::explain::explain;
use super::health::check;
use super::inspect::inspect;
use super::{invalidate_all, invalidation, log, metrics};
use crate::edge::caches::envelope;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::error::{CallError, ErrorCode};
use crate::inspection::health::Health;
use crate::inspection::{Explain, Inspect};
use crate::invalidation::Call;
use crate::secret::Secret;
use crate::semantics::key::RequestUrl;

/// The most bytes of a request body.
const MAX_BODY_BYTES: u64 = 16 * 1024;

/// The path of the health check.
const HEALTH_PATH: &str = "/__isr/health";

/// The path of the metrics.
const METRICS_PATH: &str = "/__isr/metrics";

/// Why a request was not carried out.
#[derive(Debug, Error)]
enum HttpError {
    /// There is nothing at this path, or the path is switched off.
    #[error("there is nothing here")]
    NoSuchPath,
    /// The path accepts another method.
    #[error("use {allow}")]
    Method {
        /// The method that it accepts.
        allow: &'static str,
    },
    /// There is no token, or a wrong one.
    #[error("send the admin token as `Authorization: Bearer <token>`")]
    Unauthorized,
    /// The length of the body is not announced.
    #[error("send the body's length in `Content-Length`")]
    LengthRequired,
    /// The body is over its bound.
    #[error("the body may have at most {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The body could not be read.
    #[error("the body could not be read")]
    Unreadable,
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl HttpError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchPath => ErrorCode::NotFound,
            Self::Method { .. } => ErrorCode::MethodNotAllowed,
            Self::Unauthorized => ErrorCode::Unauthorized,
            Self::LengthRequired => ErrorCode::LengthRequired,
            Self::TooLarge => ErrorCode::TooLarge,
            Self::Unreadable | Self::NotJson(_) => ErrorCode::InvalidArgument,
            Self::Call(error) => error.code(),
        }
    }

    fn respond(&self) -> Result<Response, JsValue> {
        let code = self.code();
        let response = envelope::json(status(code), &code.to_json(self))?;
        match self {
            Self::Method { allow } => response.headers().set("allow", allow)?,
            Self::Unauthorized => response.headers().set("www-authenticate", "Bearer")?,
            Self::NoSuchPath
            | Self::LengthRequired
            | Self::TooLarge
            | Self::Unreadable
            | Self::NotJson(_)
            | Self::Call(_) => {}
        }
        Ok(response)
    }
}

/// Returns the HTTP status of an error.
const fn status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::InvalidArgument => 400,
        ErrorCode::Unauthorized => 401,
        ErrorCode::NotFound => 404,
        ErrorCode::MethodNotAllowed => 405,
        ErrorCode::LeaseLost => 409,
        ErrorCode::LengthRequired => 411,
        ErrorCode::TooLarge => 413,
        ErrorCode::Unavailable => 503,
    }
}

/// Answers a request to one of the gateway's own paths.
pub(in crate::edge) async fn http(
    request: &Request,
    method: &str,
    path: &str,
    env: &Env,
    settings: &Settings,
) -> Result<Response, JsValue> {
    let answer = match (settings.admin_token.as_ref(), path.strip_prefix("/__isr/invalidations/")) {
        (Some(token), None) if path == "/__isr/revalidate" => revalidate(request, method, env, token).await,
        (Some(token), None) if path == "/__isr/inspect" => show(request, method, env, token).await,
        (Some(token), None) if path == "/__isr/explain" => told(request, method, env, token).await,
        (Some(token), None) if path == HEALTH_PATH => match health(request, method, env, settings, token).await {
            Ok(health) => return envelope::json(health.status(), &health.to_json()),
            Err(error) => Err(error),
        },
        (Some(token), None) if path == METRICS_PATH => match allowed(request, method, token) {
            Ok(()) => return metrics::answer(env, settings, &request.url()).await,
            Err(error) => Err(error),
        },
        (Some(token), Some(seq)) => progress(request, method, env, token, seq).await,
        _ => Err(HttpError::NoSuchPath),
    };
    match answer {
        Ok(answer) => envelope::json(200, &answer),
        Err(error) => {
            if let HttpError::Call(error) = &error {
                log(error);
            }
            error.respond()
        }
    }
}

async fn revalidate(request: &Request, method: &str, env: &Env, token: &Secret) -> Result<Value, HttpError> {
    if method != "POST" {
        return Err(HttpError::Method { allow: "POST" });
    }
    authorize(request, token)?;
    let body = serde_json::from_slice(&body(request).await?)?;
    let call = Call::from_json(&body).map_err(CallError::from)?;
    Ok(json!({ "invalidations": invalidate_all(env, call).await? }))
}

async fn progress(request: &Request, method: &str, env: &Env, token: &Secret, seq: &str) -> Result<Value, HttpError> {
    if method != "GET" {
        return Err(HttpError::Method { allow: "GET" });
    }
    authorize(request, token)?;
    let seq = seq.parse().map_err(|_| HttpError::NoSuchPath)?;
    Ok(invalidation(env, seq).await?)
}

async fn show(request: &Request, method: &str, env: &Env, token: &Secret) -> Result<Value, HttpError> {
    if method != "GET" {
        return Err(HttpError::Method { allow: "GET" });
    }
    authorize(request, token)?;
    let url = request.url();
    let (_, query) = url.split_once('?').unwrap_or_default();
    let question = Inspect::from_query(query).map_err(CallError::from)?;
    Ok(inspect(env, question).await?)
}

async fn told(request: &Request, method: &str, env: &Env, token: &Secret) -> Result<Value, HttpError> {
    if method != "GET" {
        return Err(HttpError::Method { allow: "GET" });
    }
    authorize(request, token)?;
    let url = request.url();
    let (_, query) = url.split_once('?').unwrap_or_default();
    Ok(explain(env, Explain::from_query(query).map_err(CallError::from)?).await?)
}

async fn health(
    request: &Request,
    method: &str,
    env: &Env,
    settings: &Settings,
    token: &Secret,
) -> Result<Health, HttpError> {
    if method != "GET" {
        return Err(HttpError::Method { allow: "GET" });
    }
    authorize(request, token)?;
    Ok(check(env, settings).await)
}

/// Returns whether a GET may be answered.
fn allowed(request: &Request, method: &str, token: &Secret) -> Result<(), HttpError> {
    if method != "GET" {
        return Err(HttpError::Method { allow: "GET" });
    }
    authorize(request, token)
}

/// Answers a request to [`HEALTH_PATH`] while there are no valid settings; `None` if the token may not see it, or for any
/// other request.
pub(super) fn unhealthy(
    request: &Request,
    token: Option<&Secret>,
    health: &Health,
) -> Option<Result<Response, JsValue>> {
    let is_asked = || RequestUrl::parse(&request.url()).is_ok_and(|url| url.path().as_str() == HEALTH_PATH);
    let is_allowed = token.is_some_and(|token| authorize(request, token).is_ok());
    (is_allowed && request.method() == "GET" && is_asked()).then(|| envelope::json(health.status(), &health.to_json()))
}

fn authorize(request: &Request, token: &Secret) -> Result<(), HttpError> {
    let header = request.headers().get("authorization").ok().flatten().unwrap_or_default();
    let claim = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if !claim.is_some_and(|(_, claim)| token.is(claim.trim())) {
        return Err(HttpError::Unauthorized);
    }
    Ok(())
}

/// Reads the body, if its announced length is within the limit.
async fn body(request: &Request) -> Result<Vec<u8>, HttpError> {
    let unreadable = |_| HttpError::Unreadable;
    let announced = request.headers().get("content-length").ok().flatten();
    match announced.and_then(|length| length.parse::<u64>().ok()) {
        None => return Err(HttpError::LengthRequired),
        Some(length) if length > MAX_BODY_BYTES => return Err(HttpError::TooLarge),
        Some(_) => {}
    }
    let body = js::bytes(request.array_buffer().map_err(unreadable)?).await.map_err(unreadable)?;
    Ok(body.to_vec())
}
