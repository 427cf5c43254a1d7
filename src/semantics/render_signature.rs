//! The signature of a render, by which the origin tells it from a client's request: any client can send any header.
//!
//! `X-ISR-Render: t=<unix seconds>,v1=<HMAC-SHA-256 in hexadecimal>` over `<t>.<METHOD>.<path and query>`, under a
//! secret that the cache and the origin share. It proves that the cache sent this request recently. An attacker that
//! has seen the request can repeat it for five minutes, and learns only what any client may see.

use std::fmt::{self, Write};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::time::Timestamp;

/// The header with the signature. Clients' values of it never reach an origin.
pub const RENDER_HEADER: &str = "x-isr-render";

/// The largest difference between the clocks of cache and origin, including the request's time in transit.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// The secret that cache and origin share. It is never shown.
#[derive(Clone)]
pub struct RenderSecret(Hmac<Sha256>);

impl fmt::Debug for RenderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderSecret").finish_non_exhaustive()
    }
}

impl RenderSecret {
    /// Wraps a secret; `None` if it is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() { None } else { Hmac::new_from_slice(text.as_bytes()).ok().map(Self) }
    }

    /// Signs a request, and returns the value of [`RENDER_HEADER`]. `target` is path and query in the origin's view.
    #[must_use]
    pub fn sign(&self, now: Timestamp, method: &str, target: &str) -> String {
        let seconds = now.as_millis() / 1000;
        let mut value = format!("t={seconds},v1=");
        for byte in self.mac(&seconds.to_string(), method, target).finalize().into_bytes() {
            // Writing to a `String` can't fail.
            let _ = write!(value, "{byte:02x}");
        }
        value
    }

    /// Returns whether a value of [`RENDER_HEADER`] is a recent signature of this request. The comparison takes
    /// constant time.
    #[must_use]
    pub fn verifies(&self, value: &str, now: Timestamp, method: &str, target: &str) -> bool {
        let Some((time, tag)) = value.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else {
            return false;
        };
        let is_number = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
        let (Some(seconds), Some(tag)) = (time.parse::<u64>().ok().filter(|_| is_number), from_hex(tag)) else {
            return false;
        };
        let is_recent = (now.as_millis() / 1000).abs_diff(seconds) <= TOLERANCE.as_secs();
        is_recent && self.mac(time, method, target).verify_slice(&tag).is_ok()
    }

    fn mac(&self, time: &str, method: &str, target: &str) -> Hmac<Sha256> {
        self.0.clone().chain_update(format!("{time}.{method}.{target}"))
    }
}

/// Parses the 64 digits of an HMAC-SHA-256 in lower case.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_999);

    /// Computed by another implementation: `printf '1700000000.GET./blog/hello?page=2' | openssl dgst -sha256 -hmac correct-horse`.
    const SIGNED: &str = "t=1700000000,v1=5fa39f9747144df94f05a776214689d985dfefd35ab8b04001b33514b3cd2d9e";

    fn secret() -> RenderSecret {
        RenderSecret::new("correct-horse").unwrap()
    }

    #[test]
    fn a_known_request_has_a_known_signature() {
        assert_eq!(secret().sign(NOW, "GET", "/blog/hello?page=2"), SIGNED);
        assert!(secret().verifies(SIGNED, NOW, "GET", "/blog/hello?page=2"));
        assert!(RenderSecret::new("").is_none());
        assert_eq!(format!("{:?}", secret()), "RenderSecret { .. }");
    }

    #[test]
    fn it_holds_for_one_request_and_for_a_while() {
        let verifies = |value: &str, at: u64, method, target| {
            secret().verifies(value, Timestamp::from_millis(at * 1000), method, target)
        };
        for (at, expected) in
            [(1_700_000_300, true), (1_700_000_301, false), (1_699_999_700, true), (1_699_999_699, false)]
        {
            assert_eq!(verifies(SIGNED, at, "GET", "/blog/hello?page=2"), expected, "{at}");
        }
        let at = 1_700_000_000;
        assert!(!verifies(SIGNED, at, "HEAD", "/blog/hello?page=2"));
        assert!(!verifies(SIGNED, at, "GET", "/blog/hello?page=3"));
        assert!(!RenderSecret::new("battery-staple").unwrap().verifies(SIGNED, NOW, "GET", "/blog/hello?page=2"));
    }

    #[test]
    fn another_form_is_no_signature() {
        let verifies = |value: &str| secret().verifies(value, NOW, "GET", "/blog/hello?page=2");
        let tag = SIGNED.split_once(",v1=").unwrap().1;
        for value in [
            String::new(),
            "render".to_owned(),
            format!("v1={tag},t=1700000000"),
            format!("t=+1700000000,v1={tag}"),
            format!("t=1700000000,v1={}", tag.to_uppercase()),
            format!("t=1700000000,v1={}", &tag[..62]),
            format!("t=1700000000,v1={tag}00"),
            format!("t=1700000000,v1={}", "zz".repeat(32)),
            format!("t=99999999999999999999,v1={tag}"),
            format!("{SIGNED},v1={tag}"),
        ] {
            assert!(!verifies(&value), "{value}");
        }
    }
}
