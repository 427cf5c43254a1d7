//! `isr invalidate --dry-run`: which pages match now.

use cloudflare_isr::Target;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lists::{Question, TagAnswer, totals};
use super::{Context, read};
use crate::args::ListArgs;
use crate::connection::Call;
use crate::failure::{Failure, Verdict};
use crate::show::{Lines as _, Listed, Report, clean, number};

/// The most pages that are listed for each target.
const LISTED: u32 = 100;

/// The most parts of a list that are asked for.
const MAX_PARTS: usize = 50;

/// The pages that match a target now.
struct Matches {
    target: Value,
    name: String,
    /// How many there are, in words; or why that is not known.
    count: String,
    /// Their keys, up to [`LISTED`]; `None`: they can't be listed.
    keys: Option<Vec<String>>,
    has_more: bool,
}

/// Reports which pages match now. Changes nothing.
pub(super) fn dry_run(context: Context<'_>, targets: &[Target]) -> Result<Report, Failure> {
    let matches = targets.iter().map(|target| of_target(context, target)).collect::<Result<Vec<_>, _>>()?;
    let mut text = "Nothing is invalidated. These pages match now:".to_owned();
    for Matches { name, count, keys, has_more, .. } in &matches {
        text.paragraph(&format!("{}: {count}", clean(name)));
        for key in keys.iter().flatten() {
            text.line(&format!("  {}", clean(key)));
        }
        if *has_more {
            text.line("  …");
        }
    }
    let json = matches.iter().map(|Matches { target, count, keys, has_more, .. }| {
        json!({ "target": target, "count": count, "keys": keys, "more": has_more })
    });
    let json = json!({ "dryRun": true, "targets": json.collect::<Vec<_>>() });
    // A target that can't be listed may match any number of pages.
    let may_match = matches.iter().any(|matches| matches.keys.as_ref().is_none_or(|keys| !keys.is_empty()));
    Ok(Report { json, text, verdict: Verdict::of(may_match) })
}

fn of_target(context: Context<'_>, target: &Target) -> Result<Matches, Failure> {
    let list = ListArgs { limit: LISTED, after: None };
    match target {
        Target::Path(path) => {
            let answer = context.service.ask(&Question::Path(path.as_str()).call(&list)?)?;
            let entries: Vec<Listed> = read(&answer["entries"])?;
            let count = number(entries.len() as u64, "page");
            Ok(listed(target, count, &entries, !answer["after"].is_null()))
        }
        Target::Tag(tag) => {
            let answer: TagAnswer = read(&context.service.ask(&Question::Tag(tag.as_str()).call(&list)?)?)?;
            let count = answer.pages.map_or_else(|| "unknown".to_owned(), totals);
            Ok(listed(target, count, &answer.entries, answer.after.is_some()))
        }
        Target::Prefix(prefix) => filtered(context, target, Some(("prefix", prefix.as_str()))),
        Target::Route(route) => filtered(context, target, Some(("route", route.as_str()))),
        Target::Everything => filtered(context, target, None),
    }
}

/// Lists the pages that meet a condition. A part of the list may be empty although others follow.
fn filtered(context: Context<'_>, target: &Target, filter: Option<(&'static str, &str)>) -> Result<Matches, Failure> {
    let mut keys = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..MAX_PARTS {
        let call = Call::get("/__isr/entries").with("limit", LISTED);
        let call = filter.iter().fold(call, |call, (name, value)| call.with(name, value));
        let answer = match context.service.ask(&call.with_some("after", after.as_deref())) {
            // An earlier version lists pages by path and by tag only.
            Err(Failure::NoSuchCall { .. }) => return Ok(unknown(target)),
            answer => answer?,
        };
        let Part { entries, after: next } = read(&answer)?;
        keys.extend(entries.into_iter().map(|entry| entry.key));
        after = next;
        if after.is_none() || keys.len() >= LISTED as usize {
            break;
        }
    }
    let has_more = after.is_some();
    let count = if has_more {
        format!("more than {}", number(keys.len() as u64, "page"))
    } else {
        number(keys.len() as u64, "page")
    };
    let (name, target) = described(target);
    Ok(Matches { target, name, count, keys: Some(keys), has_more })
}

/// A part of a list of pages.
#[derive(Deserialize)]
struct Part {
    entries: Vec<Key>,
    after: Option<String>,
}

/// A page of which only the key matters.
#[derive(Deserialize)]
struct Key {
    key: String,
}

fn unknown(target: &Target) -> Matches {
    let count = "not known: this deployment lists pages by path and by tag only".to_owned();
    let (name, target) = described(target);
    Matches { target, name, count, keys: None, has_more: false }
}

fn listed(target: &Target, count: String, entries: &[Listed], has_more: bool) -> Matches {
    let keys = entries.iter().map(|listed| listed.page.key.as_str().to_owned()).collect();
    let (name, target) = described(target);
    Matches { target, name, count, keys: Some(keys), has_more }
}

/// Describes a target, for people and for programs.
fn described(target: &Target) -> (String, Value) {
    match target {
        Target::Path(path) => (format!("path {}", path.as_str()), json!({ "path": path.as_str() })),
        Target::Tag(tag) => (format!("tag {tag}"), json!({ "tag": tag.as_str() })),
        Target::Prefix(prefix) => (format!("prefix {}", prefix.as_str()), json!({ "prefix": prefix.as_str() })),
        Target::Route(route) => (format!("route {route}"), json!({ "route": route.as_str() })),
        Target::Everything => ("everything".to_owned(), json!({ "everything": true })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::InvalidateArgs;
    use crate::commands::invalidate;
    use crate::commands::tests::with_answers;
    use crate::show::tests::entry;

    #[test]
    fn a_dry_run_only_asks() {
        let args = InvalidateArgs {
            path: vec!["/blog/a".to_owned()],
            tag: vec!["post:42".to_owned()],
            prefix: vec!["/blog".to_owned()],
            dry_run: true,
            ..InvalidateArgs::default()
        };
        let by_path = json!({ "path": "/blog/a", "route": "/blog/*", "shard": "/blog/*#0", "entries": [entry("/blog/a")], "after": null });
        let by_tag = json!({
            "tag": "post:42", "lastInvalidation": null, "deliveries": { "pending": 0 }, "shards": 1,
            "pages": { "total": 2, "fresh": 1, "stale": 1, "expired": 0 }, "entries": [entry("/blog/b")], "after": "place",
        });
        let nothing = json!({ "error": { "code": "not_found", "message": "there is nothing here" } });
        let answers = [(200, by_path), (404, nothing), (200, by_tag)];
        let (report, calls) = with_answers(answers, |context| invalidate(context, &args));
        let report = report.unwrap();
        assert!(calls.iter().all(|call| call.starts_with("Get ")), "{calls:?}");
        for part in [
            "path /blog/a: 1 page\n  https://example.com/blog/a",
            "tag post:42: 2: 1 fresh, 1 stale, 0 expired\n  https://example.com/blog/b\n  …",
            "prefix /blog: not known",
        ] {
            assert!(report.text.contains(part), "{}", report.text);
        }
        assert_eq!(report.verdict, Verdict::Yes);
    }

    #[test]
    fn pages_are_listed_by_prefix_and_route() {
        let args = InvalidateArgs {
            prefix: vec!["/blog".to_owned()],
            route: vec!["/docs/*".to_owned()],
            dry_run: true,
            ..InvalidateArgs::default()
        };
        let answers = [
            (200, json!({ "entries": [], "after": "/blog/*#1" })),
            (200, json!({ "entries": [{ "key": "https://e.com/blog/a" }], "after": null })),
            (200, json!({ "entries": [], "after": null })),
        ];
        let (report, calls) = with_answers(answers, |context| invalidate(context, &args));
        let text = report.unwrap().text;
        assert!(text.ends_with("prefix /blog: 1 page\n  https://e.com/blog/a\n\nroute /docs/*: 0 pages"), "{text}");
        let expected = [
            "Get /__isr/entries?limit=100&prefix=/blog",
            "Get /__isr/entries?limit=100&prefix=/blog&after=/blog/*#1",
            "Get /__isr/entries?limit=100&route=/docs/*",
        ];
        assert_eq!(calls, expected);
    }
}
