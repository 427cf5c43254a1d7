//! The table `vary` of a route: what makes pages of one URL different.

use super::error::Flaw;
use super::reader::Reader;
use super::settings::Scope;
use crate::semantics::headers::{self, is_token};
use crate::semantics::language::LanguageTag;
use crate::semantics::vary::{Device, MAX_VARIANTS, Vary};

/// The most values that one of the settings may list, and the most cookies or headers.
pub const MAX_VALUES: usize = 32;

/// The longest value of a cookie or a header, in bytes.
pub const MAX_VALUE_BYTES: usize = 128;

/// Request headers that are spoken for: by another setting, by this cache, or by the connection.
const RESERVED: [&str; 16] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cdn-loop",
    "cf-device-type",
    "cf-ipcountry",
    "cookie",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "user-agent",
];

/// Reads the table of a route, if it has one.
pub(super) fn read(route: &mut Reader<'_, '_>) -> Vary {
    let Some(value) = route.get("vary") else {
        return Vary::default();
    };
    let path = route.path_of("vary");
    let read = route.child(path, Scope::Vary, value).map(|mut table| Vary {
        languages: table.list("language", MAX_VALUES, |text| LanguageTag::parse(text).map_err(|_| Flaw::NotALanguage)),
        devices: table.list("device", Device::ALL.len(), |text| Device::parse(text).ok_or(Flaw::NotADevice)),
        countries: table.list("country", MAX_VALUES, country),
        cookies: table.lists("cookie", MAX_VALUES, cookie_name, value_of_a_field),
        headers: table.lists("header", MAX_VALUES, header_name, value_of_a_field),
    });
    let vary = read.unwrap_or_default();
    if vary.count() > MAX_VARIANTS {
        route.refuse(route.path_of("vary"), "vary", value, Flaw::TooManyVariants(vary.count()));
        return Vary::default();
    }
    vary
}

fn country(text: &str) -> Result<String, Flaw> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { Ok(text.to_owned()) } else { Err(Flaw::NotACountry) }
}

fn cookie_name(name: &str) -> Result<String, Flaw> {
    if is_token(name) { Ok(name.to_owned()) } else { Err(Flaw::NotAName) }
}

/// A name means the same in upper and lower case.
fn header_name(name: &str) -> Result<String, Flaw> {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        return Err(Flaw::NotAName);
    }
    if RESERVED.contains(&name.as_str()) || headers::Kind::of(&name) != headers::Kind::EndToEnd {
        return Err(Flaw::Reserved);
    }
    Ok(name)
}

/// A value is visible ASCII without what would end it in `Cookie`.
fn value_of_a_field(text: &str) -> Result<String, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Empty);
    }
    if let Some(character) = text.chars().find(|&c| !c.is_ascii_graphic() || ";,\"\\".contains(c)) {
        return Err(Flaw::Character(character));
    }
    if text.len() > MAX_VALUE_BYTES { Err(Flaw::TooLong(text.len())) } else { Ok(text.to_owned()) }
}
