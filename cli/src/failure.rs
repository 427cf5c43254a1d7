//! Why a command could not be carried out, with the exit code of each reason.

use std::io;
use std::process::ExitCode;

use thiserror::Error;

/// The answer of a command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done; healthy, found, complete.
    Yes,
    /// Unhealthy, not found, still pending.
    No,
    /// The checked configuration has problems.
    Misconfigured,
}

impl Verdict {
    /// Returns "yes" if a condition holds.
    pub(crate) const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    /// Returns the exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Misconfigured => 2,
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(verdict.code())
    }
}

/// Why a command could not be carried out. The message says what to do.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The arguments, the profile or a file are not valid.
    #[error("{0}")]
    Usage(String),
    /// The deployment does not accept an argument.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// There is no token.
    #[error(
        "There is no admin token. Set the variable ISR_ADMIN_TOKEN to the value of the deployment's secret of the same \
         name; `npx wrangler secret put ISR_ADMIN_TOKEN` sets that secret."
    )]
    NoToken,
    /// The token is wrong.
    #[error(
        "The deployment refuses the admin token. Set the variable ISR_ADMIN_TOKEN to the value that \
         `npx wrangler secret put ISR_ADMIN_TOKEN` has set for this deployment."
    )]
    Unauthorized,
    /// No response arrived.
    #[error("{url} could not be reached: {cause}. Check --url, the profile or ISR_URL, and the network.")]
    Unreachable {
        /// The origin of the deployment.
        url: String,
        /// Why.
        cause: String,
    },
    /// The deployment does not have the endpoint.
    #[error(
        "There is nothing at {path}. Either the secret ISR_ADMIN_TOKEN of the deployment is not set, which switches the \
         calls off, or the deployment has a version without this call."
    )]
    NoSuchCall {
        /// The path of the endpoint.
        path: String,
    },
    /// The deployment answered with an error.
    #[error("The deployment answered with {status}: {message}")]
    Deployment {
        /// The HTTP status.
        status: u16,
        /// Its message.
        message: String,
    },
    /// The response is not one of this interface.
    #[error("The response can't be understood: {0}")]
    Misunderstood(String),
    /// Nothing more can be printed.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            // The reader has read enough, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::NotFound(_) | Self::Output(_) => 1,
            Self::Usage(_) | Self::Refused(_) => 2,
            Self::NoToken | Self::Unauthorized => 3,
            Self::Unreachable { .. } => 4,
            Self::NoSuchCall { .. } | Self::Deployment { .. } | Self::Misunderstood(_) => 5,
        }
    }

    /// Returns whether the same call may succeed later.
    pub(crate) const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Deployment { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Returns the name of the reason, for programs.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Refused(_) => "invalid_argument",
            Self::NotFound(_) => "not_found",
            Self::NoToken | Self::Unauthorized => "unauthorized",
            Self::Unreachable { .. } => "unreachable",
            Self::NoSuchCall { .. } => "no_such_call",
            Self::Deployment { .. } => "deployment",
            Self::Misunderstood(_) => "misunderstood",
            Self::Output(_) => "output",
        }
    }
}
