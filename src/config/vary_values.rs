//! The values in the table `vary` of a route.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::setting::Setting;
use super::value_error::ValueError;
use crate::semantics::headers::{HeaderKind, is_token};
use crate::semantics::language::LanguageTag;
use crate::semantics::media_type::MediaType;
use crate::semantics::vary::Device;

/// The most values that a setting in `vary` may list, and the most cookies or headers.
pub const MAX_VALUES: usize = 32;

/// The longest value of a cookie or a header, in bytes.
pub const MAX_VALUE_BYTES: usize = 128;

/// Request headers that another setting, this cache or the connection uses.
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

/// Reads cookies and their values.
pub(super) fn cookies(setting: &Setting, table: &mut Reader<'_, '_>) -> Option<BTreeMap<String, Vec<String>>> {
    table.lists(setting, MAX_VALUES, cookie_name, field_value)
}

/// Reads request headers and their values.
pub(super) fn headers(setting: &Setting, table: &mut Reader<'_, '_>) -> Option<BTreeMap<String, Vec<String>>> {
    table.lists(setting, MAX_VALUES, header_name, field_value)
}

/// Parses a language tag.
pub(super) fn language(text: &str) -> Result<LanguageTag, ValueError> {
    LanguageTag::parse(text).map_err(|_| ValueError::NotALanguage)
}

/// Parses a media type.
pub(super) fn media_type(text: &str) -> Result<MediaType, ValueError> {
    MediaType::parse(text).map_err(|_| ValueError::NotAMediaType)
}

/// Parses a class of devices.
pub(super) fn device(text: &str) -> Result<Device, ValueError> {
    Device::parse(text).ok_or(ValueError::UnknownWord)
}

/// Parses the code of a country (ISO 3166-1 alpha-2).
pub(super) fn country(text: &str) -> Result<String, ValueError> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { Ok(text.to_owned()) } else { Err(ValueError::NotACountry) }
}

/// Parses the name of a cookie (RFC 6265 section 4.1.1).
fn cookie_name(name: &str) -> Result<String, ValueError> {
    if is_token(name) { Ok(name.to_owned()) } else { Err(ValueError::InvalidName) }
}

/// Parses the name of a request header and converts it to lower case.
fn header_name(name: &str) -> Result<String, ValueError> {
    let name = name.to_ascii_lowercase();
    if !is_token(&name) {
        return Err(ValueError::InvalidName);
    }
    if RESERVED.contains(&name.as_str()) || HeaderKind::of(&name) != HeaderKind::EndToEnd {
        return Err(ValueError::ReservedName);
    }
    Ok(name)
}

/// Parses the value of a cookie or header: visible ASCII without the characters that delimit values in `Cookie`.
fn field_value(text: &str) -> Result<String, ValueError> {
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    if let Some(character) = text.chars().find(|&c| !c.is_ascii_graphic() || ";,\"\\".contains(c)) {
        return Err(ValueError::Character { character });
    }
    if text.len() > MAX_VALUE_BYTES {
        return Err(ValueError::TooLong { bytes: text.len() });
    }
    Ok(text.to_owned())
}
