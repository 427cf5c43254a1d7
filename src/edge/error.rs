//! The errors of the library API.

use std::rc::Rc;

use thiserror::Error;
use wasm_bindgen::JsValue;

use crate::config::ConfigError;
use crate::edge::admin::AdminError;

/// Why a call of the library failed, grouped by cause.
#[derive(Debug, Error)]
pub enum IsrError {
    /// The deployment: a setting is not valid, or a binding is missing. The message lists all problems, with the lines
    /// to add to `wrangler.toml`.
    #[error("cloudflare-isr is not configured:\n{0}")]
    Misconfigured(Rc<ConfigError>),
    /// The caller: an argument is not valid. The message says what to write instead.
    #[error("{0}")]
    InvalidArgument(String),
    /// No one: the lease is over because the render took too long or another render replaced it. Nothing has changed.
    #[error("the lease is over")]
    LeaseLost,
    /// The caller: nothing has this name or number.
    #[error("{0}")]
    NotFound(String),
    /// An object is unreachable, or its store failed. Try again.
    #[error("{0}")]
    Unavailable(String),
    /// The platform refused an operation, such as building a response.
    #[error(transparent)]
    Platform(#[from] worker::Error),
}

impl From<Rc<ConfigError>> for IsrError {
    fn from(error: Rc<ConfigError>) -> Self {
        Self::Misconfigured(error)
    }
}

impl From<JsValue> for IsrError {
    fn from(error: JsValue) -> Self {
        Self::Platform(error.into())
    }
}

impl From<AdminError> for IsrError {
    fn from(error: AdminError) -> Self {
        let message = error.to_string();
        match error {
            AdminError::LeaseLost => Self::LeaseLost,
            AdminError::UnknownInvalidation { .. } | AdminError::UnknownShard { .. } | AdminError::NotFound => {
                Self::NotFound(message)
            }
            AdminError::Unavailable | AdminError::Unanswered | AdminError::Unconfigured => Self::Unavailable(message),
            AdminError::Argument(_)
            | AdminError::Method { .. }
            | AdminError::Unauthorized
            | AdminError::Length
            | AdminError::TooLarge => Self::InvalidArgument(message),
        }
    }
}

/// Allows `?` in the handler of an event.
impl From<IsrError> for worker::Error {
    fn from(error: IsrError) -> Self {
        match error {
            IsrError::Platform(error) => error,
            other => Self::RustError(other.to_string()),
        }
    }
}
