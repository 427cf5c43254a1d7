//! The settings `render_headers` and `render_sensitive_headers`: what each render carries besides this cache's own headers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::{Fault, Flaw, key};
use super::origin::is_binding_name;
use super::reader::Reader;
use crate::semantics::headers::{Kind, is_token};
use crate::semantics::vary::Vary;

/// The name of the table.
pub(super) const SETTING: &str = "render_headers";

/// The most headers that a render may be given.
pub const MAX_RENDER_HEADERS: usize = 16;

/// The longest value of such a header, in bytes.
pub const MAX_RENDER_HEADER_BYTES: usize = 1024;

/// Names of headers that say who asks. What a site answers to somebody whom it knows may be for him alone, and here all
/// visitors get it: so each has to be allowed in `render_sensitive_headers`.
pub const SENSITIVE_HEADERS: [&str; 8] = [
    "authorization",
    "cf-access-client-id",
    "cf-access-client-secret",
    "cf-access-token",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
];

/// Names that are the connection's or this cache's to say, besides those that [`Kind`] tells apart: a condition or a range
/// would leave nothing to be stored, and bodies are stored without a coding.
const TAKEN: [&str; 9] = [
    "accept-encoding",
    "cdn-loop",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Headers by their names in lower case. They are the same for all visitors, and so no part of a page's key.
pub type RenderHeaders = BTreeMap<String, RenderValue>;

/// What a header of each render is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderValue {
    /// This text.
    Text(String),
    /// What the secret of this name holds.
    Secret(String),
}

impl From<&str> for RenderValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl RenderValue {
    /// Returns the value as the configuration has it.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Secret(name) => json!({ "secret": name }),
        }
    }
}

/// Says whether a text may be the value of such a header: visible ASCII, spaces between, 1 byte to
/// [`MAX_RENDER_HEADER_BYTES`].
///
/// # Errors
///
/// What is wrong with it.
pub fn check_render_value(text: &str) -> Result<(), Flaw> {
    let is_space_at_an_end = text.starts_with(' ') || text.ends_with(' ');
    let wrong = text.chars().find(|&c| !c.is_ascii_graphic() && c != ' ');
    match wrong.or(is_space_at_an_end.then_some(' ')) {
        _ if text.is_empty() => Err(Flaw::Empty),
        Some(character) => Err(Flaw::Character(character)),
        None if text.len() > MAX_RENDER_HEADER_BYTES => Err(Flaw::TooLong(text.len())),
        None => Ok(()),
    }
}

/// Reads a word of `render_sensitive_headers`.
pub(super) fn sensitive(word: &str) -> Result<&'static str, Flaw> {
    SENSITIVE_HEADERS.into_iter().find(|name| *name == word).ok_or(Flaw::NotAWord)
}

/// Reads the table, if it is there; `allowed` are the sensitive names that may stand in it. What is wrong is reported
/// without the value, which may be a credential: whoever asks a Worker that is not configured is told the problems.
pub(super) fn read(table: &mut Reader<'_, '_>, allowed: &[&str]) -> Option<RenderHeaders> {
    let named = table.entries(SETTING, MAX_RENDER_HEADERS)?;
    let mut headers = RenderHeaders::new();
    for (written, value) in named {
        let name = written.to_ascii_lowercase();
        let checked = check_name(&name, allowed).and_then(|()| {
            let is_new = !headers.contains_key(&name);
            if is_new { read_value(value) } else { Err(Flaw::Reserved) }
        });
        match checked {
            Ok(value) => drop(headers.insert(name, value)),
            Err(flaw) => refuse(table, written, flaw),
        }
    }
    Some(headers)
}

/// Reports those headers of a route that its `vary` has a value for.
pub(super) fn check_against(vary: &Vary, headers: &RenderHeaders, route: &mut Reader<'_, '_>) {
    for name in headers.keys().filter(|name| vary.covers(name)) {
        refuse(route, name, Flaw::Reserved);
    }
}

fn refuse(table: &mut Reader<'_, '_>, name: &str, flaw: Flaw) {
    let path = format!("{}.{}", table.path_of(SETTING), key(name));
    table.report(path, Fault::Value { found: "the value".to_owned(), flaw, accepts: super::reader::accepts(SETTING) });
}

fn check_name(name: &str, allowed: &[&str]) -> Result<(), Flaw> {
    if !is_token(name) {
        return Err(Flaw::NotAName);
    }
    if SENSITIVE_HEADERS.contains(&name) {
        return if allowed.contains(&name) { Ok(()) } else { Err(Flaw::Sensitive) };
    }
    if TAKEN.contains(&name) || Kind::of(name) != Kind::EndToEnd { Err(Flaw::Reserved) } else { Ok(()) }
}

fn read_value(value: &Value) -> Result<RenderValue, Flaw> {
    const FORMS: Flaw = Flaw::Not("text, or { secret = \"NAME\" }");
    match value {
        Value::String(text) => check_render_value(text).map(|()| RenderValue::Text(text.clone())),
        Value::Object(table) if table.len() == 1 => {
            let name = table.get("secret").and_then(Value::as_str).filter(|name| is_binding_name(name));
            name.map(|name| RenderValue::Secret(name.to_owned())).ok_or(FORMS)
        }
        _ => Err(FORMS),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    /// What the route `/a` has each render carry.
    fn read(settings: &Value) -> Result<RenderHeaders, Vec<String>> {
        match Config::from_json(settings) {
            Ok(config) => Ok(config.routes.by_id("/a").unwrap().render_headers().clone()),
            Err(error) => Err(error.to_string().lines().map(str::to_owned).collect()),
        }
    }

    fn top(headers: &Value) -> Value {
        json!({ "render_headers": headers, "routes": { "/a": {} } })
    }

    #[test]
    fn a_route_has_those_of_the_top_level_or_its_own_in_their_place() {
        let headers = json!({ "X-Preview": "off, please", "Authorization": { "secret": "SITE_TOKEN" } });
        let allowed = json!(["authorization"]);
        let both = RenderHeaders::from([
            ("authorization".to_owned(), RenderValue::Secret("SITE_TOKEN".to_owned())),
            ("x-preview".to_owned(), RenderValue::Text("off, please".to_owned())),
        ]);
        let one = RenderHeaders::from([("x-own".to_owned(), "1".into())]);
        for (route, expected) in [
            (json!({}), &both),
            (json!({ "render_headers": {} }), &RenderHeaders::new()),
            (json!({ "render_headers": { "X-Own": "1" } }), &one),
            (json!({ "vary": { "language": ["en", "de"] } }), &both),
        ] {
            let settings =
                json!({ "render_headers": headers, "render_sensitive_headers": allowed, "routes": { "/a": route } });
            assert_eq!(read(&settings), Ok(expected.clone()));
        }
        let of_route = json!({ "render_sensitive_headers": ["cookie"], "routes": { "/a": { "render_headers": { "Cookie": "a=b" } } } });
        assert_eq!(read(&of_route), Ok(RenderHeaders::from([("cookie".to_owned(), "a=b".into())])));
    }

    #[test]
    fn names_that_are_not_free_are_refused_and_sensitive_ones_unless_they_are_listed() {
        for name in ["Accept", "user-agent", "accept-language", "X-Forwarded-Host", "Referer", "content-type"] {
            assert!(read(&top(&json!({ name: "x" }))).is_ok(), "{name}");
        }
        let line = |name: &str| read(&top(&json!({ name: "a word" }))).unwrap_err().concat();
        for (name, flaw) in [
            ("Host", Flaw::Reserved),
            ("Connection", Flaw::Reserved),
            ("transfer-encoding", Flaw::Reserved),
            ("Upgrade", Flaw::Reserved),
            ("Content-Length", Flaw::Reserved),
            ("Cache-Control", Flaw::Reserved),
            ("If-None-Match", Flaw::Reserved),
            ("Range", Flaw::Reserved),
            ("Accept-Encoding", Flaw::Reserved),
            ("CDN-Loop", Flaw::Reserved),
            ("X-ISR-Render", Flaw::Reserved),
            ("x-isr-anything", Flaw::Reserved),
            ("X-Middleware-Subrequest", Flaw::Reserved),
            ("Authorization", Flaw::Sensitive),
            ("Cookie", Flaw::Sensitive),
            ("PROXY-AUTHORIZATION", Flaw::Sensitive),
            ("CF-Access-Client-Secret", Flaw::Sensitive),
        ] {
            let begin = format!("ISR.render_headers.{name}: the value {flaw}; write at most 16 headers");
            assert!(line(name).starts_with(&begin), "{}", line(name));
        }
        assert!(line("a b").starts_with("ISR.render_headers.\"a b\": the value is under a name that can't be one;"));
        for name in SENSITIVE_HEADERS {
            let mut allowed = top(&json!({ name: "x" }));
            allowed["render_sensitive_headers"] = json!([name]);
            assert!(read(&allowed).is_ok(), "{name}");
        }
        let unknown = json!({ "render_sensitive_headers": ["x-preview"], "routes": { "/a": {} } });
        assert!(
            read(&unknown)
                .unwrap_err()
                .concat()
                .starts_with("ISR.render_sensitive_headers[0]: \"x-preview\" is not one")
        );
    }

    #[test]
    fn what_a_route_varies_by_is_not_fixed() {
        let route = json!({ "vary": { "language": ["en"], "header": { "X-Ab": ["a"] } } });
        let mut settings = top(&json!({ "Accept-Language": "de", "X-AB": "b", "X-Free": "c" }));
        settings["routes"]["/a"] = route;
        let lines = read(&settings).unwrap_err();
        let begins = |line: &String, name| line.starts_with(&format!("ISR.routes.\"/a\".render_headers.{name}: "));
        assert!(lines.len() == 2 && begins(&lines[0], "accept-language") && begins(&lines[1], "x-ab"), "{lines:?}");
    }

    #[test]
    fn a_value_is_one_line_of_ascii_or_a_secret_and_is_never_shown() {
        let forms = Flaw::Not("text, or { secret = \"NAME\" }");
        for (value, flaw) in [
            (json!(""), Flaw::Empty),
            (json!("hidden\r\nX-Other: 1"), Flaw::Character('\r')),
            (json!("hidden\n"), Flaw::Character('\n')),
            (json!("hidden\t"), Flaw::Character('\t')),
            (json!("ä hidden"), Flaw::Character('ä')),
            (json!(" hidden"), Flaw::Character(' ')),
            (json!("hidden "), Flaw::Character(' ')),
            (json!("h".repeat(1025)), Flaw::TooLong(1025)),
            (json!(1), forms.clone()),
            (json!({}), forms.clone()),
            (json!({ "secret": "not a hidden name" }), forms.clone()),
            (json!({ "secret": "HIDDEN", "other": 1 }), forms.clone()),
            (json!({ "text": "hidden" }), forms.clone()),
        ] {
            let lines = read(&top(&json!({ "X-A": value }))).unwrap_err();
            let said = format!("ISR.render_headers.X-A: the value {flaw}; ");
            assert!(lines.len() == 1 && lines[0].starts_with(&said), "{lines:?}");
            assert!(!lines[0].to_lowercase().contains("hidden"), "{lines:?}");
        }
        assert!(read(&top(&json!({ "X-A": "h".repeat(1024) }))).is_ok());
        let twice = read(&top(&json!({ "X-A": "1", "x-a": "2" }))).unwrap_err();
        assert!(
            twice.len() == 1 && twice[0].starts_with("ISR.render_headers.x-a: the value is of a header"),
            "{twice:?}"
        );
        let headers = |count: usize| Value::Object((0..count).map(|n| (format!("x-{n}"), json!("1"))).collect());
        assert_eq!(read(&top(&headers(16))).unwrap().len(), 16);
        let many = read(&top(&headers(17))).unwrap_err();
        assert!(many[0].starts_with("ISR.render_headers: a table has 17 entries; write at most 16"), "{many:?}");
    }

    #[test]
    fn a_secret_that_is_missing_or_malformed_is_reported_without_it() {
        let missing = super::super::ConfigError::missing_render_secret("SITE_TOKEN").to_string();
        assert_eq!(
            missing,
            "SITE_TOKEN: this secret is missing; set it with `npx wrangler secret put SITE_TOKEN`: the value of a header in \
             `render_headers`"
        );
        let malformed = super::super::ConfigError::malformed_render_secret("SITE_TOKEN", Flaw::Character('\n'));
        assert_eq!(
            malformed.to_string(),
            "SITE_TOKEN: the secret has '\\n' in it; write 1 to 1024 bytes of visible ASCII, with spaces only between"
        );
    }
}
