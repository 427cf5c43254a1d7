//! The error of a call: why an invalidation, an inspection or a rendered page was not accepted.
//!
//! Each interface shows the same [`CallError`] in its own form:
//!
//! | interface | form | mapping |
//! |---|---|---|
//! | HTTP | status, and JSON with the [`ErrorCode`] and the message | `edge/admin/http.rs` |
//! | RPC | JSON with the [`ErrorCode`] and the message, which the entry module throws | `edge/admin/rpc.rs` |
//! | library | `IsrError` | `edge/error.rs` |
//!
//! Conversions between errors do not log. The interface that answers the call logs [`CallError::cause`].

use std::fmt;
use std::rc::Rc;

use serde_json::{Value, json};
use thiserror::Error;

use crate::admin_api::QueryError;
use crate::config::ConfigError;
use crate::inspection::{ExplainError, InspectError};
use crate::invalidation::InvalidateError;
use crate::page_policy::PageSettingsError;
use crate::shard_name::ShardName;
use crate::sql::StoreError;

/// Why a call was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// An argument is not valid.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The log has no invalidation with this number.
    #[error("no invalidation {seq} is known: the log keeps the newest 100,000")]
    UnknownInvalidation {
        /// The number.
        seq: u64,
    },
    /// No coordinator of this name has had anything to do.
    #[error("no coordinator {shard} is known: neither the configuration nor the tag index names it")]
    UnknownShard {
        /// The name.
        shard: ShardName,
    },
    /// The lease has ended, or was never granted.
    #[error("the lease is over: the page has been rendered by another, or it took too long")]
    LeaseLost,
    /// The tag index did not confirm that it recorded the invalidation.
    #[error("the invalidation could not be recorded; try again")]
    NotRecorded(#[source] ObjectError),
    /// An object gave no answer.
    #[error("an object could not be reached; try again")]
    Unreachable(#[source] ObjectError),
    /// The configuration is not valid.
    #[error("the cache is not configured; its log says what is wrong")]
    Unconfigured(#[source] Rc<ConfigError>),
}

impl CallError {
    /// Returns the code, for programs.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Argument(_) => ErrorCode::InvalidArgument,
            Self::UnknownInvalidation { .. } | Self::UnknownShard { .. } => ErrorCode::NotFound,
            Self::LeaseLost => ErrorCode::LeaseLost,
            Self::NotRecorded(_) | Self::Unreachable(_) | Self::Unconfigured(_) => ErrorCode::Unavailable,
        }
    }

    /// Returns what the operator needs to know and the message does not tell.
    ///
    /// `None` for errors of the caller, and for the configuration, which is logged when it is read.
    #[must_use]
    pub const fn cause(&self) -> Option<&ObjectError> {
        match self {
            Self::NotRecorded(cause) | Self::Unreachable(cause) => Some(cause),
            Self::Argument(_)
            | Self::UnknownInvalidation { .. }
            | Self::UnknownShard { .. }
            | Self::LeaseLost
            | Self::Unconfigured(_) => None,
        }
    }
}

/// Why an argument is not valid. The message says what to write instead.
///
/// ```
/// use cloudflare_isr::{ArgumentError, IsrError};
///
/// fn is_wrong_path(error: &IsrError) -> bool {
///     use cloudflare_isr::InvalidateError::Path;
///     matches!(error, IsrError::InvalidArgument(ArgumentError::Invalidate(Path { .. })))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// It does not name what to invalidate.
    #[error(transparent)]
    Invalidate(#[from] InvalidateError),
    /// It does not name what to inspect.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It does not name what to explain.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// It is not a query of the admin API.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// It is not the settings of a page.
    #[error(transparent)]
    PageSettings(#[from] PageSettingsError),
    /// It is not the number of an invalidation.
    #[error("invalidation takes the `seq` of a receipt, a number")]
    Seq,
    /// It is not a ticket.
    #[error("the ticket is not one of lookup's")]
    Ticket,
}

impl From<InvalidateError> for CallError {
    fn from(error: InvalidateError) -> Self {
        Self::Argument(error.into())
    }
}

impl From<InspectError> for CallError {
    fn from(error: InspectError) -> Self {
        Self::Argument(error.into())
    }
}

impl From<QueryError> for CallError {
    fn from(error: QueryError) -> Self {
        Self::Argument(error.into())
    }
}

impl From<ExplainError> for CallError {
    fn from(error: ExplainError) -> Self {
        Self::Argument(error.into())
    }
}

/// Why a Durable Object gave no answer.
///
/// ```
/// use cloudflare_isr::{IsrError, ObjectError};
///
/// fn is_overloaded(error: &IsrError) -> bool {
///     matches!(error, IsrError::NotRecorded(ObjectError::Overloaded { .. }))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The binding is missing, or the configuration is not valid.
    #[error("the binding is missing")]
    Unbound,
    /// The platform could not reach the object, or the object threw an exception.
    #[error("the object could not be reached: {message}")]
    Unreachable {
        /// The message of the exception.
        message: String,
        /// Whether the platform says that another attempt may succeed.
        retryable: bool,
    },
    /// The platform does not let more requests through to the object. Another attempt would add to its load.
    #[error("the object is overloaded: {message}")]
    Overloaded {
        /// The message of the exception.
        message: String,
    },
    /// The object did not answer within the time that the caller had.
    #[error("the object did not answer in time")]
    Timeout,
    /// The object does not know the message: it runs an earlier version of this code. The message had no effect.
    #[error("the object runs an earlier version, which does not know the message")]
    NotUnderstood,
    /// The object refused the message.
    #[error("the object answered {status}")]
    Refused {
        /// The HTTP status of its answer.
        status: u16,
    },
    /// The answer can't be decoded.
    #[error("the object's answer can't be read")]
    Garbled,
    /// The object could not read or write its database.
    #[error("{message}")]
    Storage {
        /// What the database reports.
        message: String,
    },
}

impl From<StoreError> for ObjectError {
    fn from(error: StoreError) -> Self {
        Self::Storage { message: error.to_string() }
    }
}

/// The code of an error, for programs. HTTP and RPC use the same codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// An argument is not valid.
    InvalidArgument,
    /// The caller has no valid token.
    Unauthorized,
    /// Nothing has this name, number or path.
    NotFound,
    /// The path does not accept this HTTP method.
    MethodNotAllowed,
    /// The lease has ended.
    LeaseLost,
    /// The request does not announce the length of its body.
    LengthRequired,
    /// The body is too large.
    TooLarge,
    /// The call may succeed later.
    Unavailable,
}

impl ErrorCode {
    /// Returns the code as HTTP and RPC carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::LeaseLost => "lease_lost",
            Self::LengthRequired => "length_required",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }

    /// Builds the JSON that HTTP and RPC answer with: `{ "error": { "code", "message" } }`.
    #[must_use]
    pub fn to_json(self, message: &dyn fmt::Display) -> Value {
        json!({ "error": { "code": self.as_str(), "message": message.to_string() } })
    }
}
