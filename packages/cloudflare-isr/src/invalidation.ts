/** What becomes of old copies: who asks next waits for a fresh one; gets the old one once more; or the old one is gone for ever. */
export type Mode = "expire" | "stale" | "purge";

/** When pages are rendered again: when somebody asks for them, or now, the hottest first. */
export type Refresh = "lazy" | "eager";

/** How pages are invalidated. */
export interface RevalidateOptions {
  /** What becomes of old copies. Default: `"expire"`. */
  mode?: Mode;
  /** When the pages are rendered again. Default: `"lazy"`. */
  refresh?: Refresh;
}

/** Which pages are invalidated, and how. At least one scope, and at most 100. */
export interface InvalidateRequest extends RevalidateOptions {
  /** All variants of a path. */
  path?: string;
  /** All pages that carry the tag. */
  tag?: string;
  /** All pages that carry one of the tags. */
  tags?: readonly string[];
  /** A path and all below it. */
  prefix?: string;
  /** All pages of a route, named by its pattern as it stands in the configuration. */
  route?: string;
  /** All pages. */
  everything?: true;
}

/** What was invalidated: one of these fields is there. */
export type Scoped =
  | { path: string }
  | { tag: string }
  | { prefix: string }
  | { route: string }
  | { everything: true };

/** What a caller is told of an invalidation that has been recorded. */
export type Receipt = Scoped & {
  /** Its number, to ask for its progress by. */
  seq: number;
  mode: Mode;
  refresh: Refresh;
  pages: {
    /** How many pages it concerns, as far as coordinators have counted: up to 100,000 in each. */
    matched: number;
  };
  shards: {
    /** How many coordinators have applied it. */
    applied: number;
    /** How many have still to be told; they are told until they have. */
    pending: number;
  };
};

/** The answer of `invalidate`: a receipt for each scope, in the order of the request. */
export interface Invalidations {
  invalidations: Receipt[];
}

/** How far an invalidation is. */
export type Invalidation = Scoped & {
  seq: number;
  mode: Mode;
  refresh: Refresh;
  pages: {
    matched: number;
    /** How many were rendered again or deleted; only where that is done page by page, for `eager` and `purge`. */
    refreshed?: number;
    /** How many could not be rendered; they are left to the next visitor. */
    failed?: number;
    /** How many are still to be dealt with. */
    pending?: number;
  };
  shards: { applied: number; pending: number };
  /** The caches in front that are purged of it, by name. */
  sinks?: Record<string, "done" | "pending">;
  /** When the work page by page was done, in milliseconds since the Unix epoch; `null`: not yet, or there is none. */
  doneAt: number | null;
};
