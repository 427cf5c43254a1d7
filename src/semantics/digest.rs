//! The digest of a page's content, in 128 bits: two renders with the same digest need to be written only once.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::Windows;
use crate::semantics::headers::HeaderList;
use crate::semantics::tag::Tag;
use crate::text::text_conversions;
use crate::time::Timestamp;

/// The first half of a SHA-256 over everything that a client or an edge can distinguish: status, stored headers, tags,
/// the lengths of the freshness windows, and the body. It does not cover the time of the render.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(u128);

/// A text that is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a digest")]
pub struct NotADigest;

/// The parts of a page that its digest covers.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The origin's status.
    pub status: u16,
    /// The stored headers.
    pub headers: &'a HeaderList,
    /// The page's tags, sorted.
    pub tags: &'a [Tag],
    /// When the render began.
    pub start: Timestamp,
    /// The page's windows.
    pub windows: &'a Windows,
    /// What the page means for clients.
    pub rules: &'a ClientRules,
    /// SHA-256 of the body.
    pub body_sha256: &'a [u8],
}

impl Digest {
    /// Computes the digest of a page.
    #[must_use]
    pub fn of(parts: &Parts<'_>) -> Self {
        let windows = [parts.windows.fresh_until, parts.windows.stale_until, parts.windows.error_until];
        let lengths = windows.map(|end| Some(end?.as_millis().saturating_sub(parts.start.as_millis())));
        let covered = (parts.status, parts.headers, parts.tags, lengths, parts.body_sha256);
        let mut bytes = Vec::new();
        let written = ciborium::into_writer(&covered, &mut bytes);
        debug_assert!(written.is_ok(), "writing CBOR to memory can't fail");
        // Most pages have none, and keep the digest that earlier versions have given them.
        if !parts.rules.are_none() {
            let written = ciborium::into_writer(parts.rules, &mut bytes);
            debug_assert!(written.is_ok(), "writing CBOR to memory can't fail");
        }
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        Self(hash.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte)))
    }

    /// Parses the output of [`fmt::Display`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_canonical { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

text_conversions!(Digest, NotADigest, |text| Digest::parse(text).ok_or(NotADigest), |digest| digest.to_string());

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::semantics::freshness::Revalidate;
    use crate::semantics::nominated::Nominated;

    #[test]
    fn it_tells_apart_what_a_visitor_or_an_edge_can_and_nothing_else() {
        let (start, later) = (Timestamp::from_millis(1_000), Timestamp::from_millis(9_000));
        let windows = |start, seconds| {
            let revalidate = Revalidate::After(Duration::from_secs(seconds));
            Windows::new(start, revalidate, Duration::from_hours(1), Duration::ZERO).unwrap()
        };
        let (minute, hour, minute_later) = (windows(start, 60), windows(start, 3600), windows(later, 60));
        let (none, link) = (HeaderList::default(), HeaderList::from_pairs(&[("link", "</a>")]));
        let tags = [Tag::parse("a").unwrap()];
        let nominated = Nominated::read("Cookie", |_| false, |_| false).unwrap();
        let (none_of_them, some) = (ClientRules::default(), ClientRules::new(nominated, None));
        let kept = ClientRules::new(Nominated::none(), Some("max-age=60".to_owned()));
        let parts = Parts {
            status: 200,
            headers: &none,
            tags: &[],
            start,
            windows: &minute,
            rules: &none_of_them,
            body_sha256: &[7; 32],
        };
        let digest = Digest::of(&parts);
        assert_eq!(Digest::of(&Parts { start: later, windows: &minute_later, ..parts }), digest);
        for other in [
            Parts { status: 404, ..parts },
            Parts { headers: &link, ..parts },
            Parts { tags: &tags, ..parts },
            Parts { windows: &hour, ..parts },
            Parts { rules: &some, ..parts },
            Parts { rules: &kept, ..parts },
            Parts { body_sha256: &[8; 32], ..parts },
        ] {
            assert_ne!(Digest::of(&other), digest, "{other:?}");
        }
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("+0000000000000000000000000000001"), None);
    }
}
