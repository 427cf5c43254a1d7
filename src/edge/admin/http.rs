//! Admin calls over HTTP, for callers with the token.

use std::cell::Cell;

use serde_json::{Value, json};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};
use worker::Env;

use super::authorization::{SESSION_PATH, authorize, session_call};
use super::decisions::{decisions, stream_of_decisions};
use super::explain::explain;
use super::health::check;
use super::hooks;
use super::inspect::inspect;
use super::overview::overview;
use super::survey::Surveyor;
use super::{invalidate_all, invalidation, lists, log, metrics};
use crate::admin_api::{
    self, Arguments, DecisionsRequest, Endpoint, EntriesRequest, EntryRequest, InvalidationsRequest, LeasesRequest,
    Operation, OverviewRequest, ShardsRequest, Survey, TagsRequest,
};
use crate::edge::caches::envelope;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::error::{CallError, ErrorCode};
use crate::inspection::health::Health;
use crate::inspection::{Explain, Inspect};
use crate::invalidation::{Call as Invalidate, IdempotencyKey, InvalidateError};
use crate::secret::Secret;
use crate::semantics::key::RequestUrl;
use crate::visit::classify::{ADMIN_PREFIX, DASHBOARD_PATH};
use crate::webhook::{DeliveryError, SignatureError};

/// The most bytes of a request body.
const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// The header with which a client names a call, so that its repetition changes nothing:
/// [draft-ietf-httpapi-idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The most bytes of its value.
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// The path of the health check.
const HEALTH_PATH: &str = "/__isr/health";

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub(super) enum HttpError {
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
    /// The key of the call is empty or too long.
    #[error("`Idempotency-Key` must have 1 to {MAX_IDEMPOTENCY_KEY_BYTES} bytes")]
    IdempotencyKey,
    /// The token with which somebody signs in is wrong.
    #[error("the token is wrong")]
    WrongToken,
    /// A session is used by a page of another origin, or without a proof that it is not.
    #[error("a session is for the dashboard alone; send the admin token as `Authorization: Bearer <token>`")]
    OtherOrigin,
    /// The length of the body is not announced.
    #[error("send the body's length in `Content-Length`")]
    LengthRequired,
    /// The body is over its bound.
    #[error("the body may have at most {most} bytes")]
    TooLarge {
        /// The bound.
        most: u64,
    },
    /// The body could not be read.
    #[error("the body could not be read")]
    Unreadable,
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The header `Last-Event-ID` is not the id of an event.
    #[error("`Last-Event-ID` must be the id of an event of this stream")]
    LastEventId,
    /// A webhook's sender does not prove that it knows the secret.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A webhook's delivery can't be read.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// A webhook's delivery names only targets that are not valid.
    #[error("none of the targets is valid; the first is the {field} {text:?}: {error}")]
    NoValidTarget {
        /// The field.
        field: &'static str,
        /// What the template made.
        text: String,
        /// What is wrong with it.
        error: InvalidateError,
    },
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl HttpError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchPath => ErrorCode::NotFound,
            Self::Method { .. } => ErrorCode::MethodNotAllowed,
            Self::Unauthorized | Self::WrongToken | Self::OtherOrigin | Self::Signature(_) => ErrorCode::Unauthorized,
            Self::LengthRequired => ErrorCode::LengthRequired,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Unreadable
            | Self::NotJson(_)
            | Self::LastEventId
            | Self::IdempotencyKey
            | Self::Delivery(_)
            | Self::NoValidTarget { .. } => ErrorCode::InvalidArgument,
            Self::Call(error) => error.code(),
        }
    }

    fn respond(&self) -> Result<Response, JsValue> {
        let code = self.code();
        let response = envelope::json(status(code), &code.to_json(self))?;
        match self {
            Self::Method { allow } => response.headers().set("allow", allow)?,
            Self::Unauthorized | Self::WrongToken | Self::OtherOrigin => {
                response.headers().set("www-authenticate", "Bearer")?;
            }
            Self::NoSuchPath
            | Self::LengthRequired
            | Self::TooLarge { .. }
            | Self::Unreadable
            | Self::NotJson(_)
            | Self::LastEventId
            | Self::IdempotencyKey
            | Self::Signature(_)
            | Self::Delivery(_)
            | Self::NoValidTarget { .. }
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

/// What an endpoint answers with.
enum Answer {
    /// JSON, with a status.
    Json(u16, Value),
    /// A response of its own form.
    Response(Result<Response, JsValue>),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Json(200, value)
    }
}

/// A request to an endpoint.
struct Call<'a> {
    request: &'a Request,
    env: &'a Env,
    settings: &'a Settings,
    endpoint: &'static Endpoint,
    /// The text in place of the path's placeholder.
    seq: &'a str,
}

/// Answers a request to one of the gateway's own paths.
pub(in crate::edge) async fn http(
    request: &Request,
    method: &str,
    path: &str,
    env: &Env,
    settings: &Settings,
) -> Result<Response, JsValue> {
    let answer = match (settings.admin_token.as_ref(), Endpoint::find(path)) {
        (_, None) if path.starts_with(hooks::PREFIX) => {
            hooks::receive(request, method, path, env, settings).await.map(Answer::from)
        }
        (Some(token), Some((endpoint, seq))) => {
            Call { request, env, settings, endpoint, seq }.answer(method, token).await
        }
        (Some(token), None) if path == SESSION_PATH => session_call(request, method, token).await.map(Answer::Response),
        (None, found) if found.is_some() || path == DASHBOARD_PATH || path == SESSION_PATH => {
            say_how_to_enable();
            Err(HttpError::NoSuchPath)
        }
        _ => Err(HttpError::NoSuchPath),
    };
    respond(answer)
}

fn respond(answer: Result<Answer, HttpError>) -> Result<Response, JsValue> {
    match answer {
        Ok(Answer::Json(status, value)) => envelope::json(status, &value),
        Ok(Answer::Response(response)) => response,
        Err(error) => {
            if let HttpError::Call(error) = &error {
                log(error);
            }
            error.respond()
        }
    }
}

/// Logs once per isolate why the paths of the admin API do not exist.
fn say_how_to_enable() {
    thread_local! {
        static HAS_SAID: Cell<bool> = const { Cell::new(false) };
    }
    if !HAS_SAID.replace(true) {
        worker::console_warn!(
            "the admin API under {ADMIN_PREFIX}/ is off: to enable it, run `npx wrangler secret put ISR_ADMIN_TOKEN`"
        );
    }
}

impl Call<'_> {
    async fn answer(&self, method: &str, token: &Secret) -> Result<Answer, HttpError> {
        if method != self.endpoint.method {
            return Err(HttpError::Method { allow: self.endpoint.method });
        }
        authorize(self.request, token)?;
        match self.endpoint.operation {
            Operation::Revalidate => Ok(self.revalidate().await?.into()),
            Operation::Invalidation => {
                let seq = self.seq.parse().map_err(|_| HttpError::NoSuchPath)?;
                Ok(invalidation(self.env, seq).await?.into())
            }
            // These two have parsers of their own, which RPC uses as well.
            Operation::Inspect => {
                let question = Inspect::from_query(&self.query()).map_err(CallError::from)?;
                Ok(inspect(self.env, question).await?.into())
            }
            Operation::Explain => {
                let question = Explain::from_query(&self.query()).map_err(CallError::from)?;
                Ok(explain(self.env, question).await?.into())
            }
            // A monitor may add a parameter against caches.
            Operation::Health => {
                let health = check(self.env, self.settings).await;
                Ok(Answer::Json(health.status(), health.to_json()))
            }
            Operation::Survey(Survey::Decisions) => self.decisions().await,
            Operation::Survey(survey) => Ok(self.survey(survey).await.map_err(HttpError::Call)?.into()),
            Operation::Metrics => {
                let arguments =
                    Arguments::from_query(self.endpoint.parameters, &self.query()).map_err(CallError::from)?;
                let from = arguments.get("from", |text| text.parse().ok()).map_err(CallError::from)?;
                Ok(Answer::Response(metrics::answer(self.env, self.settings, from.unwrap_or_default()).await))
            }
        }
    }

    /// Answers what only reads.
    async fn survey(&self, survey: Survey) -> Result<Value, CallError> {
        let arguments = Arguments::from_query(self.endpoint.parameters, &self.query())?;
        let surveyor = Surveyor::new(self.env)?;
        match survey {
            Survey::Routes => Ok(admin_api::routes(&self.settings.config)),
            Survey::OpenApi => Ok(admin_api::document()),
            Survey::Shards => lists::shards(&surveyor, ShardsRequest::read(&arguments)?).await,
            Survey::Overview => overview(self.env, OverviewRequest::read(&arguments)?).await,
            Survey::Entries => lists::entries(self.env, &surveyor, EntriesRequest::read(&arguments)?).await,
            Survey::Entry => lists::entry(self.env, &surveyor, EntryRequest::read(&arguments)?).await,
            Survey::Tags => lists::tags(&surveyor, &TagsRequest::read(&arguments)?).await,
            Survey::Invalidations => lists::invalidations(&surveyor, &InvalidationsRequest::read(&arguments)?).await,
            Survey::Leases => lists::leases(&surveyor, LeasesRequest::read(&arguments)?).await,
            Survey::Decisions => decisions(self.env, DecisionsRequest::read(&arguments)?).await,
        }
    }

    async fn revalidate(&self) -> Result<Value, HttpError> {
        let body = serde_json::from_slice(&body(self.request, MAX_BODY_BYTES).await?)?;
        let mut call = Invalidate::from_json(&body).map_err(CallError::from)?;
        if let Some(key) = self.request.headers().get(IDEMPOTENCY_KEY).ok().flatten() {
            if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY_BYTES {
                return Err(HttpError::IdempotencyKey);
            }
            call.key = Some(IdempotencyKey::of("admin", &key));
        }
        Ok(json!({ "invalidations": invalidate_all(self.env, call).await? }))
    }

    /// Answers with a list, or with a stream if the client prefers that.
    async fn decisions(&self) -> Result<Answer, HttpError> {
        let header = |name| self.request.headers().get(name).ok().flatten();
        let accepts_stream = header("accept").is_some_and(|accept| accept.contains("text/event-stream"));
        if !accepts_stream {
            return Ok(self.survey(Survey::Decisions).await?.into());
        }
        let arguments = Arguments::from_query(self.endpoint.parameters, &self.query()).map_err(CallError::from)?;
        let request = DecisionsRequest::read(&arguments).map_err(CallError::from)?;
        let request = match header("last-event-id").filter(|id| !id.is_empty()) {
            Some(id) => request.continued(&id).ok_or(HttpError::LastEventId)?,
            None => request,
        };
        Ok(Answer::Response(stream_of_decisions(self.env, request).await?))
    }

    fn query(&self) -> String {
        let url = self.request.url();
        let url = url.split_once('#').map_or(url.as_str(), |(url, _)| url);
        url.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned())
    }
}

/// Answers a request of somebody with the token while there are no valid settings: for [`HEALTH_PATH`], or for a session. `None`
/// for any other request.
pub(super) async fn unhealthy(
    request: &Request,
    token: Option<&Secret>,
    health: &Health,
) -> Option<Result<Response, JsValue>> {
    let (token, method) = (token?, request.method());
    let url = RequestUrl::parse(&request.url()).ok()?;
    match url.path().as_str() {
        SESSION_PATH => Some(respond(session_call(request, &method, token).await.map(Answer::Response))),
        HEALTH_PATH if method == "GET" && authorize(request, token).is_ok() => {
            Some(envelope::json(health.status(), &health.to_json()))
        }
        _ => None,
    }
}

/// Reads the body, if its announced length is within the limit.
pub(super) async fn body(request: &Request, most: u64) -> Result<Vec<u8>, HttpError> {
    let unreadable = |_| HttpError::Unreadable;
    let announced = request.headers().get("content-length").ok().flatten();
    match announced.and_then(|length| length.parse::<u64>().ok()) {
        None => return Err(HttpError::LengthRequired),
        Some(length) if length > most => return Err(HttpError::TooLarge { most }),
        Some(_) => {}
    }
    let body = js::bytes(request.array_buffer().map_err(unreadable)?).await.map_err(unreadable)?;
    Ok(body.to_vec())
}
