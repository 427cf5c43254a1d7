//! Language negotiation: chooses the client's preferred language among those of a page.
//!
//! Two tags are compared by their likely subtags (CLDR, UTS #35 "Likely Subtags"): `zh-TW` is `zh-Hant-TW`, and `zh` is
//! `zh-Hans-CN`. So a client that asks for `zh-TW` finds `zh-Hant`, whatever the order of the list. The data is ICU4X's:
//! all languages with at least basic coverage in CLDR.

use std::fmt;

use icu_locale::subtags::{Language, Region, Script, language, script};
use icu_locale::{LanguageIdentifier, LocaleExpander};
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
/// The ranges are tried by their weight, equal ones in their order. The first range that finds a language decides:
///
/// 1. The same tag; else a language with the same likely subtags; else one that names no region, in the same language and
///    script.
/// 2. Else one in the same language and script for another region. Such a match is not close: a later range of the same
///    language that finds a closer one takes precedence, so that `en-AU, en-GB` finds `en-GB` rather than `en-US`.
/// 3. Else by look-up (RFC 4647 §3.4), without one subtag after the other, and then as a prefix (§3.3.1).
///
/// A range of weight 0 is excluded; `*` has the same effect as the default.
#[must_use]
pub fn negotiate<'a>(accept: &str, languages: &'a [LanguageTag]) -> Option<&'a LanguageTag> {
    let mut ranges: Vec<(&str, u16)> = accept.split(',').filter_map(range).take(MAX_RANGES).collect();
    ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let choice = Choice::of(languages);
    let ranges: Vec<(&str, Option<Likely>)> = ranges.iter().map(|(range, _)| (*range, choice.likely(range))).collect();
    let mut following = ranges.iter();
    while let Some((range, likely)) = following.next() {
        if let Some(found) = choice.close(range, *likely) {
            return Some(found);
        }
        if let Some(found) = choice.distant(*likely).or_else(|| look_up(range, languages)) {
            let is_same =
                |later: &Option<Likely>| later.zip(*likely).is_some_and(|(later, likely)| later.is_same(likely));
            let mut closer = following.filter(|(_, later)| is_same(later));
            return closer.find_map(|(range, likely)| choice.close(range, *likely)).or(Some(found));
        }
    }
    None
}

/// A tag with its likely subtags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Likely {
    language: Language,
    script: Option<Script>,
    region: Option<Region>,
    /// Whether the region comes from the tag itself.
    names_region: bool,
}

impl Likely {
    /// Adds the likely subtags to a tag. Extensions and private subtags do not count. `None` if the tag has no language
    /// of its own, as `i-klingon`.
    fn of(tag: &str, expander: &LocaleExpander) -> Option<Self> {
        let extension = tag.split('-').scan(0, |end, subtag| {
            let begin = *end;
            *end += subtag.len() + 1;
            Some((begin, subtag.len()))
        });
        let end = extension.filter(|(_, length)| *length == 1).map(|(begin, _)| begin).next();
        let tag = end.map_or(tag, |end| tag[..end].trim_end_matches('-'));
        let mut id = LanguageIdentifier::try_from_str(tag).ok()?;
        (id.language, id.script) = current(id.language, id.script);
        let names_region = id.region.is_some();
        expander.maximize(&mut id);
        Some(Self { language: id.language, script: id.script, region: id.region, names_region })
    }

    /// Returns whether two tags have the same language, written in the same script.
    fn is_same(self, other: Self) -> bool {
        (self.language, self.script) == (other.language, other.script)
    }
}

/// Replaces codes that have another name today (CLDR, `supplementalMetadata.xml`, `languageAlias`), as far as clients
/// still send them.
fn current(code: Language, written: Option<Script>) -> (Language, Option<Script>) {
    match code.as_str() {
        "cmn" => (language!("zh"), written),
        "in" => (language!("id"), written),
        "iw" => (language!("he"), written),
        "ji" => (language!("yi"), written),
        "mo" => (language!("ro"), written),
        "nb" => (language!("no"), written),
        "sh" => (language!("sr"), written.or(Some(script!("Latn")))),
        "tl" => (language!("fil"), written),
        _ => (code, written),
    }
}

/// The languages of a page.
struct Choice<'a> {
    expander: LocaleExpander,
    languages: Vec<(&'a LanguageTag, Option<Likely>)>,
}

impl<'a> Choice<'a> {
    fn of(languages: &'a [LanguageTag]) -> Self {
        let expander = LocaleExpander::new_common();
        let languages = languages.iter().map(|tag| (tag, Likely::of(&tag.0, &expander))).collect();
        Self { expander, languages }
    }

    fn likely(&self, range: &str) -> Option<Likely> {
        Likely::of(range, &self.expander)
    }

    fn find(&self, is_wanted: impl Fn(Likely) -> bool) -> Option<&'a LanguageTag> {
        self.languages.iter().find(|(_, likely)| likely.is_some_and(&is_wanted)).map(|(tag, _)| *tag)
    }

    /// Finds the same tag, the same likely subtags, or a language for any region.
    fn close(&self, range: &str, wanted: Option<Likely>) -> Option<&'a LanguageTag> {
        let same = self.languages.iter().find(|(tag, _)| tag.0.eq_ignore_ascii_case(range)).map(|(tag, _)| *tag);
        let likely = || {
            let wanted = wanted?;
            let in_region = self.find(|likely| likely.is_same(wanted) && likely.region == wanted.region);
            in_region.or_else(|| self.find(|likely| likely.is_same(wanted) && !likely.names_region))
        };
        same.or_else(likely)
    }

    /// Finds a language for another region: the one where most speakers of the language live, else the first.
    fn distant(&self, wanted: Option<Likely>) -> Option<&'a LanguageTag> {
        let wanted = wanted?;
        let mut usual =
            LanguageIdentifier { language: wanted.language, script: wanted.script, ..LanguageIdentifier::UNKNOWN };
        self.expander.maximize(&mut usual);
        let in_usual = self.find(|likely| likely.is_same(wanted) && likely.region == usual.region);
        in_usual.or_else(|| self.find(|likely| likely.is_same(wanted)))
    }
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
pub(super) fn weight_in_thousandths(text: &str) -> Option<u16> {
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
        for (accept, languages, expected) in [
            // Likely scripts, whatever the order of the list.
            ("zh-CN,zh;q=0.9", &["en", "zh-Hant", "zh-Hans"][..], "zh-Hans"),
            ("zh-CN,zh;q=0.9", &["en", "zh-Hans", "zh-Hant"], "zh-Hans"),
            ("zh-TW", &["en", "zh-Hans", "zh-Hant"], "zh-Hant"),
            ("zh-TW,zh;q=0.9", &["en", "zh-Hans", "zh-Hant"], "zh-Hant"),
            ("zh-HK", &["zh-CN", "zh-TW"], "zh-TW"),
            ("zh-Hant-MO", &["zh", "zh-TW"], "zh-TW"),
            ("zh", &["zh-TW", "zh-CN"], "zh-CN"),
            ("sr", &["sr-Latn", "sr-Cyrl"], "sr-Cyrl"),
            ("sr-ME", &["sr-Cyrl", "sr-Latn"], "sr-Latn"),
            ("uz-AF", &["uz", "uz-Arab"], "uz-Arab"),
            ("pa-PK", &["pa-Guru", "pa-Arab"], "pa-Arab"),
            ("az-IR", &["az-Latn", "az-Arab"], "az-Arab"),
            // Likely regions.
            ("pt", &["pt-PT", "pt-BR"], "pt-BR"),
            ("en", &["en-GB", "en-US"], "en-US"),
            ("es", &["es-MX", "es-ES"], "es-ES"),
            ("de-CH", &["de-AT", "de"], "de"),
            ("de-CH", &["de", "de-CH"], "de-CH"),
            ("es-AR", &["en", "es-MX", "es-ES"], "es-ES"),
            ("en-AU,en-GB;q=0.9,en-US;q=0.8", &["en-US", "en-GB"], "en-GB"),
            ("en-AU,fr;q=0.9", &["en-US", "fr"], "en-US"),
            // Earlier names of a language.
            ("iw", &["en", "he"], "he"),
            ("nb-NO", &["en", "no"], "no"),
            ("no", &["en", "nb"], "nb"),
            ("sh", &["sr-Cyrl", "sr-Latn"], "sr-Latn"),
            ("in", &["en", "id"], "id"),
            // Without the wanted script, the language alone is better than another one.
            ("zh-TW", &["en", "zh"], "zh"),
            ("sr-Latn,en;q=0.9", &["en", "sr"], "sr"),
            ("i-klingon", &["en", "i-klingon"], "i-klingon"),
            ("de-CH-1996-u-co-phonebk", &["en", "de"], "de"),
        ] {
            assert_eq!(chosen(accept, languages).as_deref(), Some(expected), "{accept} {languages:?}");
        }
        assert_eq!(chosen("zh-TW", &["en", "zh-Hans"]), None, "another script, which is named");
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
