/**
 * The cache as a Worker, prebuilt: Rust as Wasm, and the module around it. A Worker in front of a site is
 *
 * ```js
 * export { default, IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";
 * ```
 *
 * with the bindings and `[vars.ISR]` in its `wrangler.toml`.
 *
 * @module
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

import type {
  InspectOptions,
  InvalidateRequest,
  Invalidation,
  Invalidations,
  IsrService,
  Lookup,
  PageSettings,
  PathInspection,
  Receipt,
  RevalidateOptions,
  ShardInspection,
  Stored,
  TagInspection,
} from "../index.js";

/** The entrypoint: answers visitors from the cache, and other Workers by RPC. */
export default class Gateway extends WorkerEntrypoint implements IsrService {
  fetch(request: Request): Promise<Response>;
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  invalidation(seq: number): Promise<Invalidation>;
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
  lookup(request: Request | string): Promise<Lookup>;
  store(ticket: string, response: Response, settings?: PageSettings): Promise<Stored>;
}

/** Owns the pages of one shard of a route: bound as `COORDINATOR`. Has the methods of the entrypoint as well. */
export class IsrCoordinator extends DurableObject implements IsrService {
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  invalidation(seq: number): Promise<Invalidation>;
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
  lookup(request: Request | string): Promise<Lookup>;
  store(ticket: string, response: Response, settings?: PageSettings): Promise<Stored>;
}

/** Knows which coordinators carry a tag, and keeps the log of invalidations: bound as `TAG_INDEX`. Has the methods of the entrypoint as well. */
export class IsrTagIndex extends DurableObject implements IsrService {
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
  revalidatePath(path: string, options?: RevalidateOptions): Promise<Receipt>;
  revalidateTag(tag: string, options?: RevalidateOptions): Promise<Receipt>;
  invalidate(what: InvalidateRequest): Promise<Invalidations>;
  invalidation(seq: number): Promise<Invalidation>;
  inspectTag(tag: string, options?: InspectOptions): Promise<TagInspection>;
  inspectPath(path: string, options?: InspectOptions): Promise<PathInspection>;
  inspectShard(shard: string, options?: InspectOptions): Promise<ShardInspection>;
  lookup(request: Request | string): Promise<Lookup>;
  store(ticket: string, response: Response, settings?: PageSettings): Promise<Stored>;
}

/** A Worker's own handler: what it has as its default export without a cache. */
export type Handler<Env> = ExportedHandler<Env> & Required<Pick<ExportedHandler<Env>, "fetch">>;

/** An entrypoint with the cache in front: the methods of the cache besides its own. */
export type WithIsr<Own extends WorkerEntrypoint<any>> = new (ctx: ExecutionContext, env: any) => Own & IsrService;

/**
 * Puts the cache in front of a Worker's own handler, for `export default`; `[vars.ISR]` says `origin = "self"`.
 *
 * Pages of routes come from the cache, and are rendered by the handler with a request that has nothing of a visitor in it. Whatever else
 * is asked for, the handler answers as before; all other events are its own.
 *
 * ```ts
 * export default withIsr<Env>({
 *   async fetch(request, env, ctx) {
 *     return new Response("…", { headers: { "x-isr-revalidate": "60", "cache-tag": "posts" } });
 *   },
 * });
 * export { IsrCoordinator, IsrTagIndex } from "cloudflare-isr/gateway";
 * ```
 */
export function withIsr<Env = unknown>(handler: Handler<Env>): WithIsr<WorkerEntrypoint<Env>>;
/** Puts the cache in front of a Worker whose default export is a class: its RPC methods stay its own. */
export function withIsr<Own extends WorkerEntrypoint<any>>(entrypoint: new (ctx: ExecutionContext, env: any) => Own): WithIsr<Own>;
