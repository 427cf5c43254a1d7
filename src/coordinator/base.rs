//! The page that a render may validate instead of rendering it anew (RFC 9111 §4.3).
//!
//! The object sends the page's validators with the request. If the origin confirms the page, the result is an ordinary
//! page under the token of the render: it is published, or not, like any other. So nothing that ends, overtakes or
//! invalidates a render needs to know that it was conditional.
//!
//! | state | request |
//! |---|---|
//! | the page is stale or expired by its times, or invalidated as `stale` or `expire` | conditional |
//! | it was purged, or an edge knows of an invalidation that has not arrived here: it may be a purge | unconditional |
//! | the render repeats one that could not be used | unconditional |
//! | it is not a 200, has no validator of the origin, or is too large to be held until the head arrives | unconditional |
//! | its bytes are neither held nor in L2 | unconditional |

use crate::coordinator::entry::Entry;
use crate::page::PageMeta;
use crate::version::Version;

/// Limits the body of a page that is validated: it is in memory while the object waits for the head of the response.
const MAX_BASE_BYTES: u64 = 2 * 1024 * 1024;

/// A page that a render may validate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base<B> {
    /// The published page.
    pub page: PageMeta,
    /// Another version under which L2 may have the same content.
    pub copy: Option<Version>,
    /// Headers and body, if they are held. Otherwise they are in L2.
    pub content: Option<B>,
}

impl<B> Base<B> {
    /// Returns whether a version in L2 has the content of the page.
    #[must_use]
    pub fn is_met_by(&self, version: Version) -> bool {
        version == self.page.version || Some(version) == self.copy
    }
}

/// Returns the page that the render with this token may validate. `entry` is the state in which the render begins, so
/// that a purged page is gone.
pub(super) fn of(entry: &Entry, token: Version) -> Option<Base<()>> {
    let lease = entry.lease.filter(|lease| lease.token == token)?;
    let page = entry.page.as_ref()?;
    let is_whole = page.digest.is_some() && page.body_bytes.is_some_and(|bytes| bytes <= MAX_BASE_BYTES);
    let may_be_validated = lease.attempt == 0 && page.has_validator && page.status == 200 && is_whole;
    let copy = entry.copy.filter(|copy| page.digest == Some(copy.digest)).map(|copy| copy.version);
    may_be_validated.then(|| Base { page: page.clone(), copy, content: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::{Lease, Purpose, StoredCopy};
    use crate::semantics::client_rules::ClientRules;
    use crate::semantics::digest::Digest;
    use crate::semantics::freshness::Windows;
    use crate::semantics::key::PageKey;
    use crate::time::Timestamp;

    fn token(number: u128) -> Version {
        Version::from_parts(Timestamp::from_millis(1000), number)
    }

    fn entry() -> Entry {
        let (over, digest) = (Some(Timestamp::from_millis(1)), Digest::parse(&"5".repeat(32)));
        let page = PageMeta {
            key: PageKey::from_stored("https://e.com/").unwrap(),
            version: token(1),
            status: 200,
            rendered_at: Timestamp::from_millis(1),
            windows: Windows { fresh_until: over, stale_until: over, error_until: over },
            tags: vec![],
            body_bytes: Some(MAX_BASE_BYTES),
            digest,
            rules: ClientRules::default(),
            has_validator: true,
            vouched: None,
        };
        let expires_at = Timestamp::from_millis(2000);
        let lease = Some(Lease { token: token(9), purpose: Purpose::Cold, expires_at, attempt: 0 });
        let copy = digest.map(|digest| StoredCopy { version: token(0), digest });
        Entry { page: Some(page), lease, copy, ..Entry::default() }
    }

    #[test]
    fn a_whole_page_with_a_validator_of_the_origin_may_be_validated() {
        let base = of(&entry(), token(9)).unwrap();
        assert!(base.is_met_by(token(1)) && base.is_met_by(token(0)) && !base.is_met_by(token(2)));
        let other = StoredCopy { version: token(0), digest: Digest::parse(&"6".repeat(32)).unwrap() };
        let base = of(&Entry { copy: Some(other), ..entry() }, token(9)).unwrap();
        assert!(!base.is_met_by(token(0)), "it has other content");
    }

    #[test]
    fn every_other_render_is_unconditional() {
        let page = || entry().page.unwrap();
        let with = |page| Entry { page: Some(page), ..entry() };
        let again = entry().lease.map(|lease| Lease { attempt: 1, ..lease });
        for (why, entry) in [
            ("there is no page, or it was purged", Entry { page: None, ..entry() }),
            ("the lease is over", Entry { lease: None, ..entry() }),
            ("it repeats a render", Entry { lease: again, ..entry() }),
            ("the origin has sent no validator", with(PageMeta { has_validator: false, ..page() })),
            ("RFC 9110 §13.2.1", with(PageMeta { status: 404, ..page() })),
            ("it is too large", with(PageMeta { body_bytes: Some(MAX_BASE_BYTES + 1), ..page() })),
            ("it is not whole", with(PageMeta { body_bytes: None, ..page() })),
            ("it is not known to be whole", with(PageMeta { digest: None, ..page() })),
        ] {
            assert_eq!(of(&entry, token(9)), None, "{why}");
        }
        assert_eq!(of(&entry(), token(8)), None, "the lease is another render's");
    }
}
