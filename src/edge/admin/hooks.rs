//! Webhooks over HTTP: `POST /__isr/hooks/<name>`, for the senders of the configuration.

use serde_json::{Value, json};
use web_sys::Request;
use worker::Env;

use super::http::{HttpError, body};
use super::invalidate_all;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::webhook::{Mapped, Received, Skipped};

/// What the paths of webhooks begin with.
pub(super) const PREFIX: &str = "/__isr/hooks/";

/// The most bytes of a delivery.
const MAX_DELIVERY_BYTES: u64 = 1024 * 1024;

/// A delivery.
struct Delivery<'a> {
    request: &'a Request,
    method: &'a str,
    target: &'a str,
    body: Vec<u8>,
}

impl Received for Delivery<'_> {
    fn method(&self) -> &str {
        self.method
    }

    fn target(&self) -> &str {
        self.target
    }

    fn header(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Checks the signature of a delivery, and invalidates what the webhook's rules make of its body.
pub(super) async fn receive(
    request: &Request,
    method: &str,
    path: &str,
    env: &Env,
    settings: &Settings,
) -> Result<Value, HttpError> {
    let name = path.strip_prefix(PREFIX).unwrap_or_default();
    let webhook = settings.config.webhooks.get(name).ok_or(HttpError::NoSuchPath)?;
    if method != "POST" {
        return Err(HttpError::Method { allow: "POST" });
    }
    // Anybody can send a large body. Without a signature it is not read.
    let has = |header| request.headers().has(header).unwrap_or_default();
    let body =
        if has(webhook.scheme.signature_header()) { body(request, MAX_DELIVERY_BYTES).await? } else { Vec::new() };
    let url = request.url();
    let delivery = Delivery { request, method, target: target_of(&url), body };
    let verified = webhook.scheme.verify(settings.webhook_secret(webhook), &delivery, js::now());
    verified.inspect_err(|error| worker::console_warn!("webhook {name}: {error}"))?;
    let Mapped { calls, skipped } = webhook.map(name, &delivery)?;
    if let (true, Some(Skipped { field, text, error })) = (calls.is_empty(), skipped.first().cloned()) {
        return Err(HttpError::NoValidTarget { field: field.name(), text, error });
    }
    let mut receipts = Vec::new();
    for call in calls {
        receipts.extend(invalidate_all(env, call).await?);
    }
    let skipped: Vec<Value> = skipped.iter().map(shown).collect();
    Ok(json!({ "invalidations": receipts, "skipped": skipped }))
}

fn shown(skipped: &Skipped) -> Value {
    json!({ skipped.field.name(): skipped.text, "error": skipped.error.to_string() })
}

/// Returns the path and the query of a URL.
fn target_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = after_scheme.find('/').map_or("/", |at| &after_scheme[at..]);
    target.split_once('#').map_or(target, |(target, _)| target)
}
