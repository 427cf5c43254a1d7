//! Data points for Workers Analytics Engine, if a dataset is bound as `ISR_ANALYTICS`.
//!
//! Each isolate writes the points of a minute by itself, so no object sums anything, and there is no bound on the number of
//! coordinators. A point has one index of at most 96 bytes, and an invocation writes at most 250 points (Cloudflare,
//! "Workers Analytics Engine: limits").

use crate::metrics::messages::{RequestCount, RequestCounts};

/// The most bytes of an index.
pub const MAX_INDEX_BYTES: usize = 96;

/// The most points of one invocation.
pub const MAX_POINTS: usize = 250;

/// One point: the requests of a minute with the same labels.
#[derive(Clone, Debug, PartialEq)]
pub struct DataPoint {
    /// The route, by which Analytics Engine samples.
    pub index: String,
    /// `blob1` to `blob4`: the route, the outcome, the reason or an empty text, the version of this cache.
    pub blobs: [String; 4],
    /// `double1`: the number of requests.
    pub doubles: [f64; 1],
}

/// Returns the points for what was counted, the most frequent labels first.
#[must_use]
pub fn points(counts: &RequestCounts) -> Vec<DataPoint> {
    let mut requests: Vec<&RequestCount> = counts.requests.iter().collect();
    requests.sort_by_key(|count| std::cmp::Reverse(count.requests));
    requests.into_iter().take(MAX_POINTS).map(point).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a number of requests in a minute")]
fn point(count: &RequestCount) -> DataPoint {
    let RequestCount { route, outcome, reason, requests } = count;
    let mut end = route.as_str().len().min(MAX_INDEX_BYTES);
    while !route.as_str().is_char_boundary(end) {
        end -= 1;
    }
    DataPoint {
        index: route.as_str().split_at(end).0.to_owned(),
        blobs: [
            route.to_string(),
            outcome.as_str().to_owned(),
            reason.map_or_else(String::new, |reason| reason.name().to_owned()),
            env!("CARGO_PKG_VERSION").to_owned(),
        ],
        doubles: [*requests as f64],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use crate::route::RouteId;
    use crate::semantics::cache_status::CacheOutcome;

    fn count(route: &str, reason: Option<Reason>, requests: u64) -> RequestCount {
        RequestCount { route: RouteId::from_stored(route).unwrap(), outcome: CacheOutcome::Stale, reason, requests }
    }

    #[test]
    fn one_point_for_each_route_and_outcome() {
        let requests = vec![count("/a", None, 2), count("/b/[id]", Some(Reason::Aged), 7)];
        let points = points(&RequestCounts { requests, ..RequestCounts::default() });
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(points.len(), 2);
        assert_eq!(points[0].index, "/b/[id]");
        assert_eq!(points[0].blobs, ["/b/[id]", "STALE", "aged", version].map(str::to_owned));
        assert_eq!((points[0].doubles, points[1].blobs[2].as_str()), ([7.0], ""));
    }

    #[test]
    fn points_are_within_the_limits_of_the_platform() {
        let long = format!("/{}", "ä".repeat(100));
        let requests = (0..1000).map(|number| count(&long, None, number)).collect();
        let points = points(&RequestCounts { requests, ..RequestCounts::default() });
        assert_eq!((points.len(), points[0].doubles), (MAX_POINTS, [999.0]));
        assert!(points.iter().all(|point| point.index.len() <= MAX_INDEX_BYTES));
    }
}
