//! Problems of a deployment that the settings alone do not show: missing secrets and buckets.

use super::binding::Binding;
use super::error::{ConfigError, Dependency, ProblemKind, SecretPurpose};
use super::settings::{MAX_BODY_BYTES, RENDER_HEADERS, WEBHOOKS, ZONE_PURGE};
use super::value_error::ValueError;
use crate::route::{MAX_RENDER_HEADER_BYTES, RenderHeaderError};

impl ConfigError {
    /// Reports that `max_body_bytes` is larger than KV accepts and that no R2 bucket is bound.
    #[must_use]
    #[doc(hidden)]
    pub fn needs_bucket() -> Self {
        let setting = format!("{}.{}", Binding::Settings.default_name(), MAX_BODY_BYTES.setting.name);
        Self::of(&setting, ProblemKind::MissingDependency(Dependency::BucketForLargeBodies))
    }

    /// Reports that the class of the coordinators has no SQLite.
    #[must_use]
    #[doc(hidden)]
    pub fn needs_sqlite() -> Self {
        let dependency = ProblemKind::MissingDependency(Dependency::SqliteForObjects);
        Self::of(Binding::Coordinator.default_name(), dependency)
    }

    /// Reports that the secret that `zone_purge` needs is missing.
    #[must_use]
    #[doc(hidden)]
    pub fn missing_purge_token(name: &str) -> Self {
        Self::of(name, missing_secret(name, SecretPurpose::ZonePurge { setting: ZONE_PURGE.setting.name }))
    }

    /// Reports that a secret that `render_headers` names is missing.
    #[must_use]
    #[doc(hidden)]
    pub fn missing_render_secret(name: &str) -> Self {
        Self::of(name, missing_secret(name, SecretPurpose::RenderHeader { setting: RENDER_HEADERS.setting.name }))
    }

    /// Reports that a secret that `render_headers` names can't be the value of a header.
    #[must_use]
    #[doc(hidden)]
    pub fn malformed_render_secret(name: &str, error: RenderHeaderError) -> Self {
        let accepts = format!("1 to {MAX_RENDER_HEADER_BYTES} bytes of visible ASCII, with spaces only between");
        Self::of(name, ProblemKind::InvalidValue { found: "the secret".to_owned(), error: error.into(), accepts })
    }
}

impl ConfigError {
    /// Reports that the secret of a webhook is missing.
    #[must_use]
    #[doc(hidden)]
    pub fn missing_webhook_secret(name: &str) -> Self {
        Self::of(name, missing_secret(name, SecretPurpose::Webhook { setting: WEBHOOKS.setting.name }))
    }

    /// Reports that the secret of a webhook does not have the form that its scheme requires.
    #[must_use]
    #[doc(hidden)]
    pub fn malformed_webhook_secret(name: &str) -> Self {
        let accepts = "the secret of Standard Webhooks: `whsec_` and base64".to_owned();
        let (found, error) = ("the secret".to_owned(), ValueError::NotBase64);
        Self::of(name, ProblemKind::InvalidValue { found, error, accepts })
    }
}

fn missing_secret(name: &str, purpose: SecretPurpose) -> ProblemKind {
    ProblemKind::MissingSecret { name: name.to_owned(), purpose }
}
