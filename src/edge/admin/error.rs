//! Why an admin call failed, and the answer to the caller.

use serde_json::{Value, json};
use thiserror::Error;

use crate::edge::platform::calls::CallError;
use crate::inspection::InspectError;
use crate::invalidation;
use crate::shard_name::ShardName;
use crate::sql::StoreError;

/// The most bytes of a request body.
pub(super) const MAX_BODY_BYTES: u64 = 16 * 1024;

/// Why an admin call failed: its status, its code and its message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(in crate::edge) enum AdminError {
    /// There is nothing at this path, or the path is switched off.
    #[error("there is nothing here")]
    NotFound,
    /// The method is not the one that is supported.
    #[error("use {allow}")]
    Method {
        /// The supported method.
        allow: &'static str,
    },
    /// No token, or a wrong one.
    #[error("send the admin token as `Authorization: Bearer <token>`")]
    Unauthorized,
    /// The request has no `Content-Length`.
    #[error("send the body's length in `Content-Length`")]
    Length,
    /// The body is above its limit.
    #[error("the body may have at most {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// An argument is not valid.
    #[error("{0}")]
    Argument(String),
    /// The log has no invalidation of that number.
    #[error("no invalidation {seq} is known: the log keeps the newest 100,000")]
    UnknownInvalidation {
        /// The number.
        seq: u64,
    },
    /// No coordinator of that name has stored anything.
    #[error("no coordinator {shard} is known: neither the configuration nor the tag index names it")]
    UnknownShard {
        /// The name.
        shard: ShardName,
    },
    /// The lease is over, or never existed.
    #[error("the lease is over: the page has been rendered by another, or it took too long")]
    LeaseLost,
    /// The tag index is unreachable: the invalidation may not be recorded.
    #[error("the invalidation could not be recorded; try again")]
    Unavailable,
    /// An object is unreachable.
    #[error("an object could not be reached; try again")]
    Unanswered,
    /// The configuration is not valid.
    #[error("the cache is not configured; its log says what is wrong")]
    Unconfigured,
}

impl AdminError {
    /// Logs why an object that is inspected is unreachable.
    #[allow(clippy::needless_pass_by_value, reason = "the signature that map_err wants")]
    pub(super) fn unanswered(error: CallError) -> Self {
        worker::console_error!("inspection: {error}");
        Self::Unanswered
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Self::NotFound | Self::UnknownInvalidation { .. } | Self::UnknownShard { .. } => 404,
            Self::Method { .. } => 405,
            Self::Unauthorized => 401,
            Self::Length => 411,
            Self::TooLarge => 413,
            Self::Argument(_) => 400,
            Self::LeaseLost => 409,
            Self::Unavailable | Self::Unanswered | Self::Unconfigured => 503,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound | Self::UnknownInvalidation { .. } | Self::UnknownShard { .. } => "not_found",
            Self::Method { .. } => "method_not_allowed",
            Self::Unauthorized => "unauthorized",
            Self::Length => "length_required",
            Self::TooLarge => "too_large",
            Self::Argument(_) => "invalid_argument",
            Self::LeaseLost => "lease_lost",
            Self::Unavailable | Self::Unanswered | Self::Unconfigured => "unavailable",
        }
    }

    pub(in crate::edge) fn to_json(&self) -> Value {
        json!({ "error": { "code": self.code(), "message": self.to_string() } })
    }
}

impl From<invalidation::CallError> for AdminError {
    fn from(error: invalidation::CallError) -> Self {
        Self::Argument(error.to_string())
    }
}

impl From<InspectError> for AdminError {
    fn from(error: InspectError) -> Self {
        Self::Argument(error.to_string())
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        worker::console_error!("tag index: {error}");
        Self::Unavailable
    }
}

impl From<CallError> for AdminError {
    fn from(error: CallError) -> Self {
        worker::console_error!("tag index: {error}");
        Self::Unavailable
    }
}
