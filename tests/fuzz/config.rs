//! The site owner's input: patterns and settings.

use bolero::{TypeGenerator, check, produce};
use cloudflare_isr::internals::config::{Config, ConfigError, MAX_QUERY_NAMES, MAX_ROUTES, SETTINGS, ValueKind};
use cloudflare_isr::internals::route::{MAX_PATTERN_BYTES, MAX_PATTERN_SEGMENTS, Pattern};
use cloudflare_isr::internals::semantics::freshness::Revalidate;
use cloudflare_isr::internals::semantics::key::{CanonicalPath, QueryPolicy};
use cloudflare_isr::internals::semantics::tag::MAX_TAGS_PER_ROUTE;
use cloudflare_isr::internals::shard_name::ShardName;
use serde_json::{Map, Value, json};

use crate::TIME;
use crate::input::{Bytes, Text};
use crate::names::{check_path, check_shard};

const PATTERN: &[&str] = &[
    "/", "a", "b", ":p", ":q", "[p]", "[q]", "[...r]", "[[...r]]", "*", "%41", "%2e", "%", "ü", ".", "..", "{p}", "#",
    "?", "\\", " ",
];

const PATH: &[&str] = &["/", "a", "b", "A", "%C3%BC", "x", "/a/b", "."];

/// Returns a configuration with one route.
fn configuration(pattern: &str, shards: u16) -> Result<Config, ConfigError> {
    Config::from_json(&json!({ "routes": { pattern: { "shards": shards } } }))
}

/// The rule according to the pattern's text: does it match this canonical path?
fn matches(pattern: &str, path: &str) -> bool {
    let split = |text: &str| text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (pattern, path) = (split(pattern), split(path));
    let (fixed, least) = match pattern.split_last() {
        Some((rest, before)) if rest == "*" || rest.starts_with("[[...") => (before.len(), Some(before.len())),
        Some((rest, before)) if rest.starts_with("[...") => (before.len(), Some(before.len() + 1)),
        _ => (pattern.len(), None),
    };
    let literal = |text: &str| CanonicalPath::parse(&format!("/{text}")).map(|path| path.as_str()[1..].to_owned());
    least.map_or(path.len() == fixed, |least| path.len() >= least)
        && pattern
            .iter()
            .zip(&path)
            .take(fixed)
            .all(|(pattern, path)| pattern.starts_with([':', '[']) || literal(pattern).as_ref() == Ok(path))
}

/// A parsed pattern can be routed, matches according to the rule, and names objects that can be stored.
#[test]
fn a_pattern() {
    check!().with_test_time(TIME).with_type::<(Text, Text, u8)>().for_each(|(pattern, path, shards)| {
        let written = format!("/{}", pattern.of(PATTERN));
        let Ok(pattern) = Pattern::parse(&written) else { return };
        assert_eq!(pattern.as_str(), written);
        assert!(written.len() <= MAX_PATTERN_BYTES && written.split('/').count() <= MAX_PATTERN_SEGMENTS + 1);
        let routes = configuration(&written, u16::from(*shards) + 1).expect("one route is not in conflict").routes;
        let route = routes.by_id(&written).expect("it is named by its pattern");
        assert_eq!(route.pattern(), &pattern);
        // Any path, and one that resembles the pattern.
        let like = written.replace([':', '[', ']', '*'], "").replace("...", "");
        for path in [path.of(PATH), like] {
            let Ok(path) = CanonicalPath::parse(&format!("/{path}")) else { continue };
            check_path(&path);
            assert_eq!(routes.find(path.as_str()).is_some(), matches(&written, path.as_str()), "{written} {path:?}");
            let shard = ShardName::of(route, path.as_str());
            check_shard(&shard);
            assert!(shard.as_str().starts_with(&format!("{written}#")));
        }
    });
}

/// A setting's value: mostly of a type that some setting accepts.
#[derive(Clone, Debug, TypeGenerator)]
enum Json {
    Null,
    Bool(bool),
    Small(u16),
    Whole(i64),
    Float(f64),
    Text(Text),
    List(#[generator(produce::<Vec<Text>>().with().len(0..=4_usize))] Vec<Text>),
    Mixed(Vec<u8>),
    Table,
}

impl Json {
    fn value(&self) -> Value {
        const WORDS: &[&str] = &[
            "all",
            "page",
            "q",
            "blog",
            "news",
            "https://e.com",
            "http://",
            "https://u@e.com",
            "/",
            "?",
            "#",
            "\"",
            "\n",
            "ü",
            "e.com",
            ",",
        ];
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => json!(flag),
            Self::Small(number) => json!(number),
            Self::Whole(number) => json!(number),
            Self::Float(number) => json!(number),
            Self::Text(text) => json!(text.of(WORDS)),
            Self::List(texts) => texts.iter().map(|text| text.of(WORDS)).collect(),
            Self::Mixed(numbers) => json!(numbers),
            Self::Table => json!({}),
        }
    }
}

fn table(settings: &[(u8, Json)], other: Option<&Text>) -> Map<String, Value> {
    let name = |number: u8| SETTINGS[usize::from(number) % SETTINGS.len()].name.to_owned();
    let mut table: Map<_, _> = settings.iter().map(|(number, value)| (name(*number), value.value())).collect();
    if let Some(other) = other {
        table.insert(other.of(&["rout", "es", "_", "\"", "\n", ".", "expire", "ü"]), json!(1));
    }
    table
}

/// Every table of settings is accepted or refused, and accepted values are within the documented bounds.
#[test]
fn a_configuration() {
    let few = || produce::<Vec<(u8, Json)>>().with().len(0..=3_usize);
    let table_of = || (few(), produce::<Option<Text>>());
    let routes_of = produce::<Vec<_>>().with().len(0..=3_usize).values((produce::<Text>(), table_of()));
    check!().with_test_time(TIME).with_generator((table_of(), routes_of)).for_each(|(top, routes)| {
        let mut value = table(&top.0, top.1.as_ref());
        let routes: Map<_, _> = routes
            .iter()
            .map(|(pattern, (settings, other))| {
                (format!("/{}", pattern.of(PATTERN)), Value::Object(table(settings, other.as_ref())))
            })
            .collect();
        if !routes.is_empty() {
            value.insert("routes".to_owned(), Value::Object(routes));
        }
        check_configuration(&Value::Object(value));
    });
}

/// The same from the JSON text of the variable.
#[test]
fn a_configuration_as_text() {
    let whole = json!({
        "revalidate": false, "expire": 0, "freshness_bound": 300, "cache_name": "a.b", "origin": "http://e.com/base/",
        "canonical_origin": "https://e.com", "routes": { "/blog/[slug]": { "tags": ["a", "b"], "shards": 256,
        "query": ["page", "q"] }, "/*": { "query": "all", "revalidate": 60 } },
    });
    let samples = [whole.to_string().into_bytes(), br#"{"routes":{"/*":{}}}"#.to_vec()];
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        if let Ok(value) = serde_json::from_slice::<Value>(&input.of(&samples)) {
            check_configuration(&value);
        }
    });
}

fn check_configuration(value: &Value) {
    let config = match Config::from_json(value) {
        Ok(config) => config,
        Err(error) => {
            // One line for each problem, whatever text it contains.
            assert_eq!(error.to_string().lines().count(), error.problems().len(), "{error}");
            return assert!(!error.problems().is_empty());
        }
    };
    within("revalidate", seconds(config.revalidate));
    within("expire", Some(config.expire.as_secs()));
    within("stale_if_error", Some(config.stale_if_error.as_secs()));
    within("browser_max_age", Some(config.browser_max_age.as_secs()));
    within("freshness_bound", Some(config.freshness_bound.as_secs()));
    within("render_timeout", Some(config.render_timeout.as_secs()));
    within("miss_timeout", Some(config.miss_timeout.as_secs()));
    within("pass_ttl", Some(config.pass_ttl.as_secs()));
    within("l1_ttl", Some(config.l1_ttl.as_secs()));
    within("memory_bytes", Some(config.memory_bytes));
    within("memory_page_bytes", Some(config.memory_page_bytes));
    within("max_body_bytes", Some(config.max_body_bytes));
    assert!((1..=MAX_ROUTES).contains(&config.routes.len()));
    for route in &config.routes {
        assert_eq!(config.routes.by_id(route.id().as_str()), Some(route));
        within("revalidate", seconds(route.revalidate()));
        within("expire", Some(route.expire().as_secs()));
        within("stale_if_error", Some(route.stale_if_error().as_secs()));
        within("browser_max_age", Some(route.browser_max_age().as_secs()));
        within("shards", Some(route.shards().into()));
        assert!(route.tags().len() <= MAX_TAGS_PER_ROUTE && route.tags().is_sorted_by(|a, b| a < b));
        if let QueryPolicy::Only(names) = route.query() {
            assert!(names.len() <= MAX_QUERY_NAMES && !names.contains(""));
        }
    }
}

fn seconds(revalidate: Revalidate) -> Option<u64> {
    if let Revalidate::After(lifetime) = revalidate { Some(lifetime.as_secs()) } else { None }
}

fn within(name: &str, number: Option<u64>) {
    let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("there is such a setting");
    let (ValueKind::Lifetime(bounds) | ValueKind::Number(bounds)) = setting.kind else {
        unreachable!("{name} is a number");
    };
    assert!(
        number.is_none_or(|number| (bounds.min.into()..=bounds.max.into()).contains(&number)),
        "{name}: {number:?}"
    );
}
