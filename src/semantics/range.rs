//! Byte ranges (RFC 9110 §14).

use std::ops;

/// The meaning of a `Range` for a page of a certain length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// These bytes, by the positions of the first and the last: 206.
    Part(ops::RangeInclusive<u64>),
    /// Bytes beyond the page: 416.
    Unsatisfiable,
}

impl Range {
    /// Parses a `Range` field; `None` if it must be ignored, and the whole page is sent (RFC 9110 §14.2).
    ///
    /// Other units than bytes are ignored, as they must be (§14.2). A malformed range, or one whose last position is
    /// before its first, is ignored, as it may be (§14.1.1). So are several ranges (§14.2: a server may ignore the
    /// field).
    #[must_use]
    pub fn of(field: &str, body_bytes: u64) -> Option<Self> {
        let (unit, set) = field.trim_matches([' ', '\t']).split_once('=')?;
        // RFC 9110 §14.1: names of units are case-insensitive.
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        // RFC 9110 §5.6.1.2: a list may have empty members.
        let mut members = set.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|text| !text.is_empty());
        let (Some(spec), None) = (members.next(), members.next()) else {
            return None;
        };
        let (first, last) = spec.split_once('-')?;
        let (begin, end) = match (position(first), position(last)) {
            // RFC 9110 §14.1.2: int-range = first-pos "-" [ last-pos ].
            (Some(first), Some(last)) if first <= last => (first, last.min(body_bytes.saturating_sub(1))),
            (Some(first), None) if last.is_empty() => (first, body_bytes.saturating_sub(1)),
            // RFC 9110 §14.1.2: a suffix that is longer than the page means all of it; one of length 0 is
            // unsatisfiable.
            (None, Some(suffix)) if first.is_empty() => match suffix {
                0 => return Some(Self::Unsatisfiable),
                _ => (body_bytes.saturating_sub(suffix), body_bytes.saturating_sub(1)),
            },
            _ => return None,
        };
        Some(if begin < body_bytes { Self::Part(begin..=end) } else { Self::Unsatisfiable })
    }

    /// Writes `Content-Range` (RFC 9110 §14.4).
    #[must_use]
    pub fn content_range(&self, body_bytes: u64) -> String {
        match self {
            Self::Part(part) => format!("bytes {}-{}/{body_bytes}", part.start(), part.end()),
            Self::Unsatisfiable => format!("bytes */{body_bytes}"),
        }
    }
}

/// Returns the positions of the bytes of a piece that belong to a part. The piece begins at position `at` of the whole
/// and has `bytes` bytes. The returned positions count from the beginning of the piece; the range is empty if none
/// belongs to the part.
#[must_use]
pub fn of_piece(part: &ops::RangeInclusive<u64>, at: u64, bytes: u64) -> ops::Range<u64> {
    let end = part.end().saturating_add(1).saturating_sub(at).min(bytes);
    part.start().saturating_sub(at).min(end)..end
}

/// Parses digits. RFC 9110 §14.1.2: they may exceed any integer, which is past the end of every page.
fn position(digits: &str) -> Option<u64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 10_000;

    #[test]
    fn one_range_of_bytes_is_taken_and_everything_else_ignored() {
        let part = |first, last| Some(Range::Part(first..=last));
        for (field, expected) in [
            // RFC 9110 §14.1.2, its examples for a page of 10,000 bytes.
            ("bytes=0-499", part(0, 499)),
            ("bytes=500-999", part(500, 999)),
            ("bytes=-500", part(9500, 9999)),
            ("bytes=9500-", part(9500, 9999)),
            ("bytes=0-0", part(0, 0)),
            ("bytes=-1", part(9999, 9999)),
            // §14.1.2: positions past the end are cut off; a suffix may be longer than the page.
            ("bytes=9999-10000", part(9999, 9999)),
            ("bytes=0-99999999999999999999999", part(0, 9999)),
            ("bytes=-10001", part(0, 9999)),
            ("bytes=-99999999999999999999999", part(0, 9999)),
            ("bytes=0-", part(0, 9999)),
            // §14.1: the unit is case-insensitive; §5.6.1.2: empty members.
            ("Bytes=0-1", part(0, 1)),
            (" bytes=,0-1 , ", part(0, 1)),
            // §14.1.2: unsatisfiable.
            ("bytes=10000-", Some(Range::Unsatisfiable)),
            ("bytes=10000-10001", Some(Range::Unsatisfiable)),
            ("bytes=99999999999999999999999-", Some(Range::Unsatisfiable)),
            ("bytes=-0", Some(Range::Unsatisfiable)),
            // §14.1.1: invalid; ignored, which is allowed.
            ("bytes=5-4", None),
            ("bytes=", None),
            ("bytes=,", None),
            ("bytes=-", None),
            ("bytes=1", None),
            ("bytes=a-b", None),
            ("bytes=+1-2", None),
            ("bytes=1 -2", None),
            ("bytes 0-1", None),
            ("bytes=--1", None),
            ("", None),
            // §14.2: another unit.
            ("lines=0-1", None),
            ("bytes =0-1", None),
            // §14.2: several ranges; ignored, which is allowed.
            ("bytes=0-0,-1", None),
            ("bytes=0-0,10000-", None),
        ] {
            assert_eq!(Range::of(field, BYTES), expected, "{field:?}");
        }
        assert_eq!(
            (Range::of("bytes=0-", 0), Range::of("bytes=-1", 0)),
            (Some(Range::Unsatisfiable), Some(Range::Unsatisfiable))
        );
    }

    #[test]
    fn a_part_is_found_again_in_the_pieces_of_the_whole() {
        let whole: Vec<u8> = (0..=200).collect();
        for part in [0..=0, 3..=3, 9..=10, 10..=19, 0..=200, 199..=200, 35..=77] {
            let pieces = whole.chunks(10).enumerate().flat_map(|(index, piece)| {
                let wanted = of_piece(&part, index as u64 * 10, piece.len() as u64);
                piece[usize::try_from(wanted.start).unwrap()..usize::try_from(wanted.end).unwrap()].to_vec()
            });
            let expected: Vec<u8> = part.clone().map(|position| u8::try_from(position).unwrap()).collect();
            assert_eq!(pieces.collect::<Vec<u8>>(), expected, "{part:?}");
        }
    }

    #[test]
    fn content_range_says_what_was_sent_or_how_much_there_is() {
        // RFC 9110 §14.4, its examples.
        assert_eq!(Range::Part(42..=1233).content_range(1234), "bytes 42-1233/1234");
        assert_eq!(Range::Unsatisfiable.content_range(1234), "bytes */1234");
    }
}
