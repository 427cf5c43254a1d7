//! `isr status`: `GET /__isr/health`.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use super::{Context, read};
use crate::connection::{Call, Service};
use crate::failure::{Failure, Verdict};
use crate::show::{Report, Table, Tone, number, paint};

/// The statuses of an answer to the health check.
const STATUSES: [u16; 2] = [200, 503];

/// The answer to the health check.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    /// Whether there is no problem.
    pub(crate) healthy: bool,
    /// The problems.
    pub(crate) problems: Vec<Problem>,
    /// What was asked.
    pub(crate) checked: Checked,
}

/// Something that is wrong.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    /// The kind, for programs.
    pub(crate) code: String,
    /// A sentence.
    pub(crate) message: String,
}

/// What was asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checked {
    tag_indexes: u64,
    coordinators: u64,
    of: Option<u64>,
}

impl Health {
    /// Asks for it. Returns the answer as it is as well.
    pub(crate) fn ask(service: &dyn Service) -> Result<(Value, Self), Failure> {
        let call = Call::get("/__isr/health");
        let answer = service.call(&call)?;
        // An unhealthy deployment answers with 503, as one does that can't answer at all.
        let json = if STATUSES.contains(&answer.status) && answer.json["healthy"].is_boolean() {
            answer.json
        } else {
            answer.success(&call)?
        };
        let health = read(&json)?;
        Ok((json, health))
    }
}

/// Says whether the deployment is healthy.
pub(crate) fn health(context: Context<'_>) -> Result<Report, Failure> {
    let (json, health) = Health::ask(context.service)?;
    let Checked { tag_indexes, coordinators, of } = &health.checked;
    let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
    let (word, tone) = if health.healthy { ("healthy", Tone::Good) } else { ("unhealthy", Tone::Bad) };
    let mut text = paint(word, tone, context.screen.is_colored);
    let asked = number(*tag_indexes, "tag index object");
    // Writing to a string can't fail.
    let _ = write!(text, ": asked {asked} and {coordinators}{of} coordinators");
    if !health.problems.is_empty() {
        let mut table = Table::with_head(&["PROBLEM", "WHAT IS WRONG"]);
        for problem in &health.problems {
            table.row([&problem.code, &problem.message]);
        }
        let _ = write!(text, "\n\n{}", table.lines(context.screen.width));
    }
    Ok(Report { json, text, verdict: Verdict::of(health.healthy) })
}

#[cfg(test)]
mod tests {
    use cloudflare_isr::ShardName;
    use cloudflare_isr::internals::inspection::health::{Health as Checked, HealthProblem};
    use serde_json::json;

    use super::*;
    use crate::commands::tests::with_answers;

    #[test]
    fn health_is_shown_as_the_core_writes_it() {
        let healthy = Checked { tag_indexes: 1, coordinators: 2, known_coordinators: Some(5), ..Checked::default() };
        let (report, calls) = with_answers([(200, healthy.to_json())], health);
        let report = report.unwrap();
        assert_eq!(report.text, "healthy: asked 1 tag index object and 2 of 5 coordinators");
        assert_eq!((report.verdict, calls), (Verdict::Yes, vec!["Get /__isr/health?".to_owned()]));

        let shard = ShardName::try_from("/*#0".to_owned()).unwrap();
        let problems = vec![HealthProblem::BreakerOpen { shard, failures: 9 }, HealthProblem::FeedNotCurrent];
        let unhealthy = Checked { problems, ..healthy };
        let (report, _) = with_answers([(unhealthy.status(), unhealthy.to_json())], health);
        let report = report.unwrap();
        assert_eq!(report.verdict, Verdict::No);
        let lines: Vec<&str> = report.text.lines().collect();
        assert!(lines[0].starts_with("unhealthy: ") && lines[2].starts_with("PROBLEM "), "{}", report.text);
        assert!(lines[3].starts_with("breaker_open ") && lines[3].ends_with("the origin fails for 9 pages"));
        assert_eq!(report.json, unhealthy.to_json());
    }

    #[test]
    fn a_deployment_that_can_not_answer_is_no_answer() {
        let error = json!({ "error": { "code": "unavailable", "message": "try again" } });
        for (status, code) in [(503, 5), (401, 3)] {
            let (report, _) = with_answers([(status, error.clone())], health);
            assert_eq!(report.unwrap_err().code(), code);
        }
    }
}
