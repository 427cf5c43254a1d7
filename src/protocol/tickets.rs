//! The split life cycle: a caller that renders pages itself looks one up, gets the lease, and stores the page.
//!
//! ```text
//!  caller ──lookup──▶ edge ──miss, renders: true──▶ coordinator
//!         ◀──ticket──      ◀──Reply::Lease───────     │ lease
//!  renders                                              │
//!         ──store(ticket, response)──▶ edge ──Offer────▶│ judged as a site's answer
//!         ◀──Stored──                       ◀──StoreResult──┘
//! ```

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::reason::Reason;
use crate::semantics::headers::HeaderList;
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::version::Version;

/// The path of messages that store a page: an [`Offer`] is in [`OFFER_HEADER`], and the request's body is the page's.
pub const OFFER_PATH: &str = "/v1/offer";

/// The header that carries an [`Offer`].
pub const OFFER_HEADER: &str = "x-isr-offer";

/// The most bytes of headers in an offer: twice the limit of a stored page, because some headers are not stored.
const MAX_OFFERED_BYTES: usize = 2 * crate::semantics::headers::MAX_HEADER_BYTES;

/// The right to render a page once, given to one caller at a time. Written as opaque text.
///
/// ```
/// use cloudflare_isr::Ticket;
///
/// /// The ticket travels to another Worker as text.
/// fn handed_on(ticket: &Ticket) -> Option<Ticket> {
///     Ticket::parse(&ticket.to_text())
/// }
///
/// assert_eq!(Ticket::parse("not a ticket"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The coordinator that owns the page.
    #[serde(rename = "s")]
    #[doc(hidden)]
    pub shard: ShardName,
    /// The page.
    #[serde(rename = "k")]
    #[doc(hidden)]
    pub key: PageKey,
    /// The fencing token of the lease.
    #[serde(rename = "t")]
    #[doc(hidden)]
    pub token: Version,
    /// Whether the client's request has `Authorization`. Then the page is only stored if the response allows that (RFC
    /// 9111 §3.5).
    #[serde(rename = "a", default)]
    #[doc(hidden)]
    pub authorized: bool,
    /// The names of the headers of the client's request, in lower case: a page whose `Vary` nominates one of them is not for
    /// this client. At most [`MAX_SENT`].
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    #[doc(hidden)]
    pub sent: Vec<String>,
}

/// The most names of headers in a ticket.
pub const MAX_SENT: usize = 100;

impl Ticket {
    /// Writes the ticket as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        codec::to_text(self)
    }

    /// Parses the result of [`Self::to_text`]; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        codec::from_text(text)
    }
}

/// A page to store under a ticket, without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The ticket.
    pub ticket: Ticket,
    /// The status of the response.
    pub status: u16,
    /// Its unchanged headers. The coordinator judges them. `None` if there are too many to send.
    headers: Option<Vec<(String, String)>>,
}

impl Offer {
    /// Makes an offer from a response.
    #[must_use]
    pub fn new(ticket: Ticket, status: u16, headers: &HeaderList) -> Self {
        let pairs = || headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let headers = (headers.byte_len() <= MAX_OFFERED_BYTES).then(pairs);
        Self { ticket, status, headers }
    }

    /// Returns the headers; `None` if there were too many.
    #[must_use]
    pub fn headers(&self) -> Option<HeaderList> {
        self.headers.as_deref().map(HeaderList::from_pairs)
    }

    /// Encodes the offer for a header value.
    #[must_use]
    pub fn to_header_value(&self) -> String {
        codec::to_text(self)
    }

    /// Parses the result of [`Self::to_header_value`]; `None` for anything else.
    #[must_use]
    pub fn from_header_value(value: &str) -> Option<Self> {
        codec::from_text(value)
    }
}

/// A coordinator's answer to an [`Offer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreResult {
    /// The page is published.
    Stored,
    /// The page is not published.
    NotStored {
        /// Why.
        reason: Reason,
    },
    /// The lease is over, or never existed. The page has no effect.
    LeaseLost,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn ticket() -> Ticket {
        Ticket {
            shard: ShardName::from_stored("/blog/[slug]#3").unwrap(),
            key: PageKey::from_stored("https://e.com/blog/a?x=1#language=de").unwrap(),
            token: Version::from_parts(Timestamp::from_millis(1_700_000_000_000), 7),
            authorized: true,
            sent: vec!["cookie".to_owned()],
        }
    }

    #[test]
    fn a_ticket_is_taken_as_it_was_written_and_nothing_else() {
        let text = ticket().to_text();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(Ticket::parse(&text), Some(ticket()));
        let longer = format!("{text}AA");
        for wrong in ["", "x", "ticket", &text[1..], &text[..text.len() - 2], &longer] {
            assert_eq!(Ticket::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_offer_has_the_headers_as_they_are_unless_they_are_too_many() {
        let headers = HeaderList::from_pairs(&[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x", "\u{1}")]);
        let offer = Offer::new(ticket(), 200, &headers);
        let read = Offer::from_header_value(&offer.to_header_value()).unwrap();
        assert_eq!((read.headers(), &read), (Some(headers), &offer));
        let many = HeaderList::from_pairs(&[("x", "y".repeat(MAX_OFFERED_BYTES))]);
        assert_eq!(Offer::new(ticket(), 200, &many).headers(), None);
    }
}
