//! Who may call the admin API over HTTP: a client with the token, or the dashboard with a session.

use wasm_bindgen::JsValue;
use web_sys::{Request, Response};

use super::http::{HttpError, body};
use crate::edge::caches::envelope;
use crate::edge::platform::js;
use crate::secret::Secret;
use crate::session::{OwnPage, Session, cookie};

/// The path of the session.
pub(super) const SESSION_PATH: &str = "/__isr/session";

/// The most bytes of the body that signs in.
const MAX_BODY_BYTES: u64 = 4 * 1024;

/// The body that signs in.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// Checks that a request has the token or a session.
pub(super) fn authorize(request: &Request, token: &Secret) -> Result<(), HttpError> {
    if let Some(header) = header(request, "authorization") {
        let claim = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let is_valid = claim.is_some_and(|(_, claim)| token.is(claim.trim()));
        return if is_valid { Ok(()) } else { Err(HttpError::Unauthorized) };
    }
    session(request, token).ok_or(HttpError::Unauthorized)?;
    from_own_page(request)
}

/// Begins, shows or ends a session.
pub(super) async fn session_call(
    request: &Request,
    method: &str,
    token: &Secret,
) -> Result<Result<Response, JsValue>, HttpError> {
    match method {
        "GET" => Ok(shown(session(request, token), None)),
        "POST" => {
            from_own_page(request)?;
            let SignIn { token: claim } = serde_json::from_slice(&body(request, MAX_BODY_BYTES).await?)?;
            if !token.is(claim.trim()) {
                worker::console_warn!("the dashboard: somebody tried to sign in with a wrong token");
                return Err(HttpError::WrongToken);
            }
            let session = Session::begin(js::now());
            Ok(shown(Some(session), Some(&cookie::set(session, token))))
        }
        "DELETE" => {
            from_own_page(request)?;
            Ok(shown(None, Some(&cookie::remove())))
        }
        _ => Err(HttpError::Method { allow: "GET, POST, DELETE" }),
    }
}

fn shown(session: Option<Session>, set_cookie: Option<&str>) -> Result<Response, JsValue> {
    let end = session.map(Session::end);
    let response = envelope::json(200, &serde_json::json!({ "signedIn": end.is_some(), "endsAt": end }))?;
    if let Some(set_cookie) = set_cookie {
        response.headers().set("set-cookie", set_cookie)?;
    }
    Ok(response)
}

fn session(request: &Request, token: &Secret) -> Option<Session> {
    let cookies = header(request, "cookie")?;
    Session::open(cookie::value(&cookies)?, token, js::now()).ok()
}

/// Checks that no page of another origin sends a request.
fn from_own_page(request: &Request) -> Result<(), HttpError> {
    let (site, origin) = (header(request, "sec-fetch-site"), header(request, "origin"));
    let page = OwnPage { site: site.as_deref(), origin: origin.as_deref() };
    if page.admits(&request.method(), &request.url()) { Ok(()) } else { Err(HttpError::OtherOrigin) }
}

fn header(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name).ok().flatten()
}
