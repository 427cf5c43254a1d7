//! A stored page: its metadata, and its format in L2.
//!
//! An L2 value is `"ISR"`, a format byte, the length of the header as four bytes (big-endian), the header in CBOR, and
//! the unchanged body. An unreadable value is a miss, never a panic.
//!
//! A page that is too large for a store may be kept in another one. In its place the store has [`ELSEWHERE`]: a value
//! of format 2, without header and body.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::digest::Digest;
use crate::semantics::freshness::Windows;
use crate::semantics::headers::HeaderList;
use crate::semantics::key::PageKey;
use crate::semantics::statuses;
use crate::semantics::tag::Tag;
use crate::time::Timestamp;
use crate::version::Version;

const MAGIC: &[u8; 3] = b"ISR";
const FORMAT: u8 = 1;

/// The format of a page with nominated request headers. Otherwise it is the same as [`FORMAT`].
const NOMINATING_FORMAT: u8 = 3;

/// The beginning of the header value of a page with nominated request headers. No base64url has this character.
const NOMINATING: char = '~';

/// Points to a page under the same name in another store. It contains no version; the value there does.
pub const ELSEWHERE: [u8; PREFIX_BYTES] = *b"ISR\x02\0\0\0\0";

const PREFIX_BYTES: usize = 8;

/// The most bytes of the header of an L2 value. The headers of a page are far below.
const MAX_HEADER_BYTES: usize = 128 * 1024;

/// The metadata of a rendered page, besides its headers and its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageMeta {
    /// The page's full key.
    #[serde(rename = "k")]
    pub key: PageKey,
    /// The fencing token of the render; its time is when the render began.
    #[serde(rename = "v")]
    pub version: Version,
    /// The origin's status.
    #[serde(rename = "c")]
    pub status: u16,
    /// When the last byte of the render arrived. If the origin had the page from a cache, earlier by the `Age` that it
    /// sent (RFC 9111 §4.2.3).
    #[serde(rename = "r")]
    pub rendered_at: Timestamp,
    /// The times until which the page is fresh, may be served stale, and may be served in place of an error.
    #[serde(rename = "w")]
    pub windows: Windows,
    /// The page's tags, sorted.
    #[serde(rename = "t")]
    pub tags: Vec<Tag>,
    /// The length of the body; `None` while it still streams. L2 has complete bodies only.
    #[serde(rename = "n", default)]
    pub body_bytes: Option<u64>,
    /// The digest of the content; `None` while it still streams, or if an earlier version of this cache wrote the page.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What the page means for clients. A coordinator keeps it with the content, and not in its table.
    #[serde(rename = "y", default, skip_serializing_if = "ClientRules::are_none")]
    pub rules: ClientRules,
    /// Whether the origin has sent a validator with the page, so that a later render may validate it (RFC 9111 §4.3).
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub has_validator: bool,
    /// What an edge knows from the coordinator's answer that contained the page. Only pages in L1 have it.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<Box<Vouched>>,
}

/// A coordinator's answer as evidence that a page is valid. An edge needs it for a page from before the floor of its
/// feed, and while it does not have the feed at all.
///
/// Both times are those of the question, not of the answer: the coordinator and the feed may have learnt more since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// The page is valid as far as invalidations up to this time can tell, by the tag index's clock. The coordinator has
    /// applied those below the edge's floor, and the edge knew the later ones.
    #[serde(rename = "i")]
    pub up_to: Timestamp,
    /// When the edge asked, by its own clock.
    #[serde(rename = "q")]
    pub asked_at: Timestamp,
}

impl PageMeta {
    /// Returns when the render began. The page reflects everything that was invalidated before.
    #[must_use]
    pub fn render_start(&self) -> Timestamp {
        self.version.time()
    }

    /// Returns whether the page says that there is none. Such a page is never served stale: the page may be there by now.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        statuses::is_not_found(self.status)
    }

    /// Encodes the metadata for a header value: CBOR in unpadded base64url. That of a page with nominated headers begins
    /// with [`NOMINATING`]: an earlier version of this cache, which would serve the page to every client, can't read it.
    #[must_use]
    pub fn to_header_value(&self) -> String {
        let text = codec::to_text(self);
        if self.rules.nominated().is_empty() { text } else { format!("{NOMINATING}{text}") }
    }

    /// Parses the result of [`Self::to_header_value`].
    ///
    /// # Errors
    /// [`FormatError::Header`] for anything else.
    pub fn from_header_value(value: &str) -> Result<Self, FormatError> {
        codec::from_text(value.strip_prefix(NOMINATING).unwrap_or(value)).ok_or(FormatError::Header)
    }
}

/// A page without its body: the header of an L2 value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageHead {
    /// The page's metadata.
    #[serde(rename = "m")]
    pub meta: PageMeta,
    /// The headers that are served with it.
    #[serde(rename = "h")]
    pub headers: HeaderList,
}

/// Why bytes are not a usable L2 value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Too short, or without the magic at the beginning.
    #[error("not a page of this cache")]
    Magic,
    /// Written by a later version of this cache.
    #[error("unknown format {0}")]
    Format(u8),
    /// The header is cut off, above its limit, or not the expected CBOR.
    #[error("corrupt header")]
    Header,
    /// The body has another length than the header says.
    #[error("the body is cut off")]
    Body,
    /// The value belongs to another key with the same name.
    #[error("the entry belongs to another page")]
    Key,
}

/// The first bytes of an L2 value, with the length of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    header_bytes: usize,
}

impl Prefix {
    /// The length of the prefix.
    pub const BYTES: usize = PREFIX_BYTES;

    /// Reads the prefix from the beginning of a value.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn read(value: &[u8]) -> Result<Self, FormatError> {
        let Some(([m0, m1, m2, format, n0, n1, n2, n3], _)) = value.split_first_chunk::<PREFIX_BYTES>() else {
            return Err(FormatError::Magic);
        };
        if [*m0, *m1, *m2] != *MAGIC {
            return Err(FormatError::Magic);
        }
        if ![FORMAT, NOMINATING_FORMAT].contains(format) {
            return Err(FormatError::Format(*format));
        }
        let header_bytes = u32::from_be_bytes([*n0, *n1, *n2, *n3]) as usize;
        if header_bytes > MAX_HEADER_BYTES { Err(FormatError::Header) } else { Ok(Self { header_bytes }) }
    }

    /// Returns where the body begins.
    #[must_use]
    pub fn body_offset(self) -> usize {
        PREFIX_BYTES + self.header_bytes
    }
}

impl PageHead {
    /// Writes the part of an L2 value before the body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let header = codec::encode(self);
        let mut out = Vec::with_capacity(PREFIX_BYTES + header.len());
        out.extend_from_slice(MAGIC);
        out.push(if self.meta.rules.nominated().is_empty() { FORMAT } else { NOMINATING_FORMAT });
        // Bounded by storable::MAX_HEADER_BYTES and the bounds of key and tags, far below 2^32.
        out.extend_from_slice(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&header);
        out
    }

    /// Parses the header of a value with the length `total_bytes` that should be the page `key`. `before_body` are the
    /// bytes up to [`Prefix::body_offset`].
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn decode(before_body: &[u8], total_bytes: usize, key: &PageKey) -> Result<Self, FormatError> {
        let prefix = Prefix::read(before_body)?;
        let header = before_body.get(PREFIX_BYTES..prefix.body_offset()).ok_or(FormatError::Header)?;
        let head: Self = codec::decode(header).ok_or(FormatError::Header)?;
        if head.meta.key != *key {
            return Err(FormatError::Key);
        }
        let body_bytes = (total_bytes as u64).checked_sub(prefix.body_offset() as u64);
        if body_bytes.is_none() || body_bytes != head.meta.body_bytes {
            return Err(FormatError::Body);
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::semantics::freshness::Revalidate;
    use crate::semantics::nominated::Nominated;

    fn head() -> PageHead {
        let start = Timestamp::from_millis(1_700_000_000_000);
        let hour = Duration::from_hours(1);
        PageHead {
            meta: PageMeta {
                key: PageKey::from_stored("https://e.com/a?b=c").unwrap(),
                version: Version::from_parts(start, 7),
                status: 404,
                rendered_at: start.plus(Duration::from_millis(20)),
                windows: Windows::new(start, Revalidate::After(hour), hour, hour).unwrap(),
                tags: vec![Tag::parse("posts").unwrap()],
                body_bytes: Some(3),
                digest: Digest::parse("00112233445566778899aabbccddeeff"),
                rules: ClientRules::default(),
                has_validator: false,
                vouched: None,
            },
            headers: HeaderList::from_pairs(&[("link", "</a>"), ("link", "</b>")]),
        }
    }

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let head = head();
        let bytes = head.encode();
        assert_eq!(Prefix::read(&bytes).map(Prefix::body_offset), Ok(bytes.len()));
        assert_eq!(PageHead::decode(&bytes, bytes.len() + 3, &head.meta.key), Ok(head.clone()));
        assert_eq!(PageMeta::from_header_value(&head.meta.to_header_value()), Ok(head.meta));
    }

    #[test]
    fn a_page_that_is_not_for_every_client_is_unreadable_for_earlier_versions() {
        let nominated = Nominated::read("Cookie, Origin", |_| false, |_| false).unwrap();
        let rules = ClientRules::new(nominated, Some("max-age=60".to_owned()));
        let meta = PageMeta { rules, ..head().meta };
        let head = PageHead { meta: meta.clone(), ..head() };
        let bytes = head.encode();
        assert_eq!(bytes[3], NOMINATING_FORMAT);
        assert_eq!(PageHead::decode(&bytes, bytes.len() + 3, &meta.key), Ok(head));
        let value = meta.to_header_value();
        assert_eq!(codec::from_text::<PageMeta>(&value), None, "as earlier versions read it");
        assert_eq!(PageMeta::from_header_value(&value), Ok(meta));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let head = head();
        let bytes = head.encode();
        let key = &head.meta.key;
        let other = PageKey::from_stored("https://e.com/b").unwrap();
        let mut newer = bytes.clone();
        newer[3] = 9;
        assert_eq!(PageHead::decode(&bytes, bytes.len() + 2, key), Err(FormatError::Body));
        assert_eq!(PageHead::decode(&bytes, bytes.len() + 3, &other), Err(FormatError::Key));
        assert_eq!(PageHead::decode(&newer, bytes.len() + 3, key), Err(FormatError::Format(9)));
        assert_eq!(PageHead::decode(b"ISR", 3, key), Err(FormatError::Magic));
        assert_eq!(PageHead::decode(&bytes[..bytes.len() - 1], bytes.len() + 3, key), Err(FormatError::Header));
        assert_eq!(Prefix::read(b"ISR\x01\xff\xff\xff\xff"), Err(FormatError::Header));
        // The header is one byte longer than the CBOR in it.
        let mut longer = [bytes.as_slice(), &[0]].concat();
        longer[7] += 1;
        assert_eq!(PageHead::decode(&longer, longer.len() + 3, key), Err(FormatError::Header));
    }

    proptest! {
        /// A page from the origin leaves L2 with the same end-to-end headers and the same bytes.
        #[test]
        fn a_page_is_replayed_as_it_came(
            pairs in prop::collection::vec(("[a-z][a-z0-9-]{0,9}", "[\\t -~ü]{0,20}"), 0..8),
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut page = head();
            page.headers = HeaderList::from_pairs(&pairs).for_sharing();
            page.meta.body_bytes = Some(body.len() as u64);
            let value = [page.encode(), body.clone()].concat();
            let offset = Prefix::read(&value).unwrap().body_offset();
            let read = PageHead::decode(&value[..offset], value.len(), &page.meta.key);
            prop_assert_eq!((read, &value[offset..]), (Ok(page), body.as_slice()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..400_usize, at in 0..400_usize, flip: u8) {
            let key = head().meta.key;
            let _ = PageHead::decode(&bytes, bytes.len(), &key);
            let mut damaged = head().encode();
            let at = at % damaged.len();
            damaged[at] ^= flip;
            damaged.truncate(cut);
            let _ = PageHead::decode(&damaged, damaged.len() + 3, &key);
            let _ = PageMeta::from_header_value(&String::from_utf8_lossy(&bytes));
        }
    }
}
