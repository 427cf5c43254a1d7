import type { InvalidatedBy, Millis, PageState, ShardState } from "./inspection.js";
import type { IsrReason } from "./reason.js";

/** What else is to be explained. */
export interface ExplainOptions {
  /** The `detail` that `Cache-Status` of a response had. */
  detail?: string | null;
}

/** The answer of `explain`. */
export interface Explanation {
  /** What the cache does with the page, and why, in a few sentences. */
  explanation: string;
  /**
   * What the sentences are made of. Beside each time in milliseconds there is the same in ISO 8601: `freshUntilUtc` beside
   * `freshUntil`.
   */
  facts: ExplainedFacts;
}

/** What is known of a page, for a GET without headers. */
export interface ExplainedFacts {
  now: Millis;
  url: string;
  /** `null`: no route matches the URL. */
  route: { pattern: string; revalidateSeconds: number | null; expireSeconds: number; staleIfErrorSeconds: number } | null;
  /** Its canonical URL, with its variant. */
  key: string | null;
  /** Why requests for the URL never reach the cache: a reason, `never-stored` (`revalidate = 0`), or `admin` (the cache's own path). */
  passed: IsrReason | "never-stored" | "admin" | null;
  /** Its coordinator. */
  shard: string | null;
  /** Why the coordinator could not be asked. */
  unreachable: IsrReason | null;
  /** What the coordinator knows of the page. */
  page: PageState | null;
  /** The circuit breaker of the coordinator. */
  breaker: ShardState["breaker"] | null;
  /** What L1 of the colo holds in which the call runs. */
  l1: TierFacts;
  /** What L2 holds, as seen from there. */
  l2: TierFacts;
  /** What is known of invalidations there. If it is not current, no page is fresh. */
  feed: { isCurrent: boolean; completeUntil: Millis | null };
  /** What a request would get there now: `X-ISR-Status`, and `detail` of `Cache-Status`. */
  request: { status: "HIT" | "STALE" | "MISS" | "SKIP" | "BYPASS" | null; reason: IsrReason | null };
}

/** What a tier holds. */
export interface TierFacts {
  /** `marker`: it remembers that the page is not stored. */
  holds: "nothing" | "page" | "marker";
  version: string | null;
  freshUntil: Millis | null;
  /** The mode of the strongest known invalidation of the page. */
  invalidated: InvalidatedBy["mode"] | null;
  passUntil: Millis | null;
  /** Why the page is not stored. */
  reason: IsrReason | null;
}
