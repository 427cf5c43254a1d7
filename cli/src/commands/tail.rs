//! `isr tail`: `GET /__isr/decisions`, again and again.

use std::time::Duration;

use cloudflare_isr::Timestamp;
use cloudflare_isr::internals::inspection::words;
use serde::Deserialize;
use serde_json::Value;

use super::{Context, read};
use crate::args::TailArgs;
use crate::connection::Call;
use crate::failure::{Failure, Verdict};
use crate::show::{clean, print_line};

/// The most decisions of one answer.
const LIMIT: u32 = 1000;

/// How many answers in a row may fail before the program gives up.
const PATIENCE: u32 = 30;

/// A part of the log.
#[derive(Debug, Deserialize)]
struct Part {
    /// The decisions, as they are.
    #[serde(rename = "decisions")]
    list: Vec<Value>,
    /// The place after the last one.
    after: Option<String>,
    /// Whether more are known to follow.
    #[serde(default)]
    more: bool,
    #[serde(default)]
    checked: Checked,
}

/// How many coordinators were asked.
#[derive(Debug, Default, Deserialize)]
struct Checked {
    asked: u64,
    known: Option<u64>,
}

impl Checked {
    /// Says that there are more coordinators, if there are.
    fn note(&self) -> Option<String> {
        let known = self.known.filter(|known| *known > self.asked)?;
        let asked = self.asked;
        Some(format!(
            "note: the decisions of {asked} of {known} coordinators are followed; --shard follows another one"
        ))
    }
}

/// A decision.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decision {
    at: Timestamp,
    kind: String,
    #[serde(default)]
    shard: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    invalidation: Option<u64>,
    #[serde(default)]
    pages: Option<u64>,
    #[serde(default)]
    duration_ms: Option<u64>,
}

/// Follows the decisions of the coordinators.
pub(crate) fn tail(context: Context<'_>, args: &TailArgs) -> Result<Verdict, Failure> {
    let mut after: Option<String> = None;
    let mut failed = 0;
    let mut is_first = true;
    loop {
        let call = call(args, after.as_deref(), is_first);
        match context.service.ask(&call).and_then(|answer| read::<Part>(&answer)) {
            Ok(answer) => {
                failed = 0;
                // With --shard, one coordinator is what is wanted.
                let is_partial = is_first && args.shard.is_none();
                if let Some(note) = answer.checked.note().filter(|_| is_partial) {
                    eprintln!("{note}");
                }
                let is_wanted = !(is_first && args.last == 0);
                for decision in answer.list.iter().filter(|_| is_wanted) {
                    print_line(&line(decision, context.screen.is_json, context.clock.now())?)?;
                }
                after = answer.after.filter(|place| !place.is_empty()).or(after);
                is_first = false;
                if answer.more {
                    continue;
                }
            }
            // The deployment may be restarting, or the network may be gone for a moment.
            Err(failure) if is_first || args.once || failed >= PATIENCE || !failure.may_pass() => return Err(failure),
            Err(_) => failed += 1,
        }
        if args.once {
            return Ok(Verdict::Yes);
        }
        context.clock.sleep(Duration::from_secs(args.every));
    }
}

/// Makes a call: the first one asks for the last decisions, and the others for those that follow.
fn call(args: &TailArgs, after: Option<&str>, is_first: bool) -> Call {
    let limit = if is_first { args.last.clamp(1, LIMIT) } else { LIMIT };
    let call = Call::get("/__isr/decisions").with("limit", limit);
    call.with_some("shard", args.shard.as_deref()).with_some("after", after)
}

/// Writes a decision as one line.
fn line(decision: &Value, is_json: bool, now: Timestamp) -> Result<String, Failure> {
    if is_json {
        return Ok(decision.to_string());
    }
    let Decision { at, kind, shard, key, reason, detail, invalidation, pages, duration_ms } = read(decision)?;
    let why = match (reason, detail) {
        (Some(reason), Some(detail)) => Some(format!("{reason}: {detail}")),
        (reason, detail) => reason.or(detail),
    };
    let parts = [
        key,
        why.map(|why| format!("({why})")),
        invalidation.map(|seq| format!("number {seq}")),
        pages.map(|pages| format!("{pages} pages")),
        duration_ms.map(|millis| words::duration(Duration::from_millis(millis))),
        shard.map(|shard| format!("[{shard}]")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| clean(&part)).collect();
    Ok(format!("{} {:<14} {}", words::clock(at, now), clean(&kind), parts.join(" ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::tests::with_answers;

    const ARGS: TailArgs = TailArgs { shard: None, last: 10, once: true, every: 1 };

    fn decision() -> Value {
        json!({
            "seq": 7, "at": 1_700_000_209_000_u64, "kind": "failed", "shard": "/blog/*#0", "key": "https://e.com/blog/a\u{1b}",
            "version": null, "reason": "site-error", "detail": "status 503", "invalidation": null, "pages": null, "durationMs": 1250,
        })
    }

    #[test]
    fn a_decision_is_one_line() {
        let now = Timestamp::from_millis(1_700_000_210_000);
        let text = line(&decision(), false, now).unwrap();
        assert_eq!(
            text,
            "22:16:49 failed         https://e.com/blog/a\\u{1b} (site-error: status 503) 1 s [/blog/*#0]"
        );
        assert_eq!(line(&decision(), true, now).unwrap(), decision().to_string());
        let sweep = json!({ "at": 1_700_000_209_000_u64, "kind": "invalidated", "invalidation": 9, "pages": 3, "detail": "stale tag a" });
        assert_eq!(line(&sweep, false, now).unwrap(), "22:16:49 invalidated    (stale tag a) number 9 3 pages");
    }

    #[test]
    fn coordinators_that_are_not_followed_are_noted() {
        let note = Checked { asked: 16, known: Some(40) }.note().unwrap();
        assert!(note.contains("16 of 40 coordinators"), "{note}");
        assert_eq!(Checked { asked: 3, known: Some(3) }.note(), None);
        assert_eq!(Checked::default().note(), None);
    }

    #[test]
    fn the_log_is_followed_from_where_it_was() {
        let first = json!({ "decisions": [decision()], "after": "7@%2Fblog%2F*%230", "more": true });
        let second = json!({ "decisions": [], "after": "7@%2Fblog%2F*%230", "more": false });
        let answers = [(200, first), (200, second)];
        let args = TailArgs { shard: Some("/blog/*#0".to_owned()), ..ARGS };
        let (verdict, calls) = with_answers(answers, |context| tail(context, &args));
        assert_eq!(verdict.unwrap(), Verdict::Yes);
        assert_eq!(
            calls,
            [
                "Get /__isr/decisions?limit=10&shard=/blog/*#0",
                "Get /__isr/decisions?limit=1000&shard=/blog/*#0&after=7@%2Fblog%2F*%230",
            ]
        );
    }

    #[test]
    fn a_failure_in_the_middle_is_survived_and_a_wrong_token_is_not() {
        let page = || (200, json!({ "decisions": [], "after": "" }));
        let busy = || (503, json!({ "error": { "code": "unavailable", "message": "try again" } }));
        let refused = (401, json!({ "error": { "code": "unauthorized", "message": "send the token" } }));
        let follow = TailArgs { once: false, last: 0, ..ARGS };
        let (verdict, calls) = with_answers([page(), busy(), page(), refused], |context| tail(context, &follow));
        assert_eq!((verdict.unwrap_err().code(), calls.len()), (3, 4));
        let (verdict, calls) = with_answers([busy()], |context| tail(context, &follow));
        assert_eq!((verdict.unwrap_err().code(), calls.len()), (5, 1));
    }
}
