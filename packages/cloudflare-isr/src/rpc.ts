import type { TagInspection, PathInspection, ShardInspection, InspectOptions } from "./inspection.js";
import type { Invalidations, Invalidation, InvalidateRequest, RevalidateOptions, Receipt } from "./invalidation.js";
import type { IsrReason } from "./reason.js";
import type { PageSettings } from "./scope.js";

/**
 * Why a call was not carried out.
 *
 * | code | meaning |
 * |---|---|
 * | `invalid_argument` | an argument is not what the method takes; the message says what to write |
 * | `not_found` | no such invalidation or coordinator is known, or no such method |
 * | `lease_lost` | the ticket has run out or was used: the page has been rendered by another, or it took too long |
 * | `unavailable` | an object could not be reached or could not record it, or the cache is not configured; try again |
 */
export type IsrErrorCode = "invalid_argument" | "not_found" | "lease_lost" | "unavailable";

/** What the methods of {@link IsrService} throw. Over RPC it is an `Error` with these properties, of no class of its own. */
export interface IsrError extends Error {
  code: IsrErrorCode;
}

const CODES: ReadonlySet<unknown> = new Set<IsrErrorCode>(["invalid_argument", "not_found", "lease_lost", "unavailable"]);

/** Tells whether something that was thrown is an error of the cache, with a `code`. */
export function isIsrError(error: unknown): error is IsrError {
  return error instanceof Error && "code" in error && CODES.has(error.code);
}

/** What the cache has for a request: by `status`, or by whether there is a `response` or a `ticket`. */
export type Lookup =
  /** A page, ready to be sent to the visitor; it may be a 304 or a 206. A stale one is being rendered again behind it. */
  | { status: "HIT" | "STALE"; response: Response; ticket?: undefined }
  /**
   * Nothing, and this caller is the one to render the page: render what `request` asks for, then `store` it with the ticket.
   * The request is made of the page's key alone: nothing of the visitor is in it, so that nothing personal is stored for all. Nor is
   * what comes of it the visitor's: no `Set-Cookie`, and no page that turns out not to be stored.
   */
  | { status: "MISS"; ticket: string; request: Request; response?: undefined }
  /** Nothing, but somebody else has rendered the page meanwhile. */
  | { status: "MISS"; response: Response; ticket?: undefined }
  /** The page is not cached: answer yourself. */
  | { status: "SKIP"; reason: IsrReason | null; response?: undefined; ticket?: undefined }
  /** A visitor with a draft token: answer yourself, with `cache-control: private, no-store`. */
  | { status: "BYPASS"; reason: null; response?: undefined; ticket?: undefined }
  /** Not a page of this cache: another method, no route, or a render of its own. */
  | { status: "PASS"; reason: null; response?: undefined; ticket?: undefined };

/** Whether a page that was given to `store` is kept. */
export interface Stored {
  stored: boolean;
  /** Why not; `null` if it is. */
  reason: IsrReason | null;
}

/**
 * The methods of the gateway's entrypoint and of its Durable Objects, for Workers that are bound to them. All of them reject with an
 * {@link IsrError}.
 */
export interface IsrService {
  /** Invalidates all variants of a path. Resolves once every coordinator concerned has been told, or after a deadline. */
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  /** Invalidates every page that carries a tag. Resolves once every coordinator concerned has been told, or after a deadline. */
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  /** Invalidates everything that is named, up to 100 scopes together. */
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  /** Tells what has come of an invalidation, by the `seq` of its receipt. */
  invalidation(seq: number): Promise<Invalidation>;
  /** Tells what carries a tag, and in which state. */
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  /** Tells what is known of all variants of a path. */
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  /** Tells what is known of a coordinator, `<route>#<number>`, and of its pages. */
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
  /**
   * Looks a page up for a visitor. The first half of the split life cycle, for a site without the gateway in front. A visitor who leaves
   * ends the request: pass all that follows from a ticket to `ctx.waitUntil`, for others wait for the page.
   */
  lookup(request: Request | string): Promise<Lookup>;
  /**
   * Stores a page that `lookup` has given a ticket for; the second half. The response is judged as a site's own is, and `settings`
   * count as its headers. A render that has failed is told by storing a 5xx, a page that is not to be stored by `revalidate: 0`.
   */
  store(ticket: string, response: Response, settings?: PageSettings): Promise<Stored>;
}
