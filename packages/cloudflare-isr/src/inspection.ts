import type { Mode } from "./invalidation.js";
import type { IsrReason } from "./reason.js";

/** Which part of a list is returned. */
export interface InspectOptions {
  /** The maximum number of entries: 1 to 1000. Default: 100. */
  limit?: number | null;
  /** The `after` of the previous part, unchanged. */
  after?: string | null;
}

/** Milliseconds since the Unix epoch. */
export type Millis = number;

/** The state of one page. */
export interface PageState {
  /** Its canonical URL, with its variant. */
  key: string;
  path: string;
  /** What its coordinator would do with a request now. */
  state: "fresh" | "stale" | "expired" | "passing" | "absent";
  /** The version of the published page; `null`: there is none. */
  version: string | null;
  /** The HTTP status of the published page. */
  status: number | null;
  bodyBytes: number | null;
  tags: string[];
  /** How often it was re-rendered, halved each day. */
  heat: number;
  renderBeganAt: Millis | null;
  renderedAt: Millis | null;
  /** The end of its freshness lifetime. If there is a version, `null` means that there is no end, here and in the next two fields. */
  freshUntil: Millis | null;
  /** The time until which it may be served while it is re-rendered. */
  staleUntil: Millis | null;
  /** The time until which it may be served as a fallback for a failing origin. */
  errorUntil: Millis | null;
  /** The invalidation with the strongest mode since its render began. */
  invalidated: InvalidatedBy | null;
  /** How many renders have failed since the last good one. */
  failures: number;
  failureBeganAt: Millis | null;
  /** The end of its back-off: no render begins before. */
  retryAt: Millis | null;
  /** The time until which the origin answers each request itself. */
  passUntil: Millis | null;
  /** Why its last render was not published, while that has an effect: it failed, or its response may not be stored. */
  unpublished: UnpublishedRender | null;
  /** The current render. */
  rendering: Rendering | null;
  /** The state of the page in L2. */
  l2: L2State;
}

/** The invalidation that made a page stale or expired. */
export interface InvalidatedBy {
  seq: number;
  kind: "path" | "tag" | "prefix" | "route" | "everything";
  /** The path, the tag, the prefix or the route. */
  name: string;
  mode: Mode;
  at: Millis;
}

/** A render that was not published. */
export interface UnpublishedRender {
  /** As in `detail` of `Cache-Status`. */
  reason: IsrReason;
  /** The status, the header or the limit that led to it: `status 503`, `cache-control: private`. */
  detail: string | null;
  /** When the render ended. */
  at: Millis;
}

/** A current render. */
export interface Rendering {
  /** `cold`: a request waits for it. `background`: a stale page is served meanwhile. */
  purpose: "cold" | "background";
  beganAt: Millis;
  /** When it is abandoned. */
  expiresAt: Millis;
  /** The number of previous renders that could not be used. */
  attempt: number;
}

/** The state of a page in L2. */
export interface L2State {
  state: "none" | "written" | "writing" | "deleting" | "unknown";
  version: string | null;
  writtenAt: Millis | null;
  /** When the pending write is attempted. */
  dueAt: Millis | null;
  /** The number of failed attempts of that write. */
  attempts: number;
}

/** Numbers of pages by state. */
export interface Totals {
  total: number;
  fresh: number;
  stale: number;
  expired: number;
}

/** The state of a coordinator. */
export interface ShardState {
  pages: Totals;
  /** The number of keys for which the origin answers each request itself. */
  passing: number;
  /** The number of keys whose last render failed. */
  failing: number;
  tags: number;
  /** The number of current and queued renders. */
  renders: number;
  /** Pending writes to L2, and those of them that failed at least once. */
  l2: { pending: number; failing: number };
  /** The circuit breaker. `closed`: renders begin normally. `open`: only those of invalidated pages. `half-open`: one begins, to test the origin. `failures`: pages whose last render failed. */
  breaker: { state: "closed" | "open" | "half-open"; failures: number; probeAt: Millis | null };
  /** Unfinished purges and eager refreshes, and the pages that they have not processed yet. */
  sweeps: { open: number; pages: number };
  /** The number of the latest invalidation that it has received. */
  lastInvalidation: number | null;
}

/** The answer of `inspectTag`. */
export interface TagInspection {
  tag: string;
  lastInvalidation: { seq: number; mode: Mode; at: Millis } | null;
  deliveries: { pending: number };
  /** How many coordinators have, or have had, pages with the tag. */
  shards: number;
  /** Counts all pages; present only in the first part of a list. */
  pages: Totals | null;
  entries: (PageState & { shard: string })[];
  /** Pass it unchanged to request the next part; `null`: there is none. */
  after: string | null;
}

/** The answer of `inspectPath`. */
export interface PathInspection {
  path: string;
  /** `null`: no route matches it. */
  route: string | null;
  /** Its coordinator. */
  shard: string | null;
  /** All variants. */
  entries: PageState[];
  /** Pass it unchanged to request the next part; `null`: there is none. */
  after: string | null;
}

/** The answer of `inspectShard`. */
export interface ShardInspection {
  shard: string;
  route: string;
  deliveries: { pending: number; oldestPending: number | null };
  /** Counts all pages; present only in the first part of a list. */
  state: ShardState | null;
  entries: PageState[];
  /** Pass it unchanged to request the next part; `null`: there is none. */
  after: string | null;
}
