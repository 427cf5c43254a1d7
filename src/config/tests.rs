use serde_json::json;

use super::message::show;
use super::*;
use crate::route::{HttpRules, Pattern, QueryPolicy, RenderHeaders, Route, RouteSettings, SetCookie, TrailingSlash};
use crate::semantics::bypass_cookies::{BypassCookies, CookiePattern};
use crate::semantics::key::TRACKING_PARAMETERS;
use crate::semantics::language::LanguageTag;
use crate::semantics::media_type::MediaType;
use crate::semantics::statuses::Statuses;
use crate::semantics::tag::Tag;
use crate::semantics::vary::{Device, Vary};

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

/// The names of the settings that are accepted in a table.
fn known(level: SettingLevel) -> String {
    let names: Vec<&str> = SETTINGS.iter().filter(|s| s.is_accepted_in(level)).map(|s| s.name).collect();
    names.join(", ")
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_empty_route_table_means_the_defaults() {
    let config = Config::from_json(&json!({ "routes": { "/*": {} } })).unwrap();
    let expected = "Config { revalidate: After(60s), not_found_revalidate: None, expire: 604800s, stale_if_error: 604800s, browser_max_age: 0ns, freshness_bound: 10s, feed: Poll, \
        render_timeout: 60s, first_byte_timeout: 60s, miss_timeout: 30s, pass_ttl: 60s, refresh_rate: 10, decision_log: 1000, tag_shards: 1, l1_ttl: 3600s, memory_bytes: 16777216, memory_page_bytes: 262144, l2: Kv, max_body_bytes: 10485760, \
        expose_headers: true, metrics: true, log: Problems, cache_name: \"cloudflare-isr\", hosts: [], canonical_origin: None, origin: None, platform_cache: false, zone_purge: None, webhooks: {}, routes: ";
    assert_eq!(format!("{config:?}").split_at(expected.len()).0, expected);
    let route = config.routes.find("/any/page").unwrap();
    let expected = RouteSettings {
        revalidate: Revalidate::After(secs(60)),
        not_found_revalidate: Revalidate::After(secs(60)),
        expire: secs(604_800),
        stale_if_error: secs(604_800),
        browser_max_age: secs(0),
        statuses: Statuses::default(),
        tags: Vec::new(),
        shards: 1,
        max_pages: 100_000,
        query: QueryPolicy::NoneBesides(TRACKING_PARAMETERS.map(str::to_owned).into()),
        trailing_slash: TrailingSlash::Keep,
        set_cookie: SetCookie::Pass,
        bypass_cookies: BypassCookies::default(),
        http: HttpRules::Isr,
        vary: Vary::default(),
        origin: None,
        render_headers: RenderHeaders::new(),
    };
    assert_eq!(*route, Route::new(Pattern::parse("/*").unwrap(), expected));
}

#[test]
fn every_setting_is_read() {
    let mut config = json!({
        "revalidate": false, "not_found_revalidate": 5, "expire": 0, "stale_if_error": 5, "browser_max_age": 86_400, "freshness_bound": 300, "render_timeout": 600,
        "miss_timeout": 1, "pass_ttl": 3600, "refresh_rate": 100, "tag_shards": 32, "l1_ttl": 86_400, "max_body_bytes": 33_554_432, "expose_headers": false,
        "cache_name": "My.cache_1-x", "canonical_origin": "HTTPS://Example.com:443/", "origin": "http://site.test:8080/base/",
        "platform_cache": true, "zone_purge": "023E105f4ecef8ad9ca31a8372d0c353",
        "routes": { "/blog/[slug]": {
            "revalidate": 0, "not_found_revalidate": false, "expire": 7, "stale_if_error": 9, "browser_max_age": 30, "statuses": [302, 200, 302], "tags": ["news", "blog", "news"], "shards": 256,
            "query": ["page", "q", "page"], "trailing_slash": "redirect",
            "vary": {
                "language": ["en", "de-AT"], "device": ["mobile", "desktop"], "country": ["DE"],
                "cookie": { "theme": ["dark"] }, "header": { "X-Ab": ["a", "b"] },
            },
        } },
    });
    (config["metrics"], config["log"]) = (json!(false), json!("requests"));
    config["routes"]["/blog/[slug]"]["max_pages"] = json!(1_000_000);
    config["memory_bytes"] = json!(67_108_864);
    config["memory_page_bytes"] = json!(4_194_304);
    config["hosts"] = json!(["*.Example.com", "bücher.de"]);
    config["ignore_query"] = json!(["q*"]);
    config["first_byte_timeout"] = json!(2);
    config["decision_log"] = json!(0);
    config["routes"]["/blog/[slug]"]["vary"]["accept"] = json!(["Text/Markdown"]);
    config["bypass_cookies"] = json!(["wordpress_logged_in_*"]);
    config["routes"]["/blog/[slug]"]["bypass_cookies"] = json!(["sessionid"]);
    config["l2"] = json!("r2");
    config["feed"] = json!("push");
    config["routes"]["/blog/[slug]"]["origin"] = json!("BLOG_ORIGIN");
    config["trailing_slash"] = json!("keep");
    config["platform_cache"] = json!(true);
    config["zone_purge"] = json!("023e105f4ecef8ad9ca31a8372d0c353");
    let config = Config::from_json(&config).unwrap();
    let expected = "Config { revalidate: Never, not_found_revalidate: Some(After(5s)), expire: 0ns, stale_if_error: 5s, browser_max_age: 86400s, freshness_bound: 300s, feed: Push, \
        render_timeout: 600s, first_byte_timeout: 2s, miss_timeout: 1s, pass_ttl: 3600s, refresh_rate: 100, decision_log: 0, tag_shards: 32, l1_ttl: 86400s, memory_bytes: 67108864, memory_page_bytes: 4194304, l2: R2, max_body_bytes: 33554432, \
        expose_headers: false, metrics: false, log: Requests, cache_name: \"My.cache_1-x\", hosts: [\"*.example.com\", \"xn--bcher-kva.de\"], canonical_origin: \
        Some(CanonicalOrigin(\"https://example.com\")), origin: Some(Url(OriginUrl(\"http://site.test:8080/base\"))), platform_cache: true, zone_purge: Some(ZoneId(\"023e105f4ecef8ad9ca31a8372d0c353\")), webhooks: {}, routes: ";
    assert_eq!(format!("{config:?}").split_at(expected.len()).0, expected);
    let expected = RouteSettings {
        revalidate: Revalidate::NoStore,
        not_found_revalidate: Revalidate::Never,
        expire: secs(7),
        stale_if_error: secs(9),
        browser_max_age: secs(30),
        statuses: Statuses::new([200, 302]).unwrap(),
        tags: vec![Tag::parse("blog").unwrap(), Tag::parse("news").unwrap()],
        shards: 256,
        max_pages: 1_000_000,
        query: QueryPolicy::Only(["page".to_owned(), "q".to_owned()].into()),
        trailing_slash: TrailingSlash::Redirect,
        set_cookie: SetCookie::Pass,
        bypass_cookies: BypassCookies::new(vec![CookiePattern::parse("sessionid").unwrap()]),
        http: HttpRules::Isr,
        vary: Vary {
            languages: ["en", "de-AT"].map(|tag| LanguageTag::parse(tag).unwrap()).into(),
            media_types: vec![MediaType::parse("text/markdown").unwrap()],
            devices: vec![Device::Mobile, Device::Desktop],
            countries: vec!["DE".to_owned()],
            cookies: [("theme".to_owned(), vec!["dark".to_owned()])].into(),
            headers: [("x-ab".to_owned(), vec!["a".to_owned(), "b".to_owned()])].into(),
        },
        origin: Some(Origin::parse("BLOG_ORIGIN").unwrap()),
        render_headers: RenderHeaders::new(),
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
    let sites = json!({ "origin": "https://a.b", "routes": { "/*": {}, "/shop/*": { "origin": "SHOP" } } });
    let routes = Config::from_json(&sites).unwrap().routes;
    let origin = |path| routes.find(path).unwrap().origin().cloned();
    assert_eq!(["/", "/shop"].map(origin), ["https://a.b", "SHOP"].map(|text| Origin::parse(text).ok()));
    let keeps = json!({ "browser_max_age": 30, "routes": { "/*": {}, "/own": { "browser_max_age": 0 } } });
    let routes = Config::from_json(&keeps).unwrap().routes;
    assert_eq!(["/", "/own"].map(|path| routes.find(path).unwrap().browser_max_age()), [secs(30), secs(0)]);
}

#[test]
fn what_is_not_found_is_fresh_for_a_minute_at_most_unless_it_is_said() {
    let not_found = |mut top: Value, route: Value| {
        top["routes"] = json!({ "/*": route });
        Config::from_json(&top).unwrap().routes.find("/").unwrap().not_found_revalidate()
    };
    let after = |seconds| Revalidate::After(secs(seconds));
    for (top, route, expected) in [
        (json!({}), json!({ "revalidate": 3600 }), after(60)),
        (json!({}), json!({ "revalidate": 5 }), after(5)),
        (json!({}), json!({ "revalidate": false }), after(60)),
        (json!({}), json!({ "revalidate": 0 }), Revalidate::NoStore),
        (json!({ "revalidate": 10 }), json!({}), after(10)),
        (json!({ "not_found_revalidate": 600 }), json!({ "revalidate": 5 }), after(600)),
        (json!({ "not_found_revalidate": 600 }), json!({ "not_found_revalidate": 0 }), Revalidate::NoStore),
        (json!({ "not_found_revalidate": 600 }), json!({ "not_found_revalidate": false }), Revalidate::Never),
    ] {
        assert_eq!(not_found(top.clone(), route.clone()), expected, "{top} {route}");
    }
}

#[test]
fn all_queries_can_be_allowed() {
    let config = Config::from_json(&route_with("query", json!("all"))).unwrap();
    let policy = config.routes.find("/blog/x").unwrap().query().clone();
    let allowed = ["any", "utm_source", "utm", "gclid", "gclidx"].map(|name| policy.allows(name));
    assert_eq!(allowed, [true, false, true, false, true], "tracking parameters make no difference");
    for (ignored, expected) in [(json!([]), true), (json!(["a*"]), false), (json!(["an"]), true)] {
        let mut config = route_with("query", json!("all"));
        config["ignore_query"] = ignored;
        let config = Config::from_json(&config).unwrap();
        assert_eq!(config.routes.find("/blog/x").unwrap().query().allows("any"), expected);
    }
    let none = Config::from_json(&route_with("query", json!("none"))).unwrap();
    assert_eq!(*none.routes.find("/blog/x").unwrap().query(), QueryPolicy::default());
}

#[test]
fn hosts_are_those_that_are_named() {
    let serves = |hosts: Value, host| Config::from_json(&with("hosts", hosts)).unwrap().serves_host(host);
    for (hosts, host, expected) in [
        (json!([]), "any.example", true),
        (json!(["E.com"]), "e.com", true),
        (json!(["e.com"]), "www.e.com", false),
        (json!(["*.e.com"]), "www.e.com", true),
        (json!(["*.e.com"]), "a.b.e.com", true),
        (json!(["*.e.com"]), "e.com", false),
        (json!(["*.e.com"]), "evile.com", false),
        (json!(["*.e.com"]), ".e.com", false),
        (json!(["[::1]", "127.0.0.1"]), "[::1]", true),
    ] {
        assert_eq!(serves(hosts.clone(), host), expected, "{hosts} {host}");
    }
    let accepts = "write at most 100 hosts, such as [\"example.com\", \"*.example.com\"]";
    for (host, found) in [("e.com:80", "\"e.com:80\""), ("a b", "\"a b\""), ("", "\"\""), ("a/b", "\"a/b\"")] {
        assert_eq!(line(&with("hosts", json!([host]))), format!("ISR.hosts[0]: {found} is not a host; {accepts}"));
    }
}

#[test]
fn what_makes_variants_is_checked() {
    let said = |vary: Value| line(&route_with("vary", vary));
    let at = |rest: &str| format!("ISR.routes.\"/blog/[slug]\".vary{rest}");
    for (vary, expected) in [
        (
            json!({ "lang": ["en"] }),
            at(".lang: no setting has this name; write one of language, accept, device, country, cookie, header"),
        ),
        (json!({ "languages": ["en"] }), at(".languages: no setting has this name; did you mean `language`?")),
        (
            json!({ "language": ["e_n"] }),
            at(
                ".language[0]: \"e_n\" is not a language tag; write at most 32 language tags, such as [\"en\", \"de-AT\"]",
            ),
        ),
        (
            json!({ "device": ["phone"] }),
            at(
                ".device[0]: \"phone\" is not one of the accepted words; write a list of any of \"desktop\", \"mobile\" or \"tablet\"",
            ),
        ),
        (
            json!({ "country": ["de"] }),
            at(".country[0]: \"de\" is not two capital letters; write at most 32 countries, such as [\"DE\", \"AT\"]"),
        ),
        (
            json!({ "cookie": { "a b": ["x"] } }),
            at(
                ".cookie.\"a b\": a list belongs to a name that is not valid; write lists of values by name, such as { theme = [\"dark\", \"light\"] }",
            ),
        ),
        (
            json!({ "cookie": { "a": ["x;y"] } }),
            at(
                ".cookie.a: a list contains ';'; write lists of values by name, such as { theme = [\"dark\", \"light\"] }",
            ),
        ),
        (
            json!({ "header": { "Cookie": ["x"] } }),
            at(
                ".header.Cookie: a list belongs to a header that the connection, this cache or another setting uses; write lists of values by name, such as { X-Ab-Test = [\"a\", \"b\"] }",
            ),
        ),
        (
            json!({ "header": { "x": [] } }),
            at(".header.x: a list is empty; write lists of values by name, such as { X-Ab-Test = [\"a\", \"b\"] }"),
        ),
        (
            json!({ "cookie": { "a": ["1", "2", "3"], "b": ["1", "2", "3"], "c": ["1", "2", "3", "4"] } }),
            at(
                ": a table makes 80 variants of each page; write a table that makes at most 64 variants, such as { language = [\"en\", \"de\"] }",
            ),
        ),
    ] {
        assert_eq!(said(vary), expected);
    }
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
            &format!(
                "ISR.routes.\"/blog/:slug\".ttl: no setting has this name; write one of {}",
                known(SettingLevel::Route)
            ),
            "ISR.routes.\"/blog/:slug\".revalidate: 1.5 is not a whole number; write whole seconds from 1 to 31536000, \
             `false` (never ages) or 0 (never stored)",
            "ISR.routes.\"/blog/[id]\".tags[1]: \"a,b\" is not a tag (a tag may not hold a comma or a control \
             character, nor begin or end with white space: this one has ','); write at most 64 tags, such as [\"blog\", \"news\"]",
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
    let kind = ProblemKind::InvalidValue {
        found: "-1".to_owned(),
        error: ValueError::Below { min: 1 },
        accepts: "whole seconds from 1 to 3600".to_owned(),
    };
    assert_eq!((problem.setting(), problem.kind()), ("ISR.pass_ttl", &kind));
}

#[test]
fn values_at_the_top_level_are_checked() {
    let lifetime = "write whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored)";
    let name = "write 1 to 64 letters, digits, `.`, `_` or `-`";
    let origin = "write an origin without path, such as \"https://example.com\"";
    let url = "write a URL without query, such as \"https://site.example.com\", the name of a service binding, such as \
               \"SHOP_ORIGIN\", or \"self\"";
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
            json!(33_554_433),
            "33554433 is above 33554432; write a whole number from 1 to 33554432".to_owned(),
        ),
        ("expose_headers", json!("yes"), "\"yes\" is not true or false; write `true` or `false`".to_owned()),
        ("cache_name", json!(1), format!("1 is not text; {name}")),
        ("cache_name", json!(""), format!("\"\" is empty; {name}")),
        ("cache_name", json!("a/b"), format!("\"a/b\" contains '/'; {name}")),
        ("cache_name", json!("x".repeat(65)), format!("\"{}… is 65 bytes long; {name}", "x".repeat(59))),
        (
            "canonical_origin",
            json!("example.com"),
            format!("\"example.com\" does not begin with https:// or http://; {origin}"),
        ),
        ("canonical_origin", json!("https://a.b/c"), format!("\"https://a.b/c\" has a path; {origin}")),
        ("canonical_origin", json!("https://a.b?c"), format!("\"https://a.b?c\" has a query; {origin}")),
        (
            "canonical_origin",
            json!("https://u@a.b"),
            format!("\"https://u@a.b\" contains a user name or a password; {origin}"),
        ),
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
        ("origin", json!("MY SITE"), format!("\"MY SITE\" is neither a URL nor the name of a service binding; {url}")),
        ("feed", json!("stream"), "\"stream\" is not one of the accepted words; write \"push\" or \"poll\"".to_owned()),
        ("l2", json!("d1"), "\"d1\" is not one of the accepted words; write \"kv\" or \"r2\"".to_owned()),
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
    let names = "write at most 32 parameter names, such as [\"page\"], or \"all\" or \"none\"";
    let tags = "write at most 64 tags, such as [\"blog\", \"news\"]";
    let statuses = "write a list of at least one of 200, 203, 300, 301, 302, 303, 307, 308, 404, 410, 414, 451";
    for (setting, value, at, message) in [
        ("query", json!("page"), "query", format!("\"page\" is not a list; {names}")),
        ("query", json!(["?page"]), "query[0]", format!("\"?page\" contains '?'; {names}")),
        ("query", json!(["a", ""]), "query[1]", format!("\"\" is empty; {names}")),
        ("query", json!(vec!["a"; 33]), "query", format!("a list has 33 entries; {names}")),
        ("tags", json!("blog"), "tags", format!("\"blog\" is not a list; {tags}")),
        ("tags", json!(vec!["a"; 65]), "tags", format!("a list has 65 entries; {tags}")),
        ("statuses", json!([]), "statuses", format!("a list is empty; {statuses}")),
        ("statuses", json!(200), "statuses", format!("200 is not a list; {statuses}")),
        ("statuses", json!([200, "404"]), "statuses[1]", format!("\"404\" is not a whole number; {statuses}")),
        ("statuses", json!([503]), "statuses[0]", format!("503 is not a status that can be stored; {statuses}")),
        ("statuses", json!([65_736]), "statuses[0]", format!("65736 is not a status that can be stored; {statuses}")),
        ("statuses", json!(vec![200; 13]), "statuses", format!("a list has 13 entries; {statuses}")),
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
        let accepted = SETTINGS.iter().filter(|setting| setting.is_accepted_in(SettingLevel::TopLevel));
        let ProblemKind::UnknownSetting { closest: found, .. } =
            ProblemKind::unknown_setting(name, accepted.map(|setting| setting.name).collect())
        else {
            unreachable!()
        };
        assert_eq!(found, closest, "{name}");
    }
}

#[test]
fn odd_names_are_shown_as_toml_has_them() {
    assert_eq!(
        line(&with("a \"b\"\n", json!(1))),
        format!("ISR.\"a \\\"b\\\"\\n\": no setting has this name; write one of {}", known(SettingLevel::TopLevel)),
    );
}

/// A setting that is listed but not read, or read under another name, would let this value pass.
#[test]
fn every_listed_setting_is_read_where_it_may_stand() {
    for setting in SETTINGS {
        let message = |path: &str, value: Value| format!("{path}.{}: {} ", setting.name, show(&value));
        // No setting takes a number below 0.
        let wrong = || json!(-1);
        if setting.is_accepted_in(SettingLevel::TopLevel) {
            assert!(line(&with(setting.name, wrong())).starts_with(&message("ISR", wrong())), "{}", setting.name);
        }
        if setting.is_accepted_in(SettingLevel::Route) {
            let path = "ISR.routes.\"/blog/[slug]\"";
            assert!(line(&route_with(setting.name, wrong())).starts_with(&message(path, wrong())), "{}", setting.name);
        }
    }
}

#[test]
fn a_missing_binding_comes_with_the_lines_to_add() {
    let text = |binding: Binding| ConfigError::missing_binding(binding, binding.default_name()).to_string();
    let objects = "    # once, for both classes, which the Worker's main module exports\n    [[migrations]]\n    tag = \"v1\"\n    \
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
            Binding::Bucket,
            "ISR_BUCKET: this R2 binding is missing; add to wrangler.toml:\n    [[r2_buckets]]\n    \
             binding = \"ISR_BUCKET\"\n    bucket_name = \"<made by: wrangler r2 bucket create isr-pages>\""
                .to_owned(),
        ),
        (
            Binding::Origin,
            "ORIGIN: this service binding is missing; add to wrangler.toml:\n    [[services]]\n    \
             binding = \"ORIGIN\"\n    service = \"<name of the Worker that renders the site>\"\n\n    \
             # or, for a site that is not a Worker\n    [vars.ISR]\n    origin = \"https://site.example.com\" # or \"self\": this Worker, by a handler of its own"
                .to_owned(),
        ),
    ] {
        assert_eq!(text(binding), expected);
    }
    let both =
        ConfigError::missing_binding(Binding::Cache, "K").and(ConfigError::missing_binding(Binding::Origin, "S"));
    assert_eq!(both.problems().iter().map(Problem::setting).collect::<Vec<_>>(), ["K", "S"]);
}
