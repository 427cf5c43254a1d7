//! Sessions of the dashboard. A browser gets one when its user signs in with the admin token.
//!
//! A session is a cookie and nothing else: the time of its end, and an HMAC of it under the admin token. So there is no table of
//! sessions, and another token ends all of them. What can go wrong, and what happens then:
//!
//! | case | what happens |
//! |---|---|
//! | the cookie is made up, cut short, or of another token | [`SessionError::Forged`] |
//! | the session is over | [`SessionError::Over`] |
//! | a page of another site sends a request | the browser sends no cookie (`SameSite=Strict`), and [`OwnPage`] refuses the request |
//! | a page of another host of the same site sends one | [`OwnPage`] refuses it |
//! | a subdomain sets a cookie of this name | the browser ignores it (`__Host-`) |
//! | the site behind the cache reads its requests' cookies | [`cookie::without`] has removed this one |

pub mod cookie;
mod own_page;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

pub use self::own_page::OwnPage;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long a session lasts.
pub const LIFETIME: Duration = Duration::from_hours(12);

/// What is signed begins with this, so that no other signature under the token can be used as a session.
const PURPOSE: &str = "isr session v1";

/// The longest value of the cookie: 20 digits, a point, and 32 bytes in base64.
const MAX_VALUE_BYTES: usize = 64;

/// Why a cookie is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// It was not made with this token.
    #[error("the session is not of this token")]
    Forged,
    /// It was made with this token, and is over.
    #[error("the session is over")]
    Over,
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    end: Timestamp,
}

impl Session {
    /// Begins a session.
    #[must_use]
    pub fn begin(now: Timestamp) -> Self {
        Self { end: now.plus(LIFETIME) }
    }

    /// Returns when it is over.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.end
    }

    /// Returns the value of its cookie.
    #[must_use]
    pub fn seal(self, token: &Secret) -> String {
        let end = self.end.as_millis();
        format!("{end}.{}", URL_SAFE_NO_PAD.encode(token.sign(&signed(end))))
    }

    /// Reads the value of a cookie. The signature is compared in constant time.
    ///
    /// # Errors
    /// Says why it is no session.
    pub fn open(value: &str, token: &Secret, now: Timestamp) -> Result<Self, SessionError> {
        if value.len() > MAX_VALUE_BYTES {
            return Err(SessionError::Forged);
        }
        let (end, signature) = value.split_once('.').ok_or(SessionError::Forged)?;
        let end: u64 = end.parse().map_err(|_| SessionError::Forged)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SessionError::Forged)?;
        if !token.has_signed(&signed(end), &signature) {
            return Err(SessionError::Forged);
        }
        let end = Timestamp::from_millis(end);
        // A session that is longer than any comes from a clock that was wrong.
        if end <= now || end.since(now) > LIFETIME {
            return Err(SessionError::Over);
        }
        Ok(Self { end })
    }
}

fn signed(end: u64) -> String {
    format!("{PURPOSE}\n{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn token() -> Secret {
        Secret::new("the admin token")
    }

    #[test]
    fn a_session_holds_until_its_end() {
        let session = Session::begin(NOW);
        let value = session.seal(&token());
        assert!(value.len() <= MAX_VALUE_BYTES && !value.contains([';', ',', ' ', '"', '=']), "{value}");
        assert_eq!(Session::open(&value, &token(), NOW), Ok(session));
        let end = NOW.plus(LIFETIME);
        assert_eq!(session.end(), end);
        assert_eq!(Session::open(&value, &token(), end.minus(Duration::from_millis(1))), Ok(session));
        assert_eq!(Session::open(&value, &token(), end), Err(SessionError::Over));
    }

    #[test]
    fn another_token_ends_all_sessions() {
        let value = Session::begin(NOW).seal(&token());
        assert_eq!(Session::open(&value, &Secret::new("the next token"), NOW), Err(SessionError::Forged));
    }

    #[test]
    fn a_session_can_not_be_prolonged_or_made_up() {
        let value = Session::begin(NOW).seal(&token());
        let (end, signature) = value.split_once('.').unwrap();
        let later = format!("{}.{signature}", NOW.plus(LIFETIME * 2).as_millis());
        let other = format!("{end}.{}", URL_SAFE_NO_PAD.encode(token().sign(end)));
        let (short, spaced, long) = (&value[..value.len() - 1], format!(" {value}"), format!("{value}{value}"));
        let padded = format!("0{value}");
        let unsigned = format!("{end}.");
        for forged in ["", ".", "1.", "a.b", end, &later, &other, short, &spaced, &long, &unsigned] {
            assert_eq!(Session::open(forged, &token(), NOW), Err(SessionError::Forged), "{forged}");
        }
        // The same number, written otherwise, is the same session.
        assert_eq!(Session::open(&padded, &token(), NOW), Ok(Session::begin(NOW)));
    }

    #[test]
    fn a_session_of_a_clock_that_was_ahead_is_over() {
        let value = Session::begin(NOW.plus(Duration::from_secs(1))).seal(&token());
        assert_eq!(Session::open(&value, &token(), NOW), Err(SessionError::Over));
    }
}
