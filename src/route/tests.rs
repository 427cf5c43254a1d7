use std::collections::BTreeSet;

use proptest::prelude::*;

use super::pattern::Breadth;
use super::*;
use crate::semantics::key::CanonicalPath;

fn settings() -> RouteSettings {
    RouteSettings {
        revalidate: Revalidate::Never,
        not_found_revalidate: Revalidate::Never,
        expire: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        statuses: Statuses::default(),
        browser_max_age: Duration::ZERO,
        tags: Vec::new(),
        shards: 1,
        max_pages: 1000,
        query: QueryPolicy::default(),
        trailing_slash: TrailingSlash::default(),
        set_cookie: SetCookie::default(),
        bypass_cookies: BypassCookies::default(),
        http: HttpRules::default(),
        vary: Vary::default(),
        origin: None,
        render_headers: RenderHeaders::new(),
    }
}

fn routes(patterns: &[&str]) -> Result<Routes, Vec<RoutesError>> {
    Routes::new(patterns.iter().map(|text| Route::new(Pattern::parse(text).unwrap(), settings())).collect())
}

fn found<'a>(routes: &'a Routes, path: &str) -> Option<&'a str> {
    routes.find(path).map(|route| route.id().as_str())
}

#[test]
fn patterns_are_parsed() {
    for (text, shape, without_rest) in [
        ("/", "/", None),
        ("/about", "/about", None),
        ("/blog/:slug", "/blog/{p}", None),
        ("/blog/[slug]/[post-id]", "/blog/{p}/{p}", None),
        ("/docs/[...rest]", "/docs/{*rest}", None),
        ("/docs/[[...rest]]", "/docs/{*rest}", Some("/docs")),
        ("/docs/*", "/docs/{*rest}", Some("/docs")),
        ("/*", "/{*rest}", Some("/")),
        ("/feed.xml", "/feed.xml", None),
        ("/über uns/a|b", "/%C3%BCber%20uns/a%7Cb", None),
        ("/%7euser/%c3%bc/%41%2f", "/~user/%C3%BC/A%2F", None),
        ("/a+b/@me/x,y;z=1%21!", "/a+b/@me/x,y;z=1%21!", None),
        ("/%5Bid%5D/%7Bp%7D", "/%5Bid%5D/%7Bp%7D", None),
    ] {
        let pattern = Pattern::parse(text).unwrap();
        assert_eq!(
            (pattern.as_str(), pattern.shape().as_str(), pattern.shape_without_rest().as_deref()),
            (text, shape, without_rest),
        );
    }
}

#[test]
fn malformed_patterns_are_refused_with_the_remedy() {
    let too_long = format!("/{}", "a".repeat(MAX_PATTERN_BYTES));
    let too_deep = "/a".repeat(MAX_PATTERN_SEGMENTS + 1);
    for (text, message) in [
        ("", "a pattern is a path from the root; write it without host, starting with `/`"),
        ("about", "a pattern is a path from the root; write it without host, starting with `/`"),
        ("https://a.b/c", "a pattern is a path from the root; write it without host, starting with `/`"),
        (&*too_long, "the pattern is 257 bytes long; write at most 256, with `*` for the end of the path"),
        (&*too_deep, "the pattern has 17 segments; write at most 16, with `*` for the end of the path"),
        ("//a//b/", "the pattern has an empty segment, which no canonical path has; write `/a/b`"),
        ("/about/", "the pattern has an empty segment, which no canonical path has; write `/about`"),
        (
            "/*/edit",
            "`*` is not the last segment; write `[name]` for one segment in the middle, or end the pattern here",
        ),
        (
            "/[...a]/b",
            "`[...a]` is not the last segment; write `[name]` for one segment in the middle, or end the pattern here",
        ),
        ("/img-*", "`img-*` mixes `*` with text; write `*` as a last segment of its own, or `[name]` for one segment"),
        ("/a/**", "`**` mixes `*` with text; write `*` as a last segment of its own, or `[name]` for one segment"),
        ("/[slug", "`[slug` has misplaced brackets; write `[name]`, `[...name]` or `[[...name]]` as a whole segment"),
        (
            "/[id].html",
            "`[id].html` has misplaced brackets; write `[name]`, `[...name]` or `[[...name]]` as a whole segment",
        ),
        (
            "/[[slug]]",
            "`[[slug]]` has misplaced brackets; write `[name]`, `[...name]` or `[[...name]]` as a whole segment",
        ),
        ("/{slug}", "`{slug}` has braces; write `[name]` for one segment or `[...name]` for the rest of the path"),
        ("/post-:id", "`post-:id` has a `:` inside; a parameter is a whole segment: write `:name` or `[name]`"),
        (
            "/:",
            "`` is not a parameter name; write a letter or `_`, then letters, digits, `_` or `-`, at most 32 in all \
             (a catch-all is `[...name]` or `*`)",
        ),
        (
            "/:rest*",
            "`rest*` is not a parameter name; write a letter or `_`, then letters, digits, `_` or `-`, at most 32 in \
             all (a catch-all is `[...name]` or `*`)",
        ),
        (
            "/[..rest]",
            "`..rest` is not a parameter name; write a letter or `_`, then letters, digits, `_` or `-`, at most 32 in \
             all (a catch-all is `[...name]` or `*`)",
        ),
        ("/:id/[id]", "the parameter `id` occurs twice; write another name for one of them"),
        ("/search?q=1", "`?` does not occur in a path; write the path alone (the setting `query` lists parameters)"),
        ("/a#b", "`#` does not occur in a path; write the path alone (the setting `query` lists parameters)"),
        ("/a\\b", "'\\\\' is not allowed in a path; write `/` between segments and visible characters in them"),
        ("/a\nb", "'\\n' is not allowed in a path; write `/` between segments and visible characters in them"),
        ("//a\nb", "'\\n' is not allowed in a path; write `/` between segments and visible characters in them"),
        ("/[a\nb]", "'\\n' is not allowed in a path; write `/` between segments and visible characters in them"),
        ("/100%", "`100%` has a `%` without two hexadecimal digits, or `%00`; write `%25` for a percent sign"),
        ("/%+1", "`%+1` has a `%` without two hexadecimal digits, or `%00`; write `%25` for a percent sign"),
        ("/a/%2e./b", "`%2e.` is resolved before a path is matched; write the path that it leads to"),
    ] {
        assert_eq!(Pattern::parse(text).map_err(|error| error.to_string()), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn the_most_specific_pattern_wins() {
    let routes =
        routes(&["/*", "/docs/*", "/docs", "/docs/[page]", "/docs/api/*", "/[a]/[b]/edit", "/docs/x/y"]).unwrap();
    for (path, id) in [
        ("/", "/*"),
        ("/other", "/*"),
        ("/docs", "/docs"),
        ("/docs/", "/docs"),
        ("/docs/intro", "/docs/[page]"),
        ("/docs/api", "/docs/api/*"),
        ("/docs/api/v1/get", "/docs/api/*"),
        ("/docs/a/b", "/docs/*"),
        // From the left: `/docs` is a literal here and a parameter there.
        ("/docs/a/edit", "/docs/*"),
        ("/blog/a/edit", "/[a]/[b]/edit"),
        // The literal branch `/docs/x` leads nowhere.
        ("/docs/x/z", "/docs/*"),
        ("/docs/x", "/docs/[page]"),
    ] {
        assert_eq!(found(&routes, path), Some(id), "{path}");
    }
}

#[test]
fn catch_alls_match_what_they_say() {
    for (pattern, path, matches) in [
        ("/docs/*", "/docs", true),
        ("/docs/*", "/docs/", true),
        ("/docs/*", "/docs/a/b", true),
        ("/docs/*", "/docsx", false),
        ("/docs/[[...rest]]", "/docs", true),
        ("/docs/[...rest]", "/docs", false),
        ("/docs/[...rest]", "/docs/", false),
        ("/docs/[...rest]", "/docs/a/b", true),
        ("/[...rest]", "/", false),
        ("/*", "/", true),
        ("/", "/", true),
        ("/", "/a", false),
        ("/:id", "/", false),
        ("/:id", "/a/b", false),
        ("/über", "/%C3%BCber", true),
    ] {
        let routes = routes(&[pattern]).unwrap();
        assert_eq!(routes.find(path).is_some(), matches, "{pattern} {path}");
    }
}

#[test]
fn patterns_of_one_shape_are_in_conflict() {
    for (patterns, message) in [
        (["/blog/[id]", "/blog/:slug"], "`/blog/[id]` matches the same paths as `/blog/:slug`; keep one of the two"),
        (
            ["/docs/*", "/docs/[[...rest]]"],
            "`/docs/[[...rest]]` matches the same paths as `/docs/*`; keep one of the two",
        ),
        (["/docs/[...a]", "/docs/*"], "`/docs/[...a]` matches the same paths as `/docs/*`; keep one of the two"),
        (["/%41", "/A"], "`/A` matches the same paths as `/%41`; keep one of the two"),
        (["/a", "/a"], "`/a` matches the same paths as `/a`; keep one of the two"),
    ] {
        let errors = routes(&patterns).unwrap_err();
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [message]);
    }
}

#[test]
fn routes_are_found_by_id() {
    let routes = routes(&["/*", "/blog/[slug]"]).unwrap();
    assert_eq!(routes.by_id("/blog/[slug]").map(|route| route.id().to_string()), Some("/blog/[slug]".to_owned()));
    assert_eq!(routes.by_id("/blog/:slug"), None);
    assert_eq!(routes.iter().map(|route| route.id().as_str()).collect::<Vec<_>>(), ["/blog/[slug]", "/*"]);
    assert_eq!((routes.len(), routes.is_empty(), Routes::default().is_empty()), (2, false, true));
}

/// The rule itself, over the patterns' texts: what every segment matches, and which list of breadths is least.
fn by_the_rule<'a>(patterns: &'a [String], path: &str) -> Option<&'a str> {
    let split = |text: &str| text.split('/').skip(1).filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let matches = |pattern: &[String], path: &[String]| {
        let rest = pattern.iter().position(|s| s == "*" || s.contains("..."));
        let fixed = rest.unwrap_or(pattern.len());
        let least = fixed + usize::from(rest.is_some_and(|at| pattern[at].starts_with("[...")));
        let length = if rest.is_some() { path.len() >= least } else { path.len() == fixed };
        length && (0..fixed).all(|at| pattern[at].starts_with([':', '[']) || pattern[at] == path[at])
    };
    let breadth = |segment: &String| match segment.as_str() {
        rest if rest == "*" || rest.contains("...") => Breadth::Rest,
        param if param.starts_with([':', '[']) => Breadth::Param,
        _ => Breadth::Literal,
    };
    let path = split(path);
    let candidates = patterns.iter().filter(|pattern| matches(&split(pattern), &path));
    candidates.min_by_key(|pattern| split(pattern).iter().map(breadth).collect::<Vec<_>>()).map(String::as_str)
}

fn pattern_texts() -> impl Strategy<Value = Vec<String>> {
    let literal = prop::sample::select(vec!["a", "b", "ab", "aa", "abc"]).prop_map(str::to_owned);
    let segment = prop_oneof![3 => literal, 1 => Just(":p".to_owned()), 1 => Just("[p]".to_owned())];
    let rest = prop::sample::select(vec!["*", "[...rest]", "[[...rest]]"]).prop_map(str::to_owned);
    let pattern = (prop::collection::vec(segment, 0..6), prop::option::of(rest)).prop_map(|(mut segments, rest)| {
        // Parameters need names of their own.
        for (at, segment) in segments.iter_mut().enumerate() {
            *segment = segment.replace('p', &format!("p{at}"));
        }
        segments.extend(rest);
        format!("/{}", segments.join("/"))
    });
    prop::collection::vec(pattern, 1..16)
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "aa", "abc", "z"]);
    let path = prop::collection::vec(segment, 0..8).prop_map(|segments| format!("/{}", segments.join("/")));
    prop::collection::vec(path, 32)
}

/// Renders what two patterns in conflict have in common.
fn shape(text: &str) -> String {
    Pattern::parse(text).unwrap().shape()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the patterns and their order, a path is found if the rule finds it, and the same one.
    #[test]
    fn the_router_follows_the_rule(texts in pattern_texts(), paths in paths()) {
        let mut shapes = BTreeSet::new();
        let texts: Vec<String> = texts.into_iter().filter(|text| shapes.insert(shape(text))).collect();
        let routes = routes(&texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        for path in paths {
            prop_assert_eq!(found(&routes, &path), by_the_rule(&texts, &path), "{}", path);
        }
    }

    /// A pattern alone matches what a router with nothing else in it finds.
    #[test]
    fn a_pattern_matches_what_a_router_of_it_alone_finds(texts in pattern_texts(), paths in paths()) {
        let alone = routes(&[&texts[0]]).unwrap();
        for path in paths {
            prop_assert_eq!(Pattern::parse(&texts[0]).unwrap().matches(&path), found(&alone, &path).is_some());
        }
    }

    /// Routes go together exactly if no two have one shape: the router itself refuses nothing.
    #[test]
    fn only_equal_shapes_are_in_conflict(texts in pattern_texts()) {
        let shapes: BTreeSet<_> = texts.iter().map(|text| shape(text)).collect();
        let errors = routes(&texts.iter().map(String::as_str).collect::<Vec<_>>()).err().unwrap_or_default();
        prop_assert_eq!(errors.len(), texts.len() - shapes.len());
        for error in errors {
            prop_assert!(matches!(error, RoutesError::Conflict { .. }), "{}", error);
        }
    }

    /// No text makes the parser or the router panic, and a pattern that is parsed can be routed.
    #[test]
    fn every_text_is_refused_or_routed(text in r"/?([a:*.%2e\[\]{}!~ü /?#\\]|\[\.\.\.|\PC){0,24}") {
        if Pattern::parse(&text).is_ok() {
            let routes = routes(&[&text]).unwrap();
            prop_assert_eq!(routes.len(), 1);
        }
    }

    /// A literal pattern finds the path that is written like it, however the two are escaped.
    #[test]
    fn literals_match_the_paths_that_are_written_like_them(text in r"/(%[0-9a-fA-F]{2}|[a-z~ü |^+!,;=@&$'()<>.%]){1,12}") {
        if let (Ok(pattern), Ok(path)) = (Pattern::parse(&text), CanonicalPath::parse(&text)) {
            let routes = Routes::new(vec![Route::new(pattern, settings())]).unwrap();
            prop_assert_eq!(found(&routes, path.as_str()), Some(&*text));
        }
    }
}
