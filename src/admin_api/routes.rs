//! The routes of the configuration, for callers.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::route::{Origin, QueryPolicy, Route};
use crate::semantics::bypass_cookies::CookiePattern;
use crate::semantics::freshness::Revalidate;
use crate::semantics::vary::Vary;

/// Lists the routes, the most specific first. Contains neither secrets nor values of headers.
#[must_use]
pub fn routes(config: &Config) -> Value {
    json!({ "routes": config.routes.iter().map(route).collect::<Vec<_>>() })
}

fn route(route: &Route) -> Value {
    json!({
        "id": route.id().as_str(),
        "pattern": route.id().as_str(),
        "shards": route.shards(),
        "maxPages": route.max_pages(),
        "revalidate": lifetime(route.revalidate()),
        "notFoundRevalidate": lifetime(route.not_found_revalidate()),
        "expire": route.expire().as_secs(),
        "staleIfError": route.stale_if_error().as_secs(),
        "browserMaxAge": route.browser_max_age().as_secs(),
        "statuses": route.statuses().iter().collect::<Vec<_>>(),
        "tags": route.tags(),
        "query": query(route.query()),
        "trailingSlash": route.trailing_slash().as_str(),
        "setCookie": route.set_cookie().as_str(),
        "bypassCookies": route.bypass_cookies().iter().map(CookiePattern::as_str).collect::<Vec<_>>(),
        "http": route.http().as_str(),
        "vary": vary(route.vary()),
        "origin": route.origin().map(Origin::as_str),
        "renderHeaders": route.render_headers().keys().collect::<Vec<_>>(),
    })
}

/// Writes a lifetime as the configuration does: seconds, `false` or 0.
fn lifetime(lifetime: Revalidate) -> Value {
    match lifetime {
        Revalidate::After(time) => json!(time.as_secs()),
        Revalidate::Never => json!(false),
        Revalidate::NoStore => json!(0),
    }
}

fn query(policy: &QueryPolicy) -> Value {
    let (kind, names) = match policy {
        QueryPolicy::Only(names) => ("only", names.iter().collect::<Vec<_>>()),
        QueryPolicy::All => ("all", Vec::new()),
        QueryPolicy::AllBut(names) => ("allBut", names.iter().collect()),
        QueryPolicy::NoneBesides(names) => ("noneBesides", names.iter().collect()),
    };
    json!({ "policy": kind, "names": names })
}

/// Lists what selects a variant, under the names of the settings.
fn vary(vary: &Vary) -> Value {
    let mut fields = Map::new();
    let mut list = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            fields.insert(name.to_owned(), json!(values));
        }
    };
    list("language", vary.languages.iter().map(ToString::to_string).collect());
    list("accept", vary.media_types.iter().map(ToString::to_string).collect());
    list("device", vary.devices.iter().map(|device| device.as_str().to_owned()).collect());
    list("country", vary.countries.clone());
    for (name, by_name) in [("cookie", &vary.cookies), ("header", &vary.headers)] {
        if !by_name.is_empty() {
            fields.insert(name.to_owned(), json!(by_name));
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_listed_with_their_settings_and_without_secrets() {
        let config = Config::from_json(&json!({
            "render_headers": { "x-token": { "secret": "TOKEN" }, "x-plain": "hidden" },
            "routes": {
                "/*": {},
                "/blog/[slug]": {
                    "shards": 4, "revalidate": false, "tags": ["blog"], "query": ["page"],
                    "vary": { "language": ["en", "de"], "cookie": { "theme": ["dark"] } },
                },
            },
        }))
        .unwrap();
        let listed = routes(&config);
        let blog = &listed["routes"][0];
        assert_eq!(
            (&blog["id"], &blog["shards"], &blog["revalidate"]),
            (&json!("/blog/[slug]"), &json!(4), &json!(false))
        );
        assert_eq!(blog["query"], json!({ "policy": "only", "names": ["page"] }));
        assert_eq!(blog["vary"], json!({ "language": ["en", "de"], "cookie": { "theme": ["dark"] } }));
        assert_eq!(listed["routes"][1]["renderHeaders"], json!(["x-plain", "x-token"]));
        assert!(!listed.to_string().contains("hidden") && !listed.to_string().contains("TOKEN"), "{listed}");
    }
}
