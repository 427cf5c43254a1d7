//! `isr entry`: `GET /__isr/inspect?path=`.

use cloudflare_isr::CanonicalPath;
use serde::Deserialize;

use super::lists::{Question, more};
use super::{Context, read};
use crate::args::ListArgs;
use crate::failure::{Failure, Verdict};
use crate::show::{Lines as _, Listed, Report, Table, clean, facts_of_pages};

#[derive(Debug, Deserialize)]
struct Entry {
    path: String,
    route: Option<String>,
    shard: Option<String>,
    entries: Vec<Listed>,
    after: Option<String>,
}

/// Shows all variants of a page.
pub(crate) fn entry(context: Context<'_>, page: &str, list: &ListArgs) -> Result<Report, Failure> {
    // A path has no query: all variants of it are shown.
    let url = context.site.page(page)?;
    let path = CanonicalPath::parse(url.path()).map_err(|error| Failure::Usage(error.of_path()))?;
    let call = Question::Path(path.as_str()).call(list)?;
    let json = context.service.ask(&call)?;
    let answer: Entry = read(&json)?;
    let mut text = match (&answer.route, &answer.shard) {
        (Some(route), Some(shard)) => {
            format!(
                "{}: route {}, coordinator {}, {}",
                clean(&answer.path),
                clean(route),
                clean(shard),
                entries(answer.entries.len())
            )
        }
        _ => format!("{}: no route matches it, so requests for it never reach the cache", clean(&answer.path)),
    };
    if !answer.entries.is_empty() {
        let now = context.clock.now();
        text.paragraph(&facts_of_pages(&answer.entries, now).lines(context.screen.width));
        let mut tags = Table::of_facts();
        for Listed { page, .. } in answer.entries.iter().filter(|listed| !listed.page.tags.is_empty()) {
            let names: Vec<&str> = page.tags.iter().map(cloudflare_isr::Tag::as_str).collect();
            tags.fact(page.key.as_str(), format!("tags: {}", names.join(", ")));
        }
        if !tags.is_empty() {
            text.paragraph(&tags.lines(context.screen.width));
        }
    }
    text += &more(answer.after.as_deref());
    Ok(Report { verdict: Verdict::of(!answer.entries.is_empty()), text, json })
}

fn entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::tests::with_answers;
    use crate::show::tests::entry as page;

    const LIST: ListArgs = ListArgs { limit: 100, after: None };

    #[test]
    fn all_variants_of_a_path_are_listed() {
        let answer = json!({
            "path": "/blog/a", "route": "/blog/[slug]", "shard": "/blog/[slug]#0", "entries": [page("/blog/a")], "after": "next",
        });
        for argument in [
            "/blog/a?x=1",
            "https://example.com/blog/a",
            "//blog/a".trim_start_matches('/').replacen("blog", "/blog", 1).as_str(),
        ] {
            let (report, calls) = with_answers([(200, answer.clone())], |context| entry(context, argument, &LIST));
            let report = report.unwrap();
            assert_eq!(calls, ["Get /__isr/inspect?path=/blog/a&limit=100"]);
            assert!(
                report.text.starts_with("/blog/a: route /blog/[slug], coordinator /blog/[slug]#0, 1 entry\n\nPAGE ")
            );
            assert!(report.text.contains("tags: post:42") && report.text.ends_with("More follow: --after 'next'"));
            assert_eq!(report.verdict, Verdict::Yes);
        }
    }

    #[test]
    fn a_path_without_entries_is_not_found() {
        let answer = json!({ "path": "/a", "route": null, "shard": null, "entries": [], "after": null });
        let (report, _) = with_answers([(200, answer)], |context| entry(context, "/a", &LIST));
        let report = report.unwrap();
        assert_eq!(
            (report.verdict, report.text.as_str()),
            (Verdict::No, "/a: no route matches it, so requests for it never reach the cache")
        );
    }
}
