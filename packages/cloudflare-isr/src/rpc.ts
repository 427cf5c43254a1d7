import type { ExplainOptions, Explanation } from "./explanation.js";
import type { Decisions, DecisionOptions, Overview, OverviewOptions, TagInspection, PathInspection, ShardInspection, InspectOptions } from "./inspection.js";
import type { Invalidations, Invalidation, InvalidateRequest, RevalidateOptions, Receipt } from "./invalidation.js";
import type { IsrReason } from "./reason.js";
import type { PageSettings } from "./page_policy.js";

/**
 * The reason why a call failed.
 *
 * | code | meaning |
 * |---|---|
 * | `invalid_argument` | the method does not accept this argument; the message says what to write |
 * | `not_found` | there is no such invalidation, coordinator or method |
 * | `lease_lost` | the ticket is no longer valid: it was used, another render of the page has finished, or this one took too long |
 * | `unavailable` | an object could not be reached, or could not record the call, or the cache is not configured; try again |
 */
export type IsrErrorCode = "invalid_argument" | "not_found" | "lease_lost" | "unavailable";

/** The exception of all methods of {@link IsrService}. Over RPC it is a plain `Error` with these properties. */
export interface IsrError extends Error {
  code: IsrErrorCode;
}

const CODES: ReadonlySet<unknown> = new Set<IsrErrorCode>(["invalid_argument", "not_found", "lease_lost", "unavailable"]);

/** Returns whether a thrown value is an error of the cache, with a `code`. */
export function isIsrError(error: unknown): error is IsrError {
  return error instanceof Error && "code" in error && CODES.has(error.code);
}

/** The result of a lookup. Distinguish the cases by `status`, or by the presence of `response` and `ticket`. */
export type Lookup =
  /** A page to send to the visitor; it may be a 304 or a 206. A stale page is re-rendered in the background. */
  | { status: "HIT" | "STALE"; response: Response; ticket?: undefined }
  /**
   * There is no page, and this caller renders it: render `request`, then call `store` with the ticket. The request is built from the
   * page's key alone and contains no data of the visitor, so that nothing personal is stored. Do not send `Set-Cookie` of its response
   * to the visitor, nor a response that turns out not to be storable.
   */
  | { status: "MISS"; ticket: string; request: Request; response?: undefined }
  /** There was no page, but another request has rendered it meanwhile. */
  | { status: "MISS"; response: Response; ticket?: undefined }
  /** The page is not cached: render the visitor's own request. */
  | { status: "SKIP"; reason: IsrReason | null; response?: undefined; ticket?: undefined }
  /** The visitor has a draft token: render the visitor's own request, and send `cache-control: private, no-store`. */
  | { status: "BYPASS"; reason: null; response?: undefined; ticket?: undefined }
  /** Not a page of this cache: another method, no matching route, or a render of the cache itself. */
  | { status: "PASS"; reason: null; response?: undefined; ticket?: undefined };

/** The result of `store`. */
export interface Stored {
  stored: boolean;
  /** The reason why it was not stored; `null` if it was. */
  reason: IsrReason | null;
}

/**
 * The methods of the gateway's entrypoint and of its Durable Objects, for Workers that are bound to them. All of them reject with an
 * {@link IsrError}.
 */
export interface IsrService {
  /** Invalidates all variants of a path. Resolves when every coordinator concerned has applied it, or after a deadline. */
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  /** Invalidates every page that carries a tag. Resolves when every coordinator concerned has applied it, or after a deadline. */
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  /** Invalidates all given targets, at most 1,000 together. */
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  /** Returns the progress of an invalidation, by the `seq` of its receipt. */
  invalidation(seq: number): Promise<Invalidation>;
  /** Returns the pages that carry a tag, with their states. */
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  /** Returns the state of all variants of a path. */
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  /** Returns the state of a coordinator, `<route>#<number>`, and of its pages. */
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
  /** Explains what the cache does with a page, and why. Takes its absolute URL. Renders nothing and changes nothing. */
  explain(url: string, options?: ExplainOptions): Promise<Explanation>;
  /** Sums up at most 16 coordinators: pages by state, renders, breakers, L2, hottest and stalest pages, recent invalidations. */
  overview(options?: OverviewOptions): Promise<Overview>;
  /** Reads the log of decisions of one coordinator, or of at most 16, merged by time. */
  decisions(options?: DecisionOptions): Promise<Decisions>;
  /**
   * Looks up a page for a visitor, for a site without the gateway in front. If the visitor leaves, the platform ends the request. So pass
   * all work that follows from a ticket to `ctx.waitUntil`, because other requests wait for the page.
   */
  lookup(request: Request | string): Promise<Lookup>;
  /**
   * Stores the page for a ticket of `lookup`. The same rules apply as to a response of the origin, and `settings` have the effect of its
   * headers. If the render failed, store a 5xx response. If the page must not be stored, set `revalidate: 0`.
   */
  store(ticket: string, response: Response, settings?: PageSettings): Promise<Stored>;
}
