//! The one encoding of structured data: CBOR, and, where text is needed, CBOR in unpadded base64url.
//!
//! Messages and L2 values carry the bytes; header values and tickets carry the text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encodes a value as CBOR. The value must have no hand-written `Serialize`, so that its encoding can't fail.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let written = ciborium::into_writer(value, &mut out);
    debug_assert!(written.is_ok(), "writing CBOR to memory can't fail");
    out
}

/// Decodes CBOR; `None` if the bytes are anything else, or continue after the value.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    ciborium::from_reader(&mut rest).ok().filter(|_| rest.is_empty())
}

/// Encodes a value as text that can stand inside a header value.
#[must_use]
pub fn to_text<T: Serialize>(value: &T) -> String {
    URL_SAFE_NO_PAD.encode(encode(value))
}

/// Parses the result of [`to_text`]; `None` for anything else.
#[must_use]
pub fn from_text<T: DeserializeOwned>(text: &str) -> Option<T> {
    decode(&URL_SAFE_NO_PAD.decode(text).ok()?)
}
