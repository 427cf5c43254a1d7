//! Two versions at once: the rule of `cloudflare_isr::internals::protocol`, for every pinned message and format.
//!
//! The bytes are those of the working tree, or, with `ISR_PREVIOUS_FORMATS`, those that another version has pinned:
//! `cargo xtask test --upgrade` names the folder of the previous version's.

use std::fmt::Debug;
use std::{env, fs};

use ciborium::Value;
use cloudflare_isr::internals::codec::{decode, encode};
use cloudflare_isr::internals::inspection::answer::{ShardAnswer, ShardEntry, TagEntry, TagIndexHealth};
use cloudflare_isr::internals::inspection::survey::{
    DecisionPage, EntryPage, InvalidationPage, LeasePage, ShardOverview, ShardPage, TagPage,
};
use cloudflare_isr::internals::invalidation::{FeedPage, Mode, Refresh, Target};
use cloudflare_isr::internals::metrics::{ShardMetrics, TagIndexMetrics};
use cloudflare_isr::internals::page::{PageHead, PageMeta, Prefix};
use cloudflare_isr::internals::protocol::{
    ApplyAnswer, InvalidateAnswer, Offer, Progress, PushFrame, RegisterAnswer, Reply, RetireAnswer, ShardProgress,
    StoreResult, TagIndexCall, Ticket, ToCoordinator, ToTagIndex, UnregisterAnswer,
};
use cloudflare_isr::internals::reason::Reason;
use serde::de::DeserializeOwned;

use crate::pinned::{Pinned, Section};

/// The word of a later version.
const LATER: &str = "of_a_later_version";

/// Reads bytes, and shows the value; `None` if they are refused.
type Read = fn(&[u8]) -> Option<String>;

fn read<T: DeserializeOwned + Debug>(bytes: &[u8]) -> Option<String> {
    decode::<T>(bytes).map(|value| format!("{value:?}"))
}

/// The reader of each section, by the beginning of its name. The first that fits counts.
const MESSAGES: [(&str, Read); 27] = [
    ("ToCoordinator::", read::<ToCoordinator>),
    ("ToTagIndex::", read::<ToTagIndex>),
    ("TagIndexCall", read::<TagIndexCall>),
    ("RegisterAnswer", read::<RegisterAnswer>),
    ("UnregisterAnswer", read::<UnregisterAnswer>),
    ("InvalidateAnswer", read::<InvalidateAnswer>),
    ("Applied", read::<ApplyAnswer>),
    ("RetireAnswer", read::<RetireAnswer>),
    ("ShardProgress", read::<ShardProgress>),
    ("Progress", read::<Progress>),
    ("FeedPage", read::<FeedPage>),
    ("ShardAnswer", read::<ShardAnswer>),
    ("ShardEntry", read::<Option<ShardEntry>>),
    ("ShardOverview", read::<ShardOverview>),
    ("DecisionPage", read::<DecisionPage>),
    ("EntryPage", read::<EntryPage>),
    ("LeasePage", read::<LeasePage>),
    ("ShardPage", read::<ShardPage>),
    ("TagPage", read::<TagPage>),
    ("InvalidationPage", read::<InvalidationPage>),
    ("TagEntry", read::<TagEntry>),
    ("TagIndexHealth", read::<TagIndexHealth>),
    ("ShardMetrics", read::<ShardMetrics>),
    ("TagIndexMetrics", read::<TagIndexMetrics>),
    ("PushFrame", read::<PushFrame<FeedPage>>),
    ("Offered", read::<StoreResult>),
    ("Offer", read::<Offer>),
];

/// The reader of the sections of a file; `None` if it depends on the section.
const FILES: [(&str, Option<Read>); 10] = [
    ("messages.txt", None),
    ("forgotten.txt", None),
    ("inspection.txt", None),
    ("offers.txt", None),
    ("push.txt", None),
    ("surveys.txt", None),
    ("metrics.txt", None),
    ("verdicts.txt", Some(read::<Reply>)),
    ("meta.txt", Some(read::<PageMeta>)),
    ("l2.txt", Some(read::<PageHead>)),
];

/// The files of formats that this version has added.
const ADDED: [&str; 3] = ["push.txt", "surveys.txt", "metrics.txt"];

/// Runs a check for each pinned value: its name, its CBOR, and its reader.
fn each(check: impl Fn(&str, &Value, Read)) {
    let previous = env::var("ISR_PREVIOUS_FORMATS").ok();
    let folder = previous.clone().unwrap_or_else(|| format!("{}/tests/formats", env!("CARGO_MANIFEST_DIR")));
    for (file, of_file) in FILES {
        let text = match fs::read_to_string(format!("{folder}/{file}")) {
            Ok(text) => text,
            // The previous version did not have this format.
            Err(_) if previous.is_some() && ADDED.contains(&file) => continue,
            Err(error) => panic!("{folder}/{file}: {error}"),
        };
        for Section { name, bytes, .. } in Pinned::read(&text).sections() {
            let of_name = || MESSAGES.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, read)| *read);
            let read = of_file.or_else(of_name).unwrap_or(read::<Ticket>);
            let bytes = match file {
                "l2.txt" => &bytes[8..Prefix::read(bytes).expect("it begins a page").body_offset()],
                _ => &bytes[..],
            };
            let value = ciborium::from_reader(bytes).expect("it is CBOR");
            check(name, &value, read);
        }
    }
}

/// A place in a value, and its role.
struct Place {
    /// The indices on the way to it.
    path: Vec<usize>,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// A map of fields.
    Fields,
    /// The kind of a message, an answer or a question: the key of a map, or a text.
    Kind,
    /// The target, the mode or the refresh of a recorded invalidation.
    Recorded,
    /// A reason.
    Reason,
}

/// The kinds that have content. A map with one of them as its only key is not a map of fields.
const KINDS: [&str; 36] = [
    "miss",
    "stale",
    "invalidate",
    "invalidate_all",
    "progress",
    "inspect",
    "retire",
    "visits",
    "metrics",
    "count",
    "register",
    "unregister",
    "feed",
    "listen",
    "health",
    "inspect_tag",
    "inspect_shard",
    "path",
    "tag",
    "prefix",
    "route",
    "page",
    "stand_in",
    "relay",
    "pass",
    "unavailable",
    "refused",
    "lease",
    "not_stored",
    "survey",
    "decisions",
    "entries",
    "leases",
    "shards",
    "tags",
    "invalidations",
];

/// Lists the places of a value. `is_content`: of a kind, so that it has fields.
fn places(value: &Value, path: &[usize], is_content: bool, out: &mut Vec<Place>) {
    let below = |index: usize| [path, &[index]].concat();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &below(index), false, out);
            }
        }
        Value::Map(pairs) => {
            let is_kind = !is_content && matches!(&pairs[..], [(Value::Text(key), _)] if KINDS.contains(&&key[..]));
            out.push(Place { path: path.to_vec(), role: if is_kind { Role::Kind } else { Role::Fields } });
            let is_recorded = pairs.iter().any(|(key, _)| *key == Value::from("seq"))
                && pairs.iter().any(|(key, _)| *key == Value::from("scope"));
            // Beside a reason, a detail is any text.
            let explains = pairs.iter().any(|(key, _)| *key == Value::from("reason"));
            for (index, (key, item)) in pairs.iter().enumerate() {
                let role = match (key.as_text().unwrap_or_default(), item) {
                    ("scope" | "mode" | "refresh", _) if is_recorded => Some(Role::Recorded),
                    ("scope" | "mode" | "refresh", Value::Text(_)) if is_content => Some(Role::Kind),
                    ("reason", Value::Text(_)) => Some(Role::Reason),
                    ("detail", Value::Text(_)) if !explains => Some(Role::Reason),
                    _ => None,
                };
                out.extend(role.map(|role| Place { path: below(index), role }));
                if role.is_none() {
                    // A survey is a kind in a kind.
                    let has_fields = is_kind && *key != Value::from("survey");
                    places(item, &below(index), has_fields, out);
                }
            }
        }
        Value::Text(_) if path.is_empty() => out.push(Place { path: Vec::new(), role: Role::Kind }),
        _ => {}
    }
}

fn at<'a>(value: &'a mut Value, path: &[usize]) -> &'a mut Value {
    path.iter().fold(value, |value, index| match value {
        Value::Array(items) => &mut items[*index],
        Value::Map(pairs) => &mut pairs[*index].1,
        _ => unreachable!("the path was made of this value"),
    })
}

/// Returns the value with a change at each place of a role in turn.
fn changed(value: &Value, role: Role, change: impl Fn(&mut Value)) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    places(value, &[], false, &mut found);
    let changed = found.into_iter().filter(|place| place.role == role).map(|place| {
        let mut value = value.clone();
        change(at(&mut value, &place.path));
        encode(&value)
    });
    changed.collect()
}

/// Replaces a kind by that of a later version. Its content stays.
fn rename(value: &mut Value) {
    match value {
        Value::Map(pairs) if pairs.len() == 1 => pairs[0].0 = LATER.into(),
        other => *other = LATER.into(),
    }
}

#[test]
fn pinned_bytes_are_read() {
    each(|name, value, read| assert!(read(&encode(value)).is_some(), "{name}"));
}

#[test]
fn an_unknown_field_is_ignored_wherever_it_is() {
    each(|name, value, read| {
        let known = read(&encode(value));
        let added = Value::Map(vec![(LATER.into(), Value::Array(vec![7.into(), LATER.into()]))]);
        let with_field = changed(value, Role::Fields, |fields| {
            fields.as_map_mut().expect("it has fields").insert(0, (LATER.into(), added.clone()));
        });
        for bytes in with_field {
            assert_eq!(read(&bytes), known, "{name}: {:?}", ciborium::from_reader::<Value, _>(&bytes[..]));
        }
    });
}

#[test]
fn an_unknown_kind_is_refused() {
    each(|name, value, read| {
        for bytes in changed(value, Role::Kind, rename) {
            assert_eq!(read(&bytes), None, "{name}: {:?}", ciborium::from_reader::<Value, _>(&bytes[..]));
        }
    });
}

#[test]
fn a_recorded_invalidation_is_never_refused_and_an_unknown_part_is_the_widest() {
    let later = [Value::from(LATER), Value::Map(vec![(LATER.into(), 7.into())]), Value::Array(vec![1.into()])];
    each(|name, value, read| {
        for part in &later {
            for bytes in changed(value, Role::Recorded, |place| *place = part.clone()) {
                let shown = read(&bytes).unwrap_or_else(|| panic!("{name} is refused"));
                let is_wide =
                    ["target: Everything", "mode: Expire", "refresh: Lazy"].iter().any(|part| shown.contains(part));
                assert!(is_wide, "{name}: {shown}");
            }
        }
    });
    assert_eq!(Target::recorded("of_a_later_version", "x"), Target::Everything);
    assert_eq!(Target::recorded("path", "not a path"), Target::Everything);
    assert_eq!((Mode::parse(LATER), Refresh::parse(LATER)), (None, None), "a request with it is refused");
}

#[test]
fn an_unknown_reason_is_read_as_unknown() {
    each(|name, value, read| {
        for bytes in changed(value, Role::Reason, rename) {
            let shown = read(&bytes).unwrap_or_else(|| panic!("{name} is refused"));
            assert!(shown.contains(&format!("{:?}", Reason::Unknown)), "{name}: {shown}");
        }
    });
}
