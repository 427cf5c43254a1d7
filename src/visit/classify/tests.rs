use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;

/// Headers by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
struct Sent(BTreeMap<String, String>);

impl Visitor for Sent {
    fn header(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn country(&self) -> Option<String> {
        None
    }
}

fn sent(headers: &[(&str, &str)]) -> Sent {
    Sent(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn config() -> Config {
    let routes = json!({
        "/": {},
        "/blog/[slug]": { "query": ["page"] },
        "/docs/*": { "trailing_slash": "redirect" },
        "/keep/*": { "trailing_slash": "keep", "query": "all" },
        "/live": { "revalidate": 0 },
        "/any/*": {},
        "/standard/*": { "http": "standard" },
        "/shop/*": { "vary": { "cookie": { "currency": ["EUR", "USD"] } } },
    });
    Config::from_json(&json!({ "hosts": ["e.com", "*.e.com"], "routes": routes })).unwrap()
}

/// Classifies a request, and writes the class in short form.
fn class(method: &str, url: &str, headers: &[(&str, &str)], is_render: bool) -> String {
    let (config, token) = (config(), Secret::new("draft"));
    let rules = Rules { config: &config, bypass_token: Some(&token) };
    let headers = sent(headers);
    match classify(&rules, &RequestParts { method, url, headers: &headers, is_render }) {
        Class::NotForCache => "not for the cache".to_owned(),
        Class::Admin(path) => format!("admin {}", path.as_str()),
        Class::Pass(pass) => format!("{pass:?}"),
        Class::Purge => "purge".to_owned(),
        Class::Redirect { location, .. } => format!("redirect {location}"),
        Class::Page(page) => format!("page {} {}", page.route.id().as_str(), page.key),
    }
}

#[test]
fn a_request_is_classified_by_url_then_method_then_headers() {
    for (method, url, headers, expected) in [
        ("GET", "https://e.com/", &[][..], "page / https://e.com/"),
        ("HEAD", "https://e.com/", &[], "page / https://e.com/"),
        ("GET", "https://www.e.com/blog/a?b=c&page=2", &[], "page /blog/[slug] https://www.e.com/blog/a?page=2"),
        (
            "GET",
            "https://e.com/shop/a",
            &[("cookie", "currency=EUR")],
            "page /shop/* https://e.com/shop/a#cookie.currency=EUR",
        ),
        ("GET", "https://e.com/keep/a/", &[], "page /keep/* https://e.com/keep/a/"),
        // Not for the cache: the URL or the method is not a page's.
        ("GET", "https://e.com/other", &[], "not for the cache"),
        ("GET", "ftp://e.com/", &[], "not for the cache"),
        ("GET", "https://e.com/%", &[], "not for the cache"),
        ("POST", "https://e.com/", &[("x-isr-bypass", "draft")], "not for the cache"),
        ("GET", "https://e.com/", &[("upgrade", "websocket")], "not for the cache"),
        ("GET", "https://e.com/", &[("content-length", "2")], "not for the cache"),
        ("HEAD", "https://e.com/", &[("content-length", "10")], "not for the cache"),
        ("GET", "https://e.com/", &[("transfer-encoding", "chunked")], "not for the cache"),
        ("GET", "https://e.com/", &[("content-length", "0")], "page / https://e.com/"),
        ("PURGE", "https://e.com/", &[], "purge"),
        ("PURGE", "https://e.com/other", &[], "not for the cache"),
        // The admin API takes any method, on any host.
        ("POST", "https://e.com/__isr/revalidate", &[], "admin /__isr/revalidate"),
        ("GET", "https://other.com/__isr", &[("x-isr-bypass", "draft")], "admin /__isr"),
        ("GET", "https://e.com/__israel", &[], "not for the cache"),
        // A draft token takes precedence over the URL's class.
        ("GET", "https://e.com/", &[("x-isr-bypass", "draft")], "Draft"),
        ("GET", "https://e.com/", &[("cookie", "a=b; __isr_bypass=draft")], "Draft"),
        ("GET", "https://e.com/live", &[("x-isr-bypass", "draft")], "Draft"),
        ("GET", "https://other.com/docs/a/", &[("x-isr-bypass", "draft")], "Draft"),
        (
            "GET",
            "https://e.com/",
            &[("x-isr-bypass", "wrong"), ("cookie", "__isr_bypass=draft")],
            "page / https://e.com/",
        ),
        ("GET", "https://e.com/", &[("cookie", "a__isr_bypass=draft")], "page / https://e.com/"),
        ("GET", "https://e.com/live", &[], "NeverStored"),
        ("GET", "https://other.com/live", &[], "NeverStored"),
        ("GET", "https://other.com/docs/a/", &[], "NoKey(Host)"),
        ("GET", "https://e.com/docs/a/?gclid=b", &[], "redirect /docs/a?gclid=b"),
        ("GET", "https://e.com/docs/a/?b", &[], "NoKey(Query)"),
        ("GET", "https://e.com/any/a?utm_source=b", &[], "page /any/* https://e.com/any/a"),
        ("GET", "https://e.com/any/a?s=b", &[], "NoKey(Query)"),
        ("GET", "https://e.com/keep/a?b=%ff", &[], "NoKey(UriEncoding)"),
    ] {
        assert_eq!(class(method, url, headers, false), expected, "{method} {url} {headers:?}");
    }
    let long = format!("https://e.com/keep/a?b={}", "c".repeat(5000));
    assert_eq!(class("GET", &long, &[], false), "NoKey(UriTooLong)");
    assert_eq!(class("GET", "https://e.com/", &[], true), "not for the cache");
    assert_eq!(class("GET", "https://e.com/__isr", &[], true), "admin /__isr");
}

#[test]
fn a_page_request_has_the_conditions_of_its_headers() {
    let (config, headers) = (config(), sent(&[("range", "bytes=0-1"), ("if-range", "\"a\""), ("authorization", "x")]));
    let rules = Rules { config: &config, bypass_token: None };
    let parts = RequestParts { method: "HEAD", url: "https://e.com/", headers: &headers, is_render: false };
    let Class::Page(page) = classify(&rules, &parts) else { panic!("it is a page") };
    let (range, if_range) = (Some("bytes=0-1".to_owned()), Some("\"a\"".to_owned()));
    assert_eq!(page.conditions, Conditions { range, if_range, ..Conditions::default() });
    assert!(page.authorized && !page.with_body);
}

#[test]
fn a_loop_is_recognized_by_the_identity_of_the_deployment() {
    let (own, other) = (DeploymentId::of_tag_index("own"), DeploymentId::of_tag_index("other"));
    let (member, others) = (loop_member(own), loop_member(other));
    for (value, expected) in [
        (member.clone(), true),
        (format!("other, {member}"), true),
        (format!("{others}, cloudflare; loops=1,{member}"), true),
        (format!("cloudflare-isr;v=1;id=\"{own}\""), true),
        (others, false),
        ("cloudflare-isr".to_owned(), false),
        (format!("my-{member}"), false),
        (format!("other; id={own}"), false),
        (format!("cloudflare-isr; id={own}0"), false),
        ("cloudflare".to_owned(), false),
    ] {
        assert_eq!(is_loop(&sent(&[("cdn-loop", &value)]), own), expected, "{value}");
        assert!(!expected || value.contains(LOOP_NAME), "such a request takes the long path");
    }
    assert!(!is_loop(&sent(&[]), own));
}

#[test]
fn a_url_is_enough_for_pages_without_variants_only() {
    let config = config();
    for (url, key) in [
        ("https://e.com/blog/a/?page=2&x=y", Some("https://e.com/blog/a/?page=2")),
        ("https://e.com/any/a?s=b", None),
        ("https://e.com/docs/a", Some("https://e.com/docs/a")),
        ("https://e.com/docs/a/", None),
        ("https://e.com/shop/a", None),
        ("https://e.com/live", None),
        ("https://other.com/", None),
        ("https://e.com/__isr/inspect", None),
        ("https://e.com/keep/a?b=%ff", None),
        ("https://e.com/other", None),
    ] {
        let page = short_path_page(&config, url);
        let of_url = if let Some(ShortPathPage::Key(key)) = &page { Some(key.as_str()) } else { None };
        assert_eq!(of_url, key, "{url}");
    }
}

#[test]
fn a_page_with_variants_states_what_selects_one() {
    let vary = json!({
        "language": ["en", "de"], "country": ["DE"], "cookie": { "theme": ["dark"], "size": ["s"] },
        "header": { "X-Ab": ["a"] },
    });
    let config = Config::from_json(&json!({ "routes": { "/shop/*": { "vary": vary }, "/*": {} } })).unwrap();
    let Some(ShortPathPage::Varies(sources)) = short_path_page(&config, "https://e.com/shop/a") else { panic!() };
    let expected = json!({
        "headers": [
            { "name": "accept-language", "containing": [] },
            { "name": "cookie", "containing": ["size", "theme"] },
            { "name": "x-ab", "containing": [] },
        ],
        "country": true,
    });
    assert_eq!(serde_json::to_value(sources).unwrap(), expected, "what `signatureOf` reads");
    let key = |headers: &[(&str, &str)]| short_path_variant(&config, "https://e.com/shop/a", &sent(headers)).unwrap();
    assert_eq!(key(&[]).as_str(), "https://e.com/shop/a#language=en");
    let both = key(&[("accept-language", "de"), ("cookie", "a=b; theme=dark")]);
    assert_eq!(both.as_str(), "https://e.com/shop/a#language=de&cookie.theme=dark");
    let device =
        json!({ "routes": { "/*": { "vary": { "device": ["desktop", "mobile"], "accept": ["text/html"] } } } });
    let device = Config::from_json(&device).unwrap();
    let Some(ShortPathPage::Varies(sources)) = short_path_page(&device, "https://e.com/") else { panic!() };
    let names: Vec<&str> = sources.headers.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["accept", "cf-device-type", "sec-ch-ua-mobile", "user-agent"]);
    assert!(!sources.country);
}

/// Evaluates [`SHORT_PATH`] like `isPlain` in `src/edge/entry/plain.ts`. Both are tested with
/// `tests/vectors/short-path.json`.
fn takes_short_path(method: &str, headers: &Sent) -> bool {
    let excludes = |excluded: &ExcludedHeader| {
        let Some(value) = headers.header(excluded.name) else { return false };
        excluded.containing.is_none_or(|text| value.contains(text))
            && excluded.unless.is_none_or(|name| headers.header(name).is_none())
    };
    method == SHORT_PATH.method && !SHORT_PATH.excluded.iter().any(excludes)
}

#[test]
fn only_the_standard_rules_know_what_a_request_demands() {
    for (section, header, expected) in [
        ("§3.5", ("authorization", "Basic a"), "Demand(Authorization)"),
        ("§5.2.1.1", ("cache-control", "max-age=0"), "Demand(RequestDirective)"),
        ("§5.2.1.4", ("cache-control", "no-cache"), "Demand(RequestDirective)"),
        ("§5.2.1.5", ("cache-control", "no-store"), "Demand(RequestDirective)"),
        ("§5.2.1.1, depends on the page", ("cache-control", "max-age=9"), "page /standard/* https://e.com/standard/a"),
        (
            "§5.2.1.7, depends on the page",
            ("cache-control", "only-if-cached"),
            "page /standard/* https://e.com/standard/a",
        ),
        ("§5.4", ("pragma", "no-cache"), "page /standard/* https://e.com/standard/a"),
    ] {
        assert_eq!(class("GET", "https://e.com/standard/a", &[header], false), expected, "RFC 9111 {section}");
        assert_eq!(class("GET", "https://e.com/any/a", &[header], false), "page /any/* https://e.com/any/a");
    }
}

#[test]
fn requests_of_the_shared_list_take_the_short_path_or_not() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vectors {
        #[serde(rename = "shortPath")]
        short_path: serde_json::Value,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        method: String,
        headers: Sent,
        plain: bool,
    }

    let vectors: Vectors = serde_json::from_str(include_str!("../../../tests/vectors/short-path.json")).unwrap();
    assert_eq!(serde_json::to_value(SHORT_PATH).unwrap(), vectors.short_path);
    for Case { method, headers, plain } in &vectors.cases {
        assert_eq!(takes_short_path(method, headers), *plain, "{method} {headers:?}");
    }
}

/// A header that classification may read, with a value that may matter.
fn header() -> impl Strategy<Value = (String, String)> {
    const NAMES: [&str; 15] = [
        "accept",
        "authorization",
        "cache-control",
        "cdn-loop",
        "content-length",
        "cookie",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "range",
        "transfer-encoding",
        "upgrade",
        "x-isr-bypass",
        "x-isr-render",
    ];
    const VALUES: [&str; 13] = [
        "",
        "no-cache",
        "0",
        "draft",
        "__isr_bypass=draft",
        "a=b; __isr_bypass=draft",
        "currency=EUR",
        "cloudflare-isr",
        "other",
        "bytes=0-1",
        "\"a\"",
        "websocket",
        "t=1,v1=00",
    ];
    let (names, values) = (proptest::sample::select(&NAMES[..]), proptest::sample::select(&VALUES[..]));
    (names, values).prop_map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn url() -> impl Strategy<Value = String> {
    let hosts = proptest::sample::select(&["e.com", "www.e.com", "other.com"][..]);
    let paths = proptest::sample::select(
        &[
            "/",
            "/blog/a",
            "/blog/%61/",
            "/docs/a",
            "/docs/a/",
            "/keep/a/",
            "/live",
            "/shop/a",
            "/standard/a",
            "/__isr/inspect",
            "/x",
        ][..],
    );
    let queries = proptest::sample::select(&["", "?page=2", "?b=%ff", "?a=b&page=1"][..]);
    (hosts, paths, queries).prop_map(|(host, path, query)| format!("https://{host}{path}{query}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn the_short_path_takes_plain_pages_only(
        method in proptest::sample::select(&["GET", "GET", "GET", "HEAD", "POST"][..]),
        url in url(),
        headers in proptest::collection::vec(header(), 0..4),
    ) {
        let (config, token, headers) = (config(), Secret::new("draft"), Sent(headers.into_iter().collect()));
        let Some(page) = short_path_page(&config, &url).filter(|_| takes_short_path(method, &headers)) else {
            return Ok(());
        };
        let key = match page {
            ShortPathPage::Key(key) => key,
            ShortPathPage::Varies(sources) => {
                // What the entry module takes into account is all that selects the variant.
                let is_source = |(name, value): &(&String, &String)| {
                    let source = sources.headers.iter().find(|source| source.name == **name);
                    let contains = |text: &String| value.contains(text.as_str());
                    source.is_some_and(|s| s.containing.is_empty() || s.containing.iter().any(contains))
                };
                let selecting = Sent(headers.0.iter().filter(is_source).map(|(name, value)| (name.clone(), value.clone())).collect());
                let key = short_path_variant(&config, &url, &headers).unwrap();
                prop_assert_eq!(&key, &short_path_variant(&config, &url, &selecting).unwrap());
                key
            }
        };
        // Recognised by its signature: a request with `props` never takes the short path.
        let is_render = headers.header(RENDER_HEADER).is_some();
        let parts = RequestParts { method, url: &url, headers: &headers, is_render };
        let class = classify(&Rules { config: &config, bypass_token: Some(&token) }, &parts);
        if config.routes.find(key.path()).is_some_and(|route| route.http() == HttpRules::Standard)
            && SHORT_PATH.excluded_by_standard.iter().any(|name| headers.header(name).is_some())
        {
            return Ok(());
        }
        let Class::Page(page) = class else { panic!("{class:?}") };
        prop_assert_eq!(page.demands, RequestDirectives::default());
        prop_assert_eq!(page.key, key);
        prop_assert!(page.with_body && page.conditions.range.is_none());
        prop_assert!(page.conditions.if_none_match.is_some() || page.conditions.if_modified_since.is_none());
        prop_assert!(!is_loop(&headers, DeploymentId::of_tag_index("a")));
    }
}

#[test]
fn a_cookie_of_the_route_passes_and_wins_on_the_short_path() {
    let routes = json!({ "/*": {}, "/own/*": { "bypass_cookies": ["member"] }, "/none/*": { "bypass_cookies": [] }, "/all/*": { "bypass_cookies": ["*"] } });
    let config = json!({ "bypass_cookies": ["wordpress_logged_in_*", "sessionid"], "routes": routes });
    let config = Config::from_json(&config).unwrap();
    for (path, cookie, passes) in [
        ("/a", "sessionid=1", true),
        ("/a", "x=1; wordpress_logged_in_ab=1", true),
        ("/a", "member=1; xsessionid=1", false),
        ("/own/a", "member=1", true),
        ("/own/a", "sessionid=1", false),
        ("/none/a", "sessionid=1", false),
        ("/all/a", "any=1", true),
        ("/all/a", "__Host-isr-session=1.x", false),
        ("/all/a", "__Host-isr-session=1.x; any=1", true),
    ] {
        let headers = sent(&[("cookie", cookie)]);
        let url = format!("https://e.com{path}");
        let parts = RequestParts { method: "GET", url: &url, headers: &headers, is_render: false };
        let class = classify(&Rules { config: &config, bypass_token: None }, &parts);
        assert_eq!(matches!(class, Class::Pass(Pass::Cookie)), passes, "{path} {cookie}");
        let route = config.routes.find(path).unwrap();
        let exclusions = exclusions(route, &Nominated::default());
        let excludes = |text: &String| cookie.contains(text.as_str());
        assert!(!passes || exclusions.iter().any(|exclusion| exclusion.containing.iter().any(excludes)), "{path}");
    }
    let nominated = Nominated::read("RSC, Origin", |_| false, |_| false).unwrap();
    let json = serde_json::to_value(exclusions(config.routes.find("/own/a").unwrap(), &nominated)).unwrap();
    let expected = json!([
        { "name": "cookie", "containing": ["member"] },
        { "name": "origin", "containing": [] },
        { "name": "rsc", "containing": [] },
    ]);
    assert_eq!(json, expected, "what `isExcluded` reads");
    assert_eq!(exclusions(config.routes.find("/none/a").unwrap(), &Nominated::default()), []);
}
