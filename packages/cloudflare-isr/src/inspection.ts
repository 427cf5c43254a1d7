import type { Mode, Receipt } from "./invalidation.js";
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

/** How many coordinators were asked, how many have answered, and how many there are. */
export interface Checked {
  asked: number;
  answered: number;
  known: number;
}

/** Which coordinators an overview sums up. */
export interface OverviewOptions {
  /** The `after` of the previous overview: the next coordinators are summed up. */
  after?: string | null;
}

/** A page in a ranking. */
export interface RankedPage {
  shard: string;
  key: string;
  heat: number;
  renderedAt: Millis | null;
  renderedAtUtc?: string;
  freshUntil: Millis | null;
  freshUntilUtc?: string;
}

/** The answer of `overview`. */
export interface Overview {
  now: Millis;
  nowUtc: string;
  /** Sums over the coordinators in this answer. */
  totals: {
    /** All keys, including those without a page. */
    keys: number;
    pages: Totals;
    passing: number;
    failing: number;
    tags: number;
    renders: number;
    l2: { pending: number; failing: number };
    /** How many circuit breakers are in each state. */
    breaker: { closed: number; open: number; halfOpen: number };
    sweeps: { open: number; pages: number };
    /** How many coordinators have too many pages to count them now. Only their keys and breakers are in the sums. */
    uncounted: number;
  };
  coordinators: {
    shard: string;
    route: string;
    keys: number;
    /** `null`: it has too many pages to count them now. */
    state: ShardState | null;
    breaker: ShardState["breaker"];
    /** The number of its latest decision; 0: there is none. */
    lastDecision: number;
  }[];
  /** The ten pages that were re-rendered most often. */
  hottest: RankedPage[];
  /** The ten pages whose freshness ended first. */
  stalest: RankedPage[];
  /** The ten latest invalidations, the newest first. */
  invalidations: (Receipt & { at: Millis; atUtc: string })[];
  checked: Checked;
  /** The last coordinator in this answer, if others follow. */
  after: string | null;
}

/** Which decisions are returned. */
export interface DecisionOptions {
  /** Only those of this coordinator. Default: of the first 16 coordinators. */
  shard?: string | null;
  /** The `after` of the previous answer, unchanged. Default: the latest decisions. With `shard`, the number of a decision as well. */
  after?: string | number | null;
  /** The maximum number of decisions: 1 to 1000. Default: 100. */
  limit?: number | null;
}

/** A decision of a coordinator. */
export interface Decision {
  shard: string;
  /** Its number in the log of its coordinator. */
  seq: number;
  at: Millis;
  atUtc: string;
  kind:
    | "published"
    | "not-stored"
    | "failed"
    | "repeated"
    | "given-up"
    | "lost"
    | "evicted"
    | "forgotten"
    | "l2-refused"
    | "invalidated"
    | "swept"
    | "breaker-opened"
    | "breaker-closed";
  /** The page, if it concerns one page. */
  key: string | null;
  /** The version of the page, or the token of the render. */
  version: string | null;
  /** As in `detail` of `Cache-Status`. */
  reason: IsrReason | null;
  /** The status, the header, the limit or the target. */
  detail: string | null;
  /** The number of the invalidation. */
  invalidation: number | null;
  /** How many pages it concerns. */
  pages: number | null;
  /** The time from the lease of the render to its result. */
  durationMs: number | null;
}

/** The answer of `decisions`. */
export interface Decisions {
  /** The oldest first. */
  decisions: Decision[];
  /** Pass it unchanged to get later decisions. */
  after: string;
  /** Whether later decisions are there already. */
  more: boolean;
  checked: Checked;
}
