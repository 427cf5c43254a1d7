//! `isr tags` and `isr shard`: `GET /__isr/inspect?tag=` and `?shard=`.

use cloudflare_isr::Inspect;
use cloudflare_isr::internals::inspection::answer::{BreakerWord, LastInvalidation, ShardEntry, ShardState, Totals};
use serde::Deserialize;

use super::{Context, read};
use crate::args::ListArgs;
use crate::connection::Call;
use crate::failure::{Failure, Verdict};
use crate::show::{Listed, Report, Table, clean, facts_of_pages, number, when};

/// What an inspection is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question<'a> {
    /// All variants of a path.
    Path(&'a str),
    /// The pages that carry a tag.
    Tag(&'a str),
    /// A coordinator.
    Shard(&'a str),
}

impl Question<'_> {
    /// Makes the call. What the deployment would refuse is refused here, in the same words.
    pub(super) fn call(self, list: &ListArgs) -> Result<Call, Failure> {
        let (field, name) = match self {
            Self::Path(name) => ("path", name),
            Self::Tag(name) => ("tag", name),
            Self::Shard(name) => ("shard", name),
        };
        let call = Call::get("/__isr/inspect").with(field, name).with("limit", list.limit);
        let call = call.with_some("after", list.after.as_deref());
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.query).finish();
        Inspect::from_query(&query).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(call)
    }
}

/// Says how to continue a list, in a line of its own.
pub(super) fn more(after: Option<&str>) -> String {
    // In single quotes, a shell leaves everything as it is.
    after.map(|after| format!("\n\nMore follow: --after '{}'", clean(after).replace('\'', r"'\''"))).unwrap_or_default()
}

/// The answer about a tag.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagAnswer {
    tag: String,
    last_invalidation: Option<LastInvalidation>,
    deliveries: Deliveries,
    /// How many coordinators carry the tag.
    pub(super) shards: u64,
    /// How many pages carry it; `None`: in a later part of a list.
    pub(super) pages: Option<Totals>,
    /// Some of them.
    pub(super) entries: Vec<Listed>,
    /// The place at which the list continues.
    pub(super) after: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Deliveries {
    pending: u64,
}

/// Shows the pages that carry a tag.
pub(crate) fn tags(context: Context<'_>, tag: &str, list: &ListArgs) -> Result<Report, Failure> {
    let json = context.service.ask(&Question::Tag(tag).call(list)?)?;
    let answer: TagAnswer = read(&json)?;
    let now = context.clock.now();
    let mut facts = Table::of_facts();
    facts.fact("tag", &answer.tag);
    facts.fact_if("pages", answer.pages.map(totals));
    facts.fact("coordinators", answer.shards.to_string());
    let latest = answer
        .last_invalidation
        .map(|last| format!("number {}, {}, {}", last.seq, last.mode.as_str(), when(Some(last.at), now)));
    facts.fact_if("last invalidation", latest);
    facts.fact("pending deliveries", answer.deliveries.pending.to_string());
    let verdict = Verdict::of(!answer.entries.is_empty());
    Ok(Report { text: listed(context, facts, &answer.entries, answer.after.as_deref()), json, verdict })
}

#[derive(Debug, Deserialize)]
struct ShardAnswer {
    shard: String,
    route: String,
    deliveries: ShardDeliveries,
    state: Option<ShardState>,
    entries: Vec<Listed>,
    after: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShardDeliveries {
    pending: u64,
    oldest_pending: Option<u64>,
}

/// Shows a coordinator and its pages.
pub(crate) fn shard(context: Context<'_>, name: &str, list: &ListArgs) -> Result<Report, Failure> {
    let json = context.service.ask(&Question::Shard(name).call(list)?)?;
    let answer: ShardAnswer = read(&json)?;
    let mut facts = Table::of_facts();
    facts.fact("coordinator", &answer.shard);
    facts.fact("route", &answer.route);
    if let Some(state) = answer.state {
        facts.fact("pages", totals(state.pages));
        facts.fact("passing", state.passing.to_string());
        facts.fact("failing", state.failing.to_string());
        facts.fact("tags", state.tags.to_string());
        facts.fact("renders", state.renders.to_string());
        facts.fact("writes to L2", format!("{} pending, {} failing", state.l2.pending, state.l2.failing));
        let breaker = match state.breaker.state {
            BreakerWord::Closed => "closed",
            BreakerWord::Open => "open",
            BreakerWord::HalfOpen => "half open",
        };
        facts.fact("breaker", format!("{breaker}, {} of its pages failed lately", state.breaker.failures));
        facts.fact("sweeps", format!("{} open, {} pages to process", state.sweeps.open, state.sweeps.pages));
        facts.fact_if("last invalidation", state.last_invalidation.map(|seq| format!("number {seq}")));
    }
    let ShardEntry { pending, oldest_pending } =
        ShardEntry { pending: answer.deliveries.pending, oldest_pending: answer.deliveries.oldest_pending };
    let oldest = oldest_pending.map(|seq| format!(", the oldest is number {seq}")).unwrap_or_default();
    facts.fact("pending deliveries", format!("{pending}{oldest}"));
    Ok(Report { text: listed(context, facts, &answer.entries, answer.after.as_deref()), json, verdict: Verdict::Yes })
}

/// Writes the numbers of pages by state.
pub(super) fn totals(totals: Totals) -> String {
    let Totals { total, fresh, stale, expired } = totals;
    format!("{total}: {fresh} fresh, {stale} stale, {expired} expired")
}

fn listed(context: Context<'_>, facts: Table, entries: &[Listed], after: Option<&str>) -> String {
    let width = context.screen.width;
    let pages = match entries {
        [] => "No page is listed.".to_owned(),
        entries => {
            let table = facts_of_pages(entries, context.clock.now()).lines(width);
            format!("{table}\n\n{} listed.", number(entries.len() as u64, "page"))
        }
    };
    format!("{}\n\n{pages}{}", facts.lines(width), more(after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::tests::with_answers;
    use crate::show::tests::entry;

    const LIST: ListArgs = ListArgs { limit: 50, after: None };

    #[test]
    fn a_tag_is_shown_with_its_pages() {
        let mut page = entry("/blog/a");
        page["shard"] = json!("/blog/[slug]#0");
        let answer = json!({
            "tag": "post:42", "lastInvalidation": { "seq": 7, "mode": "stale", "at": 1_700_000_100_000_u64 },
            "deliveries": { "pending": 0 }, "shards": 1, "pages": { "total": 1, "fresh": 0, "stale": 1, "expired": 0 },
            "entries": [page], "after": null,
        });
        let (report, calls) = with_answers([(200, answer)], |context| tags(context, "post:42", &LIST));
        let report = report.unwrap();
        assert_eq!(calls, ["Get /__isr/inspect?tag=post:42&limit=50"]);
        assert_eq!(report.verdict, Verdict::Yes);
        for part in
            ["1: 0 fresh, 1 stale, 0 expired", "number 7, stale, 22:15:00", "in /blog/[slug]#0", "1 page listed."]
        {
            assert!(report.text.contains(part), "{}", report.text);
        }
        let nothing = json!({
            "tag": "x", "lastInvalidation": null, "deliveries": { "pending": 0 }, "shards": 0,
            "pages": { "total": 0, "fresh": 0, "stale": 0, "expired": 0 }, "entries": [], "after": null,
        });
        let (report, _) = with_answers([(200, nothing)], |context| tags(context, "x", &LIST));
        assert_eq!(report.unwrap().verdict, Verdict::No);
    }

    #[test]
    fn a_coordinator_is_shown_with_its_state() {
        let answer = json!({
            "shard": "/blog/[slug]#0", "route": "/blog/[slug]", "deliveries": { "pending": 2, "oldestPending": 5 },
            "state": {
                "pages": { "total": 3, "fresh": 1, "stale": 1, "expired": 1 }, "passing": 1, "failing": 2, "tags": 4, "renders": 1,
                "l2": { "pending": 1, "failing": 0 }, "breaker": { "state": "half-open", "failures": 3, "probeAt": null },
                "sweeps": { "open": 1, "pages": 9 }, "lastInvalidation": 7,
            },
            "entries": [], "after": "it's",
        });
        let list = ListArgs { limit: 1, after: Some("https://e.com/a".to_owned()) };
        let (report, calls) = with_answers([(200, answer)], |context| shard(context, "/blog/[slug]#0", &list));
        assert_eq!(calls, ["Get /__isr/inspect?shard=/blog/[slug]#0&limit=1&after=https://e.com/a"]);
        let text = report.unwrap().text;
        for part in [
            "half open, 3 of its pages",
            "2, the oldest is number 5",
            "1 open, 9 pages to process",
            r"--after 'it'\''s'",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn what_the_deployment_would_refuse_is_not_sent() {
        let long = ListArgs { limit: 1001, after: None };
        for (question, list, part) in [
            (Question::Tag(""), &LIST, "tag"),
            (Question::Tag("a"), &long, "from 1 to 1000"),
            (Question::Shard("tags#0"), &LIST, "coordinator's name"),
        ] {
            let failure = question.call(list).unwrap_err();
            assert!(failure.code() == 2 && failure.to_string().contains(part), "{failure}");
        }
    }
}
