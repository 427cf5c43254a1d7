//! Content negotiation by media type: chooses the client's preferred one among those of a page (RFC 9110 §12.5.1).

use std::cmp::Reverse;
use std::fmt;

use thiserror::Error;

use crate::semantics::headers::is_token;
use crate::semantics::language::weight_in_thousandths;

/// The most ranges of an `Accept` that are read.
const MAX_RANGES: usize = 64;

/// The longest media type, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 100;

/// A media type without parameters, in lower case: `text/html`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediaType(String);

/// A text that is not a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a media type")]
pub struct NotAMediaType;

impl MediaType {
    /// Parses a type and a subtype (RFC 9110 §8.3.1).
    ///
    /// # Errors
    /// [`NotAMediaType`], also for a range and for a type with parameters.
    pub fn parse(text: &str) -> Result<Self, NotAMediaType> {
        let (kind, subtype) = text.split_once('/').ok_or(NotAMediaType)?;
        let is_name = |name: &str| is_token(name) && !name.contains('*');
        if is_name(kind) && is_name(subtype) && text.len() <= MAX_MEDIA_TYPE_BYTES {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAMediaType)
        }
    }

    /// Returns the type's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How closely a range describes a type: the closest one decides about it (RFC 9110 §12.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// `*/*`.
    Any,
    /// `text/*`.
    Kind,
    /// `text/html`.
    Exact,
}

/// A range of an `Accept`.
#[derive(Clone, Debug)]
struct Range {
    /// In lower case, without parameters.
    text: String,
    precision: Precision,
    /// In thousandths.
    weight: u16,
}

impl Range {
    /// Parses a member of an `Accept`. `None` if it is invalid, or has a parameter: no type of a page has one.
    fn parse(member: &str) -> Option<Self> {
        let mut parts = member.split(';').map(str::trim);
        let text = parts.next()?.to_ascii_lowercase();
        let (kind, subtype) = text.split_once('/')?;
        let precision = match (kind, subtype) {
            ("*", "*") => Precision::Any,
            (kind, "*") if is_token(kind) => Precision::Kind,
            (kind, subtype) if is_token(kind) && is_token(subtype) => Precision::Exact,
            _ => return None,
        };
        let mut weight = 1000;
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if !name.trim().eq_ignore_ascii_case("q") {
                return None;
            }
            weight = weight_in_thousandths(value.trim())?;
        }
        Some(Self { text, precision, weight })
    }

    fn matches(&self, media_type: &MediaType) -> bool {
        match self.precision {
            Precision::Any => true,
            Precision::Kind => media_type.0.starts_with(self.text.trim_end_matches('*')),
            Precision::Exact => media_type.0 == self.text,
        }
    }
}

/// Chooses one of the types by an `Accept`, or none if it accepts none of them.
///
/// The closest range that matches a type gives its weight, and the type with the greatest weight is chosen. Among equal
/// ones, the one that is named more closely is chosen, then the one that the client names first, then the first of the
/// list.
#[must_use]
pub fn negotiate<'a>(accept: &str, types: &'a [MediaType]) -> Option<&'a MediaType> {
    let ranges: Vec<Range> = accept.split(',').filter_map(Range::parse).take(MAX_RANGES).collect();
    let rated = types.iter().filter_map(|media_type| {
        let matching = ranges.iter().enumerate().filter(|(_, range)| range.matches(media_type));
        // `max_by_key` returns the last of equal ones, and the first one counts.
        let (place, range) = matching.max_by_key(|(place, range)| (range.precision, Reverse(*place)))?;
        (range.weight > 0).then_some((media_type, (range.weight, range.precision, Reverse(place))))
    });
    let mut best: Option<(&MediaType, _)> = None;
    for (media_type, rating) in rated {
        if best.as_ref().is_none_or(|(_, highest)| rating > *highest) {
            best = Some((media_type, rating));
        }
    }
    best.map(|(media_type, _)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";

    fn chosen(accept: &str, types: &[&str]) -> Option<String> {
        let types: Vec<MediaType> = types.iter().map(|text| MediaType::parse(text).unwrap()).collect();
        negotiate(accept, &types).map(ToString::to_string)
    }

    #[test]
    fn the_most_wanted_type_is_chosen_by_weight_and_closeness() {
        let types = ["text/html", "text/markdown", "application/json"];
        for (accept, expected) in [
            ("", None),
            ("*/*", Some("text/html")),
            (BROWSER, Some("text/html")),
            ("text/markdown", Some("text/markdown")),
            ("Text/Markdown", Some("text/markdown")),
            ("text/markdown, text/html;q=0.9, */*;q=0.8", Some("text/markdown")),
            ("text/markdown;q=0.5, text/html;q=0.9", Some("text/html")),
            ("application/json, text/*;q=0.5", Some("application/json")),
            ("text/*", Some("text/html")),
            // RFC 9110 §12.5.1: the closest range counts, whatever its weight.
            ("text/*, text/html;q=0.1", Some("text/markdown")),
            ("*/*, text/html;q=0.1, text/markdown;q=0.2", Some("application/json")),
            ("*/*;q=0.9, text/html;q=0, text/markdown;q=0", Some("application/json")),
            ("text/html;q=0", None),
            ("text/html;q=0, */*;q=0", None),
            ("image/png", None),
            // Equal weights: the closer name, then the client's order.
            ("text/markdown, */*", Some("text/markdown")),
            ("*/*, text/markdown", Some("text/markdown")),
            ("text/markdown, text/html", Some("text/markdown")),
            ("text/html, text/markdown", Some("text/html")),
            // A parameter describes a type that no page has.
            ("text/html;level=1, application/json;q=0.1", Some("application/json")),
            ("text/markdown; q=0.4 , text/html ;Q=0.3", Some("text/markdown")),
            ("text/markdown;q=2, text/html;q=0.1", Some("text/html")),
            ("text/markdown;q=0.1234, text/html;q=0.001", Some("text/html")),
            ("*/html, text, /, ;q=1, text/markdown", Some("text/markdown")),
        ] {
            assert_eq!(chosen(accept, &types).as_deref(), expected, "{accept}");
        }
        let long = "a/b,".repeat(MAX_RANGES) + "text/html";
        assert_eq!(chosen(&long, &types), None, "the bound");
    }

    #[test]
    fn a_type_is_checked() {
        for (text, parsed) in [("text/html", "text/html"), ("Application/LD+JSON", "application/ld+json")] {
            assert_eq!(MediaType::parse(text).map(|media_type| media_type.0), Ok(parsed.to_owned()));
        }
        for wrong in ["", "text", "text/", "/html", "*/*", "text/*", "text/html;level=1", "text/ht ml", "a/b/c"] {
            assert_eq!(MediaType::parse(wrong), Err(NotAMediaType), "{wrong}");
        }
        assert_eq!(MediaType::parse(&format!("text/{}", "x".repeat(MAX_MEDIA_TYPE_BYTES))), Err(NotAMediaType));
    }
}
