/**
 * What happens to the existing pages. `expire`: the next request waits for a fresh page. `stale`: the next request receives the old page
 * once more. `purge`: the old page is deleted.
 */
export type Mode = "expire" | "stale" | "purge";

/** When pages are rendered again: at their next request (`lazy`), or now, the most often rendered first (`eager`). */
export type Refresh = "lazy" | "eager";

/** How pages are invalidated. */
export interface RevalidateOptions {
  /** What happens to the existing pages. Default: `"expire"`. */
  mode?: Mode;
  /** When the pages are rendered again. Default: `"lazy"`. */
  refresh?: Refresh;
}

/** Which pages are invalidated, and how. At least one target, and at most 1,000. */
export interface InvalidateRequest extends RevalidateOptions {
  /** All variants of a path. */
  path?: string;
  /** All pages that carry the tag. */
  tag?: string;
  /** All pages that carry at least one of the tags. */
  tags?: readonly string[];
  /** A path and all paths below it. */
  prefix?: string;
  /** All pages of a route, named by its pattern in the configuration. */
  route?: string;
  /** All pages. */
  everything?: true;
}

/** The target of an invalidation: exactly one of these fields. */
export type Target =
  | { path: string }
  | { tag: string }
  | { prefix: string }
  | { route: string }
  | { everything: true };

/** Confirms that an invalidation is recorded. */
export type Receipt = Target & {
  /** Its number, for `invalidation(seq)`. */
  seq: number;
  mode: Mode;
  refresh: Refresh;
  pages: {
    /** How many pages it matches, as far as the coordinators have counted: each counts up to 100,000. */
    matched: number;
  };
  shards: {
    /** How many coordinators have applied it. */
    applied: number;
    /** How many have not applied it yet. The delivery is retried until they have. */
    pending: number;
  };
  /** An earlier call with the same `Idempotency-Key` has recorded the invalidation. Otherwise the field is absent. */
  repeated?: true;
};

/** The result of `invalidate`: a receipt for each target, in the order of the request. */
export interface Invalidations {
  invalidations: Receipt[];
}

/** The progress of an invalidation. */
export type Invalidation = Target & {
  seq: number;
  mode: Mode;
  refresh: Refresh;
  pages: {
    matched: number;
    /** How many were rendered again or deleted; only for `eager` and `purge`, which process each page. */
    refreshed?: number;
    /** How many could not be rendered; the next request for such a page renders it. */
    failed?: number;
    /** How many are not processed yet. */
    pending?: number;
  };
  shards: { applied: number; pending: number };
  /** The state of the purge in each downstream cache, by name. */
  sinks?: Record<string, "done" | "pending">;
  /** When all pages were processed, in milliseconds since the Unix epoch; `null`: not yet, or there is no such work. */
  doneAt: number | null;
};
