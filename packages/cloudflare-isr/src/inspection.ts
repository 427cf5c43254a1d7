import type { Mode } from "./invalidation.js";

/** Which part of a list is shown. */
export interface InspectOptions {
  /** The most entries: 1 to 1000. Default: 100. */
  limit?: number | null;
  /** The `after` of the part before, as it is. */
  after?: string | null;
}

/** Milliseconds since the Unix epoch. */
export type Millis = number;

/** What is known of one page. */
export interface PageState {
  /** Its canonical URL, with what makes it a variant. */
  key: string;
  path: string;
  /** What its coordinator would do with a request now. */
  state: "fresh" | "stale" | "expired" | "passing" | "absent";
  /** The render that is published; `null`: nothing is. */
  version: string | null;
  /** The HTTP status of the published page. */
  status: number | null;
  bodyBytes: number | null;
  tags: string[];
  /** How often it was rendered again of late. */
  heat: number;
  renderBeganAt: Millis | null;
  renderedAt: Millis | null;
  /** Until when it is fresh; with a version, `null` means without end, here and in the next two. */
  freshUntil: Millis | null;
  /** Until when it may be served while it is rendered again. */
  staleUntil: Millis | null;
  /** Until when it may stand in for a failing site. */
  errorUntil: Millis | null;
  /** The strongest invalidation since its render began. */
  invalidated: InvalidatedBy | null;
  /** How many renders have failed since the last good one. */
  failures: number;
  failureBeganAt: Millis | null;
  /** No render begins before. */
  retryAt: Millis | null;
  /** Until when the site answers each visitor. */
  passUntil: Millis | null;
  /** The render under way. */
  rendering: Rendering | null;
  /** What L2 holds of it. */
  l2: L2State;
}

/** The invalidation that has made a page stale or expired. */
export interface InvalidatedBy {
  seq: number;
  kind: "path" | "tag" | "prefix" | "route" | "everything";
  /** The path, the tag, the prefix or the route. */
  name: string;
  mode: Mode;
  at: Millis;
}

/** A render under way. */
export interface Rendering {
  /** Whether a visitor waits for it (`cold`), or a stale copy is served meanwhile. */
  purpose: "cold" | "background";
  beganAt: Millis;
  /** When it is given up. */
  expiresAt: Millis;
  /** How many renders before it could not be used. */
  attempt: number;
}

/** What L2 holds of a page. */
export interface L2State {
  state: "none" | "written" | "writing" | "deleting" | "unknown";
  version: string | null;
  writtenAt: Millis | null;
  /** When a write that is to be made is attempted. */
  dueAt: Millis | null;
  /** How many attempts of it have failed. */
  attempts: number;
}

/** How many pages are in which state. */
export interface Totals {
  total: number;
  fresh: number;
  stale: number;
  expired: number;
}

/** A coordinator as a whole. */
export interface ShardState {
  pages: Totals;
  /** Keys for which the site answers each visitor. */
  passing: number;
  /** Keys whose last render has failed. */
  failing: number;
  tags: number;
  /** Renders under way or queued. */
  renders: number;
  /** Writes to L2 that are still to be made, and those of them that were refused at least once. */
  l2: { pending: number; failing: number };
  /** Whether renders may begin: as they are asked for, not now, or one to find out whether the site has recovered. */
  breaker: { state: "closed" | "open" | "half-open"; failures: number; probeAt: Millis | null };
  /** Purges and eager refreshes under way, and pages that they have still to deal with. */
  sweeps: { open: number; pages: number };
  /** The number of the latest invalidation that it has received. */
  lastInvalidation: number | null;
}

/** The answer of `inspectTag`. */
export interface TagInspection {
  tag: string;
  lastInvalidation: { seq: number; mode: Mode; at: Millis } | null;
  deliveries: { pending: number };
  /** How many coordinators carry it, or have. */
  shards: number;
  /** Counted over all; only with the first part of a list. */
  pages: Totals | null;
  entries: (PageState & { shard: string })[];
  /** To be passed on as it is for the next part; `null`: there is none. */
  after: string | null;
}

/** The answer of `inspectPath`. */
export interface PathInspection {
  path: string;
  /** `null`: no route has it. */
  route: string | null;
  /** Its coordinator. */
  shard: string | null;
  /** All variants. */
  entries: PageState[];
  /** To be passed on as it is for the next part; `null`: there is none. */
  after: string | null;
}

/** The answer of `inspectShard`. */
export interface ShardInspection {
  shard: string;
  route: string;
  deliveries: { pending: number; oldestPending: number | null };
  /** Counted over all; only with the first part of a list. */
  state: ShardState | null;
  entries: PageState[];
  /** To be passed on as it is for the next part; `null`: there is none. */
  after: string | null;
}
