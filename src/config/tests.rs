use serde_json::json;

use super::*;

fn lines(value: &Value) -> Vec<String> {
    Config::from_json(value).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

fn line(value: &Value) -> String {
    let lines = lines(value);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.concat()
}

/// The top level with one more setting.
fn with(name: &str, value: Value) -> Value {
    let mut config = json!({ "routes": { "/*": {} } });
    config[name] = value;
    config
}

/// A route with one setting.
fn route_with(name: &str, value: Value) -> Value {
    let mut config = json!({ "routes": { "/blog/[slug]": {} } });
    config["routes"]["/blog/[slug]"][name] = value;
    config
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_empty_route_table_means_the_defaults() {
    let config = Config::from_json(&json!({ "routes": { "/*": {} } })).unwrap();
    let expected = "Config { revalidate: After(60s), expire: 604800s, stale_if_error: 604800s, freshness_bound: 10s, \
        render_timeout: 60s, miss_timeout: 30s, pass_ttl: 60s, refresh_rate: 10, l1_ttl: 3600s, max_body_bytes: 10485760, \
        expose_headers: true, cache_name: \"cloudflare-isr\", canonical_origin: None, origin: None, \
        platform_cache: false, zone_purge: None, routes: ";
    assert_eq!(format!("{config:?}").split_at(expected.len()).0, expected);
    let route = config.routes.find("/any/page").unwrap();
    let expected = RouteSettings {
        revalidate: Revalidate::After(secs(60)),
        expire: secs(604_800),
        stale_if_error: secs(604_800),
        tags: Vec::new(),
        shards: 1,
        query: QueryPolicy::Only([].into()),
    };
    assert_eq!(*route, Route::new(Pattern::parse("/*").unwrap(), expected));
}

#[test]
fn every_setting_is_read() {
    let config = Config::from_json(&json!({
        "revalidate": false, "expire": 0, "stale_if_error": 5, "freshness_bound": 300, "render_timeout": 600,
        "miss_timeout": 1, "pass_ttl": 3600, "refresh_rate": 100, "l1_ttl": 86_400, "max_body_bytes": 26_148_864, "expose_headers": false,
        "cache_name": "My.cache_1-x", "canonical_origin": "HTTPS://Example.com:443/", "origin": "http://site.test:8080/base/",
        "platform_cache": true, "zone_purge": "023E105f4ecef8ad9ca31a8372d0c353",
        "routes": { "/blog/[slug]": {
            "revalidate": 0, "expire": 7, "stale_if_error": 9, "tags": ["news", "blog", "news"], "shards": 256,
            "query": ["page", "q", "page"],
        } },
    }))
    .unwrap();
    let expected = "Config { revalidate: Never, expire: 0ns, stale_if_error: 5s, freshness_bound: 300s, \
        render_timeout: 600s, miss_timeout: 1s, pass_ttl: 3600s, refresh_rate: 100, l1_ttl: 86400s, max_body_bytes: 26148864, \
        expose_headers: false, cache_name: \"My.cache_1-x\", canonical_origin: \
        Some(CanonicalOrigin(\"https://example.com\")), origin: Some(SiteUrl(\"http://site.test:8080/base\")), \
        platform_cache: true, zone_purge: Some(ZoneId(\"023e105f4ecef8ad9ca31a8372d0c353\")), routes: ";
    assert_eq!(format!("{config:?}").split_at(expected.len()).0, expected);
    let expected = RouteSettings {
        revalidate: Revalidate::NoStore,
        expire: secs(7),
        stale_if_error: secs(9),
        tags: vec![Tag::parse("blog").unwrap(), Tag::parse("news").unwrap()],
        shards: 256,
        query: QueryPolicy::Only(["page".to_owned(), "q".to_owned()].into()),
    };
    let route = config.routes.by_id("/blog/[slug]").unwrap();
    assert_eq!(*route, Route::new(Pattern::parse("/blog/[slug]").unwrap(), expected));
}

#[test]
fn a_route_falls_back_to_the_top_level() {
    let windows = |top: Value, route: Value| {
        let mut config = top;
        config["routes"] = json!({ "/*": route });
        let config = Config::from_json(&config).unwrap();
        let route = config.routes.find("/").unwrap();
        (route.revalidate(), route.expire(), route.stale_if_error())
    };
    for (top, route, expected) in [
        (json!({ "revalidate": 5 }), json!({}), (Revalidate::After(secs(5)), secs(604_800), secs(604_800))),
        (json!({ "revalidate": 5 }), json!({ "revalidate": false }), (Revalidate::Never, secs(604_800), secs(604_800))),
        (json!({ "expire": 10 }), json!({}), (Revalidate::After(secs(60)), secs(10), secs(10))),
        (json!({ "expire": 10 }), json!({ "expire": 20 }), (Revalidate::After(secs(60)), secs(20), secs(20))),
        (json!({ "stale_if_error": 30 }), json!({ "expire": 20 }), (Revalidate::After(secs(60)), secs(20), secs(30))),
        (
            json!({ "stale_if_error": 30 }),
            json!({ "expire": 20, "stale_if_error": 0 }),
            (Revalidate::After(secs(60)), secs(20), secs(0)),
        ),
    ] {
        assert_eq!(windows(top, route), expected);
    }
}

#[test]
fn all_queries_can_be_allowed() {
    let config = Config::from_json(&route_with("query", json!("all"))).unwrap();
    let policy = config.routes.find("/blog/x").unwrap().query().clone();
    assert_eq!((policy.clone(), policy.allows("any")), (QueryPolicy::All, true));
}

#[test]
fn all_problems_are_reported_at_once() {
    let value = json!({
        "revalidat": 5,
        "shards": 2,
        "expire": "1h",
        "freshness_bound": 301,
        "routes": {
            "/blog/:slug": { "revalidate": 1.5, "ttl": 5, "l1_ttl": 60 },
            "/blog/[id]": { "tags": ["ok", "a,b", 7] },
            "/a/*/b": { "shards": 257 },
            "/c": 60,
        },
    });
    assert_eq!(
        lines(&value),
        [
            "ISR.revalidat: no setting has this name; did you mean `revalidate`?",
            "ISR.shards: this setting stands in the wrong table; move it to the route's own table",
            "ISR.expire: \"1h\" is not a number; write whole seconds from 0 to 31536000",
            "ISR.freshness_bound: 301 is above 300; write whole seconds from 0 to 300",
            "ISR.routes.\"/a/*/b\": `*` is not the last segment; write `[name]` for one segment in the middle, or end \
             the pattern here",
            "ISR.routes.\"/a/*/b\".shards: 257 is above 256; write a whole number from 1 to 256",
            "ISR.routes.\"/blog/:slug\".l1_ttl: this setting stands in the wrong table; move it to [vars.ISR]",
            "ISR.routes.\"/blog/:slug\".ttl: no setting has this name; write one of revalidate, expire, \
             stale_if_error, tags, shards, query",
            "ISR.routes.\"/blog/:slug\".revalidate: 1.5 is not a whole number; write whole seconds from 1 to 31536000, \
             `false` (never ages) or 0 (never stored)",
            "ISR.routes.\"/blog/[id]\".tags[1]: \"a,b\" is not a tag (a tag may hold visible ASCII characters other \
             than a comma, this one has ','); write at most 64 tags, such as [\"blog\", \"news\"]",
            "ISR.routes.\"/blog/[id]\".tags[2]: 7 is not text; write at most 64 tags, such as [\"blog\", \"news\"]",
            "ISR.routes.\"/c\": 60 is not a table; write a table, as in [vars.ISR.routes.\"/c\"]",
            "ISR.routes.\"/blog/[id]\": `/blog/[id]` matches the same paths as `/blog/:slug`; keep one of the two",
        ],
    );
}

#[test]
fn each_problem_can_be_taken_apart() {
    let error = Config::from_json(&with("pass_ttl", json!(-1))).unwrap_err();
    let [problem] = error.problems() else { panic!("{error}") };
    let fault = Fault::Value {
        found: "-1".to_owned(),
        flaw: Flaw::Below(1),
        accepts: "whole seconds from 1 to 3600".to_owned(),
    };
    assert_eq!((problem.setting(), problem.fault()), ("ISR.pass_ttl", &fault));
}

#[test]
fn values_at_the_top_level_are_checked() {
    let lifetime = "write whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored)";
    let name = "write 1 to 64 letters, digits, `.`, `_` or `-`";
    let origin = "write an origin without path, such as \"https://example.com\"";
    let url = "write a URL without query, such as \"https://site.example.com\"";
    for (setting, value, message) in [
        ("revalidate", json!(true), format!("true is not a number; {lifetime}")),
        ("revalidate", json!("60"), format!("\"60\" is not a number; {lifetime}")),
        ("revalidate", json!(null), format!("null is not a number; {lifetime}")),
        ("revalidate", json!(-60), format!("-60 is below 1; {lifetime}")),
        ("revalidate", json!(31_536_001), format!("31536001 is above 31536000; {lifetime}")),
        ("revalidate", json!(1e300), format!("1e+300 is above 31536000; {lifetime}")),
        ("revalidate", json!({}), format!("a table is not a number; {lifetime}")),
        ("expire", json!([1]), "a list is not a number; write whole seconds from 0 to 31536000".to_owned()),
        ("expire", json!(-0.5), "-0.5 is below 0; write whole seconds from 0 to 31536000".to_owned()),
        ("miss_timeout", json!(60.5), "60.5 is above 60; write whole seconds from 1 to 60".to_owned()),
        (
            "max_body_bytes",
            json!(26_148_865),
            "26148865 is above 26148864; write a whole number from 1 to 26148864".to_owned(),
        ),
        ("expose_headers", json!("yes"), "\"yes\" is not true or false; write `true` or `false`".to_owned()),
        ("cache_name", json!(1), format!("1 is not text; {name}")),
        ("cache_name", json!(""), format!("\"\" is empty; {name}")),
        ("cache_name", json!("a/b"), format!("\"a/b\" has '/' in it; {name}")),
        ("cache_name", json!("x".repeat(65)), format!("\"{}… is 65 bytes long; {name}", "x".repeat(59))),
        (
            "canonical_origin",
            json!("example.com"),
            format!("\"example.com\" does not begin with https:// or http://; {origin}"),
        ),
        ("canonical_origin", json!("https://a.b/c"), format!("\"https://a.b/c\" has a path; {origin}")),
        ("canonical_origin", json!("https://a.b?c"), format!("\"https://a.b?c\" has a query; {origin}")),
        ("canonical_origin", json!("https://u@a.b"), format!("\"https://u@a.b\" has a user name in it; {origin}")),
        (
            "canonical_origin",
            json!("https://a.b:x"),
            format!("\"https://a.b:x\" is not a URL (invalid port number); {origin}"),
        ),
        (
            "canonical_origin",
            json!("https://a.b:99999"),
            format!("\"https://a.b:99999\" is not a URL (invalid port number); {origin}"),
        ),
        ("canonical_origin", json!("https://"), format!("\"https://\" is not a URL (empty host); {origin}")),
        (
            "canonical_origin",
            json!("https://a b"),
            format!("\"https://a b\" is not a URL (invalid international domain name); {origin}"),
        ),
        ("origin", json!("ftp://a.b"), format!("\"ftp://a.b\" does not begin with https:// or http://; {url}")),
        ("origin", json!("https://a.b/c?d"), format!("\"https://a.b/c?d\" has a query; {url}")),
        ("origin", json!("https://a.b/#d"), format!("\"https://a.b/#d\" has a fragment; {url}")),
        (
            "routes",
            json!({}),
            "a table is empty; write 1 to 500 tables, such as [vars.ISR.routes.\"/blog/[slug]\"]".to_owned(),
        ),
        (
            "routes",
            json!(["/*"]),
            "a list is not a table; write 1 to 500 tables, such as [vars.ISR.routes.\"/blog/[slug]\"]".to_owned(),
        ),
    ] {
        assert_eq!(line(&with(setting, value)), format!("ISR.{setting}: {message}"));
    }
}

#[test]
fn values_of_a_route_are_checked() {
    let names = "write at most 32 parameter names, such as [\"page\"], or \"all\"";
    let tags = "write at most 64 tags, such as [\"blog\", \"news\"]";
    for (setting, value, at, message) in [
        ("query", json!("page"), "query", format!("\"page\" is not a list; {names}")),
        ("query", json!(["?page"]), "query[0]", format!("\"?page\" has '?' in it; {names}")),
        ("query", json!(["a", ""]), "query[1]", format!("\"\" is empty; {names}")),
        ("query", json!(vec!["a"; 33]), "query", format!("a list has 33 entries; {names}")),
        ("tags", json!("blog"), "tags", format!("\"blog\" is not a list; {tags}")),
        ("tags", json!(vec!["a"; 65]), "tags", format!("a list has 65 entries; {tags}")),
        ("shards", json!(0), "shards", "0 is below 1; write a whole number from 1 to 256".to_owned()),
    ] {
        assert_eq!(line(&route_with(setting, value)), format!("ISR.routes.\"/blog/[slug]\".{at}: {message}"));
    }
}

#[test]
fn the_variable_is_a_table_with_routes() {
    for (value, message) in [
        (json!("{}"), "ISR: \"{}\" is not a table; write a table, as in [vars.ISR]"),
        (
            json!({}),
            "ISR.routes: this setting is missing; write 1 to 500 tables, such as [vars.ISR.routes.\"/blog/[slug]\"]",
        ),
    ] {
        assert_eq!(line(&value), message);
    }
    let many: serde_json::Map<_, _> = (0..=MAX_ROUTES).map(|n| (format!("/{n}"), json!({}))).collect();
    assert_eq!(
        line(&json!({ "routes": many })),
        "ISR.routes: a table has 501 entries; write 1 to 500 tables, such as [vars.ISR.routes.\"/blog/[slug]\"]",
    );
}

#[test]
fn similar_names_are_suggested() {
    for (name, closest) in [
        ("staleIfError", Some("stale_if_error")),
        ("stale-if-error", Some("stale_if_error")),
        ("EXPIRES", Some("expire")),
        ("origins", Some("origin")),
        ("l2_ttl", Some("l1_ttl")),
        ("route", Some("routes")),
        ("max_age", None),
        ("x", None),
        ("", None),
    ] {
        let Fault::Unknown { closest: found, .. } = Fault::unknown(name, Scope::TopLevel) else { unreachable!() };
        assert_eq!(found.as_deref(), closest, "{name}");
    }
}

#[test]
fn odd_names_are_shown_as_toml_has_them() {
    assert_eq!(
        line(&with("a \"b\"\n", json!(1))),
        "ISR.\"a \\\"b\\\"\\n\": no setting has this name; write one of revalidate, expire, stale_if_error, \
         freshness_bound, render_timeout, miss_timeout, pass_ttl, refresh_rate, l1_ttl, max_body_bytes, expose_headers, cache_name, \
         canonical_origin, origin, platform_cache, zone_purge, routes",
    );
}

#[test]
fn a_cache_in_front_needs_one_origin_and_a_zone_needs_its_tags() {
    let zone = "023e105f4ecef8ad9ca31a8372d0c353";
    assert_eq!(
        line(&with("platform_cache", json!(true))),
        "ISR.platform_cache: needs `canonical_origin` as well: the key of the platform's cache has no host, and pages of \
         several hosts would be mixed up",
    );
    assert_eq!(
        line(&with("zone_purge", json!(zone))),
        "ISR.zone_purge: needs `platform_cache = true` as well: without it no page has the tags by which it could be purged",
    );
    for (id, flaw) in
        [("", "is empty"), ("023e", "has 4 characters"), ("../023e105f4ecef8ad9ca31a8372d0c", "has '.' in it")]
    {
        let expected = format!("ISR.zone_purge: {id:?} {flaw}; write the id of a zone, 32 hexadecimal digits");
        assert_eq!(line(&with("zone_purge", json!(id))), expected);
    }
    assert_eq!(
        ConfigError::missing_purge_token("ISR_PURGE_TOKEN").to_string(),
        "ISR_PURGE_TOKEN: this secret is missing; set it with `npx wrangler secret put ISR_PURGE_TOKEN`: an API token with \
         the permission Zone > Cache Purge for the zone in `zone_purge`",
    );
}

/// A setting that is listed but not read, or read under another name, would let this value pass.
#[test]
fn every_listed_setting_is_read_where_it_may_stand() {
    for setting in SETTINGS {
        let message = |path: &str, value: Value| format!("{path}.{}: {} ", setting.name, error::show(&value));
        let wrong = || json!({});
        if setting.scope.includes(Scope::TopLevel) {
            assert!(line(&with(setting.name, wrong())).starts_with(&message("ISR", wrong())), "{}", setting.name);
        }
        if setting.scope.includes(Scope::Route) {
            let path = "ISR.routes.\"/blog/[slug]\"";
            assert!(line(&route_with(setting.name, wrong())).starts_with(&message(path, wrong())), "{}", setting.name);
        }
    }
}

#[test]
fn settings_describe_themselves() {
    let row = |name: &str| {
        let setting = SETTINGS.iter().find(|setting| setting.name == name).unwrap();
        (setting.default_text(), setting.unit(), setting.accepts())
    };
    assert_eq!(row("expire"), ("604800".into(), Some(Unit::Seconds), "whole seconds from 0 to 31536000".into()));
    assert_eq!(row("stale_if_error").0, "as `expire`");
    assert_eq!(row("cache_name").0, "\"cloudflare-isr\"");
    assert_eq!(row("max_body_bytes").2, "a whole number from 1 to 26148864");
}

#[test]
fn a_missing_binding_comes_with_the_lines_to_add() {
    let text = |binding: Binding| ConfigError::missing_binding(binding, binding.default_name()).to_string();
    let objects = "    # once, for both classes\n    [[migrations]]\n    tag = \"v1\"\n    \
                   new_sqlite_classes = [\"IsrCoordinator\", \"IsrTagIndex\"]";
    for (binding, expected) in [
        (
            Binding::Settings,
            "ISR: this variable is missing; add to wrangler.toml:\n    [vars.ISR.routes.\"/*\"]\n    revalidate = 60"
                .to_owned(),
        ),
        (
            Binding::Coordinator,
            format!(
                "COORDINATOR: this Durable Object binding is missing; add to wrangler.toml:\n    \
                 [[durable_objects.bindings]]\n    name = \"COORDINATOR\"\n    class_name = \"IsrCoordinator\"\n\n{objects}"
            ),
        ),
        (
            Binding::TagIndex,
            format!(
                "TAG_INDEX: this Durable Object binding is missing; add to wrangler.toml:\n    \
                 [[durable_objects.bindings]]\n    name = \"TAG_INDEX\"\n    class_name = \"IsrTagIndex\"\n\n{objects}"
            ),
        ),
        (
            Binding::Cache,
            "ISR_CACHE: this KV binding is missing; add to wrangler.toml:\n    [[kv_namespaces]]\n    \
             binding = \"ISR_CACHE\"\n    id = \"<printed by: wrangler kv namespace create ISR_CACHE>\""
                .to_owned(),
        ),
        (
            Binding::Origin,
            "ORIGIN: this service binding is missing; add to wrangler.toml:\n    [[services]]\n    \
             binding = \"ORIGIN\"\n    service = \"<name of the Worker that renders the site>\"\n\n    \
             # or, for a site that is not a Worker\n    [vars.ISR]\n    origin = \"https://site.example.com\""
                .to_owned(),
        ),
    ] {
        assert_eq!(text(binding), expected);
    }
    let both =
        ConfigError::missing_binding(Binding::Cache, "K").and(ConfigError::missing_binding(Binding::Origin, "S"));
    assert_eq!(both.problems().iter().map(Problem::setting).collect::<Vec<_>>(), ["K", "S"]);
}

#[test]
fn origins_are_normalised() {
    for (text, origin, authority) in [
        ("https://Example.COM/", "https://example.com", "example.com"),
        ("http://localhost:8787", "http://localhost:8787", "localhost:8787"),
        ("http://a.b:443", "http://a.b:443", "a.b:443"),
        ("http://a.b:80", "http://a.b", "a.b"),
        ("https://müller.de", "https://xn--mller-kva.de", "xn--mller-kva.de"),
        ("https://[::1]:8443", "https://[::1]:8443", "[::1]:8443"),
    ] {
        let parsed = CanonicalOrigin::parse(text).unwrap();
        assert_eq!((parsed.as_str(), parsed.authority()), (origin, authority));
    }
    assert_eq!(SiteUrl::parse("https://a.b/c/d/").unwrap().as_str(), "https://a.b/c/d");
}
