//! The errors of the library API.

use std::rc::Rc;

use thiserror::Error;
use wasm_bindgen::JsValue;

use crate::config::ConfigError;
use crate::error::{ArgumentError, CallError, ObjectError};
use crate::shard_name::ShardName;

/// Why a call of the library failed, grouped by cause.
///
/// ```no_run
/// use cloudflare_isr::{Isr, IsrError, Mode};
/// use worker::Response;
///
/// async fn edited(isr: &Isr, path: &str) -> worker::Result<Response> {
///     match isr.revalidate_path(path, Mode::Expire).await {
///         Ok(_) => Response::ok("invalidated"),
///         Err(IsrError::InvalidArgument(error)) => Response::error(error.to_string(), 400),
///         Err(error @ (IsrError::NotRecorded(_) | IsrError::Unreachable(_))) => Response::error(error.to_string(), 503),
///         Err(error) => Err(error.into()),
///     }
/// }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IsrError {
    /// A setting is not valid, or a binding is missing. The message lists all problems, with the lines to add to
    /// `wrangler.toml`.
    #[error("cloudflare-isr is not configured:\n{0}")]
    Misconfigured(Rc<ConfigError>),
    /// An argument is not valid. The message says what to write instead.
    #[error(transparent)]
    InvalidArgument(ArgumentError),
    /// The log has no invalidation with this number.
    #[error("no invalidation {seq} is known: the log keeps the newest 100,000")]
    UnknownInvalidation {
        /// The number.
        seq: u64,
    },
    /// No coordinator has this name.
    #[error("no coordinator {shard} is known: neither the configuration nor the tag index names it")]
    UnknownShard {
        /// The name.
        shard: ShardName,
    },
    /// The lease is over because the render took too long or another render replaced it. Nothing has changed.
    #[error("the lease is over")]
    LeaseLost,
    /// The tag index did not confirm that it recorded the invalidation. Try again.
    #[error("the invalidation could not be recorded; try again")]
    NotRecorded(#[source] ObjectError),
    /// An object gave no answer. Try again.
    #[error("an object could not be reached; try again")]
    Unreachable(#[source] ObjectError),
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

impl From<CallError> for IsrError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Argument(error) => Self::InvalidArgument(error),
            CallError::UnknownInvalidation { seq } => Self::UnknownInvalidation { seq },
            CallError::UnknownShard { shard } => Self::UnknownShard { shard },
            CallError::LeaseLost => Self::LeaseLost,
            CallError::NotRecorded(cause) => Self::NotRecorded(cause),
            CallError::Unreachable(cause) => Self::Unreachable(cause),
            CallError::Unconfigured(error) => Self::Misconfigured(error),
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
