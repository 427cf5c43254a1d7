//! Times and reasons in words for people.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::reason::Reason;
use crate::time::Timestamp;

/// A time as its parts in UTC, in the Gregorian calendar.
struct Utc {
    date: String,
    clock: String,
    millis: u64,
}

impl Utc {
    /// Splits a time. The calendar is computed as in <https://howardhinnant.github.io/date_algorithms.html>
    /// (`civil_from_days`), with days since the first of March of the year 0.
    fn of(at: Timestamp) -> Self {
        const MILLIS_A_DAY: u64 = 86_400_000;
        // Years after 9999 can't be written with four digits.
        let millis = at.as_millis().min(253_402_300_799_999);
        let (days, rest) = (millis / MILLIS_A_DAY + 719_468, millis % MILLIS_A_DAY);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let seconds = rest / 1000;
        Self {
            date: format!("{year:04}-{month:02}-{day:02}"),
            clock: format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
            millis: rest % 1000,
        }
    }
}

/// Writes a time as in ISO 8601: `2026-11-30T12:05:10.042Z`.
#[must_use]
pub fn iso(at: Timestamp) -> String {
    let Utc { date, clock, millis } = Utc::of(at);
    format!("{date}T{clock}.{millis:03}Z")
}

/// Writes a time of day, with its date unless that is the one of `now`: `12:05:10`.
#[must_use]
pub fn clock(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (Utc::of(at), Utc::of(now));
    if at.date == now.date { at.clock } else { format!("{} {}", at.date, at.clock) }
}

/// Writes a duration with at most two units: `5 min`, `1 h 30 min`, `250 ms`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut left = duration.as_secs();
    if left == 0 {
        return format!("{} ms", duration.as_millis());
    }
    let mut parts = Vec::new();
    for (seconds, unit) in UNITS {
        if left >= seconds && parts.len() < 2 {
            parts.push(format!("{} {unit}", left / seconds));
        }
        left %= seconds;
    }
    parts.join(" ")
}

/// Writes a reason as a clause that ends with a full stop.
#[must_use]
pub fn clause(reason: Reason) -> String {
    let text = reason.description();
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_lowercase).collect();
    // A name of a header or a setting stays as it is.
    let keeps_case = text.starts_with(['`']) || text.starts_with("L2");
    if keeps_case { text.to_owned() } else { first + chars.as_str() }
}

/// Adds to each time in an answer the same in ISO 8601: to `freshUntil`, in milliseconds, `freshUntilUtc`.
#[must_use]
pub fn with_utc(value: Value) -> Value {
    let is_time = |name: &str| name == "now" || name == "at" || name.ends_with("At") || name.ends_with("Until");
    match value {
        Value::Object(fields) => {
            let mut written = Map::new();
            for (name, value) in fields {
                let at = value.as_u64().filter(|_| is_time(&name)).map(Timestamp::from_millis);
                let utc = at.map(|at| (format!("{name}Utc"), Value::from(iso(at))));
                written.insert(name, with_utc(value));
                written.extend(utc);
            }
            Value::Object(written)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(with_utc).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (1_796_040_310_042, "2026-11-30T12:05:10.042Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(iso(Timestamp::from_millis(millis)), text);
        }
        let at = Timestamp::from_millis(1_796_040_310_042);
        assert_eq!(clock(at, at), "12:05:10");
        assert_eq!(clock(at, at.plus(Duration::from_hours(12))), "2026-11-30 12:05:10");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        for (millis, text) in [
            (0, "0 ms"),
            (250, "250 ms"),
            (1000, "1 s"),
            (300_000, "5 min"),
            (5_400_000, "1 h 30 min"),
            (90_061_000, "1 d 1 h"),
            (86_401_000, "1 d 1 s"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn each_time_of_an_answer_gets_a_form_for_people() {
        let answer = json!({ "at": 0, "freshUntil": null, "entries": [{ "retryAt": 1000, "path": "/", "seq": 5 }] });
        assert_eq!(
            with_utc(answer),
            json!({
                "at": 0, "atUtc": "1970-01-01T00:00:00.000Z", "freshUntil": null,
                "entries": [{ "retryAt": 1000, "retryAtUtc": "1970-01-01T00:00:01.000Z", "path": "/", "seq": 5 }],
            })
        );
    }
}
