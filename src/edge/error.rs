//! What is told to a Worker that uses this crate as a library, when something could not be done.

use std::rc::Rc;

use thiserror::Error;
use wasm_bindgen::JsValue;

use crate::config::ConfigError;
use crate::edge::admin::AdminError;

/// Why something could not be done, by whose fault it is.
#[derive(Debug, Error)]
pub enum IsrError {
    /// The deployment: a setting can't be used, or a binding is missing. The message has all that is wrong, with the lines to
    /// add to `wrangler.toml`.
    #[error("cloudflare-isr is not configured:\n{0}")]
    Misconfigured(Rc<ConfigError>),
    /// The caller: an argument is not what is expected. The message says what to write instead.
    #[error("{0}")]
    InvalidArgument(String),
    /// Nobody: the lease is over, for the render took too long, or the page is another's by now. Nothing has changed.
    #[error("the lease is over")]
    LeaseLost,
    /// The caller: nothing is known under the name or the number.
    #[error("{0}")]
    NotFound(String),
    /// An object could not be reached, or its store failed. Try again.
    #[error("{0}")]
    Unavailable(String),
    /// The platform refused what can't be done without, such as building a response.
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

/// So that `?` works in the handler of an event.
impl From<IsrError> for worker::Error {
    fn from(error: IsrError) -> Self {
        match error {
            IsrError::Platform(error) => error,
            other => Self::RustError(other.to_string()),
        }
    }
}
