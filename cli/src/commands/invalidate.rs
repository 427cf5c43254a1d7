//! `isr invalidate`: `POST /__isr/revalidate`.

use cloudflare_isr::Target;
use cloudflare_isr::internals::invalidation::Call as Parsed;
use serde_json::{Map, Value, json};

use super::dry_run::dry_run;
use super::receipt::Receipt;
use super::{Context, wait};
use crate::args::{InvalidateArgs, ModeArg};
use crate::connection::Call;
use crate::failure::{Failure, Verdict};
use crate::show::{Lines as _, Report, Table};

/// The most bytes of tags in one call. A deployment accepts bodies of up to 16 KiB.
const MAX_TAG_BYTES: usize = 8 * 1024;

/// The most tags in one call. Deployments of earlier versions accept 100 targets.
const MAX_TAGS: usize = 96;

/// Invalidates pages, and waits until that is done if it is wanted. A dry run changes nothing.
pub(crate) fn invalidate(context: Context<'_>, args: &InvalidateArgs) -> Result<Report, Failure> {
    let bodies = bodies(args);
    let parsed = bodies.iter().map(|body| Parsed::from_json(body).map_err(|error| Failure::Usage(error.to_string())));
    let targets: Vec<Target> =
        parsed.collect::<Result<Vec<_>, _>>()?.into_iter().flat_map(|call| call.targets).collect();
    if args.dry_run {
        return dry_run(context, &targets);
    }
    let mut receipts = Vec::new();
    for body in bodies {
        match record(context, body) {
            Ok(recorded) => receipts.extend(recorded),
            Err(failure) => {
                // What is recorded stays recorded: the caller has to know it.
                if !receipts.is_empty() {
                    context.screen.print(&report(context, &receipts, Verdict::No))?;
                }
                return Err(failure);
            }
        }
    }
    if !args.wait {
        return Ok(report(context, &receipts, Verdict::Yes));
    }
    let is_done = wait::until_done(context, &mut receipts, args.patience())?;
    Ok(report(context, &receipts, Verdict::of(is_done)))
}

/// Returns the bodies of the calls. A body has one path, prefix and route at most, and several tags.
fn bodies(args: &InvalidateArgs) -> Vec<Value> {
    let mut tags = chunks(&args.tag).into_iter();
    let mut bodies = Vec::new();
    for index in 0.. {
        let mut body = Map::new();
        for (name, values) in [("path", &args.path), ("prefix", &args.prefix), ("route", &args.route)] {
            body.extend(values.get(index).map(|value| (name.to_owned(), json!(value))));
        }
        body.extend(tags.next().map(|tags| ("tags".to_owned(), json!(tags))));
        if index == 0 && args.everything {
            body.insert("everything".to_owned(), json!(true));
        }
        // A call without a target is refused, with what to write.
        if body.is_empty() && index > 0 {
            break;
        }
        let mode = match args.mode {
            ModeArg::Expire => "expire",
            ModeArg::Stale => "stale",
            ModeArg::Purge => "purge",
        };
        body.insert("mode".to_owned(), json!(mode));
        body.insert("refresh".to_owned(), json!(if args.eager { "eager" } else { "lazy" }));
        bodies.push(Value::Object(body));
    }
    bodies
}

/// Divides tags among calls.
fn chunks(tags: &[String]) -> Vec<Vec<&str>> {
    let mut chunks: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for tag in tags {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < MAX_TAGS && bytes + tag.len() <= MAX_TAG_BYTES => chunk.push(tag),
            _ => {
                bytes = 0;
                chunks.push(vec![tag]);
            }
        }
        bytes += tag.len();
    }
    chunks
}

fn record(context: Context<'_>, body: Value) -> Result<Vec<Receipt>, Failure> {
    let answer = context.service.ask(&Call::post("/__isr/revalidate", body))?;
    let receipts = answer["invalidations"].as_array();
    let receipts = receipts.ok_or_else(|| Failure::Misunderstood("it contains no `invalidations`".to_owned()))?;
    receipts.iter().map(Receipt::read).collect()
}

/// Makes a report of receipts.
fn report(context: Context<'_>, receipts: &[Receipt], verdict: Verdict) -> Report {
    let mut table = Table::with_head(&["NUMBER", "TARGET", "MODE", "PAGES", "APPLIED", "PENDING"]);
    for receipt in receipts {
        table.row(receipt.row());
    }
    let json = json!({ "invalidations": receipts.iter().map(|receipt| &receipt.json).collect::<Vec<_>>() });
    let mut text = table.lines(context.screen.width);
    if verdict == Verdict::No {
        text.paragraph("Not everything is done yet. The tag index goes on until every coordinator has applied it.");
    }
    Report { json, text, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::with_answers;

    fn receipt(seq: u64, pending: u64) -> Value {
        json!({
            "seq": seq, "tag": "post:42", "mode": "expire", "refresh": "lazy", "pages": { "matched": 3 },
            "shards": { "applied": 2 - pending, "pending": pending },
        })
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn arguments_become_as_few_calls_as_possible() {
        let args = InvalidateArgs {
            path: texts(&["/a", "/b"]),
            tag: texts(&["x", "y"]),
            route: texts(&["/blog/*"]),
            mode: ModeArg::Stale,
            eager: true,
            ..InvalidateArgs::default()
        };
        let expected = [
            json!({ "path": "/a", "route": "/blog/*", "tags": ["x", "y"], "mode": "stale", "refresh": "eager" }),
            json!({ "path": "/b", "mode": "stale", "refresh": "eager" }),
        ];
        assert_eq!(bodies(&args), expected);
        let everything = InvalidateArgs { everything: true, ..InvalidateArgs::default() };
        assert_eq!(bodies(&everything), [json!({ "everything": true, "mode": "expire", "refresh": "lazy" })]);
        for (tags, calls) in [(vec!["t".to_owned(); 200], 3), (vec!["t".repeat(5000); 3], 3)] {
            let args = InvalidateArgs { tag: tags, ..InvalidateArgs::default() };
            let bodies = bodies(&args);
            assert_eq!(bodies.len(), calls);
            assert!(bodies.iter().all(|body| Parsed::from_json(body).is_ok() && body.to_string().len() <= 16 * 1024));
        }
    }

    #[test]
    fn a_wrong_target_is_refused_before_anything_is_invalidated() {
        for (args, part) in [
            (InvalidateArgs::default(), "name what to invalidate"),
            (InvalidateArgs { path: texts(&["/a", "b"]), ..InvalidateArgs::default() }, "must begin with `/`"),
            (InvalidateArgs { path: texts(&["/a?b"]), ..InvalidateArgs::default() }, "without query"),
            (InvalidateArgs { tag: texts(&[""]), ..InvalidateArgs::default() }, "tag"),
        ] {
            let (failure, calls) = with_answers([], |context| invalidate(context, &args).unwrap_err());
            assert!(failure.code() == 2 && failure.to_string().contains(part), "{failure}");
            assert_eq!(calls.len(), 0);
        }
    }

    #[test]
    fn receipts_are_shown() {
        let args = InvalidateArgs { tag: texts(&["post:42"]), ..InvalidateArgs::default() };
        let answer = json!({ "invalidations": [receipt(7, 1)] });
        let (report, calls) = with_answers([(200, answer.clone())], |context| invalidate(context, &args));
        let report = report.unwrap();
        assert_eq!((&report.json, report.verdict), (&answer, Verdict::Yes));
        assert_eq!(
            report.text,
            "NUMBER  TARGET       MODE    PAGES  APPLIED  PENDING\n7       tag post:42  expire  3      1        1"
        );
        assert_eq!(calls, [r#"Post /__isr/revalidate? {"mode":"expire","refresh":"lazy","tags":["post:42"]}"#]);
    }

    #[test]
    fn waiting_ends_when_nothing_is_pending_or_time_is_up() {
        let args = InvalidateArgs { tag: texts(&["post:42"]), wait: true, timeout: 1, ..InvalidateArgs::default() };
        let first = (200, json!({ "invalidations": [receipt(7, 1)] }));
        let busy = (503, json!({ "error": { "code": "unavailable", "message": "try again" } }));
        for (answers, verdict, asked) in [
            (vec![first.clone(), (200, receipt(7, 0))], Verdict::Yes, 2),
            (vec![first.clone(), busy.clone(), (200, receipt(7, 0))], Verdict::Yes, 3),
            (vec![first.clone(), (200, receipt(7, 1)), (200, receipt(7, 1))], Verdict::No, 3),
            (vec![(200, json!({ "invalidations": [receipt(7, 0)] }))], Verdict::Yes, 1),
        ] {
            let (report, calls) = with_answers(answers, |context| invalidate(context, &args));
            assert_eq!((report.unwrap().verdict, calls.len()), (verdict, asked));
            assert!(calls[1..].iter().all(|call| call == "Get /__isr/invalidations/7?"), "{calls:?}");
        }
        let (failure, _) =
            with_answers([first, busy.clone(), busy.clone(), busy], |context| invalidate(context, &args));
        assert_eq!(failure.unwrap_err().code(), 5);
    }

    #[test]
    fn an_eager_refresh_is_done_when_its_pages_are() {
        let args =
            InvalidateArgs { everything: true, eager: true, wait: true, timeout: 9, ..InvalidateArgs::default() };
        let progress = |pending: u64| {
            let mut receipt = receipt(7, 0);
            receipt["pages"] = json!({ "matched": 3, "refreshed": 3 - pending, "failed": 0, "pending": pending });
            receipt
        };
        let mut first = receipt(7, 0);
        first["refresh"] = json!("eager");
        let answers = [(200, json!({ "invalidations": [first] })), (200, progress(2)), (200, progress(0))];
        let (report, calls) = with_answers(answers, |context| invalidate(context, &args));
        assert_eq!((report.unwrap().verdict, calls.len()), (Verdict::Yes, 3));
    }
}
