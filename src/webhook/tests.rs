//! Deliveries in the form in which real senders make them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use super::*;
use crate::invalidation::{MAX_TARGETS, Mode, Refresh, Target, TargetField};
use crate::time::Timestamp;

const SECRET: &str = "a secret that both sides know";
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);

struct Request {
    headers: BTreeMap<&'static str, String>,
    body: Vec<u8>,
}

impl Received for Request {
    fn method(&self) -> &'static str {
        "POST"
    }

    fn target(&self) -> &'static str {
        "/__isr/hooks/cms"
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).cloned()
    }

    fn body(&self) -> &[u8] {
        &self.body
    }
}

fn sha256(key: &[u8], text: &str) -> Vec<u8> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Signs a body as a sender of a scheme does, at a time.
fn signed(scheme: Scheme, secret: &str, body: &str, at: Timestamp) -> Request {
    let (key, millis) = (secret.as_bytes(), at.as_millis());
    let headers = match scheme {
        Scheme::Contentful => {
            let lines = format!(
                "x-contentful-signed-headers:x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic;\
                 x-contentful-timestamp:{millis};x-contentful-topic:ContentManagement.Entry.publish"
            );
            vec![
                (
                    "x-contentful-signed-headers",
                    "x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic".into(),
                ),
                ("x-contentful-timestamp", millis.to_string()),
                ("x-contentful-topic", "ContentManagement.Entry.publish".into()),
                ("x-contentful-signature", hex(&sha256(key, &format!("POST\n/__isr/hooks/cms\n{lines}\n{body}")))),
            ]
        }
        Scheme::Github => vec![("x-hub-signature-256", format!("sha256={}", hex(&sha256(key, body))))],
        Scheme::Sanity => {
            let tag = BASE64_URL_SAFE_NO_PAD.encode(sha256(key, &format!("{millis}.{body}")));
            vec![("sanity-webhook-signature", format!("t={millis},v1={tag}"))]
        }
        Scheme::Standard => {
            let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
            let (id, time) = ("msg_1", (millis / 1000).to_string());
            let tag = BASE64_STANDARD.encode(sha256(&key, &format!("{id}.{time}.{body}")));
            vec![
                ("webhook-id", id.into()),
                ("webhook-timestamp", time),
                ("webhook-signature", format!("v1a,AAAA v1,{} v1,{tag}", BASE64_STANDARD.encode("another secret"))),
            ]
        }
        Scheme::Storyblok => {
            let mac = <Hmac<Sha1> as KeyInit>::new_from_slice(key).unwrap().chain_update(body);
            vec![("webhook-signature", hex(&mac.finalize().into_bytes()))]
        }
        Scheme::Token => vec![("authorization", format!("Bearer {secret}"))],
    };
    Request { headers: headers.into_iter().collect(), body: body.into() }
}

fn schemes() -> impl Iterator<Item = (Scheme, String)> {
    let standard = format!("whsec_{}", BASE64_STANDARD.encode("24 bytes that both know!"));
    Scheme::WORDS.into_iter().map(move |word| {
        let scheme = Scheme::parse(word).unwrap();
        (scheme, if scheme == Scheme::Standard { standard.clone() } else { SECRET.to_owned() })
    })
}

#[test]
fn each_scheme_accepts_what_its_sender_signs_and_nothing_else() {
    for (scheme, secret) in schemes() {
        assert!(scheme.accepts_secret(&secret));
        let good = signed(scheme, &secret, "{\"id\": 1}", NOW);
        assert_eq!(scheme.verify(&secret, &good, NOW), Ok(()), "{scheme:?}");

        let other =
            signed(scheme, &secret.replace("secret", "secrex").replace("whsec_MjQ", "whsec_MjU"), "{\"id\": 1}", NOW);
        assert_eq!(scheme.verify(&secret, &other, NOW), Err(SignatureError::Wrong), "{scheme:?}");

        let name = scheme.signature_header();
        let mut unsigned = signed(scheme, &secret, "{}", NOW);
        unsigned.headers.remove(name);
        assert_eq!(scheme.verify(&secret, &unsigned, NOW), Err(SignatureError::Missing(name)), "{scheme:?}");

        if scheme != Scheme::Token {
            let mut changed = signed(scheme, &secret, "{\"id\": 1}", NOW);
            changed.body = b"{\"id\": 2}".to_vec();
            assert_eq!(scheme.verify(&secret, &changed, NOW), Err(SignatureError::Wrong), "{scheme:?}");
        }
        for odd in ["", "v1=", "t=1", "sha256=", "sha256=zz", "0", "Bearer", "v1,"] {
            let mut request = signed(scheme, &secret, "{}", NOW);
            request.headers.insert(name, odd.to_owned());
            assert!(scheme.verify(&secret, &request, NOW).is_err(), "{scheme:?}: {odd}");
        }
    }
}

#[test]
fn a_recorded_request_is_refused_later() {
    for (scheme, secret) in schemes() {
        let is_timed = matches!(scheme, Scheme::Contentful | Scheme::Sanity | Scheme::Standard);
        for (at, is_recent) in [(0, true), (299_000, true), (3_700_000, false)] {
            for now in [NOW.as_millis() + at, NOW.as_millis() - at] {
                let request = signed(scheme, &secret, "{}", NOW);
                let is_accepted = scheme.verify(&secret, &request, Timestamp::from_millis(now)).is_ok();
                assert_eq!(is_accepted, is_recent || !is_timed, "{scheme:?} {at}");
            }
        }
    }
}

#[test]
fn contentful_has_to_sign_the_time() {
    let mut request = signed(Scheme::Contentful, SECRET, "{}", NOW);
    request.headers.insert("x-contentful-signed-headers", "x-contentful-topic".to_owned());
    let error = Scheme::Contentful.verify(SECRET, &request, NOW);
    assert_eq!(error, Err(SignatureError::Malformed("x-contentful-signed-headers")));
}

fn rule(when: &[(&str, &[&str])], targets: &[(TargetField, &str)]) -> Rule {
    let when = when.iter().map(|(pointer, values)| Condition {
        pointer: Pointer::parse(pointer).unwrap(),
        values: values.iter().map(ToString::to_string).collect(),
    });
    let targets =
        targets.iter().map(|(field, text)| TargetTemplate { field: *field, template: Template::parse(text).unwrap() });
    Rule {
        when: when.collect(),
        targets: targets.collect(),
        everything: false,
        mode: Mode::Expire,
        refresh: Refresh::Lazy,
    }
}

fn mapped(rules: Vec<Rule>, body: &Value) -> Mapped {
    webhook(Scheme::Token, rules).map("cms", &delivery(&body.to_string())).unwrap()
}

fn webhook(scheme: Scheme, rules: Vec<Rule>) -> Webhook {
    Webhook { scheme, secret: "S".to_owned(), delivery_id: None, rules }
}

fn delivery(body: &str) -> Request {
    Request { headers: BTreeMap::new(), body: body.as_bytes().to_vec() }
}

fn texts(mapped: &Mapped) -> Vec<String> {
    let name = |target: &Target| {
        let (kind, name) = target.kind_and_name();
        format!("{kind} {name}")
    };
    mapped.calls.iter().flat_map(|call| call.targets.iter().map(name)).collect()
}

#[test]
fn bodies_of_real_senders_name_their_pages() {
    use TargetField::{Path, Tag};
    let sanity = json!({ "_id": "post-1", "_type": "post", "slug": { "_type": "slug", "current": "hello" }, "authors": ["a", "b"] });
    let contentful = json!({
        "sys": { "type": "Entry", "id": "5KsDBWseXY6QegucYAoacS", "contentType": { "sys": { "id": "article" } }, "revision": 3 },
        "fields": { "slug": { "en-US": "hello", "de": "hallo" } }
    });
    let storyblok = json!({ "action": "published", "text": "The user published the Story", "space_id": 1, "story_id": 42, "full_slug": "blog/hello" });
    let dato = json!({
        "entity_type": "cda_cache_tags", "event_type": "invalidate",
        "entity": { "id": "cda_cache_tags", "type": "cda_cache_tags", "attributes": { "tags": ["N*r;L", "6-KZ@", "t#k[uP"] } }
    });
    let github = json!({
        "ref": "refs/heads/main", "repository": { "full_name": "acme/docs" },
        "commits": [{ "added": ["docs/a.md"], "modified": ["docs/b.md", "docs/c.md"] }, { "added": [], "modified": ["docs/b.md"] }]
    });
    for (rules, body, expected) in [
        (
            vec![rule(
                &[("/_type", &["post"])],
                &[(Tag, "post:{/_id}"), (Path, "/blog/{/slug/current}"), (Tag, "author:{/authors}")],
            )],
            &sanity,
            vec!["tag post:post-1", "path /blog/hello", "tag author:a", "tag author:b"],
        ),
        (
            vec![
                rule(
                    &[("/sys/contentType/sys/id", &["article", "page"])],
                    &[(Path, "/{/fields/slug/en-US}"), (Path, "/de/{/fields/slug/de}")],
                ),
                rule(&[("/sys/type", &["Asset"])], &[(Tag, "asset:{/sys/id}")]),
            ],
            &contentful,
            vec!["path /hello", "path /de/hallo"],
        ),
        (
            vec![rule(&[], &[(Path, "/{/full_slug}"), (Tag, "story:{/story_id}")])],
            &storyblok,
            vec!["path /blog/hello", "tag story:42"],
        ),
        (
            vec![rule(&[("/entity_type", &["cda_cache_tags"])], &[(Tag, "{/entity/attributes/tags}")])],
            &dato,
            vec!["tag N*r;L", "tag 6-KZ@", "tag t#k[uP"],
        ),
        (
            vec![rule(
                &[("/ref", &["refs/heads/main"])],
                &[(Tag, "file:{/commits/*/added}"), (Tag, "file:{/commits/*/modified}")],
            )],
            &github,
            vec!["tag file:docs/a.md", "tag file:docs/b.md", "tag file:docs/c.md"],
        ),
        (vec![rule(&[("/_type", &["author"])], &[(Tag, "x")])], &sanity, vec![]),
    ] {
        let mapped = mapped(rules, body);
        assert_eq!(
            (texts(&mapped), mapped.skipped),
            (expected.iter().map(ToString::to_string).collect(), Vec::new()),
            "{body}"
        );
    }
}

#[test]
fn hundreds_of_tags_are_one_delivery_and_too_many_are_refused() {
    let body = |count: usize| json!({ "tags": (0..count).map(|at| format!("t{at}")).collect::<Vec<_>>() });
    let rules = vec![rule(&[], &[(TargetField::Tag, "{/tags}")])];
    assert_eq!(texts(&mapped(rules.clone(), &body(MAX_TARGETS))).len(), MAX_TARGETS);
    let webhook = webhook(Scheme::Token, rules);
    let refused = webhook.map("cms", &delivery(&body(MAX_TARGETS + 1).to_string()));
    assert!(matches!(refused, Err(DeliveryError::TooMany)));
    assert!(matches!(webhook.map("cms", &delivery("id=1")), Err(DeliveryError::NotJson(_))));
}

#[test]
fn a_repeated_delivery_has_the_same_key_as_the_first_and_no_other_has_it() {
    let keys_of = |webhook: &Webhook, name: &str, request: &Request| -> Vec<_> {
        webhook.map(name, request).unwrap().calls.into_iter().map(|call| call.key).collect()
    };
    let rules = vec![rule(&[], &[(TargetField::Tag, "a")])];
    for scheme in Scheme::WORDS.map(|word| Scheme::parse(word).unwrap()) {
        let webhook = webhook(scheme, rules.clone());
        let Some(header) = scheme.delivery_header() else {
            assert_eq!(keys_of(&webhook, "cms", &delivery("{}")), [None], "{scheme:?}");
            continue;
        };
        let with = |id: &str| Request { headers: BTreeMap::from([(header, id.to_owned())]), ..delivery("{}") };
        let first = keys_of(&webhook, "cms", &with("1"));
        assert!(first[0].is_some() && first == keys_of(&webhook, "cms", &with("1")), "{scheme:?}");
        assert_ne!(first, keys_of(&webhook, "cms", &with("2")));
        assert_ne!(first, keys_of(&webhook, "other", &with("1")));
        assert_eq!(keys_of(&webhook, "cms", &with("")), [None]);
    }
    let in_body = Webhook { delivery_id: Some(Pointer::parse("/call").unwrap()), ..webhook(Scheme::Token, rules) };
    let first = keys_of(&in_body, "cms", &delivery(r#"{"call": 1, "attempt": 0}"#));
    assert_eq!(first, keys_of(&in_body, "cms", &delivery(r#"{"call": 1, "attempt": 1}"#)));
    assert_ne!(first, keys_of(&in_body, "cms", &delivery(r#"{"call": 2}"#)));
    assert_eq!(keys_of(&in_body, "cms", &delivery(r#"{"call": null}"#)), [None]);
}

#[test]
fn a_target_that_is_not_valid_does_not_hinder_the_others() {
    let rules = vec![rule(
        &[],
        &[(TargetField::Path, "/{/slug}"), (TargetField::Path, "{/slug}"), (TargetField::Tag, "t:{/slug}")],
    )];
    let mapped = mapped(rules, &json!({ "slug": "what?" }));
    assert_eq!(texts(&mapped), ["tag t:what?"]);
    let skipped: Vec<_> = mapped.skipped.iter().map(|skipped| (skipped.field, skipped.text.as_str())).collect();
    assert_eq!(skipped, [(TargetField::Path, "/what?"), (TargetField::Path, "what?")]);
}

#[test]
fn calls_are_grouped_by_their_effect() {
    let mut stale = rule(&[], &[(TargetField::Tag, "a"), (TargetField::Tag, "a")]);
    stale.mode = Mode::Stale;
    let expire = Rule { everything: true, ..rule(&[], &[(TargetField::Tag, "a")]) };
    let mapped = mapped(vec![stale.clone(), expire, stale], &json!({}));
    let calls: Vec<_> = mapped.calls.iter().map(|call| (call.mode, call.targets.len())).collect();
    assert_eq!(calls, [(Mode::Stale, 1), (Mode::Expire, 2)]);
}
