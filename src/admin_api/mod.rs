//! The admin API over HTTP: the table of its endpoints, from which the dispatcher, the parsers of queries and the `OpenAPI`
//! document are derived. `src/edge/admin/` performs the operations.

mod arguments;
mod openapi;
mod overview;
mod parameter;
mod requests;
mod routes;

pub use self::arguments::{Arguments, QueryError};
pub use self::openapi::document;
pub use self::overview::Overview;
pub use self::parameter::{Parameter, ParameterKind};
pub use self::requests::{
    DecisionsRequest, EntriesRequest, EntryRequest, InvalidationsRequest, LeasesRequest, ListAfter, OverviewRequest,
    ShardsRequest, TagsRequest,
};
pub use self::routes::routes;

use self::parameter::{AFTER, LIMIT, optional, required};
use crate::visit::classify::ADMIN_PREFIX;

/// The most coordinators that one call asks. A list continues with the others.
pub const MAX_ASKED: u32 = 16;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Answers with what is known of many pages, tags or coordinators.
    Survey(Survey),
    /// Shows the progress of an invalidation.
    Invalidation,
    /// Inspects pages by tag, path or coordinator.
    Inspect,
    /// Explains a page.
    Explain,
    /// Checks the deployment.
    Health,
    /// Shows what isolates and objects have counted.
    Metrics,
    /// Invalidates pages.
    Revalidate,
}

/// A survey: its parameters are those of the endpoint, and its answer is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Lists the routes of the configuration.
    Routes,
    /// Lists the coordinators.
    Shards,
    /// Sums up some coordinators.
    Overview,
    /// Lists pages.
    Entries,
    /// Shows one page.
    Entry,
    /// Lists tags.
    Tags,
    /// Lists invalidations.
    Invalidations,
    /// Lists running renders.
    Leases,
    /// Reads the log of decisions.
    Decisions,
    /// Returns the `OpenAPI` document.
    OpenApi,
}

/// An endpoint. Each path has one method.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// What it does.
    pub operation: Operation,
    /// Its method.
    pub method: &'static str,
    /// Its path below [`ADMIN_PREFIX`]. `{seq}` at its end stands for a number.
    pub path: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The parameters of its query.
    pub parameters: &'static [Parameter],
    /// The schema of its answer, in `schemas.json`.
    pub answer: &'static str,
    /// Whether it also answers with a stream of events.
    pub streams: bool,
    /// Whether it answers with text instead of JSON.
    pub is_text: bool,
}

/// The placeholder in [`Endpoint::path`].
const SEQ: &str = "{seq}";

impl Endpoint {
    /// Finds the endpoint of a path, and the text in place of its placeholder.
    #[must_use]
    pub fn find(path: &str) -> Option<(&'static Self, &str)> {
        let path = path.strip_prefix(ADMIN_PREFIX)?;
        let is_exact = |endpoint: &&Self| endpoint.path == path;
        if let Some(endpoint) = ENDPOINTS.iter().find(is_exact) {
            return Some((endpoint, ""));
        }
        ENDPOINTS.iter().find_map(|endpoint| Some((endpoint, path.strip_prefix(endpoint.path.strip_suffix(SEQ)?)?)))
    }

    /// Returns whether its path has a placeholder.
    #[must_use]
    pub fn has_seq(&self) -> bool {
        self.path.ends_with(SEQ)
    }

    /// Returns the operation's name in the document: `getEntries`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{:?}", self.method.to_ascii_lowercase(), self.operation)
    }
}

const fn get(
    operation: Operation,
    path: &'static str,
    answer: &'static str,
    parameters: &'static [Parameter],
    summary: &'static str,
) -> Endpoint {
    Endpoint { operation, method: "GET", path, summary, parameters, answer, streams: false, is_text: false }
}

const SHARD: Parameter = optional("shard", ParameterKind::Shard, "Only this coordinator.");

/// Every endpoint.
pub const ENDPOINTS: &[Endpoint] = &[
    get(
        Operation::Survey(Survey::Routes),
        "/routes",
        "Routes",
        &[],
        "Lists the routes of the configuration, the most specific first.",
    ),
    get(
        Operation::Survey(Survey::Shards),
        "/shards",
        "Shards",
        &[
            optional("route", ParameterKind::Route, "Only coordinators of this route."),
            optional(
                "after",
                ParameterKind::Shard,
                "Only coordinators after this one: the `after` of the answer before.",
            ),
            LIMIT,
        ],
        "Lists the coordinators that have published a page, sorted by name.",
    ),
    get(
        Operation::Survey(Survey::Overview),
        "/overview",
        "Overview",
        &[optional(
            "after",
            ParameterKind::Shard,
            "Only coordinators after this one: the `after` of the answer before.",
        )],
        "Sums up at most 16 coordinators: pages by state, renders, breakers, L2, sweeps, tags, hottest and stalest pages, \
         recent invalidations.",
    ),
    get(
        Operation::Survey(Survey::Entries),
        "/entries",
        "Entries",
        &[
            optional("prefix", ParameterKind::Prefix, "Only pages at or below this path."),
            optional("tag", ParameterKind::Tag, "Only pages with this tag."),
            optional("route", ParameterKind::Route, "Only pages of this route."),
            SHARD,
            optional("state", ParameterKind::State, "Only pages in this state."),
            AFTER,
            LIMIT,
        ],
        "Lists pages, sorted by coordinator and key. A part may have fewer pages than `limit`, or none, although others \
         follow: continue while `after` is not null.",
    ),
    get(
        Operation::Survey(Survey::Entry),
        "/entry",
        "Entry",
        &[
            optional("url", ParameterKind::Url, "The absolute URL of the page. Give `url` or `path`."),
            optional("path", ParameterKind::Path, "The path of the page, for all its variants and queries."),
        ],
        "Shows the variants of a page.",
    ),
    get(
        Operation::Survey(Survey::Tags),
        "/tags",
        "Tags",
        &[
            optional("prefix", ParameterKind::TagPrefix, "Only tags that begin with this text."),
            optional("after", ParameterKind::Tag, "Only tags after this one: the `after` of the answer before."),
            LIMIT,
        ],
        "Lists the tags that coordinators carry, sorted.",
    ),
    get(
        Operation::Survey(Survey::Invalidations),
        "/invalidations",
        "InvalidationList",
        &[AFTER, LIMIT],
        "Lists the invalidations in the log, the newest first, with the progress of their delivery.",
    ),
    get(
        Operation::Invalidation,
        "/invalidations/{seq}",
        "Invalidation",
        &[],
        "Shows the progress of an invalidation, page by page.",
    ),
    get(
        Operation::Survey(Survey::Leases),
        "/leases",
        "Leases",
        &[
            SHARD,
            optional(
                "after",
                ParameterKind::Shard,
                "Only coordinators after this one: the `after` of the answer before.",
            ),
            LIMIT,
        ],
        "Lists the running and queued renders of at most 16 coordinators, the oldest first. `limit` holds for each.",
    ),
    Endpoint {
        streams: true,
        ..get(
            Operation::Survey(Survey::Decisions),
            "/decisions",
            "Decisions",
            &[
                SHARD,
                optional(
                    "after",
                    ParameterKind::Places,
                    "Only decisions after these: the `after` of the answer before.",
                ),
                LIMIT,
            ],
            "Reads the log of decisions of one coordinator, or of at most 16, merged by time, the oldest first. With \
             `Accept: text/event-stream`, the answer is a stream of events.",
        )
    },
    get(
        Operation::Inspect,
        "/inspect",
        "Inspection",
        &[
            optional("tag", ParameterKind::Tag, "The pages with this tag. Give one of `tag`, `path`, `shard`."),
            optional("path", ParameterKind::Path, "All variants of this path."),
            optional("shard", ParameterKind::Shard, "This coordinator and its pages."),
            AFTER,
            LIMIT,
        ],
        "Inspects pages by tag, path or coordinator.",
    ),
    get(
        Operation::Explain,
        "/explain",
        "Explanation",
        &[
            required("url", ParameterKind::Url, "The absolute URL of the page."),
            optional("detail", ParameterKind::Reason, "The `detail` of a response that is to be explained as well."),
        ],
        "Explains what the cache does with a page, here and now.",
    ),
    get(Operation::Health, "/health", "Health", &[], "Checks the deployment: 200 if nothing is wrong, otherwise 503."),
    Endpoint {
        is_text: true,
        ..get(
            Operation::Metrics,
            "/metrics",
            "Metrics",
            &[optional(
                "from",
                ParameterKind::Place,
                "The number of the first coordinator that is asked; the default is 0.",
            )],
            "Shows the metrics in the text format of Prometheus. Asks at most 16 coordinators.",
        )
    },
    Endpoint { method: "POST", ..get(Operation::Revalidate, "/revalidate", "Receipts", &[], "Invalidates pages.") },
    get(Operation::Survey(Survey::OpenApi), "/openapi.json", "Document", &[], "Returns this document."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_by_its_path() {
        for (path, operation, seq) in [
            ("/__isr/routes", Operation::Survey(Survey::Routes), ""),
            ("/__isr/invalidations", Operation::Survey(Survey::Invalidations), ""),
            ("/__isr/invalidations/7", Operation::Invalidation, "7"),
            ("/__isr/invalidations/", Operation::Invalidation, ""),
            ("/__isr/openapi.json", Operation::Survey(Survey::OpenApi), ""),
        ] {
            let found = Endpoint::find(path).map(|(endpoint, seq)| (endpoint.operation, seq));
            assert_eq!(found, Some((operation, seq)), "{path}");
        }
        for path in ["/__isr", "/__isr/", "/__isr/route", "/__isr/routes/", "/routes", "/__isrroutes"] {
            assert!(Endpoint::find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn paths_and_operations_are_declared_once() {
        for (at, endpoint) in ENDPOINTS.iter().enumerate() {
            let is_same = |other: &Endpoint| other.path == endpoint.path || other.operation == endpoint.operation;
            assert!(!ENDPOINTS[..at].iter().any(is_same), "{}", endpoint.path);
        }
    }
}
