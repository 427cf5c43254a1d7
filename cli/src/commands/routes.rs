//! `isr routes`: `GET /__isr/routes`.

use std::time::Duration;

use cloudflare_isr::internals::inspection::words;
use serde::Deserialize;
use serde_json::Value;

use super::{Context, read};
use crate::connection::Call;
use crate::failure::{Failure, Verdict};
use crate::show::{Report, Table};

#[derive(Debug, Deserialize)]
struct Routes {
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Route {
    pattern: String,
    shards: u64,
    /// Seconds, or `false`.
    revalidate: Value,
    expire: u64,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    query: Value,
    #[serde(default)]
    vary: Value,
    #[serde(default)]
    origin: Option<String>,
}

/// Lists the routes.
pub(crate) fn routes(context: Context<'_>) -> Result<Report, Failure> {
    let json = context.service.ask(&Call::get("/__isr/routes"))?;
    let Routes { routes } = read(&json)?;
    let mut table = Table::with_head(&["ROUTE", "FRESH FOR", "STALE FOR", "SHARDS", "TAGS", "QUERY", "VARY", "ORIGIN"]);
    for route in &routes {
        table.row([
            &route.pattern,
            &fresh_for(&route.revalidate),
            &words::duration(Duration::from_secs(route.expire)),
            &route.shards.to_string(),
            &or_none(route.tags.join(", ")),
            &query(&route.query),
            &or_none(names(&route.vary)),
            route.origin.as_deref().unwrap_or("–"),
        ]);
    }
    Ok(Report { text: table.lines(context.screen.width), json, verdict: Verdict::Yes })
}

fn or_none(text: String) -> String {
    if text.is_empty() { "–".to_owned() } else { text }
}

fn fresh_for(revalidate: &Value) -> String {
    match revalidate.as_u64() {
        Some(0) => "never stored".to_owned(),
        Some(seconds) => words::duration(Duration::from_secs(seconds)),
        None => "for ever".to_owned(),
    }
}

/// Writes which parameters are part of a key.
fn query(query: &Value) -> String {
    let names =
        query["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    match query["policy"].as_str() {
        Some("only") => or_none(names),
        Some("all") => "all".to_owned(),
        Some("allBut") => format!("all but {names}"),
        // A request with another one passes to the origin.
        Some("noneBesides") => "none".to_owned(),
        _ => "–".to_owned(),
    }
}

/// Writes what selects a variant.
fn names(vary: &Value) -> String {
    vary.as_object().map(|vary| vary.keys().map(String::as_str).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::tests::with_answers;

    #[test]
    fn routes_are_listed_with_what_matters() {
        let answer = json!({ "routes": [
            { "id": "/blog/[slug]", "pattern": "/blog/[slug]", "shards": 4, "revalidate": 300, "expire": 604_800, "tags": ["blog"],
              "query": { "policy": "only", "names": ["page"] }, "vary": { "language": ["en", "de"] }, "origin": "SHOP" },
            { "pattern": "/*", "shards": 1, "revalidate": false, "expire": 0, "query": { "policy": "allBut", "names": ["utm_*"] } },
        ] });
        let (report, calls) = with_answers([(200, answer)], routes);
        let text = report.unwrap().text;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(calls, ["Get /__isr/routes?"]);
        assert_eq!(lines[1], "/blog/[slug]  5 min      7 d        4       blog  page           language  SHOP");
        assert!(lines[2].starts_with("/*            for ever   0 ms       1       –     all but utm_*"), "{text}");
    }

    #[test]
    fn a_deployment_without_the_call_is_named() {
        let error = json!({ "error": { "code": "not_found", "message": "there is nothing here" } });
        let (report, _) = with_answers([(404, error)], routes);
        let failure = report.unwrap_err();
        assert_eq!(failure.code(), 5);
        assert!(failure.to_string().contains("a version without this call"), "{failure}");
    }
}
