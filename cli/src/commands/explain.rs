//! `isr why`: `GET /__isr/explain`.

use std::time::Duration;

use cloudflare_isr::internals::inspection::words;
use cloudflare_isr::{Explain, Timestamp};
use serde_json::Value;

use super::Context;
use crate::connection::Call;
use crate::failure::{Failure, Verdict};
use crate::show::{Report, Table, clean, when};

/// Explains what the cache does with a page.
pub(crate) fn explain(context: Context<'_>, page: &str, detail: Option<&str>) -> Result<Report, Failure> {
    let url = context.site.page(page)?;
    let call = Call::get("/__isr/explain").with("url", &url).with_some("detail", detail);
    // The deployment would refuse the same, in the same words.
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.query).finish();
    Explain::from_query(&query).map_err(|error| Failure::Usage(error.to_string()))?;
    let json = context.service.ask(&call)?;
    let explanation =
        json["explanation"].as_str().ok_or_else(|| Failure::Misunderstood("it contains no explanation".to_owned()))?;
    let text = format!("{}\n\n{}", clean(explanation), facts(&json["facts"]).lines(context.screen.width));
    Ok(Report { text, json, verdict: Verdict::Yes })
}

/// Makes a table of the facts. A fact that is not known is left out.
fn facts(facts: &Value) -> Table {
    let now = time(&facts["now"]).unwrap_or_default();
    let text = |pointer: &str| facts.pointer(pointer).and_then(Value::as_str);
    let mut table = Table::of_facts();
    table.fact_if("page", text("/key").or_else(|| text("/url")));
    table.fact_if("route", route(&facts["route"]));
    table.fact_if("passed", text("/passed").map(|reason| format!("requests never reach the cache: {reason}")));
    table.fact_if("coordinator", text("/shard"));
    table.fact_if("unreachable", text("/unreachable"));
    table.fact_if("state", state(&facts["page"], now));
    table.fact_if("breaker", text("/breaker/state").filter(|state| *state != "closed"));
    for tier in ["l1", "l2"] {
        table.fact_if(if tier == "l1" { "L1" } else { "L2" }, holds(&facts[tier], now));
    }
    let feed = facts["feed"]["isCurrent"].as_bool();
    table.fact_if("feed", feed.map(|is_current| if is_current { "current" } else { "not current: nothing is fresh" }));
    let reason = text("/request/reason").map(|reason| format!(" ({reason})")).unwrap_or_default();
    table.fact_if("request", text("/request/status").map(|status| format!("{status}{reason}")));
    table
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_u64().map(Timestamp::from_millis)
}

fn route(route: &Value) -> Option<String> {
    let pattern = route["pattern"].as_str()?;
    let seconds = |name: &str| route[name].as_u64().map(|seconds| words::duration(Duration::from_secs(seconds)));
    let fresh = match route["revalidateSeconds"].as_u64() {
        Some(0) => "never stored".to_owned(),
        Some(seconds) => format!("fresh for {}", words::duration(Duration::from_secs(seconds))),
        None => "never ages".to_owned(),
    };
    let stale = seconds("expireSeconds").map(|time| format!(", stale for {time}")).unwrap_or_default();
    Some(format!("{pattern}: {fresh}{stale}"))
}

fn state(page: &Value, now: Timestamp) -> Option<String> {
    let state = page["state"].as_str()?;
    let rendered = time(&page["renderedAt"]).map(|at| format!(", rendered {}", words::clock(at, now)));
    let fresh = time(&page["freshUntil"]).map(|at| format!(", fresh until {}", words::clock(at, now)));
    let failures = page["failures"].as_u64().filter(|failures| *failures > 0);
    let failures = failures.map(|failures| format!(", failed {failures} times"));
    let retry = time(&page["retryAt"]).map(|at| format!(", next attempt {}", words::clock(at, now)));
    let parts = [rendered, fresh, failures, retry].into_iter().flatten();
    Some(format!("{state}{}", parts.collect::<String>()))
}

fn holds(tier: &Value, now: Timestamp) -> Option<String> {
    let holds = tier["holds"].as_str()?;
    let invalidated = tier["invalidated"].as_str().map(|mode| format!(", invalidated ({mode})"));
    let until = match holds {
        "page" => Some(format!(
            ", fresh until {}",
            time(&tier["freshUntil"]).map_or("for ever".to_owned(), |at| when(Some(at), now))
        )),
        "marker" => Some(format!(", passes until {}", when(time(&tier["passUntil"]), now))),
        _ => None,
    };
    let reason = tier["reason"].as_str().map(|reason| format!(" ({reason})"));
    Some(format!("{holds}{}", [until, invalidated, reason].into_iter().flatten().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::tests::with_answers;

    #[test]
    fn the_sentence_comes_before_the_facts() {
        let answer = json!({
            "explanation": "Stale since 22:18:20 UTC: rendered 22:13:20, fresh for 5 min.",
            "facts": {
                "now": 1_700_000_310_000_u64, "url": "https://example.com/blog/hello", "key": "https://example.com/blog/hello",
                "route": { "pattern": "/blog/[slug]", "revalidateSeconds": 300, "expireSeconds": 604_800, "staleIfErrorSeconds": 604_800 },
                "passed": null, "shard": "/blog/[slug]#0", "unreachable": null,
                "page": { "state": "stale", "renderedAt": 1_700_000_000_000_u64, "freshUntil": 1_700_000_300_000_u64, "failures": 1,
                  "retryAt": 1_700_000_320_000_u64 },
                "breaker": { "state": "closed", "failures": 0, "probeAt": null },
                "l1": { "holds": "page", "freshUntil": 1_700_000_300_000_u64, "invalidated": null, "passUntil": null, "reason": null },
                "l2": { "holds": "nothing" }, "feed": { "isCurrent": true },
                "request": { "status": "STALE", "reason": "aged" },
            },
        });
        let (report, calls) =
            with_answers([(200, answer)], |context| explain(context, "/blog/hello", Some("queue-full")));
        let expected = "\
Stale since 22:18:20 UTC: rendered 22:13:20, fresh for 5 min.

page         https://example.com/blog/hello
route        /blog/[slug]: fresh for 5 min, stale for 7 d
coordinator  /blog/[slug]#0
state        stale, rendered 22:13:20, fresh until 22:18:20, failed 1 times, next attempt 22:18:40
L1           page, fresh until 22:18:20
L2           nothing
feed         current
request      STALE (aged)";
        assert_eq!(report.unwrap().text, expected);
        assert_eq!(calls, ["Get /__isr/explain?url=https://example.com/blog/hello&detail=queue-full"]);
    }

    #[test]
    fn a_wrong_argument_is_refused_without_a_call() {
        for (page, detail) in [("blog", None), ("/a", Some("unheard-of"))] {
            let (failure, calls) = with_answers([], |context| explain(context, page, detail).unwrap_err());
            assert_eq!((failure.code(), calls.len()), (2, 0), "{failure}");
        }
    }
}
