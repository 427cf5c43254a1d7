//! Language negotiation: chooses the client's preferred language among those of a page.

use std::fmt;

use thiserror::Error;

/// The most ranges of an `Accept-Language` that are read.
const MAX_RANGES: usize = 32;

/// A language tag (RFC 5646): subtags of one to eight letters or digits with `-` between them, the first of letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LanguageTag(String);

/// A text that is not a language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a language tag")]
pub struct NotALanguage;

impl LanguageTag {
    /// Parses a tag. Its spelling is kept; case does not matter.
    ///
    /// # Errors
    /// [`NotALanguage`], also for an asterisk.
    pub fn parse(text: &str) -> Result<Self, NotALanguage> {
        let is_subtag =
            |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let begins_well = text.split('-').next().is_some_and(|tag| tag.bytes().all(|byte| byte.is_ascii_alphabetic()));
        if begins_well && text.len() <= 35 && text.split('-').all(is_subtag) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotALanguage)
        }
    }

    /// Returns the tag's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Chooses one of the languages by an `Accept-Language` (RFC 9110 §12.5.4), or none.
///
/// The ranges are tried by their weight, equal ones in their order. Each is looked up as in RFC 4647 §3.4: unchanged,
/// then without its last subtag, and so on. A range without a match is tried as a prefix (§3.3.1), so that `de` finds
/// `de-AT`. A range of weight 0 is excluded; `*` has the same effect as the default.
#[must_use]
pub fn negotiate<'a>(accept: &str, languages: &'a [LanguageTag]) -> Option<&'a LanguageTag> {
    let mut ranges: Vec<(&str, u16)> = accept.split(',').filter_map(range).take(MAX_RANGES).collect();
    ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    ranges.iter().find_map(|(range, _)| look_up(range, languages))
}

/// Parses one range and its weight in thousandths; `None` if it is excluded or invalid.
fn range(member: &str) -> Option<(&str, u16)> {
    let (range, parameter) = member.split_once(';').unwrap_or((member, ""));
    let (range, parameter) = (range.trim(), parameter.trim());
    let weight = match parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")) {
        Some(weight) => weight_in_thousandths(weight.trim())?,
        None if parameter.is_empty() => 1000,
        None => return None,
    };
    (weight > 0 && LanguageTag::parse(range).is_ok()).then_some((range, weight))
}

/// Parses a weight (RFC 9110 §12.4.2): 0 to 1, with at most three decimal digits.
fn weight_in_thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

fn look_up<'a>(range: &str, languages: &'a [LanguageTag]) -> Option<&'a LanguageTag> {
    let mut wanted = range;
    loop {
        if let Some(found) = languages.iter().find(|language| language.0.eq_ignore_ascii_case(wanted)) {
            return Some(found);
        }
        let Some((shorter, _)) = wanted.rsplit_once('-') else { break };
        // A single letter or digit only introduces the next subtag.
        wanted = shorter.rsplit_once('-').filter(|(_, last)| last.len() == 1).map_or(shorter, |(before, _)| before);
    }
    let begins = |language: &&LanguageTag| {
        language.0.get(..range.len()).is_some_and(|head| head.eq_ignore_ascii_case(range))
            && language.0.as_bytes().get(range.len()) == Some(&b'-')
    };
    languages.iter().find(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str, languages: &[&str]) -> Option<String> {
        let languages: Vec<LanguageTag> = languages.iter().map(|tag| LanguageTag::parse(tag).unwrap()).collect();
        negotiate(accept, &languages).map(ToString::to_string)
    }

    #[test]
    fn the_most_wanted_of_the_languages_is_chosen() {
        let languages = ["en", "de", "pt-BR", "zh-Hant"];
        for (accept, expected) in [
            ("", None),
            ("*", None),
            ("fr", None),
            ("de", Some("de")),
            ("DE-at", Some("de")),
            ("fr, de;q=0.5, en;q=0.8", Some("en")),
            ("de;q=0.8, en;q=0.8", Some("de")),
            ("pt", Some("pt-BR")),
            ("p", None),
            ("zh-Hant-TW", Some("zh-Hant")),
            ("zh-Hant-x-private", Some("zh-Hant")),
            ("de;q=0, en;q=0.1", Some("en")),
            ("de; q=0.4 , en ;q=0.3", Some("de")),
            ("de;q=1.5, en", Some("en")),
            ("de;q=0.1234, en;q=0.1", Some("en")),
            ("de;level=1", None),
            ("d\u{fc}, en", Some("en")),
        ] {
            assert_eq!(chosen(accept, &languages).as_deref(), expected, "{accept}");
        }
        let long = "fr,".repeat(MAX_RANGES) + "de";
        assert_eq!(chosen(&long, &languages), None, "the bound");
    }

    #[test]
    fn a_tag_is_checked() {
        for tag in ["en", "de-AT", "zh-Hant-TW", "i-klingon"] {
            assert_eq!(LanguageTag::parse(tag).map(|tag| tag.to_string()), Ok(tag.to_owned()));
        }
        for wrong in ["", "-", "en-", "*", "e_n", "toolonglanguage", "1a", "en--US", "\u{fc}"] {
            assert_eq!(LanguageTag::parse(wrong), Err(NotALanguage), "{wrong}");
        }
    }
}
