//! HTTP dates (RFC 9110 §5.6.7), in whole seconds.

use std::time::{Duration, UNIX_EPOCH};

use crate::time::Timestamp;

/// The last second of the year 9999: a later date can't be written.
const LAST: u64 = 253_402_300_799;

/// Writes a time as an IMF-fixdate.
#[must_use]
pub fn write(time: Timestamp) -> String {
    let seconds = (time.as_millis() / 1000).min(LAST);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Parses a date in any of the three forms that a recipient must accept; `None` if it is invalid, or before 1970.
#[must_use]
pub fn read(text: &str) -> Option<Timestamp> {
    let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since_epoch.as_millis()).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_read_and_the_first_is_written() {
        let time = Timestamp::from_millis(784_111_777_000);
        // RFC 9110 §5.6.7, its examples: IMF-fixdate, rfc850-date, asctime-date.
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(read(text), Some(time), "{text}");
        }
        assert_eq!(write(time.plus(Duration::from_millis(999))), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(write(Timestamp::from_millis(u64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
        for text in [
            "",
            "now",
            "0",
            "Sun, 06 Nov 1994 08:49:37 GMT, x",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
