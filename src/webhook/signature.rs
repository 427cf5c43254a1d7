//! How a webhook proves that it comes from the sender that shares its secret.
//!
//! | scheme | header | what is signed |
//! |---|---|---|
//! | `contentful` | `X-Contentful-Signature`: HMAC-SHA-256, hexadecimal | method, path, the headers that `X-Contentful-Signed-Headers` lists, body |
//! | `github` | `X-Hub-Signature-256`: `sha256=` and HMAC-SHA-256, hexadecimal | body |
//! | `sanity` | `Sanity-Webhook-Signature`: `t=<milliseconds>,v1=<HMAC-SHA-256, base64url>` | `<t>.<body>` |
//! | `standard` | `Webhook-Signature`: `v1,<HMAC-SHA-256, base64>`, one or several ([Standard Webhooks]) | `<id>.<seconds>.<body>` |
//! | `storyblok` | `Webhook-Signature`: HMAC-SHA-1, hexadecimal | body |
//! | `token` | `Authorization: Bearer <secret>` | nothing |
//!
//! Where the time is signed, a request that is much older or newer is refused: somebody may have recorded it.
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;
use thiserror::Error;

use crate::secret::Secret;
use crate::time::Timestamp;

/// The largest difference between a signed time and the clock, including the time in transit.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The same for Sanity, which repeats a failed call for half an hour, and does not document whether it signs it anew.
const SANITY_TOLERANCE: Duration = Duration::from_hours(1);

/// What the secret of [`Scheme::Standard`] begins with. The rest is base64.
const STANDARD_SECRET: &str = "whsec_";

/// The headers that Contentful has to sign besides the body.
const CONTENTFUL_TIMESTAMP: &str = "x-contentful-timestamp";
const CONTENTFUL_SIGNED: &str = "x-contentful-signed-headers";

/// How a sender proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Contentful's request verification.
    Contentful,
    /// GitHub.
    Github,
    /// Sanity.
    Sanity,
    /// Standard Webhooks.
    Standard,
    /// Storyblok.
    Storyblok,
    /// The secret itself, as a bearer token: for senders that sign nothing, such as `DatoCMS`.
    Token,
}

/// A request as it was received.
pub trait Received {
    /// Returns its method.
    fn method(&self) -> &str;

    /// Returns its path, with the query.
    fn target(&self) -> &str;

    /// Returns a header.
    fn header(&self, name: &str) -> Option<String>;

    /// Returns its body.
    fn body(&self) -> &[u8];
}

/// Why a request is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// It has no signature.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    /// A header has another form.
    #[error("the header `{0}` does not have the form of the scheme")]
    Malformed(&'static str),
    /// It was signed too long ago, or lies in the future.
    #[error("it was signed more than {} minutes ago, or later than now", .0.as_secs() / 60)]
    OutOfTime(Duration),
    /// The signature is wrong.
    #[error(
        "the signature is not that of the secret; compare the secret, and whether something changes the body on its way"
    )]
    Wrong,
}

impl Scheme {
    /// All schemes.
    const ALL: [Self; 6] = [Self::Contentful, Self::Github, Self::Sanity, Self::Standard, Self::Storyblok, Self::Token];

    /// The names in the configuration.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 6] = [
        Self::Contentful.as_str(),
        Self::Github.as_str(),
        Self::Sanity.as_str(),
        Self::Standard.as_str(),
        Self::Storyblok.as_str(),
        Self::Token.as_str(),
    ];

    /// Parses a name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == word)
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contentful => "contentful",
            Self::Github => "github",
            Self::Sanity => "sanity",
            Self::Standard => "standard",
            Self::Storyblok => "storyblok",
            Self::Token => "token",
        }
    }

    /// Returns the header with the signature. A request without it is refused before its body is read.
    #[must_use]
    pub const fn signature_header(self) -> &'static str {
        match self {
            Self::Contentful => "x-contentful-signature",
            Self::Github => "x-hub-signature-256",
            Self::Sanity => "sanity-webhook-signature",
            Self::Standard | Self::Storyblok => "webhook-signature",
            Self::Token => "authorization",
        }
    }

    /// Returns the header that names a delivery, and has the same value when the sender repeats it.
    #[must_use]
    pub const fn delivery_header(self) -> Option<&'static str> {
        match self {
            Self::Contentful => Some("x-contentful-idempotency-key"),
            Self::Github => Some("x-github-delivery"),
            Self::Sanity => Some("idempotency-key"),
            Self::Standard => Some("webhook-id"),
            Self::Storyblok | Self::Token => None,
        }
    }

    /// Returns whether a text can be a secret of this scheme.
    #[must_use]
    pub fn accepts_secret(self, secret: &str) -> bool {
        !secret.is_empty() && (self != Self::Standard || standard_key(secret).is_some())
    }

    /// Verifies that the sender of a request knows the secret. All comparisons take constant time.
    ///
    /// # Errors
    /// Says why it is not accepted.
    pub fn verify(self, secret: &str, received: &impl Received, now: Timestamp) -> Result<(), SignatureError> {
        let name = self.signature_header();
        let signature = received.header(name).ok_or(SignatureError::Missing(name))?;
        let is_right = match self {
            Self::Contentful => is_contentful(secret, &signature, received, now)?,
            Self::Github => {
                let tag = signature.strip_prefix("sha256=").ok_or(SignatureError::Malformed(name))?;
                is_mac::<Hmac<Sha256>>(secret.as_bytes(), &[received.body()], &hexadecimal(tag, name)?)
            }
            Self::Sanity => is_sanity(secret, &signature, received.body(), now)?,
            Self::Standard => is_standard(secret, &signature, received, now)?,
            Self::Storyblok => {
                is_mac::<Hmac<Sha1>>(secret.as_bytes(), &[received.body()], &hexadecimal(&signature, name)?)
            }
            Self::Token => {
                let token = signature.strip_prefix("Bearer ").ok_or(SignatureError::Malformed(name))?;
                Secret::new(secret).is(token)
            }
        };
        if is_right { Ok(()) } else { Err(SignatureError::Wrong) }
    }
}

fn is_contentful(
    secret: &str,
    signature: &str,
    received: &impl Received,
    now: Timestamp,
) -> Result<bool, SignatureError> {
    let header = |name: &'static str| received.header(name).ok_or(SignatureError::Missing(name));
    let time = header(CONTENTFUL_TIMESTAMP)?;
    within(TOLERANCE, millis(&time, CONTENTFUL_TIMESTAMP)?, now)?;
    let signed = header(CONTENTFUL_SIGNED)?;
    let mut names: Vec<String> = signed.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    if !names.iter().any(|name| name == CONTENTFUL_TIMESTAMP) {
        return Err(SignatureError::Malformed(CONTENTFUL_SIGNED));
    }
    names.sort_unstable();
    names.dedup();
    let lines = names.iter().filter_map(|name| Some(format!("{name}:{}", received.header(name)?.trim())));
    let lines = lines.collect::<Vec<_>>().join(";");
    let head = format!("{}\n{}\n{lines}\n", received.method(), received.target());
    let tag = hexadecimal(signature, Scheme::Contentful.signature_header())?;
    Ok(is_mac::<Hmac<Sha256>>(secret.as_bytes(), &[head.as_bytes(), received.body()], &tag))
}

fn is_sanity(secret: &str, signature: &str, body: &[u8], now: Timestamp) -> Result<bool, SignatureError> {
    let name = Scheme::Sanity.signature_header();
    let malformed = SignatureError::Malformed(name);
    let (time, tag) = signature.trim().strip_prefix("t=").and_then(|rest| rest.split_once("v1=")).ok_or(malformed)?;
    let time = time.trim_end_matches([',', ' ']);
    within(SANITY_TOLERANCE, millis(time, name)?, now)?;
    let tag = BASE64_URL_SAFE_NO_PAD.decode(tag.trim_end_matches('=')).map_err(|_| malformed)?;
    Ok(is_mac::<Hmac<Sha256>>(secret.as_bytes(), &[time.as_bytes(), b".", body], &tag))
}

fn is_standard(
    secret: &str,
    signatures: &str,
    received: &impl Received,
    now: Timestamp,
) -> Result<bool, SignatureError> {
    let header = |name: &'static str| received.header(name).ok_or(SignatureError::Missing(name));
    let (id, time) = (header("webhook-id")?, header("webhook-timestamp")?);
    within(TOLERANCE, millis(&time, "webhook-timestamp")?.saturating_mul(1000), now)?;
    let Some(key) = standard_key(secret) else { return Ok(false) };
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", received.body()];
    // While a secret is replaced, there is a signature for each.
    let mut tags = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
    Ok(tags.any(|tag| BASE64_STANDARD.decode(tag).is_ok_and(|tag| is_mac::<Hmac<Sha256>>(&key, &parts, &tag))))
}

/// Returns the key that a secret of Standard Webhooks stands for.
fn standard_key(secret: &str) -> Option<Vec<u8>> {
    let text = secret.strip_prefix(STANDARD_SECRET).unwrap_or(secret);
    BASE64_STANDARD.decode(text).ok().filter(|key| !key.is_empty())
}

/// Returns whether a tag is the code of these parts.
fn is_mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    // A key of any length is accepted (RFC 2104 section 2).
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(tag).is_ok()
}

fn millis(text: &str, header: &'static str) -> Result<u64, SignatureError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(SignatureError::Malformed(header))
}

fn within(tolerance: Duration, signed_at: u64, now: Timestamp) -> Result<(), SignatureError> {
    let is_recent = u128::from(now.as_millis().abs_diff(signed_at)) <= tolerance.as_millis();
    if is_recent { Ok(()) } else { Err(SignatureError::OutOfTime(tolerance)) }
}

fn hexadecimal(text: &str, header: &'static str) -> Result<Vec<u8>, SignatureError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|bytes| rest.is_empty() && !bytes.is_empty()).ok_or(SignatureError::Malformed(header))
}
