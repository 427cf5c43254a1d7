//! Pages as coordinators report them.

use cloudflare_isr::Timestamp;
use cloudflare_isr::internals::inspection::answer::{L2Status, PageState, RenderPurpose, State};
use cloudflare_isr::internals::inspection::words;
use serde::Deserialize;

use super::{Table, when};

/// A page in a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    /// The page.
    #[serde(flatten)]
    pub(crate) page: PageState,
    /// Its coordinator, in lists over several of them.
    #[serde(default)]
    pub(crate) shard: Option<String>,
}

/// Makes a table of pages.
pub(crate) fn facts_of_pages(pages: &[Listed], now: Timestamp) -> Table {
    let mut table = Table::with_head(&["PAGE", "STATE", "STATUS", "BYTES", "RENDERED", "FRESH UNTIL", "L2", "REMARKS"]);
    for Listed { page, shard } in pages {
        let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let fresh_until = match (page.version, page.fresh_until) {
            (Some(_), None) => "for ever".to_owned(),
            (_, until) => when(until, now),
        };
        table.row([
            page.key.as_str(),
            state(page.state),
            &number(page.status.map(u64::from)),
            &number(page.body_bytes),
            &when(page.rendered_at, now),
            &fresh_until,
            l2(page.l2.state),
            &remarks(page, shard.as_deref(), now),
        ]);
    }
    table
}

/// Writes the state of a page.
const fn state(state: State) -> &'static str {
    match state {
        State::Fresh => "fresh",
        State::Stale => "stale",
        State::Expired => "expired",
        State::Passing => "passing",
        State::Absent => "absent",
    }
}

const fn l2(status: L2Status) -> &'static str {
    match status {
        L2Status::None => "–",
        L2Status::Written => "written",
        L2Status::Writing => "writing",
        L2Status::Deleting => "deleting",
        L2Status::Unknown => "unknown",
    }
}

/// Writes what is unusual about a page.
fn remarks(page: &PageState, shard: Option<&str>, now: Timestamp) -> String {
    let invalidated = page.invalidated.as_ref().map(|by| {
        let name = if by.kind == by.name || by.name.is_empty() { String::new() } else { format!(" {}", by.name) };
        format!("invalidated by {}{name} (number {}, {})", by.kind, by.seq, by.mode.as_str())
    });
    let failures = (page.failures > 0).then(|| {
        let retry = page.retry_at.map(|at| format!(", next attempt {}", words::clock(at, now))).unwrap_or_default();
        format!("failed {} times{retry}", page.failures)
    });
    let unpublished = page.unpublished.as_ref().map(|render| {
        let detail = render.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("not published ({}{detail})", render.reason)
    });
    let passing = page.pass_until.map(|until| format!("passes until {}", words::clock(until, now)));
    let rendering = page.rendering.map(|render| {
        let purpose = match render.purpose {
            RenderPurpose::Cold => "for a client",
            RenderPurpose::Background => "in the background",
        };
        format!("rendering {purpose} since {}", words::clock(render.began_at, now))
    });
    let attempts = (page.l2.attempts > 0).then(|| format!("L2 refused {} writes", page.l2.attempts));
    let shard = shard.map(|shard| format!("in {shard}"));
    let all = [invalidated, failures, unpublished, passing, rendering, attempts, shard];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The answer about a page, as a deployment writes it.
    pub(crate) fn entry(path: &str) -> Value {
        json!({
            "key": format!("https://example.com{path}"), "path": path, "state": "stale",
            "version": "01HF7YAT00000000000000000A", "status": 200, "bodyBytes": 1234, "tags": ["post:42"], "heat": 3,
            "renderBeganAt": 1_700_000_000_000_u64, "renderedAt": 1_700_000_000_100_u64, "freshUntil": 1_700_000_300_000_u64,
            "staleUntil": 1_700_604_800_000_u64, "errorUntil": 1_700_604_800_000_u64,
            "invalidated": { "seq": 7, "kind": "tag", "name": "post:42", "mode": "stale", "at": 1_700_000_100_000_u64 },
            "failures": 2, "failureBeganAt": 1_700_000_200_000_u64, "retryAt": 1_700_000_207_000_u64, "passUntil": null,
            "unpublished": { "reason": "site-error", "detail": "status 503", "at": 1_700_000_201_000_u64 },
            "rendering": { "purpose": "background", "beganAt": 1_700_000_206_000_u64, "expiresAt": 1_700_000_266_000_u64, "attempt": 0 },
            "l2": { "state": "written", "version": "01HF7YAT00000000000000000A", "writtenAt": 1_700_000_001_000_u64, "dueAt": null, "attempts": 0 },
        })
    }

    #[test]
    fn a_page_is_a_row_with_what_is_unusual_about_it() {
        let mut value = entry("/blog/a");
        value["shard"] = json!("/blog/[slug]#0");
        let listed: Listed = serde_json::from_value(value).unwrap();
        let table = facts_of_pages(&[listed], Timestamp::from_millis(1_700_000_210_000)).lines(None);
        let (head, row) = table.split_once('\n').unwrap();
        assert!(head.starts_with("PAGE ") && head.ends_with("REMARKS"), "{head}");
        for part in [
            "https://example.com/blog/a  stale  200     1234   22:13:20  22:18:20     written",
            "invalidated by tag post:42 (number 7, stale); failed 2 times, next attempt 22:16:47; not published (site-error: \
             status 503); rendering in the background since 22:16:46; in /blog/[slug]#0",
        ] {
            assert!(row.contains(part), "{row}");
        }
    }
}
