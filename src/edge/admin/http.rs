//! Admin calls over HTTP, for callers with the token.

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};
use worker::Env;

use super::error::{AdminError, MAX_BODY_BYTES};
use super::inspect::inspect;
use super::{invalidate_all, invalidation};
use crate::edge::caches::envelope;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::inspection::Inspect;
use crate::invalidation::Call;
use crate::secret::Secret;

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
        (Some(token), Some(seq)) => progress(request, method, env, token, seq).await,
        _ => Err(AdminError::NotFound),
    };
    let error = match answer {
        Ok(answer) => return envelope::json(200, &answer),
        Err(error) => error,
    };
    let response = envelope::json(error.status(), &error.to_json())?;
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

async fn show(request: &Request, method: &str, env: &Env, token: &Secret) -> Result<Value, AdminError> {
    if method != "GET" {
        return Err(AdminError::Method { allow: "GET" });
    }
    authorize(request, token)?;
    let url = request.url();
    let (_, query) = url.split_once('?').unwrap_or_default();
    inspect(env, Inspect::from_query(query)?).await
}

fn authorize(request: &Request, token: &Secret) -> Result<(), AdminError> {
    let header = request.headers().get("authorization").ok().flatten().unwrap_or_default();
    let claim = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if !claim.is_some_and(|(_, claim)| token.is(claim.trim())) {
        return Err(AdminError::Unauthorized);
    }
    Ok(())
}

/// Reads the body, if its announced length is within the limit.
async fn body(request: &Request) -> Result<Vec<u8>, AdminError> {
    let unreadable = |_| AdminError::Argument("the body could not be read".to_owned());
    let announced = request.headers().get("content-length").ok().flatten();
    match announced.and_then(|length| length.parse::<u64>().ok()) {
        None => return Err(AdminError::Length),
        Some(length) if length > MAX_BODY_BYTES => return Err(AdminError::TooLarge),
        Some(_) => {}
    }
    let body = js::bytes(request.array_buffer().map_err(unreadable)?).await.map_err(unreadable)?;
    Ok(body.to_vec())
}
