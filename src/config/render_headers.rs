//! The setting `render_headers`.

use serde_json::Value;

use super::error::ProblemKind;
use super::message::key;
use super::reader::Reader;
use super::settings::RENDER_HEADERS;
use crate::route::{MAX_RENDER_HEADERS, RenderHeaderError, RenderHeaders, RenderValue, check_render_name};
use crate::semantics::vary::Vary;

/// The key of a value that names a secret.
pub(super) const SECRET: &str = "secret";

/// Reads `render_headers`, in which the sensitive headers in `allowed` are accepted. Problems don't contain the value,
/// which may be a credential: a misconfigured Worker shows its problems to every client.
pub(super) fn read(table: &mut Reader<'_, '_>, allowed: &[&str]) -> Option<RenderHeaders> {
    let entries = table.entries(&RENDER_HEADERS.setting, MAX_RENDER_HEADERS)?;
    let mut headers = RenderHeaders::new();
    for (written, value) in entries {
        let name = written.to_ascii_lowercase();
        let parsed = match check_render_name(&name, allowed) {
            Ok(()) if headers.contains_key(&name) => Err(RenderHeaderError::Duplicate),
            checked => checked.and_then(|()| parse_value(value)),
        };
        match parsed {
            Ok(value) => drop(headers.insert(name, value)),
            Err(error) => report(table, written, error),
        }
    }
    Some(headers)
}

/// Reports the headers of a route whose values its `vary` reads from the client's request.
pub(super) fn check_against(vary: &Vary, headers: &RenderHeaders, route: &mut Reader<'_, '_>) {
    for name in headers.keys().filter(|name| vary.covers(name)) {
        report(route, name, RenderHeaderError::Reserved);
    }
}

fn report(table: &mut Reader<'_, '_>, name: &str, error: RenderHeaderError) {
    let setting = &RENDER_HEADERS.setting;
    let path = format!("{}.{}", table.path_of(setting), key(name));
    let found = "the value".to_owned();
    table.report(path, ProblemKind::InvalidValue { found, error: error.into(), accepts: setting.accepts() });
}

fn parse_value(value: &Value) -> Result<RenderValue, RenderHeaderError> {
    match value {
        Value::String(text) => RenderValue::text(text),
        Value::Object(table) if table.len() == 1 => {
            let name = table.get(SECRET).and_then(Value::as_str).ok_or(RenderHeaderError::NeitherTextNorSecret)?;
            RenderValue::secret(name)
        }
        _ => Err(RenderHeaderError::NeitherTextNorSecret),
    }
}
#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Config, ConfigError};
    use super::*;
    use crate::route::SENSITIVE_HEADERS;

    /// Returns the headers of the route `/a`, or the lines of the error.
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
    fn names_are_checked_and_sensitive_ones_must_be_listed() {
        let line = |name: &str| read(&top(&json!({ name: "a word" }))).unwrap_err().concat();
        for (name, error) in [
            ("Host", RenderHeaderError::Reserved),
            ("X-ISR-Render", RenderHeaderError::Reserved),
            ("Authorization", RenderHeaderError::Sensitive),
            ("CF-Access-Client-Secret", RenderHeaderError::Sensitive),
        ] {
            let begin = format!("ISR.render_headers.{name}: the value {error}; write at most 16 headers");
            assert!(line(name).starts_with(&begin), "{}", line(name));
        }
        assert!(
            line("a b")
                .starts_with("ISR.render_headers.\"a b\": the value belongs to a name that is not a header name;")
        );
        for name in SENSITIVE_HEADERS {
            let mut allowed = top(&json!({ name: "x" }));
            allowed["render_sensitive_headers"] = json!([name]);
            assert!(read(&allowed).is_ok(), "{name}");
        }
        let unknown = json!({ "render_sensitive_headers": ["x-preview"], "routes": { "/a": {} } });
        let lines = read(&unknown).unwrap_err().concat();
        assert!(lines.starts_with("ISR.render_sensitive_headers[0]: \"x-preview\" is not one of the accepted words;"));
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
    fn a_value_is_text_or_a_secret_and_is_never_shown() {
        for (value, error) in [
            (json!(""), RenderHeaderError::Empty),
            (json!("hidden\r\nX-Other: 1"), RenderHeaderError::Character('\r')),
            (json!("h".repeat(1025)), RenderHeaderError::TooLong(1025)),
            (json!(1), RenderHeaderError::NeitherTextNorSecret),
            (json!({}), RenderHeaderError::NeitherTextNorSecret),
            (json!({ "secret": "not a hidden name" }), RenderHeaderError::NeitherTextNorSecret),
            (json!({ "secret": "HIDDEN", "other": 1 }), RenderHeaderError::NeitherTextNorSecret),
            (json!({ "text": "hidden" }), RenderHeaderError::NeitherTextNorSecret),
        ] {
            let lines = read(&top(&json!({ "X-A": value }))).unwrap_err();
            let begin = format!("ISR.render_headers.X-A: the value {error}; ");
            assert!(lines.len() == 1 && lines[0].starts_with(&begin), "{lines:?}");
            assert!(!lines[0].to_lowercase().contains("hidden"), "{lines:?}");
        }
        let twice = read(&top(&json!({ "X-A": "1", "x-a": "2" }))).unwrap_err();
        let begin = "ISR.render_headers.x-a: the value belongs to a header that is listed twice; ";
        assert!(twice.len() == 1 && twice[0].starts_with(begin), "{twice:?}");
        let headers = |count: usize| Value::Object((0..count).map(|n| (format!("x-{n}"), json!("1"))).collect());
        assert_eq!(read(&top(&headers(16))).unwrap().len(), 16);
        let many = read(&top(&headers(17))).unwrap_err();
        assert!(many[0].starts_with("ISR.render_headers: a table has 17 entries; write at most 16"), "{many:?}");
    }

    #[test]
    fn a_secret_that_is_missing_or_malformed_is_reported_without_it() {
        let missing = ConfigError::missing_render_secret("SITE_TOKEN").to_string();
        assert_eq!(
            missing,
            "SITE_TOKEN: this secret is missing; set it with `npx wrangler secret put SITE_TOKEN`: the value of a header in \
             `render_headers`"
        );
        let malformed = ConfigError::malformed_render_secret("SITE_TOKEN", RenderHeaderError::Character('\n'));
        assert_eq!(
            malformed.to_string(),
            "SITE_TOKEN: the secret contains '\\n'; write 1 to 1024 bytes of visible ASCII, with spaces only between"
        );
    }
}
