//! The names of pages, objects and renders: paths, keys, shards, tags, versions.

use bolero::check;
use cloudflare_isr::internals::config::CanonicalOrigin;
use cloudflare_isr::internals::inspection::{Cursor, Inspect, MAX_LIMIT, Subject};
use cloudflare_isr::internals::route::OriginUrl;
use cloudflare_isr::internals::semantics::key::{
    CanonicalPath, MAX_KEY_BYTES, PageKey, QueryPolicy, RequestUrl, TrailingSlash,
};
use cloudflare_isr::internals::semantics::tag::{MAX_TAG_BYTES, MAX_TAGS_PER_PAGE, Tag};
use cloudflare_isr::internals::shard_name::ShardName;
use cloudflare_isr::internals::time::Timestamp;
use cloudflare_isr::internals::version::Version;

use crate::TIME;
use crate::input::Text;

const PATH: &[&str] = &[
    "/", "//", ".", "..", "%2e", "%2F", "%2f", "%", "%00", "%c3%bc", "%C3%BC", "%7e", "%41", "a", "ü", "|", " ", "\\",
    "~", ":@", ";d=1", "+", "\n",
];

const URL: &[&str] = &[
    "https://e.com/",
    "http://E.com:80/",
    "https://e.com:8443",
    "https://u:p@e.com/",
    "https://[::1]/",
    "https://müller.de/",
    "HTTPS:",
    "ftp://e.com/",
    "?",
    "&",
    "=",
    "#",
    "page",
    "q",
    "page=2",
    "%26",
    "%3D",
    "%FF",
    "%20",
    "+",
    "\u{fffd}",
    "/",
    "//",
    "..",
    "%2e",
    "%",
    "%2F",
    "a",
    "ü",
    "\\",
    "\t",
];

/// A parsed path is within its limit, and is its own canonical form.
pub(crate) fn check_path(path: &CanonicalPath) {
    let text = path.as_str();
    assert!(text.len() <= MAX_KEY_BYTES, "{} bytes", text.len());
    assert!(text.starts_with('/') && !text.contains("//") && (text == "/" || !text.ends_with('/')), "{text}");
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    assert_eq!(CanonicalPath::parse(text).as_ref(), Ok(path));
}

/// An accepted key is within its limit, and survives as text; its name fits KV.
pub(crate) fn check_key(key: &PageKey) {
    assert!(key.as_str().len() <= MAX_KEY_BYTES);
    assert_eq!(PageKey::from_stored(key.as_str()).as_ref(), Ok(key));
    assert!(key.path().starts_with('/') && !key.path().contains('?'), "{key}");
    let name = key.kv_name();
    assert!((1..=512).contains(&name.len()), "{name}");
    assert_eq!(name == key.as_str(), key.as_str().len() <= 512);
}

/// An accepted name is one that a route and a number make.
pub(crate) fn check_shard(shard: &ShardName) {
    assert_eq!(ShardName::from_stored(shard.as_str()).as_ref(), Some(shard));
    let (route, number) = shard.as_str().rsplit_once('#').expect("it has a number");
    assert!(route.starts_with('/'), "{shard}");
    assert_eq!(number.parse::<u16>().map(|number| number.to_string()).as_deref(), Ok(number), "{shard}");
}

#[test]
fn a_path() {
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let text = input.of(PATH);
        for text in [text.as_str(), &format!("/{text}")] {
            if let Ok(path) = CanonicalPath::parse(text) {
                check_path(&path);
            }
        }
    });
}

/// A URL has one key, which is the key of that key. Its path is the one that finds the route.
#[test]
fn a_url() {
    let some = QueryPolicy::Only(["page".to_owned(), "q".to_owned(), "ü".to_owned()].into());
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let text = input.of(URL);
        for text in [text.as_str(), &format!("https://e.com/{text}"), &format!("https://e.com/?{text}")] {
            let Ok(url) = RequestUrl::parse(text) else { continue };
            check_path(url.path());
            for policy in [&QueryPolicy::All, &QueryPolicy::default(), &some] {
                let Ok(key) = url.key(None, policy, TrailingSlash::Strip) else { continue };
                check_key(&key);
                assert_eq!(key.path(), url.path().as_str());
                let again = RequestUrl::parse(key.as_str()).expect("a key is a URL");
                assert_eq!(again.path(), url.path());
                assert_eq!(
                    (
                        again.key(None, policy, TrailingSlash::Strip).as_ref(),
                        again.key(None, &QueryPolicy::All, TrailingSlash::Strip)
                    ),
                    (Ok(&key), Ok(key.clone()))
                );
                if let Ok(other) = url.key(Some("https://other.example"), policy, TrailingSlash::Strip) {
                    check_key(&other);
                    assert_eq!(other.path(), key.path());
                }
            }
        }
    });
}

#[test]
fn a_stored_key() {
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let text = input.of(URL);
        for text in [text.as_str(), &format!("https://{text}")] {
            if let Ok(key) = PageKey::from_stored(text) {
                check_key(&key);
                assert_eq!(key.as_str(), text);
            }
        }
    });
}

#[test]
fn a_stored_shard() {
    let words = ["/", "/*", "[slug]", "/blog", "#", "0", "3", "255", "256", "65535", "+", "-", "ü", " "];
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let text = input.of(&words);
        for text in [text.as_str(), &format!("/{text}"), &format!("/*#{text}")] {
            if let Some(shard) = ShardName::from_stored(text) {
                check_shard(&shard);
                assert_eq!(shard.as_str(), text);
            }
        }
    });
}

#[test]
fn tags() {
    let words = ["a", "post:1", ",", ", ", " ", "\t", "~", "ü", "\r\n", "\0"];
    check!().with_test_time(TIME).with_type::<(Text, Text)>().for_each(|(input, route)| {
        let text = input.of(&words);
        if let Ok(tag) = Tag::parse(&text) {
            assert!((1..=MAX_TAG_BYTES).contains(&tag.as_str().len()));
            assert!(tag.as_str() == text || text.len() > MAX_TAG_BYTES);
            assert_eq!(Tag::parse(tag.as_str()), Ok(tag.clone()));
            assert_eq!(Tag::of_page(&[], &text), [tag]);
        }
        let route: Vec<Tag> = Tag::parse(&route.of(&words)).into_iter().collect();
        let tags = Tag::of_page(&route, &text);
        assert!(tags.len() <= MAX_TAGS_PER_PAGE + 1 && tags.is_sorted_by(|a, b| a < b), "{tags:?}");
        assert!(route.iter().all(|tag| tags.contains(tag)));
    });
}

/// A version has one text, and texts sort like versions.
#[test]
fn versions() {
    let words = ["01HF7YAT0004HMASW9NF6YY09", "7ZZZZZZZZZZZZZZZZZZZZZZZZ", "0", "Z", "8", "z", "o", "l", "U", "-", "ü"];
    check!().with_test_time(TIME).with_type::<(Text, Text, u64, u128)>().for_each(|(text, other, time, random)| {
        let (text, other) = (text.of(&words), other.of(&words));
        if let Some(version) = Version::parse(&text) {
            assert_eq!(version.to_string(), text);
            if let Some(other) = Version::parse(&other) {
                assert_eq!(version.cmp(&other), text.cmp(&other.to_string()));
            }
        }
        let version = Version::from_parts(Timestamp::from_millis(*time), *random);
        assert_eq!(Version::parse(&version.to_string()), Some(version));
        // 48 bits hold the time until the year 10889.
        assert_eq!(version.time(), Timestamp::from_millis((*time).min((1 << 48) - 1)));
    });
}

#[test]
fn urls_of_the_configuration() {
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let text = input.of(URL);
        if let Ok(origin) = CanonicalOrigin::parse(&text) {
            assert_eq!(CanonicalOrigin::parse(origin.as_str()).as_ref(), Ok(&origin));
            assert!(!origin.authority().contains(['/', '@', '?', '#']), "{origin}");
            let key = RequestUrl::parse("https://e.com/a")
                .and_then(|url| url.key(Some(origin.as_str()), &QueryPolicy::All, TrailingSlash::Strip));
            let key = key.expect("it has a key");
            assert_eq!(key.as_str(), format!("{origin}/a"));
            assert_eq!(
                RequestUrl::parse(key.as_str()).and_then(|url| url.key(None, &QueryPolicy::All, TrailingSlash::Strip)),
                Ok(key)
            );
        }
        if let Ok(site) = OriginUrl::parse(&text) {
            assert_eq!(OriginUrl::parse(site.as_str()).as_ref(), Ok(&site));
            assert!(!site.as_str().ends_with('/') && !site.as_str().contains(['?', '#']), "{site}");
        }
    });
}

/// A valid question is within its bounds, and its cursor survives as text.
#[test]
fn an_inspection() {
    let words = [
        "tag=",
        "path=",
        "shard=",
        "after=",
        "limit=",
        "&",
        "post:1",
        "/blog",
        "/*%230",
        "+",
        "https://e.com/a?b%3D1",
        "7",
        "1000",
        "1001",
        "%",
        "%20",
        "%00",
        "ü",
        "#",
        "?",
    ];
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let Ok(question) = Inspect::from_query(&input.of(&words)) else { return };
        assert!((1..=MAX_LIMIT).contains(&question.limit));
        match question.subject {
            Subject::Tag { tag, after } => {
                assert_eq!(Tag::parse(tag.as_str()), Ok(tag));
                if let Some(place) = after {
                    check_shard(&place.shard);
                    check_key(&place.key);
                    assert_eq!(Cursor::parse(&place.to_string()), Some(place));
                }
            }
            Subject::Path { path, after } => {
                check_path(&path);
                after.iter().for_each(check_key);
            }
            Subject::Shard { shard, after } => {
                check_shard(&shard);
                after.iter().for_each(check_key);
            }
        }
    });
}
