//! The cookie that carries a session.

use super::{LIFETIME, Session};
use crate::secret::Secret;

/// Its name. Browsers accept the prefix only for a cookie that is `Secure`, of this host alone, and for all of its paths.
pub const NAME: &str = "__Host-isr-session";

/// Its attributes. Scripts can't read it, and no request from another site has it.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// Returns the `Set-Cookie` that begins a session.
#[must_use]
pub fn set(session: Session, token: &Secret) -> String {
    format!("{NAME}={}; Max-Age={}; {ATTRIBUTES}", session.seal(token), LIFETIME.as_secs())
}

/// Returns the `Set-Cookie` that removes it.
#[must_use]
pub fn remove() -> String {
    format!("{NAME}=; Max-Age=0; {ATTRIBUTES}")
}

/// What separates cookies. Servers that join two `Cookie` fields write a comma.
const SEPARATORS: [char; 2] = [';', ','];

fn is_session(pair: &str) -> bool {
    pair.trim_end_matches(SEPARATORS).split('=').next().is_some_and(|name| name.trim() == NAME)
}

/// Returns the value of the cookie in a `Cookie` header.
#[must_use]
pub fn value(header: &str) -> Option<&str> {
    let pair = header.split(SEPARATORS).find(|pair| is_session(pair))?;
    pair.split_once('=').map(|(_, value)| value.trim())
}

/// Removes the cookie from a `Cookie` header: it is for the gateway alone. Returns `None` if the header does not have it, and an
/// empty text if it has nothing else.
#[must_use]
pub fn without(header: &str) -> Option<String> {
    if !header.contains(NAME) {
        return None;
    }
    let others: String = header.split_inclusive(SEPARATORS).filter(|pair| !is_session(pair)).collect();
    Some(others.trim_start().trim_end_matches([' ', ';', ',']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn the_cookie_is_for_this_host_alone_and_for_no_script() {
        let token = Secret::new("the admin token");
        let session = Session::begin(Timestamp::from_millis(1_800_000_000_000));
        let set = set(session, &token);
        let (pair, attributes) = set.split_once("; ").unwrap();
        assert_eq!(value(pair), Some(session.seal(&token).as_str()));
        assert_eq!(attributes, "Max-Age=43200; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(remove(), "__Host-isr-session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn the_cookie_is_found_and_removed() {
        for (header, found, rest) in [
            ("", None, None),
            ("a=1; b=2", None, None),
            ("__Host-isr-session=x", Some("x"), Some("")),
            ("a=1; __Host-isr-session=x; b=2", Some("x"), Some("a=1; b=2")),
            ("a=1;__Host-isr-session=;b=2", Some(""), Some("a=1;b=2")),
            ("a=1, 2; __Host-isr-session=x", Some("x"), Some("a=1, 2")),
            ("a=1, __Host-isr-session=x, b=2", Some("x"), Some("a=1, b=2")),
            ("__Host-isr-session=x; a=1; __Host-isr-session=y", Some("x"), Some("a=1")),
            ("a=__Host-isr-session", None, Some("a=__Host-isr-session")),
            ("__Host-isr-session; a=1", None, Some("a=1")),
            ("__Host-isr-session2=x", None, Some("__Host-isr-session2=x")),
        ] {
            assert_eq!(value(header), found, "{header}");
            assert_eq!(without(header).as_deref(), rest, "{header}");
        }
    }
}
