//! Webhooks: calls of another system, such as a CMS, that invalidate pages. The table `webhooks` of the configuration
//! declares them; `docs/webhooks.md` describes them.
//!
//! | module | contents |
//! |---|---|
//! | `signature` | how a sender proves who it is |
//! | `template` | texts with placeholders for values of the body |
//! | `rule` | what is invalidated: rules that make targets of the body |

mod rule;
mod signature;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

pub use self::rule::{Condition, Mapped, Rule, Skipped, TargetTemplate};
pub use self::signature::{Received, Scheme, SignatureError};
pub(crate) use self::template::scalar;
pub use self::template::{MAX_TEMPLATE_BYTES, Pointer, Template, TemplateError};
use crate::invalidation::{IdempotencyKey, MAX_TARGETS};

/// The most webhooks of a configuration.
pub const MAX_WEBHOOKS: usize = 20;

/// The most rules of a webhook.
pub const MAX_RULES: usize = 50;

/// A webhook of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// How the sender proves who it is.
    pub scheme: Scheme,
    /// The name of the Worker's secret that the sender shares.
    pub secret: String,
    /// The place of the delivery's id in the body, for senders that do not name it in a header.
    pub delivery_id: Option<Pointer>,
    /// What a delivery invalidates.
    pub rules: Vec<Rule>,
}

/// The webhooks of a configuration, by name.
pub type Webhooks = BTreeMap<String, Webhook>;

/// Why a delivery invalidates nothing, although it comes from the right sender.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It names too many targets.
    #[error("it names more than {MAX_TARGETS} targets: invalidate `everything`, or a tag that all these pages share")]
    TooMany,
}

impl Webhook {
    /// Returns what a delivery to the webhook of this name invalidates. Its calls are the same when it is repeated.
    ///
    /// # Errors
    /// The body is not JSON, or names too many targets.
    pub fn map(&self, name: &str, delivery: &impl Received) -> Result<Mapped, DeliveryError> {
        let body: Value = serde_json::from_slice(delivery.body())?;
        let mut mapped = rule::apply(&self.rules, &body).map_err(|_| DeliveryError::TooMany)?;
        let key = self.id(delivery, &body).map(|id| IdempotencyKey::of(&format!("webhook {name}"), &id));
        mapped.calls.iter_mut().for_each(|call| call.key.clone_from(&key));
        Ok(mapped)
    }

    /// Returns what the sender calls a delivery, if it says that.
    fn id(&self, delivery: &impl Received, body: &Value) -> Option<String> {
        let in_header = self.scheme.delivery_header().and_then(|name| delivery.header(name));
        let in_body = || scalar(self.delivery_id.as_ref()?.values(body).first()?);
        in_header.or_else(in_body).filter(|id| !id.is_empty())
    }
}
